# %% [markdown]
# # 01 · Latent variable models
#
# {{colab}}
#
# **Where this stands in the lecture**: "Latent variable models in general" and "Estimating the log-likelihood".
#
# **After it you can** write a model with a hidden cause, draw from it, compute its likelihood and its posterior where
# sums allow it, estimate the likelihood where they do not, and say why that estimate fails as dimensions grow.
#
# **Time**: 90 minutes. **Points**: {{topic points}}.

# %% setup=true

# %%
import math

import torch

# %% [markdown]
# ## A hidden cause
#
# Data often has a cause that we do not see. Somebody thought of a digit, then wrote it; we see the ink. Call what we see
# $x$ and what we do not see $z$, the **latent variable**. A latent variable model tells the story in two steps, each of
# them easy:
#
# $$z \sim p(z), \qquad x \sim p(x|z).$$
#
# The two easy distributions together make a complicated one. What is the probability of $x$, whatever $z$ was? Sum over
# all the causes it could have had:
#
# $$p(x) = \int p(x|z)\,p(z)\,dz.$$
#
# This integral is the whole course. In this notebook we compute it where it is a sum, and then meet the case where it
# is not.
#
# ## The easy piece: a Gaussian
#
# The lecture's "easy" distributions are Gaussians. Ours are diagonal: the dimensions of $x$ are independent, each with
# its own mean $\mu_d$ and standard deviation $\sigma_d$,
#
# $$p(x) = \prod_d \frac{1}{\sqrt{2\pi}\,\sigma_d}\, e^{-\frac12\left(\frac{x_d-\mu_d}{\sigma_d}\right)^2}.$$
#
# The logarithm turns the product into a sum, one term for each dimension:
#
# $$\log p(x) = \sum_d \Big[ -\tfrac12\Big(\frac{x_d-\mu_d}{\sigma_d}\Big)^2 - \log\sigma_d - \tfrac12\log 2\pi \Big].$$
#
# ### Exercise: `gaussian_log_prob` ({{points gaussian_log_prob}})
#
# <details><summary>Hint 1: where to begin</summary>
#
# Compute the three terms for every dimension first, shape `(batch, dim)`. Sum at the end.
#
# </details>
# <details><summary>Hint 2: which dimension to sum over</summary>
#
# The last one, `.sum(-1)`: the result has one value per data point, `(batch,)`. Counted from the back, it will also serve
# the mixture below, where `(batch, 1, dim)` meets `(components, dim)`.
#
# </details>
# <details><summary>Hint 3: another way</summary>
#
# `torch.distributions.Normal(mu, sigma).log_prob(x)` gives the terms for every dimension. It expects the standard
# deviation.
#
# </details>


# %% exercise="gaussian_log_prob"
def gaussian_log_prob(x, mu, sigma):
    """The log-density of a diagonal Gaussian.

    x: (batch, dim).
    mu, sigma: mean and standard deviation, (batch, dim).
    Returns (batch,), in nats.
    """
    ### BEGIN SOLUTION
    standardised = (x - mu) / sigma
    return (-0.5 * standardised**2 - sigma.log() - 0.5 * math.log(2 * math.pi)).sum(-1)
    ### END SOLUTION


# %% [markdown]
# A check by picture: exp of your function is a density, so the area below it is 1, however wide it is.

# %% tags=["show"]
from course_lib.plots import BLACK, CYCLE, MARKERS, Picture, draw_images, label, new_figure

figure, (axis,) = new_figure(width=6.5, height=3.1)
grid = torch.linspace(-12, 13, 2501).unsqueeze(-1)
for sigma, style in ((0.5, "-"), (1.0, "--"), (2.0, ":")):
    density = gaussian_log_prob(grid, torch.full_like(grid, 0.5), torch.full_like(grid, sigma)).exp()
    area = torch.trapezoid(density, grid.squeeze())
    axis.plot(grid, density, style, lw=2, label=f"σ = {sigma}, area {area:.3f}")
