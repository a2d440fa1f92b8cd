# %% [markdown]
# # 12 · Comparing models
#
# {{colab}}
#
# **Where this stands in the lecture**: "Concluding Remarks", its last slide.
#
# **After it you can** put a VAE and flows on one scale, say which of the numbers is a bound and by how much, tell a better model from a lucky one,
# say what a likelihood does not know, estimate what a model costs before it is built, and choose one for a job.
#
# **Time**: 75–120 minutes. **Points**: {{topic points}}.

# %% setup=true

# %% fold=true
# @title What this notebook imports
import math

import torch
from tqdm.auto import tqdm

from course_lib.checks import certificate, using
from course_lib.compared_models import (
    compared_digits,
    kinds_of_images,
    load_nice,
    load_real_nvp,
    load_vae,
    measured,
    noise_for,
    shipped_models,
)
from course_lib.digit_flow import shipped_digit_flow
from course_lib.distributions import log_mean_exp
from course_lib.figures import comparing_models as figures
from course_lib.nice import dequantize
from course_lib.real_nvp import bits_per_dim, logit_transform

# %% [markdown]
# ## One data set, one unit
#
# Twelve notebooks have built densities of digits, and their numbers cannot be held side by side: notebook 06 counted nats of *black and white* pixels, notebook 10 nats of
# pixels in [0, 1), notebook 11 bits of logits. A density depends on the variable it is a density *of*. A comparison is one only if
#
# 1. the data are the same: here 500 test digits of 256 grey values, dequantized by the *same* noise;
# 2. the variable is the same, or the change of variables is paid for by its log-determinant;
# 3. the unit is the same: **bits/dim**, the length of the shortest file in which the model can store an image, for each pixel.

# %% tags=["show"]
figures.one_scale_for_all()

# %% [markdown]
# Three models, trained beforehand on the same 60,000 digits. Two you know: NICE and the Real-NVP of notebook 11. The third is a VAE *of the same data*: its
# likelihood is no Bernoulli but a Gaussian density of the logits, $p(y|z) = \mathcal N\big(\mu_\theta(z), \sigma_\theta(z)\big)$, with 24 latents. How each came about:

# %% tags=["show", "nbval-check-output"]
vae, nice, real_nvp = load_vae(), load_nice(), load_real_nvp()
print("VAE:", shipped_models()["VAE"])
print("NICE:", shipped_models()["NICE"])
print("Real-NVP:", shipped_digit_flow())

# %% tags=["show"]
pixels, noise = compared_digits()
x, _ = dequantize(pixels, noise, 256)
y, log_det = logit_transform(x, 0.05)  # log p(x) = log p(y) + log_det, for every model

# %% [markdown]
# ## What the VAE knows of its own likelihood
#
# For a flow, $\log p(y)$ is one number. For the VAE there are samples $z_k \sim q(z|y)$ and their log-weights, $\log w_k = \log p(y, z_k) - \log q(z_k|y)$. Their
# mean is the ELBO, the logarithm of the mean weight is the importance-weighted bound of notebook 06, and as $K$ grows the second creeps up to
# $\log p$:
#
# $$\underbrace{\frac1K\sum_k \log w_k}_{\text{ELBO}} \;\le\; \underbrace{\log\frac1K\sum_k w_k}_{\text{estimate of } \log p}, \qquad
# \log p - \text{ELBO} = D_{KL}\big(q(z|y)\,\|\,p(z|y)\big).$$
#
# ### Exercise: `evidence_gap` ({{points evidence_gap}})
#
# How much of a VAE's deficit is the bound's, and how much the model's? This is the bound's part, as far as $K$ samples show it.
#
# <details><summary>Hint</summary>
#
# `log_mean_exp(log_weights, 0)` is stable where the weights are thousands of nats apart.
#
# </details>


# %% exercise="evidence_gap"
def evidence_gap(log_weights):
    """The importance-weighted estimate of log p minus the ELBO, from the same samples.

    log_weights: log p(y, z_k) - log q(z_k|y), (samples, batch), thousands of nats apart perhaps.
    Returns (batch,), in nats, never negative.
    """
    ### BEGIN SOLUTION
    return log_mean_exp(log_weights, 0) - log_weights.mean(0)
    ### END SOLUTION


# %% fold=true tags=["show", "varies"]
# @title Five thousand samples of z for each of twenty digits
gap, most = using("evidence_gap"), 5000
generator = torch.Generator().manual_seed(0)
weights = []
with torch.no_grad():
    for one, its in tqdm(list(zip(y[:20].split(1), log_det, strict=False)), leave=False):
        eps = torch.randn(most, 1, vae.latent_dim, generator=generator)
        weights.append(vae.log_weights(one, eps) + its)
