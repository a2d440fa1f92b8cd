"""Predictions and diagnoses of notebook 08."""

from __future__ import annotations

from course_lib.checker.exercise import Question

MEAN_OVER_PIXELS = Question(
    name="mean_over_pixels_prediction",
    points=1,
    text="A VAE of 784 pixels takes the mean log-likelihood over pixels in place of the sum, and the KL as it is. What is that?",
    options={
        "the ELBO on another scale": "Dividing both terms would be that. Here one is divided and the other is not.",
        "β = 784": "Divide by 784 what is said about pixels, and the KL weighs 784 times as much: the same maximum as log p(x|z) - 784 · "
        "KL. A common bug, and patient 06 a.",
        "β = 1/784": "Which of the two terms has become small next to the other?",
    },
    correct="β = 784",
)

SLOPE = Question(
    name="slope_prediction",
    points=1,
    text="Where on the curve of distortion over rate does the best ELBO lie?",
    options={
        "at its lowest distortion": "There the code costs so much that it outweighs the pixels gained: the ELBO counts a nat of rate "
        "as a nat of distortion.",
        "where its slope is -1": "Minus the ELBO is rate + distortion. Along the curve it is smallest where one nat more of rate buys "
        "exactly one nat less of distortion.",
        "at rate 0": "There the code costs nothing, and says nothing: every pixel has to be paid for in distortion.",
        "where it bends most": "How a curve bends depends on the scales of its axes. Write minus the ELBO as a sum, and ask where along "
        "the curve that sum is smallest.",
    },
    correct="where its slope is -1",
)

STRONG_DECODER = Question(
    name="strong_decoder_prediction",
    points=1,
    text="β = 1, and the decoder is shown the upper half and each pixel's neighbours. What becomes of the bound and of the KL?",
    options={
        "both rise": "What the neighbours tell need not be told by z, and z costs a nat for every nat it tells. Who would pay?",
        "the bound falls, the KL falls": "A decoder that sees more can only explain more: with the weights of what it sees in addition "
        "at 0 it is the decoder you had.",
        "the bound rises, the KL falls": "Neighbours are free, the code is not. The model is the better one by its bound, and has no use "
        "for z: a good bound does not mean a good code.",
    },
    correct="the bound rises, the KL falls",
)

SCHEDULE = Question(
    name="schedule_prediction",
    points=1,
    text="That decoder again, and β rises from 0 to 1 in the first half of training. The KL is large at first. And at the end?",
    options={
        "it stays large": "The code is in use when β arrives at 1. But what does the objective with β = 1 say from then on, about a code "
        "that tells what the neighbours tell as well?",
        "it is near 0 again": "The schedule ends at the objective from which the code was dropped, and this one drops it again. A "
        "schedule helps where training goes astray; here the objective itself wants no code.",
        "it grows on": "In the second half every nat in the code costs a nat. It would have to buy more than one.",
    },
    correct="it is near 0 again",
)

DIAGNOSIS_A = Question(
    name="diagnosis_08_a",
    points=1,
    text="What is wrong with the first model?",
    options={
        "β is far too large": "Then its code would cost nothing and tell nothing. Look at the KL, and at how well digits come back.",
        "β is far too small": "Reconstructions are excellent, the KL is far above that of a healthy model, and samples are garbage: "
        "the code is not compressed.",
        "the decoder needs no code": "Then reconstructions would not follow their digits, and the KL would be near 0.",
        "nothing, it is healthy": "Its reconstructions are. Look at the last row.",
    },
    correct="β is far too small",
)

DIAGNOSIS_B = Question(
    name="diagnosis_08_b",
    points=1,
    text="The second model completes the lower half from the upper. What is wrong with it?",
    options={
        "β is far too large": "That would empty the code as well. But then the decoder, left alone, would draw a grey average: these "
        "strokes are sharp, and go on where the upper half ends.",
        "β is far too small": "Then the KL would be large.",
        "the decoder needs no code": "The strokes are sharp and the likelihood is high, while the KL is near 0: the decoder draws from what "
        "it sees, pixel after pixel. With the code of the true image it draws no better than with any other.",
        "the encoder is never stepped": "A frozen encoder gives codes that differ from the prior, and the KL stays where it was. This one "
        "has gone down to almost 0: somebody trained it.",
    },
    correct="the decoder needs no code",
)

DIAGNOSIS_C = Question(
    name="diagnosis_08_c",
    points=1,
    text="The third model had a schedule. What is wrong?",
    options={
        "β stays at 0 throughout": "Then the KL would be large from the first steps on.",
        "β runs from high to low": "At first the code is too dear to tell much, at the end it costs next to nothing: the KL rises to the last step, and "
        "samples fall apart. The lecture starts low and ends high.",
        "β is far too large throughout": "The KL is small only at first. What has made the code cheap later on?",
        "β rises too fast": "Then the KL would fall as β rises. Here it climbs, to the end.",
    },
    correct="β runs from high to low",
)

DIAGNOSIS_D = Question(
    name="diagnosis_08_d",
    points=1,
    text="A controller was to hold the KL of the fourth model at 20 nats. What is wrong?",
    options={
        "the factor is too small, β moves too slowly": "Its direction matters more than its speed. Compare the KL with 20 nats, and where "
        "β goes.",
        "it turns the wrong way": "The KL is below 20 and β rises, step after step: that pushes the KL further down. Multiply where "
        "the KL is above its target, divide where it is below.",
        "its KL is summed over the batch": "Such a controller would read a number 100 times too large, and hold the KL at 0.2 nats: β "
        "would come to rest. Does it?",
        "the KL cannot reach 20 nats": "β = 1 gives about that many (the healthy model above). What would β have to be?",
    },
    correct="it turns the wrong way",
)

DIAGNOSIS_E = Question(
    name="diagnosis_08_e",
    points=1,
    text="And the fifth?",
    options={
        "the latent code is ignored": "Then reconstructions would all be alike. These follow their digits.",
        "the latent code is not compressed": "Then samples would be garbage. Hold the last row against that of the first model.",
        "nothing, it is healthy": "A KL of some twenty nats, reconstructions that follow their digits, samples that are digits or nearly "
        "so after ten passes. The small peak of the KL at the beginning is the warm-up: β was below 1.",
        "β was still rising at the end": "A rising β would push the KL down. Here it grows slowly from step 100 on, and the "
        "log-likelihood with it.",
    },
    correct="nothing, it is healthy",
)
