"""Predictions and diagnoses of notebook 05."""

from __future__ import annotations

from course_lib.checker.exercise import Question

UNBIASED = Question(
    name="unbiased_prediction",
    points=1,
    text="Both estimators are averaged over very many samples. Where do they end?",
    options={
        "at the same gradient": "Both are unbiased: their expectations are the gradient of J, exactly. They differ in how "
        "far a single estimate strays.",
        "reparameterization is nearer": "With few samples it is nearer. What is left of that when the noise has averaged out?",
        "the policy gradient is biased": "Look at its derivation: from the integral to the expectation every step is an equality, "
        "whatever r is.",
    },
    correct="at the same gradient",
)


CONSTANT = Question(
    name="constant_prediction",
    points=1,
    text="A constant 100 is added to every reward. What happens to the policy gradient without a baseline?",
    options={
        "nothing": "Nothing changes about which μ is best. But an estimate is a sum of products ∇log q · r, and every r in it "
        "is another one now.",
        "its mean changes": "The score has mean zero, E[∇log q] = 0: a constant times it adds nothing to the mean.",
        "its variance explodes": "The mean stays, because the score has mean zero; the variance grows with the square of the "
        "constant. A baseline takes the constant out again.",
    },
    correct="its variance explodes",
)


DIMENSION = Question(
    name="score_dimension_prediction",
    points=1,
    text="The latent dimension grows, r is a sum over dimensions. Which estimator's variance per entry grows with it?",
    options={
        "the policy gradient's": "One dimension's score is multiplied with the reward of all dimensions: the others are "
        "noise to it. The path derivative of one dimension sees its own part of r only, as long as r is a sum; where "
        "dimensions act together, it feels them too.",
        "the reparameterized one's": "Differentiate such an r with respect to z_d: which of its terms are left?",
        "both alike": "Write down one entry of each estimate. What of the other dimensions stands in it?",
    },
    correct="the policy gradient's",
)


DISCRETE = Question(
    name="discrete_prediction",
    points=1,
    text="z is a category, one of ten. Why can reparameterization not train its logits?",
    options={
        "the gradient is too noisy": "Noise could be averaged away. Try to write down the derivative itself: is there one?",
        "z cannot be moved a little": "z = f(logits, eps) is a step function: its derivative is zero almost everywhere, so "
        "nothing flows through z. The policy gradient differentiates log q(z), which is smooth in the logits.",
        "the softmax has no derivative": "The softmax is smooth in its logits. Follow the way on, from the probabilities to the "
        "sample.",
    },
    correct="z cannot be moved a little",
)


DIAGNOSIS = Question(
    name="diagnosis_05",
    points=1,
    text="Which bug does the estimator behind the figure have?",
    options={
        "the reward is not detached": "Then the mean would be wrong by the gradient of the reward, for every M alike. The "
        "mean comes right as M grows.",
        "the score has the wrong sign": "Then the mean would be minus the gradient. It points the right way, and is too short.",
        "its baseline contains its own sample": "With its own reward in the baseline, the gradient is shortened by (M-1)/M: "
        "zero at M = 1, half at M = 2, nearly right for large M. That is what the figure shows.",
        "the samples are summed": "Then the mean would grow with M without end.",
        "the rewards are standardised": "Then the length of the gradient would not depend on the scale of r at all, and "
        "would not approach the true one.",
    },
    correct="its baseline contains its own sample",
)