log_weights = torch.cat(weights, 1)
samples = (1, 10, 50, 100, 500, 1000, 5000)
nats = {k: gap(log_weights[:k]) for k in samples}
for k, values in nats.items():
    print(f"K = {k}: the ELBO lies {values.mean():.1f} nats a digit below the estimate")

# %% [markdown]
# ## The same in bits/dim
#
# Nats of a whole digit say little beside bits of a pixel, so carry the gap over. Let $D$ be the number of dimensions and $L$ the number of grey values.
#
# 1. $\log p = \text{ELBO} + D_{KL}\big(q(z|y)\,\|\,p(z|y)\big)$, as in notebook 02.
# 2. In bits/dim a log-density $v$ of data in [0, 1) becomes $\;\text{bits}(v) = \log_2 L - \dfrac{v}{D\,\log 2}$.
# 3. Put 1. into 2.: $\quad \text{bits}(\text{ELBO}) = \text{bits}(\log p) + \boxed{\ ?\ }$
#
# ### Exercise: `bound_in_bits` ({{points bound_in_bits}})
#
# Type the whole right side of step 3.
#
# <details><summary>Hint</summary>
#
# ELBO = log p − KL. What does step 2 do to the part −KL?
#
# </details>


# %% exercise="bound_in_bits"
def bound_in_bits(bits, kl, num_dims):
    """The ELBO's bits/dim.

    bits: bits/dim of the exact log p, (batch,).
    kl: of q(z|y) to the posterior, for the whole image, in nats, (batch,).
    num_dims: D.
    Returns (batch,), in bits/dim.
    """
    ### BEGIN SOLUTION
    return bits + kl / (num_dims * math.log(2))
    ### END SOLUTION


# %% [markdown]
# ### Exercise: `vae_bits_per_dim` ({{points vae_bits_per_dim}})
#
# Both bounds of a VAE, on the scale of the flows. `bits_per_dim(log_prob, num_dims, levels)` of notebook 11 is imported.
#
# <details><summary>Hint</summary>
#
# Bound first, unit second: combine the log-weights to ELBO and estimate, both in nats, then change the unit of each.
#
# </details>


# %% exercise="vae_bits_per_dim"
def vae_bits_per_dim(log_weights, num_dims, levels):
    """The ELBO and the importance-weighted bound in bits/dim.

    log_weights: (samples, batch), of a VAE of data in [0, 1).
    num_dims: how many dimensions an image has.
    levels: how many grey values there are, not always 256.
    Returns elbo_bits and iwae_bits, each (batch,).
    """
    ### BEGIN SOLUTION
    elbo, iwae = log_weights.mean(0), log_mean_exp(log_weights, 0)
    return bits_per_dim(elbo, num_dims, levels), bits_per_dim(iwae, num_dims, levels)
    ### END SOLUTION


# %% tags=["show", "varies"]
of_vae = using("vae_bits_per_dim")
curve = {k: of_vae(log_weights[:k], 784, 256)[1].mean().item() for k in samples}
elbo = of_vae(log_weights, 784, 256)[0].mean().item()
print(f"twenty digits: ELBO {elbo:.3f}, K = 5,000: {curve[5000]:.3f} bits/dim")

# %% tags=["show"]
figures.bound_over_samples(samples, list(curve.values()), elbo)

# %% [markdown]
# Ten times as many samples buy less each time, and nothing says how far it still is to $\log p$: a bound from one side does not tell. That is what "lower bound" means when
# two models are to be compared.
#
# ## What a flow knows
#
# ### Exercise: `flow_bits_per_dim` ({{points flow_bits_per_dim}})
#
# The whole chain, from whole numbers to bits: dequantize, logit, the flow, and each log-determinant once. The classic mistakes of published tables are made here.
#
# <details><summary>Hint 1: the way</summary>
#
# `dequantize` gives x, `logit_transform` gives y and log|det dy/dx|, the flow log p(y). So log p(x) = log p(y) + log|det dy/dx|.
#
# </details>
# <details><summary>Hint 2: the levels</summary>
#
# `bits_per_dim` wants log p(x) of x in [0, 1), and counts the levels itself. `dequantize` returns a log-determinant of the levels too: use one of them.
#
# </details>


