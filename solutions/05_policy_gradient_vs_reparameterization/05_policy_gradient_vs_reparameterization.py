# %% [markdown]
# # 05 · Policy gradient against reparameterization
#
# {{colab}}
#
# **Where this stands in the lecture**: "What's wrong with this gradient?", "The reparameterization trick", "Another way to look at
# it", and the slide "Reparameterization trick vs. policy gradient".
#
# **After it you can** write both estimators of the gradient for $\phi$, show that both are unbiased and by how much they differ in
# variance, train with each, and say when only one of them is to be had.
#
# **Time**: 150 minutes. **Points**: {{topic points}}.

# %% setup=true

# %%
import math
import time
from functools import partial

import torch

# %% [markdown]
# ## The gradient that autograd does not see
#
# Notebook 04 trained an encoder on $\mathcal L = J(\phi) + \mathcal H(q_\phi)$. The entropy is a formula. The rest is an expectation under the
# distribution that $\phi$ itself makes,
#
# $$J(\phi) = E_{z\sim q_\phi(z|x_i)}\big[r(x_i, z)\big], \qquad r(x_i, z) = \log p_\theta(x_i|z) + \log p(z).$$
#
# Sample some $z_j$, average $r(x_i, z_j)$: that estimates $J$. But $\phi$ has vanished from it. It only decided which $z_j$ came, and a
# drawn number has no derivative. How does a reward change when the odds change?
#
# ## First answer: the policy gradient
#
# Write the expectation as an integral, and use $\nabla q = q\,\nabla\log q$:
#
# $$\nabla J(\phi) = \int \nabla_\phi q_\phi(z)\, r(z)\,dz = E_{z\sim q_\phi}\big[\nabla_\phi\log q_\phi(z)\ r(z)\big]
# \approx \frac1M\sum_j \nabla_\phi\log q_\phi(z_j|x_i)\, r(x_i, z_j).$$
#
# Samples that earned much become more likely. $r$ may be anything: it is not differentiated. The vector $\nabla\log q$ is called the
# **score**. For a Gaussian it is short enough to write down.
#
# ### Exercise: `gaussian_score` ({{points gaussian_score}})
#
# <details><summary>Hint 1</summary>
#
# Per dimension, log q(z) = -½((z - μ)/σ)² - log σ - ½ log 2π. Differentiate with respect to μ, then to σ.
#
# </details>
# <details><summary>Hint 2</summary>
#
# The second has two terms: one from the square, one from -log σ.
#
# </details>


# %% exercise="gaussian_score"
def gaussian_score(z, mu, sigma):
    """The derivatives of log q(z) of a diagonal Gaussian.

    z: (samples, batch, latent_dim); mu, sigma: (batch, latent_dim), mean and standard deviation.
    Returns d log q / d mu and d log q / d sigma, each (samples, batch, latent_dim).
    """
    ### BEGIN SOLUTION
    score_mu = (z - mu) / sigma**2
    score_sigma = ((z - mu) ** 2 - sigma**2) / sigma**3
    return score_mu, score_sigma
    ### END SOLUTION


# %% [markdown]
# Under $q$ the score has mean zero: $E_q[\nabla\log q] = \nabla\int q = \nabla 1 = 0$. Remember that; much follows from it.
#
# For a network nobody writes scores by hand. One builds a **surrogate**, a number whose gradient is the estimate, and lets autograd
# differentiate it. What must carry a gradient, and what must not?
#
# ### Exercise: `score_function_surrogate` ({{points score_function_surrogate}})
#
# <details><summary>Hint 1</summary>
#
# The gradient wanted is the mean of ∇log q · r. In it r is a number.
#
# </details>
# <details><summary>Hint 2</summary>
#
# `.detach()` makes a tensor a number in autograd's eyes.
#
# </details>


