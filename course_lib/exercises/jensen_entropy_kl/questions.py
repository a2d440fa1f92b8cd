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
        "no": "The KL is never negative, but it is an expectation. At a z where p(z) > q(z) the single term is negative.",
        "only if the KL is zero": "If the KL is zero then q = p and every term is exactly zero. Negative terms come up "
        "when the two differ.",
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
        "it shrinks": "It would if the logarithm were convex. It is concave: small values pull E[log y] down more than "
        "large values pull it up.",
        "it stays": "That would hold if the logarithm were a straight line. It is curved, and the spread is what "
        "feels the curve.",
    },
    correct="it grows",
)


ENTROPY_SIGN = Question(
    name="entropy_sign",
    points=2,
    text="The lecture prints the bound once as E[log p(x|z) + log p(z)] + E[log q(z)]. Which term completes the bound?",
    options={
        "plus E[log q]": "With + E[log q] the right side is not a bound that becomes tight: at the exact posterior your "
        "numbers miss log p(x) by twice the entropy.",
        "minus E[log q]": "Jensen's inequality gives E[log(p(x|z) p(z) / q(z))]: log q is subtracted, and -E[log q] = H(q) "
        "is the entropy. At the exact posterior the numbers meet log p(x).",
        "minus H(q)": "-H(q) = +E[log q] is the misprint itself. The entropy is added: it rewards a wide q.",
    },
    correct="minus E[log q]",
)


TIGHTNESS = Question(
    name="tightness_prediction",
    points=1,
    text="q changes while the model stays fixed, and the ELBO rises by 2 nats. What happens to D_KL(q‖p(z|x))?",
    options={
        "rises by 2": "ELBO + KL = log p(x), which does not depend on q: what the one gains the other loses.",
        "falls by 2": "ELBO + KL = log p(x), and log p(x) does not depend on q: maximising the ELBO over q is minimising "
        "the KL.",
        "stays": "The KL compares q with the posterior: when q changes, it changes. Their sum, log p(x), stays.",
    },
    correct="falls by 2",
)
