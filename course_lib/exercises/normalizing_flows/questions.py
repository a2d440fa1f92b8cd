"""Predictions and diagnoses of notebook 09."""

from __future__ import annotations

from course_lib.checker.exercise import Question

INTEGRAL = Question(
    name="integral_prediction",
    points=1,
    text="x = 3z, and somebody forgets the determinant: p(x) = p(z) at z = x/3. To what does this integrate over x?",
    options={
        "1": "The heights are those of p(z), but the curve has become wider. Which area is under it now?",
        "1/3": "Every height is kept, and only the width has changed. Did it shrink?",
        "3": "The same heights over three times the width: the area is three times as large. Dividing by |dx/dz| = 3 makes a density of it.",
        "log 3": "A logarithm appears when log p(x) is computed, and there it is subtracted. Here areas are compared.",
    },
    correct="3",
)

RELU = Question(
    name="relu_prediction",
    points=1,
    text="Before flows, layers ended in x = ReLU(z). From x = 0 in one entry, what can be said of that entry of z?",
    options={
        "it was 0": "ReLU gives 0 for z = 0. Does it for no other z?",
        "it was 0 or negative, nothing more": "All of them end in the same place: there is no inverse, and no density at 0 either, for half of the "
        "probability sits on one point.",
        "everything, by dividing by the slope": "What is the slope of ReLU on the side where its value is 0?",
    },
    correct="it was 0 or negative, nothing more",
)

ENTROPY = Question(
    name="entropy_prediction",
    points=1,
    text="The density of the moons has an entropy of 0.289 nats. Where does the loss of ever better flows end, on unlimited data?",
    options={
        "it goes to 0": "0 is no special number for densities: their logarithms have either sign. What does notebook 02 say that E_p[-log q] "
        "is, for any q?",
        "it goes down without end": "That happens where all data lie on a few points, or where a log-det is wrong. Here the data have a density: what "
        "would a loss below that of p itself say about a KL?",
        "it comes down to 0.289": "The loss is E_p[-log q(x)] = H(p) + D_KL(p‖q). The second term is never negative, and 0 for q = p.",
    },
    correct="it comes down to 0.289",
)

_BUGS = {
    "the log-det has the wrong sign": "Then the objective would be paid for stretching space, and would climb as long as it is trained: look at "
    "where its curve goes.",
    "the log-det is missing": "Then the best that can be done is to send every x to z = 0, and the objective has a ceiling, log N(0; 0, I) = -1.84, "
    "whatever the data: look at where its curve ends.",
    "the inverse runs forwards": "Then density and samples would come from two different maps: look at whether both show the data, or only one "
    "of them.",
    "the log-det is averaged over the batch": "Then the mean over a batch, and with it the training, would be what it should, and the samples too: look "
    "at whether only single densities are off.",
}


def _diagnosis(letter: str, correct: str, why: str) -> Question:
    return Question(
        name=f"diagnosis_09_{letter}",
        points=1,
        text="Which bug does this flow have?",
        options={**_BUGS, correct: why},
        correct=correct,
    )


DIAGNOSIS_A = _diagnosis(
    "a",
    "the inverse runs forwards",
    "The objective is healthy and the density shows two moons: what was trained is a flow like any other. Samples go through the layers in "
    "another order, which is another map, and end elsewhere.",
)
DIAGNOSIS_B = _diagnosis(
    "b",
    "the log-det is missing",
    "The objective stops at -1.84, the height of N(0, I) at 0: every x is sent to z = 0, and z ~ N(0, I) comes back from it far out.",
)
DIAGNOSIS_C = _diagnosis(
    "c",
    "the log-det has the wrong sign",
    "The objective climbs past anything that a density of these data can reach, as long as it is trained: stretching is paid for, "
    "and so there is more of it in every step.",
)
