# %% [markdown]
# # 02 · Jensen, entropy, KL
#
# {{colab}}
#
# **Where this stands in the lecture**: "The variational approximation", with its two asides on entropy and KL divergence,
# and why the bound is tight.
#
# **After it you can** derive the evidence lower bound, compute every term in it, show with numbers that what the bound
# misses is a KL divergence, and correct a sign in the lecture.
#
# **Time**: 90–150 minutes. **Points**: {{topic points}}.

# %% setup=true

# %%
import math

import torch

from course_lib import explorers
from course_lib.challenges import attempt
from course_lib.checks import using
from course_lib.figures import jensen_entropy_kl as figures

# %% [markdown]
# ## The trick with q
#
# Notebook 01 ended with a wish: to draw $z$ from where it matters for this $x_i$. Call such a distribution $q_i(z)$; the
# lecture takes a Gaussian, $q_i(z) = \mathcal N(\mu_i, \sigma_i)$. It enters the likelihood as a factor of one:
#
# $$\log p(x_i) = \log \int p(x_i|z)\,p(z)\,dz = \log \int p(x_i|z)\,p(z)\,\frac{q_i(z)}{q_i(z)}\,dz
# = \log E_{z\sim q_i(z)}\left[\frac{p(x_i|z)\,p(z)}{q_i(z)}\right].$$
#
# Exact, and an expectation under a $q_i$ of our choice.

# %% tags=["show"]
figures.trick_diagram()

# %% [markdown]
# The logarithm still stands in front of the expectation, where it is in the way. What does it cost to move it inside?
#
# ## Jensen's inequality
#
# The logarithm is concave: a chord lies below the curve. Averaging first and taking the logarithm after lands on the
# curve, the other order lands on the chord:
#
# $$\log E[y] \;\ge\; E[\log y].$$
#
# A prediction before the picture.

# %% exercise="spread_prediction"
# The values y spread further around the same mean. What happens to the gap log E[y] - E[log y]?
# Choose one of: "it grows", "it shrinks", "it stays"
spread_prediction = None
### BEGIN SOLUTION
spread_prediction = "it grows"
### END SOLUTION

# %% [markdown]
# Turn up the spread of $y$ and watch the chord fall away from the curve.

# %% tags=["explorer", "show"]
explorers.jensen

# %% [markdown]
# ### Exercise: `jensen_gap` ({{points jensen_gap}})
#
# <details><summary>Hint 1</summary>
#
# Two terms, in two orders: the log of the mean, minus the mean of the log.
#
# </details>
# <details><summary>Hint 2</summary>
#
# `y.mean().log()` is the first.
#
# </details>


# %% exercise="jensen_gap"
def jensen_gap(y):
    """What Jensen's inequality gives away: log E[y] - E[log y].

    y: (n,), positive values, all equally likely.
    Returns a scalar, in nats, never negative.
    """
    ### BEGIN SOLUTION
    return y.mean().log() - y.log().mean()
    ### END SOLUTION


# %% [markdown]
# Apply the inequality to $y = p(x_i|z)\,p(z)/q_i(z)$, and the bound of the lecture is there:
#
# $$\log p(x_i) \;\ge\; E_{z\sim q_i(z)}\left[\log \frac{p(x_i|z)\,p(z)}{q_i(z)}\right] =: \mathcal L_i(p, q_i).$$
#
# It is called the **evidence lower bound**, ELBO. By the picture, it is tight when $y$ does not spread at all, that is when
# $p(x_i|z)\,p(z)/q_i(z)$ is the same for every $z$. Keep that in mind. To take the bound apart we need two quantities,
# and the lecture makes two asides.
#
# ## A brief aside: entropy
#
# $$\mathcal H(p) = -E_{x\sim p(x)}[\log p(x)] = -\int p(x)\log p(x)\,dx.$$
#
# *How random is the random variable? How large is the log-probability in expectation under itself?*
#
# For one dimension of a Gaussian, $-\log p(x) = \tfrac12\big(\tfrac{x-\mu}{\sigma}\big)^2 + \log\sigma + \tfrac12\log 2\pi$.
# The expectation of the squared standardised distance is 1, so
#
# $$\mathcal H(\mathcal N(\mu,\sigma)) = \log\sigma + \tfrac12\log 2\pi + \tfrac12 = \log\sigma + \tfrac12\log 2\pi e,$$
#
# and independent dimensions add. The mean does not matter: moving a distribution does not make it more random.
#
# ### Exercise: `gaussian_entropy` ({{points gaussian_entropy}})
#
# <details><summary>Hint 1</summary>
#
# One term for every dimension, then the sum over the last dimension.
#
# </details>
# <details><summary>Hint 2</summary>
#
# The constant ½ log 2πe belongs to every dimension: `0.5 * math.log(2 * math.pi * math.e)`.
#
# </details>