# %% exercise="score_function_surrogate"
def score_function_surrogate(log_q, reward):
    """A scalar whose gradient is the policy gradient, to be maximised.

    log_q: log q(z_j|x), (samples, batch); attached to the parameters of q, evaluated at samples that are not.
    reward: (samples, batch); whatever it is attached to, no gradient flows into it.
    Returns a scalar, the mean over samples and batch.
    """
    ### BEGIN SOLUTION
    return (log_q * reward.detach()).mean()
    ### END SOLUTION


# %% [markdown]
# ## What's wrong with this gradient?
#
# An example in which the truth is known: $q = \mathcal N(\mu, 0.5)$ in two dimensions, $r(z) = -\tfrac12\|z - 1\|^2 + c$, so
# $J(\mu) = -\tfrac12\|\mu - 1\|^2 + \text{const}$, and at $\mu = 0$ the gradient is 1 in every dimension. The constant $c$ changes
# nothing about what is best.

# %% exercise="constant_prediction"
# A constant 100 is added to every reward. What happens to the policy gradient without a baseline?
# Choose one of: "nothing", "its mean changes", "its variance explodes"
constant_prediction = None
### BEGIN SOLUTION
constant_prediction = "its variance explodes"
### END SOLUTION

# %% tags=["show", "varies"]
normal = torch.distributions.Normal


def policy_gradient(samples, dim=2, constant=0.0, baseline=False, sigma=0.5):
    """One policy-gradient estimate of dJ/dmu at mu = 0, (dim,)."""
    mu = torch.zeros(1, dim, requires_grad=True)
    z = (mu + sigma * torch.randn(samples, 1, dim)).detach()
    reward = -0.5 * ((z - 1) ** 2).sum(-1) + constant
    if baseline:
        reward = reward - leave_one_out_baseline(reward)
    log_q = normal(mu, sigma).log_prob(z).sum(-1)
    return torch.autograd.grad(score_function_surrogate(log_q, reward), mu)[0][0]


torch.manual_seed(0)
for constant in (0.0, 10.0, 100.0):
    estimates = torch.stack([policy_gradient(10, constant=constant)[0] for _ in range(1000)])
    print(f"c = {constant:5.0f}: mean {estimates.mean():6.2f}, standard deviation {estimates.std():7.2f}")

# %% [markdown]
# The estimate is right on average, and drowned. A constant in the reward is multiplied by the score, whose mean is zero but whose samples
# are not. So take the constant out: subtract a **baseline** $b$. Since $E[\nabla\log q\cdot b] = 0$, the mean stays, **as long as
# $b$ does not depend on the sample it is subtracted from**. With several samples for one $x$ there is a good one at hand: for each sample, the mean
# reward of all the others,
#
# $$b_j = \frac{1}{M-1}\sum_{k\neq j} r_k .$$
#
# ### Exercise: `leave_one_out_baseline` ({{points leave_one_out_baseline}})
#
# <details><summary>Hint</summary>
#
# The sum of the others is the sum of all, less its own.
#
# </details>


# %% exercise="leave_one_out_baseline"
def leave_one_out_baseline(reward):
    """For each sample the mean reward of the other samples of the same data point.

    reward: (samples, batch), at least two samples.
    Returns (samples, batch).
    """
    ### BEGIN SOLUTION
    return (reward.sum(0, keepdim=True) - reward) / (reward.shape[0] - 1)
    ### END SOLUTION


# %% tags=["show", "varies"]
torch.manual_seed(0)
for constant in (0.0, 10.0, 100.0):
    estimates = torch.stack([policy_gradient(10, constant=constant, baseline=True)[0] for _ in range(1000)])
    print(f"c = {constant:5.0f}: mean {estimates.mean():6.2f}, standard deviation {estimates.std():7.2f}")

# %% [markdown]
# ## A patient
#
# Somebody's policy gradient, averaged over 20,000 repeats for each number of samples $M$. Noise is not the problem here; it is
# wrong on average. What is the bug?

# %% tags=["show"]
from course_lib.patients import load_patient

load_patient("05").picture()

