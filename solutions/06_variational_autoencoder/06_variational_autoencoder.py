# %% [markdown]
# # 06 · The variational autoencoder
#
# {{colab}}
#
# **Where this stands in the lecture**: "The *variational* autoencoder" and "Using the variational autoencoder".
#
# **After it you can** build a VAE from its four parts, train it on MNIST, read its latent space, say why samples of the prior
# become digits, recognise a broken VAE by its pictures, and measure how good yours is next to published ones.
#
# **Time**: 150 minutes. **Points**: {{topic points}}.

# %% setup=true

# %%
import math
import time

import torch

# %% [markdown]
# ## Everything at once
#
# An encoder $q_\phi(z|x) = \mathcal N(\mu_\phi(x), \sigma_\phi(x))$, a decoder $p_\theta(x|z)$, a prior $p(z) = \mathcal N(0, I)$. One sample $\epsilon$ for each
# image, the KL as a formula:
#
# $$\max_{\theta,\phi}\ \frac1N\sum_i\ \log p_\theta\big(x_i \,\big|\, \mu_\phi(x_i) + \epsilon\,\sigma_\phi(x_i)\big)
# - D_{KL}\big(q_\phi(z|x_i)\,\|\,p(z)\big).$$
#
# That is the variational autoencoder. *Autoencoder*, because the first term rewards that $x$ comes back from its own code; *variational*, because
# the code is a distribution, and the second term keeps it near the prior. We build it part by part.
#
# ### Exercise: `reparameterize` ({{points reparameterize}})
#
# <details><summary>Hint</summary>
#
# σ = exp(log σ), and exp of half of it would be right for a log-variance only.
#
# </details>


# %% exercise="reparameterize"
def reparameterize(mu, log_sigma, eps):
    """A sample of q(z|x) through which gradients flow: z = mu + sigma * eps.

    mu, log_sigma: the encoder's outputs, (batch, latent_dim); log_sigma is the log of the standard deviation.
    eps: standard Gaussian noise, (batch, latent_dim). No other noise is drawn.
    Returns (batch, latent_dim).
    """
    ### BEGIN SOLUTION
    return mu + log_sigma.exp() * eps
    ### END SOLUTION


# %% [markdown]
# The KL from notebook 02, with $\mu_p = 0$ and $\sigma_p = 1$, in the encoder's own terms:
#
# $$D_{KL}\big(\mathcal N(\mu,\sigma)\,\|\,\mathcal N(0, I)\big) = \tfrac12\sum_d\big[\mu_d^2 + \sigma_d^2 - 1 - \log\sigma_d^2\big].$$
#
# ### Exercise: `kl_to_standard_normal` ({{points kl_to_standard_normal}})
#
# <details><summary>Hint</summary>
#
# σ² = exp(2 log σ), and log σ² = 2 log σ. Sum over the latent dimensions.
#
# </details>


# %% exercise="kl_to_standard_normal"
def kl_to_standard_normal(mu, log_sigma):
    """D_KL(N(mu, sigma) || N(0, I)) of each data point.

    mu, log_sigma: (batch, latent_dim); log_sigma is the log of the standard deviation.
    Returns (batch,), in nats.
    """
    ### BEGIN SOLUTION
    return 0.5 * (mu**2 + (2 * log_sigma).exp() - 1 - 2 * log_sigma).sum(-1)
    ### END SOLUTION


