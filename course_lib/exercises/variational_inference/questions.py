"""Predictions and diagnoses of notebook 03."""

from __future__ import annotations

from course_lib.checker.exercise import Question

STALE_Q = Question(
    name="stale_q_prediction",
    points=1,
    text="A data point has not been in a batch for an epoch, while theta moved on. What about its q_i?",
    options={
        "it is out of date": "Its posterior p(z|x_i) has moved with theta, q_i has not: the bound has become looser for it. "
        "The next visit must first make good what the others changed.",
        "it followed theta": "mu_i and sigma_i are numbers that lie in memory. They change when their own point is visited, "
        "and at no other time.",
        "it is still optimal": "Optimal for the theta of its last visit. The bound that it is held against now is another one.",
    },
    correct="it is out of date",
)


GROWTH = Question(
    name="growth_prediction",
    points=1,
    text="From MNIST's 60,000 images to ImageNet's 1,281,167, same decoder, 100 latent dimensions: where do parameters go?",
    options={
        "theta dominates": "theta is the same decoder for both: some hundred thousand numbers, however many images there are.",
        "the q_i dominate": "200 numbers for each image: 12 million for MNIST, 256 million for ImageNet. None of them helps "
        "with the next image.",
        "both grow alike": "theta does not depend on N: it has as many numbers for ten images as for a million.",
    },
    correct="the q_i dominate",
)


NEW_IMAGE = Question(
    name="new_image_prediction",
    points=1,
    text="A new image comes after training. What does it take to get its q?",
    options={
        "look it up": "There is no entry for it: a q_i exists for training images only.",
        "one forward pass": "A pass through what? There is no network from x to q here; that is the next notebook's idea.",
        "gradient ascent of its own": "mu and log_sigma are fitted from scratch, many steps through the decoder for every "
        "new image. That is what infer_q does, and what makes it slow.",
    },
    correct="gradient ascent of its own",
)


DIAGNOSIS = Question(
    name="diagnosis_03",
    points=1,
    text="Which bug does the model behind the figure have?",
    options={
        "q is never stepped": "Then q would stay the prior for every digit, with a KL of zero, and no digit's code could differ "
        "from another's. Here the codes differ.",
        "q descends": "Then the bound would fall without end. It rises at first.",
        "the entropy is missing": "The bound without entropy pulls sigma towards zero, and nothing holds against it: the "
        "widths collapse, the KL rises without end, while reconstructions look better and better.",
        "theta is never stepped": "Then the decoder would draw the noise it started with. The reconstructions are digits.",
        "the noise is shared across the batch": "Then estimates would be noisier, but sigma would settle where it belongs.",
    },
    correct="the entropy is missing",
)
