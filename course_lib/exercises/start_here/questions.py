"""Predictions and diagnoses of notebook 00."""

from __future__ import annotations

from course_lib.checker.exercise import Question

UNDERFLOW = Question(
    name="underflow_prediction",
    points=1,
    text="In float32, what does torch.tensor([-900., -901.]).exp().mean().log() give?",
    options={
        "about -900": "That is the value on paper. But exp(-900) is about 1e-391, and the smallest positive number that "
        "float32 can store is about 1e-45: go through the steps one at a time, rounding each.",
        "-inf": "Both exponentials are rounded to 0, their mean is 0, and log 0 = -inf. The answer, about -900.4, is lost.",
        "nan": "NaN needs an undefined operation, such as inf - inf or 0/0. None of the three steps here is one.",
        "an error": "Floating-point arithmetic does not raise here: what cannot be stored is rounded without a word.",
    },
    correct="-inf",
)
