# %% [markdown]
# # 03 · Variational inference, one data point at a time
#
# {{colab}}
#
# **Where this stands in the lecture**: "How do we use this?" and "What's the problem?".
#
# **After it you can** fit a Gaussian $q_i$ to the posterior of each data point by gradient ascent, train a decoder and all
# $q_i$ in turns on real images, and say why nobody does it this way for long.
#
# **Time**: 75–120 minutes. **Points**: {{topic points}}.

# %% setup=true

# %% fold=true
# @title What this notebook imports
import time

import torch
from tqdm.auto import tqdm

from course_lib import explorers
from course_lib.challenges import attempt
from course_lib.checks import using
from course_lib.data import load_images
from course_lib.figures import variational_inference as figures
from course_lib.linear_gaussian import linear_gaussian_evidence, linear_gaussian_posterior
from course_lib.patients import load_patient
from course_lib.per_point import improve_q

# %% [markdown]
# ## A bound that can be climbed
#
# Notebook 02 left us with a bound for every data point,
#
# $$\log p_\theta(x_i) \;\ge\; \mathcal L_i = E_{z\sim q_i(z)}\big[\log p_\theta(x_i|z) + \log p(z)\big] + \mathcal H(q_i),$$
#
# and with the insight that raising it over $q_i$ brings $q_i$ nearer to $p(z|x_i)$. To raise it we need its gradient, so
# we need it as something to differentiate. Take $q_i = \mathcal N(\mu_i, \sigma_i)$, one $\mu_i$ and one $\sigma_i$ for each
# data point, and write the samples of $q_i$ as
#
# $$z_s = \mu_i + \sigma_i\,\epsilon_s, \qquad \epsilon_s\sim\mathcal N(0, I).$$
#
# The noise does not depend on $\mu_i$ and $\sigma_i$. Whoever calls the function below draws it, anew for each step, and hands
# it in; inside, nothing is drawn. So the samples move when $\mu_i$ and $\sigma_i$ move, and autograd can follow. (Notebook 05
# asks what this step was worth.) The entropy of a Gaussian needs no samples, it is known. For $p_\theta(x|z)$ we take
# $\mathcal N(\text{decoder}(z), \sigma_x)$, for $p(z)$ the standard normal.
#
# A standard deviation must stay positive, a parameter under gradient ascent knows no such thing. So the parameter is
# $\log\sigma_i$, any real number, in this notebook and all that follow.
#
# ### Exercise: `per_point_elbo` ({{points per_point_elbo}})
#
# <details><summary>Hint 1: the pieces</summary>
#
# Three log-densities and an entropy, all known from notebooks 01 and 02: log p(x|z), log p(z), H(q). Each sums over its last
# dimension.
#
# </details>
# <details><summary>Hint 2: the shapes</summary>
#
# `z` is (samples, batch, latent_dim), `decoder(z)` is (samples, batch, dim), `x` is (batch, dim): it broadcasts. After the sums
# you have (samples, batch); average over dimension 0.
#
# </details>
# <details><summary>Hint 3: the entropy</summary>
#
# Per dimension log σ + ½ log 2πe, and log σ is what you are given.
#
# </details>


# %% exercise="per_point_elbo"
def per_point_elbo(x, mu, log_sigma, eps, decoder, sigma_x):
    """The evidence lower bound of each data point, with a q of its own.

    x: (batch, dim).
    mu, log_sigma: parameters of the q_i, (batch, latent_dim).
    eps: standard Gaussian noise, (samples, batch, latent_dim); average over the samples.
    decoder: maps z to the mean of p(x|z), (..., dim) for any leading shape.
    sigma_x: standard deviation of p(x|z), a positive number, or what broadcasts to (dim,).
    Returns (batch,), in nats. The entropy of q_i is used in closed form.
    """
    ### BEGIN SOLUTION
    sigma = log_sigma.exp()
    z = mu + sigma * eps
    normal = torch.distributions.Normal
    log_likelihood = normal(decoder(z), sigma_x).log_prob(x).sum(-1)
    log_prior = normal(torch.zeros_like(z), torch.ones_like(z)).log_prob(z).sum(-1)
    return (log_likelihood + log_prior).mean(0) + normal(mu, sigma).entropy().sum(-1)
    ### END SOLUTION