# %% [markdown]
# ## A likelihood for pixels
#
# MNIST's pixels are nearly black or white. So each pixel is a coin: ink with probability $p_d = \text{sigmoid}(\text{logit}_d)$, the logits from the
# decoder,
#
# $$\log p_\theta(x|z) = \sum_d x_d\log p_d + (1-x_d)\log(1-p_d).$$
#
# A sure decoder has logits of several hundred. In floating point its sigmoid is then exactly 1, and $\log(1-1) = -\infty$. Computed *from the
# logits*, nothing overflows: $\log(1-p) = -\log(1+e^{\text{logit}})$, which torch calls `-softplus(logit)`.
#
# ### Exercise: `bernoulli_log_likelihood` ({{points bernoulli_log_likelihood}})
#
# <details><summary>Hint 1</summary>
#
# `torch.nn.functional.binary_cross_entropy_with_logits(logits, x, reduction="none")` is minus the term of each pixel, in this order of arguments.
#
# </details>
# <details><summary>Hint 2</summary>
#
# Or by hand: x log p + (1 - x) log(1 - p) = x · logit - softplus(logit). Sum over the pixels, keep the batch.
#
# </details>


# %% exercise="bernoulli_log_likelihood"
def bernoulli_log_likelihood(x, logits):
    """log p(x|z) of images whose pixels are coins.

    x: pixels in [0, 1], (batch, dim); grey values are allowed.
    logits: the decoder's outputs, (batch, dim); p = sigmoid(logits).
    Returns (batch,), in nats; finite also for logits of several hundred.
    """
    ### BEGIN SOLUTION
    return (x * logits - torch.nn.functional.softplus(logits)).sum(-1)
    ### END SOLUTION


# %% [markdown]
# ### Exercise: `VAE` ({{points VAE}})
#
# The networks are your choice; an `Encoder` like yours of notebook 04 is in `course_lib.amortized`. What the class must offer:
#
# - `elbo(x, eps)`: the bound of each image, with the noise that is given;
# - `reconstruct(x)`: probabilities of ink, decoded from the mean of $q_\phi(z|x)$, without noise;
# - `sample(n, generator)`: probabilities of ink for $n$ draws $z\sim p(z)$.
#
# <details><summary>Hint 1: the networks</summary>
#
# `Encoder(data_dim, hidden_dim, latent_dim)`, and for the decoder `torch.nn.Sequential(Linear(latent_dim, hidden_dim), Tanh(),
# Linear(hidden_dim, data_dim))`, which ends in logits: the sigmoid comes where probabilities are asked for, once.
#
# </details>
# <details><summary>Hint 2: elbo</summary>
#
# The three functions above, in the order of the formula. (Those of the library have the same names:
# `course_lib.distributions` and `course_lib.gradients`.)
#
# </details>
# <details><summary>Hint 3: sample</summary>
#
# `torch.randn(n, self.latent_dim, generator=generator)`.
#
# </details>


# %% exercise="VAE"
class VAE(torch.nn.Module):
    """A variational autoencoder with Bernoulli pixels.

    VAE(data_dim, hidden_dim, latent_dim). Keep the networks as self.encoder (x to mu, log_sigma) and self.decoder
    (z to logits): the check does not ask for these names, the pictures below use them.
    """

    def __init__(self, data_dim, hidden_dim, latent_dim):
        super().__init__()
        self.latent_dim = latent_dim
        ### BEGIN SOLUTION
        from course_lib.amortized import Encoder

        self.encoder = Encoder(data_dim, hidden_dim, latent_dim)
        self.decoder = torch.nn.Sequential(
            torch.nn.Linear(latent_dim, hidden_dim), torch.nn.Tanh(), torch.nn.Linear(hidden_dim, data_dim)
        )
        ### END SOLUTION

    def elbo(self, x, eps):
        """x: (batch, data_dim) in [0, 1]; eps: (batch, latent_dim). Returns (batch,), in nats."""
        ### BEGIN SOLUTION
        mu, log_sigma = self.encoder(x)
        logits = self.decoder(mu + log_sigma.exp() * eps)
        log_likelihood = (x * logits - torch.nn.functional.softplus(logits)).sum(-1)
        kl = 0.5 * (mu**2 + (2 * log_sigma).exp() - 1 - 2 * log_sigma).sum(-1)
        return log_likelihood - kl
        ### END SOLUTION

    def reconstruct(self, x):
        """x: (batch, data_dim). Returns probabilities of ink, (batch, data_dim)."""
        ### BEGIN SOLUTION
        mu, _ = self.encoder(x)
        return self.decoder(mu).sigmoid()
        ### END SOLUTION

    def sample(self, n, generator):
        """Returns probabilities of ink for n draws z ~ N(0, I), (n, data_dim)."""
        ### BEGIN SOLUTION
        z = torch.randn(n, self.latent_dim, generator=generator)
        return self.decoder(z).sigmoid()
        ### END SOLUTION


