"""What ships trained: it comes back as it was saved, tells how it came about, and a broken file says what to do."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from course_lib import shipped
from course_lib.colour_images import CIFAR_FLOW_FILE
from course_lib.compared_models import MODELS_FILE
from course_lib.data import GALLERY_FILE, DataError, load_images
from course_lib.digit_flow import FLOW_FILE
from course_lib.digit_model import MODEL_FILE, load_digit_model
from course_lib.explorers.conditional_and_convolutional_vaes import COMPLETION_FILE
from course_lib.explorers.real_nvp import MOONS_FILE
from course_lib.figures.nice import OTHER_DATA_FILE
from course_lib.patients import PATIENTS_FILE, PATIENTS_FILES, load_patient
from course_lib.shipped import Shipped, load, load_gallery, save
from course_lib.training import elbo_objective, mean_bound

KILOBYTES = {
    MODEL_FILE: 600,
    FLOW_FILE: 250,
    MOONS_FILE: 60,
    GALLERY_FILE: 200,
    COMPLETION_FILE: 700,
    MODELS_FILE: 1500,
    OTHER_DATA_FILE: 200,
    CIFAR_FLOW_FILE: 200,
    **dict.fromkeys(PATIENTS_FILES, 60),
}
shipped_files = pytest.mark.parametrize("path", KILOBYTES, ids=lambda path: path.stem)


def models() -> dict[str, Shipped]:
    weights = {"a.weight": torch.randn(2, 3).half(), "a.bias": torch.arange(3), "a.scale": torch.tensor(0.5)}
    return {
        "Gaussian mixture": Shipped({"samples": torch.ones(2, 4, dtype=torch.uint8)}, "EM, 40 steps", 0, 3.5, {}),
        "06_a": Shipped(weights, "Adam, 10 Schritte für σ", 7, 480.0, {"log p(x) (nats)": -98.25, "bits/dim": 1.5}),
    }


def test_models_come_back_as_they_were_saved(tmp_path):
    saved = models()
    save(tmp_path / "both.npz", saved)
    back = load(tmp_path / "both.npz")
    assert list(back) == list(saved)
    for name, model in saved.items():
        assert {**vars(back[name]), "arrays": None} == {**vars(model), "arrays": None}
        assert list(back[name].arrays) == list(model.arrays)
        for array, values in model.arrays.items():
            torch.testing.assert_close(back[name].arrays[array], values, atol=0, rtol=0)


def test_the_same_models_give_the_same_bytes(tmp_path, monkeypatch):
    same = models()
    save(tmp_path / "one.npz", same)
    monkeypatch.setattr("time.time", lambda: 2e9)
    save(tmp_path / "two.npz", same)
    assert (tmp_path / "one.npz").read_bytes() == (tmp_path / "two.npz").read_bytes()


def test_a_model_says_in_one_line_how_it_came_about():
    assert str(models()["06_a"]) == ("log p(x) (nats): -98.25; bits/dim: 1.5; Adam, 10 Schritte für σ; 480 s, seed 7")


def test_a_figure_that_is_no_number_is_refused_and_nothing_written(tmp_path):
    with pytest.raises(ValueError, match="not JSON compliant"):
        save(tmp_path / "nan.npz", {"VAE": Shipped({}, "diverged", 0, 1.0, {"ELBO (nats)": math.nan})})
    assert not list(tmp_path.iterdir())


@shipped_files
def test_what_ships_is_small_and_tells_recipe_seconds_and_figures(path):
    assert path.stat().st_size < 1000 * KILOBYTES[path]
    for model in load(path).values():
        assert len(model.recipe.split()) > 5
        assert model.seconds > 0
        assert model.figures
        assert "\n" not in str(model)


@shipped_files
@pytest.mark.parametrize(
    "damage",
    [
        lambda c: c[: len(c) // 2],
        lambda c: c[:-20],
        lambda c: b"",
        lambda c: b"PK" + c[100:],
        lambda c: c[:-9] + b"?" * 9,
    ],
)
def test_a_broken_file_is_named_with_the_remedy(tmp_path, path, damage):
    broken = tmp_path / path.name
    broken.write_bytes(damage(path.read_bytes()))
    with pytest.raises(DataError, match="git checkout") as raised:
        load(broken)
    assert str(broken) in str(raised.value)


def test_a_missing_file_and_one_that_tells_nothing_are_named_too(tmp_path):
    np.savez(tmp_path / "silent.npz", a=np.ones(2))
    for name in ("missing.npz", "silent.npz"):
        with pytest.raises(DataError, match=name):
            load(tmp_path / name)


def test_a_notebook_of_before_reads_the_gallery_with_numpy():
    with np.load(GALLERY_FILE) as gallery:
        assert list(gallery) == ["Gaussian mixture", "VAE", "NICE", "Real-NVP"]
        for name, model in load_gallery().items():
            assert gallery[name].dtype == np.uint8
            assert gallery[name].shape == (40, 28, 28)
            assert np.array_equal(gallery[name], model.arrays["samples"].numpy())


def test_the_gallery_draws_ink_on_empty_paper():
    """Digits have ink in the middle and a border that is empty, in every sample: no grey tiles."""
    for model in load_gallery().values():
        samples = model.arrays["samples"].float() / 255
        border = torch.ones(28, 28, dtype=torch.bool)
        border[2:-2, 2:-2] = False
        assert samples[:, border].mean(-1).max() < 0.1
        assert samples[:, 4:-4, 4:-4].amax((1, 2)).min() > 0.5


def test_the_figure_of_the_digit_model_is_what_it_reaches():
    (told,) = shipped.load(MODEL_FILE)["digit_model"].figures.values()
    assert mean_bound(elbo_objective(load_digit_model()), load_images("test").images) == pytest.approx(told, abs=0.01)


@pytest.mark.parametrize("name", ["03", "04", "06_a"])
def test_the_figures_of_a_patient_are_the_ends_of_its_curves(name):
    ends = [values[-1].item() for key, values in load_patient(name).curves.items() if key != "steps"]
    assert list(load(PATIENTS_FILE)[name].figures.values()) == pytest.approx(ends)
