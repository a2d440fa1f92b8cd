"""Predictions and diagnoses of notebook 06."""

from __future__ import annotations

from course_lib.checker.exercise import Question

WHY_IT_WORKS = Question(
    name="why_sampling_works",
    points=1,
    text="The decoder was trained on codes of data, z ~ q(z|x). Why does it give digits for z ~ p(z)?",
    options={
        "sixteen numbers describe a digit": "They can do that wherever the codes lie, also where no draw from the prior comes "
        "near them. What such a draw decodes to must come from something else.",
        "the KL keeps the codes where the prior is": "Averaged over the data, the KL to p(z) bounds how far the aggregate "
        "posterior is from the prior: samples of the prior fall where codes of data are.",
        "z ~ p(z) was used in training": "Look at elbo: the only z that is decoded there is mu + sigma · eps, a draw from q(z|x).",
    },
    correct="the KL keeps the codes where the prior is",
)


TIGHTENING = Question(
    name="iwae_prediction",
    points=1,
    text="K grows from 1 to 1000 samples, the model stays as it is. What does the importance-weighted bound do?",
    options={
        "it falls": "Each bound is the logarithm of an average. What does averaging over more samples do to Jensen's gap (notebook "
        "02)?",
        "it rises towards log p(x)": "The mean of K weights spreads less and less around p(x), so Jensen's gap closes. At K = 1 "
        "it is the ELBO.",
        "it stays, with less noise": "The noise does shrink. But the expectation of a logarithm depends on how far its argument "
        "spreads: that is Jensen's gap (notebook 02).",
    },
    correct="it rises towards log p(x)",
)


BLURRY = Question(
    name="two_dimensions_prediction",
    points=1,
    text="With a 2-D latent space instead of 16 dimensions, what do samples look like?",
    options={
        "blurrier, and between digits": "Two numbers cannot tell apart ten digits in all their slants: different images share a "
        "code, and the decoder draws their average.",
        "sharper": "A sharper image needs a code that says more about it. Which says more, two numbers or sixteen?",
        "the same": "Then fourteen of the sixteen numbers would have been of no use. Train it, and compare the two bounds.",
    },
    correct="blurrier, and between digits",
)


DIAGNOSIS_A = Question(
    name="diagnosis_06_a",
    points=1,
    text="Which bug does the first model have?",
    options={
        "BCE averaged over the pixels": "The likelihood weighs 784 times too little, so the KL wins: q becomes the prior, the KL "
        "is zero, and every reconstruction is the same average digit.",
        "the KL is missing": "Then the KL would be huge and the reconstructions excellent. Here the KL is zero.",
        "sigmoid twice": "Then no pixel could be darker than sigmoid(1) or lighter than ½: grey paper. The paper is white.",
        "the noise is shared across the batch": "Reconstructions would still follow their digit.",
        "log_sigma drawn as sigma": "Codes would still carry the digit: the KL would not be zero.",
    },
    correct="BCE averaged over the pixels",
)


DIAGNOSIS_B = Question(
    name="diagnosis_06_b",
    points=1,
    text="Which bug does the second model have?",
    options={
        "BCE averaged over the pixels": "Then all reconstructions would be alike and the KL zero. Here they follow their digit.",
        "the KL is missing": "Nothing holds the codes to the prior: reconstructions are excellent, the KL is far above 100 nats, "
        "and samples of the prior fall where no code is: garbage.",
        "z is detached": "Then the encoder would learn nothing from the pixels, and reconstructions would be poor.",
        "sigmoid twice": "Then no pixel could be lighter than ½: grey paper.",
        "the decoder is never stepped": "Then reconstructions would be noise.",
    },
    correct="the KL is missing",
)


DIAGNOSIS_C = Question(
    name="diagnosis_06_c",
    points=1,
    text="Which bug does the third model have?",
    options={
        "BCE averaged over the pixels": "That gives an average digit on white paper. Here even the paper is grey.",
        "the KL is missing": "Then samples would be garbage, and reconstructions sharp with white paper.",
        "the KL has the wrong sign": "Then the KL would grow without end.",
        "sigmoid twice": "The second sigmoid sees numbers in (0, 1): its result lies between ½ and 0.73. No pixel can be white, the "
        "likelihood stays poor whatever is learned.",
        "x and logits exchanged": "Then the loss would have no lower end, and the curve would run away.",
    },
    correct="sigmoid twice",
)
