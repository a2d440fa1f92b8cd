"""The papers' recipes: what they are made of, that they go on where they stopped, and the table of what they reached."""

from __future__ import annotations

import json
import math
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from torch import nn
from torchvision import datasets
from typer.testing import CliRunner

from benchmarks import burda, nice, papers, real_nvp, recipe, results
from benchmarks.nice import nice_training
from benchmarks.readme import write_table
from benchmarks.real_nvp import real_nvp_training
from course_lib.data import DataError, ImageData
from course_lib.flows import standard_normal_log_prob
from course_lib.image_flows import MaskedCoupling
from course_lib.nice import dequantize
from course_lib.real_nvp import logit_transform
from grading.course import ROOT


def images(n, *shape):
    """Bright squares on dark grey: there is something to learn."""
    generator = torch.Generator().manual_seed(0)
    made = torch.randint(0, 40, (n, *shape), generator=generator)
    made[..., 1:3, 1:3] += 150
    return made.byte()


SMALL = {
    "NICE": lambda: nice_training(images(70, 1, 6, 6), hidden_dim=8, held_out=20, batch=10),
    "Real-NVP": lambda: real_nvp_training(images(50, 3, 8, 8), feature_maps=4, blocks=1, batch=10, look=5),
}


@pytest.fixture(params=SMALL)
def new(request):
    return SMALL[request.param]


def interrupted_at(training, step):
    """Make a training stop as by Ctrl-C in its n-th step from here."""
    log_prob, taken = training.log_prob, []

    def stops(batch, generator):
        taken.append(training.model.training)
        if sum(taken) == step:
            raise KeyboardInterrupt
        return log_prob(batch, generator)

    training.log_prob = stops


def test_a_recipe_learns(new):
    training = new()
    before, _ = training.measure(training.images)
    training.run(60)
    assert training.measure(training.images)[0] > before + 1
    assert training.curve[-1] > training.curve[0]


@pytest.mark.parametrize("at", [3, 8, 17])
def test_an_interrupted_training_goes_on_as_if_nothing_had_been(new, at, tmp_path, monkeypatch):
    monkeypatch.setattr(recipe, "SAVE_EVERY", 0.0)
    whole, file = new(), tmp_path / "folder" / "checkpoint.pt"
    whole.run(20)
    first = new()
    interrupted_at(first, at)
    with pytest.raises(KeyboardInterrupt):
        first.run(20, file=file)
    torch.manual_seed(at)
    again = new()
    again.resume(file)
    assert again.steps == (at - 1) // 5 * 5
    again.run(20, file=file)
    assert again.curve == whole.curve
    assert len(whole.curve) == 4
    assert again.measure(again.images) == whole.measure(whole.images)
    assert again.best["log_prob"] == whole.best["log_prob"]
    for mine, its in zip(again.model.state_dict().values(), whole.model.state_dict().values(), strict=True):
        assert torch.equal(mine, its)


def test_a_kill_while_the_file_is_written_leaves_the_one_before(new, tmp_path, monkeypatch):
    training, file = new(), tmp_path / "checkpoint.pt"
    training.run(5, file=file)
    before = file.read_bytes()

    def dies(state, path):
        Path(path).write_bytes(before[:100])
        raise KeyboardInterrupt

    monkeypatch.setattr(torch, "save", dies)
    with pytest.raises(KeyboardInterrupt):
        training.run(10, file=file)
    assert file.read_bytes() == before


def test_the_clock_stops_a_training_at_a_look(new):
    training = new()
    training.run(1000, until=0.0)
    assert (training.steps, training.curve) == (0, [])
    training.run(3)
    assert training.steps == training.look == 5


def test_every_pass_takes_every_image_once_in_an_order_of_its_own(new):
    training = new()
    passes = [torch.cat([training._rows(5 * number + step) for step in range(5)]) for number in range(3)]
    assert all(torch.equal(rows.sort().values, torch.arange(50)) for rows in passes)
    assert not torch.equal(passes[0], passes[1])
    assert torch.equal(training._rows(7), passes[1][20:30])


@pytest.mark.parametrize("spoil", ["another model", "not a checkpoint"])
def test_a_checkpoint_that_does_not_fit_is_refused_with_a_remedy(spoil, tmp_path):
    file = tmp_path / "checkpoint.pt"
    if spoil == "another model":
        SMALL["NICE"]().save(file)
    else:
        file.write_bytes(b"PK")
    with pytest.raises(RuntimeError, match=r"does not fit this training.*Delete it to begin anew"):
        SMALL["Real-NVP"]().resume(file)