axis.set_xlim(-6, 7)
label(axis, "Wider means lower: the area stays 1", "x", "density p(x)")
axis.legend(frameon=False)
Picture(
    figure, "Three Gaussian densities with standard deviations 0.5, 1 and 2; the wider, the lower, each of area one."
)

# %% [markdown]
# ## A latent variable you can count: the mixture
#
# Let $z$ be one of $K$ components, with probabilities $\pi_k = p(z=k)$, and $p(x|z=k) = \mathcal N(\mu_k, \sigma_k)$. The
# integral becomes a sum, and everything can be computed exactly. First the story itself: draw $z$, then draw $x$. That
# is called **ancestral sampling**.
#
# ### Exercise: `sample_mixture` ({{points sample_mixture}})
#
# <details><summary>Hint 1: drawing z</summary>
#
# `torch.multinomial(weights, n, replacement=True, generator=generator)` draws n component numbers.
#
# </details>
# <details><summary>Hint 2: picking each point's component</summary>
#
# Indexing with a tensor picks rows: `mu[z]` has shape `(n, dim)`.
#
# </details>
# <details><summary>Hint 3: drawing x</summary>
#
# A Gaussian with mean m and standard deviation s is m + s · ε, with ε standard normal:
# `torch.randn(n, dim, generator=generator, dtype=mu.dtype, device=mu.device)`.
#
# </details>


# %% exercise="sample_mixture"
def sample_mixture(n, weights, mu, sigma, generator):
    """Ancestral sampling: z from p(z), then x from p(x|z).

    n: how many points.
    weights: (components,), probabilities p(z).
    mu, sigma: (components, dim), means and standard deviations of p(x|z).
    generator: a torch.Generator, from which all randomness comes, in any order.
    Returns z (n,), int64, and x (n, dim), with the dtype of mu.
    """
    ### BEGIN SOLUTION
    z = torch.multinomial(weights, n, replacement=True, generator=generator)
    eps = torch.randn(n, mu.shape[-1], generator=generator, dtype=mu.dtype, device=mu.device)
    return z, mu[z] + sigma[z] * eps
    ### END SOLUTION


# %% [markdown]
# What you draw is a pair $(z, x)$. What the world shows is $x$ alone.

# %% tags=["show"]
weights = torch.tensor([0.5, 0.3, 0.2])
mu = torch.tensor([[-1.5, 0.0], [1.2, 1.2], [1.5, -1.5]])
sigma = torch.tensor([[0.5, 1.0], [0.9, 0.4], [0.5, 0.5]])
z, x = sample_mixture(600, weights, mu, sigma, torch.Generator().manual_seed(0))

figure, (left, right) = new_figure(2, width=4.2, height=3.6)
left.plot(*x.T, ".", color=BLACK, ms=4, alpha=0.6)
label(left, "What we see: x alone", "x₁", "x₂")
for k in range(3):
    right.plot(*x[z == k].T, MARKERS[k], color=CYCLE[k], ms=4, alpha=0.7, label=f"z = {k}")
label(right, "How it came about: z, then x", "x₁", "x₂")
right.legend(frameon=False)
Picture(
    figure,
    "The same 600 points twice: on the left all alike, on the right marked by the component that they came from.",
)

