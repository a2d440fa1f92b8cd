"""The shipped models: the one that explorers show, and the broken ones to be diagnosed."""

from __future__ import annotations

import pytest
import torch

from course_lib.checks import TOPICS
from course_lib.data import DataError, read_asset
from course_lib.digit_model import MODEL_FILE, load_digit_model
from course_lib.patients import PATIENTS_FILES, load_patient

NAMES = (
    *("03", "04", "05", "06_a", "06_b", "06_c"),
    *(f"07_{letter}" for letter in "abc"),
    *(f"08_{letter}" for letter in "abcde"),
    *("09_a", "09_b", "09_c", "10_a", "10_b", "10_c"),
    *("11_a", "11_b", "11_c", "11_d"),
)


def test_every_diagnosis_has_its_patient():
    asked = {e.name.removeprefix("diagnosis_") for topic in TOPICS.values() for e in topic if "diagnosis" in e.name}
    reports = {"12_a", "12_b", "12_c"}  # three lines of numbers, which the notebook prints
    assert asked - reports == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_patient_is_drawn_with_its_numbers_in_words(name):
    patient = load_patient(name)
    assert all(bool(values.isfinite().all()) for values in patient.curves.values())
    assert all(images.shape[1:] == (28, 28) for images in patient.images.values())
    assert len(patient.picture().alt.split()) > 12


def test_the_patients_show_what_their_questions_say():
    assert load_patient("06_a").curves["kl"][-1] < 0.01
    assert load_patient("06_b").curves["kl"][-1] > 100
    grey = load_patient("06_c").images["samples"].float() / 255
    assert 0.49 <= grey.min() <= grey.max() <= 0.74
    assert load_patient("09_a").curves["objective"][-1] > -0.8
    assert load_patient("09_b").curves["objective"][-1].item() == pytest.approx(-1.8379, abs=1e-3)
    assert load_patient("09_c").curves["objective"][-1] > 20
    assert load_patient("09_c").curves["samples"].abs().median() > 1000
    assert load_patient("04").curves["spread"][-1] < 0.1
    assert load_patient("03").curves["sigma"][-1] < 0.1
    assert load_patient("07_a").curves["kl_given_x"][-1] > 3
    stray = load_patient("07_b").images
    assert not torch.equal(stray["an answer"], stray["another"])
    same = load_patient("07_c")
    assert same.curves["kl_given_x"][-1] < 0.01
    assert torch.equal(same.images["an answer"], same.images["another"])
    estimator = load_patient("05").curves
    shortened = estimator["true"] * (1 - 1 / estimator["samples"])
    torch.testing.assert_close(estimator["mean"], shortened.float(), atol=0.1, rtol=0)
    speckle = load_patient("10_a").images
    kept = torch.cat([speckle["samples"], speckle["more samples"]])[..., ::2]  # the columns that no coupling changed
    assert abs(neighbours_agree(kept)) < 0.05 < 0.3 < neighbours_agree(speckle["digits"][..., ::2])
    runaway = load_patient("10_b").curves
    assert runaway["objective"][-1] > 5000
    assert runaway["size"][-1] > 1000
    assert load_patient("10_c").curves["objective"][-1] > 1700
    assert load_patient("10_c").curves["size"][-1] > 5 * load_patient("10_a").curves["size"][-1]
    never, unpaid, unlogged, levels = (load_patient(f"11_{letter}").curves for letter in "abcd")
    assert never["bits"][-1] > 4
    assert unpaid["spread_of_z"][-1] < 0.02
    assert [round(c["uniform"][-1].item(), 2) for c in (never, unpaid, levels)] == [8, 8, 6]
    assert unlogged["uniform"][-1] > 11
    assert levels["bits"][-1] < 1 < 5 < unlogged["bits"][-1]
    torch.testing.assert_close(unlogged["spread_of_z"], levels["spread_of_z"])  # the same training


def neighbours_agree(images):
    """Return the correlation of pixels with those to their right, beyond what the mean picture makes them share."""
    images = images.float() - images.float().mean(0)
    return torch.corrcoef(torch.stack([images[..., :-1].flatten(), images[..., 1:].flatten()]))[0, 1].item()


def test_an_unknown_patient_is_named_with_those_there_are():
    with pytest.raises(KeyError, match=r"no patient '99'; there are 03, 04"):
        load_patient("99")


def test_a_broken_file_says_how_to_bring_it_back(tmp_path):
    for path in (MODEL_FILE, *PATIENTS_FILES):
        cut = tmp_path / path.name
        cut.write_bytes(path.read_bytes()[:1000])
        with pytest.raises(DataError, match="git checkout"):
            read_asset(cut)


def test_the_digit_model_cannot_be_trained_by_accident():
    assert not any(parameter.requires_grad for parameter in load_digit_model().parameters())