# %% [markdown]
# ## Training it
#
# Ten thousand digits, 16 latent dimensions. In every step each pixel is drawn anew as ink or paper, with its grey value as the probability: that is
# how the papers below do it, so that bounds can be compared. The loop is the library's `course_lib.training.train`; it does what you did in notebook 04,
# shows the running bound, and if you stop it (the square button), the model keeps what it has learned.

# %% tags=["show", "varies"]
from course_lib.data import load_images
from course_lib.training import train

images, test = load_images("train").images, load_images("test")
torch.manual_seed(0)
vae = VAE(784, 400, 16)
history = train(vae, images, epochs=35, batch_size=100, learning_rate=2e-3, binarize=True, device="cpu")
print(history)

# %% tags=["show"]
from course_lib.plots import BLUE, GREEN, ORANGE, Picture, draw_images, label, new_figure


def as_pictures(probabilities):
    return (255 * probabilities.detach()).byte().view(-1, 28, 28)


figure, (left, middle, right) = new_figure(3, width=3.9, height=3.7, width_ratios=[1, 1.2, 1.2])
left.plot(range(1, history.epochs + 1), history.bounds, color=BLUE)
label(left, "The bound rises", "pass over the data", "mean bound (nats)")
originals = test.flat()[:20]
rows = torch.stack([originals, vae.reconstruct(originals)], 1).flatten(0, 1)
draw_images(middle, as_pictures(rows), columns=8)
middle.set_title("Digits, each with its reconstruction", loc="left", fontsize=10.5)
middle.set_xlabel("new x, decoded from μ(x), new x, ...")
draw_images(right, as_pictures(vae.sample(40, torch.Generator().manual_seed(1))), columns=8)
right.set_title("Samples: z ~ p(z), decoded", loc="left", fontsize=10.5)
right.set_xlabel("forty draws, none left out")
Picture(
    figure,
    "Left: the mean bound over the passes. Middle: twenty test digits, each beside its reconstruction, which is a little smoother. Right: forty samples; most are recognisable digits, some lie between two.",
)

# %% [markdown]
# Digits that nobody wrote. The same with a latent space of two dimensions, which can be drawn. A prediction first.

# %% exercise="two_dimensions_prediction"
# With a 2-D latent space instead of 16 dimensions, what do samples look like?
# Choose one of: "blurrier, and between digits", "sharper", "the same"
two_dimensions_prediction = None
### BEGIN SOLUTION
two_dimensions_prediction = "blurrier, and between digits"
### END SOLUTION

# %% tags=["show", "varies"]
torch.manual_seed(0)
flat = VAE(784, 400, 2)
flat_history = train(flat, images, epochs=20, batch_size=100, learning_rate=2e-3, binarize=True, device="cpu")
print(flat_history)

# %% tags=["show"]
with torch.no_grad():
    codes, log_sigmas = flat.encoder(test.flat())
figure, (left, right) = new_figure(2, width=4.8, height=4.4, width_ratios=[1.2, 1])
points = left.scatter(codes[:, 0], codes[:, 1], c=test.labels, cmap="tab10", s=5, alpha=0.5, vmin=-0.5, vmax=9.5)
for digit in range(10):
    middle_of = codes[test.labels == digit].median(0).values
    box = {"facecolor": "white", "edgecolor": "none", "alpha": 0.7, "pad": 1}
    left.text(*middle_of.tolist(), str(digit), fontsize=12, weight="bold", ha="center", va="center", bbox=box)
