# %% [markdown]
# # 00 · Start here
#
# {{colab}}
#
# **Where this stands.** Before the lecture begins: how this course works, and one small function that every later
# notebook uses.
#
# **After it you can** solve an exercise and read what its check says, ask for a hint, hand in a notebook; and take the
# logarithm of a mean of numbers so small that the computer cannot store them.
#
# **Time**: 25–45 minutes. **Points**: {{topic points}}.

# %% setup=true

# %% [markdown]
# ## Where the course ends
#
# Each row below was drawn by a model of this course, trained on the handwritten digits of MNIST. No person ever wrote
# any of these images. You will build every one of these models, starting from $p(x) = \int p(x|z)p(z)\,dz$ and checking
# each step with numbers.

# %% tags=["show"]
from course_lib.figures import start_here as figures

figures.gallery()

# %% [markdown]
# Look closely. The **mixture** decides every pixel on its own: its digits are made of loose dots. The strokes of the
# **VAE** (variational autoencoder) are soft, and most of its samples can be read. **NICE** has learned where the ink
# goes: these are blobs, hardly a digit among them. **Real-NVP** has sharp strokes, and many of its samples are digits.
#
# Looks are one thing. NICE gives digits that it has never seen a higher probability than the mixture does, blobs and all.
# How a model can be better and look worse is one of the questions of this course.
#
# ## What they learned from
#
# MNIST: 28 × 28 grey values, 0 to 255. A subset of 10,000 training images comes with the course, so everything here
# works offline. Images are kept as `uint8` in the shape `(batch, channels, height, width)`.

# %% tags=["show"]
from course_lib.data import load_images

data = load_images("train")
print(data.name, tuple(data.images.shape), data.images.dtype)
figures.training_digits(data.images)

# %% [markdown]
# Everything up to notebook 05 is quick on any computer. Which device will yours use?

# %% tags=["show"]
from course_lib.devices import best_device, describe_device

describe_device(best_device())

# %% [markdown]
# ## How an exercise works
#
# An exercise is a function with a docstring and a gap. You fill the gap, run the cell, and run the check below it.

# %% tags=["show"]
figures.way_of_an_answer()

# %% [markdown]
# Here is one that is solved already. An image with 784 independent pixels has the probability
# $p(x) = \prod_d p_d$, a product of 784 numbers between 0 and 1. Such a product is too small for a computer to
# store. Its logarithm is not: $\log p(x) = \sum_d \log p_d$. We will only ever work with logarithms of probabilities.


# %% exercise="independent_log_prob"
def independent_log_prob(probs):
    """The log-probability of independent events.

    probs: (batch, events), probabilities of the events.
    Returns (batch,), in nats: one value per data point.
    """
    return probs.log().sum(-1)


# %% [markdown]
# **What a check tells.** A check tries your function on many inputs: several shapes, `float64` and `float32`, a batch of
# one, extreme values, and it looks at gradients too. If something is wrong it says what.
#
# See for yourself. Somebody took the product first and the logarithm after, which is the same on paper. `review` shows
# what the check has to say, without failing the cell.


# %% tags=["nbval-check-output", "show"]
def product_first(probs):
    return probs.prod(-1).log()


review("independent_log_prob", product_first)

# %% [markdown]
# And somebody else averaged where a sum belongs:


# %% tags=["nbval-check-output", "show"]
def average(probs):
    return probs.log().mean(-1)


review("independent_log_prob", average)

# %% [markdown]
# The message has four parts: what is wrong, if your answer behaves like a mistake we know; one small input with what
# was expected and what came; the convention in force; and, if your code raised an error, the line of yours where it did.
#
# Change something in the solved exercise above, run it, and run its check. It is yours to break.
#
# **If you are stuck**, hints lie folded below every exercise, in growing detail: click on one to open it. The last one
# is almost code. They cost nothing.
#
# ## Your turn: the logarithm of a mean
#
# Later you will estimate $p(x)$ as a mean over samples, $p(x) \approx \frac1S\sum_s p(x|z_s)$. What we can compute are
# the logarithms $a_s = \log p(x|z_s)$, and for an image they are around $-900$. So we need
#
# $$\log \frac1S \sum_{s=1}^S e^{a_s}.$$
#
# First a guess. Write your choice as a string.

# %% exercise="underflow_prediction"
# In float32, what does torch.tensor([-900., -901.]).exp().mean().log() give?
# Choose one of: "about -900", "-inf", "nan", "an error"
underflow_prediction = None
### BEGIN SOLUTION
underflow_prediction = "-inf"
### END SOLUTION

# %% [markdown]
# Move the slider. The dashed line is the formula typed as it stands; where it ends, the computer has lost the number.

# %% tags=["explorer", "show"]
from course_lib import explorers

explorers.underflow

# %% [markdown]
# ## The way out, with two numbers first
#
# Let $m$ be the larger of two numbers $a$ and $b$, and $l$ the smaller one. The larger exponential comes out of the sum:
#
# $$\log(e^a + e^b) \;=\; \log(e^m + e^l) \;=\; \log\Big(e^m\,\big(1 + \boxed{?}\big)\Big)
# \;=\; m + \log\big(1 + \boxed{?}\big).$$
#
# ### Exercise: `rest_of_the_sum` ({{points rest_of_the_sum}})
#
# The derivation has a gap, twice the same one. Find what stands in the box, and type it as an expression of `a` and `b`,
# which come in either order. Numbers will tell whether it is right.
#
# <details><summary>Hint 1: multiply out</summary>
#
# $e^m \cdot \boxed{?}$ has to give $e^l$ back. What is $e^l$ divided by $e^m$?
#
# </details>
# <details><summary>Hint 2: one exponential</summary>
#
# A ratio of exponentials is the exponential of a difference, here of the smaller minus the larger.
#
# </details>
# <details><summary>Hint 3: almost code</summary>
#
# The smaller minus the larger is minus the distance between the two: `-(a - b).abs()`.
#
# </details>


