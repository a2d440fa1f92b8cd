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
# **Time**: 120–180 minutes. **Points**: {{topic points}}.

# %% setup=true

# %%
import math

import torch
from tqdm.auto import tqdm

from course_lib.checks import using
from course_lib.figures import policy_gradient_vs_reparameterization as figures

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

    log_q: log q(z_j|x), (samples, batch); attached to the parameters of q, at samples that are not.
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

# %% fold=true
# One policy-gradient estimate of dJ/dmu at mu = 0, with or without a baseline
normal = torch.distributions.Normal
surrogate = using("score_function_surrogate")


def separable(z):
    """A reward that is a sum over dimensions."""
    return -0.5 * ((z - 1) ** 2).sum(-1)


def policy_gradient(samples, dim=2, constant=0.0, baseline=None, reward_fn=separable, sigma=0.5):
    """One estimate, (dim,); baseline: a function of the rewards (samples, 1)."""
    mu = torch.zeros(1, dim, requires_grad=True)
    z = (mu + sigma * torch.randn(samples, 1, dim)).detach()
    reward = reward_fn(z) + constant
    if baseline is not None:
        reward = reward - baseline(reward)
    log_q = normal(mu, sigma).log_prob(z).sum(-1)
    return torch.autograd.grad(surrogate(log_q, reward), mu)[0][0]


# %% tags=["show", "varies"]
torch.manual_seed(0)
for constant in (0.0, 10.0, 100.0):
    estimates = torch.stack([policy_gradient(10, constant=constant)[0] for _ in range(1000)])
    mean, spread = estimates.mean(), estimates.std()
    print(f"c = {constant:3.0f}: mean {mean:5.2f}, standard deviation {spread:5.2f}")

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


# %% fold=true tags=["show", "varies"]
# @title A thousand gradients with your baseline, for three constants
torch.manual_seed(0)
others = using("leave_one_out_baseline")
for constant in (0.0, 10.0, 100.0):
    draws = [policy_gradient(10, constant=constant, baseline=others)[0] for _ in range(1000)]
    estimates = torch.stack(draws)
    mean, spread = estimates.mean(), estimates.std()
    print(f"c = {constant:3.0f}: mean {mean:5.2f}, standard deviation {spread:5.2f}")

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
# Choose one of: "the reward is not detached", "the score has the wrong sign",
# "its baseline contains its own sample",
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
# Now $\phi$ is inside $r$, and the gradient may move in. The two ways side by side:

# %% tags=["show"]
figures.two_estimators()

# %% [markdown]
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
    reward_fn: maps z (samples, batch, latent_dim) to rewards (samples, batch), differentiably.
    Returns a scalar, the mean over samples and batch.
    """
    ### BEGIN SOLUTION
    return reward_fn(mu + sigma * eps).mean()
    ### END SOLUTION


# %% exercise="unbiased_prediction"
# Both estimators are averaged over very many samples. Where do they end?
# Choose one of: "at the same gradient", "reparameterization is nearer",
# "the policy gradient is biased"
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

    estimator: called without arguments, returns one estimate, a tensor of any shape;
        call it exactly num_repeats times.
    num_repeats: a whole number, at least 2.
    Returns mean and variance, each of the shape of one estimate; the variance is unbiased (n - 1).
    """
    ### BEGIN SOLUTION
    estimates = torch.stack([estimator() for _ in range(num_repeats)])
    return estimates.mean(0), estimates.var(0)
    ### END SOLUTION


# %% fold=true
# One reparameterized estimate of the same gradient
path_surrogate, measure = using("reparameterized_surrogate"), using("gradient_mean_and_variance")


def reparameterized(samples, dim=2, reward_fn=separable, sigma=0.5):
    """One estimate, (dim,)."""
    mu, sigmas = torch.zeros(1, dim, requires_grad=True), torch.full((1, dim), sigma)
    value = path_surrogate(mu, sigmas, torch.randn(samples, 1, dim), reward_fn)
    return torch.autograd.grad(value, mu)[0][0]