figure.colorbar(points, ax=left, ticks=range(10), label="digit")
label(left, "Nobody told it about digits", "μ, dimension 1", "μ, dimension 2")
draw_images(right, as_pictures(flat.sample(49, torch.Generator().manual_seed(1))), columns=7)
right.set_title("Samples from two dimensions", loc="left", fontsize=10.5)
right.set_xlabel("forty-nine draws")
Picture(
    figure,
    "Left: mean codes of 2,000 test digits in the plane, coloured and labelled by digit; each digit has its own region, 4, 9 and 7 overlap. Right: 49 samples, blurrier than with 16 dimensions.",
)

# %% [markdown]
# Move the cross through the plane (here with a model trained beforehand on all of MNIST) and see what the decoder makes of it. Cross a border between two digits
# slowly. What lies between?

# %% tags=["explorer", "show"]
from course_lib import explorers

explorers.plane

# %% [markdown]
# ## Three patients
#
# Three VAEs of fellow students, each with one bug. Curves of the two terms of the bound, reconstructions and samples. You have seen what a healthy one
# looks like.

# %% tags=["show"]
from course_lib.patients import load_patient

load_patient("06_a").picture()

# %% exercise="diagnosis_06_a"
# Which bug does the first model have?
# Choose one of: "BCE averaged over the pixels", "the KL is missing", "sigmoid twice",
# "the noise is shared across the batch", "log_sigma drawn as sigma"
diagnosis_06_a = None
### BEGIN SOLUTION
diagnosis_06_a = "BCE averaged over the pixels"
### END SOLUTION

# %% tags=["show"]
load_patient("06_b").picture()

# %% exercise="diagnosis_06_b"
# Which bug does the second model have?
# Choose one of: "BCE averaged over the pixels", "the KL is missing", "z is detached", "sigmoid twice",
# "the decoder is never stepped"
diagnosis_06_b = None
### BEGIN SOLUTION
diagnosis_06_b = "the KL is missing"
### END SOLUTION

# %% tags=["show"]
load_patient("06_c").picture()

# %% exercise="diagnosis_06_c"
# Which bug does the third model have?
# Choose one of: "BCE averaged over the pixels", "the KL is missing", "the KL has the wrong sign", "sigmoid twice",
# "x and logits exchanged"
diagnosis_06_c = None
### BEGIN SOLUTION
diagnosis_06_c = "sigmoid twice"
### END SOLUTION

# %% [markdown]
# ## From one digit to another
#
# A straight line between two codes, decoded at every step: if the space between codes is in use, what comes are digits, or something on its way
# from one to the other.
#
# ### Exercise: `interpolate` ({{points interpolate}})
#
# <details><summary>Hint</summary>
#
# (1 - t)·z_start + t·z_end, with t in equal steps from 0 to 1: `torch.linspace(0, 1, num_steps)`, as a column, with the dtype of z_start.
#
# </details>


# %% exercise="interpolate"
def interpolate(z_start, z_end, num_steps):
    """A straight line of codes in equal steps, both ends included.

    z_start, z_end: (latent_dim,).
    num_steps: a whole number, at least 2.
    Returns (num_steps, latent_dim); the first row is z_start, the last z_end.
    """
    ### BEGIN SOLUTION
    share = torch.linspace(0, 1, num_steps, dtype=z_start.dtype, device=z_start.device).unsqueeze(-1)
    return (1 - share) * z_start + share * z_end
    ### END SOLUTION


# %% tags=["show"]
with torch.no_grad():
    starts, _ = vae.encoder(test.flat()[:10])
    lines = [interpolate(starts[i], starts[i + 1], 12) for i in (0, 3, 6, 8)]
    mixed = [(1 - t) * test.flat()[0] + t * test.flat()[1] for t in torch.linspace(0, 1, 12)]
    decoded = torch.cat([vae.decoder(line).sigmoid() for line in lines])