# %% exercise="flow_bits_per_dim"
def flow_bits_per_dim(flow, pixels, noise, levels, alpha):
    """Exact bits/dim of whole numbers under a flow of their logits.

    flow: flow.log_prob(y) gives log p(y), (batch,), for logits y, (batch, dim).
    pixels: whole numbers 0 ... levels - 1, (batch, dim).
    noise: uniform in [0, 1), (batch, dim). No other noise is drawn.
    levels: how many grey values there are, not always 256.
    alpha: of the logit, logit(alpha + (1 - alpha) x), not always 0.05.
    Returns (batch,).
    """
    ### BEGIN SOLUTION
    x, _ = dequantize(pixels, noise, levels)
    y, log_det = logit_transform(x, alpha)
    return bits_per_dim(flow.log_prob(y) + log_det, x.shape[-1], levels)
    ### END SOLUTION


# %% [markdown]
# A pipeline is tested with a model whose answer is known. One that finds every image equally likely has a density of 1 on $[0,1)^D$: log p(y) undoes the logit, and nothing
# else. With 256 levels it must say 8 bits/dim, to the last digit.

# %% fold=true tags=["show", "nbval-check-output"]
# @title The model that finds every image equally likely
from course_lib.real_nvp import logit_transform_inverse


class Everything:
    """Each image as likely as any other."""

    def log_prob(self, y):
        return logit_transform_inverse(y, 0.05)[1]


of_flow = using("flow_bits_per_dim")
known = of_flow(Everything(), pixels, noise, 256, 0.05)
print(f"every image equally likely: {known.mean():.4f} bits/dim")

# %% [markdown]
# ## All on one scale
#
# The flows are asked here and now. The VAE's importance-weighted bound of all 500 digits with $K = 5{,}000$ took minutes, and was measured beforehand by the same formulas.

# %% fold=true tags=["show", "varies"]
# @title Three models, one unit
with torch.no_grad():
    bits = {"VAE": measured()["VAE/digits"]}
    bits["NICE"] = of_flow(nice, pixels, noise, 256, 0.05)
    bits["Real-NVP"] = of_flow(real_nvp, pixels, noise, 256, 0.05)
vae_elbo = measured()["VAE/ELBO"]
lacking = (vae_elbo - bits["VAE"]).mean().item()
print(f"VAE: {vae_elbo.mean():.3f} by its ELBO, at most {bits['VAE'].mean():.3f} by K = 5,000")
print(f"the difference is {784 * math.log(2) * lacking:.1f} nats a digit, {lacking:.3f} bits/dim")
for name in ("NICE", "Real-NVP"):
    print(f"{name}: {bits[name].mean():.3f}, exact")

# %% tags=["show"]
figures.on_one_scale(bits, vae_elbo)

# %% [markdown]
# Read it twice. The distance between the VAE's two ends is what the *bound* costs. The rest of its distance to the Real-NVP, 27 times as much, is the **model's**, unless
# $K = 5{,}000$ still hides most of the gap, which a bound from one side never excludes. Its likelihood takes the pixels as independent given $z$, so that what 24 numbers do not tell is coded pixel by pixel, noise around an average stroke. And NICE, exact as it is, lies
# behind the VAE: an exact number is not a good one.
#
# One reservation holds for all three alike. Exact is the density of *dequantized* pixels. Of the whole numbers, $P(\text{pixels}) = E_u\big[p(\text{pixels} + u)\big]$, the mean of $\log p$ over
# the noise is a lower bound once more, by Jensen's inequality (Theis et al. 2016).
#
# ## Three reports
#
# Fellow students measured the same Real-NVP on the same 500 digits, and the uniform density as a test. Each pipeline has one bug. A good number is as
# suspicious as a bad one.

# %% tags=["show", "nbval-check-output"]
reports = zip("abc", measured()["reports/Real-NVP"], measured()["reports/uniform"], strict=True)
for letter, digits, uniform in reports:
    print(f"report {letter}: Real-NVP {digits:.1f} bits/dim, ", end="")
    print(f"every image equally likely {uniform:.1f}")

# %% exercise="diagnosis_12_a"
# Which bug does the pipeline of report a have?
# Choose one of: "the levels are counted twice", "the logit's log-determinant is missing",
# "every pixel gets the same noise", "nats are taken for bits"
diagnosis_12_a = None
### BEGIN SOLUTION
diagnosis_12_a = "the logit's log-determinant is missing"
### END SOLUTION

