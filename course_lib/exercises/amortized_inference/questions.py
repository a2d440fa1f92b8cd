"""Predictions and diagnoses of notebook 04."""

from __future__ import annotations

from course_lib.checker.exercise import Question

PARAMETERS = Question(
    name="amortized_parameters_prediction",
    points=1,
    text="With an encoder, N grows from 10,000 to 1,000,000 images. How many more parameters does inference need?",
    options={
        "a hundred times as many": "That was the q_i of notebook 03, which kept a pair for each image. Does an encoder keep "
        "anything for an image?",
        "none": "|θ| + |φ|, whatever N is. That is what amortized means: the cost of inference is shared by all data.",
        "twice as many": "Count the weights of an encoder, layer by layer: which of those counts has an N in it?",
    },
    correct="none",
)


UNLIKE = Question(
    name="unlike_image_prediction",
    points=1,
    text="The encoder has seen digits only. For an image of a shoe, how large is the amortization gap?",
    options={
        "larger than for digits": "The decoder has a posterior for a shoe too, and gradient ascent comes nearer to it. The "
        "encoder was never asked about shoes, and guesses. The next cells measure it.",
        "as large as for digits": "What keeps the encoder near the posterior is training, and there were no shoes in it.",
        "zero": "A gap of zero would mean that the encoder gives the best Gaussian for an image it was never trained on.",
    },
    correct="larger than for digits",
)


TRAINING_SIGN = Question(
    name="negative_gap_prediction",
    points=1,
    text="For one digit you measure an amortization gap of -0.05 nats. What has happened?",
    options={
        "the encoder beats the best q": "The best q is the maximum over all diagonal Gaussians, and the encoder's is one of "
        "them.",
        "noise, or too few steps": "The bounds are estimates, and the refinement stops after some steps. The true gap is "
        "never negative; the measured one may be.",
        "the bound exceeds log p(x)": "An estimate can, by noise. But that is not what a difference of two bounds tells.",
    },
    correct="noise, or too few steps",
)


DIAGNOSIS = Question(
    name="diagnosis_04",
    points=1,
    text="Which bug does the model behind the figure have?",
    options={
        "z is detached": "The encoder then learns from prior and entropy only, which are best where q is the prior: every "
        "digit gets the same code, and every reconstruction is the same average.",
        "the loss is +elbo": "Then the bound would fall from the first step on. It rises, and stops early.",
        "log_sigma is read as a log-variance": "Consistently misread, the network would learn half the number and lose "
        "nothing: reconstructions would be fine.",
        "gradients are not cleared": "Steps would pile up and the curve would jump about. It is smooth.",
        "the noise is shared across the batch": "Gradients would be noisier, but the codes of digits would still differ.",
    },
    correct="z is detached",
)