figure, (axis,) = new_figure(width=8.0, height=3.7)
draw_images(axis, as_pictures(torch.cat([decoded, torch.stack(mixed)])), columns=12)
axis.set_yticks([30 * i + 14 for i in range(5)], ["line of codes"] * 4 + ["line of pixels"])
axis.set_title("Between two codes lie digits, between two images lies a double exposure", loc="left", fontsize=10.5)
axis.set_xlabel("from one test image to another")
Picture(
    figure,
    "Four rows of twelve images each morph from one digit to another through plausible shapes. A fifth row fades between two images in pixel space: a double exposure.",
)

# %% [markdown]
# ## Why does this work?
#
# The lecture asks it under the samples. The decoder learned on $z\sim q_\phi(z|x_i)$, codes of data. We feed it $z\sim p(z)$.

# %% exercise="why_sampling_works"
# The decoder was trained on codes of data, z ~ q(z|x). Why does it give digits for z ~ p(z)?
# Choose one of: "the decoder is smooth", "the KL keeps the codes where the prior is", "z ~ p(z) was used in training"
why_sampling_works = None
### BEGIN SOLUTION
why_sampling_works = "the KL keeps the codes where the prior is"
### END SOLUTION

# %% [markdown]
# See it. All codes of all data together have the density
#
# $$q(z) = \frac1N\sum_i q_\phi(z|x_i),$$
#
# the **aggregate posterior**: a mixture with one bump for each image. Where it is high, the decoder has been trained. Averaging the bound over the data shows
# $D_{KL}(q(z)\|p(z)) \le \frac1N\sum_i D_{KL}(q_\phi(z|x_i)\|p(z))$: the KL term of the bound pulls all codes together onto the prior.
#
# ### Exercise: `aggregate_posterior_log_prob` ({{points aggregate_posterior_log_prob}})
#
# <details><summary>Hint 1: every z against every code</summary>
#
# `z.unsqueeze(1)` is (n, 1, latent_dim) and broadcasts against (N, latent_dim). After summing the last dimension you have (n, N).
#
# </details>
# <details><summary>Hint 2: the logarithm of a mean</summary>
#
# Notebook 00: `logsumexp` over the codes, minus log N.
#
# </details>


# %% exercise="aggregate_posterior_log_prob"
def aggregate_posterior_log_prob(z, mu, log_sigma):
    """log q(z) of the mixture of all codes.

    z: points, (n, latent_dim).
    mu, log_sigma: codes of N data points, (N, latent_dim); log_sigma is the log of the standard deviation.
    Returns (n,), in nats.
    """
    ### BEGIN SOLUTION
    q = torch.distributions.Normal(mu, log_sigma.exp())
    return torch.logsumexp(q.log_prob(z.unsqueeze(1)).sum(-1), 1) - math.log(len(mu))
    ### END SOLUTION


# %% tags=["show"]
grid = torch.linspace(-4, 4, 81)
plane = torch.cartesian_prod(grid, grid)
with torch.no_grad():
    aggregate = torch.cat([aggregate_posterior_log_prob(part, codes, log_sigmas) for part in plane.split(500)])
    z = codes + log_sigmas.exp() * torch.randn(len(codes), 2, generator=torch.Generator().manual_seed(0))
    log_q = aggregate_posterior_log_prob(z, codes, log_sigmas)
    log_p = torch.distributions.Normal(0.0, 1.0).log_prob(z).sum(-1)
    each = kl_to_standard_normal(codes, log_sigmas).mean()
prior = torch.distributions.Normal(0.0, 1.0).log_prob(plane).sum(-1).exp().view(81, 81)
print(
    f"KL of the aggregate posterior to the prior: {(log_q - log_p).mean():.2f} nats; of one code, on average: {each:.2f}"
)

