"""Predictions and diagnoses of notebook 01."""

from __future__ import annotations

from course_lib.checker.exercise import Question

BIAS = Question(
    name="bias_prediction",
    points=1,
    text="With few samples, where does the Monte Carlo estimate of log p(x) lie on average?",
    options={
        "above": "Single estimates do lie above. But suppose that two estimates of p(x) come out at half and at one and "
        "a half times the truth, right on average: what is the average of their logarithms?",
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
        "the same number": "In one dimension a good share of prior samples explains x. In twenty, all entries of z have "
        "to fit at once: what does that do to the share?",
        "20 times as many": "That would do if the dimensions could be searched one after the other. A sample has to fit "
        "in all of them at once: what is the share of those that do?",
        "exponentially many": "The share of prior samples that explain x is a product over dimensions. If it is a third "
        "in each, 20 dimensions leave one sample in three billion.",
    },
    correct="exponentially many",
)
