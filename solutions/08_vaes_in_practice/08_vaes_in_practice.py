# %% [markdown]
# # 08 · VAEs in practice
#
# {{colab}}
#
# **Where this stands in the lecture**: "VAEs in practice": the two problems, the multiplier β, and scheduling it.
#
# **After it you can** tell a VAE that ignores its code from one that does not compress it, by three numbers and by its pictures; cause both
# and cure them with a weight on the KL, set by hand, by schedule or by a controller; and say what that weight does to the bound.
#
# **Time**: 90–150 minutes. **Points**: {{topic points}}.

# %% setup=true

# %% fold=true
# @title What this notebook imports
import torch

from course_lib.beta import BetaObjective, reconstruction_gap, sample_gap
from course_lib.beta_models import load_beta_vae, load_record, load_sweep
from course_lib.checks import using
from course_lib.data import load_images
from course_lib.figures import vaes_in_practice as figures
from course_lib.vae import VAE

# %% [markdown]
# ## Two problems
#
# "Very tempting for VAEs (especially *conditional* VAEs) to ignore the latent codes, or generate poor samples." Here are three VAEs, alike but for one number of
# their training, which you will find out. Look at the two rows of each: what it gives back of a digit, and what it draws by itself.

# %% fold=true tags=["show"]
# @title Three models: what each gives back, and what it draws
images, test = load_images("train"), load_images("test")
models = {"A": load_beta_vae(0.05), "B": load_beta_vae(1.0), "C": load_beta_vae(50.0)}
x = test.flat()
rows = {}
with torch.no_grad():
    for name, vae in models.items():
        samples = vae.sample(8, torch.Generator().manual_seed(1))
        rows[name] = vae.reconstruct(x[:8]), samples
figures.two_problems(x[:8], images.flat()[:8], rows)

# %% [markdown]
# A gives digits back best of all, and draws tangles: its **latent code is not compressed**. The codes lie anywhere, and $z\sim p(z)$ falls where none is. C gives back the
# same grey average for every digit, and draws it as well: its **latent code is ignored**. B is between: digits come back, and about half of
# its draws could be digits.
#
# Pictures are seen when a model is finished. One number tells while it trains: $D_{KL}(q_\phi(z|x)\,\|\,p(z))$, how much the code tells about its image. The slide: too low, no
# information in $z$; too high, too much of it; "need to control this quantity carefully to get good results".
#
# Where does it go? Over a diagonal Gaussian the KL is a sum over latent dimensions. Average each over the data.
#
# ### Exercise: `kl_per_dimension` ({{points kl_per_dimension}})
#
# <details><summary>Hint</summary>
#
# The KL of notebook 06 before its sum over the dimensions; then a mean over the batch, dimension 0.
#
# </details>


# %% exercise="kl_per_dimension"
def kl_per_dimension(mu, log_sigma):
    """The KL to N(0, 1) in each latent dimension, mean over the batch.

    mu, log_sigma: the encoder's outputs, (batch, latent_dim); log_sigma is the log of sigma.
    Returns (latent_dim,), in nats; its sum is the mean KL of an image.
    Right for narrow q too, sigma near exp(-9). No gradient is needed.
    """
    ### BEGIN SOLUTION
    return 0.5 * (mu**2 + (2 * log_sigma).exp() - 1 - 2 * log_sigma).mean(0)
    ### END SOLUTION


# %% tags=["show"]
per_dimension = using("kl_per_dimension")
with torch.no_grad():
    dimensions = {name: per_dimension(*vae.encoder(x)) for name, vae in models.items()}
figures.kl_bars(dimensions)


# %% [markdown]
# (Each model has sixteen dimensions. C's bars are there; they are as good as 0.)
#
# A second look at the same: a dimension whose $\mu$ is the same for every image says nothing about it. A dimension is called **active** where $\mu_d(x)$ varies over the data
# (Burda, Grosse and Salakhutdinov, 2016, count it from a variance of 0.01 on).
#
# ### Exercise: `active_units` ({{points active_units}})
#
# <details><summary>Hint</summary>
#
# `mu.var(0)` has one variance for each dimension. Compare, and count.
#
# </details>