# %% [markdown]
# ## One step uphill
#
# The lecture: use the gradients $\nabla_{\mu_i}\mathcal L_i$ and $\nabla_{\sigma_i}\mathcal L_i$. With a step size $\alpha$,
#
# $$\mu_i \leftarrow \mu_i + \alpha\,\nabla_{\mu_i}\mathcal L_i, \qquad
# \log\sigma_i \leftarrow \log\sigma_i + \alpha\,\nabla_{\log\sigma_i}\mathcal L_i .$$
#
# Both gradients are taken at the old values, then both steps are made. A batch is a convenience here, nothing more: how
# far $q_1$ moves must not depend on who sits beside it.
#
# ### Exercise: `ascend_q` ({{points ascend_q}})
#
# <details><summary>Hint 1: leaves</summary>
#
# Autograd gives gradients for leaves that require them: `mu.detach().clone().requires_grad_()`.
#
# </details>
# <details><summary>Hint 2: the gradient of many bounds at once</summary>
#
# L_1 does not contain μ_2. So the gradient of the *sum* of all L_i with respect to `mu` has in row i the gradient of L_i
# alone: `torch.autograd.grad(elbo.sum(), (mu, log_sigma))`.
#
# </details>
# <details><summary>Hint 3: the bound</summary>
#
# Use your `per_point_elbo`. Should it not be right yet, only its own points are lost: what you write here is judged for itself.
#
# </details>


# %% exercise="ascend_q"
def ascend_q(x, mu, log_sigma, eps, decoder, sigma_x, step_size):
    """One gradient-ascent step of every q_i along its own gradient.

    x, mu, log_sigma, eps, decoder, sigma_x: as in per_point_elbo.
    step_size: a positive number.
    Returns new mu and log_sigma, (batch, latent_dim); the inputs stay as they are.
    """
    ### BEGIN SOLUTION
    mu, log_sigma = mu.detach().clone().requires_grad_(), log_sigma.detach().clone().requires_grad_()
    elbo = per_point_elbo(x, mu, log_sigma, eps, decoder, sigma_x)
    step_mu, step_log_sigma = torch.autograd.grad(elbo.sum(), (mu, log_sigma))
    return (mu + step_size * step_mu).detach(), (log_sigma + step_size * step_log_sigma).detach()
    ### END SOLUTION


# %% [markdown]
# ## Where should it arrive?
#
# In the linear-Gaussian model of notebook 02 the posterior is known, and there the climb has an end that can be computed. Take
# one latent dimension, $\text{decoder}(z) = wz + b$ with a vector $w$.
#
# ### Exercise: `optimal_sigma` ({{points optimal_sigma}})
#
# *A derivation to complete.* Which width makes $\mathcal L_i$ largest? Under $q_i$ both squares in the bound spread with $z$,
# as in notebook 02:
#
# $$E_{q_i}\big[\|x_i-b-wz\|^2\big] = \|x_i-b-w\mu_i\|^2 + \|w\|^2\sigma_i^2, \qquad E_{q_i}[z^2] = \mu_i^2 + \sigma_i^2.$$
#
# The first enters $\log p(x_i|z)$ with the factor $-\tfrac1{2\sigma_x^2}$, the second $\log p(z)$ with $-\tfrac12$, and the
# entropy brings $\log\sigma_i$. Collect every term in which $\sigma_i$ occurs:
#
# $$\mathcal L_i = -\tfrac12\,\lambda\,\sigma_i^2 + \log\sigma_i + (\text{terms without }\sigma_i), \qquad
# \frac{\partial\mathcal L_i}{\partial\sigma_i} = -\lambda\,\sigma_i + \frac1{\sigma_i} = 0
# \quad\Longrightarrow\quad \sigma_i = \boxed{\;?\;}$$
#
# Find $\lambda$, and type what belongs in the box, an expression in $w$ and $\sigma_x$.
#
# <details><summary>Hint 1</summary>
#
# λ has two parts: one from log p(x|z), with ‖w‖² and σ_x², and one from log p(z), which is a plain number.
#
# </details>
# <details><summary>Hint 2: ‖w‖²</summary>
#
# `(w**2).sum()`, or `w @ w`.
#
# </details>