# %% [markdown]
# ## The likelihood of a mixture
#
# With $z$ countable, $p(x) = \sum_k \pi_k\, \mathcal N(x; \mu_k, \sigma_k)$. In logarithms
#
# $$\log p(x) = \log \sum_k \exp\big( \underbrace{\log \pi_k + \log \mathcal N(x;\mu_k,\sigma_k)}_{\log p(x,\, z=k)} \big).$$
#
# Mind the order: the sum stands *inside* the logarithm. Far from every component each density underflows to 0, so
# exponentiate nothing yourself; `torch.logsumexp` does as `log_mean_exp` did in notebook 00.
#
# ### Exercise: `mixture_log_prob` ({{points mixture_log_prob}})
#
# <details><summary>Hint 1: every point against every component</summary>
#
# `x.unsqueeze(1)` has shape `(batch, 1, dim)`; against `mu (components, dim)` it broadcasts to
# `(batch, components, dim)`. Your `gaussian_log_prob` sums over the last dimension; if it is not right yet,
# `torch.distributions.Normal(mu, sigma).log_prob` does the same for every dimension, so that no exercise waits for another.
#
# </details>
# <details><summary>Hint 2: the joint</summary>
#
# `log_joint = weights.log() + gaussian_log_prob(x.unsqueeze(1), mu, sigma)`, shape `(batch, components)`.
#
# </details>
# <details><summary>Hint 3: the sum over z</summary>
#
# `torch.logsumexp` over the last dimension.
#
# </details>


# %% exercise="mixture_log_prob"
def mixture_log_prob(x, weights, mu, sigma):
    """The log-density of a mixture of diagonal Gaussians.

    x: (batch, dim).
    weights: (components,), probabilities; mu, sigma: (components, dim).
    Returns (batch,), in nats.
    """
    ### BEGIN SOLUTION
    log_likelihood = torch.distributions.Normal(mu, sigma).log_prob(x.unsqueeze(1)).sum(-1)
    log_joint = weights.log() + log_likelihood
    return torch.logsumexp(log_joint, -1)
    ### END SOLUTION


# %% [markdown]
# ## Which cause was it?
#
# "How do we calculate $p(z|x_i)$?" asks the lecture. "This is called **probabilistic inference**." For a mixture Bayes'
# rule answers:
#
# $$p(z=k|x) = \frac{p(x, z=k)}{p(x)} = \frac{\pi_k\,\mathcal N(x;\mu_k,\sigma_k)}{\sum_j \pi_j\,\mathcal N(x;\mu_j,\sigma_j)}.$$
#
# ### Exercise: `mixture_posterior` ({{points mixture_posterior}})
#
# <details><summary>Hint 1: what to normalise</summary>
#
# The joint, prior included, over the components.
#
# </details>
# <details><summary>Hint 2: which function</summary>
#
# Exponentiating logarithms and dividing by their sum has a name: softmax. It is stable where dividing densities gives 0/0.
#
# </details>
# <details><summary>Hint 3: almost code</summary>
#
# `torch.softmax(log_joint, -1)`, with the log_joint of the last exercise.
#
# </details>


# %% exercise="mixture_posterior"
def mixture_posterior(x, weights, mu, sigma):
    """The posterior p(z|x) of a mixture of diagonal Gaussians.

    x: (batch, dim).
    weights: (components,), probabilities; mu, sigma: (components, dim).
    Returns (batch, components); each row is a distribution over z.
    """
    ### BEGIN SOLUTION
    log_likelihood = torch.distributions.Normal(mu, sigma).log_prob(x.unsqueeze(1)).sum(-1)
    log_joint = weights.log() + log_likelihood
    return torch.softmax(log_joint, -1)
    ### END SOLUTION


# %% [markdown]
# Likelihood and posterior of your mixture, seen from above. Between the components the posterior hesitates.

# %% tags=["show"]
axis_values = torch.linspace(-4, 4, 161)
plane = torch.cartesian_prod(axis_values, axis_values)
log_prob = mixture_log_prob(plane, weights, mu, sigma).reshape(161, 161).T
posterior = mixture_posterior(plane, weights, mu, sigma)
confidence = posterior.amax(-1).reshape(161, 161).T