# %% exercise="active_units"
def active_units(mu, threshold):
    """In how many latent dimensions mu varies over the batch.

    mu: means of q(z|x), (batch, latent_dim).
    threshold: a variance; a dimension is active where that of mu is larger.
    Returns an int.
    """
    ### BEGIN SOLUTION
    return int((mu.var(0) > threshold).sum())
    ### END SOLUTION


# %% [markdown]
# ## A diagnosis from three numbers
#
# What the eye sees, as numbers. Both are 0 where nothing is to be wished for:
#
# - the **reconstruction gap**, the squared error of reconstructions as a share of that of the average image: 1 is as bad as to answer every digit with the average;
# - the **sample gap**, how far samples lie from the nearest training image, on a scale that is 0 for unseen digits and 1 for noise with the same share of ink in every
#   pixel. It finds garbage, not blur: a grey average lies near many digits.
#
# ### Exercise: `diagnose` ({{points diagnose}})
#
# <details><summary>Hint</summary>
#
# Two rules and an else, in the order of the docstring.
#
# </details>


# %% exercise="diagnose"
def diagnose(kl, reconstruction_gap, sample_gap):
    """Which of the lecture's two problems a trained model has.

    kl: mean KL of an image to the prior, in nats; the gaps as above. Python numbers.
    Returns exactly one of these strings:
      "latent code ignored"         kl below 1 and reconstruction_gap above 0.5
      "latent code not compressed"  kl of 1 or more and sample_gap above 0.5
      "healthy"                     else
    """
    ### BEGIN SOLUTION
    if kl < 1 and reconstruction_gap > 0.5:
        return "latent code ignored"
    if kl >= 1 and sample_gap > 0.5:
        return "latent code not compressed"
    return "healthy"
    ### END SOLUTION


# %% fold=true tags=["show", "varies"]
# @title Three numbers of each model, and your name for it
name_it, count = using("diagnose"), using("active_units")
pixels = images.flat()
with torch.no_grad():
    for name, vae in models.items():
        kl = per_dimension(*vae.encoder(x)).sum().item()
        back = reconstruction_gap(x, vae.reconstruct(x), pixels.mean(0))
        samples = vae.sample(300, torch.Generator().manual_seed(2))
        drawn = sample_gap(samples, x[:300], pixels, torch.Generator().manual_seed(3))
        active = count(vae.encoder(x)[0], 0.01)
        print(f"{name}: KL {kl:5.2f} nats, {active:2d} active units,", end=" ")
        print(f"gaps {back:.2f} and {drawn:.2f}: {name_it(kl, back, drawn)}")

# %% [markdown]
# ## A multiplier
#
# The number in which A, B and C differ stands before the KL:
#
# $$\max_{\theta,\phi}\ \frac1N\sum_i\ \log p_\theta\big(x_i\,\big|\,\mu_\phi(x_i)+\epsilon\,\sigma_\phi(x_i)\big)-\beta\,D_{KL}\big(q_\phi(z|x_i)\,\|\,p(z)\big).$$

# %% tags=["show"]
figures.the_weight()

# %% [markdown]
# ### Exercise: `beta_elbo` ({{points beta_elbo}})
#
# <details><summary>Hint</summary>
#
# The formula, for each image, before the mean over $i$. Nothing is detached.
#
# </details>


# %% exercise="beta_elbo"
def beta_elbo(log_likelihood, kl, beta):
    """The objective with a weight on the KL.

    log_likelihood: log p(x|z), (batch,).
    kl: D_KL(q(z|x) || p(z)), (batch,).
    beta: a number from 0 up, or a tensor of shape (); above 1 is allowed.
    Returns (batch,), in nats, to be maximised; gradients flow through both terms.
    """
    ### BEGIN SOLUTION
    return log_likelihood - beta * kl
    ### END SOLUTION


# %% [markdown]
# A, B and C are the models with β = 0.05, 1 and 50. The same with forty-one weights, everything else alike (784–100–16, twenty passes over 10,000 digits, one seed), is
# the slide's drawing from "too low" to "too high", measured:

# %% tags=["show"]
sweep = load_sweep()
figures.from_low_to_high(sweep)

# %% [markdown]
# Move β through four decades, with the arrow keys too. Every position is a model that was trained with this β; nothing is interpolated. Where do the samples turn into tangles, where do
# reconstructions lose their digit? Which latent dimensions go first?