def test_a_training_that_diverges_is_told(new):
    training = new()
    training.log_prob = lambda batch, generator: math.nan * next(training.model.parameters()).sum().expand(len(batch))
    with pytest.raises(RuntimeError, match="NaN before step 5"):
        training.run(10)


def test_nice_keeps_the_weights_that_were_best_on_images_held_out():
    training = SMALL["NICE"]()
    reached = []
    for steps in range(5, 60, 5):
        training.run(steps)
        reached.append(training.measure(training.held_out)[0])
        if steps == 30:
            training.optimizer.param_groups[0]["lr"] = 1.0  # from here on it gets worse
    training.take_best()
    assert max(reached) > reached[-1]
    assert training.measure(training.held_out)[0] == max(reached)


def test_nice_is_the_papers():
    """Parameters counted by hand: four networks 392-1000-1000-1000-1000-1000-392, and a scale for each of 784 pixels."""
    training = nice_training(images(10_400, 1, 28, 28))
    network = 392 * 1000 + 1000 + 4 * (1000 * 1000 + 1000) + 1000 * 392 + 392
    assert sum(p.numel() for p in training.model.parameters()) == 4 * network + 784
    kinds = [type(module) for module in training.model.modules()]
    assert (kinds.count(nn.ReLU), kinds.count(nn.Tanh)) == (20, 0)
    (group,) = training.optimizer.param_groups
    assert (group["lr"], group["betas"], group["eps"]) == (1e-3, (0.9, 0.99), 1e-4)
    assert (len(training.images), len(training.held_out), training.batch) == (400, 10_000, 200)


def test_real_nvp_is_the_papers_as_far_as_the_file_says():
    training = real_nvp_training(images(4, 3, 32, 32))
    couplings = [module for module in training.model.modules() if isinstance(module, MaskedCoupling)]
    assert len(couplings) == 3 + 3 + 4
    for coupling in couplings:
        kinds = [type(module) for module in coupling.network.modules()]
        assert kinds.count(nn.BatchNorm2d) == kinds.count(nn.ReLU) == 2 * 8 + 1
        convolutions = [module for module in coupling.network.modules() if isinstance(module, nn.Conv2d)]
        assert len(convolutions) == 2 * 8 + 2
        assert all(nn.utils.parametrize.is_parametrized(module, "weight") for module in convolutions)
        assert {module.out_channels for module in convolutions[:-1]} == {64}
    scales, others = training.optimizer.param_groups
    assert (scales["weight_decay"], others["weight_decay"], scales["lr"]) == (1e-4, 0, 1e-3)
    assert len(scales["params"]) == 10 * (2 * 8 + 2 + 1)
    named = dict(training.model.named_parameters())
    assert {id(p) for p in scales["params"] + others["params"]} == {id(p) for p in named.values()}


