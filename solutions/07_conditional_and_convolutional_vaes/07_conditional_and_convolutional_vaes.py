# %% [markdown]
# # 07 · Conditional and convolutional VAEs
#
# {{colab}}
#
# **Where this stands in the lecture**: "Conditional models" and "VAEs with convolutions".
#
# **After it you can** build a model that answers one question in several ways and measure how good its answers are, say what each of its networks
# has to know, build a VAE from convolutions that takes an image of any size, and measure why its samples fall apart.
#
# **Time**: 120–180 minutes. **Points**: {{topic points}}.

# %% setup=true

# %%
import torch

from course_lib.checks import using
from course_lib.figures import conditional_and_convolutional_vaes as figures

# %% [markdown]
# ## One question, two answers
#
# Ten questions. The answer to each is a row of pixels with a stroke: on the right of the middle with probability 0.7, on the left with 0.3. Who must give *one*
# answer, and wants few errors, gives the mean of the two.

# %% tags=["show"]
from course_lib.conditional import branching_world

x, y, likely = branching_world()
average = 0.7 * y[:10] + 0.3 * y[10:]
figures.two_answers(y, average)

# %% [markdown]
# That is what a regression learns, and it predicts what never happens. We want $p(y|x)$ itself: draw an answer, then another. The lecture's way is a latent variable
# that says *which* answer, and a VAE in which everything is conditioned on $x$:
#
# $$\mathcal L_i = E_{z\sim q_\phi(z|x_i, y_i)}\big[\log p_\theta(y_i|x_i, z) + \log p(z|x_i)\big] + \mathcal H\big(q_\phi(z|x_i, y_i)\big).$$

# %% tags=["show"]
figures.the_machine()

# %% [markdown]
# New is the prior: $p(z|x)$ is a network, too, and gives its own $\mu$ and $\sigma$ for every $x$. As in notebook 06, $\log p(z|x)$ and the entropy may be taken together as
# $-D_{KL}(q_\phi(z|x, y)\,\|\,p(z|x))$ in closed form, now between two Gaussians neither of which is standard.
#
# ### Exercise: `conditional_elbo` ({{points conditional_elbo}})
#
# <details><summary>Hint 1: which network where</summary>
#
# `encoder(x, y)` gives q, from which z comes; `prior(x)` gives what q is compared with; `decoder(x, z)` gives logits of y.
#
# </details>
# <details><summary>Hint 2: the KL of two Gaussians</summary>
#
# Notebook 02: log(σ_p/σ_q) + (σ_q² + (μ_q - μ_p)²) / (2σ_p²) - ½, summed. It is `gaussian_kl(mu_q, sigma_q, mu_p, sigma_p)` of `course_lib.distributions`.
#
# </details>


# %% exercise="conditional_elbo"
def conditional_elbo(x, y, eps, encoder, prior, decoder):
    """A lower bound of log p(y|x).

    x: what is given, (batch, x_dim). y: pixels in [0, 1], (batch, y_dim), which are coins.
    eps: standard Gaussian noise, (samples, batch, latent_dim); the bound averages over samples.
    encoder(x, y), prior(x): (mu, log_sigma), each (batch, latent_dim); log of sigma.
    decoder(x, z): logits of y, (samples, batch, y_dim) for z (samples, batch, latent_dim) and
    x as it is.
    Either the KL in closed form, or log p(z|x) at the samples and the entropy of q.
    Returns (batch,), in nats; finite also for logits of several hundred.
    """
    ### BEGIN SOLUTION
    from course_lib.distributions import gaussian_kl

    mu, log_sigma = encoder(x, y)
    mu_p, log_sigma_p = prior(x)
    logits = decoder(x, mu + log_sigma.exp() * eps)
    log_likelihood = (y * logits - torch.nn.functional.softplus(logits)).sum(-1)
    return log_likelihood.mean(0) - gaussian_kl(mu, log_sigma.exp(), mu_p, log_sigma_p.exp())
    ### END SOLUTION


# %% [markdown]
# Why is it a bound? Let $z$ take finitely many values, and write $p(z|x, y) = p(y|x, z)\,p(z|x)/p(y|x)$ for what $x$ and $y$ together say about it. Then for every $q$
#
# $$\log p(y|x) = E_q\Big[\log\frac{p(y|x, z)\,p(z|x)}{p(z|x, y)}\Big]
# = \underbrace{E_q\Big[\log\frac{p(y|x, z)\,p(z|x)}{q(z|x, y)}\Big]}_{\text{the bound}} + \boxed{\ ?\ }.$$
#
# ### Exercise: `missing_divergence` ({{points missing_divergence}})
#
# Type the missing term; the check compares both sides with numbers.
#
# <details><summary>Hint</summary>
#
# The product p(y|x, z) p(z|x) over the values of z, divided by its sum, is p(z|x, y). What was multiplied into the fraction to get from the second expression to the third?
#
# </details>