# %% fold=true tags=["show", "varies"]
# @title Mean and variance of four thousand gradients each
torch.manual_seed(1)
estimators = {
    "policy gradient": lambda: policy_gradient(4, constant=-4.0),
    "with baseline": lambda: policy_gradient(4, constant=-4.0, baseline=others),
    "reparameterized": lambda: reparameterized(4),
}
measured = {name: measure(estimator, 4000) for name, estimator in tqdm(estimators.items())}
for name, (mean, variance) in measured.items():
    error = (variance[0] / 4000).sqrt()
    print(f"{name:16s} mean {mean[0]:5.2f} ± {error:.2f} (true: 1), variance {variance[0]:6.2f}")

# %% [markdown]
# All three means agree with 1 within their errors: unbiased. The variances do not agree at all. In the laboratory below, turn on the
# baseline, add dimensions, make $\sigma$ small.

# %% tags=["explorer", "show"]
from course_lib import explorers

explorers.gradients

# %% exercise="score_dimension_prediction"
# The latent dimension grows, r is a sum over dimensions.
# Which estimator's variance per entry grows with it?
# Choose one of: "the policy gradient's", "the reparameterized one's", "both alike"
score_dimension_prediction = None
### BEGIN SOLUTION
score_dimension_prediction = "the policy gradient's"
### END SOLUTION

# %% [markdown]
# The prediction was about an $r$ that is a sum over dimensions. That is not always so: a decoder mixes the dimensions of its code. So we
# measure a second reward as well, in which they act together. Write a third one of your own.


# %%
def coupled(z):
    """A reward in which all dimensions act together: -½ (z_1 + z_2 + ... - 1)²."""
    return -0.5 * (z.sum(-1) - 1) ** 2


# %% fold=true tags=["show", "varies"]
# @title Variances against samples, and against dimensions for both rewards
torch.manual_seed(2)
numbers, dims = (2, 4, 8, 16, 32), (1, 2, 4, 8, 16, 32)


def all_three(samples, dim, reward_fn=separable):
    """The variance of one estimate's first entry, for each estimator."""
    tries = {
        "policy gradient": lambda: policy_gradient(samples, dim, -4.0, None, reward_fn),
        "with baseline": lambda: policy_gradient(samples, dim, -4.0, others, reward_fn),
        "reparameterized": lambda: reparameterized(samples, dim, reward_fn),
    }
    return {name: measure(estimator, 400)[1][0].item() for name, estimator in tries.items()}


against_samples = [all_three(samples, 2) for samples in tqdm(numbers, desc="samples")]
against_dim = [all_three(4, dim) for dim in tqdm(dims, desc="dimensions")]
against_coupled = [all_three(4, dim, coupled) for dim in tqdm(dims, desc="coupled")]
figures.variances(numbers, against_samples, dims, against_dim, against_coupled)