# %% exercise="gaussian_entropy"
def gaussian_entropy(sigma):
    """The entropy of a diagonal Gaussian.

    sigma: (batch, dim), standard deviations.
    Returns (batch,), in nats.
    """
    ### BEGIN SOLUTION
    return (sigma.log() + 0.5 * math.log(2 * math.pi * math.e)).sum(-1)
    ### END SOLUTION


# %% [markdown]
# A density can be larger than 1, so this entropy can be negative. For countable outcomes it cannot:
# $\mathcal H(p) = -\sum_k p_k\log p_k$ lies between 0 (certain) and $\log K$ (all equally likely).
#
# One detail bites: an outcome with $p_k = 0$ adds nothing, since $p\log p \to 0$. The computer says $0\cdot(-\infty)$ is NaN.
#
# ### Exercise: `categorical_entropy` ({{points categorical_entropy}})
#
# <details><summary>Hint 1: zeros</summary>
#
# `torch.special.entr(p)` is $-p\log p$ and knows about 0; so does `torch.xlogy(p, p)` for $p\log p$.
#
# </details>
# <details><summary>Hint 2: which dimension</summary>
#
# Sum over the categories, the last dimension.
#
# </details>


# %% exercise="categorical_entropy"
def categorical_entropy(probs):
    """The entropy of a categorical distribution, with 0 log 0 = 0.

    probs: (batch, categories), probabilities; zeros are allowed.
    Returns (batch,), in nats.
    """
    ### BEGIN SOLUTION
    return -torch.xlogy(probs, probs).sum(-1)
    ### END SOLUTION


# %% tags=["show"]
widths, heads = torch.linspace(0.05, 3, 200), torch.linspace(0, 1, 201)
of_gaussian = using("gaussian_entropy")(widths.unsqueeze(-1))
of_coin = using("categorical_entropy")(torch.stack([heads, 1 - heads], -1))
figures.entropies(widths, of_gaussian, heads, of_coin)

# %% [markdown]
# ## A brief aside: KL divergence
#
# *How different are two distributions?*
#
# $$D_{KL}(q\|p) = E_{x\sim q(x)}\Big[\log\frac{q(x)}{p(x)}\Big] = -E_{x\sim q(x)}[\log p(x)] - \mathcal H(q).$$
#
# The expectation is under the first argument, and it matters which is first. The right side is the lecture's second intuition:
# *how small is the expected log-probability of one distribution under the other, minus the entropy?* Draw from $q$, and see how
# badly $p$ likes what comes; then take off what $q$'s own randomness accounts for.
#
# ### Exercise: `expected_square` ({{points expected_square}})
#
# *A derivation to complete.* What is $E_q[\log p]$ for two Gaussians? In one dimension $\log p(x) = -\tfrac12\log 2\pi -
# \log\sigma_p - \frac{(x-\mu_p)^2}{2\sigma_p^2}$, so under $q = \mathcal N(\mu_q, \sigma_q)$ only the square has to be
# averaged:
#
# $$-E_q[\log p] = \tfrac12\log 2\pi + \log\sigma_p + \frac{1}{2\sigma_p^2}\,E_q\big[(x-\mu_p)^2\big].$$
#
# Go by way of $q$'s own mean, $x - \mu_p = (x-\mu_q) + (\mu_q-\mu_p)$. Square that, and take the expectation of each of the
# three terms:
#
# $$E_q\big[(x-\mu_p)^2\big] = \boxed{\;?\;}$$
#
# Type what belongs in the box, an expression in $\mu_q$, $\sigma_q$ and $\mu_p$.
#
# <details><summary>Hint 1: three terms</summary>
#
# $(x-\mu_q)^2$, $\;2(x-\mu_q)(\mu_q-\mu_p)$ and $(\mu_q-\mu_p)^2$. The last is the same for every $x$.
#
# </details>
# <details><summary>Hint 2: their expectations</summary>
#
# $E_q[x-\mu_q] = 0$, so the middle term goes. $E_q[(x-\mu_q)^2]$ is the variance of $q$.
#
# </details>