# %% exercise="diagnosis_05"
# Which bug does the estimator behind the figure have?
# Choose one of: "the reward is not detached", "the score has the wrong sign", "its baseline contains its own sample",
# "the samples are summed", "the rewards are standardised"
diagnosis_05 = None
### BEGIN SOLUTION
diagnosis_05 = "its baseline contains its own sample"
### END SOLUTION

# %% [markdown]
# ## Second answer: the reparameterization trick
#
# The policy gradient asks which samples did well. It never asks how $r$ changes when $z$ moves a little, although for our decoder
# autograd could tell. Write the sample as a function of $\phi$ and of noise that knows nothing of $\phi$:
#
# $$J(\phi) = E_{\epsilon\sim\mathcal N(0,1)}\big[r(x_i, \mu_\phi(x_i) + \epsilon\,\sigma_\phi(x_i))\big], \qquad
# \nabla_\phi J(\phi) \approx \frac1M\sum_j \nabla_\phi\, r\big(x_i, \mu_\phi(x_i) + \epsilon_j\,\sigma_\phi(x_i)\big).$$
#
# Now $\phi$ is inside $r$, and the gradient may move in.
#
# ### Exercise: `reparameterized_surrogate` ({{points reparameterized_surrogate}})
#
# <details><summary>Hint</summary>
#
# No log q, nothing detached: the mean of the rewards at z, where z is made of mu, sigma and eps.
#
# </details>


# %% exercise="reparameterized_surrogate"
def reparameterized_surrogate(mu, sigma, eps, reward_fn):
    """A scalar whose gradient is the reparameterized gradient, to be maximised.

    mu, sigma: mean and standard deviation of q, (batch, latent_dim).
    eps: standard Gaussian noise, (samples, batch, latent_dim).
    reward_fn: maps z (samples, batch, latent_dim) to rewards (samples, batch); autograd can differentiate it.
    Returns a scalar, the mean over samples and batch.
    """
    ### BEGIN SOLUTION
    return reward_fn(mu + sigma * eps).mean()
    ### END SOLUTION


# %% exercise="unbiased_prediction"
# Both estimators are averaged over very many samples. Where do they end?
# Choose one of: "at the same gradient", "reparameterization is nearer", "the policy gradient is biased"
unbiased_prediction = None
### BEGIN SOLUTION
unbiased_prediction = "at the same gradient"
### END SOLUTION

# %% [markdown]
# ## Measuring an estimator
#
# Two properties, to be kept apart. **Bias**: is the mean of many estimates the true gradient? **Variance**: how far does one estimate
# stray? Both are measured by calling the estimator again and again.
#
# ### Exercise: `gradient_mean_and_variance` ({{points gradient_mean_and_variance}})
#
# <details><summary>Hint</summary>
#
# Collect the estimates with `torch.stack`, then mean and variance over dimension 0. `torch.var` divides by n - 1 by itself.
#
# </details>


# %% exercise="gradient_mean_and_variance"
def gradient_mean_and_variance(estimator, num_repeats):
    """Mean and variance of a gradient estimator, for each entry.

    estimator: called without arguments, returns one estimate, a tensor of any shape; call it exactly num_repeats times.
    num_repeats: a whole number, at least 2.
    Returns mean and variance, each of the shape of one estimate; the variance is unbiased (n - 1).
    """
    ### BEGIN SOLUTION
    estimates = torch.stack([estimator() for _ in range(num_repeats)])
    return estimates.mean(0), estimates.var(0)
    ### END SOLUTION


# %% tags=["show", "varies"]
def reparameterized(samples, dim=2, sigma=0.5):
    """One reparameterized estimate of the same gradient, (dim,)."""
    mu, sigmas = torch.zeros(1, dim, requires_grad=True), torch.full((1, dim), sigma)
    eps = torch.randn(samples, 1, dim)
    value = reparameterized_surrogate(mu, sigmas, eps, lambda z: -0.5 * ((z - 1) ** 2).sum(-1))
    return torch.autograd.grad(value, mu)[0][0]