# %% exercise="missing_divergence"
def missing_divergence(q, prior, likelihood):
    """The missing term of the derivation.

    q: q(z|x, y) of every value of z, (values,). prior: p(z|x), (values,).
    likelihood: p(y|x, z) of this y for every value of z, (values,).
    Returns one number, in nats.
    """
    ### BEGIN SOLUTION
    posterior = likelihood * prior / (likelihood * prior).sum()
    return (q * (q.log() - posterior.log())).sum()
    ### END SOLUTION


# %% [markdown]
# It is never negative, and zero where $q$ is the posterior. Nothing is new in it but that $x$ stands in every place.
#
# Your bound trains three small networks, on a hundred rows in which each answer is as frequent as it is likely.

# %% fold=true tags=["show", "varies"]
# @title Your bound trains three small networks
from course_lib.conditional import ConditionalVAE
from course_lib.training import train

bound_of = using("conditional_elbo")
both = torch.cat([x, y], 1)
rows = torch.cat([both[:10].repeat(7, 1), both[10:].repeat(3, 1)])


def fit(encoder, prior, decoder):
    def objective(batch, generator):
        eps = torch.randn(1, len(batch), 2, generator=generator)
        return bound_of(batch[:, :10], batch[:, 10:], eps, encoder, prior, decoder)

    networks = torch.nn.ModuleList([encoder, prior, decoder])
    return train(networks, rows, epochs=1000, learning_rate=1e-2, objective=objective, device="cpu")


torch.manual_seed(0)
small = ConditionalVAE(10, 24, 32, 2)
print(fit(small.encoder, small.prior, small.decoder))

# %% [markdown]
# At test time there is no $y$: $z\sim p(z|x)$, then $y\sim p(y|x, z)$.

# %% exercise="drawn_from_q"
# At test time x is given and y is asked for. What if z is drawn from q(z|x, y), as in training?
# Choose one of: "the answers get sharper", "the answers stay the same", "it cannot be done",
# "the answers get blurrier"
drawn_from_q = None
### BEGIN SOLUTION
drawn_from_q = "it cannot be done"
### END SOLUTION

# %% [markdown]
# ### Exercise: `predict` ({{points predict}})
#
# <details><summary>Hint</summary>
#
# `prior(x)` gives mu and log_sigma; the decoder takes x and z, whatever stands in front of z; the sigmoid makes probabilities of logits.
#
# </details>


# %% exercise="predict"
def predict(x, prior, decoder, eps):
    """Answers at test time: for every row of eps a z of p(z|x), and the probabilities of ink.

    x: (batch, x_dim). prior, decoder: as in conditional_elbo.
    eps: standard Gaussian noise, (samples, batch, latent_dim), or (batch, latent_dim) for one
    answer each.
    Returns (samples, batch, y_dim), or (batch, y_dim): neither averaged, nor rounded, nor drawn.
    """
    ### BEGIN SOLUTION
    mu, log_sigma = prior(x)
    return decoder(x, mu + log_sigma.exp() * eps).sigmoid()
    ### END SOLUTION


# %% tags=["show", "varies"]
answer_to = using("predict")
with torch.no_grad():
    eps = torch.randn(6, 10, 2, generator=torch.Generator().manual_seed(0))
    answers = answer_to(x[:10], small.prior, small.decoder, eps)
figures.drawn_answers(answers)

# %% [markdown]
# How near is the model to the truth, and the bound to the model? With samples of the prior
#
# $$p(y|x) = E_{z\sim p(z|x)}\big[p(y|x, z)\big]\approx\frac1S\sum_s p(y|x, z_s),$$
#
# notebook 01's estimate, with the learned prior in the place of $p(z)$.
#
# ### Exercise: `conditional_log_likelihood` ({{points conditional_log_likelihood}})
#
# <details><summary>Hint</summary>
#
# log p(y|x, z) sums over the pixels; then notebook 00's log-mean-exp, over the samples.
#
# </details>


# %% exercise="conditional_log_likelihood"
def conditional_log_likelihood(x, y, eps, prior, decoder):
    """log p(y|x), estimated with samples of the prior.

    x: (batch, x_dim). y: (batch, y_dim). eps: (samples, batch, latent_dim).
    prior, decoder: as in conditional_elbo.
    Returns (batch,), in nats; stable where every sample is unlikely.
    """
    ### BEGIN SOLUTION
    mu, log_sigma = prior(x)
    logits = decoder(x, mu + log_sigma.exp() * eps)
    log_likelihood = (y * logits - torch.nn.functional.softplus(logits)).sum(-1)
    return torch.logsumexp(log_likelihood, 0) - torch.tensor(len(eps)).log()
    ### END SOLUTION


# %% [markdown]
# Here $z$ has two dimensions, so a few thousand samples are everywhere, and the truth is known. The last line is the likelihood of the averaged row: each pixel a coin of
# its own, none of them knowing what the others chose.