# %% exercise="expected_square"
def expected_square(mu_q, sigma_q, mu_p):
    """E[(x - mu_p)²] for x drawn from q = N(mu_q, sigma_q).

    mu_q, sigma_q, mu_p: (batch, dim).
    Returns (batch, dim), one value for each dimension.
    """
    ### BEGIN SOLUTION
    return sigma_q**2 + (mu_q - mu_p) ** 2
    ### END SOLUTION


# %% [markdown]
# **Why the entropy?** Take $p = \mathcal N(0, 1)$, and let $q = \mathcal N(0, \sigma)$ grow narrower. Your two functions say
# what becomes of both parts:

# %% fold=true tags=["nbval-check-output", "show"]
# @title Both parts of the KL while q grows narrower
square, entropy = using("expected_square"), using("gaussian_entropy")
mean = torch.zeros(1, 1)
for sigma in (2.0, 1.0, 0.5, 0.1):
    width = torch.full((1, 1), sigma)
    cross = 0.5 * math.log(2 * math.pi) + 0.5 * square(mean, width, mean).item()
    own = entropy(width).item()
    kl = cross - own
    print(f"σ = {sigma:3.1f}   -E_q[log p] = {cross:5.2f}   H(q) = {own:5.2f}   KL = {kl:z5.2f}")

# %% [markdown]
# The first column alone is smallest for a $q$ that puts all its mass on $p$'s highest point: $p$ likes nothing better, and yet
# that is no distribution like $p$. Taking off the entropy makes up for it, and the difference is 0 where $q = p$, nowhere else.
#
# ### The KL put together
#
# Subtract the entropy $\log\sigma_q + \tfrac12\log 2\pi + \tfrac12$ of each dimension, and $\log 2\pi$ cancels. With your
# term in the box,
#
# $$D_{KL}(q\|p) = \sum_d \Big[\log\frac{\sigma_{p,d}}{\sigma_{q,d}} + \frac{1}{2\sigma_{p,d}^2}\,\boxed{\;?\;} - \frac12\Big].$$
#
# ### Exercise: `gaussian_kl` ({{points gaussian_kl}})
#
# <details><summary>Hint 1: a test of your own</summary>
#
# The KL of a distribution with itself is 0. Which terms must cancel then?
#
# </details>
# <details><summary>Hint 2: order</summary>
#
# All three terms for every dimension, `(batch, dim)`; the sum over the last dimension at the end, so that -½ is
# counted in every dimension. You may call your `expected_square`.
#
# </details>
# <details><summary>Hint 3: another way</summary>
#
# `torch.distributions.kl_divergence(Normal(mu_q, sigma_q), Normal(mu_p, sigma_p))` has one entry for every dimension.
#
# </details>


# %% exercise="gaussian_kl"
def gaussian_kl(mu_q, sigma_q, mu_p, sigma_p):
    """The KL divergence D_KL(q‖p) of two diagonal Gaussians.

    mu_q, sigma_q: (batch, dim), mean and standard deviation of q.
    mu_p, sigma_p: (batch, dim), those of p.
    Returns (batch,), in nats, never negative.
    """
    ### BEGIN SOLUTION
    log_ratio = sigma_p.log() - sigma_q.log()
    quadratic = (sigma_q**2 + (mu_q - mu_p) ** 2) / (2 * sigma_p**2)
    return (log_ratio + quadratic - 0.5).sum(-1)
    ### END SOLUTION


# %% [markdown]
# The two directions disagree about what is bad. Here $p$ has two peaks, and $q$ is the Gaussian closest to it, once for
# each direction. In the direction that we use, $D_{KL}(q\|p)$, a $q$ that puts mass where $p$ has none pays dearly: it
# settles on one peak.

# %% tags=["show"]
figures.closest_gaussians()

# %% [markdown]
# ## A KL from samples
#
# For other distributions there is no formula, but samples $z_1,\dots,z_S\sim q$ give an estimate,
# $D_{KL}(q\|p) \approx \frac1S\sum_s \big[\log q(z_s) - \log p(z_s)\big]$. The KL is never negative. Each single term?