torch.manual_seed(1)
estimators = {
    "policy gradient": lambda: policy_gradient(4, constant=-4.0),
    "with baseline": lambda: policy_gradient(4, constant=-4.0, baseline=True),
    "reparameterized": lambda: reparameterized(4),
}
measured = {name: gradient_mean_and_variance(estimator, 4000) for name, estimator in estimators.items()}
for name, (mean, variance) in measured.items():
    error = (variance[0] / 4000).sqrt()
    print(f"{name:16s} mean {mean[0]:5.2f} ± {error:.2f} (true: 1)   variance of one estimate {variance[0]:6.2f}")

# %% [markdown]
# All three means agree with 1 within their errors: unbiased. The variances do not agree at all. In the laboratory below, turn on the
# baseline, add dimensions, make $\sigma$ small.

# %% tags=["explorer", "show"]
from course_lib import explorers

explorers.gradients

# %% exercise="score_dimension_prediction"
# The latent dimension grows, r is a sum over dimensions. Which estimator's variance per entry grows with it?
# Choose one of: "the policy gradient's", "the reparameterized one's", "both alike"
score_dimension_prediction = None
### BEGIN SOLUTION
score_dimension_prediction = "the policy gradient's"
### END SOLUTION

# %% tags=["show"]
torch.manual_seed(2)
numbers, dims = (2, 4, 8, 16, 32, 64), (1, 2, 4, 8, 16, 32)


def first_variance(estimator):
    return gradient_mean_and_variance(estimator, 600)[1][0].item()


def all_three(samples, dim):
    return {
        "policy gradient": first_variance(lambda: policy_gradient(samples, dim, constant=-4.0)),
        "with baseline": first_variance(lambda: policy_gradient(samples, dim, constant=-4.0, baseline=True)),
        "reparameterized": first_variance(lambda: reparameterized(samples, dim)),
    }


against_samples = [all_three(samples, 2) for samples in numbers]
against_dim = [all_three(4, dim) for dim in dims]

# %% tags=["show"]
from course_lib.plots import BLACK, BLUE, GREEN, ORANGE, Picture, draw_images, label, new_figure

figure, (left, right) = new_figure(2, width=4.6, height=3.6)
styles = {"policy gradient": (ORANGE, "o-"), "with baseline": (GREEN, "s--"), "reparameterized": (BLUE, "^-")}
for axis, xs, results in ((left, numbers, against_samples), (right, dims, against_dim)):
    for name, (colour, style) in styles.items():
        axis.plot(xs, [result[name] for result in results], style, color=colour, label=name)
    axis.set_xscale("log", base=2)
    axis.set_yscale("log")
label(left, "More samples help all alike, as 1/M", "samples M", "variance of one estimate")
label(right, "Dimensions hurt the policy gradient only", "latent dimension", "variance of one estimate")
left.legend(frameon=False, fontsize=8.5)
Picture(
    figure,
    "Variance of one estimate on logarithmic axes. Left, against samples M: three parallel falling lines, policy gradient highest, with baseline below, reparameterized lowest. Right, against the latent dimension: both policy gradients rise, the reparameterized one stays flat.",
)

# %% [markdown]
# ## Another way to look at it
#
# For our bound there is one thing more to save. Group the terms differently:
#
# $$\mathcal L_i = E_{z\sim q_\phi(z|x_i)}\big[\log p_\theta(x_i|z)\big] + \underbrace{E_{z\sim q_\phi(z|x_i)}\big[\log p(z)\big]
# + \mathcal H\big(q_\phi(z|x_i)\big)}_{-D_{KL}(q_\phi(z|x_i)\|p(z))},$$
#
# and the KL of two Gaussians is a formula (notebook 02). Samples are needed for the likelihood only.
#
# ### Exercise: `elbo_with_analytic_kl` ({{points elbo_with_analytic_kl}})
#
# <details><summary>Hint</summary>
#
# Your `gaussian_kl` with μ_p = 0 and σ_p = 1: ½ Σ (μ² + σ² - 1 - log σ²).
#
# </details>