# %% tags=["explorer", "show"]
from course_lib import explorers

explorers.weight

# %% [markdown]
# ## What the weight does to the bound
#
# With β = 1 the objective is the ELBO, and notebook 02 has $\log p(x) = \text{ELBO} + D_{KL}(q\|p(z|x))$. With another β? Write $\mathcal L_\beta = E_q[\log p(x|z)] - \beta\,
# D_{KL}(q\|p(z))$, take one KL to the prior out, and use it:
#
# $$\log p(x) - \mathcal L_\beta
# = \log p(x) - \underbrace{\big(E_q[\log p(x|z)] - D_{KL}(q\|p(z))\big)}_{\text{ELBO}} + (\beta-1)\,D_{KL}(q\|p(z))
# = \boxed{\ ?\ }$$
#
# ### Exercise: `objective_gap` ({{points objective_gap}})
#
# The check holds your expression against a model in which all of this can be computed exactly.
#
# <details><summary>Hint</summary>
#
# For β = 1 the gap of notebook 02 must come out. What stands beside it vanishes there.
#
# </details>


# %% exercise="objective_gap"
def objective_gap(kl_to_posterior, kl_to_prior, beta):
    """log p(x) minus the objective: the right-hand side of the derivation.

    kl_to_posterior: D_KL(q || p(z|x)), (batch,).
    kl_to_prior: D_KL(q || p(z)), (batch,).
    beta: a number from 0 up.
    Returns (batch,), in nats; negative where the objective exceeds log p(x).
    """
    ### BEGIN SOLUTION
    return kl_to_posterior + (beta - 1) * kl_to_prior
    ### END SOLUTION


# %% [markdown]
# Find the number that shows it: for which β does $\mathcal L_\beta$ exceed $\log p(x)$? The linear-Gaussian model of notebook 02 knows its $\log p(x)$ and its posterior. Take that
# posterior for $q$, so that the ELBO is tight.

# %% fold=true tags=["show"]
# @title The objective beside log p(x), for 31 weights
from course_lib.linear_gaussian import linear_gaussian_evidence, linear_gaussian_posterior

gap_of = using("objective_gap")
W, b, sigma = torch.tensor([[1.5], [0.5]]), torch.zeros(2), 0.6
points = torch.randn(500, 1, generator=torch.Generator().manual_seed(0)) @ W.T
points += sigma * torch.randn(500, 2, generator=torch.Generator().manual_seed(1))
mean, covariance = linear_gaussian_posterior(points, W, b, sigma)
log_evidence = linear_gaussian_evidence(points, W, b, sigma)
q = torch.distributions.Normal(mean, covariance.diagonal().sqrt())
kl = torch.distributions.kl_divergence(q, torch.distributions.Normal(0.0, 1.0)).sum(-1)
betas = torch.logspace(-2, 1, 31)
values = torch.stack([(log_evidence - gap_of(0 * kl, kl, beta)).mean() for beta in betas.tolist()])
figures.no_bound(betas, values, log_evidence.mean().item())

# %% tags=["show", "nbval-check-output"]
for beta in (0.1, 1.0, 4.0):
    value = (log_evidence - gap_of(0 * kl, kl, beta)).mean().item()
    print(f"β = {beta:3g}: objective {value:6.2f} nats, log p(x) {log_evidence.mean().item():.2f}")

# %% [markdown]
# So **with β ≠ 1 the objective is not the bound any more**. Below 1 it can exceed $\log p(x)$, and bounds nothing. Above 1 it stays below, but no $q$ brings it up: it is lower than the ELBO by
# $(\beta-1)$ KLs, always. Two models are compared by their ELBO, β = 1 in the *measurement*, whatever β they were trained with; the objectives of two weights are
# numbers of different things.
#
# What, then, is trained? Let the likelihood be Gaussian, $\mathcal N(x; m, \sigma_x)$ with $m$ the decoder's mean. Dividing the whole objective by β changes no maximum:
#
# $$\tfrac1\beta\,\mathcal L_\beta = E_q\big[\tfrac1\beta\log\mathcal N(x; m, \sigma_x)\big] - D_{KL}(q\|p(z)),\qquad
# \tfrac1\beta\log\mathcal N(x; m,\sigma_x) = -\frac{(x-m)^2}{2\,\beta\,\sigma_x^2} + \text{const} = \log\mathcal N\big(x; m, \boxed{\ ?\ }\big) + \text{const}.$$
#
# ### Exercise: `equivalent_sigma` ({{points equivalent_sigma}})
#
# <details><summary>Hint</summary>
#
# Which standard deviation σ' has $2\sigma'^2 = 2\beta\sigma_x^2$?
#
# </details>


