# %% [markdown]
# # 01 · Latent variable models
#
# {{colab}}
#
# **Where this stands in the lecture**: "Latent variable models in general" and "Estimating the log-likelihood".
#
# **After it you can** write a model with a hidden cause, draw from it, compute its likelihood and its posterior where
# sums allow it, fit it when nobody tells you the causes, estimate the likelihood where sums end, and say why that
# estimate fails as dimensions grow.
#
# **Time**: 90–150 minutes. **Points**: {{topic points}}.

# %% setup=true

# %%
import math

import torch

from course_lib.checks import using
from course_lib.figures import latent_variable_models as figures

# %% [markdown]
# ## A hidden cause
#
# Data often has a cause that we do not see. Somebody thought of a digit, then wrote it; we see the ink. Call what we see
# $x$ and what we do not see $z$, the **latent variable**. A latent variable model tells the story in two steps, each of
# them easy:
#
# $$z \sim p(z), \qquad x \sim p(x|z).$$

# %% tags=["show"]
figures.hidden_cause()

# %% [markdown]
# Circles are random variables, grey where we see them. The frame stands for $N$ images, and $\theta$, the parameters of
# the model, stands outside: it is the same for all of them.
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
figures.bell_curves(using("gaussian_log_prob"))

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
draw = using("sample_mixture")

figures.two_views(*draw(600, weights, mu, sigma, torch.Generator().manual_seed(0)))

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
log_prob, posterior = using("mixture_log_prob"), using("mixture_posterior")

figures.hills_and_valleys(log_prob, posterior, weights, mu, sigma)

# %% [markdown]
# ## On real digits
#
# Now $x$ is an image. To see it in the plane, we keep its two directions of largest variance (principal components),
# and take one Gaussian for each of the digits 0, 1 and 7. The labels are used only to place the Gaussians; your
# posterior then names the digit of images it has never seen.

# %% fold=true tags=["show"]
# Loads the digits 0, 1 and 7, and finds the plane in which they vary most
from course_lib.data import load_images, principal_directions

chosen = torch.tensor([0, 1, 7])


def digits(split):
    data = load_images(split)
    keep = torch.isin(data.labels, chosen)
    return data.images[keep, 0], data.flat()[keep], torch.searchsorted(chosen, data.labels[keep])


train_images, train_x, train_z = digits("train")
test_images, test_x, test_z = digits("test")
centre, directions = principal_directions(train_x, 2)
train_x, test_x = (train_x - centre) @ directions, (test_x - centre) @ directions

# %% fold=true tags=["nbval-check-output", "show"]
# @title Three Gaussians, placed by the labels
placed = (
    torch.bincount(train_z) / len(train_z),
    torch.stack([train_x[train_z == k].mean(0) for k in range(3)]),
    torch.stack([train_x[train_z == k].std(0) for k in range(3)]),
)
sure = posterior(test_x, *placed)
right_digit = (sure.argmax(-1) == test_z).float().mean()
print(f"{len(test_x)} test images; the most likely z is the right digit for {right_digit:.0%}")

# %% tags=["show"]
figures.three_digits(test_x, test_z, test_images, sure, chosen.tolist())

# %% [markdown]
# ## What if nobody told us the labels?
#
# Then we would look for parameters $\theta$ that make the data likely, but $z_i$ is missing. The lecture's first
# thought: *guess the most likely $z$ given $x_i$, and pretend it is the right one*. Its second: *there are many possible
# values of $z$, so use the distribution $p(z|x_i)$*, and maximise the **expected log-likelihood**
#
# $$\theta \leftarrow \arg\max_\theta \frac1N \sum_i E_{z \sim p(z|x_i)}\big[\log p_\theta(x_i, z)\big].$$
#
# The posterior is that of the parameters we have; the arrow leads to better ones, which have a posterior of their own,
# and so on. First the expectation, then the maximum.
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
figures.between_components(log_prob, using("expected_log_joint"), weights, mu, sigma)