figure, axes = new_figure(2, width=4.3, height=4.0)
shades = [0.0, 0.01, 0.03, 0.06, 0.1, 0.15, 0.2, 0.4]
named = (("the prior p(z)", prior), ("the aggregate posterior q(z)", aggregate.exp().view(81, 81)))
for axis, (name, density) in zip(axes, named, strict=True):
    drawn = axis.contourf(grid, grid, density.T.clamp(max=0.39), levels=shades, cmap="Blues")
    label(axis, name[0].upper() + name[1:], "z, dimension 1", "z, dimension 2")
figure.colorbar(drawn, ax=axes, label="density")
Picture(
    figure,
    "Two densities in the latent plane: the prior, a round hill; the aggregate posterior, which covers the same disc unevenly, with ridges and thin valleys.",
)

# %% [markdown]
# They cover the same ground: a draw from the prior falls where codes of data are, mostly. In the valleys lie the samples that look like no digit.
#
# ## How good is it?
#
# The ELBO is a bound; how far below $\log p(x)$ it lies, it does not say. A tighter one comes from notebook 01's idea, with a better place to look: estimate
# $p(x)$ by an average over samples, but draw them from $q_\phi(z|x)$ and correct by the **importance weights**
#
# $$w_k = \frac{p_\theta(x|z_k)\,p(z_k)}{q_\phi(z_k|x)}, \qquad
# \mathcal L_K = E\Big[\log\frac1K\sum_{k=1}^K w_k\Big].$$
#
# $\mathcal L_1$ is the ELBO. The mean of the weights is $p(x)$, exactly, in expectation; Jensen's gap is what their spread costs, and an average of more weights
# spreads less (Burda, Grosse and Salakhutdinov, 2016).
#
# ### Exercise: `log_importance_weights` ({{points log_importance_weights}})
#
# <details><summary>Hint</summary>
#
# Two Gaussian log-densities at the same z: under the prior, and under q. Here the KL formula does not help: a weight belongs to one sample.
#
# </details>


# %% exercise="log_importance_weights"
def log_importance_weights(log_likelihood, z, mu, log_sigma):
    """log w = log p(x|z) + log p(z) - log q(z|x) of every sample.

    log_likelihood: log p(x|z), (samples, batch).
    z: samples of q, (samples, batch, latent_dim).
    mu, log_sigma: parameters of q, (batch, latent_dim).
    Returns (samples, batch), in nats.
    """
    ### BEGIN SOLUTION
    normal = torch.distributions.Normal
    log_prior = normal(torch.zeros_like(z), torch.ones_like(z)).log_prob(z).sum(-1)
    log_q = normal(mu, log_sigma.exp()).log_prob(z).sum(-1)
    return log_likelihood + log_prior - log_q
    ### END SOLUTION


# %% exercise="iwae_prediction"
# K grows from 1 to 1000 samples, the model stays as it is. What happens to the importance-weighted bound?
# Choose one of: "it falls", "it rises towards log p(x)", "it stays, with less noise"
iwae_prediction = None
### BEGIN SOLUTION
iwae_prediction = "it rises towards log p(x)"
### END SOLUTION

# %% [markdown]
# ### Exercise: `importance_weighted_bound` ({{points importance_weighted_bound}})
#
# <details><summary>Hint</summary>
#
# The log-mean-exp of notebook 00, over the samples.
#
# </details>


# %% exercise="importance_weighted_bound"
def importance_weighted_bound(log_weights):
    """The importance-weighted bound log(1/K Σ w_k) from the logarithms of the weights.

    log_weights: (samples, batch).
    Returns (batch,), in nats; stable for the weights of images.
    """
    ### BEGIN SOLUTION
    return torch.logsumexp(log_weights, 0) - math.log(log_weights.shape[0])
    ### END SOLUTION


# %% [markdown]
# Five hundred test digits, their pixels drawn once as ink or paper, five hundred samples of $z$ for each.