# %% exercise="optimal_sigma"
def optimal_sigma(w, sigma_x):
    """The standard deviation of q_i at which the bound is largest, for the decoder z -> w z + b.

    w: (dim,); z has one dimension.
    sigma_x: standard deviation of p(x|z), a positive scalar tensor.
    Returns a scalar.
    """
    ### BEGIN SOLUTION
    return 1 / (1 + (w**2).sum() / sigma_x**2).sqrt()
    ### END SOLUTION


# %% [markdown]
# No $x_i$ occurs in it: in this model every image is known with the same certainty. Now let two $q_i$ climb from the prior,
# with new noise in each step, and see whether they arrive there.

# %% fold=true tags=["show", "nbval-check-output"]
# @title Two q climb from the prior, sixty steps
elbo, ascend, width = using("per_point_elbo"), using("ascend_q"), using("optimal_sigma")
w, b, sigma_x = torch.tensor([1.2, -0.5, 0.8]), torch.tensor([0.2, -0.1, 0.4]), torch.tensor(0.6)
x = torch.tensor([[1.0, 0.5, -0.8], [2.0, -1.0, 1.5]])
mu, log_sigma, climb = torch.zeros(2, 1), torch.zeros(2, 1), []
generator = torch.Generator().manual_seed(0)
for _ in range(60):
    eps = torch.randn(200, 2, 1, generator=generator)
    bound = elbo(x, mu, log_sigma, eps, lambda z: z * w + b, sigma_x).detach()
    climb.append((mu.squeeze(-1), log_sigma.exp().squeeze(-1), bound))
    mu, log_sigma = ascend(x, mu, log_sigma, eps, lambda z: z * w + b, sigma_x, step_size=0.03)
mean, covariance = linear_gaussian_posterior(x, w.unsqueeze(-1), b, sigma_x)
for i in range(2):
    reached = f"μ = {mu[i].item():.1f}, σ = {log_sigma[i].exp().item():.2f}"
    exact = f"{mean[i].item():.1f} and {covariance.sqrt().item():.2f}"
    boxed = float(width(w, sigma_x))
    print(f"q_{i + 1}: {reached}; the posterior's are {exact}; your box: {boxed:.2f}")

# %% tags=["show"]
mus, sigmas, bounds = (torch.stack(part) for part in zip(*climb, strict=True))
evidence = linear_gaussian_evidence(x, w.unsqueeze(-1), b, sigma_x)
figures.arrival(mus, sigmas, bounds, mean.squeeze(-1), covariance.sqrt().item(), evidence)

# %% [markdown]
# Not every posterior is a Gaussian. Here it has two peaks, and $q$ climbs step by step. Start it on either side, and in the
# middle; then raise the step size until the climb breaks down. What is left between the two curves is the KL that no
# Gaussian can close.

# %% tags=["explorer", "show"]
explorers.ascent

# %% [markdown]
# ## Learning the decoder too
#
# $q_i$ is a means. The aim is $\theta$, and the lecture alternates. For each $x_i$, or each mini-batch:
#
# 1. sample $z\sim q_i(z)$ and step $\theta \leftarrow \theta + \alpha\nabla_\theta\mathcal L_i$, where
#    $\nabla_\theta\mathcal L_i \approx \nabla_\theta\log p_\theta(x_i|z)$ (nothing else in the bound contains $\theta$);
# 2. update $q_i$ to maximise $\mathcal L_i$.
#
# Values go forward in both, along the solid arrows; what differs is how far back the gradient goes. (The entropy, which joins
# $\log\sigma_i$ to $\mathcal L_i$ directly, is left out of the drawing.)

# %% tags=["show"]
figures.alternation_diagram()

# %% [markdown]
# One prediction before you build it.