# %% [markdown]
# The distance between the top and the bottom curve has a name, and notebook 02 is about it.
#
# ## The maximum: a derivation with a gap
#
# Hold the posterior fixed, and call it $r_{ik} = p(z=k|x_i)$. Of everything in the expected log-likelihood, only this
# depends on the mean $\mu_k$ of one component:
#
# $$J(\mu_k) = \sum_i r_{ik} \log \mathcal N(x_i; \mu_k, \sigma_k)
# = -\sum_i r_{ik}\,\tfrac12\Big(\frac{x_i - \mu_k}{\sigma_k}\Big)^2 + \text{a constant}.$$
#
# At the maximum its derivative is zero,
#
# $$\sum_i r_{ik}\,\frac{x_i - \mu_k}{\sigma_k^2} = 0
# \quad\Longrightarrow\quad \sum_i r_{ik}\,x_i = \mu_k \sum_i r_{ik}
# \quad\Longrightarrow\quad \mu_k = \boxed{?}$$
#
# ### Exercise: `maximising_means` ({{points maximising_means}})
#
# Fill the box, for all components at once. Does it say what it should when $r_{ik}$ is a label, 1 for one component and 0
# for the others?
#
# <details><summary>Hint 1: in words</summary>
#
# A weighted mean of the points, point i with the weight $r_{ik}$.
#
# </details>
# <details><summary>Hint 2: the shapes</summary>
#
# `posterior.T` is `(components, batch)` and `x` is `(batch, dim)`: their product sums over the batch and is
# `(components, dim)`.
#
# </details>
# <details><summary>Hint 3: almost code</summary>
#
# `posterior.T @ x`, divided by `posterior.sum(0)` with a dimension added: `.unsqueeze(-1)`.
#
# </details>


# %% exercise="maximising_means"
def maximising_means(x, posterior):
    """The means that maximise the expected log-joint while the posterior is held fixed.

    x: (batch, dim).
    posterior: the r_ik, (batch, components); each row sums to one.
    Returns (components, dim).
    """
    ### BEGIN SOLUTION
    return posterior.T @ x / posterior.sum(0).unsqueeze(-1)
    ### END SOLUTION


# %% [markdown]
# The same derivation for the other parameters gives two more weighted means:
#
# $$\pi_k = \frac1N \sum_i r_{ik}, \qquad
# \sigma_k^2 = \frac{\sum_i r_{ik}\,(x_i - \mu_k)^2}{\sum_i r_{ik}}
# = \frac{\sum_i r_{ik}\,x_i^2}{\sum_i r_{ik}} - \mu_k^2 \quad\text{with the new } \mu_k.$$
#
# ### Exercise: `em_step` ({{points em_step}})
#
# Posterior, maximum, and again: this is **expectation-maximisation**, EM. Write one round with the functions that you
# have. It takes three lines.
#
# <details><summary>Hint 1: the three lines</summary>
#
# The posterior at the old parameters; the new means; the new standard deviations. The new weights are the mean of the
# posterior over the points.
#
# </details>
# <details><summary>Hint 2: the standard deviations</summary>
#
# The second form of $\sigma_k^2$ has the weighted mean of $x_i^2$ in it: `maximising_means(x**2, posterior)`.
#
# </details>
# <details><summary>Hint 3: almost code</summary>
#
# `sigma = (maximising_means(x**2, posterior) - mu**2).sqrt()`, with the new `mu`.
#
# </details>


# %% exercise="em_step"
def em_step(x, weights, mu, sigma):
    """One round of EM: maximises the expected log-joint under the old posterior.

    x: (batch, dim).
    weights: (components,), probabilities; mu, sigma: (components, dim).
    Returns the new weights (components,), mu (components, dim) and sigma (components, dim).
    """
    ### BEGIN SOLUTION
    posterior = mixture_posterior(x, weights, mu, sigma)
    mu = maximising_means(x, posterior)
    sigma = (maximising_means(x**2, posterior) - mu**2).sqrt()
    return posterior.mean(0), mu, sigma
    ### END SOLUTION


# %% [markdown]
# Now the question itself. The same digits, and no label: three Gaussians start at three digits picked by chance, as wide
# as all digits together.

# %% fold=true tags=["show"]
# @title Thirty of your rounds, from three digits picked by chance
one_round = using("em_step")
start = torch.randperm(len(train_x), generator=torch.Generator().manual_seed(0))[:3]
found = torch.full((3,), 1 / 3), train_x[start], train_x.std(0).expand(3, 2)

history = []
for _ in range(30):
    history.append(log_prob(train_x, *found).mean().item())
    found = one_round(train_x, *found)

told = log_prob(train_x, *placed).mean().item()
figures.found_without_labels(train_x, placed, found, history, told)

# %% [markdown]
# It never goes down: no round of EM lowers the likelihood. (The bound of notebook 02 is the reason.) In the end the
# training digits are even a little likelier than under the Gaussians placed by labels: those maximise $\log p(x, z)$ with
# the labels for $z$, and EM maximises $\log p(x)$.
#
# Has it found the digits? We name each Gaussian after the digit that most of its training images show, and compare.