# %% tags=["show", "varies"]
generator = torch.Generator().manual_seed(0)
binary = torch.bernoulli(test.flat()[:500], generator=generator)
began, parts = time.monotonic(), []
with torch.no_grad():
    for x in binary.split(25):
        mu, log_sigma = vae.encoder(x)
        z = mu + log_sigma.exp() * torch.randn(500, len(x), 16, generator=generator)
        log_likelihood = (x * (logits := vae.decoder(z)) - torch.nn.functional.softplus(logits)).sum(-1)
        parts.append(log_importance_weights(log_likelihood, z, mu, log_sigma))
log_weights = torch.cat(parts, 1)
numbers = (1, 2, 5, 10, 20, 50, 100, 250, 500)
tightened = {}
for k in numbers:
    groups = log_weights[: 500 // k * k].view(-1, k, len(binary))
    tightened[k] = torch.stack([importance_weighted_bound(group) for group in groups]).mean().item()
print(f"{time.monotonic() - began:.0f} s")
for k in (1, 5, 50, 500):
    print(f"K = {k:3d}: {tightened[k]:7.2f} nats")

# %% tags=["show"]
figure, (left, right) = new_figure(2, width=4.7, height=3.6, width_ratios=[1, 1.1])
left.plot(numbers, list(tightened.values()), "o-", color=GREEN)
left.set_xscale("log")
label(left, "The bound tightens with K, the model stays", "samples K", "bound on test digits (nats)")
published = {
    "yours, K = 1": tightened[1],
    "yours, K = 500": tightened[500],
    "VAE, Burda et al.": -86.76,
    "IWAE (k = 50), Burda et al.": -84.78,
}
right.barh(range(4), [-value for value in published.values()], color=(GREEN, GREEN, BLUE, ORANGE))
right.set_xlim(0, 125)
right.set_yticks(range(4), list(published))
right.invert_yaxis()
for row, value in enumerate(published.values()):
    right.text(1 - value, row, f"{-value:.1f}", ha="left", va="center", fontsize=9)
label(right, "Seconds against hours of training", "minus the bound (nats): less is better", "model")
Picture(
    figure,
    "Left: the importance-weighted bound on test digits rises with the number of samples K and levels off. Right: minus the bound of this notebook's model for K = 1 and 500, and of the published models, which are about 20 nats better.",
)

# %% [markdown]
# The papers' models are larger, trained on 60,000 digits for many hours, and their numbers are estimates with 5,000 samples on 10,000 test digits
# (Burda et al., table 1: one stochastic layer, 50 latent units, stochastically binarised MNIST). Where does the difference come from? Try more epochs, more data
# (`load_images("train", full=True)`), a wider network; `benchmarks/burda.py` in the repository follows the paper's recipe.
#
# ## The points so far

# %% tags=["nbval-check-output", "show"]
summary("06_variational_autoencoder")

# %% [markdown]
# **What you did.** You built a VAE, trained it in seconds, drew digits that nobody wrote, read its latent space, told three broken models by their pictures, saw why
# samples of the prior work, and measured your model with a bound that tightens.
#
# **What comes next.** Notebook 07: VAEs that are told something ($p(y|x)$, half of an image), and VAEs with convolutions.
#
# **References.** The lecture, parts "The *variational* autoencoder" and "Using the variational autoencoder". Kingma and Welling, *Auto-encoding variational Bayes*,
# 2014. Rezende, Mohamed and Wierstra, *Stochastic backpropagation and approximate inference in deep generative models*, 2014: both give the model. Burda, Grosse and
# Salakhutdinov, *Importance weighted autoencoders*, 2016, table 1: -86.76 nats for the VAE, -84.78 for the IWAE with k = 50. Makhzani, Shlens, Jaitly, Goodfellow and
# Frey, *Adversarial autoencoders*, 2016, and Hoffman and Johnson, *ELBO surgery*, 2016, on the aggregate posterior.
