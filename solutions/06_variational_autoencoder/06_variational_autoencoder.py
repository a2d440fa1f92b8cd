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
# **Time**: 120–180 minutes. **Points**: {{topic points}}.

# %% setup=true

# %%
import math

import torch

from course_lib.checks import using
from course_lib.figures import variational_autoencoder as figures

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
# the code is a distribution, and the second term keeps it near the prior.

# %% tags=["show"]
figures.the_machine()

# %% [markdown]
# We build it part by part, from the middle.
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

    mu, log_sigma: the encoder's outputs, (batch, latent_dim); log_sigma is the log of sigma.
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

    VAE(data_dim, hidden_dim, latent_dim). Keep the networks as self.encoder (x to mu, log_sigma)
    and self.decoder (z to logits): the check does not ask for these names, the pictures
    below use them.
    """

    def __init__(self, data_dim, hidden_dim, latent_dim):
        super().__init__()
        self.latent_dim = latent_dim
        ### BEGIN SOLUTION
        from course_lib.amortized import Encoder

        self.encoder = Encoder(data_dim, hidden_dim, latent_dim)
        self.decoder = torch.nn.Sequential(
            torch.nn.Linear(latent_dim, hidden_dim),
            torch.nn.Tanh(),
            torch.nn.Linear(hidden_dim, data_dim),
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
        """For n draws z ~ N(0, I), probabilities of ink, not zeros and ones: (n, data_dim)."""
        ### BEGIN SOLUTION
        z = torch.randn(n, self.latent_dim, generator=generator)
        return self.decoder(z).sigmoid()
        ### END SOLUTION


# %% [markdown]
# ## One step of training
#
# The noise is drawn, the bound is computed, and everything else is as in notebook 04: one loss for $\theta$ and $\phi$ together, because both want the same
# bound to rise. `elbo` is a function here, later `vae.elbo`, so that your step serves any model that has a bound.
#
# ### Exercise: `train_step` ({{points train_step}})
#
# <details><summary>Hint</summary>
#
# The optimizer minimises: its loss is minus the mean bound. zero_grad, backward, step.
#
# </details>


# %% exercise="train_step"
def train_step(x, eps, elbo, optimizer):
    """One step of theta and phi up the mean bound of a batch.

    x: (batch, data_dim).
    eps: standard Gaussian noise, (batch, latent_dim).
    elbo: a function of x and eps that gives the bounds, (batch,).
    optimizer: minimises over theta and phi; the loss is -elbo(x, eps).mean().
    Returns the bounds, (batch,), in nats.
    """
    ### BEGIN SOLUTION
    bounds = elbo(x, eps)
    optimizer.zero_grad()
    (-bounds.mean()).backward()
    optimizer.step()
    return bounds
    ### END SOLUTION


# %% [markdown]
# Two hundred steps of yours, on ten thousand digits. In every step each pixel is drawn anew as ink or paper, with its grey value as the probability: that
# is how the papers below do it, so that bounds can be compared.

# %% fold=true tags=["show", "varies"]
# @title Two hundred steps of yours
from course_lib.data import load_images

images, test = load_images("train"), load_images("test")
step, Model = using("train_step", topic="06_variational_autoencoder"), using("VAE")
torch.manual_seed(0)
generator = torch.Generator().manual_seed(0)
vae = Model(784, 400, 16)
optimizer = torch.optim.Adam(vae.parameters(), lr=2e-3)
bounds = []
for batch in images.flat().split(100) * 2:
    x = torch.bernoulli(batch, generator=generator)
    eps = torch.randn(len(x), 16, generator=generator)
    bounds.append(step(x, eps, vae.elbo, optimizer).mean().item())
print(f"the bound of a batch went from {bounds[0]:.0f} to {bounds[-1]:.0f} nats")

# %% tags=["show"]
figures.first_passes(bounds)

# %% [markdown]
# It learns. A loop around such a step wants a few comforts: shuffled data, a bar with the running bound, a stop button (the square) after which the model keeps
# what it has learned. `course_lib.training.train` has them, and takes over from here; the steps are the same as yours.

# %% tags=["show", "varies"]
from course_lib.training import train

history = train(vae, images.images, epochs=35, learning_rate=2e-3, binarize=True, device="cpu")
print(history)

# %% tags=["show"]
originals = test.flat()[:18]
samples = vae.sample(36, torch.Generator().manual_seed(1))
figures.reconstructions_and_samples(history.bounds, originals, vae.reconstruct(originals), samples)

# %% [markdown]
# Pixels that nobody drew. Count for yourself how many of the thirty-six are digits: half a minute of training makes about half of them so.

# %% [markdown]
# The same with a latent space of two dimensions, which can be drawn. A prediction first.

# %% exercise="two_dimensions_prediction"
# With a 2-D latent space instead of 16 dimensions, what do samples look like?
# Choose one of: "blurrier, and between digits", "sharper", "the same"
two_dimensions_prediction = None
### BEGIN SOLUTION
two_dimensions_prediction = "blurrier, and between digits"
### END SOLUTION

# %% tags=["show", "varies"]
torch.manual_seed(0)
flat = Model(784, 400, 2)
print(train(flat, images.images, epochs=20, learning_rate=2e-3, binarize=True, device="cpu"))

# %% tags=["show"]
with torch.no_grad():
    codes, log_sigmas = flat.encoder(test.flat())
figures.plane_of_codes(codes, test.labels, flat.sample(49, torch.Generator().manual_seed(1)))

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
# Choose one of: "BCE averaged over the pixels", "the KL is missing", "z is detached",
# "sigmoid twice", "the decoder is never stepped"
diagnosis_06_b = None
### BEGIN SOLUTION
diagnosis_06_b = "the KL is missing"
### END SOLUTION

# %% tags=["show"]
load_patient("06_c").picture()

# %% exercise="diagnosis_06_c"
# Which bug does the third model have?
# Choose one of: "BCE averaged over the pixels", "the KL is missing", "the KL has the wrong sign",
# "sigmoid twice", "x and logits exchanged"
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


# %% fold=true tags=["show"]
# @title From one code to another, and from one image to another
line = using("interpolate")
rows = {}
with torch.no_grad():
    ends, _ = vae.encoder(test.flat()[:10])
    for a, b in ((0, 1), (3, 4), (6, 7), (8, 9)):
        name = f"codes, {test.labels[a]} to {test.labels[b]}"
        rows[name] = vae.decoder(line(ends[a], ends[b], 12)).sigmoid()
rows["pixels, 7 to 1"] = line(test.flat()[0], test.flat()[1], 12)
figures.between_codes(rows)

# %% [markdown]
# ## Why does this work?
#
# The lecture asks it under the samples. The decoder learned on $z\sim q_\phi(z|x_i)$, codes of data. We feed it $z\sim p(z)$.

# %% exercise="why_sampling_works"
# The decoder was trained on codes of data, z ~ q(z|x). Why does it give digits for z ~ p(z)?
# Choose one of: "sixteen numbers describe a digit", "the KL keeps the codes where the prior is",
# "z ~ p(z) was used in training"
why_sampling_works = None
### BEGIN SOLUTION
why_sampling_works = "the KL keeps the codes where the prior is"
### END SOLUTION

# %% [markdown]
# See it. All codes of all data together have the density
#
# $$q(z) = \frac1N\sum_i q_\phi(z|x_i),$$
#
# the **aggregate posterior**: a mixture with one bump for each image. Where it is high, the decoder has been trained.
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
    mu, log_sigma: codes of N data points, (N, latent_dim); log_sigma is the log of sigma.
    Returns (n,), in nats.
    """
    ### BEGIN SOLUTION
    q = torch.distributions.Normal(mu, log_sigma.exp())
    return torch.logsumexp(q.log_prob(z.unsqueeze(1)).sum(-1), 1) - math.log(len(mu))
    ### END SOLUTION