# %% exercise="elbo_with_analytic_kl"
def elbo_with_analytic_kl(log_likelihood, mu, sigma):
    """The bound with the KL to the standard normal prior in closed form.

    log_likelihood: log p(x|z_s) at samples of q, (samples, batch), averaged over the samples; or (batch,), one sample.
    mu, sigma: mean and standard deviation of q, (batch, latent_dim).
    Returns (batch,), in nats.
    """
    ### BEGIN SOLUTION
    kl = 0.5 * (mu**2 + sigma**2 - 1 - 2 * sigma.log()).sum(-1)
    expected = log_likelihood.mean(0) if log_likelihood.dim() == 2 else log_likelihood
    return expected - kl
    ### END SOLUTION


# %% [markdown]
# What does it save? The gradient of one digit's bound with respect to its $\mu_\phi(x)$, with the trained model that the explorers use,
# one sample at a time: once with $\log p(z)$ sampled, once with the KL as a formula. The answer depends on who makes the noise, so we
# look at two $q$: the encoder's own, and a wide one, as at the start of training.

# %% tags=["show", "varies"]
from course_lib.data import load_images
from course_lib.digit_model import load_digit_model

model = load_digit_model()
image = load_images("test").flat()[2:3]


def bound_gradient(analytic, width):
    """One estimate of the bound's gradient with respect to mu, (1, 2)."""
    mu, log_sigma = model.encoder(image)
    mu, sigma = mu.detach().requires_grad_(), log_sigma.exp() if width is None else torch.full_like(mu, width)
    z = mu + sigma * torch.randn(1, 1, 2)
    log_likelihood = model.log_likelihood(image, z)
    if analytic:
        bound = elbo_with_analytic_kl(log_likelihood, mu, sigma)
    else:
        log_prior = normal(0.0, 1.0).log_prob(z).sum(-1)
        bound = (log_likelihood + log_prior).mean(0) + normal(mu, sigma).entropy().sum(-1)
    return torch.autograd.grad(bound.sum(), mu)[0]


def prior_gradient(analytic, width):
    """The same, without the likelihood: what the decoder's noise covers up."""
    mu = torch.zeros(1, 2, requires_grad=True)
    sigma = torch.full_like(mu, width)
    z = mu + sigma * torch.randn(1, 1, 2)
    if analytic:
        bound = elbo_with_analytic_kl(torch.zeros(1, 1), mu, sigma)
    else:
        bound = normal(0.0, 1.0).log_prob(z).sum(-1).mean(0) + normal(mu, sigma).entropy().sum(-1)
    return torch.autograd.grad(bound.sum(), mu)[0]


torch.manual_seed(3)
cases = {
    "trained q": (bound_gradient, None),
    "wide q, σ = 1": (bound_gradient, 1.0),
    "no likelihood, σ = 1": (prior_gradient, 1.0),
}
for name, (estimate, width) in cases.items():
    sampled, formula = (
        gradient_mean_and_variance(partial(estimate, analytic, width), 1500)[1].sum().item()
        for analytic in (False, True)
    )
    print(f"{name:22s} variance with log p(z) sampled {sampled:10.2f}, with the KL as a formula {formula:10.2f}")

# %% [markdown]
# The formula takes all noise out of its own term: the last line has none left. How much that is of the whole depends on the decoder,
# whose noise is far larger here. It costs nothing, and it removes a source of error from every step; every VAE since Kingma and Welling
# uses it where the KL is known.
#
# ## Training with each
#
# The same encoder and decoder, the same digits, the same number of samples of $z$ in a step ($M = 8$), so the same cost. Each
# estimator may choose the learning rate for the encoder that suits it best, from four. (In the policy gradient's objective, `bound` trains the
# decoder and the KL; the surrogate trains the encoder.)