# %% exercise="negative_kl_prediction"
# Can a single term log q(z) - log p(z), with z drawn from q, be negative?
# Choose one of: "yes", "no", "only if the KL is zero"
negative_kl_prediction = None
### BEGIN SOLUTION
negative_kl_prediction = "yes"
### END SOLUTION

# %% [markdown]
# ### Exercise: `monte_carlo_kl` ({{points monte_carlo_kl}})
#
# <details><summary>Hint</summary>
#
# `log_q` and `log_p` are functions: call them on z. The samples come from q already, so a plain mean is the
# expectation; no weights are needed.
#
# </details>


# %% exercise="monte_carlo_kl"
def monte_carlo_kl(z, log_q, log_p):
    """Estimate D_KL(q‖p) from samples of q.

    z: (samples, ...), drawn from q; gradients flow through it.
    log_q, log_p: functions of z that return log-densities, (samples, ...).
    Returns a scalar tensor, in nats.
    """
    ### BEGIN SOLUTION
    return (log_q(z) - log_p(z)).mean()
    ### END SOLUTION


# %% [markdown]
# Ten thousand terms of such a mean, for $q = \mathcal N(0, 1)$ and $p = \mathcal N(1, 1.5)$:

# %% fold=true tags=["nbval-check-output", "show"]
# @title Ten thousand terms: their mean, and how many are negative
q, p = torch.distributions.Normal(0.0, 1.0), torch.distributions.Normal(1.0, 1.5)
z = torch.randn(10_000, generator=torch.Generator().manual_seed(2))
terms = q.log_prob(z) - p.log_prob(z)
means, widths = torch.tensor([[[0.0]], [[1.0]]]), torch.tensor([[[1.0]], [[1.5]]])
exact = using("gaussian_kl")(means[0], widths[0], means[1], widths[1]).item()
print(f"estimate {using('monte_carlo_kl')(z, q.log_prob, p.log_prob):.3f}, exact {exact:.3f}")
print(f"negative terms: {(terms < 0).float().mean():.0%}")

# %% tags=["show"]
figures.signed_terms(terms, exact)

# %% [markdown]
# ## The bound, taken apart
#
# Split the logarithm in the ELBO:
#
# $$\mathcal L_i(p, q_i) = E_{z\sim q_i(z)}\big[\log p(x_i|z) + \log p(z)\big] - E_{z\sim q_i(z)}\big[\log q_i(z)\big]
# = E_{z\sim q_i(z)}\big[\log p(x_i|z) + \log p(z)\big] + \mathcal H(q_i).$$
#
# Two forces: the first term pulls $q_i$ to where the joint is largest, the entropy holds against it. Below, $q$ sits on a peak
# of the joint, and only its width is free. What does it do *without* the entropy? Then give the entropy its weight, bit by bit,
# up to the 1 that it has in the bound, and follow the best width.

# %% tags=["explorer", "show"]
explorers.entropy

# %% [markdown]
# With weight 0 nothing stops $q$ from becoming a point: that is the "most likely" $z$ of notebook 01 once more, which pretends
# to know. With weight 1 the best width is near that of the peak.
#
# One slide of the lecture prints the last term as $+E_{z\sim q_i(z)}[\log q_i(z)]$. Is that a misprint, or is it the line
# above? You will decide that with numbers. First the estimate from samples:
#
# ### Exercise: `monte_carlo_elbo` ({{points monte_carlo_elbo}})
#
# <details><summary>Hint 1: what to average</summary>
#
# For every sample the log of the fraction in the bound: log p(x, z) minus log q(z).
#
# </details>
# <details><summary>Hint 2: over what</summary>
#
# Over the samples only, dimension 0: every data point keeps its own bound.
#
# </details>


# %% exercise="monte_carlo_elbo"
def monte_carlo_elbo(z, log_joint, log_q):
    """Estimate the evidence lower bound from samples of q.

    z: (samples, batch, latent_dim), drawn from q; gradients flow through it.
    log_joint: function of z, log p(x, z) = log p(x|z) + log p(z), (samples, batch).
    log_q: function of z, log q(z), (samples, batch).
    Returns (batch,), in nats.
    """
    ### BEGIN SOLUTION
    return (log_joint(z) - log_q(z)).mean(0)
    ### END SOLUTION