# %% exercise="equivalent_sigma"
def equivalent_sigma(sigma_x, beta):
    """The standard deviation that stands in the box.

    sigma_x: standard deviation of p(x|z), (dim,).
    beta: a positive number.
    Returns (dim,): with it the plain ELBO has the maximum that beta gives with sigma_x.
    """
    ### BEGIN SOLUTION
    return sigma_x * beta**0.5
    ### END SOLUTION


# %% [markdown]
# β is the decoder's noise in disguise: a larger β says that pixels are noisier, and need not be met so exactly. Who sets $\sigma_x$ by hand has set a β. So has who loses a
# factor on the way:

# %% exercise="mean_over_pixels_prediction"
# A VAE of 784 pixels takes the mean log-likelihood over pixels, and the KL as it is. What is that?
# Choose one of: "the ELBO on another scale", "β = 784", "β = 1/784"
mean_over_pixels_prediction = None
### BEGIN SOLUTION
mean_over_pixels_prediction = "β = 784"
### END SOLUTION

# %% [markdown]
# ## What a code costs, and what it buys
#
# Take the two terms apart. The mean KL is what the codes cost, the **rate**; minus the mean log-likelihood is what is lost, the **distortion**; minus the ELBO is their sum
# (Alemi et al., 2018).
#
# ### Exercise: `rate_distortion` ({{points rate_distortion}})
#
# <details><summary>Hint</summary>
#
# Two means, one of them with its sign turned.
#
# </details>


# %% exercise="rate_distortion"
def rate_distortion(log_likelihood, kl):
    """A model as a point in the plane.

    log_likelihood: log p(x|z), (batch,).
    kl: (batch,).
    Returns two tensors of shape (), in nats: the rate, then the distortion.
    """
    ### BEGIN SOLUTION
    return kl.mean(), -log_likelihood.mean()
    ### END SOLUTION


# %% exercise="slope_prediction"
# Distortion drawn over rate for all weights is a curve. Where on it does the best ELBO lie?
# Choose one of: "at its lowest distortion", "where its slope is -1", "at rate 0",
# "where it bends most"
slope_prediction = None
### BEGIN SOLUTION
slope_prediction = "where its slope is -1"
### END SOLUTION

# %% [markdown]
# Now choose a weight yourself and train with it, six passes. Where will it come to lie?

# %% tags=["show", "varies", "yours"]
from course_lib.training import train

weighted = using("beta_elbo")
MY_BETA = 3.0  # yours: any number from 0.01 to 100
settings = {"epochs": 6, "batch_size": 100, "learning_rate": 2e-3}
settings |= {"binarize": True, "device": "cpu"}


def trained_with(beta, seed=0, **changed):
    """A VAE with this weight (a number, or a function of step and last KL), and its terms."""
    torch.manual_seed(seed)
    vae = VAE(784, 100, 16)
    objective = BetaObjective(vae, beta, weighted)
    train(vae, images.images, objective=objective, seed=seed, **(settings | changed))
    return vae, objective


mine, by_hand = trained_with(MY_BETA)

# %% fold=true tags=["show", "varies"]
# @title Where your model lies on the test digits
from course_lib.distributions import kl_to_standard_normal

point_of = using("rate_distortion")
binary = torch.bernoulli(x, generator=torch.Generator().manual_seed(8))


def place(vae):
    """Rate and distortion on the test digits, one draw of z each."""
    with torch.no_grad():
        mu, log_sigma = vae.encoder(binary)
        eps = torch.randn(mu.shape, generator=torch.Generator().manual_seed(9))
        log_likelihood = vae.log_likelihood(binary, mu + log_sigma.exp() * eps)
        kl = kl_to_standard_normal(mu, log_sigma)
    rate, distortion = point_of(log_likelihood, kl)
    return rate.item(), distortion.item()