# %% fold=true tags=["show", "varies"]
# @title The truth, the likelihood, the bound, and the averaged row
likelihood_of = using("conditional_log_likelihood")


def mean_of(values):
    """The mean over the two answers, for each question."""
    return 0.7 * values[:10] + 0.3 * values[10:]


def measure(encoder, prior, decoder):
    generator = torch.Generator().manual_seed(1)
    few, many = (torch.randn(n, 20, 2, generator=generator) for n in (500, 4000))
    with torch.no_grad():
        bound = bound_of(x, y, few, encoder, prior, decoder)
        return mean_of(bound), mean_of(likelihood_of(x, y, many, prior, decoder))


bound, estimate = measure(small.encoder, small.prior, small.decoder)
true = mean_of(likely.log())
coins = average.clamp(1e-6, 1 - 1e-6)
single = mean_of(torch.distributions.Bernoulli(coins.repeat(2, 1)).log_prob(y).sum(-1))
for name, values in {"true": true, "model": estimate, "bound": bound, "average": single}.items():
    print(f"{name:8} {values.mean():6.2f} nats")

# %% tags=["show", "varies"]
figures.bound_and_truth(bound, estimate, true, single)

# %% [markdown]
# ## Everything is conditioned on x. Must it be?
#
# Take $x$ away from one network at a time, and train anew.

# %% exercise="prior_without_x"
# x is left out of the prior alone: z is drawn from one Gaussian whatever x is, the decoder still
# sees x. Can the answers fit x?
# Choose one of: "no, they no longer depend on x", "yes, the decoder can do it all",
# "yes, but all answers to one x are alike"
prior_without_x = None
### BEGIN SOLUTION
prior_without_x = "yes, the decoder can do it all"
### END SOLUTION

# %% exercise="neither_with_x"
# x is left out of prior and decoder, the encoder still sees it. What are the answers at test time?
# Choose one of: "answers to some other x", "the same as before", "one blurry mean"
neither_with_x = None
### BEGIN SOLUTION
neither_with_x = "answers to some other x"
### END SOLUTION


# %% fold=true tags=["show", "varies"]
# Leave x out in one place after the other, and train anew
class Blind(torch.nn.Module):
    """A network that sees zeros in the place of x."""

    def __init__(self, network):
        super().__init__()
        self.network = network

    def forward(self, x, *rest):
        return self.network(0 * x, *rest)


places = {"nothing": "", "the encoder": "e", "the prior": "p", "the decoder": "d"}
places["prior and decoder"] = "pd"
reached = {}
for name, letters in places.items():
    torch.manual_seed(0)
    model = ConditionalVAE(10, 24, 32, 2)
    networks = {"e": model.encoder, "p": model.prior, "d": model.decoder}
    parts = [Blind(n) if letter in letters else n for letter, n in networks.items()]
    fit(*parts)
    reached[name] = tuple(values.mean().item() for values in measure(*parts))
    print(f"{name:18}: bound {reached[name][0]:6.2f}, log p(y|x) {reached[name][1]:6.2f} nats")

# %% tags=["show", "varies"]
figures.left_out(reached, true.mean().item())

# %% [markdown]
# Without $x$ in the encoder little is lost here: $y$ shows which question it answers. Of prior and decoder one is enough to bring $x$ to $y$; at the decoder the lecture writes "can *optionally*
# depend on $x$". With both blind nothing at test time knows $x$: the answers are draws of $p(y)$, whatever the encoder has seen.
#
# ## Half a digit
#
# Now $x$ is the upper half of a digit, $y$ the lower one. A regression first, the network of notebook 04's size with the likelihood of notebook 06; then a conditional VAE, trained by
# your bound.

# %% fold=true tags=["show", "varies"]
# @title A regression and a conditional VAE learn to complete digits
from course_lib.data import load_images
from course_lib.distributions import bernoulli_log_likelihood

images, test = load_images("train"), load_images("test")
HALF = 392
torch.manual_seed(0)
layers = torch.nn.Linear(HALF, 400), torch.nn.Tanh(), torch.nn.Linear(400, HALF)
regression = torch.nn.Sequential(*layers)
settings = {"learning_rate": 2e-3, "binarize": True, "device": "cpu"}


def one_answer(batch, generator):
    return bernoulli_log_likelihood(batch[:, HALF:], regression(batch[:, :HALF]))


print(train(regression, images.images, epochs=8, objective=one_answer, **settings))
vae = ConditionalVAE(HALF, HALF, 400, 16)


def many_answers(batch, generator):
    x, y = batch[:, :HALF], batch[:, HALF:]
    eps = torch.randn(1, len(x), 16, generator=generator)
    return bound_of(x, y, eps, vae.encoder, vae.prior, vae.decoder)


print(train(vae, images.images, epochs=15, objective=many_answers, **settings))

