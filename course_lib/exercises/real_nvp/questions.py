"""Predictions and diagnoses of notebook 11."""

from __future__ import annotations

from course_lib.checker.exercise import Question

BOUND = Question(
    name="bound_prediction",
    points=1,
    text="A Real-NVP is trained by its exact likelihood, h as its network gives it. What is to be feared, that NICE's couplings need not fear?",
    options={
        "the determinant becomes 0": "The exponential of a number is never 0, however far that number falls. Ask what a large |h| does on the way "
        "back to z, where one divides by it.",
        "steps of any size": "A change of h multiplies: by e³ as easily as by e. Where h is far below 0, the way back to z enlarges every error, and the "
        "gradient with it; one such step can throw everything away.",
        "the inverse no longer exists": "Whatever h is, an exponential can be divided by. In exact numbers nothing is lost; ask how large they get.",
    },
    correct="steps of any size",
)

BRIDGES = Question(
    name="bridge_prediction",
    points=1,
    text="A Real-NVP is fitted to eight Gaussians far apart. z ~ N(0, I) is one piece. What will its samples show between the eight?",
    options={
        "nothing, if trained long enough": "An invertible, continuous map of one piece is one piece, however long it was trained. Ask what then lies "
        "between the eight.",
        "thin bridges": "A continuous map with a continuous inverse cannot tear: the plane of z stays connected. What lies between can be made thin, "
        "by stretching, and each bridge costs likelihood; it cannot be cut.",
        "an eighth of the data's density": "Nothing forces it to be that much: stretching makes a density as low as one likes. Ask whether it can be made 0.",
    },
    correct="thin bridges",
)

_BUGS = {
    "the mask never alternates": "Then half of the pixels would be kept by every coupling of a scale: look whether neighbouring pixels of the samples "
    "belong together, and at the spread of z.",
    "the scale is left out of the log-det": "Then nothing would be paid for shrinking z: look at the spread of the z that digits have.",
    "the logit's log-det is left out": "Then the training would be a healthy one, and the number alone wrong, by what the logit stretches: look at the "
    "samples, and at which number a uniform model gets.",
    "the levels are counted wrongly": "Then the training would be a healthy one, and the number alone wrong, by the same constant for every model: look "
    "at the samples, and at which number a uniform model gets.",
}


def _diagnosis(letter: str, correct: str, why: str) -> Question:
    return Question(
        name=f"diagnosis_11_{letter}",
        points=1,
        text="Which bug does this flow have?",
        options={**_BUGS, correct: why},
        correct=correct,
    )


DIAGNOSIS_A = _diagnosis(
    "a",
    "the mask never alternates",
    "The number falls and stays far above a healthy model's, and the samples are speckle: every other pixel was kept by every coupling of "
    "the checkerboard, so it hardly depends on its neighbours.",
)
DIAGNOSIS_B = _diagnosis(
    "b",
    "the scale is left out of the log-det",
    "The z of digits have shrunk to a point: without the log-det's share nothing is paid for it, and log p(z) is highest at 0. The way "
    "from z to x then blows noise up.",
)
DIAGNOSIS_C = _diagnosis(
    "c",
    "the logit's log-det is left out",
    "The samples are those of a healthy model, and the training is the same: the missing term does not depend on the parameters. But the number counts "
    "densities of y as if they were of x. The logit stretches everywhere, so it is several bits too high, and so is a uniform model's.",
)
DIAGNOSIS_D = _diagnosis(
    "d",
    "the levels are counted wrongly",
    "A healthy model, and its number too good to be true, by the two bits by which a uniform model's is off: it was counted against 64 grey values, "
    "and the pixels have 256.",
)
