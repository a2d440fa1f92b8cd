"""Mistakes that nobody declared are told from one change of a right program, from extremes, and from what an answer does."""

from __future__ import annotations

import math
import re

import pytest
import torch
from torch.distributions import Normal

from course_lib.answers import LocalAnswer
from course_lib.checker.exercise import Exercise
from course_lib.checker.extremes import extremes
from course_lib.checker.mutants import mutants
from course_lib.checker.review import review_exercise
from course_lib.checks import TOPICS, review
from course_lib.comparing import power_law

EXERCISES = [exercise for topic in TOPICS.values() for exercise in topic if isinstance(exercise, Exercise)]
DECLARED = {m.says.lower() for exercise in EXERCISES for m in exercise.misconceptions}
HALF_LOG_2PI = 0.5 * math.log(2 * math.pi)
softplus = torch.nn.functional.softplus


def bound(at_z=lambda z, mu: z, entropy=lambda sigma: Normal(0.0, sigma).entropy().sum(-1), likelihood=torch.sum):
    def per_point_elbo(x, mu, log_sigma, eps, decoder, sigma_x):
        sigma = log_sigma.exp()
        z = mu + sigma * eps
        log_likelihood = likelihood(Normal(decoder(z), sigma_x).log_prob(x), -1)
        return (log_likelihood + Normal(0.0, 1.0).log_prob(at_z(z, mu)).sum(-1)).mean(0) + entropy(sigma)

    return per_point_elbo


UNDECLARED = {
    "a plus in the distance": (
        "gaussian_log_prob",
        lambda x, mu, sigma: (-0.5 * ((x + mu) / sigma) ** 2 - sigma.log() - HALF_LOG_2PI).sum(-1),
        "The term with `mu` enters with the wrong sign.",
    ),
    "divided by the batch": (
        "gaussian_log_prob",
        lambda x, mu, sigma: Normal(mu, sigma).log_prob(x).sum(-1) / len(x),
        "Your values are the expected ones divided by the size of dimension 0 of `x`.",
    ),
    "the mean of all means": (
        "gaussian_log_prob",
        lambda x, mu, sigma: Normal(mu.mean(0), sigma).log_prob(x).sum(-1),
        "A change of `mu` at the first point changes your values for others, too",
    ),
    "the input ignored": (
        "gaussian_log_prob",
        lambda x, mu, sigma: Normal(0.3 * x, sigma).log_prob(x).sum(-1),
        "Your result does not depend on `mu`.",
    ),
    "own noise": (
        "gaussian_entropy",
        lambda sigma: Normal(0.0, sigma).entropy().sum(-1) + 0.1 * torch.rand(len(sigma)),
        "you draw random numbers of your own",
    ),
    "a product before the logarithm": (
        "gaussian_entropy",
        lambda sigma: sigma.prod(-1).log() + sigma.shape[-1] * (0.5 + HALF_LOG_2PI),
        "under- or overflows",
    ),
    "one maximum for all rows": (
        "log_mean_exp",
        lambda a, dim: (a - a.max()).exp().mean(dim).log() + a.max(),
        "for each row its own",
    ),
    "log(1 + exp)": (
        "bernoulli_log_likelihood",
        lambda x, logits: (x * logits - (1 + logits.exp()).log()).sum(-1),
        None,
    ),
    "softplus with a plus": (
        "bernoulli_log_likelihood",
        lambda x, logits: (x * logits + softplus(logits)).sum(-1),
        "The term with `logits` enters with the wrong sign.",
    ),
    "not squared": (
        "gaussian_kl",
        lambda mu_q, sigma_q, mu_p, sigma_p: (
            (sigma_p / sigma_q).log() + (sigma_q**2 + (mu_q - mu_p) ** 2) / (2 * sigma_p) - 0.5
        ).sum(-1),
        "`sigma_p` enters with the wrong power.",
    ),
    "prior at the mean": ("per_point_elbo", bound(at_z=lambda z, mu: mu), "`mu` stands where the sample z belongs."),
    "entropy of the variance": (
        "per_point_elbo",
        bound(entropy=lambda sigma: Normal(0.0, sigma**2).entropy().sum(-1)),
        "In the entropy",
    ),
    "a term made of one of two inputs": (
        "power_law",
        lambda sizes, costs, size: (
            power_law(sizes, costs, size)[0],
            (costs.log().mean() + power_law(sizes, costs, size)[0] * math.log(size)).exp(),
        ),
        "The term with `sizes` is missing.",
    ),
    "likelihood averaged": ("per_point_elbo", bound(likelihood=torch.mean), "You average log p(x|z)"),
}