# %% fold=true tags=["show", "varies"]
# @title Twelve answers to each of six upper halves
upper, lower = test.flat().split(HALF, -1)
shown = torch.tensor([3, 18, 32, 61, 84, 115])
with torch.no_grad():
    eps = torch.randn(12, 6, 16, generator=torch.Generator().manual_seed(0))
    answers = answer_to(upper[shown], vae.prior, vae.decoder, eps)
    mean = regression(upper[shown]).sigmoid()
figures.completions(upper[shown], lower[shown], mean, answers)

# %% [markdown]
# The same code completes clothes. They are not part of the package: set `CLOTHES = True`, and the full Fashion-MNIST is fetched once (30 MB; a minute or two of training follows). What do
# you expect of a sleeve that the upper half begins, and of a trouser leg?

# %% fold=true tags=["show", "varies"]
# Both models once more, on clothes, if you ask for them
CLOTHES = False
if CLOTHES:
    clothes, worn = (load_images(part, full=True, dataset="FashionMNIST") for part in ("train", "test"))
    of_digits = regression, vae
    layers = torch.nn.Linear(HALF, 400), torch.nn.Tanh(), torch.nn.Linear(400, HALF)
    regression, vae = torch.nn.Sequential(*layers), ConditionalVAE(HALF, HALF, 400, 16)
    print(worn.name)
    print(train(regression, clothes.images, epochs=2, objective=one_answer, **settings))
    print(train(vae, clothes.images, epochs=4, objective=many_answers, **settings))
    begun, ended = worn.flat()[:6].split(HALF, -1)
    with torch.no_grad():
        eps = torch.randn(12, 6, 16, generator=torch.Generator().manual_seed(0))
        finished = answer_to(begun, vae.prior, vae.decoder, eps)
        blurred = regression(begun).sigmoid()
        display(figures.completions(begun, ended, blurred, finished, "garment"))
    regression, vae = of_digits

# %% [markdown]
# Which is better? Asked for one answer that errs little, the mean is hard to beat: that is what it was made for. But of several answers one may be right. As a number:
# the error of the best of $S$.
#
# ### Exercise: `best_of_samples` ({{points best_of_samples}})
#
# <details><summary>Hint</summary>
#
# The squared error of every answer, averaged over its pixels, is (samples, batch). `.min(0)` returns values and their places.
#
# </details>


# %% exercise="best_of_samples"
def best_of_samples(y, predictions):
    """The mean squared error of the best of several answers, for each data point.

    y: (batch, y_dim). predictions: (samples, batch, y_dim).
    Returns (batch,): the smallest, over the samples, of the errors averaged over y's entries.
    """
    ### BEGIN SOLUTION
    return ((predictions - y) ** 2).mean(-1).min(0).values
    ### END SOLUTION


# %% fold=true tags=["show", "varies"]
# @title The error of the best of 1, 2, 5 … 100 answers
error_of = using("best_of_samples")
few = 300
with torch.no_grad():
    eps = torch.randn(100, few, 16, generator=torch.Generator().manual_seed(1))
    answers = answer_to(upper[:few], vae.prior, vae.decoder, eps)
    regressed = regression(upper[:few]).sigmoid()
numbers = (1, 2, 5, 10, 20, 50, 100)
errors = {s: error_of(lower[:few], answers[:s]).mean().item() for s in numbers}
mean_error = error_of(lower[:few], regressed.unsqueeze(0)).mean().item()
print(f"regression {mean_error:.4f}; " + ", ".join(f"{s}: {e:.4f}" for s, e in errors.items()))

# %% tags=["show", "varies"]
figures.best_of(errors, mean_error)

# %% [markdown]
# And in nats? The regression has a likelihood too, that of its coins. For the VAE there are two numbers: the bound, with $z$ from $q$, which has seen the answer; and your estimate, with $z$
# from the prior, which has not.

# %% fold=true tags=["show", "varies"]
# @title Log-likelihoods of a hundred lower halves
digits = torch.bernoulli(test.flat()[:100], generator=torch.Generator().manual_seed(2))
u, v = digits.split(HALF, -1)
generator = torch.Generator().manual_seed(3)
with torch.no_grad():
    eps = torch.randn(50, 100, 16, generator=generator)
    bound = bound_of(u, v, eps, vae.encoder, vae.prior, vae.decoder).mean().item()
    eps = torch.randn(1000, 100, 16, generator=generator)
    values = {}
    for s in (1, 3, 10, 30, 100, 300, 1000):
        values[s] = likelihood_of(u, v, eps[:s], vae.prior, vae.decoder).mean().item()
    coins = bernoulli_log_likelihood(v, regression(u)).mean().item()
print(f"regression {coins:.1f}, bound {bound:.1f} nats")
print(f"estimate with 1000 samples {values[1000]:.1f} nats")

# %% tags=["show", "varies"]
figures.estimates(values, bound)