# %% [markdown]
# ## A model in which everything is known
#
# To see what the bound misses we need a model whose $p(x)$ and $p(z|x)$ are exact. This one has a linear decoder,
#
# $$z\sim\mathcal N(0, I), \qquad x = Wz + b + \sigma\epsilon, \qquad \epsilon\sim\mathcal N(0, I).$$
#
# **The posterior.** Collect the terms of $\log p(x|z) + \log p(z)$ in $z$:
#
# $$-\tfrac1{2\sigma^2}\|x-b-Wz\|^2 - \tfrac12\|z\|^2 = -\tfrac12 z^\top\Big(I + \tfrac1{\sigma^2}W^\top W\Big)z + \tfrac1{\sigma^2}z^\top W^\top(x-b) + \text{const}.$$
#
# A quadratic in $z$ is a Gaussian: the matrix in the middle is its inverse covariance, and completing the square gives the mean,
#
# $$C = \Big(I + \tfrac1{\sigma^2}W^\top W\Big)^{-1}, \qquad m(x) = \tfrac1{\sigma^2}\,C\,W^\top(x-b).$$
#
# ### Exercise: `linear_gaussian_posterior` ({{points linear_gaussian_posterior}})
#
# <details><summary>Hint 1: the identity</summary>
#
# It has the size of the latent space, and the dtype and device of W:
# `torch.eye(W.shape[1], dtype=W.dtype, device=W.device)`.
#
# </details>
# <details><summary>Hint 2: the mean of a whole batch</summary>
#
# Data points are rows, so the formula is transposed: `(x - b) @ W @ C / sigma**2`. C is symmetric.
#
# </details>


# %% exercise="linear_gaussian_posterior"
def linear_gaussian_posterior(x, W, b, sigma):
    """The exact posterior of the linear-Gaussian model.

    x: (batch, dim); W: (dim, latent); b: (dim,).
    sigma: standard deviation of the noise, a positive scalar tensor.
    Returns the mean (batch, latent), and the covariance (latent, latent), the same for every x.
    """
    ### BEGIN SOLUTION
    identity = torch.eye(W.shape[1], dtype=W.dtype, device=W.device)
    covariance = torch.linalg.inv(identity + W.T @ W / sigma**2)
    return (x - b) @ W @ covariance / sigma**2, covariance
    ### END SOLUTION


# %% [markdown]
# **The evidence.** A sum of Gaussians is Gaussian. $x$ has mean $b$, and its covariance is that of $Wz$ plus that of the
# noise: $p(x) = \mathcal N(b,\, WW^\top + \sigma^2 I)$, with all its correlations,
#
# $$\log p(x) = -\tfrac12 (x-b)^\top\Sigma^{-1}(x-b) - \tfrac12\log\det\Sigma - \tfrac{\dim}{2}\log 2\pi, \qquad \Sigma = WW^\top + \sigma^2 I.$$
#
# ### Exercise: `linear_gaussian_evidence` ({{points linear_gaussian_evidence}})
#
# <details><summary>Hint 1: a distribution that does it</summary>
#
# `torch.distributions.MultivariateNormal(b, covariance).log_prob(x)`.
#
# </details>
# <details><summary>Hint 2: by hand</summary>
#
# `torch.linalg.cholesky` gives L with Σ = L Lᵀ. Then log det Σ is twice the sum of log diag L, and
# `torch.linalg.solve_triangular` whitens x - b. The determinant itself over- or underflows for images.
#
# </details>


# %% exercise="linear_gaussian_evidence"
def linear_gaussian_evidence(x, W, b, sigma):
    """The exact log p(x) of the linear-Gaussian model.

    x: (batch, dim); W: (dim, latent); b: (dim,).
    sigma: standard deviation of the noise, a positive scalar tensor.
    Returns (batch,), in nats.
    """
    ### BEGIN SOLUTION
    covariance = W @ W.T + sigma**2 * torch.eye(W.shape[0], dtype=W.dtype, device=W.device)
    return torch.distributions.MultivariateNormal(b, covariance).log_prob(x)
    ### END SOLUTION


# %% [markdown]
# ## log p(x) = ELBO + KL, seen
#
# We take the exact posterior for $q$, and then distort it: shift it, or stretch it. Each line is one $q$; the ELBO comes
# from your samples, the KL from the exact posterior.

