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
# **Time**: 100 minutes. **Points**: {{topic points}}.

# %% setup=true

# %%
import time

import torch

# %% [markdown]
# ## A bound that can be climbed
#
# Notebook 02 left us with a bound for every data point,
#
# $$\log p_\theta(x_i) \;\ge\; \mathcal L_i = E_{z\sim q_i(z)}\big[\log p_\theta(x_i|z) + \log p(z)\big] + \mathcal H(q_i),$$
#
# and with the insight that raising it over $q_i$ brings $q_i$ nearer to $p(z|x_i)$. To raise it we need its gradient, so
# we need it as something to differentiate. Take $q_i = \mathcal N(\mu_i, \sigma_i)$, one $\mu_i$ and one $\sigma_i$ for each
# data point. Draw noise $\epsilon_s\sim\mathcal N(0, I)$ once, and write the samples of $q_i$ as
#
# $$z_s = \mu_i + \sigma_i\,\epsilon_s .$$
#
# Now the samples move when $\mu_i$ and $\sigma_i$ move, and autograd can follow. (Notebook 05 asks what this step was worth.)
# The entropy of a Gaussian needs no samples, it is known. For $p_\theta(x|z)$ we take $\mathcal N(\text{decoder}(z), \sigma_x)$,
# for $p(z)$ the standard normal.
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
    eps: standard Gaussian noise, (samples, batch, latent_dim); the bound is averaged over the samples.
    decoder: maps z to the mean of p(x|z), (..., dim) for any leading shape.
    sigma_x: standard deviation of p(x|z), positive, a number or something that broadcasts to (dim,).
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
# Use your `per_point_elbo`, or, if you would rather not build on it yet, `course_lib.bounds.per_point_elbo`.
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
    from course_lib.bounds import per_point_elbo as bound

    mu, log_sigma = mu.detach().clone().requires_grad_(), log_sigma.detach().clone().requires_grad_()
    elbo = bound(x, mu, log_sigma, eps, decoder, sigma_x)
    step_mu, step_log_sigma = torch.autograd.grad(elbo.sum(), (mu, log_sigma))
    return (mu + step_size * step_mu).detach(), (log_sigma + step_size * step_log_sigma).detach()
    ### END SOLUTION


# %% [markdown]
# ## Does it arrive?
#
# In the linear-Gaussian model of notebook 02 the posterior is known. With one latent dimension it is a Gaussian itself, so the
# best $q_i$ is the posterior and the bound ends at $\log p(x_i)$, if all is well.

# %% tags=["show", "nbval-check-output"]
from course_lib.linear_gaussian import linear_gaussian_evidence, linear_gaussian_posterior

generator = torch.Generator().manual_seed(0)
W, b, sigma_x = torch.tensor([[1.2], [-0.5], [0.8]]), torch.tensor([0.2, -0.1, 0.4]), torch.tensor(0.6)
x = torch.tensor([[1.0, 0.5, -0.8], [2.0, -1.0, 1.5]])
mu, log_sigma = torch.zeros(2, 1), torch.zeros(2, 1)
history = []
for _ in range(60):
    eps = torch.randn(200, 2, 1, generator=generator)
    history.append((mu, log_sigma, per_point_elbo(x, mu, log_sigma, eps, lambda z: z @ W.T + b, sigma_x)))
    mu, log_sigma = ascend_q(x, mu, log_sigma, eps, lambda z: z @ W.T + b, sigma_x, step_size=0.03)
mean, covariance = linear_gaussian_posterior(x, W, b, sigma_x)
for i in range(2):
    print(
        f"x_{i + 1}: q is N({mu[i].item():.1f}, {log_sigma[i].exp().item():.1f}), the posterior "
        f"N({mean[i].item():.1f}, {covariance.sqrt().item():.1f})"
    )

# %% tags=["show"]
from course_lib.plots import BLACK, BLUE, GREEN, RED, Picture, draw_images, label, new_figure

figure, (left, right) = new_figure(2, width=4.6, height=3.5)
steps = range(len(history))
evidence = linear_gaussian_evidence(x, W, b, sigma_x)
for i, colour in enumerate((BLUE, RED)):
    left.plot(steps, [h[0][i] for h in history], color=colour, label=f"μ of q_{i + 1}")
    left.plot(steps, [h[1][i].exp() for h in history], color=colour, ls="--", label=f"σ of q_{i + 1}")
    left.axhline(mean[i].item(), color=colour, lw=0.8, alpha=0.6)
    right.plot(steps, [h[2][i].detach() for h in history], color=colour, label=f"bound of x_{i + 1}")
    right.axhline(evidence[i].item(), color=colour, ls=":", lw=2, label=f"exact log p(x_{i + 1})")