# %% [markdown]
# The regression's pixels know nothing of each other, and pay for it. The bound and, in expectation, the estimate both lie below $\log p(y|x)$, so the higher of the two is the better. The estimate
# needs many draws until one of them falls where $y$ is likely; the bound has an encoder that knows where to look. (Both at once, weights of $q$ in the estimate, is notebook 06's importance-weighted bound.)
#
# ## What the prior has learned
#
# Where does $p(z|x)$ lie, where is it narrow, and does its width say how open the answer is? For 300 upper halves: the mean of $\log\sigma$ over the latent dimensions, and how much the
# answers to each differ.

# %% tags=["show", "varies"]
with torch.no_grad():
    mu, log_sigma = vae.prior(upper[:few])
width, spread = log_sigma.mean(-1), answers.var(0).mean(-1)
together = torch.corrcoef(torch.stack([width, spread]))[0, 1]
print(f"mean sigma of p(z|x) {log_sigma.exp().mean():.2f}, mean |mu| {mu.abs().mean():.2f}")
print(f"correlation of the prior's width with the spread of the answers: {together:.2f}")

# %% tags=["show", "varies"]
figures.learned_priors(mu, log_sigma.exp(), width, spread, upper[:few])

# %% [markdown]
# Nothing holds $p(z|x)$ near $\mathcal N(0, I)$: the KL is between $q$ and $p(z|x)$, and the two may move and stretch together. Its place and its width are in units of the model's own. But compared between
# questions the width says something: the wider the prior, the more the answers differ. Look at the narrowest and the widest: which digits begin like that?
#
# In the explorer you decide how much of the digit is given, and which point of $p(z|x)$ is decoded (a model with two latent dimensions, trained beforehand on all of MNIST with another number of
# rows given in every image). How does the prior change as more rows are seen?

# %% tags=["explorer", "show"]
from course_lib import explorers

explorers.completion

# %% [markdown]
# ## Three patients
#
# Three conditional VAEs of fellow students, each with one bug. The rows of images: test digits; their lower halves decoded from the mean of $q$; and two answers of the model as it answers at
# test time.

# %% tags=["show"]
from course_lib.patients import load_patient

load_patient("07_a").picture()

# %% exercise="diagnosis_07_a"
# Which bug does the first model have?
# Choose one of: "z is drawn from N(0, I) at test time", "x reaches neither prior nor decoder",
# "the decoder does not see z", "log p(y|x, z) is averaged over the pixels"
diagnosis_07_a = None
### BEGIN SOLUTION
diagnosis_07_a = "z is drawn from N(0, I) at test time"
### END SOLUTION

# %% tags=["show"]
load_patient("07_b").picture()

# %% exercise="diagnosis_07_b"
# Which bug does the second model have?
# Choose one of: "z is drawn from N(0, I) at test time", "x reaches neither prior nor decoder",
# "the decoder does not see z", "the KL is missing"
diagnosis_07_b = None
### BEGIN SOLUTION
diagnosis_07_b = "x reaches neither prior nor decoder"
### END SOLUTION

# %% tags=["show"]
load_patient("07_c").picture()

# %% exercise="diagnosis_07_c"
# Which bug does the third model have?
# Choose one of: "z is drawn from N(0, I) at test time", "x reaches neither prior nor decoder",
# "the decoder does not see z", "log p(y|x, z) is averaged over the pixels"
diagnosis_07_c = None
### BEGIN SOLUTION
diagnosis_07_c = "the decoder does not see z"
### END SOLUTION

# %% [markdown]
# ## Convolutions
#
# A linear layer has a weight for every pixel, and learns a stroke anew at every place. A convolution learns it once. With a **stride** of 2 it computes every second position only, so that two of
# them make a map of 7 × 7 of a 28 × 28 image; a *transposed* convolution goes the way back.
#
# ### Exercise: `ConvEncoder` ({{points ConvEncoder}})
#
# <details><summary>Hint 1: sizes</summary>
#
# `torch.nn.Conv2d(channels, width, 4, stride=2, padding=1)` halves height and width. After two of them: 7 × 7.
#
# </details>
# <details><summary>Hint 2: from a map to a code</summary>
#
# `.flatten(1)`, then a linear head each for mu and log_sigma.
#
# </details>


# %% exercise="ConvEncoder"
class ConvEncoder(torch.nn.Module):
    """q(z|x) by convolutions, for images of 28 × 28.

    ConvEncoder(channels, width, latent_dim): channels of the image; width scales the number of
    feature maps. At least one convolution and one nonlinearity; the rest is your choice.
    """

    def __init__(self, channels, width, latent_dim):
        super().__init__()
        ### BEGIN SOLUTION
        self.features = torch.nn.Sequential(
            torch.nn.Conv2d(channels, width, 4, stride=2, padding=1),
            torch.nn.ReLU(),
            torch.nn.Conv2d(width, 2 * width, 4, stride=2, padding=1),
            torch.nn.ReLU(),
        )
        self.mu = torch.nn.Linear(2 * width * 49, latent_dim)
        self.log_sigma = torch.nn.Linear(2 * width * 49, latent_dim)
        ### END SOLUTION

    def forward(self, x):
        """x: (batch, channels, 28, 28). Returns (mu, log_sigma), each (batch, latent_dim)."""
        ### BEGIN SOLUTION
        hidden = self.features(x).flatten(1)
        return self.mu(hidden), self.log_sigma(hidden)
        ### END SOLUTION