# %% exercise="diagnosis_12_b"
# Which bug does the pipeline of report b have?
# Choose one of: "the levels are counted twice", "the logit's log-determinant is missing",
# "every pixel gets the same noise", "nats are taken for bits"
diagnosis_12_b = None
### BEGIN SOLUTION
diagnosis_12_b = "every pixel gets the same noise"
### END SOLUTION

# %% exercise="diagnosis_12_c"
# Which bug does the pipeline of report c have?
# Choose one of: "the levels are counted twice", "the logit's log-determinant is missing",
# "every pixel gets the same noise", "nats are taken for bits"
diagnosis_12_c = None
### BEGIN SOLUTION
diagnosis_12_c = "the levels are counted twice"
### END SOLUTION

# %% [markdown]
# ## Better, or lucky?

# %% exercise="luck_prediction"
# 500 test images: model A has a mean of 2.03 bits/dim, model B of 2.05,
# each mean with a standard error of 0.03. Is A better?
# Choose one of: "yes", "no, they are the same", "these numbers do not tell"
luck_prediction = None
### BEGIN SOLUTION
luck_prediction = "these numbers do not tell"
### END SOLUTION

# %% [markdown]
# Both models saw the *same* images. So compare image by image: $d_i = a_i - b_i$, with mean $\bar d$ and standard error
#
# $$\frac{s_d}{\sqrt n}, \qquad s_d^2 = \frac1{n-1}\sum_i (d_i - \bar d)^2.$$
#
# ### Exercise: `paired_difference` ({{points paired_difference}})
#
# <details><summary>Hint</summary>
#
# `tensor.std()` divides by n − 1 already.
#
# </details>


# %% exercise="paired_difference"
def paired_difference(bits_a, bits_b):
    """The mean of a - b, and how sure it is.

    bits_a, bits_b: bits/dim of the same images under two models, (images,).
    Returns the mean difference and its standard error, two tensors of shape ().
    """
    ### BEGIN SOLUTION
    difference = bits_a - bits_b
    return difference.mean(), difference.std() / math.sqrt(len(difference))
    ### END SOLUTION


# %% tags=["show", "varies"]
paired = using("paired_difference")
for a, b in (("VAE", "Real-NVP"), ("NICE", "VAE"), ("NICE", "Real-NVP")):
    mean, error = paired(bits[a], bits[b])
    apart = ((bits[a].var() + bits[b].var()) / len(bits[a])).sqrt()
    print(f"{a} - {b}: {mean:.3f} ± {error:.3f}; as if of different images: ± {apart:.3f}")

# %% tags=["show"]
mean, error = (value.item() for value in paired(bits["VAE"], bits["Real-NVP"]))
figures.image_by_image(bits["VAE"], bits["Real-NVP"], ("VAE", "Real-NVP"), mean, error)

# %% [markdown]
# Bits are one measure. Take two models and look at others: what they draw, what they find unusual, and what they cost.

# %% tags=["explorer", "show"]
from course_lib import explorers

explorers.trade_off

# %% [markdown]
# ## What a likelihood does not know
#
# A density of digits ought to find everything else unlikely. That would be a use for it that no bound has: an exact alarm.

# %% exercise="unlike_prediction"
# The Real-NVP has seen nothing but digits. Which image will it give the fewest bits/dim?
# Choose one of: "a digit of its training set", "a blank sheet", "a shoe"
unlike_prediction = None
### BEGIN SOLUTION
unlike_prediction = "a blank sheet"
### END SOLUTION

# %% [markdown]
# How good is an alarm? Take a usual and an unusual image at random: in which share of all such pairs does the unusual one have more bits? 1 is a perfect alarm, 0.5 is guessing, 0 an
# alarm that has it backwards. (Plotted, it is the area under the ROC curve.)
#
# ### Exercise: `detection` ({{points detection}})
#
# <details><summary>Hint</summary>
#
# `unusual.unsqueeze(1) - usual` has one entry for each pair.
#
# </details>


# %% exercise="detection"
def detection(usual, unusual):
    """The share of pairs in which the unusual image has more bits/dim; a tie counts half.

    usual, unusual: bits/dim, (n,) and (m,).
    Returns one number between 0 and 1.
    """
    ### BEGIN SOLUTION
    above = unusual.unsqueeze(1) - usual
    return ((above > 0).float() + 0.5 * (above == 0).float()).mean()
    ### END SOLUTION


