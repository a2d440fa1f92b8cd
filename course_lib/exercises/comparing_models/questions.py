"""Predictions, the concluding slide line by line, and three jobs of notebook 12."""

from __future__ import annotations

from course_lib.checker.exercise import Question

LUCK = Question(
    name="luck_prediction",
    points=1,
    text="500 test images: model A has a mean of 2.03 bits/dim, model B of 2.05, each with a standard error of 0.03. Is A better?",
    options={
        "yes": "0.02 is less than either standard error. What else would one have to know of the same 500 images?",
        "no, they are the same": "A difference that one does not see is not a difference that is not there. What else would one have to know of "
        "the same 500 images?",
        "these numbers do not tell": "What is hard for A is hard for B: most of the 0.03 is the images', and falls out of the difference image by "
        "image. Its own standard error may be 0.03 or a tenth of it.",
    },
    correct="these numbers do not tell",
)

_BUGS = {
    "the levels are counted twice": "Then the uniform density would not come out at 8 bits/dim: by how much would it be off?",
    "the logit's log-determinant is missing": "Then the number of the uniform density would depend on where the pixels lie, and would be no "
    "round one. Look at it.",
    "every pixel gets the same noise": "The uniform density does not mind which noise there is. Would it come out right, then?",
    "nats are taken for bits": "Then the part of log p(x) is too small by log 2 only, and the uniform density, where log p(x) is 0, comes out at 8. "
    "Would the digits come out so?",
}


def _diagnosis(letter: str, correct: str, why: str) -> Question:
    return Question(
        name=f"diagnosis_12_{letter}",
        points=1,
        text="Which bug does this pipeline have?",
        options={**_BUGS, correct: why},
        correct=correct,
    )


REPORT_A = _diagnosis(
    "a",
    "the logit's log-determinant is missing",
    "A uniform density with bits that are no round number: what is missing depends on the image, and that is the log-determinant of the "
    "logit, in which every pixel has its own term.",
)
REPORT_B = _diagnosis(
    "b",
    "every pixel gets the same noise",
    "The uniform density passes, so the log-determinants and the unit are right. But the digits are cheaper than under the same model with noise: data that "
    "lie in the middle of their cells, always, are likelier than data spread over them, and no file becomes shorter by it.",
)
REPORT_C = _diagnosis(
    "c",
    "the levels are counted twice",
    "8 bits too many for both, which is log2(256): once by the dequantization's log-determinant, once by bits_per_dim.",
)

UNLIKE = Question(
    name="unlike_prediction",
    points=1,
    text="The Real-NVP has seen nothing but digits. Which image will it give the fewest bits/dim?",
    options={
        "a digit of its training set": "It has learned digits, that is so. But bits add up over 784 pixels: which of these images is the "
        "easiest to tell, pixel by pixel?",
        "a blank sheet": "Most pixels of every digit are empty, so the model has learned above all to be sure of an empty pixel. A blank sheet "
        "has nothing else. That it is no digit costs little or nothing.",
        "a shoe": "A shoe has many grey pixels, where digits have none. Would they be cheap to tell?",
    },
    correct="a blank sheet",
)

COST = Question(
    name="cost_prediction",
    points=1,
    text="Images twice as high and twice as wide. How many numbers does z hold, for a flow and for a VAE?",
    options={
        "four times as many for both": "For one of the two the number of latents is a choice of whoever builds it.",
        "four times as many for the flow, as many as one likes for the VAE": "A flow's z is x in other coordinates, so it grows with every pixel. A "
        "VAE's decoder may make an image of any size of 24 numbers.",
        "twice as many for the flow, as many as one likes for the VAE": "Twice as high and twice as wide: count the pixels.",
    },
    correct="four times as many for the flow, as many as one likes for the VAE",
)

EXACT = Question(
    name="exact_line",
    points=1,
    text='"Can get exact probabilities/likelihoods." Of one test digit, what did you get?',
    options={
        "one number from each of the three": "A VAE's number depends on K, and falls as K grows. Is it log p(x)?",
        "one number from each flow, from the VAE an upper limit of its bits": "That is the line. And the limit that the VAE has is one-sided: no "
        "number of yours says from below how few bits it needs.",
        "an interval from each of the three": "Ask the flow twice, with the same noise: how far are the two apart?",
    },
    correct="one number from each flow, from the VAE an upper limit of its bits",
)