# %% [markdown]
# ### Exercise: `ConvDecoder` ({{points ConvDecoder}})
#
# <details><summary>Hint</summary>
#
# A linear layer from z to 2·width·7·7 numbers, `.view(-1, 2 * width, 7, 7)`, then two `torch.nn.ConvTranspose2d(..., 4, stride=2, padding=1)` with a relu between. No sigmoid at
# the end.
#
# </details>


# %% exercise="ConvDecoder"
class ConvDecoder(torch.nn.Module):
    """From a code to the logits of an image of 28 × 28.

    ConvDecoder(channels, width, latent_dim), as in ConvEncoder; at least one (transposed)
    convolution and one nonlinearity.
    """

    def __init__(self, channels, width, latent_dim):
        super().__init__()
        ### BEGIN SOLUTION
        self.width = width
        self.small = torch.nn.Linear(latent_dim, 2 * width * 49)
        self.upwards = torch.nn.Sequential(
            torch.nn.ConvTranspose2d(2 * width, width, 4, stride=2, padding=1),
            torch.nn.ReLU(),
            torch.nn.ConvTranspose2d(width, channels, 4, stride=2, padding=1),
        )
        ### END SOLUTION

    def forward(self, z):
        """z: (batch, latent_dim). Returns logits, (batch, channels, 28, 28)."""
        ### BEGIN SOLUTION
        return self.upwards(self.small(z).relu().view(-1, 2 * self.width, 7, 7))
        ### END SOLUTION


# %% [markdown]
# Your two networks beside the fully connected ones of notebook 06, for the same seconds: how long a pass over the data takes is measured first, then each gets as many as fit.

# %% fold=true tags=["show", "varies"]
# Train both for the same seconds
from course_lib.convolutional import ConvVAE
from course_lib.training import elbo_objective, mean_bound
from course_lib.vae import VAE

SECONDS = 10
torch.manual_seed(0)
models = {"fully connected": VAE(784, 400, 16), "convolutional": ConvVAE(1, 16, 16)}
conv = models["convolutional"]
conv.encoder, conv.decoder = using("ConvEncoder")(1, 16, 16), using("ConvDecoder")(1, 16, 16)
parameters = {name: sum(p.numel() for p in m.parameters()) for name, m in models.items()}
bounds = {}
for name, model in models.items():
    pace = train(model, images.images, epochs=1, **settings).seconds
    passes = max(1, round(SECONDS / pace) - 1)
    print(f"{name}: {passes + 1} passes, {parameters[name]:,} parameters")
    train(model, images.images, epochs=passes, seed=1, **settings)
    binary = torch.bernoulli(test.flat(), generator=torch.Generator().manual_seed(4))
    bounds[name] = mean_bound(elbo_objective(model), binary)
print(", ".join(f"{name} {value:.1f} nats" for name, value in bounds.items()))

# %% tags=["show", "varies"]
figures.equal_seconds(parameters, bounds, SECONDS)

# %% [markdown]
# With the layers of the hints, a seventh of the parameters. But a convolution uses each of its weights at every position, so that a pass takes longer, and fewer of them fit into the same seconds. Who is ahead after ten seconds
# depends on the machine; give both some minutes, or a GPU, and compare again.
#
# ## Can a VAE be *fully* convolutional?
#
# The linear layers of your two networks still fix the image's size. Leave them out: let the code be a map.

# %% tags=["show"]
figures.convolutions()

# %% [markdown]
# ### Exercise: `FullyConvVAE` ({{points FullyConvVAE}})
#
# <details><summary>Hint 1: encode and decode</summary>
#
# Two convolutions of stride 2, then one each for mu and log_sigma, with `latent_channels` feature maps. Backwards two transposed ones, the last with `channels` maps: logits.
#
# </details>
# <details><summary>Hint 2: sums</summary>
#
# `.flatten(1).sum(-1)`: the likelihood over channels and pixels, the KL over channels and positions.
#
# </details>
# <details><summary>Hint 3: sample</summary>
#
# `torch.randn(n, latent_channels, height // 4, width // 4, generator=generator)`.
#
# </details>


