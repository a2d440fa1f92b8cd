"""The course's library as a submission sees it: all of it but the checks, and the notebook's own answers."""

from __future__ import annotations

import re

import pytest

from course_lib.checker.exercise import Question
from course_lib.checks import TOPICS
from grading.course import ROOT
from grading.sandbox.call_graph import GRADERS_OWN, asked_for, offered, withheld
from grading.sandbox.course_view import write_view


@pytest.mark.parametrize("topic", TOPICS)
def test_it_holds_the_library_without_checks_and_without_the_notebooks_solutions(topic, tmp_path):
    write_view(topic, tmp_path)
    view = tmp_path / "course_lib"
    there = {path.relative_to(view).as_posix() for path in view.rglob("*.py")}
    library = {path.relative_to(ROOT / "course_lib").as_posix() for path in (ROOT / "course_lib").rglob("*.py")}
    assert there == {name for name in library if name.split("/")[0] not in GRADERS_OWN} | {"checks.py", "grader.py"}
    assert not [name for name in there if name.startswith(("answers.py", "checker/", "exercises/"))]
    everything = "\n".join(path.read_text() for path in view.rglob("*.py"))
    assert "Misconception" not in everything
    imported = set(re.findall(r"^ *(?:from|import) course_lib\.(\w+)", everything, re.MULTILINE))
    assert imported <= {path.stem for path in view.iterdir()}, "what is there needs nothing that is not"
    for full in withheld(topic):
        module, name = full.rsplit(".", 1)
        source = (view / f"{module.split('.')[1]}.py").read_text()
        assert re.search(rf"^(def|class) {name}\b", source, re.MULTILINE)
        assert f"grader.reference('{full}'" in source
    later = [exercise for other in TOPICS if other >= topic for exercise in TOPICS[other]]
    asked = {e.reference.__module__ + "." + e.reference.__name__ for e in later if not isinstance(e, Question)}
    assert {full for full in asked if not full.startswith("course_lib.exercises.")} <= withheld(topic)


def test_what_contains_an_answer_is_withheld_and_what_it_is_made_of_is_offered():
    three = "03_variational_inference"
    for full in ("per_point.improve_q", "amortized.refine_q", "amortized.train_step", "bounds.amortized_elbo"):
        assert f"course_lib.{full}" in withheld(three)
        assert f"course_lib.{full}" not in offered(three, "infer_q") | offered(three, "train_step")
    assert "course_lib.bounds.per_point_elbo" in offered(three, "infer_q"), "it is one of its parts"
    assert "course_lib.bounds.per_point_elbo" not in offered(three, "per_point_elbo")
    assert "course_lib.distributions.gaussian_log_prob" not in withheld(three), "an earlier notebook asked for it"
    assert "course_lib.per_point.improve_q" in offered(three, "count_parameters", ("course_lib.per_point.infer_q",))
    six = "06_variational_autoencoder"
    earlier = "course_lib.bounds.elbo_with_analytic_kl"
    assert earlier in offered(six, "VAE"), "notebook 05 asked for it"
    assert earlier not in offered(six, "kl_to_standard_normal"), "which is in it"
    assert asked_for(six)["VAE"] == "course_lib.vae.VAE"