# %% tags=["show", "varies"]
from course_lib.amortized import Encoder
from course_lib.distributions import bernoulli_log_likelihood

digits = load_images("train").flat()[:5000]
latent_dim, samples = 8, 8


def train_with(estimator, learning_rate, steps=200, seed=0):
    """Train on the chosen gradient for phi, and return the bound after every step."""
    torch.manual_seed(seed)
    encoder = Encoder(784, 100, latent_dim)
    decoder = torch.nn.Sequential(torch.nn.Linear(latent_dim, 100), torch.nn.Tanh(), torch.nn.Linear(100, 784))
    optimizer = torch.optim.Adam(
        [{"params": encoder.parameters(), "lr": learning_rate}, {"params": decoder.parameters(), "lr": 3e-3}]
    )
    generator, bounds = torch.Generator().manual_seed(seed), []
    for _ in range(steps):
        x = digits[torch.randint(len(digits), (50,), generator=generator)]
        mu, log_sigma = encoder(x)
        sigma = log_sigma.exp()
        eps = torch.randn(samples, 50, latent_dim, generator=generator)
        if estimator == "reparameterized":
            log_likelihood = bernoulli_log_likelihood(x, decoder(mu + sigma * eps))
            bound = elbo_with_analytic_kl(log_likelihood, mu, sigma)
            objective = bound.mean()
        else:
            z = (mu + sigma * eps).detach()
            log_likelihood = bernoulli_log_likelihood(x, decoder(z))
            bound = elbo_with_analytic_kl(log_likelihood, mu, sigma)
            log_q = normal(mu, sigma).log_prob(z).sum(-1)
            reward = log_likelihood
            if estimator == "with baseline":
                reward = reward - leave_one_out_baseline(reward)
            objective = score_function_surrogate(log_q, reward) + bound.mean()
        optimizer.zero_grad()
        (-objective).backward()
        optimizer.step()
        bounds.append(bound.mean().item())
    return bounds


rates = (1e-4, 1e-3, 3e-3, 1e-2)
names = ("policy gradient", "with baseline", "reparameterized")
began = time.monotonic()
curves = {(name, rate): train_with(name, rate) for name in names for rate in rates}
print(f"{time.monotonic() - began:.0f} s")
best = {}
for name in names:
    finals = {rate: sum(curves[name, rate][-20:]) / 20 for rate in rates}
    best[name] = max(finals, key=finals.get)
    print(
        f"{name:16s}", "  ".join(f"{rate:g}: {final:6.1f}" for rate, final in finals.items()), f"  best {best[name]:g}"
    )

# %% tags=["show"]
figure, (axis,) = new_figure(width=7.0, height=3.6)
for (name, rate), bounds in curves.items():
    chosen = rate == best[name]
    smooth = torch.tensor(bounds).unfold(0, 10, 1).mean(-1)
    if chosen:
        colour, style = styles[name]
        axis.plot(smooth, style[1:], color=colour, lw=2.2, label=f"{name}, learning rate {rate:g}")
    else:
        axis.plot(smooth, color=styles[name][0], lw=0.7, alpha=0.5)
axis.set_ylim(-260, None)
label(axis, "Same cost for each step, another climb", "step", "bound (nats, mean of 10 steps)")
axis.legend(frameon=False, loc="lower right")
Picture(
    figure,
    "Training curves: thick lines show each estimator at its best learning rate, thin lines at the others. The reparameterized gradient ends highest, the policy gradient with baseline a little lower, without baseline lowest.",
)

# %% [markdown]
# ## Where only one of them can go
#
# Let $z$ be one of twenty categories, and $p(x|z{=}k)$ a picture of its own for each: a mixture of twenty prototypes. The encoder gives
# logits, $q_\phi(z{=}k|x) = \text{softmax}(\text{logits})_k$.