# %% fold=true tags=["nbval-check-output", "show"]
# Names the Gaussians that EM has found, and counts how often the name is right
belongs = posterior(train_x, *found).argmax(-1)
named = torch.stack([torch.bincount(train_z[belongs == k], minlength=3).argmax() for k in range(3)])
named_right = (named[posterior(test_x, *found).argmax(-1)] == test_z).float().mean()
print("the three Gaussians are the digits", ", ".join(str(d) for d in sorted(chosen[named].tolist())))
print(f"right digit, placed by labels:     {right_digit:.0%} of the test images")
print(f"right digit, found without labels: {named_right:.0%}")

# %% [markdown]
# So that is the answer. That there are three kinds, each a Gaussian cloud, is what we told the model; which image is of
# which kind it found out by itself. Labels were needed for the names.
#
# And the lecture's first thought, the most likely $z$ as if it were the right one? Its weakness shows where causes overlap.
# Here are 5,000 points from two Gaussians of width 1 whose means are two widths apart. Both ways start at the truth, and
# go a hundred rounds.

# %% fold=true tags=["nbval-check-output", "show"]
# Fits two overlapping Gaussians with the posterior, and with the most likely z in its place
true = torch.tensor([0.5, 0.5]), torch.tensor([[-1.0], [1.0]]), torch.ones(2, 1)
true = tuple(part.double() for part in true)
overlapping = draw(5000, *true, torch.Generator().manual_seed(0))[1]
means = using("maximising_means")


def guess_round(x, *mixture):
    guess = torch.nn.functional.one_hot(posterior(x, *mixture).argmax(-1)).to(x.dtype)
    mu = means(x, guess)
    return guess.mean(0), mu, (means(x**2, guess) - mu**2).sqrt()


def row(name, mixture):
    numbers = torch.cat([mixture[1].flatten(), mixture[2].flatten()]).tolist()
    print(name + "".join(f"{number:8.2f}" for number in numbers))


print(" " * 28 + "    means             σ")
row("the truth                   ", true)
for name, step in (("with the posterior          ", one_round), ("with the most likely z alone", guess_round)):
    fitted = true
    for _ in range(100):
        fitted = step(overlapping, *fitted)
    row(name, fitted)

# %% [markdown]
# The guess cuts the points in two where the Gaussians cross, and each side is narrower, and its mean further out, than the
# Gaussian that it came from. *"But there are many possible values of $z$"*: that is why the posterior is used.
#
# Two things made EM possible. The posterior was a softmax, and the maximum had a formula. The lecture's models have
# neither: "but... how do we calculate $p(z|x_i)$?" is the question from here on.
#
# ## A latent variable you cannot count
#
# A mixture of ten components knows ten kinds of things. The lecture's model replaces the table of means by a network, the
# **decoder**, and the component number by a vector:
#
# $$p(z) = \mathcal N(0, I), \qquad p(x|z) = \mathcal N(\mu_{nn}(z), \sigma).$$

# %% tags=["show"]
figures.way_of_a_sample()

# %% [markdown]
# **The lecture writes $\sigma_{nn}(z)$, and we write $\sigma$.** In the mixture every $z$ had its own $\sigma_k$, and the
# lecture's decoder gives every $z$ its own $\sigma_{nn}(z)$. Both are fine as models. As something to *maximise* they have
# a hole. Put one Gaussian of a mixture on top of a single training digit, and make it narrow:

# %% fold=true tags=["nbval-check-output", "show"]
# Puts a narrow Gaussian on one training digit, beside a wide one for all
everywhere, lonely = train_x.mean(0), train_x[0]
print("its σ     log p of that digit   mean log p of unseen digits")
for narrow in (1.0, 1e-2, 1e-4, 1e-6):
    widths = torch.stack([train_x.std(0), torch.full((2,), narrow)])
    trap = torch.tensor([0.9, 0.1]), torch.stack([everywhere, lonely]), widths
    print(f"{narrow:.0e} {log_prob(lonely[None], *trap).item():18.1f} {log_prob(test_x, *trap).mean():23.2f}")