figure, (left, right) = new_figure(2, width=4.4, height=3.6)
shown = left.contourf(axis_values, axis_values, log_prob.clamp(min=-12), levels=14, cmap="cividis")
figure.colorbar(shown, ax=left, label="log p(x), nats")
label(left, "Three hills make one likelihood", "x₁", "x₂")
shown = right.contourf(axis_values, axis_values, confidence, levels=14, cmap="cividis")
figure.colorbar(shown, ax=right, label="largest p(z|x)")
right.plot(*mu.T, "X", color="white", mec=BLACK, ms=9)
label(right, "In the valleys z is anybody's guess", "x₁", "x₂")
Picture(
    figure,
    "Left: contours of log p(x) with three hills. Right: the largest posterior probability, near one around each component and lower in the valleys between.",
)

# %% [markdown]
# ## On real digits
#
# Now $x$ is an image. To see it in the plane, we keep its two directions of largest variance (principal components),
# and take one Gaussian for each of the digits 0, 1 and 7. The labels are used only to place the Gaussians; your
# posterior then names the digit of images it has never seen.

# %% tags=["nbval-check-output", "show"]
from course_lib.data import load_images

chosen = torch.tensor([0, 1, 7])


def digits(split):
    data = load_images(split)
    keep = torch.isin(data.labels, chosen)
    return data.images[keep, 0], data.flat()[keep], torch.searchsorted(chosen, data.labels[keep])


train_images, train_x, train_z = digits("train")
test_images, test_x, test_z = digits("test")
centre = train_x.mean(0)
directions = torch.linalg.svd(train_x - centre, full_matrices=False).Vh[:2].T
directions = directions * directions.sum(0).sign()  # the sign of a principal direction is a convention
train_x, test_x = (train_x - centre) @ directions, (test_x - centre) @ directions

digit_weights = torch.bincount(train_z) / len(train_z)
digit_mu = torch.stack([train_x[train_z == k].mean(0) for k in range(3)])
digit_sigma = torch.stack([train_x[train_z == k].std(0) for k in range(3)])

posterior = mixture_posterior(test_x, digit_weights, digit_mu, digit_sigma)
right_digit = (posterior.argmax(-1) == test_z).float().mean()
print(f"{len(test_x)} test images; the most likely z is the right digit for {right_digit:.0%} of them")

# %% tags=["show"]
unsure = posterior.amax(-1).argsort()[:8]
figure, (left, right) = new_figure(2, width=4.4, height=3.7)
for k in range(3):
    left.plot(*test_x[test_z == k].T, MARKERS[k], color=CYCLE[k], ms=3, alpha=0.6, label=f"digit {int(chosen[k])}")
left.plot(*test_x[unsure].T, "o", color="none", mec=BLACK, ms=9, label="least sure")
label(left, "Three digits in the plane", "first direction", "second direction")
left.legend(frameon=False, fontsize=8)
draw_images(right, test_images[unsure], columns=4)
right.set_title("The images whose digit is least sure", loc="left", fontsize=10.5)
right.set_xlabel("largest p(z|x) between " + " and ".join(f"{posterior[i].max():.2f}" for i in (unsure[0], unsure[-1])))
Picture(
    figure,
    "Left: test images of the digits 0, 1 and 7 in the plane of two principal directions. Right: the eight images whose posterior is least certain.",
)

# %% [markdown]
# ## What if nobody told us the labels?
#
# Then we would look for parameters $\theta$ that make the data likely, but $z_i$ is missing. The lecture's first
# thought: *guess the most likely $z$ given $x_i$, and pretend it is the right one*. Its second: *there are many possible
# values of $z$, so use the distribution $p(z|x_i)$*, and maximise the **expected log-likelihood**
#
# $$\theta \leftarrow \arg\max_\theta \frac1N \sum_i E_{z \sim p(z|x_i)}\big[\log p_\theta(x_i, z)\big].$$
#
# ### Exercise: `expected_log_joint` ({{points expected_log_joint}})
#
# <details><summary>Hint 1: an expectation over a countable z</summary>
#
# It is a sum over the components, each term weighted by its posterior probability.
#
# </details>
# <details><summary>Hint 2: the two ingredients</summary>
#
# `posterior (batch, components)` and `log_joint (batch, components)`, from the last two exercises.
#
# </details>
# <details><summary>Hint 3: almost code</summary>
#
# `(posterior * log_joint).sum(-1)`. The logarithm is inside the expectation, so there is no logsumexp here.
#
# </details>