# %% exercise="discrete_prediction"
# z is a category, one of ten. Why can reparameterization not train its logits?
# Choose one of: "the gradient is too noisy", "z cannot be moved a little", "the softmax has no derivative"
discrete_prediction = None
### BEGIN SOLUTION
discrete_prediction = "z cannot be moved a little"
### END SOLUTION

# %% [markdown]
# With twenty categories the expectation is a sum, so this once we know the bound exactly. That makes it the judge of the estimator we build after it.
#
# ### Exercise: `categorical_elbo` ({{points categorical_elbo}})
#
# <details><summary>Hint</summary>
#
# Σ_k q_k [log p(x, z=k) - log q_k]. Take log q from `log_softmax`: where q_k underflows to 0, log q_k stays finite.
#
# </details>


# %% exercise="categorical_elbo"
def categorical_elbo(log_joint, logits):
    """The exact bound for a categorical q.

    log_joint: log p(x, z=k) for every category, (batch, categories).
    logits: unnormalised log-probabilities of q, (batch, categories).
    Returns (batch,), in nats.
    """
    ### BEGIN SOLUTION
    log_q = torch.log_softmax(logits, -1)
    return (log_q.exp() * (log_joint - log_q)).sum(-1)
    ### END SOLUTION


# %% [markdown]
# ### Exercise: `categorical_policy_gradient` ({{points categorical_policy_gradient}})
#
# <details><summary>Hint 1</summary>
#
# As `score_function_surrogate`, with log q(z) picked out of `log_softmax(logits)`.
#
# </details>
# <details><summary>Hint 2: picking</summary>
#
# `torch.distributions.Categorical(logits=logits).log_prob(z)` takes z (samples, batch) as it is.
#
# </details>


# %% exercise="categorical_policy_gradient"
def categorical_policy_gradient(logits, reward, z):
    """A scalar whose gradient is the policy gradient for a categorical q, to be maximised.

    logits: unnormalised log-probabilities, (batch, categories).
    reward: (samples, batch); no gradient flows into it.
    z: sampled categories, int64 (samples, batch).
    Returns a scalar, the mean over samples and batch.
    """
    ### BEGIN SOLUTION
    log_q = torch.distributions.Categorical(logits=logits).log_prob(z)
    return (log_q * reward.detach()).mean()
    ### END SOLUTION


# %% tags=["show", "varies"]
categories = 20
more_digits = load_images("train").flat()


def train_prototypes(exact, steps=500, seed=0):
    """Train twenty prototypes and an encoder, by the exact bound or by the policy gradient with four samples."""
    torch.manual_seed(seed)
    encoder = torch.nn.Sequential(torch.nn.Linear(784, 100), torch.nn.Tanh(), torch.nn.Linear(100, categories))
    # Faint copies of twenty digits: prototypes that all start alike stay alike.
    start = 0.3 * more_digits[torch.randint(len(more_digits), (categories,))] + 0.7 * more_digits[:1000].mean(0)
    prototypes = torch.nn.Parameter(start.clamp(0.02, 0.98).logit())
    optimizer = torch.optim.Adam([{"params": encoder.parameters(), "lr": 1e-3}, {"params": [prototypes], "lr": 5e-2}])
    bounds = []
    for _ in range(steps):
        x = more_digits[torch.randint(len(more_digits), (200,))]
        logits = encoder(x)
        log_joint = bernoulli_log_likelihood(x.unsqueeze(1), prototypes) - math.log(categories)
        elbo = categorical_elbo(log_joint, logits)
        if exact:
            objective = elbo.mean()
        else:
            z = torch.distributions.Categorical(logits=logits).sample((4,))
            at_z = log_joint.gather(1, z.T).T
            reward = at_z - torch.distributions.Categorical(logits=logits).log_prob(z)
            advantage = (reward - leave_one_out_baseline(reward)).detach()
            objective = categorical_policy_gradient(logits, advantage, z) + at_z.mean()
        optimizer.zero_grad()
        (-objective).backward()
        optimizer.step()
        bounds.append(elbo.mean().item())
    return prototypes.detach().sigmoid(), bounds