# %% exercise="stale_q_prediction"
# A data point has not been in a batch for an epoch, while theta moved on. What about its q_i?
# Choose one of: "it is out of date", "it followed theta", "it is still optimal"
stale_q_prediction = None
### BEGIN SOLUTION
stale_q_prediction = "it is out of date"
### END SOLUTION

# %% [markdown]
# ### Exercise: `train_step` ({{points train_step}})
#
# `optimizer` is one of `torch.optim`, and holds the decoder's parameters. It *minimises*, so its loss is minus the mean bound.
#
# <details><summary>Hint 1: the three lines of every training step</summary>
#
# `optimizer.zero_grad()`, `loss.backward()`, `optimizer.step()`, in this order.
#
# </details>
# <details><summary>Hint 2: the order of the two updates</summary>
#
# θ first, then q with the decoder as it is after its step. The same eps serves both.
#
# </details>
# <details><summary>Hint 3: the second half</summary>
#
# It is your `ascend_q`.
#
# </details>


# %% exercise="train_step"
def train_step(x, mu, log_sigma, eps, decoder, optimizer, sigma_x, step_size):
    """One round of the lecture's alternation on a mini-batch: theta, then the q_i of this batch.

    x, mu, log_sigma, eps, decoder, sigma_x: as in per_point_elbo; decoder is a module.
    optimizer: minimises over the decoder's parameters; the loss is -elbo.mean().
    step_size: of the ascent of q.
    Returns new mu and log_sigma, and the bound (batch,) before the steps.
    """
    ### BEGIN SOLUTION
    elbo = per_point_elbo(x, mu, log_sigma, eps, decoder, sigma_x)
    optimizer.zero_grad()
    (-elbo.mean()).backward()
    optimizer.step()
    mu, log_sigma = ascend_q(x, mu, log_sigma, eps, decoder, sigma_x, step_size)
    return mu, log_sigma, elbo.detach()
    ### END SOLUTION


# %% [markdown]
# ## On real digits
#
# A thousand digits, a decoder with one hidden layer, eight latent dimensions; a row of `mu` and `log_sigma` for every image.
# The training below is your `train_step`, eighty times over the data. You may interrupt it (the square button): what was
# reached is kept.

# %% fold=true
# The loop: your train_step on each mini-batch, pass after pass
digits, sigma_x = load_images("train").flat()[:1000], 0.3


class PerPoint:
    """A decoder, and a mu and a log_sigma for each image."""

    def __init__(self, images, latent_dim, seed=0):
        torch.manual_seed(seed)
        layers = torch.nn.Linear(latent_dim, 200), torch.nn.Tanh(), torch.nn.Linear(200, 784), torch.nn.Sigmoid()
        self.images, self.decoder = images, torch.nn.Sequential(*layers)
        self.optimizer = torch.optim.Adam(self.decoder.parameters(), lr=3e-3)
        self.mu, self.log_sigma = (torch.zeros(len(images), latent_dim) for _ in range(2))
        self.generator, self.bounds = torch.Generator().manual_seed(seed), []

    def train(self, step, passes, only=None):
        """Go over the images, or only over some; keep the mean bound of each pass."""
        who = torch.arange(len(self.images)) if only is None else only
        for _ in tqdm(range(passes), unit="pass", leave=False, disable=passes < 5):
            total = 0.0
            for batch in who[torch.randperm(len(who), generator=self.generator)].split(100):
                x, mu, log_sigma = self.images[batch], self.mu[batch], self.log_sigma[batch]
                eps = torch.randn(2, *mu.shape, generator=self.generator)
                mu, log_sigma, elbo = step(x, mu, log_sigma, eps, self.decoder, self.optimizer, sigma_x, 0.01)
                self.mu[batch], self.log_sigma[batch] = mu, log_sigma
                total += elbo.sum().item()
            self.bounds.append(total / len(who))
        return self

    @torch.no_grad()
    def decoded(self):
        return self.decoder(self.mu)


# %% fold=true tags=["show", "varies"]
# @title Eighty passes of your step over the digits
step = using("train_step", topic="03_variational_inference")
model, began = PerPoint(digits, latent_dim=8), time.monotonic()
try:
    model.train(step, passes=80)