left.axhline(covariance.sqrt().item(), color=BLACK, lw=0.8, alpha=0.6)
label(left, "Both parameters find the posterior's", "step", "value")
left.legend(frameon=False, fontsize=8.5, loc="center right", bbox_to_anchor=(1.0, 0.62))
label(right, "The bound ends at log p(x), less noise", "step", "nats")
right.legend(frameon=False, fontsize=8.5)
Picture(
    figure,
    "Left: mean and standard deviation of two q converge to thin lines, those of the exact posteriors. Right: both bounds rise to dotted lines, the exact log p(x).",
)

# %% [markdown]
# Not every posterior is a Gaussian. Here it has two peaks, and $q$ climbs step by step. Start it on either side, and in the
# middle; then raise the step size until the climb breaks down. What is left between the two curves is the KL that no
# Gaussian can close.

# %% tags=["explorer", "show"]
from course_lib import explorers

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
# It is `ascend_q`.
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
    from course_lib.bounds import per_point_elbo as bound
    from course_lib.per_point import ascend_q as ascend

    elbo = bound(x, mu, log_sigma, eps, decoder, sigma_x)
    optimizer.zero_grad()
    (-elbo.mean()).backward()
    optimizer.step()
    mu, log_sigma = ascend(x, mu, log_sigma, eps, decoder, sigma_x, step_size)
    return mu, log_sigma, elbo.detach()
    ### END SOLUTION


# %% [markdown]
# ## On real digits
#
# A thousand digits, a decoder with one hidden layer, eight latent dimensions; a row of `all_mu` and `all_log_sigma` for every
# image. The training below is your `train_step`, eighty times over the data.

# %% tags=["show", "varies"]
from course_lib.data import load_images

digits = load_images("train").flat()[:1000]
latent_dim, sigma_x = 8, 0.3


def new_decoder(seed=0):
    torch.manual_seed(seed)
    return torch.nn.Sequential(
        torch.nn.Linear(latent_dim, 200), torch.nn.Tanh(), torch.nn.Linear(200, 784), torch.nn.Sigmoid()
    )


def train_per_point(digits, epochs, batch_size=100, seed=0):
    decoder = new_decoder(seed)
    optimizer = torch.optim.Adam(decoder.parameters(), lr=3e-3)
    all_mu, all_log_sigma = torch.zeros(len(digits), latent_dim), torch.zeros(len(digits), latent_dim)
    generator, bounds = torch.Generator().manual_seed(seed), []
    for _ in range(epochs):
        total = 0.0
        for batch in torch.randperm(len(digits), generator=generator).split(batch_size):
            eps = torch.randn(2, len(batch), latent_dim, generator=generator)
            all_mu[batch], all_log_sigma[batch], elbo = train_step(
                digits[batch], all_mu[batch], all_log_sigma[batch], eps, decoder, optimizer, sigma_x, 0.01
            )
            total += elbo.sum().item()
        bounds.append(total / len(digits))
    return decoder, all_mu, all_log_sigma, bounds


began = time.monotonic()
decoder, all_mu, all_log_sigma, bounds = train_per_point(digits, epochs=80)
print(f"{time.monotonic() - began:.0f} s; the mean bound went from {bounds[0]:.0f} to {bounds[-1]:.0f} nats")

# %% tags=["show"]
figure, (left, right) = new_figure(2, width=4.6, height=3.4, width_ratios=[1, 1.4])
left.plot(range(1, len(bounds) + 1), bounds, color=BLUE)
label(left, "Two updates in turn, one bound", "pass over the data", "mean bound (nats)")
with torch.no_grad():
    rows = torch.cat([digits[:10], decoder(all_mu[:10])]).view(-1, 28, 28)
draw_images(right, (255 * rows).byte(), columns=10)
right.set_yticks([14, 44], ["x_i", "decoder(μ_i)"])
right.set_title("Eight numbers for a digit are not few", loc="left", fontsize=10.5)
right.set_xlabel("ten training images")
Picture(
    figure,
    "Left: the mean bound over eighty passes rises quickly, then slowly. Right: ten digits, and below them what the decoder makes of their mean codes: legible, a little blurred.",
)

# %% [markdown]
# ## A patient
#
# A fellow student trained the same model, with one bug. She shows you her curves, and what her decoder makes of the codes.
# The objective rises happily. What is wrong?

# %% tags=["show"]
from course_lib.patients import load_patient

load_patient("03").picture()

# %% exercise="diagnosis_03"
# Which bug does the model behind the figure have?
# Choose one of: "q is never stepped", "q descends", "the entropy is missing", "theta is never stepped",
# "the noise is shared across the batch"
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
    from course_lib.bounds import per_point_elbo as bound

    mu, log_sigma = torch.zeros_like(eps[0, 0]).requires_grad_(), torch.zeros_like(eps[0, 0]).requires_grad_()
    optimizer = torch.optim.Adam([mu, log_sigma], lr=learning_rate)
    for noise in eps:
        optimizer.zero_grad()
        (-bound(x, mu, log_sigma, noise, decoder, sigma_x).sum()).backward()
        optimizer.step()
    return mu.detach(), log_sigma.detach()
    ### END SOLUTION


