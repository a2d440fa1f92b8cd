"""`make quick` runs the tests that a change can break."""

from __future__ import annotations

import importlib.util

import pytest

from grading.course import ROOT


@pytest.fixture(scope="module")
def quick():
    spec = importlib.util.spec_from_file_location("quick", ROOT / "scripts" / "quick.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def chosen(quick, *files):
    modules = quick.affected_modules(list(files))
    return set(quick.exercises_in(modules)), set(quick.tests_of(modules, list(files)))


def test_an_exercise_asks_for_its_own_tests_alone(quick):
    exercises, tests = chosen(quick, "course_lib/exercises/jensen_entropy_kl/gaussian_kl.py")
    assert exercises == {"02-gaussian_kl"}
    assert tests == {quick.ALWAYS, quick.DECLARATIONS}


def test_what_exercises_share_asks_for_all_that_use_it_in_later_notebooks_too(quick):
    exercises, _ = chosen(quick, "course_lib/exercises/variational_inference/probes.py")
    assert {"03-per_point_elbo", "03-ascend_q", "04-amortized_elbo"} <= exercises
    assert not any(name.startswith(("00", "01", "02")) for name in exercises)


def test_a_part_of_a_class_asks_for_the_class(quick):
    exercises, _ = chosen(quick, "course_lib/exercises/variational_autoencoder/vae/traits.py")
    assert exercises == {"06-VAE"}


def test_a_module_asks_for_the_tests_that_reach_it_through_others(quick):
    exercises, tests = chosen(quick, "course_lib/distributions.py")
    assert {"01-gaussian_log_prob", "02-gaussian_kl", "06-VAE"} <= exercises
    assert {"tests/course_lib/test_formulas.py", "tests/course_lib/test_vae.py"} <= tests


def test_a_page_asks_for_the_test_that_follows_it(quick):
    exercises, tests = chosen(quick, "docs/authoring.md")
    assert not exercises
    assert tests == {quick.ALWAYS, quick.OF_PAGES}


@pytest.mark.parametrize(
    ("file", "test"),
    [
        ("site/course_site/formulas.py", "tests/site/test_site_formulas.py"),
        ("site/course_site/outputs.py", "tests/site/test_site_pages.py"),
        ("site/pages/index.md", "tests/site/test_site_pages.py"),
        ("site/conf.py", "tests/site/test_site_pages.py"),
        ("docs/forking.md", "tests/setup/test_forking.py"),
        ("course_lib/course.toml", "tests/setup/test_forking.py"),
        ("course_lib/phrases/de.toml", "tests/checker/test_phrases.py"),
        ("benchmarks/recipe.py", "tests/benchmarks/test_papers.py"),
        ("benchmarks/results.py", "tests/benchmarks/test_papers.py"),
        ("grading/release/source.py", "tests/site/test_site_pages.py"),
    ],
)
def test_the_site_the_benchmarks_and_what_is_no_module_ask_for_their_tests(quick, file, test):
    exercises, tests = chosen(quick, file)
    assert not exercises
    assert test in tests


def test_a_changed_test_is_run(quick):
    _, tests = chosen(quick, "tests/course_lib/test_vae.py", "tests/course_lib/test_that_was_deleted.py")
    assert tests == {quick.ALWAYS, "tests/course_lib/test_vae.py"}