# %% fold=true tags=["show", "varies"]
# @title Images that nobody trained on: how often each model sounds the alarm
alarm, kinds = using("detection"), kinds_of_images()
asked = {"VAE": {kind: measured()[f"VAE/{kind}"] for kind in kinds}}
with torch.no_grad():
    for name, flow in (("NICE", nice), ("Real-NVP", real_nvp)):
        asked[name] = {}
        for kind, images in kinds.items():
            asked[name][kind] = of_flow(flow, images, noise_for(images), 256, 0.05)
for kind in list(kinds)[1:]:
    shares = {name: float(alarm(of["digits"], of[kind])) for name, of in asked.items()}
    print(f"{kind}:", ", ".join(f"{name} {share:.2f}" for name, share in shares.items()))

# %% tags=["show"]
examples = torch.stack([images[0].view(28, 28) for images in kinds.values()])
figures.unlike_images(asked, examples)

# %% [markdown]
# A fact that surprised the field when it was found with larger models (Nalisnick et al. 2019): $\log p(x)$ is high for what is *simple*, whether or not it was in the training
# set. Bits/dim count how much there is to tell in an image, and a blank sheet has nothing to tell: no alarm that waits for *many* bits hears it. And the model with the fewest bits is
# not the best alarm: the mirror leaves the Real-NVP at little more than guessing, while VAE and NICE, behind it by far in bits, notice it more often. "Unlikely" and "unusual" are two words
# for two things.
#
# ## What z of x's dimension costs

# %% exercise="cost_prediction"
# Images twice as high and twice as wide. How many numbers does z hold?
# Choose one of: "four times as many for both",
# "four times as many for the flow, as many as one likes for the VAE",
# "twice as many for the flow, as many as one likes for the VAE"
cost_prediction = None
### BEGIN SOLUTION
cost_prediction = "four times as many for the flow, as many as one likes for the VAE"
### END SOLUTION

# %% [markdown]
# And what does training pay for it? Measure one step of a small Real-NVP at several sizes: seconds of one core for each image, and megabytes kept for the backward pass. Costs
# of this kind follow a power, $\text{cost} = c\cdot\text{size}^k$, a straight line in logarithms: $\log\text{cost} = \log c + k\log\text{size}$.
#
# ### Exercise: `power_law` ({{points power_law}})
#
# Fit the line by least squares and follow it to a size that nobody measured. With $u = \log\text{size}$ and $v = \log\text{cost}$,
#
# $$k = \frac{\sum_i (u_i - \bar u)(v_i - \bar v)}{\sum_i (u_i - \bar u)^2},$$
#
# and the line goes through $(\bar u, \bar v)$.
#
# <details><summary>Hint</summary>
#
# At a size s the line is at v̄ + k (log s − ū); that is a logarithm still.
#
# </details>


# %% exercise="power_law"
def power_law(sizes, costs, size):
    """The exponent of a cost, and the cost at another size.

    sizes, costs: measured, positive, (n,).
    size: a number.
    Returns the exponent k and the cost at that size, two tensors of shape ().
    """
    ### BEGIN SOLUTION
    u, v = sizes.log(), costs.log()
    k = ((u - u.mean()) * (v - v.mean())).sum() / ((u - u.mean()) ** 2).sum()
    return k, (v.mean() + k * (math.log(size) - u.mean())).exp()
    ### END SOLUTION


# %% fold=true tags=["show", "varies"]
# @title Time and memory of five sizes, and where your line leads
from course_lib.comparing import cost_of_step
from course_lib.image_flows import ImageRealNVP

law, sides = using("power_law"), (32, 48, 64, 96, 128)
torch.manual_seed(0)
steps = []
for side in tqdm(sides, leave=False):
    flow = ImageRealNVP(1, side, side, 24, 2)
    steps.append(cost_of_step(flow, flow.log_prob, torch.randn(8, 1, side, side)))
seconds, megabytes = torch.tensor(steps, dtype=torch.float64).T / torch.tensor([[8.0], [8e6]])
sizes = torch.tensor([float(side**2) for side in sides], dtype=torch.float64)
ends = {"256 × 256": 256.0**2, "1024 × 1024 × 3": 3 * 1024.0**2}
costs = {"seconds of one core, each image": seconds, "MB kept, each image": megabytes}
lines = {}
for name, cost in costs.items():
    (k, near), (_, far) = (law(sizes, cost, end) for end in ends.values())
    lines[name] = float(k), float(near)
    print(f"{name}: power {k:.2f}; 256 × 256: {near:.3g}, 1024 × 1024 × 3: {far:.3g}")

# %% tags=["show"]
figures.growth(sizes, costs, lines, ends)