except KeyboardInterrupt:
    print(f"Interrupted after {len(model.bounds)} passes: what was reached is kept.")
seconds, first, last = time.monotonic() - began, model.bounds[0], model.bounds[-1]
print(f"{seconds:.0f} s; the mean bound went from {first:.0f} to {last:.0f} nats")

# %% tags=["show"]
figures.training(model.bounds, digits[:10], model.decoded()[:10])

# %% [markdown]
# ## What do eight numbers buy?
#
# An image has 784 grey values, and its code has eight. How good could that be? Measure it: the same training with two to 32
# latent dimensions (some 20 seconds), and beside it the best *linear* map from as many numbers to an image (principal
# components of the same thousand digits). The error is that of a pixel, root mean square, with grey values from 0 to 1.

# %% fold=true tags=["show"]
# The best linear map from a few numbers to an image, and what it misses
centre = digits.mean(0)
directions = torch.linalg.svd(digits - centre, full_matrices=False).Vh


def rms(images):
    return (images - digits).square().mean().sqrt().item()


def linear_error(latent_dim):
    V = directions[:latent_dim]
    return rms(centre + (digits - centre) @ V.T @ V)


# %% fold=true tags=["show", "varies"]
# The same training with other numbers of latent dimensions
latent_dims, models = (2, 8, 16, 32), []
for dim in tqdm(latent_dims, desc="latent dimensions", leave=False):
    models.append(model if dim == 8 else PerPoint(digits, dim).train(step, passes=80))
errors, linear = [rms(m.decoded()) for m in models], [linear_error(dim) for dim in latent_dims]
bounds = [m.bounds[-1] for m in models]
print(f"no numbers, the mean image for all: error {rms(centre):.2f}")
for dim, error, straight, bound in zip(latent_dims, errors, linear, bounds, strict=True):
    print(f"{dim:2d} numbers: error {error:.2f}, linear {straight:.2f}, bound {bound:4.0f} nats")

# %% tags=["show"]
figures.dimensions(latent_dims, errors, linear, bounds, digits, [m.decoded() for m in models])

# %% [markdown]
# Each further number makes the picture sharper, and eight through a decoder that bends are worth more than sixteen through a
# straight one (0.14 against 0.16). The bound does not go along for ever: every dimension in which $q_i$ differs from the prior
# has its price in $D_{KL}(q_i\|p(z))$, and after these eighty passes 32 numbers have cost more than they brought.
#
# ## The q_i that were not visited
#
# The prediction above can be measured. After ten passes, let a hundred digits stay away while the other nine hundred go on
# training $\theta$. Before each pass we ask three times for a mean bound: the absent digits' with their old $q_i$; theirs with
# a $q_i$ fitted anew to the $\theta$ of now (for the measurement alone, it is thrown away); and a hundred visited digits'.

# %% fold=true tags=["show", "varies"]
# The experiment: a hundred digits stay away, eight passes long
elbo, other = using("per_point_elbo"), PerPoint(digits, latent_dim=8).train(step, passes=10)
away, visited = torch.arange(100), torch.arange(100, 200)
judge = torch.randn(50, 100, 8, generator=torch.Generator().manual_seed(2))
noise = torch.randn(100, 2, 100, 8, generator=torch.Generator().manual_seed(5))


@torch.no_grad()
def measured(who, mu, log_sigma):
    return elbo(digits[who], mu, log_sigma, judge, other.decoder, sigma_x).mean().item()


stale, fresh, others = [], [], []
for _ in tqdm(range(9), unit="pass", leave=False):
    old = other.mu[away], other.log_sigma[away]
    new = improve_q(digits[away], *old, noise, other.decoder, sigma_x, 0.05)
    stale.append(measured(away, *old))
    fresh.append(measured(away, *new))
    others.append(measured(visited, other.mu[visited], other.log_sigma[visited]))
    other.train(step, passes=1, only=torch.arange(100, 1000))
print(f"old q_i: {stale[0]:.0f} nats, after eight passes {stale[-1]:.0f}")
print(f"what they could have then, with a q_i of now: {fresh[-1]:.0f}")

