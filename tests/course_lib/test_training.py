"""The training loop: it learns, repeats itself, goes on where it stopped, and says what is wrong with its input."""

from __future__ import annotations

import math
import time

import pytest
import torch

from course_lib import training
from course_lib.data import load_images
from course_lib.training import History, _step, elbo_objective, mean_bound, new_optimizer, train
from course_lib.vae import VAE, GaussianVAE


@pytest.fixture
def images():
    return load_images("train").images[:400]


def new_vae():
    torch.manual_seed(0)
    return VAE(784, 32, 4)


def quiet(model, data, **settings):
    return train(model, data, **{"progress": False, "device": "cpu", "epochs": 2, **settings})


def weights(model):
    return torch.cat([p.detach().flatten() for p in model.parameters()])


def test_it_raises_the_bound_also_on_images_it_has_not_seen(images):
    vae, test = new_vae(), load_images("test").images[:200]
    before = mean_bound(elbo_objective(vae), test)
    history = quiet(vae, images, epochs=5, batch_size=20)
    assert history.bounds[-1] > history.bounds[0] + 50
    assert mean_bound(elbo_objective(vae), test) > before + 100
    assert history.epochs == 5
    assert not history.interrupted


def test_the_same_seed_gives_the_same_model_and_another_seed_another(images):
    trained = []
    for seed in (0, 0, 1):
        vae = new_vae()
        quiet(vae, images, seed=seed, binarize=True)
        trained.append(weights(vae))
    assert torch.equal(trained[0], trained[1])
    assert not torch.equal(trained[0], trained[2])


def test_bytes_and_floats_of_the_same_pixels_are_the_same_data(images):
    trained = []
    for data in (images, images.float() / 255):
        vae = new_vae()
        quiet(vae, data)
        trained.append(weights(vae))
    torch.testing.assert_close(trained[0], trained[1])


def test_an_interrupt_keeps_what_was_learned(images, capsys):
    vae, calls = new_vae(), 0
    objective = elbo_objective(vae)

    def interrupted(x, generator):
        nonlocal calls
        calls += 1
        if calls == 7:
            raise KeyboardInterrupt
        return objective(x, generator)

    before = weights(vae)
    history = quiet(vae, images, epochs=10, objective=interrupted)
    assert history.interrupted
    assert history.epochs == 1
    assert not torch.equal(weights(vae), before)
    assert not vae.training
    assert "the model keeps what it has learned" in capsys.readouterr().out
    assert str(history).startswith("1 pass in ")
    assert str(History()) == "Not one pass over the data was finished."


def test_a_checkpoint_goes_on_exactly_where_it_stopped(images, tmp_path):
    straight, stopped = new_vae(), new_vae()
    quiet(straight, images, epochs=4)
    quiet(stopped, images, epochs=2, checkpoint=tmp_path / "vae.pt")
    fresh = new_vae()
    history = quiet(fresh, images, epochs=4, checkpoint=tmp_path / "vae.pt")
    assert history.epochs == 4
    assert torch.equal(weights(fresh), weights(straight))
    assert not list(tmp_path.glob("*.part"))


def test_a_checkpoint_of_another_training_is_refused_and_kept(images, tmp_path):
    path = tmp_path / "vae.pt"
    quiet(new_vae(), images, checkpoint=path)
    content = path.read_bytes()
    with pytest.raises(RuntimeError, match=r"another learning_rate.*Delete"):
        quiet(new_vae(), images, checkpoint=path, learning_rate=0.1)
    with pytest.raises(RuntimeError, match="does not fit this training"):
        quiet(VAE(784, 16, 4), images, checkpoint=path)
    assert path.read_bytes() == content
    path.write_bytes(b"not a checkpoint")
    with pytest.raises(RuntimeError, match="Delete"):
        quiet(new_vae(), images, checkpoint=path)


def test_a_bound_that_becomes_nan_stops_with_a_remedy(images):
    vae = new_vae()
    with pytest.raises(RuntimeError, match="became NaN in epoch 1: try a smaller learning_rate"):
        quiet(vae, images, objective=lambda x, generator: vae.elbo(x, torch.full((len(x), 4), math.nan)))


