"""Predictions, the derivation to complete, and the diagnoses of notebook 10."""

from __future__ import annotations

from course_lib.checker.exercise import Question

DETERMINANT = Question(
    name="determinant_step",
    points=1,
    text="Expanded along its first d rows, the determinant of [[I, 0], [dg/dz1, dx2/dz2]] is det(I) times what?",
    options={
        "det(dx2/dz2)": "Behind the ones of the first d rows only zeros stand, so what is left is the lower right block, "
        "dx₂/dz₂ = I. Whatever g is, the product is 1.",
        "det(dg/dz1)": "That block need not even be square: it has dim - d rows and d columns. And the zeros above "
        "the other block do not touch it.",
        "det(dg/dz1) + det(dx2/dz2)": "A determinant is no sum of the determinants of its blocks, and the block dg/dz₁ "
        "need not even be square.",
    },
    correct="det(dx2/dz2)",
)

VOLUME = Question(
    name="volume_prediction",
    points=1,
    text="Additive couplings alone, no scaling: z ~ N(0, I) in the plane. Which of these densities can x = f(z) have exactly?",
    options={
        "a round Gaussian half as wide": "Its peak would have to be four times as high as that of z. Follow one small square of z: "
        "its probability stays, so look at what its area does.",
        "two Gaussians far apart, each like z's": "The highest density would be half of z's. Follow the square around z = 0: its "
        "probability stays, so look at what its area does.",
        "a banana with the peak of z's density": "Areas stay as they are, so densities are carried along unchanged: the same "
        "heights elsewhere. Bending is all that such a flow can do.",
    },
    correct="a banana with the peak of z's density",
)

LIKELIHOOD = Question(
    name="likelihood_prediction",
    points=1,
    text="A continuous density is fitted to grey values k/256 as they are, no noise. How high can its mean log-likelihood get?",
    options={
        "as high as -log 256 a pixel": "That is the log-probability of 256 equally likely values. A density is no probability: ask how "
        "high it may stand on an interval that is very narrow.",
        "without bound": "All data lie on 256 points, on which a density may stand as high as it likes: ever narrower spikes, "
        "ever better numbers, and nothing learned.",
        "0": "A probability cannot exceed 1, and its logarithm not 0. But this is a density: ask how high it may stand on an interval "
        "that is very narrow.",
    },
    correct="without bound",
)

_BUGS = {
    "the log-determinant has the wrong sign": "The objective would then be raised by letting the scaling shrink or grow without end: look at "
    "where the curve goes, and what the samples' size does.",
    "the couplings never swap": "Then half of the entries would stay as the prior drew them, independent of all others: look at whether "
    "neighbouring pixels of the samples belong together.",
    "the pixels are not dequantized": "Then nothing would bound the likelihood: look at where the curve goes, and whether the samples "
    "still look like digits.",
    "the inverse runs forwards": "Then samples would not come from the density that was trained: look at whether a good likelihood comes "
    "with samples of another kind.",
}


def _diagnosis(letter: str, correct: str, why: str) -> Question:
    return Question(
        name=f"diagnosis_10_{letter}",
        points=1,
        text="Which bug does this flow have?",
        options={**_BUGS, correct: why},
        correct=correct,
    )


DIAGNOSIS_A = _diagnosis(
    "a",
    "the couplings never swap",
    "The objective behaves, and the samples are speckle that joins into no stroke: every other pixel was kept by every coupling, so it is "
    "the prior's noise, scaled, whatever its neighbours are.",
)
DIAGNOSIS_B = _diagnosis(
    "b",
    "the log-determinant has the wrong sign",
    "The number rises by the same amount in every step, past any model's, while the samples grow to thousands: the scaling runs away to "
    "where the wrong sign rewards it.",
)
DIAGNOSIS_C = _diagnosis(
    "c",
    "the inverse runs forwards",
    "The likelihood rises as that of a healthy model does, and the samples leave the range of pixels: they are drawn by a map that is not the "
    "inverse of the one that was trained.",
)