# %% exercise="expected_log_joint"
def expected_log_joint(x, weights, mu, sigma):
    """The expected log-joint E[log p(x, z)] under the posterior p(z|x).

    x: (batch, dim).
    weights: (components,), probabilities; mu, sigma: (components, dim).
    Returns (batch,), in nats.
    """
    ### BEGIN SOLUTION
    log_likelihood = torch.distributions.Normal(mu, sigma).log_prob(x.unsqueeze(1)).sum(-1)
    log_joint = weights.log() + log_likelihood
    return (torch.softmax(log_joint, -1) * log_joint).sum(-1)
    ### END SOLUTION


# %% [markdown]
# How far apart are the three: $\log p(x)$, the expectation under the posterior, and the guess of the most likely $z$?
# We move $x$ from one component to another and look.

# %% tags=["show"]
steps = torch.linspace(-0.6, 1.6, 200).unsqueeze(-1)
path = mu[0] + steps * (mu[1] - mu[0])
log_joint = weights.log() + gaussian_log_prob(path.unsqueeze(1), mu, sigma)

figure, (axis,) = new_figure(width=7.0, height=3.5)
axis.plot(steps, mixture_log_prob(path, weights, mu, sigma), lw=2.2, label="log p(x)")
axis.plot(steps, log_joint.amax(-1), "--", lw=2, label="log p(x, z) at the most likely z")
axis.plot(steps, expected_log_joint(path, weights, mu, sigma), ":", lw=2.4, label="E[log p(x, z)] under p(z|x)")
label(axis, "Where z is uncertain, the three differ", "from component 0 (at 0) to component 1 (at 1)", "nats")
axis.legend(frameon=False)
Picture(
    figure,
    "Three curves along a path between two components: log p(x) on top, the most likely z below, the expected log-joint lowest; they meet where the posterior is sure.",
)

# %% [markdown]
# The distance between the top and the bottom curve has a name, and notebook 02 is about it.
#
# ## A latent variable you cannot count
#
# A mixture of ten components knows ten kinds of things. The lecture's model replaces the table of means by a network, the
# **decoder**, and the component number by a vector:
#
# $$p(z) = \mathcal N(0, I), \qquad p(x|z) = \mathcal N(\mu_{nn}(z), \sigma).$$
#
# Now $p(x) = \int p(x|z)\,p(z)\,dz$ is an integral over all vectors $z$, and no formula gives it. But it is an
# expectation, $p(x) = E_{z\sim p(z)}[p(x|z)]$, and expectations can be estimated: draw $z_1, \dots, z_S$ from the prior and
# average,
#
# $$\log p(x) \approx \log \frac1S \sum_{s=1}^S p(x|z_s).$$
#
# ### Exercise: `monte_carlo_log_likelihood` ({{points monte_carlo_log_likelihood}})
#
# <details><summary>Hint 1: shapes</summary>
#
# `decoder(z)` is `(samples, batch, dim)`. `gaussian_log_prob(x, decoder(z), sigma)` broadcasts x over the samples and is
# `(samples, batch)`.
#
# </details>
# <details><summary>Hint 2: the average</summary>
#
# It stands inside the logarithm, over dimension 0: your `log_mean_exp` of notebook 00.
#
# </details>
# <details><summary>Hint 3: sigma may be a number</summary>
#
# If your `gaussian_log_prob` calls `sigma.log()`, make a tensor first:
# `torch.as_tensor(sigma, dtype=x.dtype, device=x.device)`.
#
# </details>