@pytest.mark.parametrize(
    ("change", "settings", "says"),
    [
        (lambda x: x.float() / 255 * math.nan, {}, "hold NaN, first in data point 0"),
        (lambda x: x.float(), {}, r"\[0, 1\], the data lie in \[0, 255\]"),
        (lambda x: x.long(), {}, "dtype torch.int64"),
        (lambda x: x[:1], {"batch_size": 1}, "at least 2 data points"),
        (lambda x: x, {"batch_size": 0}, "batch_size lies between 1 and the 400"),
        (lambda x: x, {"batch_size": 401}, "batch_size lies between 1 and the 400"),
        (lambda x: x, {"epochs": -1}, "epochs at 0 or above"),
    ],
)
def test_bad_input_is_named_before_the_first_step(images, change, settings, says):
    vae = new_vae()
    before = weights(vae)
    with pytest.raises(ValueError, match=says):
        quiet(vae, change(images), **settings)
    assert torch.equal(weights(vae), before)


def test_a_gaussian_likelihood_learns_from_any_numbers():
    torch.manual_seed(0)
    data = torch.randn(300, 2) @ torch.tensor([[2.0, 0.0], [1.5, 0.3]])
    model = GaussianVAE(2, 16, 1)
    history = quiet(model, data, epochs=30, batch_size=50, learning_rate=1e-2)
    assert history.bounds[-1] > history.bounds[0] + 0.5


def test_the_bar_shows_the_running_bound(images, capsys):
    history = train(new_vae(), images, epochs=2, device="cpu")
    assert f"epoch 2 of 2, bound {history.bounds[-1]:.2f} nats" in capsys.readouterr().err


def test_many_short_epochs_redraw_the_bar_no_more_often_than_a_notebook_bears(images, monkeypatch):
    drawn = []

    class Counting(training.tqdm):
        def display(self, *args, **kwargs):
            drawn.append(time.monotonic())
            return super().display(*args, **kwargs)

    monkeypatch.setattr(training, "tqdm", Counting)
    began = time.monotonic()
    quiet(new_vae(), images[:100], epochs=300, batch_size=100, progress=True)
    assert len(drawn) < 20 + 20 * (time.monotonic() - began)


on_a_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")


@on_a_gpu
@pytest.mark.parametrize("capture", [False, True], ids=["compiled", "captured"])
def test_it_trains_on_a_gpu_compiled_and_in_bfloat16_to_the_bound_of_float32_on_the_cpu(capture):
    images, test = load_images("train").images, load_images("test").images
    reached = {}
    for device in ("cpu", "cuda"):
        torch.manual_seed(0)
        vae = VAE(784, 200, 16)
        train(vae, images, epochs=10, progress=False, device=device, capture=capture)
        assert next(vae.parameters()).dtype == torch.float32
        reached[device] = mean_bound(elbo_objective(vae.cpu()), test)
    print(reached)
    assert abs(reached["cuda"] - reached["cpu"]) < 1


@on_a_gpu
def test_a_captured_step_is_the_step_it_recorded(images):
    """Binarised and in float32, the same seed: the random numbers of a replay are those of a step taken."""
    trained = []
    for captured in (False, True):
        vae = new_vae().cuda()
        generator = torch.Generator("cuda").manual_seed(0)
        optimizer = new_optimizer(vae.parameters(), 1e-3, torch.device("cuda"))
        step = _step(
            vae,
            elbo_objective(vae),
            optimizer,
            generator,
            True,
            torch.device("cuda"),
            captured=captured,
            compiled=False,
            bfloat16=False,
        )
        bounds = [step(batch).clone() for batch in images.cuda().split(50)]
        trained.append((torch.stack(bounds), weights(vae)))
    for one, other in zip(*trained, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4)


@on_a_gpu
def test_a_captured_training_goes_on_from_its_checkpoint(images, tmp_path):
    straight, stopped, fresh = new_vae(), new_vae(), new_vae()
    train(straight, images, epochs=4, progress=False, device="cuda", capture=True)
    train(stopped, images, epochs=2, progress=False, device="cuda", capture=True, checkpoint=tmp_path / "vae.pt")
    history = train(
        fresh, images, epochs=4, progress=False, device="cuda", capture=True, checkpoint=tmp_path / "vae.pt"
    )
    assert history.epochs == 4
    torch.testing.assert_close(weights(fresh), weights(straight), rtol=1e-2, atol=1e-3)


def test_without_a_gpu_capture_changes_nothing(images):
    trained = []
    for capture in (False, True):
        vae = new_vae()
        quiet(vae, images, capture=capture)
        trained.append(weights(vae))
    assert torch.equal(*trained)