# %% exercise="FullyConvVAE"
class FullyConvVAE(torch.nn.Module):
    """A VAE without linear layers, for images of any height and width divisible by 4.

    FullyConvVAE(channels, width, latent_channels): channels of the image; width scales the
    number of feature maps; latent_channels of the code.
    """

    def __init__(self, channels, width, latent_channels):
        super().__init__()
        self.latent_channels = latent_channels
        ### BEGIN SOLUTION
        self.features = torch.nn.Sequential(
            torch.nn.Conv2d(channels, width, 4, stride=2, padding=1),
            torch.nn.ReLU(),
            torch.nn.Conv2d(width, 2 * width, 4, stride=2, padding=1),
            torch.nn.ReLU(),
        )
        self.mu = torch.nn.Conv2d(2 * width, latent_channels, 3, padding=1)
        self.log_sigma = torch.nn.Conv2d(2 * width, latent_channels, 3, padding=1)
        self.upwards = torch.nn.Sequential(
            torch.nn.Conv2d(latent_channels, 2 * width, 3, padding=1),
            torch.nn.ReLU(),
            torch.nn.ConvTranspose2d(2 * width, width, 4, stride=2, padding=1),
            torch.nn.ReLU(),
            torch.nn.ConvTranspose2d(width, channels, 4, stride=2, padding=1),
        )
        ### END SOLUTION

    def encode(self, x):
        """x: (batch, channels, height, width). Returns (mu, log_sigma), each
        (batch, latent_channels, height / 4, width / 4)."""
        ### BEGIN SOLUTION
        hidden = self.features(x)
        return self.mu(hidden), self.log_sigma(hidden)
        ### END SOLUTION

    def decode(self, z):
        """Returns logits of the image, (batch, channels, height, width)."""
        ### BEGIN SOLUTION
        return self.upwards(z)
        ### END SOLUTION

    def elbo(self, x, eps):
        """x in [0, 1], eps of mu's shape. Returns (batch,), in nats: Bernoulli log-likelihood
        summed over channels and pixels, minus the closed-form KL to N(0, I) summed over channels
        and positions."""
        ### BEGIN SOLUTION
        mu, log_sigma = self.encode(x)
        logits = self.decode(mu + log_sigma.exp() * eps)
        log_likelihood = x * logits - torch.nn.functional.softplus(logits)
        kl = 0.5 * (mu**2 + (2 * log_sigma).exp() - 1 - 2 * log_sigma)
        return log_likelihood.flatten(1).sum(-1) - kl.flatten(1).sum(-1)
        ### END SOLUTION

    def reconstruct(self, x):
        """Returns probabilities of ink, decoded from mu, of the shape of x."""
        ### BEGIN SOLUTION
        return self.decode(self.encode(x)[0]).sigmoid()
        ### END SOLUTION

    def sample(self, n, height, width, generator):
        """For z ~ N(0, I), independent at every position, probabilities of ink,
        (n, channels, height, width)."""
        ### BEGIN SOLUTION
        shape = (n, self.latent_channels, height // 4, width // 4)
        return self.decode(torch.randn(shape, generator=generator)).sigmoid()
        ### END SOLUTION


# %% [markdown]
# Trained on 28 × 28, as before. It can be asked for images of other sizes: what will it draw?

# %% exercise="larger_prediction"
# Trained on 28 × 28 digits, it samples images of 28 × 112. What do you see?
# Choose one of: "four digits in a row", "strokes, but no digits", "one wide digit",
# "an error: the size does not fit"
larger_prediction = None
### BEGIN SOLUTION
larger_prediction = "strokes, but no digits"
### END SOLUTION

# %% tags=["show", "varies"]
from course_lib.convolutional import image_objective

torch.manual_seed(0)
fully = using("FullyConvVAE")(1, 16, 1)
objective = image_objective(fully, 1, 28, 28)
print(train(fully, images.images, epochs=7, objective=objective, **settings))

# %% tags=["show", "varies"]
with torch.no_grad():
    back = fully.reconstruct(test.images[:16].float() / 255)[:, 0]
    square = fully.sample(32, 28, 28, torch.Generator().manual_seed(1))[:, 0]
    wide = fully.sample(4, 28, 112, torch.Generator().manual_seed(1))[:, 0]
figures.other_sizes(back, square[:16], wide)

# %% [markdown]
# What comes back is a digit: 49 numbers, each responsible for a place. What is sampled has pieces of strokes, and no digit. "Yes, but be careful with the latent codes!",
# says the lecture: $p(z) = \mathcal N(0, I)$ means that all positions are independent. Are they, in the codes of digits?
#
# ### Exercise: `latent_dependence` ({{points latent_dependence}})
#
# For two latents of the same channel and the same row, $d$ columns apart: the correlation over the images. Averaged over channels, rows and all such pairs, it is one number for every distance.
#
# <details><summary>Hint 1: correlation</summary>
#
# Subtract from every latent its mean over the batch, divide by its spread over the batch; the mean over the batch of the product of two such latents is their correlation.
#
# </details>
# <details><summary>Hint 2: all pairs d apart</summary>
#
# `s[..., d:] * s[..., :width - d]` has them all, of every channel and row: its mean is entry d - 1.
#
# </details>


# %% exercise="latent_dependence"
def latent_dependence(z):
    """How strongly codes of one row hang together, by distance.

    z: codes of many images, (batch, channels, height, width).
    Returns (width - 1,): entry d - 1 is the correlation over the batch of two latents of the same
    channel and row, d columns apart, averaged over channels, rows and all such pairs of columns.
    """
    ### BEGIN SOLUTION
    centred = z - z.mean(0)
    scaled = centred / centred.square().mean(0).sqrt()
    width = z.shape[-1]
    pairs = [scaled[..., d:] * scaled[..., : width - d] for d in range(1, width)]
    return torch.stack([products.mean() for products in pairs])
    ### END SOLUTION


# %% fold=true tags=["show", "varies"]
# @title How the codes of neighbouring places depend on each other
dependence_of = using("latent_dependence")
generator = torch.Generator().manual_seed(0)
with torch.no_grad():
    mu, log_sigma = fully.encode(images.images.float() / 255)
codes = mu + log_sigma.exp() * torch.randn(mu.shape, generator=generator)
independent = torch.randn(codes.shape, generator=generator)


def row_by_row(z):
    return torch.stack([dependence_of(z[:, :1, r : r + 1]) for r in range(z.shape[2])])


average, found, drawn = dependence_of(codes), row_by_row(codes), row_by_row(independent)
print("codes of digits, all rows:", ", ".join(f"{value:.2f}" for value in average))
for name, table in {"codes of digits": found, "draws of p(z)": drawn}.items():
    print(f"{name}, row by row: largest correlation {table.abs().max():.2f}")

# %% tags=["show", "varies"]
figures.dependence(average.tolist(), found, drawn)

# %% [markdown]
# Draws of the prior have no correlation beyond chance. The codes of digits have, and of both signs, so that the average over all rows hides part of what single rows show: where one position has a
# stroke, its neighbours go on with it, or know that it has ended.
#
# If that is the cause, there is a test: keep the decoder, and draw the codes from a Gaussian with the mean and the covariance that the codes of the digits have.

# %% tags=["show", "varies"]
flat = codes.flatten(1)
root = torch.linalg.cholesky(torch.cov(flat.T) + 1e-4 * torch.eye(flat.shape[1]))
noise = torch.randn(32, flat.shape[1], generator=torch.Generator().manual_seed(1))
with torch.no_grad():
    together = fully.decode((flat.mean(0) + noise @ root.T).view(32, *codes.shape[1:])).sigmoid()
figures.independent_and_together(square, together[:, 0])

# %% [markdown]
# The decoder is the same, and so is the noise: what has changed is that codes hang together as those of digits do, as far as pairs of them tell. Count the digits on either side. Who wants samples of a fully
# convolutional VAE needs a prior that knows of neighbours, as $p(z|x)$ above knew of $x$.
#
# ## An open task: a minute for the lower half
#
# How high can you raise the bound of $\log p(y|x)$ on unseen digits, $y$ the lower half, with sixty seconds of training? The measure is the same for everyone: the 2,000 test digits, their pixels
# drawn once, ten draws of noise for each. No points; the number goes into the summary, beside the course's own. Convolutions in all three networks, wider layers, more data
# (`load_images("train", full=True)`; with `dataset="FashionMNIST"` you can complete clothes, though not for this measure): all is allowed.

# %% tags=["show"]
my_vae = vae  # yours: any class with elbo(x, y, eps) and latent_dim, sixty seconds

# %% tags=["show", "varies"]
from course_lib.challenges import attempt

attempt("07_conditional_and_convolutional_vaes", my_vae)

# %% [markdown]
# ## The points so far

# %% tags=["show"]
summary("07_conditional_and_convolutional_vaes")

# %% [markdown]
# **What you did.** You built a model of $p(y|x)$ that draws different answers to one question, measured it against a truth that is known and on halves of digits, found where $x$ is needed, told three
# broken models by their pictures, built VAEs from convolutions, one of them for images of any size, and measured why its samples fall apart.
#
# **What comes next.** Notebook 08: the two diseases of VAEs, codes that are ignored and codes that are not compressed, and how to cure them.
#
# **References.** The lecture, parts "Conditional models" and "VAEs with convolutions". Sohn, Lee and Yan, *Learning structured output representation using deep conditional generative models*, 2015:
# the conditional VAE with a learned prior, parts of digits predicted from others. Kingma, Mohamed, Rezende and Welling, *Semi-supervised learning with deep generative models*, 2014. Bhattacharyya, Schiele and
# Fritz, *Accurate and diverse sampling of sequences based on a "best of many" sample objective*, 2018. Radford, Metz and Chintala, *Unsupervised representation learning with deep convolutional generative
# adversarial networks*, 2016, on strided and transposed convolutions.