# %% exercise="rest_of_the_sum"
import torch


def rest_of_the_sum(a, b):
    """What stands in the box: r in log(e^a + e^b) = m + log(1 + r), with m the larger of a and b.

    a, b: (batch,), in either order, around -900 too.
    Returns (batch,).
    """
    ### BEGIN SOLUTION
    return torch.exp(-(a - b).abs())
    ### END SOLUTION


# %% [markdown]
# What stands in the box lies between 0 and 1, whatever $a$ and $b$ are. So nothing overflows; and where it is rounded to
# 0, it was too small to matter beside the 1.
#
# ## The same with many numbers
#
# For any number $m$,
#
# $$\log \frac1S \sum_s e^{a_s} \;=\; m + \log \frac1S \sum_s e^{a_s - m},$$
#
# because $e^{a_s} = e^m e^{a_s - m}$ and the factor $e^m$ comes out of the sum. Take $m = \max_s a_s$. Then the
# largest term is $e^0 = 1$, and the others are what you have found in the box.
#
# ### Exercise: `log_mean_exp` ({{points log_mean_exp}})
#
# <details><summary>Hint 1: where to look</summary>
#
# PyTorch has a stable `torch.logsumexp(a, dim)`. What is missing from a log of a *sum* to make it a log of a *mean*?
#
# </details>
# <details><summary>Hint 2: the formula</summary>
#
# $\log\frac1S\sum_s e^{a_s} = \log\sum_s e^{a_s} - \log S$, and $S$ is the size of dimension `dim`.
#
# </details>
# <details><summary>Hint 3: in words, almost code</summary>
#
# Subtract `math.log(log_values.shape[dim])` from the `logsumexp` over `dim`. By hand: subtract the maximum (with
# `keepdim=True`), exponentiate, average, take the log, add the maximum back (without the kept dimension).
#
# </details>

# %% exercise="log_mean_exp"
import math

import torch


def log_mean_exp(log_values, dim):
    """The logarithm of the mean of exp(log_values), computed without over- or underflow.

    log_values: any shape, any floating-point dtype; entries may be -inf (a probability of zero).
    dim: the dimension to average away, counted from the front or (negative) from the back.
    Returns the shape of log_values without dim, in nats.
    """
    ### BEGIN SOLUTION
    return torch.logsumexp(log_values, dim) - math.log(log_values.shape[dim])
    ### END SOLUTION


# %% [markdown]
# Your function at work, on numbers that `exp` cannot hold. (A demonstration like this one waits for nobody: while your
# answer is missing or wrong, `using` takes the course's own, and says so.)

# %% tags=["nbval-check-output", "show"]
from course_lib.checks import using

stable = using("log_mean_exp")
log_likelihoods = torch.tensor([-900.0, -901.0, -903.0])
print(f"typed as it stands: {log_likelihoods.exp().mean().log():.3f}")
print(f"log_mean_exp:       {stable(log_likelihoods, 0):.3f}")

# %% [markdown]
# ## The conventions of this course
#
# They hold in every notebook, and a failed check prints the one that matters.
#
# - **Batch first**: data `x (batch, dim)`, images `(batch, channels, height, width)`, latents `z (batch, latent_dim)`.
#   Monte Carlo samples come in front: `(samples, batch, ...)`.
# - **Gaussians are diagonal**, given by mean `mu` and standard deviation `sigma`; networks output `log_sigma`. Never a
#   variance.
# - **Log-densities, entropies and KLs sum over the last dimension** and return one value per data point, `(batch,)`.
# - **Objectives are maximised.** A loss is `-elbo.mean()`.
# - **Natural logarithms** (nats). Bits only where the name says so.
# - **Randomness comes from a `generator` or a noise argument**, so that every answer can be checked.
# - **Any device, any dtype**: a tensor you create inside a function takes both from its inputs, for instance with
#   `torch.zeros_like(x)`.
#
# ## How to hand in
#
# 1. *Kernel → Restart Kernel and Run All Cells* (Colab: *Runtime → Restart session and run all*): a notebook must work
#    from top to bottom. It reaches the end whatever is missing or wrong: each check says so in its place and goes on, and
#    the points below count what is there.
# 2. In JupyterLab the **Validate** button in the toolbar runs all checks once more and says if one fails. You may hand in
#    all the same: every exercise has its own points.
# 3. Save, and hand in this file, `00_start_here.ipynb`, where your instructor asks for it.
#
# Keep the cells with the checks as they are: the grader puts its own in their place. Add as many cells of your own as
# you like.
#
# ## The points so far

# %% tags=["nbval-check-output", "show"]
summary("00_start_here")

# %% [markdown]
# **What comes next.** Notebook [01](../01_latent_variable_models/01_latent_variable_models.ipynb): a model with a hidden
# cause, $p(x) = \int p(x|z)p(z)\,dz$, and why its likelihood is hard to get.
#
# **References.** The models in the picture, beside the mixture: Kingma and Welling, *Auto-encoding variational Bayes*,
# 2014; Dinh, Krueger and Bengio, *NICE*, 2015; Dinh, Sohl-Dickstein and Bengio, *Density estimation using Real NVP*,
# 2017. The lecture is CS W182/282A, *Latent variable models*, by Sergey Levine.