# %% fold=true tags=["show"]
# A model with two latent dimensions: its posterior and log p(x), exactly, and log p(x, z)
W = torch.tensor([[1.2, 0.3], [-0.5, 1.0], [0.8, -0.7]], dtype=torch.float64)
b = torch.tensor([0.2, -0.1, 0.4], dtype=torch.float64)
sigma = torch.tensor(0.6, dtype=torch.float64)
x = torch.tensor([[1.0, 0.5, -0.8]], dtype=torch.float64)
mean, covariance = using("linear_gaussian_posterior")(x, W, b, sigma)
posterior = torch.distributions.MultivariateNormal(mean, covariance)
evidence = using("linear_gaussian_evidence")(x, W, b, sigma)


def log_joint(z):
    log_prior = torch.distributions.Normal(0.0, 1.0).log_prob(z).sum(-1)
    return log_prior + torch.distributions.Normal(z @ W.T + b, sigma).log_prob(x).sum(-1)


# %% fold=true tags=["nbval-check-output", "show"]
# @title Four q: the bound, the KL, and their sum
estimate, rows = using("monte_carlo_elbo"), []
choices = {"posterior": (0.0, 1.0), "shifted": (0.5, 1.0), "narrow": (0.0, 0.3), "wide": (0.0, 3.0)}
for name, (shift, stretch) in choices.items():
    q = torch.distributions.MultivariateNormal(mean + shift, covariance * stretch**2)
    torch.manual_seed(0)
    z = q.sample((500_000,))
    elbo = estimate(z, log_joint, q.log_prob).item()
    kl = torch.distributions.kl_divergence(q, posterior).item()
    rows.append((name, elbo, kl))
    both = f"ELBO {elbo:7.2f}   KL {kl:z5.2f}   sum {elbo + kl:6.2f}"
    print(f"{name:10s} {both}   log p(x) {evidence.item():6.2f}")

# %% tags=["show"]
figures.stacked_bounds(rows, evidence.item())

# %% [markdown]
# No accident. Put $p(z|x_i) = p(x_i, z)/p(x_i)$ into the KL to the posterior:
#
# $$\begin{aligned}D_{KL}(q_i(z)\|p(z|x_i)) &= E_{z\sim q_i(z)}\Big[\log\frac{q_i(z)\,p(x_i)}{p(x_i,z)}\Big]\\
# &= -E_{z\sim q_i(z)}\big[\log p(x_i|z)+\log p(z)\big] - \mathcal H(q_i) + \log p(x_i)\\
# &= -\mathcal L_i(p,q_i) + \log p(x_i).\end{aligned}$$
#
# So $\log p(x_i) = \mathcal L_i(p,q_i) + D_{KL}(q_i(z)\|p(z|x_i))$. The left side does not depend on $q_i$. **Maximising
# $\mathcal L_i$ over $q_i$ minimises the KL**, and the bound is tight exactly when $q_i$ is the posterior: then the
# fraction $p(x_i|z)p(z)/q_i(z)$ is $p(x_i)$ for every $z$, and does not spread.
#
# Now the posterior has two peaks, and $q$ is one Gaussian. Drag it about: can the KL become zero? Where does the ELBO
# have its maxima?

# %% tags=["explorer", "show"]
explorers.bound

# %% exercise="tightness_prediction"
# q changes while the model stays fixed, and the ELBO rises by 2 nats.
# What happens to D_KL(q‖p(z|x))?
# Choose one of: "rises by 2", "falls by 2", "stays"
tightness_prediction = None
### BEGIN SOLUTION
tightness_prediction = "falls by 2"
### END SOLUTION

# %% [markdown]
# ## The sign in the lecture
#
# Take $q$ to be the exact posterior, where the bound must be tight, and compare both readings with $\log p(x)$.

# %% tags=["nbval-check-output", "show"]
torch.manual_seed(0)
z = posterior.sample((500_000,))
first = log_joint(z).mean().item()
expected_log_q = posterior.log_prob(z).mean().item()
print(f"log p(x)                                      {evidence.item():7.3f}")
print(f"E[log p(x|z) + log p(z)] + E[log q(z)]        {first + expected_log_q:7.3f}")
print(f"E[log p(x|z) + log p(z)] - E[log q(z)]        {first - expected_log_q:7.3f}")
print(f"twice the entropy of q                        {2 * posterior.entropy().item():7.3f}")