# %% [markdown]
# More samples help all alike, as $1/M$. More dimensions hurt the policy gradient always. They leave the reparameterized gradient
# alone only where $r$ is a sum: in the right panel $\partial r/\partial z_1$ contains every other $z_d$, and its variance grows with their number. It
# stays the lowest of the three.
#
# ## Another way to look at it
#
# The lecture groups the terms of our bound differently:
#
# $$\mathcal L_i = E_{z\sim q_\phi(z|x_i)}\big[\log p_\theta(x_i|z)\big] + \underbrace{E_{z\sim q_\phi(z|x_i)}\big[\log p(z)\big]
# + \mathcal H\big(q_\phi(z|x_i)\big)}_{-D_{KL}(q_\phi(z|x_i)\|p(z))},$$
#
# and the KL of two Gaussians is a formula (notebook 02). Samples are needed for the likelihood only. It is the shortest way to write the bound; does it
# take noise out of the gradient, too? First the function, then the question.
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

    log_likelihood: log p(x|z_s) at samples of q, (samples, batch), averaged over the samples;
        or (batch,), one sample.
    mu, sigma: mean and standard deviation of q, (batch, latent_dim).
    Returns (batch,), in nats.
    """
    ### BEGIN SOLUTION
    kl = 0.5 * (mu**2 + sigma**2 - 1 - 2 * sigma.log()).sum(-1)
    expected = log_likelihood.mean(0) if log_likelihood.dim() == 2 else log_likelihood
    return expected - kl
    ### END SOLUTION


# %% [markdown]
# ### A derivation to complete: what does the formula save?
#
# Take one latent dimension, $z = \mu + \sigma\epsilon$, $p(z) = \mathcal N(0, 1)$, and a likelihood that is a parabola,
# $\log p(x|z) = -\tfrac h2 (z - a)^2 + \text{const}$: $h$ says how much $x$ cares about $z$.
#
# 1. With $\log p(z)$ sampled, one sample's gradient with respect to $\mu$ is $\ -h(z - a) - z$. Only $z$ is random in it, with a factor of
#    $-(h + 1)$: the variance is $(h + 1)^2\sigma^2$.
# 2. With the KL as a formula, the derivative of $-\tfrac12\mu^2$ takes the place of $-z$: $\ -h(z - a) - \mu$, with the variance
#    $h^2\sigma^2$.
# 3. An estimate is the mean of $M$ samples: both are divided by $M$.
# 4. So the formula takes out a variance of $\ \boxed{\ ?\ }$
#
# ### Exercise: `variance_saved` ({{points variance_saved}})
#
# Type what stands in the box.
#
# <details><summary>Hint</summary>
#
# A difference of two squares.
#
# </details>


# %% exercise="variance_saved"
def variance_saved(h, sigma, samples):
    """The variance that the closed-form KL takes out of the reparameterized gradient for mu.

    h: curvature of log p(x|z), not negative, (batch,).
    sigma: standard deviation of q, positive, (batch,).
    samples: M, (batch,).
    Returns (batch,).
    """
    ### BEGIN SOLUTION
    return (2 * h + 1) * sigma**2 / samples
    ### END SOLUTION


# %% [markdown]
# In the true posterior the curvatures of likelihood and prior add up, $1/\sigma^2 = h + 1$. Put that in, and the variance with sampling over that
# with the formula is $\left(\frac{h+1}{h}\right)^2 = \frac{1}{(1-\sigma^2)^2}$. A code that the image fixes well, $\sigma = 0.1$, gains 2 %. A dimension that the decoder
# ignores, $h = 0$, $\sigma = 1$, loses all of its noise. So the formula helps where the decoder does *not* listen. We shall see on digits how much of that there is.
#
# ## Training with each
#
# Now the objective with which a decoder and an encoder are trained by policy gradient. It has three terms, and each trains something else:
#
# $$\frac1M\sum_j \log q_\phi(z_j|x)\,\big[r_j - b_j\big] \;+\; \frac1M\sum_j\log p_\theta(x|z_j) \;-\; D_{KL}\big(q_\phi(z|x)\|p(z)\big),
# \qquad r_j = \log p_\theta(x|z_j).$$
#
# The first is your surrogate, with the leave-one-out baseline, and trains $\phi$ through $\log q$; the second trains $\theta$; the third needs no samples, and
# trains $\phi$ directly, through $\mu$ and $\sigma$.
#
# ### Exercise: `policy_gradient_objective` ({{points policy_gradient_objective}})
#
# <details><summary>Hint 1</summary>
#
# $r_j$ stands in it twice: in the first term as a number, in the second with its gradient.
#
# </details>
# <details><summary>Hint 2</summary>
#
# `score_function_surrogate(log_q, reward - leave_one_out_baseline(reward))`, and the other two are `elbo_with_analytic_kl(...).mean()`.
#
# </details>


# %% exercise="policy_gradient_objective"
def policy_gradient_objective(log_likelihood, log_q, mu, sigma):
    """The objective whose gradient trains the decoder, and the encoder by policy gradient.

    log_likelihood: log p(x|z_j), (samples, batch), attached to theta; at least two samples.
    log_q: log q(z_j|x), (samples, batch), attached to phi, at samples z_j that are not.
    mu, sigma: mean and standard deviation of q, (batch, latent_dim), attached to phi.
    Returns a scalar, to be maximised: the mean over samples and batch, with the leave-one-out
    baseline and the KL to N(0, I) in closed form.
    """
    ### BEGIN SOLUTION
    reward = log_likelihood.detach()
    learning_phi = score_function_surrogate(log_q, reward - leave_one_out_baseline(reward))
    return learning_phi + elbo_with_analytic_kl(log_likelihood, mu, sigma).mean()
    ### END SOLUTION


# %% [markdown]
# The same encoder and decoder, the same digits. Policy gradient with and without a baseline, and reparameterization, each with $M = 8$ samples of $z$ in a step. The lecture says
# of the last one: "a single sample works well!" So it runs with $M = 1$ too, an eighth of the decoder's work. Each may choose the learning rate of the encoder that suits it best,
# and then runs with three seeds.

# %% fold=true
# @title The objective of one step, for each of four ways
from course_lib.data import load_images
from course_lib.distributions import bernoulli_log_likelihood

digits, latent_dim = load_images("train").flat(), 8
bound_of, with_baseline = using("elbo_with_analytic_kl"), using("policy_gradient_objective")


def policy_gradient_step(x, decoder, mu, sigma, eps, baseline=True):
    """The objective of a step by policy gradient, a scalar."""
    z = (mu + sigma * eps).detach()
    log_likelihood = bernoulli_log_likelihood(x, decoder(z))
    log_q = normal(mu, sigma).log_prob(z).sum(-1)
    if baseline:
        return with_baseline(log_likelihood, log_q, mu, sigma)
    return surrogate(log_q, log_likelihood) + bound_of(log_likelihood, mu, sigma).mean()


def reparameterized_step(x, decoder, mu, sigma, eps):
    """The objective of a step by reparameterization, a scalar."""
    return bound_of(bernoulli_log_likelihood(x, decoder(mu + sigma * eps)), mu, sigma).mean()


ways = {
    "policy gradient": (lambda *args: policy_gradient_step(*args, baseline=False), 8),
    "with baseline": (policy_gradient_step, 8),
    "reparameterized": (reparameterized_step, 8),
    "reparameterized, M = 1": (reparameterized_step, 1),
}

# %% fold=true
# The training loop: 200 steps with batches of 50 digits
from course_lib.amortized import Encoder


def train_with(way, learning_rate, seed, steps=200):
    """Train with one of the ways; return the bound before every step, the encoder and the decoder."""
    objective, samples = ways[way]
    torch.manual_seed(seed)
    encoder = Encoder(784, 100, latent_dim)
    decoder = torch.nn.Sequential(torch.nn.Linear(latent_dim, 100), torch.nn.Tanh(), torch.nn.Linear(100, 784))
    optimizer = torch.optim.Adam(
        [{"params": encoder.parameters(), "lr": learning_rate}, {"params": decoder.parameters(), "lr": 3e-3}]
    )
    generator, bounds = torch.Generator().manual_seed(seed), []
    for _ in range(steps):
        x = digits[torch.randint(5000, (50,), generator=generator)]
        mu, log_sigma = encoder(x)
        sigma = log_sigma.exp()
        eps = torch.randn(samples, 50, latent_dim, generator=generator)
        with torch.no_grad():  # every way is judged by the same bound, from one sample
            one = bernoulli_log_likelihood(x, decoder(mu + sigma * eps[0]))
            bounds.append(bound_of(one, mu, sigma).mean().item())
        optimizer.zero_grad()
        (-objective(x, decoder, mu, sigma, eps)).backward()
        optimizer.step()
    return bounds, encoder, decoder


def ending(bounds):
    """The mean bound of the last twenty steps."""
    return sum(bounds[-20:]) / 20


# %% fold=true tags=["show", "varies"]
# @title Each way at three learning rates, then with three seeds
rates = (1e-3, 3e-3, 1e-2)
finals, curves, best = {}, {}, {}
bar = tqdm(total=len(ways) * (len(rates) + 2))
for way in ways:
    runs = {}
    for rate in rates:
        runs[rate] = train_with(way, rate, seed=0)
        finals[way, rate] = ending(runs[rate][0])
        bar.update()
    best[way] = max(rates, key=lambda rate: finals[way, rate])
    trained = runs[best[way]]  # after the loop: of the last way
    curves[way] = [trained[0]]
    for seed in (1, 2):
        curves[way].append(train_with(way, best[way], seed)[0])
        bar.update()
    told = "  ".join(f"rate {rate:g}: {finals[way, rate]:6.1f}" for rate in rates)
    print(f"{way:24s} {told}   three seeds:", [round(ending(run)) for run in curves[way]])
bar.close()
figures.training(curves, best)

# %% [markdown]
# Read the figure from the bottom: the noise without a baseline costs most, and forces small steps. With a baseline and eight samples the policy gradient comes as far as
# reparameterization with **one** sample, for eight times the decoder's work. And from one sample to eight the reparameterized gradient gains little for its price: a single
# sample does work well.
#
# ## What the formula saved
#
# The derivation said: little where $q$ is narrow. Here is the model trained last, the gradient for $\mu$ of twelve digits, in each of the eight latent dimensions: its variance with
# $\log p(z)$ sampled, and with the KL as a formula.

# %% fold=true tags=["show", "varies"]
# @title The variance for μ with log p(z) sampled, and by formula
_, encoder, decoder = trained


def variance_of_mu(x, sampled, repeats=3000):
    """The variance of the bound's gradient with respect to mu, (latent_dim,), M = 1."""
    mu, log_sigma = encoder(x)
    mu = mu.detach().expand(repeats, -1).clone().requires_grad_()
    z = mu + log_sigma.detach().exp() * torch.randn(repeats, latent_dim)
    # Of the KL only mu²/2 depends on mu; of log p(z) only z²/2.
    prior = -0.5 * (z if sampled else mu).square().sum(-1)
    value = bernoulli_log_likelihood(x, decoder(z)) + prior
    return torch.autograd.grad(value.sum(), mu)[0].var(0)