mine_at = place(mine)
print(f"β = {MY_BETA:g}: rate {mine_at[0]:.1f}, distortion {mine_at[1]:.1f},", end=" ")
print(f"ELBO {-sum(mine_at):.1f} nats")

# %% tags=["show", "varies"]
figures.rate_distortion_curve(sweep, {f"yours, β = {MY_BETA:g}, six passes": mine_at})

# %% [markdown]
# Minus the ELBO is rate + distortion: along a line of slope -1 all points have the same ELBO, and the lowest such line that meets the curve touches it where the slope is -1. With a weight, β · rate +
# distortion is made small: its line has slope -β. A large β stops where a nat of code still buys many nats of pixels; a small one goes on where it buys next to nothing. (The models were trained
# on other digits than they are measured on, and for twenty passes: the line touches near β = 1, not exactly there. Yours lies above the curve: it has had six.)
#
# ## A decoder that needs no code
#
# β is not the only way to lose the code. Give a conditional VAE the upper half of a digit, and let it model the lower half. Its decoder may see $z$ alone; $z$ and the upper half; or, besides, for each
# pixel its neighbours above and to the left, $p(y|x,z)=\prod_d p(y_d\,|\,y_{<d}, x, z)$, a strong likelihood as in text models. β = 1 throughout.

# %% exercise="strong_decoder_prediction"
# The decoder is shown the upper half and each pixel's neighbours. What becomes of bound and KL?
# Choose one of: "both rise", "the bound falls, the KL falls", "the bound rises, the KL falls"
strong_decoder_prediction = None
### BEGIN SOLUTION
strong_decoder_prediction = "the bound rises, the KL falls"
### END SOLUTION

# %% fold=true tags=["show"]
# @title Three decoders, each seeing more than the one before
strong = load_record("strong")
seen = ("z", "z, upper half", "z, upper half, neighbours")
print(f"{strong.recipe}; {strong.seconds:.0f} s")
figures.strong_decoders(
    {name: strong.arrays[f"{name}: numbers"] for name in seen},
    {name: strong.arrays[f"{name}: images"] for name in seen},
)

# %% [markdown]
# This is "especially *conditional* VAEs": what the decoder is told anyway, the code need not tell, and every nat in the code costs a nat. By its bound the last model is the best by far, and its code is
# empty. **The bound does not ask for a code.** Whoever wants one has to ask for it.
#
# ## Setting it by schedule
#
# "Could **schedule** β: start low (to get the VAE to use z to reconstruct), end high (to get samples to be good)."
#
# ### Exercise: `beta_schedule` ({{points beta_schedule}})
#
# <details><summary>Hint</summary>
#
# The share of the way, `step / warmup_steps`, at most 1, times `beta_max`. Without a warm-up there is nothing to divide by.
#
# </details>


# %% exercise="beta_schedule"
def beta_schedule(step, warmup_steps, beta_max):
    """A weight that rises linearly and then stays.

    step: 0, 1, 2, ...
    warmup_steps: an int from 0 up.
    beta_max: from 0 up; may be above 1.
    Returns a Python number: 0 at step 0, beta_max at step warmup_steps and ever after;
    for warmup_steps = 0, beta_max at once.
    """
    ### BEGIN SOLUTION
    if step >= warmup_steps:
        return float(beta_max)
    return beta_max * step / warmup_steps
    ### END SOLUTION


# %% fold=true tags=["show", "varies"]
# @title Two trainings: with your schedule, and with β = 1 from the start
schedule = using("beta_schedule")
scheduled, with_schedule = trained_with(lambda step, kl: schedule(step, 300, 1.0))
fixed, without = trained_with(1.0)
for name, vae in (("schedule", scheduled), ("fixed", fixed)):
    rate, distortion = place(vae)
    elbo = -rate - distortion
    print(f"{name}: rate {rate:.1f}, distortion {distortion:.1f}, ELBO {elbo:.1f} nats")

# %% tags=["show", "varies"]
figures.over_steps({"β = 1": without.kls, "0 to 1 in 300 steps": with_schedule.kls})

