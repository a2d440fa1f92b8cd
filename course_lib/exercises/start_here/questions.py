"""Predictions and diagnoses of notebook 00."""

from __future__ import annotations

from course_lib.checker.exercise import Question

UNDERFLOW = Question(
    name="underflow_prediction",
    points=1,
    text="In float32, what does torch.tensor([-900., -901.]).exp().mean().log() give?",
    options={
        "about -900": "That is the right value, but not what comes out: exp(-900) is smaller than the smallest positive "
        "float32 (about 1e-45), so it is stored as 0 before the log ever sees it.",
        "-inf": "Both exponentials are rounded to 0, their mean is 0, and log 0 = -inf. The answer, about -900.4, is lost.",
        "nan": "NaN needs an undefined operation such as inf - inf or 0/0. Here log 0 is taken, which is -inf.",
        "an error": "Floating-point arithmetic does not raise here: exp(-900) is rounded to 0 without a word.",
    },
    correct="-inf",
)