# %% [markdown]
# Memory grows with the values in proportion, and seconds nearly so. Not the network is too large, which has the same
# 73,000 parameters throughout, but what passes through it: every coupling holds an image of full size, and the backward pass wants all of them. (That an invertible layer could recompute its input on the way back, and keep nothing, is one of the ideas that came after.) A VAE pays for pixels in its first and
# last layers only; between them stand as many numbers as one likes.
#
# ## The concluding slide, measured
#
# "+ can get exact probabilities/likelihoods; + no need for lower bounds; + conceptually simpler (perhaps); − requires special architecture; − Z must have same dimensionality
# as X." Five lines. Take two more measurements, then read each of them by your own numbers.

# %% fold=true tags=["show", "varies"]
# @title Parameters, latents, seconds: one row a model
from course_lib.comparing import core_seconds

models = {"VAE": vae, "NICE": nice, "Real-NVP": real_nvp}
drawing = {}
for name, model in models.items():
    seed = torch.Generator().manual_seed(0)
    with torch.no_grad():
        drawing[name] = core_seconds(lambda m=model, g=seed: m.sample(100, g)) / 100
half = torch.Generator().manual_seed(1)
steps = {
    "VAE": lambda batch: vae.elbo(batch, torch.randn(len(batch), vae.latent_dim, generator=half)),
    "NICE": nice.log_prob,
    "Real-NVP": real_nvp.log_prob,
}
training = {}
for name, step in steps.items():
    training[name] = cost_of_step(models[name], step, y[:100])[0] / 100
trained = {name: shipped_models()[name].seconds for name in ("VAE", "NICE")}
trained["Real-NVP"] = shipped_digit_flow().seconds
print(f"{'bits/dim':>17}{'parameters':>12}{'latents':>9}{'trained':>9}  ms a digit to")
print(f"{'for':>47}{'train on':>11}{'draw':>8}")
for name, model in models.items():
    count, latents = sum(p.numel() for p in model.parameters()), 24 if name == "VAE" else 784
    most = "≤" if name == "VAE" else " "
    print(f"{name:9} {most}{bits[name].mean():6.2f}{count:12,}{latents:9}{trained[name]:7.0f} s", end="")
    print(f"{1e3 * training[name]:11.2f}{1e3 * drawing[name]:8.3f}")

# %% exercise="exact_line"
# "+ can get exact probabilities/likelihoods". Of one test digit, what did you get?
# Choose one of: "one number from each of the three",
# "one number from each flow, from the VAE an upper limit of its bits",
# "an interval from each of the three"
exact_line = None
### BEGIN SOLUTION
exact_line = "one number from each flow, from the VAE an upper limit of its bits"
### END SOLUTION

# %% exercise="bound_line"
# "+ no need for lower bounds". How far below the estimate of log p with K = 5,000
# did the VAE's ELBO lie, on average over the 500 digits?
# Choose one of: "about 0.04 nats", "about 20 nats", "about 800 nats"
bound_line = None
### BEGIN SOLUTION
bound_line = "about 20 nats"
### END SOLUTION

# %% exercise="simple_line"
# "+ conceptually simpler (perhaps)". What do your numbers say of the Real-NVP beside the VAE?
# Choose one of: "fewer parts, and cheaper for each digit it is trained on",
# "fewer parts, and dearer for each digit it is trained on",
# "as many parts, and dearer for each digit it is trained on"
simple_line = None
### BEGIN SOLUTION
simple_line = "fewer parts, and dearer for each digit it is trained on"
### END SOLUTION

# %% exercise="special_line"
# "− requires special architecture". Which of these could your VAE's decoder be made of,
# but no layer of a flow?
# Choose one of: "a convolution of the kept half that shifts the other half",
# "a linear layer from 24 numbers to 784, then a ReLU", "a permutation of the pixels"
special_line = None
### BEGIN SOLUTION
special_line = "a linear layer from 24 numbers to 784, then a ReLU"
### END SOLUTION

# %% exercise="dimension_line"
# "− Z must have same dimensionality as X".
# How many numbers is the code of one image of 1024 × 1024 × 3, for a flow?
# Choose one of: "24", "3,072", "1,048,576", "3,145,728"
dimension_line = None
### BEGIN SOLUTION
dimension_line = "3,145,728"
### END SOLUTION

