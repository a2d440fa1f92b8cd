"""Predictions and diagnoses of notebook 02."""

from __future__ import annotations

from course_lib.checker.exercise import Question

NEGATIVE_KL = Question(
    name="negative_kl_prediction",
    points=1,
    text="Can a single term log q(z) - log p(z), with z drawn from q, be negative?",
    options={
        "yes": "Wherever p is larger than q the term is negative. Only the expectation under q is guaranteed not to be: "
        "q draws such places too seldom to win.",
        "no": "The KL is never negative, but it is an expectation. What holds for an average need not hold "
        "for each of its terms.",
        "only if the KL is zero": "If the KL is zero then q = p, and every term is exactly zero.",
    },
    correct="yes",
)


JENSEN_SPREAD = Question(
    name="spread_prediction",
    points=1,
    text="The values y spread further around the same mean. What happens to the gap log E[y] - E[log y]?",
    options={
        "it grows": "log E[y] stays where it is, while small values pull E[log y] down without limit: the logarithm "
        "falls faster than it rises.",
        "it shrinks": "Then the logarithm of the mean and the mean of the logarithms would come together as the values move "
        "apart. Draw two values with their chord, and move them.",
        "it stays": "That holds for a straight line, where both orders agree whatever the spread. The logarithm is not "
        "straight.",
    },
    correct="it grows",
)


ENTROPY_SIGN = Question(
    name="entropy_sign",
    points=1,
    text="The lecture prints the bound once as E[log p(x|z) + log p(z)] + E[log q(z)]. Which term completes the bound?",
    options={
        "plus E[log q]": "q is the exact posterior here, where the bound must be tight. Hold the number printed for + E[log q] "
        "against log p(x).",
        "minus E[log q]": "Jensen's inequality gives E[log(p(x|z) p(z) / q(z))]: log q is subtracted, and -E[log q] = H(q) "
        "is the entropy. At the exact posterior the numbers meet log p(x).",
        "minus H(q)": "-H(q) is +E[log q] in other letters: the two stand for one line of the printed numbers.",
    },
    correct="minus E[log q]",
)


TIGHTNESS = Question(
    name="tightness_prediction",
    points=1,
    text="q changes while the model stays fixed, and the ELBO rises by 2 nats. What happens to D_KL(q‖p(z|x))?",
    options={
        "rises by 2": "Then ELBO + KL would have risen by 4. What do the two add up to, and does q occur in it?",
        "falls by 2": "ELBO + KL = log p(x), and log p(x) does not depend on q: maximising the ELBO over q is minimising "
        "the KL.",
        "stays": "The KL compares q with the posterior, and q has changed.",
    },
    correct="falls by 2",
)