# %% [markdown]
# One training is one draw of luck. Five seeds of each, ten passes, the same cost for all (trained beforehand; the bar is the mean):

# %% tags=["show"]
seeds = load_record("seeds")
print(f"{seeds.recipe}; {seeds.seconds:.0f} s")
title = "A model that keeps its code anyway: with a schedule every seed ends lower"
figures.schedules(seeds.arrays, title)

# %% [markdown]
# What is luck? With one weight and one way to it, the seeds lie within two and a half nats of each other. What is not: the schedules end lower, by about three nats at β = 1, by two and a half to four at β = 4,
# and every seed with a schedule lies below every seed without. This model never lost its code, so there was nothing to cure; at small weights its codes fly apart (the peak above), and in ten passes it does not
# make up for that. Half of the steps cost no more than a tenth. A schedule is a cure, not a vitamin.
#
# And the decoder that needs no code?

# %% exercise="schedule_prediction"
# That decoder, with β from 0 to 1 in the first half of training:
# the KL is large at first. At the end?
# Choose one of: "it stays large", "it is near 0 again", "it grows on"
schedule_prediction = None
### BEGIN SOLUTION
schedule_prediction = "it is near 0 again"
### END SOLUTION

# %% [markdown]
# ## A controller
#
# If a quantity has to be controlled, control it: say how many nats the code shall tell, look at the KL after every step, and turn the weight accordingly.
#
# ### Exercise: `next_beta` ({{points next_beta}})
#
# <details><summary>Hint</summary>
#
# A KL above its target is too expensive a code: which way has β to go? Multiply or divide by the factor.
#
# </details>


# %% exercise="next_beta"
def next_beta(beta, kl, target_kl, factor):
    """The weight of the next step.

    beta: the weight so far, positive.
    kl: the mean KL of the last batch, in nats.
    target_kl: what it shall be.
    factor: above 1: beta becomes so many times larger or smaller. It has no limits.
    Returns a Python number.
    """
    ### BEGIN SOLUTION
    return beta * factor if kl > target_kl else beta / factor
    ### END SOLUTION


# %% fold=true tags=["show", "varies"]
# @title A training whose weight follows the KL
control = using("next_beta")


def holding(target_kl, factor=1.01):
    """A weight that follows the KL, from 1 on."""
    beta = 1.0

    def weight(step, kl):
        nonlocal beta
        beta = control(beta, kl, target_kl, factor) if step else beta
        return beta

    return weight


held, by_controller = trained_with(holding(14.0))
rate, distortion = place(held)
print(f"rate {rate:.1f}, distortion {distortion:.1f}; β ended at {by_controller.betas[-1]:.2f}")

# %% tags=["show", "varies"]
figures.over_steps({"controller, 14 nats": by_controller.kls, "β = 1": without.kls}, 14.0)

# %% [markdown]
# Nobody had to know which β gives 14 nats; it was found on the way, and changes as the networks learn. (β jitters around its place, and the batch's KL around its target.) The
# same on the decoder that sees neighbours, at three seeds each: β = 1, the schedule, a fixed smaller weight, and a controller that asks for 5 nats.

# %% fold=true tags=["show"]
# @title Four trainings of the strong decoder
cures = {"β = 1": seen[-1], "schedule to 1": "schedule"}
cures |= {"β = 0.3": "β = 0.3", "controller": "controller"}
figures.cures(
    {name: strong.arrays[f"{key}: numbers"] for name, key in cures.items()},
    {name: strong.arrays[f"{key}: kl"][0] for name, key in cures.items()},
)

# %% [markdown]
# The schedule ends where β = 1 ends. It can help where training goes astray on its way to a good place; here it arrives at an objective that wants no code, and drops it. A smaller weight for good keeps a code of
# one to two nats; the controller gets the five nats that it asks for, with a weight that ends between 0.13 and 0.19. The price is some of the bound, 0.7 nats for β = 0.3 and three for the controller. What that
# buys, a code that says something about the lower half, the bound does not count.
#
# ## Five patients
#
# Models of fellow students that you have not seen. What is wrong, if anything? The curves are the terms of the bound over the steps; below them digits, what comes back of them, and samples.

# %% tags=["show"]
from course_lib.patients import load_patient

load_patient("08_a").picture()

