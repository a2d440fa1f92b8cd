"""Predictions and diagnoses of notebook 01."""

from __future__ import annotations

from course_lib.checker.exercise import Question

BIAS = Question(
    name="bias_prediction",
    points=1,
    text="With few samples, where does the Monte Carlo estimate of log p(x) lie on average?",
    options={
        "above": "The mean of p(x|z) is unbiased, but the logarithm bends it: by Jensen's inequality the logarithm of a "
        "noisy mean lies below on average, not above.",
        "below": "The mean of p(x|z) is unbiased, and the logarithm is concave: by Jensen's inequality the log of a noisy "
        "mean lies below the log of what it estimates. Notebook 02 makes this a bound.",
        "exactly at": "That holds for the mean of p(x|z) itself, which is unbiased. The logarithm of an unbiased "
        "estimate is not an unbiased estimate of the logarithm.",
    },
    correct="below",
)


DIMENSIONS = Question(
    name="dimension_prediction",
    points=1,
    text="The latent space grows from 1 to 20 dimensions. How many prior samples does an estimate of the same "
    "quality need?",
    options={
        "the same number": "In one dimension a good share of prior samples explains x. The share shrinks with every "
        "dimension, so more samples are needed.",
        "20 times as many": "The share of prior samples that explain x is a product over the dimensions, not a sum: "
        "a third in each of 20 dimensions is a third to the power 20.",
        "exponentially many": "The share of prior samples that explain x is a product over dimensions. If it is a third "
        "in each, 20 dimensions leave one sample in three billion.",
    },
    correct="exponentially many",
)