# %% fold=true tags=["show", "varies"]
# @title The last slide, line by line, with your answers
means = {name: values.mean().item() for name, values in bits.items()}
exact = f"exact: {means['Real-NVP']:.2f} and {means['NICE']:.2f} bits/dim; "
exact += f"VAE: at most {means['VAE']:.2f}"
bound = f"the ELBO lacks {784 * math.log(2) * lacking:.0f} nats a digit, as far as K = 5,000 shows"
dearer = training["Real-NVP"] / training["VAE"]
slower = drawing["Real-NVP"] / drawing["VAE"]
memory = float(law(sizes, megabytes, ends["1024 × 1024 × 3"])[1])
numbers = {
    "exact_line": ("+ can get exact probabilities", exact),
    "bound_line": ("+ no need for lower bounds", bound),
    "simple_line": (
        "+ conceptually simpler (perhaps)",
        f"one map; each digit {dearer:.0f} times as dear to train on",
    ),
    "special_line": (
        "− requires special architecture",
        f"couplings only; drawing takes {slower:.0f} times as long",
    ),
    "dimension_line": (
        "− Z must have same dimensionality as X",
        f"784 to 24; 1024 × 1024 × 3: {memory / 1e3:.0f} GB kept for each image",
    ),
}
chosen = (exact_line, bound_line, simple_line, special_line, dimension_line)
read = [review(name, choice).passed for name, choice in zip(numbers, chosen, strict=True)]
figures.slide([(*line, right) for line, right in zip(numbers.values(), read, strict=True)])

# %% [markdown]
# ## Three jobs
#
# No model is the best. For each of three jobs choose, and say by which number. Each choice has a consequence, shown below.

# %% exercise="compress_choice"
# A million scanned digits are to be stored without loss. Which model, by which number?
# Choose one of: "the VAE, because 24 numbers are few",
# "the Real-NVP, because its bits/dim are fewest", "NICE, because it is quickest",
# "the VAE, because its samples look best"
compress_choice = None
### BEGIN SOLUTION
compress_choice = "the Real-NVP, because its bits/dim are fewest"
### END SOLUTION

# %% exercise="unusual_choice"
# A scanner sends digits; blank sheets, mirrored digits and pictures of shoes are to be stopped.
# Which rule do your numbers support?
# Choose one of: "stop what has more bits/dim than nearly all digits",
# "stop what has more or fewer bits/dim than nearly all digits",
# "an exact likelihood stops all of them"
unusual_choice = None
### BEGIN SOLUTION
unusual_choice = "stop what has more or fewer bits/dim than nearly all digits"
### END SOLUTION

# %% exercise="codes_choice"
# Two million digits are to be searched for the ones most like a given one, in memory, at once.
# Whose z is kept?
# Choose one of: "the Real-NVP's, because it loses nothing",
# "the VAE's, because it is short and says what matters for the whole image",
# "NICE's, because it is quickest"
codes_choice = None
### BEGIN SOLUTION
codes_choice = "the VAE's, because it is short and says what matters for the whole image"
### END SOLUTION

# %% fold=true tags=["show", "varies"]
# @title Your three choices, and what follows from each
of = asked["Real-NVP"]
low, high = of["digits"].quantile(torch.tensor([0.01, 0.99])).tolist()
let_through = {"more": [], "more or fewer": []}
for kind in ("blank", "clothes", "mirrored"):
    let_through["more"].append((of[kind] <= high).float().mean())
    inside = (of[kind] <= high) & (of[kind] >= low)
    let_through["more or fewer"].append(inside.float().mean())
sizes_of_code = {"VAE": 24, "NICE": 784, "Real-NVP": 784}
needed = {**means, "VAE": vae_elbo.mean().item()}  # what bits-back coding reaches is the ELBO
jobs = {
    "MB for a million digits": {name: 784 / 8 * needed[name] for name in models},
    "% of unusual images let through": {r: 100 / 3 * sum(s).item() for r, s in let_through.items()},
    "MB for two million codes": {name: 2 * 4.0 * size for name, size in sizes_of_code.items()},
}
chosen = (compress_choice, unusual_choice, codes_choice)
choices = dict(zip(jobs, chosen, strict=True))
figures.consequences(jobs, choices)