# %% exercise="entropy_sign"
# Which term completes the bound E[log p(x|z) + log p(z)] ... ?
# Choose one of: "plus E[log q]", "minus E[log q]", "minus H(q)"
entropy_sign = None
### BEGIN SOLUTION
entropy_sign = "minus E[log q]"
### END SOLUTION

# %% [markdown]
# ## On real images
#
# The linear-Gaussian model with $W$ fitted to data is probabilistic principal component analysis; Tipping and Bishop (1999)
# give its best $W$ in closed form. We fit it to 10,000 digits with 20 latent dimensions, and ask your
# `linear_gaussian_evidence` for the exact $\log p(x)$ of images it has not seen: digits, the same digits upside
# down, and the same pixels shuffled.

# %% fold=true tags=["show"]
# Fits W in closed form (Tipping and Bishop, equations 7 and 8), and makes three kinds of images
from course_lib.data import load_images

train, test = load_images("train").flat(torch.float64), load_images("test")
centre, latent_dim = train.mean(0), 20
variances, directions = torch.linalg.eigh(torch.cov(train.T))
noise = variances[:-latent_dim].mean()
W_digits = directions[:, -latent_dim:] * (variances[-latent_dim:] - noise).sqrt()

images = test.images[:500, 0].double() / 255
order = torch.randperm(784, generator=torch.Generator().manual_seed(0))
kinds = {
    "digits": images,
    "upside down": images.flip(-2),
    "shuffled pixels": images.flatten(1)[:, order].reshape(-1, 28, 28),
}

# %% tags=["nbval-check-output", "show"]
log_p, scores = using("linear_gaussian_evidence"), {}
for name, kind in kinds.items():
    scores[name] = log_p(kind.flatten(1), W_digits, centre, noise.sqrt())
    print(f"{name:16s} mean log p(x) = {scores[name].mean():7.1f} nats")

# %% tags=["show"]
figures.three_kinds(scores, kinds)

# %% [markdown]
# A linear decoder is all that the exact formulas bear. With a network for a decoder neither the posterior nor the evidence
# is known, and the bound is what remains. That is where the next notebook begins.
#
# ## An open task: cover the ring
#
# A $z$ in the plane, $z\sim\mathcal N(0, I)$, and of it we observe the distance from the origin, $x = \|z\| + $ noise. From
# $x=1.5$ the posterior is a ring: how far out $z$ lies is known, and where is not. No single Gaussian is close to that, but $q$
# may be a mixture, as in notebook 01. **Get $D_{KL}(q\|p(z|x))$ as small as you can with at most six diagonal Gaussians**: give
# their `weights` (components,), `mu` and `sigma` (components, 2). No points, but the summary shows how near you came.
#
# `ring_log_joint(z)` is $\log p(x,z)$, `ring_kl(weights, mu, sigma)` is the KL, and gradients flow through it: place by hand,
# or climb. (What you would climb without a `ring_kl` is your `monte_carlo_elbo`. Why does that lead to the same place?)

# %% tags=["show"]
from course_lib.challenges.jensen_entropy_kl import ring_kl, ring_log_joint

# One Gaussian in the middle, to begin with: change this.
weights = torch.tensor([1.0])
mu = torch.tensor([[0.0, 0.0]])
sigma = torch.tensor([[1.0, 1.0]])
attempt("02_jensen_entropy_kl", weights, mu, sigma)

# %% tags=["show"]
figures.ring(ring_log_joint, weights, mu, sigma, ring_kl(weights, mu, sigma).item())

# %% [markdown]
# ## The points so far

# %% tags=["nbval-check-output", "show"]
summary("02_jensen_entropy_kl")

# %% [markdown]
# **What you did.** You moved a logarithm through an expectation and measured what it costs; computed entropies and KLs;
# built the ELBO and saw that what it misses is a KL to the posterior; and settled a sign.
#
# **What comes next.** Notebook 03: for each $x_i$ its own $q_i$, found by gradient ascent on $\mathcal L_i$.
#
# **References.** The lecture, part "The variational approximation". Jordan, Ghahramani, Jaakkola and Saul, *An introduction
# to variational methods for graphical models*, 1999. Tipping and Bishop, *Probabilistic principal component analysis*, 1999,
# equations 4 to 8.
