"""Predictions and diagnoses of notebook 07."""

from __future__ import annotations

from course_lib.checker.exercise import Question

DRAWN_FROM_Q = Question(
    name="drawn_from_q",
    points=1,
    text="At test time x is given and y is asked for. What if z is drawn from q(z|x, y), as in training?",
    options={
        "the answers get sharper": "Suppose they did. What would you call the encoder with, for an x whose y nobody has drawn yet?",
        "the answers stay the same": "That would need q(z|x, y) to be the prior for every y, a code that says nothing.",
        "it cannot be done": "q(z|x, y) asks for y, and y is what is missing. That is why a prior p(z|x) is learned beside it.",
        "the answers get blurrier": "For a y that is known, q is the narrower of the two. But which y would be known?",
    },
    correct="it cannot be done",
)

PRIOR_WITHOUT_X = Question(
    name="prior_without_x",
    points=1,
    text="x is left out of the prior alone: z is drawn from one Gaussian whatever x is, the decoder still sees x. Can the answers fit x?",
    options={
        "no, they no longer depend on x": "Follow the arrows of the diagram: is the prior the only way from x to y?",
        "yes, the decoder can do it all": "The decoder gets x itself, and draws of one and the same z can mean another thing for every x. The "
        "lecture conditions everything; one way from x to y is enough for the answers to depend on it.",
        "yes, but all answers to one x are alike": "z is still drawn anew for every answer. What would make the decoder overlook it?",
    },
    correct="yes, the decoder can do it all",
)

NEITHER_WITH_X = Question(
    name="neither_with_x",
    points=1,
    text="x is left out of prior and decoder, the encoder still sees it. What are the answers at test time?",
    options={
        "answers to some other x": "Without x in prior and decoder the model is one of p(y): it draws lower halves of any digit. That the encoder "
        "knows x does not help at test time, where it is not used.",
        "the same as before": "Which network would tell them about x? The encoder is not called at test time.",
        "one blurry mean": "z still says which y it is, in training: the decoder need not average over the codes.",
    },
    correct="answers to some other x",
)

LARGER = Question(
    name="larger_prediction",
    points=1,
    text="A fully convolutional VAE, trained on 28 × 28 digits, samples images of 28 × 112. What do you see?",
    options={
        "four digits in a row": "What would tell the code of one position that a digit begins or ends there? Under the prior it knows of no other.",
        "strokes, but no digits": "Each position decodes to a piece of stroke, for that is what it has seen. That the pieces belong together "
        "the codes of the data knew, and N(0, I) does not.",
        "one wide digit": "Positions hang together as in the training images at best, and those are 28 wide. Who would stretch them?",
        "an error: the size does not fit": "Count the parameters of a convolution: does their number depend on the image's size?",
    },
    correct="strokes, but no digits",
)

DIAGNOSIS_A = Question(
    name="diagnosis_07_a",
    points=1,
    text="Which bug does the first model have?",
    options={
        "z is drawn from N(0, I) at test time": "Training is healthy, q's code gives the half back. But the KL held q near p(z|x), not near N(0, I): "
        "draws from elsewhere decode to what no digit has.",
        "x reaches neither prior nor decoder": "Then answers would still be halves of digits. Look at the strokes: do they look like any?",
        "the decoder does not see z": "Then what comes back from q's code would be as blurry as an average. Is it?",
        "log p(y|x, z) is averaged over the pixels": "Then the likelihood would end near a fraction of a nat, and the KL at zero.",
    },
    correct="z is drawn from N(0, I) at test time",
)

DIAGNOSIS_B = Question(
    name="diagnosis_07_b",
    points=1,
    text="Which bug does the second model have?",
    options={
        "z is drawn from N(0, I) at test time": "Then no draw would hit where codes lie, and the strokes would look like no digit's. Do they?",
        "x reaches neither prior nor decoder": "The answers are lower halves of digits, but of others: nothing at test time depends on the upper half.",
        "the decoder does not see z": "Then all answers to one question would be the same. Compare the rows.",
        "the KL is missing": "Then the KL would have grown far beyond what the curve shows.",
    },
    correct="x reaches neither prior nor decoder",
)

DIAGNOSIS_C = Question(
    name="diagnosis_07_c",
    points=1,
    text="Which bug does the third model have?",
    options={
        "z is drawn from N(0, I) at test time": "Where z were used at all, draws from elsewhere would spoil the strokes. Compare the rows of answers.",
        "x reaches neither prior nor decoder": "Then the answers would not fit. Most do, in a blurry way.",
        "the decoder does not see z": "All answers to one question are the same blurry mean, and the code from q gives nothing better: the KL is zero, "
        "because a code that nobody reads costs only.",
        "log p(y|x, z) is averaged over the pixels": "The KL would be zero as well. But read off where the likelihood ends: is it near a fraction of a "
        "nat?",
    },
    correct="the decoder does not see z",
)