# %% [markdown]
# What has the KL term of the bound, a mean over single codes, to do with all of them together? Write $q_i$ for $q_\phi(z|x_i)$, and put $\log q(z) - \log q(z)$
# into it:
#
# $$\frac1N\sum_i D_{KL}(q_i\|p)
# = \frac1N\sum_i E_{q_i}\big[\log q_i(z) - \log q(z) + \log q(z) - \log p(z)\big]
# = \boxed{\ ?\ } + D_{KL}\big(q(z)\,\|\,p(z)\big).$$
#
# The last two logarithms do not contain $i$, so the mean over $i$ of their expectations is one expectation under $q(z)$: the KL of all codes together. What do
# the first two give?
#
# ### Exercise: `spread_around_aggregate` ({{points spread_around_aggregate}})
#
# So that it can be computed exactly, let $z$ take finitely many values here; the check compares both sides of the equation.
#
# <details><summary>Hint</summary>
#
# The rows of `q` are the $q_i$, and $q(z)$ is `q.mean(0)`. An expectation under $q_i$ is a sum over $z$, weighted by row $i$.
#
# </details>


# %% exercise="spread_around_aggregate"
def spread_around_aggregate(q):
    """The missing term of the derivation.

    q: (N, codes), row i holds the probabilities q_i(z) of the values of z.
    Returns one number, in nats.
    """
    ### BEGIN SOLUTION
    return (q * (q.log() - q.mean(0).log())).sum(-1).mean()
    ### END SOLUTION


# %% [markdown]
# It is a mean of KL divergences, $\frac1N\sum_i D_{KL}(q_i\|q(z))$, and so never negative: $D_{KL}(q(z)\|p(z)) \le \frac1N\sum_i D_{KL}(q_i\|p(z))$. That is
# the convexity of the KL, and the answer to the lecture's question: pulling down the KL of single codes pulls all codes together onto the prior. What is left
# over is how much the codes tell about their images. In the plane:

# %% fold=true tags=["show", "varies"]
# @title The KL of single codes, and of all codes together
log_q_of = using("aggregate_posterior_log_prob")
standard = torch.distributions.Normal(0.0, 1.0)
with torch.no_grad():
    eps = torch.randn(len(codes), 2, generator=torch.Generator().manual_seed(0))
    z = codes + log_sigmas.exp() * eps
    together = (log_q_of(z, codes, log_sigmas) - standard.log_prob(z).sum(-1)).mean().item()
    single = using("kl_to_standard_normal")(codes, log_sigmas).mean().item()
print(f"mean KL of single codes {single:.2f}, of all codes together {together:.2f} nats")
print(f"left over, what a code tells about its image: {single - together:.2f} nats")

# %% tags=["show"]
grid = torch.linspace(-4, 4, 81)
plane = torch.cartesian_prod(grid, grid)
with torch.no_grad():
    aggregate = torch.cat([log_q_of(part, codes, log_sigmas) for part in plane.split(500)])
prior = standard.log_prob(plane).sum(-1)
figures.two_densities(grid, prior.exp().view(81, 81), aggregate.exp().view(81, 81))

# %% [markdown]
# They cover the same ground: a draw from the prior falls where codes of data are, mostly. Between the ridges lie the samples that look like no digit.
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
# K grows from 1 to 1000 samples, the model stays as it is.
# What does the importance-weighted bound do?
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

# %% fold=true tags=["show", "varies"]
# @title Five hundred weights for each of five hundred digits
from tqdm.auto import tqdm

generator = torch.Generator().manual_seed(0)
binary = torch.bernoulli(test.flat()[:500], generator=generator)
log_likelihood_of, weights_of = using("bernoulli_log_likelihood"), using("log_importance_weights")
parts = []
with torch.no_grad():
    for x in tqdm(binary.split(25), leave=False):
        mu, log_sigma = vae.encoder(x)
        z = mu + log_sigma.exp() * torch.randn(500, len(x), 16, generator=generator)
        log_likelihood = log_likelihood_of(x.repeat(500, 1), vae.decoder(z).flatten(0, 1))
        parts.append(weights_of(log_likelihood.view(500, -1), z, mu, log_sigma))
log_weights = torch.cat(parts, 1)

# %% tags=["show", "varies"]
bound_of = using("importance_weighted_bound")
tightened = {}
for k in (1, 2, 5, 10, 20, 50, 100, 250, 500):
    groups = log_weights.view(-1, k, len(binary))  # as many groups of k samples as there are
    tightened[k] = torch.stack([bound_of(group) for group in groups]).mean().item()
print(", ".join(f"K = {k}: {tightened[k]:.1f}" for k in (1, 5, 50, 500)), "nats")

# %% tags=["show"]
figures.tightening(tightened)

# %% [markdown]
# The papers' models are larger, trained on 60,000 digits for many hours, and their numbers are estimates with 5,000 samples on 10,000 test digits
# (Burda et al., table 1: one stochastic layer, 50 latent units, stochastically binarised MNIST). Where does the difference come from? Try more epochs, more data
# (`load_images("train", full=True)`), a wider network; `benchmarks/burda.py` in the repository follows the paper's recipe.
#
# ## An open task: one minute
#
# How high can you raise the bound on test digits with sixty seconds of training? The measure is the same for everyone: the 2,000 test digits, their pixels drawn
# once, ten draws of noise for each. No points; the number goes into the summary, beside the course's own. Write a model and a training of your own here,
# or begin with what there is:

# %% tags=["show"]
my_vae = vae  # yours: another class, other sizes, another learning rate, more data, sixty seconds

# %% tags=["show", "varies"]
from course_lib.challenges import attempt

attempt("06_variational_autoencoder", my_vae)

# %% [markdown]
# ## The points so far

# %% tags=["show"]
summary("06_variational_autoencoder")

# %% [markdown]
# **What you did.** You built a VAE, wrote the step that trains it, drew digits that nobody wrote, read its latent space, told three broken models by their pictures,
# proved why samples of the prior work, and measured your model with a bound that tightens.
#
# **What comes next.** Notebook 07: VAEs that are told something ($p(y|x)$, half of an image), and VAEs with convolutions.
#
# **References.** The lecture, parts "The *variational* autoencoder" and "Using the variational autoencoder". Kingma and Welling, *Auto-encoding variational Bayes*,
# 2014. Rezende, Mohamed and Wierstra, *Stochastic backpropagation and approximate inference in deep generative models*, 2014: both give the model. Burda, Grosse and
# Salakhutdinov, *Importance weighted autoencoders*, 2016, table 1: -86.76 nats for the VAE, -84.78 for the IWAE with k = 50. Makhzani, Shlens, Jaitly, Goodfellow and
# Frey, *Adversarial autoencoders*, 2016, and Hoffman and Johnson, *ELBO surgery*, 2016, on the aggregate posterior.