# %% [markdown]
# What does it cost, for images from the test set? And was the wait worth it: how do the bounds grow with the number of steps?

# %% tags=["show", "varies"]
new = load_images("test").flat()[:100]
noise = torch.randn(200, 2, 100, latent_dim, generator=torch.Generator().manual_seed(1))
judge = torch.randn(50, 100, latent_dim, generator=torch.Generator().manual_seed(2))
numbers = (1, 5, 10, 20, 50, 100, 200)
inferred = [infer_q(new, noise[:number], decoder, sigma_x, 0.1) for number in numbers[:-1]]
began = time.monotonic()
inferred.append(infer_q(new, noise, decoder, sigma_x, 0.1))
seconds = time.monotonic() - began
with torch.no_grad():
    reached = [per_point_elbo(new, *q, judge, decoder, sigma_x).mean().item() for q in inferred]
print(f"200 steps for 100 images: {seconds:.1f} s, that is {1000 * seconds / 100:.0f} ms for each image")

# %% tags=["show"]
figure, (left, right) = new_figure(2, width=4.6, height=3.4, width_ratios=[1, 1.4])
left.plot(numbers, reached, "o-", color=GREEN)
left.set_xscale("log")
label(left, "A new image waits for its q", "steps of Adam", "mean bound of new images (nats)")
with torch.no_grad():
    rows = torch.cat([new[:10], decoder(inferred[-1][0][:10])]).view(-1, 28, 28)
draw_images(right, (255 * rows).byte(), columns=10)
right.set_yticks([14, 44], ["new x", "decoder(μ)"])
right.set_title("Then it is found, as those of the training set were", loc="left", fontsize=10.5)
right.set_xlabel("ten test images")
Picture(
    figure,
    "Left: the mean bound of new images against the number of steps, rising and levelling off after about a hundred. Right: ten new digits and their reconstructions.",
)

# %% [markdown]
# ## How many parameters are there?
#
# $$|\theta| + (|\mu_i| + |\sigma_i|)\times N.$$

# %% exercise="growth_prediction"
# From MNIST's 60,000 images to ImageNet's 1,281,167, same decoder, 100 latent dimensions: where do parameters go?
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
for name, number in (("this notebook", 1000), ("MNIST", 60_000), ("ImageNet", 1_281_167)):
    count = count_parameters(decoder, 100, number)
    share = 1 - count_parameters(decoder, 100, 0) / count
    print(f"{name:14s} N = {number:9,d}: {count:11,d} parameters, {share:.1%} of them in the q_i")

# %% tags=["show"]
figure, (axis,) = new_figure(width=6.5, height=3.4)
numbers = [10**k for k in range(2, 8)]
axis.plot(numbers, [count_parameters(decoder, 100, n) for n in numbers], "o-", color=RED, label="θ and all q_i")
axis.axhline(count_parameters(decoder, 100, 0), color=BLUE, ls="--", label="θ alone")
for name, number in (("MNIST", 60_000), ("ImageNet", 1_281_167)):
    axis.axvline(number, color=BLACK, lw=0.8, ls=":")
    axis.text(1.15 * number, 3e5, name, rotation=90, va="bottom", fontsize=9)
axis.set_xscale("log")
axis.set_yscale("log")
label(axis, "Beyond some thousand images the model is a list of codes", "number of images N", "parameters")
axis.legend(frameon=False)
Picture(
    figure,
    "Parameters against the number of images on logarithmic axes: theta alone is a flat line, theta with all q_i grows in proportion to N, to 256 million at ImageNet's size.",
)

# %% [markdown]
# And the list helps with nothing: not with a new image, and not with one whose turn comes once in an epoch. The lecture asks:
# what if we learn a *network* $q_i(z) = q(z|x_i) \approx p(z|x_i)$?
#
# ## The points so far

# %% tags=["nbval-check-output", "show"]
summary("03_variational_inference")

# %% [markdown]
# **What you did.** You wrote the bound so that it can be differentiated, climbed it for each data point, trained a decoder on
# real digits by the lecture's alternation, inferred codes of new images, and counted what it costs.
#
# **What comes next.** Notebook 04: one network gives $q$ for every $x$, and we measure what it loses against the best $q_i$.
#
# **References.** The lecture, parts "How do we use this?" and "What's the problem?". Jordan, Ghahramani, Jaakkola and Saul, *An
# introduction to variational methods for graphical models*, 1999. Hoffman, Blei, Wang and Paisley, *Stochastic variational
# inference*, 2013, where per-point parameters meet mini-batches.
