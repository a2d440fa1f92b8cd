"""The course's library as a submission sees it: all of it but the checks, and the notebook's own answers."""

from __future__ import annotations

import re

import pytest

from course_lib.checker.exercise import Question
from course_lib.checks import TOPICS
from grading.course import ROOT
from grading.sandbox.course_view import GRADERS_OWN, references, write_view


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
    for full in references(topic):
        module, name = full.rsplit(".", 1)
        source = (view / f"{module.split('.')[1]}.py").read_text()
        assert re.search(rf"^(def|class) {name}\b", source, re.MULTILINE)
        assert f"grader.reference('{full}'" in source
    asked = [exercise for exercise in TOPICS[topic] if not isinstance(exercise, Question) and exercise.points]
    in_library = [e.name for e in asked if not e.reference.__module__.startswith("course_lib.exercises.")]
    assert sorted(references(topic).values()) == sorted(in_library)