# %% exercise="monte_carlo_log_likelihood"
def monte_carlo_log_likelihood(x, z, decoder, sigma):
    """Estimate log p(x) as the log of the average of p(x|z) over samples of the prior.

    x: (batch, dim).
    z: (samples, batch, latent_dim), drawn from the prior p(z).
    decoder: maps z to the mean of p(x|z), (samples, batch, dim).
    sigma: standard deviation of p(x|z), a positive number or a tensor that broadcasts to (dim,).
    Returns (batch,), in nats.
    """
    ### BEGIN SOLUTION
    log_likelihood = torch.distributions.Normal(decoder(z), sigma).log_prob(x).sum(-1)
    return torch.logsumexp(log_likelihood, 0) - math.log(len(z))
    ### END SOLUTION


# %% [markdown]
# Before you look at what it does, two predictions.

# %% exercise="bias_prediction"
# With few samples, where does the estimate of log p(x) lie on average: "above", "below" or "exactly at" log p(x)?
bias_prediction = None
### BEGIN SOLUTION
bias_prediction = "below"
### END SOLUTION

# %% exercise="dimension_prediction"
# The latent space grows from 1 to 20 dimensions. How many prior samples does an estimate of the same quality need:
# "the same number", "20 times as many" or "exponentially many"?
dimension_prediction = None
### BEGIN SOLUTION
dimension_prediction = "exponentially many"
### END SOLUTION

# %% [markdown]
# Now play. On the left the model in one dimension; on the right 200 estimates, each from its own samples. First turn up
# the number of samples. Then turn up the dimension, and see how many samples it takes to get back.

# %% tags=["explorer", "show"]
from course_lib import explorers

explorers.monte_carlo

# %% [markdown]
# The same as a table, with your function. Every dimension is a copy of the one above, so the exact $\log p(x)$ is known,
# and the columns show how far below it the estimate lies on average, and how much it moves. Numbers in nats.


# %% tags=["nbval-check-output", "show"]
def decoder(z):
    return 1.5 * torch.sin(1.2 * z) + 0.5 * z  # the decoder of the picture, in every dimension


fine = torch.linspace(-8, 8, 4001, dtype=torch.float64).unsqueeze(-1)
observed = torch.full((1,), 1.2, dtype=torch.float64)
prior = gaussian_log_prob(fine, torch.zeros(1), torch.ones(1))
exact_1d = torch.logsumexp(prior + gaussian_log_prob(observed, decoder(fine), torch.tensor([0.4])), 0) + math.log(
    16 / 4000
)

generator = torch.Generator().manual_seed(1)
print("dimension   samples   mean error   spread")
for dim in (1, 5, 20):
    for samples in (10, 1000):
        z = torch.randn(samples, 200, dim, generator=generator)
        estimate = monte_carlo_log_likelihood(torch.full((200, dim), 1.2), z, decoder, 0.4)
        error = estimate.double() - dim * exact_1d
        print(f"{dim:9d} {samples:9d} {error.mean():12.2f} {error.std():8.2f}")

# %% [markdown]
# In twenty dimensions even a thousand samples are nats away: hardly any sample drawn from the *prior* comes near the
# places that explain this $x$. If only we could draw $z$ from where it matters, from something like $p(z|x)$. That is
# the idea of the variational approximation, and the next notebook prepares it.
#
# ## The points so far

# %% tags=["nbval-check-output", "show"]
summary("01_latent_variable_models")

# %% [markdown]
# **What you did.** You wrote the two easy pieces, drew from them, summed the cause out of a mixture, inferred it with
# Bayes' rule, and saw a Monte Carlo estimate fail in many dimensions.
#
# **What comes next.** Notebook [02](../02_jensen_entropy_kl/02_jensen_entropy_kl.ipynb): the lower bound on $\log p(x)$
# that makes all of this trainable.
#
# **References.** The lecture, parts "Latent variable models in general" and "Estimating the log-likelihood". Burda,
# Grosse and Salakhutdinov, *Importance weighted autoencoders*, 2015, estimate the likelihood of a trained model on MNIST
# with 5,000 samples per image drawn from a learned $q(z|x)$, not from the prior: by now you know why.