torch.manual_seed(3)
chosen = digits[:12]
by_sampling = torch.cat([variance_of_mu(x[None], sampled=True) for x in chosen])
by_formula = torch.cat([variance_of_mu(x[None], sampled=False) for x in chosen])
widths = encoder(chosen)[1].exp().detach().flatten()
print(f"all variances added up: sampled {by_sampling.sum():.0f}, formula {by_formula.sum():.0f}")
figures.what_the_formula_saves(widths, by_sampling, by_formula)

# %% [markdown]
# The derivation gives the tendency; most points lie below its curve, for no digit's likelihood is a parabola. All in all the formula takes out about a tenth of the variance here: it does not touch what is noisiest, the
# decoder's own term. The better reason to use it: it is exact, it costs nothing, and it says how much the code tells. Every VAE since Kingma and Welling has it where the KL is known.
#
# ## Where only one of them can go
#
# Let $z$ be one of twenty categories, and $p(x|z{=}k)$ a picture of its own for each: a mixture of twenty prototypes. The encoder gives
# logits, $q_\phi(z{=}k|x) = \text{softmax}(\text{logits})_k$.

# %% exercise="discrete_prediction"
# z is a category, one of ten. Why can reparameterization not train its logits?
# Choose one of: "the gradient is too noisy", "z cannot be moved a little",
# "the softmax has no derivative"
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