# %% tags=["show"]
figures.staleness(stale, fresh, others)

# %% [markdown]
# Eight passes over nine hundred digits are 72 steps of $\theta$. With MNIST's 60,000 digits and batches of a hundred, some six
# hundred steps lie between two visits of one image: every $q_i$ is stale most of the time, and the larger the data set, the
# more so. Mind the upper line: the $\theta$ trained on the others has become better for the absent digits too. What keeps their
# bound down is their $q_i$ alone.
#
# ## A patient
#
# A fellow student trained the same model, with one bug. She shows you her curves, and what her decoder makes of the codes.
# The objective rises happily. What is wrong?

# %% tags=["show"]
load_patient("03").picture()

# %% exercise="diagnosis_03"
# Which bug does the model behind the figure have?
# Choose one of: "q is never stepped", "q descends", "the entropy is missing",
# "theta is never stepped", "the noise is shared across the batch"
diagnosis_03 = None
### BEGIN SOLUTION
diagnosis_03 = "the entropy is missing"
### END SOLUTION

# %% [markdown]
# ## A new image
#
# The training images have their $q_i$. Now somebody brings an image that was not among them.

# %% exercise="new_image_prediction"
# A new image comes after training. What does it take to get its q?
# Choose one of: "look it up", "one forward pass", "gradient ascent of its own"
new_image_prediction = None
### BEGIN SOLUTION
new_image_prediction = "gradient ascent of its own"
### END SOLUTION

# %% [markdown]
# ### Exercise: `infer_q` ({{points infer_q}})
#
# Plain ascent creeps; `torch.optim.Adam` gives each parameter a step size of its own. What you hand to an optimizer is what it
# changes: here $\mu$ and $\log\sigma$ of the new points, and nothing of $\theta$.
#
# <details><summary>Hint 1: the start</summary>
#
# Zeros of shape (batch, latent_dim), with the dtype and device of eps, that require gradients: `torch.zeros_like(eps[0, 0])`
# and `.requires_grad_()`.
#
# </details>
# <details><summary>Hint 2: the loop</summary>
#
# For each `noise` in `eps`: the loss is minus the sum of the bounds; zero_grad, backward, step.
#
# </details>


# %% exercise="infer_q"
def infer_q(x, eps, decoder, sigma_x, learning_rate):
    """Fit a q to each new data point, the decoder held fixed.

    x: (batch, dim).
    eps: the noise of every step, (steps, samples, batch, latent_dim); step t uses eps[t].
    decoder, sigma_x: as in per_point_elbo.
    learning_rate: of torch.optim.Adam.
    Starts at the prior, mu = 0 and log_sigma = 0. Returns mu and log_sigma, (batch, latent_dim).
    """
    ### BEGIN SOLUTION
    mu, log_sigma = torch.zeros_like(eps[0, 0]).requires_grad_(), torch.zeros_like(eps[0, 0]).requires_grad_()
    optimizer = torch.optim.Adam([mu, log_sigma], lr=learning_rate)
    for noise in eps:
        optimizer.zero_grad()
        (-per_point_elbo(x, mu, log_sigma, noise, decoder, sigma_x).sum()).backward()
        optimizer.step()
    return mu.detach(), log_sigma.detach()
    ### END SOLUTION


# %% [markdown]
# What does it cost, for images from the test set? And was the wait worth it: how do the bounds grow with the number of steps?

# %% fold=true tags=["show", "varies"]
# Fits a q to a hundred new images with 1 to 200 of your steps, and takes the time
infer = using("infer_q")
new = load_images("test").flat()[:100]
noise = torch.randn(200, 2, 100, 8, generator=torch.Generator().manual_seed(1))
numbers, fitted = (1, 5, 10, 20, 50, 100, 200), []
for number in tqdm(numbers, desc="numbers of steps", leave=False):
    began = time.monotonic()
    fitted.append(infer(new, noise[:number], model.decoder, sigma_x, 0.1))