# %% [markdown]
# The likelihood of that one digit grows without end, and with it that of the training set; unseen digits gain nothing. A
# network that is free to choose $\sigma_{nn}(z)$ has the same hole: where it draws a training image exactly, it can make
# $\sigma$ as small as it likes. A constant closes it. It also makes the formula easy to read,
#
# $$\log p(x|z) = -\frac{1}{2\sigma^2}\,\lVert x - \mu_{nn}(z)\rVert^2 + \text{a constant}:$$
#
# the squared distance between $x$ and what the decoder draws, and $\sigma$ says how much a distance counts. With
# $\sigma_{nn}(z)$ the constant would be none. Nothing else changes: what is true of $p(x|z)$ in this course, bounds and
# gradients included, is true with $\sigma_{nn}(z)$ too.
#
# ## An integral, estimated
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
# With few samples, where does the estimate of log p(x) lie on average?
# Choose one of: "above", "below", "exactly at" (log p(x))
bias_prediction = None
### BEGIN SOLUTION
bias_prediction = "below"
### END SOLUTION

# %% exercise="dimension_prediction"
# The latent space grows from 1 to 20 dimensions.
# How many prior samples does an estimate of the same quality need?
# Choose one of: "the same number", "20 times as many", "exponentially many"
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


# %% fold=true tags=["nbval-check-output", "show"]
# Measures your estimate against the exact log p(x), which is a fine sum over z in each dimension
def decoder(z):
    return 1.5 * torch.sin(1.2 * z) + 0.5 * z


fine = torch.linspace(-8, 8, 4001, dtype=torch.float64)
log_joint = torch.distributions.Normal(0.0, 1.0).log_prob(fine)
log_joint = log_joint + torch.distributions.Normal(decoder(fine), 0.4).log_prob(torch.tensor(1.2))
exact_1d = torch.logsumexp(log_joint, 0) + math.log(16 / 4000)

estimate_log_p = using("monte_carlo_log_likelihood")
generator = torch.Generator().manual_seed(1)
print("dimension   samples   mean error   spread")
for dim in (1, 5, 20):
    for samples in (10, 1000):
        z = torch.randn(samples, 200, dim, generator=generator)
        estimate = estimate_log_p(torch.full((200, dim), 1.2), z, decoder, 0.4)
        error = estimate.double() - dim * exact_1d
        print(f"{dim:9d} {samples:9d} {error.mean():12.2f} {error.std():8.2f}")

# %% [markdown]
# In twenty dimensions even a thousand samples are nats away: hardly any sample drawn from the *prior* comes near the
# places that explain this $x$. If only we could draw $z$ from where it matters, from something like $p(z|x)$. That is
# the idea of the variational approximation, and the next notebook prepares it.
#
# ## An open task: fifty Gaussians for all ten digits
#
# Now all ten digits, along their 20 principal directions. Fit a mixture of at most 50 Gaussians to the 10,000 training
# digits so that the 2,000 test digits are as likely as possible: the mean of $\log p(x)$, in nats. It earns no points; the
# summary shows your best beside the course's own.
#
# Yours to change: the start, how many Gaussians, how many rounds, the round itself, which of several attempts you keep.
# Choose with training digits that you set aside: the test digits are for the measurement.

# %% tags=["show"]
from tqdm.auto import tqdm

from course_lib.challenges import attempt
from course_lib.challenges.latent_variable_models import images_of, training_digits

x = training_digits()
start = torch.randperm(len(x), generator=torch.Generator().manual_seed(0))[:10]
made = torch.full((10,), 0.1, dtype=x.dtype), x[start], x.std(0).expand(10, -1)
for _ in tqdm(range(20)):
    made = one_round(x, *made)

# %% tags=["nbval-check-output", "show"]
attempt("01_latent_variable_models", *made)

# %% tags=["show"]
figures.what_components_stand_for(images_of(made[1]), made[0])

# %% [markdown]
# ## The points so far

# %% tags=["nbval-check-output", "show"]
summary("01_latent_variable_models")

# %% [markdown]
# **What you did.** You wrote the two easy pieces, drew from them, summed the cause out of a mixture, inferred it with
# Bayes' rule, found three digits without a label, and saw a Monte Carlo estimate fail in many dimensions.
#
# **What comes next.** Notebook [02](../02_jensen_entropy_kl/02_jensen_entropy_kl.ipynb): the lower bound on $\log p(x)$
# that makes all of this trainable.
#
# **References.** The lecture, parts "Latent variable models in general" and "Estimating the log-likelihood". Dempster,
# Laird and Rubin, *Maximum likelihood from incomplete data via the EM algorithm*, 1977. Burda, Grosse and Salakhutdinov,
# *Importance weighted autoencoders*, 2015, estimate the likelihood of a trained model on MNIST with 5,000 samples per
# image drawn from a learned $q(z|x)$, not from the prior: by now you know why.