# %% fold=true
# Training twenty prototypes and an encoder, by the exact bound or by the policy gradient with four samples
categories = 20
exact_bound, discrete_surrogate = using("categorical_elbo"), using("categorical_policy_gradient")


def train_prototypes(exact, steps=500, seed=0):
    """Return the prototypes (20, 784) and the exact bound before every step."""
    torch.manual_seed(seed)
    encoder = torch.nn.Sequential(torch.nn.Linear(784, 100), torch.nn.Tanh(), torch.nn.Linear(100, categories))
    # Faint copies of twenty digits: prototypes that all start alike stay alike.
    start = 0.3 * digits[torch.randint(len(digits), (categories,))] + 0.7 * digits[:1000].mean(0)
    prototypes = torch.nn.Parameter(start.clamp(0.02, 0.98).logit())
    optimizer = torch.optim.Adam([{"params": encoder.parameters(), "lr": 1e-3}, {"params": [prototypes], "lr": 5e-2}])
    bounds = []
    for _ in tqdm(range(steps), desc="exact gradient" if exact else "policy gradient"):
        x = digits[torch.randint(len(digits), (200,))]
        logits = encoder(x)
        # log p(x|k) of a Bernoulli is x · logit - softplus(logit): one product for all prototypes.
        log_joint = x @ prototypes.T - torch.nn.functional.softplus(prototypes).sum(-1) - math.log(categories)
        elbo = exact_bound(log_joint, logits)
        if exact:
            objective = elbo.mean()
        else:
            q = torch.distributions.Categorical(logits=logits)
            z = q.sample((4,))
            at_z = log_joint.gather(1, z.T).T
            reward = (at_z - q.log_prob(z)).detach()
            objective = discrete_surrogate(logits, reward - others(reward), z) + at_z.mean()
        optimizer.zero_grad()
        (-objective).backward()
        optimizer.step()
        bounds.append(elbo.mean().item())
    return prototypes.detach().sigmoid(), bounds