@pytest.mark.parametrize("seed", [None, 31_337], ids=["visible", "hidden"])
@pytest.mark.parametrize(("name", "answer", "says"), UNDECLARED.values(), ids=UNDECLARED)
def test_a_mistake_that_nobody_declared_is_told(name, answer, says, seed):
    exercise = next(exercise for exercise in EXERCISES if exercise.name == name)
    report = review_exercise(exercise, LocalAnswer(name, answer), seed)
    assert not report.passed
    assert says is None or says in str(report), str(report)


def test_a_right_answer_at_an_extreme_passes_and_no_extreme_is_asked_that_a_declared_one_does_not_survive():
    asked = {exercise.name: {extreme.name for extreme in extremes(exercise, 100)} for exercise in EXERCISES}
    assert asked["gaussian_log_prob"] == {"narrow", "wide"}
    assert asked["importance_weighted_bound"] == {"far apart"}
    assert asked["categorical_elbo"] == set()  # torch's own KL of categoricals gives inf there


def test_what_is_infinite_is_said_to_be_and_explained_by_nothing_else():
    first_alone = lambda x: 1 / torch.arange(len(x)).to(x)  # noqa: E731
    report = review("gaussian_log_prob", lambda x, mu, sigma: Normal(mu, sigma).log_prob(x).sum(-1) + first_alone(x))
    assert "not finite" in str(report)


@pytest.mark.parametrize("exercise", EXERCISES, ids=lambda exercise: exercise.name)
def test_a_sentence_speaks_of_quantities_and_holds_no_code(exercise):
    rights = (exercise.reference, *exercise.alternatives)
    for mutant in (mutant for right in rights for mutant in mutants(right, exercise.inputs)):
        if not DECLARED.isdisjoint((mutant.says.lower(), mutant.says.partition(": ")[2].lower())):
            continue  # a misconception of the exercise that asks for the part; its author may name a function
        assert not re.search(r"=|\blambda\b|torch|\*|\w\.\w|\[|_part", mutant.says), mutant.says
        assert mutant.says.endswith((".", "!")), mutant.says
        assert "None" not in mutant.says, mutant.says
        assert "<" not in mutant.says, mutant.says


@pytest.mark.parametrize("exercise", EXERCISES, ids=lambda exercise: exercise.name)
def test_a_mutant_is_a_function_of_its_own_and_leaves_the_reference_alone(exercise):
    before = exercise.reference.__code__.co_code
    made = mutants(exercise.reference, exercise.inputs)
    assert made
    assert exercise.reference.__code__.co_code == before
    assert all(mutant.function is not exercise.reference for mutant in made)


@pytest.mark.parametrize(
    ("answer", "cause"),
    [
        (lambda x, logits: (x * logits.sigmoid().log() - (logits - logits).log()).sum(-1), "the logarithm of 0"),
        (lambda x, logits: (x * (-1 - logits**2).log()).sum(-1), "the logarithm of a negative number"),
        (lambda x, logits: (x * logits).sum(-1) / (logits - logits).sum(-1), "a division by 0"),
        (lambda x, logits: (x * (1e4 + logits).exp()).sum(-1), "exp of a number as large as"),
    ],
    ids=["log 0", "log of negative", "division", "exp"],
)
def test_the_first_number_that_is_not_finite_is_told_with_its_cause_and_line(answer, cause):
    report = review("bernoulli_log_likelihood", answer)
    assert f"The first of them comes from {cause}" in str(report), str(report)
    assert report.line is not None
    assert "lambda x, logits" in report.line
    assert "first of them" not in str(review("bernoulli_log_likelihood", answer, seed=31_337))


@pytest.mark.parametrize(
    ("name", "answer", "says"),
    [
        (
            "elbo_with_analytic_kl",
            lambda log_likelihood, mu, sigma: (
                log_likelihood.mean(0) - 0.5 * (mu**2 + sigma**2 - 1 - 2 * sigma.log()).mean(-1)
            ),
            "KL",
        ),
        (
            "per_point_elbo",
            bound(entropy=lambda sigma: Normal(0.0, sigma).entropy().mean(-1)),
            "entropy",
        ),
    ],
    ids=["the KL's mean in the bound", "the entropy's mean in the bound"],
)
def test_a_mistake_known_of_a_part_is_told_of_what_is_built_from_it(name, answer, says):
    report = review(name, answer)
    assert not report.passed
    assert report.misconception is not None, str(report)
    assert says in str(report), str(report)