# %% exercise="diagnosis_08_a"
# What is wrong with the first model?
# Choose one of: "β is far too large", "β is far too small", "the decoder needs no code",
# "nothing, it is healthy"
diagnosis_08_a = None
### BEGIN SOLUTION
diagnosis_08_a = "β is far too small"
### END SOLUTION

# %% [markdown]
# The second model is given the upper half of each digit and draws the lower half: with a code of the true image, and with one from the prior.

# %% tags=["show"]
load_patient("08_b").picture()

# %% exercise="diagnosis_08_b"
# What is wrong with the second model?
# Choose one of: "β is far too large", "β is far too small", "the decoder needs no code",
# "the encoder is never stepped"
diagnosis_08_b = None
### BEGIN SOLUTION
diagnosis_08_b = "the decoder needs no code"
### END SOLUTION

# %% [markdown]
# The third was trained with a schedule.

# %% tags=["show"]
load_patient("08_c").picture()

# %% exercise="diagnosis_08_c"
# What is wrong with the third model?
# Choose one of: "β stays at 0 throughout", "β runs from high to low",
# "β is far too large throughout", "β rises too fast"
diagnosis_08_c = None
### BEGIN SOLUTION
diagnosis_08_c = "β runs from high to low"
### END SOLUTION

# %% [markdown]
# The fourth had a controller that was to hold its KL at 20 nats. Its β is drawn too, as a power of ten.

# %% tags=["show"]
load_patient("08_d").picture()

# %% exercise="diagnosis_08_d"
# What is wrong with the fourth model?
# Choose one of: "the factor is too small, β moves too slowly", "it turns the wrong way",
# "its KL is summed over the batch", "the KL cannot reach 20 nats"
diagnosis_08_d = None
### BEGIN SOLUTION
diagnosis_08_d = "it turns the wrong way"
### END SOLUTION

# %% tags=["show"]
load_patient("08_e").picture()

# %% exercise="diagnosis_08_e"
# What is wrong with the fifth model?
# Choose one of: "the latent code is ignored", "the latent code is not compressed",
# "nothing, it is healthy", "β was still rising at the end"
diagnosis_08_e = None
### BEGIN SOLUTION
diagnosis_08_e = "nothing, it is healthy"
### END SOLUTION

# %% [markdown]
# ## An open task: fifteen nats
#
# A code may cost 15 nats on the test digits, no more. How little do you lose of them? Any encoder, any decoder with Bernoulli pixels, a minute of training; measured is the distortion on the 2,000
# test digits, ten draws of $z$ for each, and above 15 nats it does not count. The controller holds the rate of *training* digits: aim a little lower. No points; the number goes
# into the summary, beside the course's own.

# %% tags=["show", "varies"]
my_vae = held  # yours: other sizes, more data, other settings, sixty seconds

# %% tags=["show", "varies"]
from course_lib.challenges import attempt

attempt("08_vaes_in_practice", my_vae)

# %% [markdown]
# ## The points so far

# %% tags=["show"]
summary("08_vaes_in_practice")

# %% [markdown]
# **What you did.** You saw, measured and caused both problems of VAEs; cured them with a weight on the KL, by hand, by schedule and by a controller; found the number that shows that the weighted
# objective is no bound; and told five models apart by their curves and pictures.
#
# **What comes next.** Notebook 09: a model without an encoder, without a bound and without a code that could be ignored: normalizing flows.
#
# **References.** The lecture, part "VAEs in practice". Higgins et al., *beta-VAE: learning basic visual concepts with a constrained variational framework*, 2017. Bowman, Vilnis, Vinyals, Dai,
# Jozefowicz and Bengio, *Generating sentences from a continuous space*, 2016: a strong decoder that ignores its code, and a schedule for it. Sønderby, Raiko, Maaløe, Sønderby and Winther, *Ladder
# variational autoencoders*, 2016: warm-up. Alemi, Poole, Fischer, Dillon, Saurous and Murphy, *Fixing a broken ELBO*, 2018: rate and distortion. Burda, Grosse and Salakhutdinov, *Importance weighted
# autoencoders*, 2016, section 5.2: active units. Rezende and Viola, *Taming VAEs*, 2018: a constraint in place of a weight.