def test_real_nvp_starts_as_the_identity_and_is_undone_after_some_steps():
    training = SMALL["Real-NVP"]()
    flow, pixels = training.model.eval(), training.images
    noise = torch.rand(pixels.shape, generator=torch.Generator().manual_seed(3))
    x, _ = dequantize(pixels.flatten(1), noise.flatten(1), 256)
    y, log_det = logit_transform(x.view(pixels.shape), 0.05)
    expected = standard_normal_log_prob(y.flatten(1)) + log_det
    torch.testing.assert_close(training.log_prob(pixels, torch.Generator().manual_seed(3)), expected)
    training.run(20)
    flow.eval()
    with torch.no_grad():
        z, log_det = flow.inverse(y)
        back, forth = flow(z)
    torch.testing.assert_close(back, y, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(forth, -log_det, atol=1e-3, rtol=1e-4)
    assert (z - y.flatten(1)).abs().max() > 0.01


def nothing_to_download(*args, **kwargs):
    raise OSError("no network")


@pytest.mark.parametrize(
    ("command", "dataset", "says"),
    [
        ("nice", "MNIST", ["The full MNIST is not in", "MNIST/raw", "network"]),
        ("real-nvp", "CIFAR10", ["CIFAR10 is not to be had", "no network", "LATENT_COURSE_DATA"]),
    ],
)
def test_missing_data_are_told_with_their_remedy(command, dataset, says, tmp_path, monkeypatch):
    monkeypatch.setattr(datasets, dataset, nothing_to_download)
    result = CliRunner().invoke(papers.app, [command, str(tmp_path)], terminal_width=400)
    assert result.exit_code == 2
    assert all(part in result.output for part in says)


def test_the_embedded_digits_never_pass_for_the_full_mnist(tmp_path, monkeypatch):
    monkeypatch.setattr(datasets, "MNIST", nothing_to_download)
    with pytest.raises(DataError, match="full MNIST"):
        recipe.full_mnist("train", tmp_path)


@pytest.fixture
def kept(tmp_path, monkeypatch):
    """A file of its own for what runs keep, and small recipes on a handful of images."""
    file = tmp_path / "papers.json"
    file.write_text("[]")
    monkeypatch.setattr(results, "FILE", file)
    monkeypatch.setattr(papers, "best_device", lambda: torch.device("cpu"))
    monkeypatch.setattr(
        papers, "full_mnist", lambda split, root: ImageData(images(70, 1, 6, 6), torch.zeros(70).long(), "made")
    )
    monkeypatch.setattr(
        papers,
        "load_colour_images",
        lambda dataset, split, root: ImageData(images(50, 3, 8, 8), torch.zeros(50).long(), "made"),
    )
    monkeypatch.setattr(nice, "nice_training", lambda data: nice_training(data, 8, 20, 10))
    monkeypatch.setattr(real_nvp, "real_nvp_training", lambda data: real_nvp_training(data, 4, 1, 10, 5))
    return file


@pytest.mark.parametrize(
    ("command", "part", "unit"),
    [
        (["nice", "--epochs", "2"], "2 of 1,500 epochs", "nats"),
        (["real-nvp", "--steps", "15", "--tests", "20"], "15 steps, 3 passes over the data", "bits/dim"),
    ],
)
def test_a_run_is_printed_and_kept_when_asked_and_goes_on_from_its_checkpoint(command, part, unit, kept, tmp_path):
    runner = CliRunner()
    assert runner.invoke(papers.app, command).exit_code == 0
    assert json.loads(kept.read_text()) == []
    told = runner.invoke(papers.app, [*command, "--keep", "--checkpoint", str(tmp_path / "c.pt")])
    assert told.exit_code == 0, told.output
    (row,) = results.load()
    assert row.run.startswith(part)
    assert row.unit == unit
    assert f"{row.ours:.2f} {unit}" in told.output
    again = runner.invoke(papers.app, [*command, "--keep", "--checkpoint", str(tmp_path / "c.pt")])
    assert again.exit_code == 0
    assert results.load()[0].ours == row.ours


def test_a_row_takes_the_place_of_an_earlier_one_and_rows_stand_by_paper(kept):
    one, other = (
        results.Row(paper, "model", "data", "nats", -1.0, ours, "some of it", "cpu")
        for paper, ours in (("B 2015", -2.5), ("A 2016", -3.0))
    )
    results.keep([one, other])
    results.keep([results.Row(**{**vars(one), "ours": 1234.5})])
    lines = results.table(results.load()).splitlines()[2:]
    assert lines == [
        "| A 2016 | model | data, nats | −1.00 | −3.00 | some of it; cpu |",
        "| B 2015 | model | data, nats | −1.00 | 1,234.50 | some of it; cpu |",
    ]


def test_a_later_run_of_burdas_recipe_takes_the_place_of_the_row_that_is_kept():
    for kind, k in burda.PUBLISHED:
        training = SimpleNamespace(kind=kind, k=k, passes=3280, device=torch.device("cpu"))
        row = burda.row_of(training, bound=-90.0, elbo=-95.5, how="10 samples")
        assert row.key in {kept.key for kept in results.load()}
        assert row.run == "3,280 of 3,280 passes; 10 samples; test ELBO −95.50"
        assert row.theirs == -burda.PUBLISHED[kind, k]


def test_the_readmes_table_is_the_one_of_what_was_kept():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert f"{papers.START}\n{papers.table()}\n{papers.END}" in readme


def test_a_table_is_written_between_its_lines_alone(tmp_path):
    file = tmp_path / "README.md"
    file.write_text("before\n<a>\nold\n<b>\nafter\n")
    write_table("<a>", "<b>", r"new \1", file)
    assert file.read_text() == "before\n<a>\nnew \\1\n<b>\nafter\n"
    for start, end in (("<x>", "<b>"), ("<b>", "<a>")):
        with pytest.raises(ValueError, match="has no line"):
            write_table(start, end, "", file)