seconds = time.monotonic() - began
with torch.no_grad():
    reached = [elbo(new, *q, judge, model.decoder, sigma_x).mean().item() for q in fitted]
    decoded = model.decoder(fitted[-1][0])
print(f"200 steps for 100 images: {seconds:.1f} s, {1000 * seconds / 100:.0f} ms for each image")

# %% tags=["show"]
figures.waiting(numbers, reached, new[:10], decoded[:10])

# %% [markdown]
# ## How many parameters are there?
#
# $$|\theta| + (|\mu_i| + |\sigma_i|)\times N.$$

# %% exercise="growth_prediction"
# From MNIST's 60,000 images to ImageNet's 1,281,167, same decoder, 100 latent dimensions:
# where do parameters go?
# Choose one of: "theta dominates", "the q_i dominate", "both grow alike"
growth_prediction = None
### BEGIN SOLUTION
growth_prediction = "the q_i dominate"
### END SOLUTION

# %% [markdown]
# ### Exercise: `count_parameters` ({{points count_parameters}})
#
# <details><summary>Hint</summary>
#
# A module's tensors are `theta.parameters()`; an iterable of tensors is one already. `.numel()` counts the numbers in a tensor.
#
# </details>


# %% exercise="count_parameters"
def count_parameters(theta, latent_dim, num_points):
    """|theta| + (|mu_i| + |sigma_i|) * N, a whole number.

    theta: a torch.nn.Module, or an iterable of tensors.
    latent_dim: the size of each mu_i and of each sigma_i.
    num_points: N.
    """
    ### BEGIN SOLUTION
    tensors = theta.parameters() if isinstance(theta, torch.nn.Module) else theta
    return sum(tensor.numel() for tensor in tensors) + 2 * latent_dim * num_points
    ### END SOLUTION


# %% tags=["show", "nbval-check-output"]
count = using("count_parameters")
decoder = torch.nn.Sequential(torch.nn.Linear(100, 200), torch.nn.Tanh(), torch.nn.Linear(200, 784))
for name, number in (("this notebook", 1000), ("MNIST", 60_000), ("ImageNet", 1_281_167)):
    total = int(count(decoder, 100, number))
    share = 1 - int(count(decoder, 100, 0)) / total
    print(f"{name:14s} N = {number:9,d}: {total:11,d} parameters, {share:.1%} of them in the q_i")

# %% tags=["show"]
numbers = [10**k for k in range(2, 8)]
figures.growth(numbers, [int(count(decoder, 100, n)) for n in numbers], int(count(decoder, 100, 0)))

# %% [markdown]
# And the list helps with nothing: not with a new image, and not with one whose turn comes once in an epoch. The lecture asks:
# what if we learn a *network* $q_i(z) = q(z|x_i) \approx p(z|x_i)$?
#
# ## An open task: a decoder for new digits
#
# A decoder is worth what it can do for images that it was not trained on. **Train one in which new digits find good codes**:
# for a hundred test digits a $q$ is fitted with 200 steps of `infer_q`, $\sigma_x = 0.3$, and their mean bound is your number.
# Latent dimensions, layers, how many of the 10,000 training digits (`load_images("train")`), how you update $q_i$, how long:
# all yours. No points, but the summary shows how far you came.

# %% tags=["show", "varies"]
# The decoder from above, to begin with: train a better one.
attempt("03_variational_inference", model.decoder, 8)

# %% [markdown]
# ## The points so far

# %% tags=["show"]
summary("03_variational_inference")

# %% [markdown]
# **What you did.** You wrote the bound so that it can be differentiated, climbed it for each data point, derived where the
# climb ends, trained a decoder on real digits by the lecture's alternation, inferred codes of new images, and counted what it
# costs.
#
# **What comes next.** Notebook 04: one network gives $q$ for every $x$, and we measure what it loses against the best $q_i$.
#
# **References.** The lecture, parts "How do we use this?" and "What's the problem?". Jordan, Ghahramani, Jaakkola and Saul, *An
# introduction to variational methods for graphical models*, 1999. Hoffman, Blei, Wang and Paisley, *Stochastic variational
# inference*, 2013, where per-point parameters meet mini-batches.