began = time.monotonic()
prototypes, by_policy = train_prototypes(exact=False)
_, by_sum = train_prototypes(exact=True)
print(
    f"{time.monotonic() - began:.0f} s; bounds at the end: policy gradient {by_policy[-1]:.1f}, exact {by_sum[-1]:.1f} nats"
)

# %% tags=["show"]
figure, (left, right) = new_figure(2, width=4.6, height=3.5, width_ratios=[1, 1.2])
left.plot(
    torch.tensor(by_sum).unfold(0, 10, 1).mean(-1), color=BLACK, ls=":", lw=2, label="exact gradient, all categories"
)
left.plot(torch.tensor(by_policy).unfold(0, 10, 1).mean(-1), color=ORANGE, label="policy gradient, 4 samples")
left.set_ylim(-300, None)
label(left, "It learns where no derivative goes", "step", "exact bound (nats)")
left.legend(frameon=False, fontsize=8.5)
draw_images(right, (255 * prototypes).byte().view(-1, 28, 28), columns=5)
right.set_title("Twenty prototypes, found by policy gradient", loc="left", fontsize=10.5)
right.set_xlabel("probability of ink for each category")
Picture(
    figure,
    "Left: the exact bound while training by policy gradient rises a little more slowly than by the exact gradient and stays some nats below. Right: twenty prototypes; those in use are digits in different hands.",
)

# %% [markdown]
# ## The slide, measured
#
# Every row of the lecture's comparison is now a number of yours.

# %% tags=["show", "varies"]
policy, with_baseline, path = (measured[name][1][0].item() for name in estimators)
print("Policy gradient")
print(
    f"  handles discrete latent variables       bound {by_policy[0]:.0f} -> {by_policy[-1]:.0f} nats with 20 categories"
)
print(
    f"  high variance                           {policy / path:.0f} times the other's, {with_baseline / path:.0f} times with a baseline"
)
print(
    f"  requires multiple samples               M = {math.ceil(policy / path) * 4} for the variance the other has at M = 4"
)
bad = {name: sum(curves[name, rates[-1]][-20:]) / 20 for name in names}
print(
    f"  and small learning rates                at {rates[-1]:g}: {bad['policy gradient']:.0f} nats, the other {bad['reparameterized']:.0f}"
)
print("Reparameterization trick")
print("  only continuous latent variables        a category has no derivative")
print("  very simple to implement                one line")
print(f"  low variance                            {path:.2f} at M = 4, whatever the dimension")
final = {name: sum(curves[name, best[name]][-20:]) / 20 for name in best}
print(
    f"  so it learns faster                     {final['reparameterized']:.0f} nats after 200 steps, against "
    f"{final['policy gradient']:.0f}, and {final['with baseline']:.0f} with a baseline"
)

# %% [markdown]
# ## The points so far

# %% tags=["nbval-check-output", "show"]
summary("05_policy_gradient_vs_reparameterization")

# %% [markdown]
# **What you did.** You wrote both gradients for $\phi$, showed that both are unbiased and that their variances differ by orders of magnitude,
# took noise out with a baseline and with a formula, and trained a discrete latent variable where only one of them can go.
#
# **What comes next.** Notebook 06: the reparameterization trick, the closed-form KL and two networks, together: the variational
# autoencoder.
#
# **References.** The lecture, parts "Amortized variational inference" to "Reparameterization trick vs. policy gradient". Williams, *Simple
# statistical gradient-following algorithms for connectionist reinforcement learning*, 1992. Kingma and Welling, *Auto-encoding variational
# Bayes*, 2014. Rezende, Mohamed and Wierstra, *Stochastic backpropagation and approximate inference in deep generative models*, 2014. Mnih and
# Rezende, *Variational inference for Monte Carlo objectives*, 2016, and Kool, van Hoof and Welling, *Buy 4 REINFORCE samples, get a
# baseline for free!*, 2019, for the leave-one-out baseline.