BOUND = Question(
    name="bound_line",
    points=1,
    text='"No need for lower bounds." How far below the estimate of log p(x) with K = 5,000 did the VAE\'s ELBO lie, on average?',
    options={
        "about 0.04 nats": "That is the difference in bits of each dimension. How many nats of a whole digit is it?",
        "about 20 nats": "Some 20 nats a digit, 0.04 bits/dim, of which one learns only by sampling z 5,000 times for each digit, and then it is still "
        "a bound. A flow has nothing to lack.",
        "about 800 nats": "That is more than the whole distance to the Real-NVP. Look at the numbers printed beside the scale once more.",
    },
    correct="about 20 nats",
)

SIMPLE = Question(
    name="simple_line",
    points=1,
    text='"Conceptually simpler (perhaps)." What do your numbers say of the Real-NVP beside the VAE?',
    options={
        "fewer parts, and cheaper for each digit it is trained on": "Divide the seconds of training by the digits seen, for both.",
        "fewer parts, and dearer for each digit it is trained on": "One map and its log-det, in place of two networks, a prior, noise and a bound. That "
        "simplicity is one of thought: each digit passes through every coupling at full size.",
        "as many parts, and dearer for each digit it is trained on": "Count what has to be explained: is there an encoder that approximates "
        "anything? A bound?",
    },
    correct="fewer parts, and dearer for each digit it is trained on",
)

SPECIAL = Question(
    name="special_line",
    points=1,
    text='"Requires special architecture." Which of these could your VAE\'s decoder be, but no single layer of a flow?',
    options={
        "a convolution of the kept half that shifts the other half": "That is a coupling of your notebook 11: whatever computes the shift need not "
        "be invertible.",
        "a linear layer from 24 numbers to 784, then a ReLU": "It widens, and its ReLU forgets: neither has an inverse. The VAE never asks for one, its "
        "encoder is another network.",
        "a permutation of the pixels": "It is undone by the other permutation, and its log-det is 0.",
    },
    correct="a linear layer from 24 numbers to 784, then a ReLU",
)

DIMENSION = Question(
    name="dimension_line",
    points=1,
    text='"Z must have the same dimensionality as X." How many numbers is the code of one image of 1024 × 1024 × 3, for a flow?',
    options={
        "24": "That is your VAE's code of a digit.",
        "3,072": "That is one row of pixels.",
        "1,048,576": "That is one colour.",
        "3,145,728": "As many as the image has values, before anything is computed; your measurement says what training keeps besides.",
    },
    correct="3,145,728",
)

COMPRESS = Question(
    name="compress_choice",
    points=1,
    text="A million scanned digits are to be stored without loss. Which model, by which number?",
    options={
        "the VAE, because 24 numbers are few": "From 24 numbers the digit does not come back pixel by pixel: what the decoder misses has to be stored too, "
        "and all of that is in its bits/dim.",
        "the Real-NVP, because its bits/dim are fewest": "Bits/dim are the length of the stored file, up to what the coder wastes. (For the VAE, "
        "bits-back coding reaches the ELBO; for flows, local bits-back coding, log p(x).)",
        "NICE, because it is quickest": "It is quick, and its files are longer by the difference in bits/dim, every digit, for ever.",
        "the VAE, because its samples look best": "Nobody looks at a file. Its length is bits/dim.",
    },
    correct="the Real-NVP, because its bits/dim are fewest",
)

UNUSUAL = Question(
    name="unusual_choice",
    points=1,
    text="A scanner sends digits; blank sheets, mirrored digits and pictures of shoes are to be stopped. What do your numbers support?",
    options={
        "stop what has more bits/dim than nearly all digits": "The blank sheets go through: look at where they lie.",
        "stop what has more or fewer bits/dim than nearly all digits": "Too unlikely, or too likely to be true: both ends are unusual. "
        "It is a beginning, for your table also says what this misses: an image whose bits are those of a digit.",
        "an exact likelihood stops all of them": "Exact it is. What lies low in it is decided by pixels, not by what an image means: look at your table.",
    },
    correct="stop what has more or fewer bits/dim than nearly all digits",
)

CODES = Question(
    name="codes_choice",
    points=1,
    text="Two million digits are to be searched for the ones most like a given one, in memory, at once. Whose z is kept?",
    options={
        "the Real-NVP's, because it loses nothing": "It loses nothing, and so it is as long as the image, 784 numbers, noise of every pixel included: "
        "distances between codes count that noise.",
        "the VAE's, because it is short and says what matters for the whole image": "24 numbers, 192 MB for two million, in which the noise of the pixels has "
        "no room. What a bound could not give, the bottleneck does.",
        "NICE's, because it is quickest": "Quickest to compute, and 784 numbers long: 6.3 GB for two million.",
    },
    correct="the VAE's, because it is short and says what matters for the whole image",
)