# %% tags=["show", "varies"]
prototypes, by_policy = train_prototypes(exact=False)
_, by_sum = train_prototypes(exact=True)
print(f"bounds at the end: policy gradient {by_policy[-1]:.1f}, exact {by_sum[-1]:.1f} nats")
figures.prototypes(by_policy, by_sum, prototypes)

# %% [markdown]
# ## The slide, measured
#
# Every row of the lecture's comparison is now a number of yours.

# %% fold=true tags=["show", "varies"]
# Prints the slide with your numbers
policy, quieter, path = (measured[name][1][0].item() for name in estimators)
at_end = {way: sum(ending(run) for run in runs) / len(runs) for way, runs in curves.items()}
rows = (
    ("Policy gradient", ""),
    ("  discrete latent variables", f"bound {by_policy[0]:.0f} -> {by_policy[-1]:.0f} nats with 20 categories"),
    ("  high variance", f"{policy / path:.0f} times the other's, {quieter / path:.0f} times with a baseline"),
    ("  requires multiple samples", f"M = {math.ceil(policy / path) * 4} for the variance the other has at M = 4"),
    (
        "  and small learning rates",
        f"at {rates[-1]:g}: {finals['policy gradient', rates[-1]]:.0f} nats, "
        f"the other {finals['reparameterized', rates[-1]]:.0f}",
    ),
    ("Reparameterization trick", ""),
    ("  only continuous latents", "a category has no derivative"),
    ("  very simple to implement", "one line"),
    ("  low variance", f"{path:.2f} at M = 4, in any dimension where r is a sum"),
    (
        "  a single sample works well",
        f"{at_end['reparameterized, M = 1']:.0f} nats after 200 steps with M = 1, "
        f"{at_end['reparameterized']:.0f} with M = 8",
    ),
    (
        "  and learns faster",
        f"the policy gradient with M = 8: {at_end['policy gradient']:.0f}, "
        f"with a baseline {at_end['with baseline']:.0f}",
    ),
)
for row, number in rows:
    print(f"{row:30s} {number}")

# %% [markdown]
# ## An open task: sixteen rewards
#
# Sometimes a reward has no derivative: a simulator, a game, a discrete decoder. **From sixteen rewards, estimate the gradient for $\mu$ with as little variance as you can.** The reward
# is $\log p(x|z) + \log p(z)$ of a trained model of digits, $q = \mathcal N(\mu, \sigma)$ has two dimensions, and your function may ask for sixteen values of $r$, at any $z$ it likes.
# It must be unbiased; that is checked. The measure is the variance of one estimate, over the squared length of the gradient. No points for it. Below, the policy gradient with your baseline. Must the
# sixteen $z$ be independent? Must they come from $q$?

# %% tags=["show", "varies"]
from course_lib.challenges import attempt


def my_estimator(reward, mu, sigma, generator):
    """One estimate, (2,); reward maps z (n, 2) to (n,), without a gradient; mu, sigma: (2,)."""
    eps = torch.randn(16, 2, generator=generator)
    r = reward(mu + sigma * eps).unsqueeze(-1)
    return (eps / sigma * (r - others(r))).mean(0)


attempt("05_policy_gradient_vs_reparameterization", my_estimator)

# %% [markdown]
# ## The points so far

# %% tags=["nbval-check-output", "show"]
summary("05_policy_gradient_vs_reparameterization")

# %% [markdown]
# **What you did.** You wrote both gradients for $\phi$, showed that both are unbiased and that their variances differ by orders of magnitude,
# took noise out with a baseline, found out when a formula does, and trained a discrete latent variable where only one of them can go.
#
# **What comes next.** Notebook 06: the reparameterization trick, the closed-form KL and two networks, together: the variational
# autoencoder.
#
# **References.** The lecture, parts "Amortized variational inference" to "Reparameterization trick vs. policy gradient". Williams, *Simple
# statistical gradient-following algorithms for connectionist reinforcement learning*, 1992. Kingma and Welling, *Auto-encoding variational
# Bayes*, 2014. Rezende, Mohamed and Wierstra, *Stochastic backpropagation and approximate inference in deep generative models*, 2014. Mnih and
# Rezende, *Variational inference for Monte Carlo objectives*, 2016, and Kool, van Hoof and Welling, *Buy 4 REINFORCE samples, get a
# baseline for free!*, 2019, for the leave-one-out baseline.