# %% [markdown]
# ## What came after
#
# The lecture ends in 2016. One formula of this course is in each of the ideas that followed.
#
# **Autoregressive models.** $\log p(x) = \sum_i \log p(x_i \mid x_{<i})$. Notebook 09's triangular Jacobian, taken to its end: each dimension is scaled and shifted by a function of all
# before it, so that $\log|\det| = \sum_i h_i(x_{<i})$ still. Exact, and slow one way round. *Papamakarios, Pavlakou and Murray, MAF, 2017; van den Oord et al., PixelCNN, 2016.*
#
# **Continuous flows.** Infinitely many layers, each infinitely close to the identity: $\dfrac{d}{dt}\log p\big(z(t)\big) = -\operatorname{tr}\dfrac{\partial f}{\partial z}$, where
# notebook 09 had $-\log|\det|$ of one layer. Any network is allowed for $f$, so "requires special architecture" falls. *Chen et al., Neural ODEs, 2018; Grathwohl et al., FFJORD,
# 2019.*
#
# **Invertible convolutions.** Real-NVP's masks replaced by learned mixing, $\log|\det| = H\,W\,\log|\det W|$ once for all pixels. *Kingma and Dhariwal, Glow, 2018.*
#
# **Hierarchical VAEs.** The ELBO with many layers of $z$: $\log p(x|z_1) - \sum_l D_{KL}\big(q(z_l|\cdot)\,\|\,p(z_l|z_{l+1})\big)$, the KL of notebook 02 between two Gaussians, once for each layer. *Vahdat
# and Kautz, NVAE, 2020; Child, VDVAE, 2021.*
#
# **Diffusion** is such a VAE whose encoder is fixed, adds noise step by step, and is never trained: the same bound, $\log p(x) \ge E_q[\log p(x, z_{1:T}) - \log q(z_{1:T}|x)]$, each term a
# Gaussian KL, which becomes a squared error. *Sohl-Dickstein et al., 2015; Ho, Jain and Abbeel, 2020; Kingma et al., Variational diffusion models, 2021.*
#
# **VQ-VAE.** A discrete $z$ from a codebook: the lecture's case in which reparameterization fails and notebook 05's policy gradient would do; a gradient copied straight past the rounding
# took its place. *Van den Oord, Vinyals and Kavukcuoglu, 2017.*
#
# **Flow matching.** Continuous flows trained without their likelihood: regress the velocity $v(x_t, t)$ on $x_1 - x_0$ along straight lines between noise and data. The map is
# invertible, and the change of variables gives $\log p(x)$ afterwards. *Lipman et al., 2023; Liu, Gong and Liu, 2023.*
#
# ## An open task: an alarm that works
#
# Write a score that is high for unusual images and low for digits. It is judged on digits against mirrored digits, negatives, clothes, a blank sheet and a black one: the mean over these
# kinds of your own `detection`. It may use the training digits and any model of the course, but none of the test images. No points; the number goes into the summary.


# %% tags=["show"]
@torch.no_grad()
def my_score(pixels):
    """pixels: bytes, (n, 784). Returns (n,), higher where an image is more unusual."""
    middle = measured()["Real-NVP/digits"].mean()
    return (of_flow(real_nvp, pixels, noise_for(pixels), 256, 0.05) - middle).abs()


# %% tags=["show", "varies"]
from course_lib.challenges import attempt

attempt("12_comparing_models", my_score)

# %% [markdown]
# ## The points so far

# %% tags=["show"]
summary("12_comparing_models")

# %% [markdown]
# ## The whole course
#
# What you have learned, notebook by notebook. The points are those that each notebook's summary found when you last ran it beside this one; a notebook whose summary was not run on
# this copy is shown without. Print the page if you like to keep it (*File*, *Print*). It is your own record, not a grade: a grade comes from what you hand in.

# %% tags=["show", "varies"]
certificate()

# %% [markdown]
# **What you did.** You put a VAE and two flows on one scale, with the bound as a bound; told the bound's share of a deficit from the model's; tested a pipeline on a model whose answer is
# known; compared models image by image; found what a likelihood does not know; measured what z of x's dimension costs; and read the lecture's last slide by numbers of your own.
#
# **What comes next.** Something of yours.
#
# **References.** The lecture, part "Concluding Remarks". Theis, van den Oord and Bethge, *A note on the evaluation of generative models*, 2016. Burda, Grosse and Salakhutdinov,
# *Importance weighted autoencoders*, 2016: the bound with K = 5,000 as an estimate of log p. Dinh et al., *NICE*, 2015 (1980.50 nats on MNIST, which is 4.36 bits/dim) and
# *Density estimation using Real NVP*, 2017 (CIFAR-10 3.49 bits/dim). Nalisnick et al., *Do deep generative models know what they don't know?*, 2019. Townsend, Bird and Barber,
# *Practical lossless compression with latent variables using bits back coding*, 2019. Ho, Lohn and Abbeel, *Compression with flows via local bits-back coding*, 2019.
