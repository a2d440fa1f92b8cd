# %% [markdown]
# # 09 · Normalizing flows
#
# {{colab}}
#
# **Where this stands in the lecture**: "Invertible Models and Normalizing Flows", up to NICE.
#
# **After it you can** derive how a density changes under a map, build invertible layers and hold each against an oracle of your own,
# compose them to a flow, train it by its exact likelihood, and say how far it is from perfect, in nats.
#
# **Time**: 90–150 minutes. **Points**: {{topic points}}.

# %% setup=true

# %%
import math

import torch

from course_lib.checks import using
from course_lib.figures import normalizing_flows as figures

# %% [markdown]
# ## A simpler kind of model
#
# A VAE's decoder makes many $x$ of one $z$, so $p(x)$ is an integral, and all that training gets hold of is a bound. What if each $x$ came from
# exactly *one* $z$? Let $x = f(z)$ with an invertible $f$. Then nothing has to be integrated and nothing approximated: $z = f^{-1}(x)$, and
# $p(x)$ is what $p(z)$ was there, corrected for what $f$ does to space.
#
# What is the correction? In one dimension: an interval around $z$, so small that $p(z)$ hardly varies on it, holds the probability $p(z)\,dz$. The map takes it to an
# interval around $x$, which has another length, $dx = |f'(z)|\,dz$. The probability went along, all of it:
#
# $$p(x)\,dx = p(z)\,dz \qquad\Longrightarrow\qquad p(x) = p(z)\,\Big|\frac{dx}{dz}\Big|^{-1}.$$
#
# Stretched twice as long, half as high. In more dimensions a small cube becomes a small slanted box, and how much larger it is is the determinant of the matrix
# of derivatives, the *Jacobian*:
#
# $$p(x) = p(z)\,\Big|\det\frac{df(z)}{dz}\Big|^{-1}, \qquad z = f^{-1}(x). $$

# %% exercise="integral_prediction"
# x = 3z, and somebody forgets the determinant: p(x) = p(z) at z = x/3.
# To what does this integrate over x?
# Choose one of: "1", "1/3", "3", "log 3"
integral_prediction = None
### BEGIN SOLUTION
integral_prediction = "3"
### END SOLUTION

# %% [markdown]
# Densities of images are products of hundreds of numbers, so we work with logarithms, as everywhere in the course.
#
# ### Exercise: `change_of_variables` ({{points change_of_variables}})
#
# <details><summary>Hint</summary>
#
# The logarithm of a quotient is a difference.
#
# </details>


# %% exercise="change_of_variables"
def change_of_variables(log_prob_z, log_det):
    """log p(x) of x = f(z).

    log_prob_z: log p(z) at z = f⁻¹(x), (batch,).
    log_det: log|det dx/dz| of the forward map, from z to x, at that z, (batch,).
    Returns (batch,), in nats; also for logarithms in the thousands.
    """
    ### BEGIN SOLUTION
    return log_prob_z - log_det
    ### END SOLUTION


# %% [markdown]
# See it with a map that stretches here and presses there, $x = z + \tfrac12\sinh z$, whose slope is $1 + \tfrac12\cosh z$.

# %% fold=true tags=["show", "nbval-check-output"]
# @title The integral with the determinant, and without it
log_p = using("change_of_variables")
z = torch.linspace(-4, 4, 2001, dtype=torch.float64)
x, log_det = z + 0.5 * z.sinh(), (1 + 0.5 * z.cosh()).log()
log_prob_z = torch.distributions.Normal(0.0, 1.0).log_prob(z)
log_prob_x = log_p(log_prob_z, log_det)
print(f"with the determinant    {torch.trapezoid(log_prob_x.exp(), x):.3f}")
print(f"without the determinant {torch.trapezoid(log_prob_z.exp(), x):.3f}")

# %% tags=["show"]
figures.stretched_interval(z, log_prob_z, x, log_prob_x)

# %% [markdown]
# Move the sliders: the density of $x$ always integrates to 1, however it is stretched and bent. Without the determinant it does not. Where are they equal?

# %% tags=["explorer", "show"]
from course_lib import explorers

explorers.stretching

# %% [markdown]
# ## A microscope
#
# Every layer that follows will *claim* a log-determinant. A wrong claim raises no error: training goes on, the loss even looks better, and every number it prints is
# wrong. So first an instrument that needs no claim: the whole Jacobian of any $f$, by automatic differentiation, and the logarithm of its determinant. It is slow,
# $O(\text{dim}^3)$, and for looking only.
#
# ### Exercise: `numerical_log_det` ({{points numerical_log_det}})
#
# <details><summary>Hint 1: one Jacobian for each point</summary>
#
# `torch.func.jacrev(f)` is a function that gives the Jacobian at one point, `torch.func.vmap(...)` applies a function to each point of a batch.
#
# </details>
# <details><summary>Hint 2: the logarithm of a determinant</summary>
#
# In 130 dimensions a determinant is easily 10⁻⁵⁰⁰, which is 0 in floating point, and it may be negative. `torch.linalg.slogdet` returns sign and logarithm of its size.
#
# </details>


# %% exercise="numerical_log_det"
def numerical_log_det(f, z):
    """log|det df/dz| at each point, from the full Jacobian.

    f: maps z to x, (..., dim) to (..., dim), each point by itself; made of torch operations,
       for (batch, dim), and for one point, (dim,).
    z: (batch, dim).
    Returns (batch,), in nats; exact, no quotient of differences. Also for negative determinants
    and for those that leave the range of floating point.
    """
    ### BEGIN SOLUTION
    jacobians = torch.func.vmap(torch.func.jacrev(f))(z)
    return torch.linalg.slogdet(jacobians).logabsdet
    ### END SOLUTION


# %% [markdown]
# ## Layers
#
# From here on a layer is a module with two methods, in the lecture's direction, $x = f(z)$:
#
# - `forward(z)` returns $x$ and $\log|\det dx/dz|$,
# - `inverse(x)` returns $z$ and $\log|\det dz/dx|$: **always the log-determinant of the map that was applied**, one number for each point.
#
# The first one scales and shifts each dimension by itself, $x_d = \text{scale}_d\, z_d + \text{shift}_d$. Its Jacobian is diagonal.
#
# ### Exercise: `ElementwiseAffine` ({{points ElementwiseAffine}})
#
# <details><summary>Hint 1</summary>
#
# The determinant of a diagonal matrix is the product of its entries. A scale must never be 0: learn its logarithm, say.
#
# </details>
# <details><summary>Hint 2: a log_det for each point</summary>
#
# It is the same for all points here: `self.log_scale.sum().expand(len(z))`.
#
# </details>


# %% exercise="ElementwiseAffine"
class ElementwiseAffine(torch.nn.Module):
    """One learned scale and one learned shift for each dimension, 2 · dim numbers in all.

    ElementwiseAffine(dim). How the scale is parametrised is yours, as long as it is not 0.
    """

    def __init__(self, dim):
        super().__init__()
        ### BEGIN SOLUTION
        self.log_scale = torch.nn.Parameter(torch.zeros(dim))
        self.shift = torch.nn.Parameter(torch.zeros(dim))
        ### END SOLUTION

    def forward(self, z):
        """z: (batch, dim). Returns x (batch, dim) and log|det dx/dz| (batch,)."""
        ### BEGIN SOLUTION
        return z * self.log_scale.exp() + self.shift, self.log_scale.sum().expand(len(z))
        ### END SOLUTION

    def inverse(self, x):
        """x: (batch, dim). Returns z (batch, dim) and log|det dz/dx| (batch,)."""
        ### BEGIN SOLUTION
        z = (x - self.shift) * (-self.log_scale).exp()
        return z, -self.log_scale.sum().expand(len(x))
        ### END SOLUTION


# %% [markdown]
# Many such layers, one after the other, are one such layer. To bend something, a network has its nonlinearity, $x = \text{ReLU}(Wz + b)$. The slide
# says: but this is **not** invertible.

# %% exercise="relu_prediction"
# x = ReLU(z). From x = 0 in one entry, what can be said of that entry of z?
# Choose one of: "it was 0", "it was 0 or negative, nothing more",
# "everything, by dividing by the slope"
relu_prediction = None
### BEGIN SOLUTION
relu_prediction = "it was 0 or negative, nothing more"
### END SOLUTION

# %% [markdown]
# A ReLU is mended by giving its flat side a slope: $x_d = z_d$ where $z_d > 0$, and $\text{slope}\cdot z_d$ where it is negative, $0 < \text{slope} < 1$. Now every $x$ has one
# $z$, and for the first time the log-determinant **differs from point to point**.
#
# ### Exercise: `LeakyReLU` ({{points LeakyReLU}})
#
# <details><summary>Hint 1</summary>
#
# Each negative entry contributes log slope, each positive one log 1 = 0.
#
# </details>
# <details><summary>Hint 2</summary>
#
# `torch.where(z < 0, slope * z, z)`; `(z < 0).to(z.dtype)` is 1 where an entry is negative. x has the signs of z.
#
# </details>


# %% exercise="LeakyReLU"
class LeakyReLU(torch.nn.Module):
    """LeakyReLU(slope): x = z where z is positive, slope · z where it is negative.

    Nothing is learned.
    """

    def __init__(self, slope):
        super().__init__()
        ### BEGIN SOLUTION
        self.slope = slope
        ### END SOLUTION

    def forward(self, z):
        """z: (batch, dim). Returns x (batch, dim) and log|det dx/dz| (batch,)."""
        ### BEGIN SOLUTION
        log_det = math.log(self.slope) * (z < 0).to(z.dtype).sum(-1)
        return torch.where(z < 0, self.slope * z, z), log_det
        ### END SOLUTION

    def inverse(self, x):
        """x: (batch, dim). Returns z (batch, dim) and log|det dz/dx| (batch,)."""
        ### BEGIN SOLUTION
        log_det = -math.log(self.slope) * (x < 0).to(x.dtype).sum(-1)
        return torch.where(x < 0, x / self.slope, x), log_det
        ### END SOLUTION


# %% tags=["show", "nbval-check-output"]
Bend, microscope = using("LeakyReLU"), using("numerical_log_det")
layer = Bend(0.2)
points = torch.randn(4, 3, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
true = microscope(lambda z: layer(z)[0], points)
for name, values in (("reported ", layer(points)[1]), ("numerical", true)):
    print(name, [f"{value:.3f}" for value in values.tolist()])

# %% tags=["show"]
draws = torch.randn(20_000, generator=torch.Generator().manual_seed(0))
figures.half_of_it_lost(draws, draws.relu(), layer(draws.unsqueeze(-1))[0].squeeze(-1))

# %% [markdown]
# ## One after the other
#
# The lecture: "If each layer is invertible, the whole thing is invertible", and the log-determinant of the whole model is the sum
# of the layers' log-determinants. Is it?
# Take two layers in one dimension, $x = f_2(f_1(z))$. By the chain rule the slopes are multiplied, and so
#
# $$\log\Big|\frac{dx}{dz}\Big| = \log\big|f_1'(z)\big| + \boxed{\ ?\ }$$
#
# ### Exercise: `second_log_det` ({{points second_log_det}})
#
# The check compares both sides for layers that rise and layers that fall.
#
# <details><summary>Hint</summary>
#
# The chain rule says at which point the second slope is taken. It is the point that the second layer is given.
#
# </details>


# %% exercise="second_log_det"
def second_log_det(z, f_1, slope_2):
    """The missing term of the derivation.

    z: (batch,).
    f_1: the first layer, a function of points (batch,) to points (batch,).
    slope_2: the slope f_2' of the second layer, a function of the points that f_2 is given.
    Returns (batch,), in nats.
    """
    ### BEGIN SOLUTION
    return slope_2(f_1(z)).abs().log()
    ### END SOLUTION


# %% [markdown]
# So it is the sum, each term taken where its layer finds the point. In more dimensions the same with matrices: the Jacobian of the whole is the product of the
# Jacobians, and the determinant of a product is the product of the determinants.

# %% tags=["show"]
figures.the_flow()

# %% [markdown]
# ### Exercise: `Composition` ({{points Composition}})
#
# <details><summary>Hint 1</summary>
#
# Keep the layers in a `torch.nn.ModuleList`, so that an optimizer finds their parameters.
#
# </details>
# <details><summary>Hint 2: the way back</summary>
#
# Socks first, then shoes; shoes off, then socks: `for layer in reversed(self.layers)`.
#
# </details>


# %% exercise="Composition"
class Composition(torch.nn.Module):
    """Composition(layers): layers one after the other; layers[0] is applied first to z.

    layers: a list of one or more modules with forward and inverse, as above.
    """

    def __init__(self, layers):
        super().__init__()
        ### BEGIN SOLUTION
        self.layers = torch.nn.ModuleList(layers)
        ### END SOLUTION

    def forward(self, z):
        """z: (batch, dim). Returns x (batch, dim) and log|det dx/dz| (batch,)."""
        ### BEGIN SOLUTION
        total = z.new_zeros(len(z))
        for layer in self.layers:
            z, log_det = layer(z)
            total = total + log_det
        return z, total
        ### END SOLUTION

    def inverse(self, x):
        """x: (batch, dim). Returns z (batch, dim) and log|det dz/dx| (batch,)."""
        ### BEGIN SOLUTION
        total = x.new_zeros(len(x))
        for layer in reversed(self.layers):
            x, log_det = layer.inverse(x)
            total = total + log_det
        return x, total
        ### END SOLUTION


# %% [markdown]
# Push a grid of $z$ through layers, one by one. Left the points, right the density, both of the same flow; the last slider bends its LeakyReLUs. Where is the density
# highest: where lines are close together, or far apart?

# %% tags=["explorer", "show"]
explorers.through_layers

# %% [markdown]
# ## One of them lies
#
# Five layers of somebody else, each with a closed form for its log-determinant. Four report the truth. One has a wrong sign, or has forgotten a dimension, or averages where it should add, or
# looks at the wrong point, or says the same of every point: you are not told which. You have a microscope.
#
# ### Exercise: `find_the_liar` ({{points find_the_liar}})
#
# <details><summary>Hint 1</summary>
#
# `layer(z)[1]` is what a layer says. What it should say is `numerical_log_det` of the function that returns `layer(z)[0]`.
#
# </details>
# <details><summary>Hint 2: a function made in a loop</summary>
#
# `lambda z: layer(z)[0]` inside the loop, used at once. The largest difference, in size, over the points, then `argmax` over the layers.
#
# </details>


# %% exercise="find_the_liar"
def find_the_liar(layers, z):
    """The index of the layer whose forward reports a wrong log-determinant.

    layers: a list of five modules; forward(z) returns x and log_det.
    z: points at which to look, (batch, dim).
    Returns an int, from 0 on.
    """
    ### BEGIN SOLUTION
    off = []
    for layer in layers:
        true = numerical_log_det(lambda z, layer=layer: layer(z)[0], z)
        off.append((layer(z)[1] - true).abs().max())
    return int(torch.stack(off).argmax())
    ### END SOLUTION


# %% tags=["show", "nbval-check-output"]
from course_lib.warps import five_layers

layers = five_layers(dim=3, seed=5)
points = torch.randn(40, 3, generator=torch.Generator().manual_seed(0))
print("the liar is layer", using("find_the_liar")(layers, points))

# %% tags=["show"]
told = [layer(points)[1].detach() for layer in layers]
true = [microscope(lambda z, layer=layer: layer(z)[0], points).detach() for layer in layers]
figures.words_and_truth(told, true)

# %% [markdown]
# Which lie was it? The picture shows it.
#
# ## Density and samples
#
# A flow answers both questions of a generative model, exactly. How likely is $x$? Backwards: $\log p(x) = \log p(z) + \log|\det dz/dx|$ with $z = f^{-1}(x)$; inverse reports
# the determinant with the sign that is needed. Draw me an $x$! Forwards: $z\sim p(z)$, $x = f(z)$.
#
# ### Exercise: `flow_log_prob` ({{points flow_log_prob}})


# %% exercise="flow_log_prob"
def flow_log_prob(flow, x, base_log_prob):
    """The exact log p(x) of a flow.

    flow: offers forward(z) -> (x, log_det) and inverse(x) -> (z, log_det).
    x: (batch, dim).
    base_log_prob: log p(z), a function of z (batch, dim) that returns (batch,); not always N(0, I).
    Returns (batch,), in nats.
    """
    ### BEGIN SOLUTION
    z, log_det = flow.inverse(x)
    return base_log_prob(z) + log_det
    ### END SOLUTION


# %% [markdown]
# ### Exercise: `sample_flow` ({{points sample_flow}})
#
# <details><summary>Hint</summary>
#
# `torch.randn(n, dim, generator=generator, dtype=...)`, with the dtype of `next(flow.parameters())`; then forward, of which x is the first result.
#
# </details>


# %% exercise="sample_flow"
def sample_flow(flow, n, dim, generator):
    """n samples: z ~ N(0, I), pushed forward.

    flow: a module as above.
    generator: the only source of chance.
    Returns x alone, (n, dim), in dtype and device of the flow's parameters.
    """
    ### BEGIN SOLUTION
    like = next(flow.parameters())
    z = torch.randn(n, dim, generator=generator, dtype=like.dtype)
    return flow(z.to(like.device))[0]
    ### END SOLUTION


# %% [markdown]
# ## Training
#
# No bound, no noise, no second network: the objective is the likelihood itself,
#
# $$\max_\theta\ \frac1N\sum_i \log p\big(f^{-1}(x_i)\big) - \log\Big|\det\frac{df(z)}{dz}\Big|_{z = f^{-1}(x_i)}.$$
#
# ### Exercise: `negative_log_likelihood` ({{points negative_log_likelihood}})
#
# <details><summary>Hint</summary>
#
# log N(z; 0, I) is the sum over the dimensions of -z²/2 - log(2π)/2. An optimizer minimises.
#
# </details>


# %% exercise="negative_log_likelihood"
def negative_log_likelihood(flow, x):
    """The loss: minus the mean over the batch of log p(x), with z ~ N(0, I).

    flow: offers forward and inverse, as above.
    x: (batch, dim), also far from 0.
    Returns a scalar, in nats.
    """
    ### BEGIN SOLUTION
    z, log_det = flow.inverse(x)
    log_prob_z = -0.5 * (z**2 + math.log(2 * math.pi)).sum(-1)
    return -(log_prob_z + log_det).mean()
    ### END SOLUTION


# %% [markdown]
# A first flow of your own layers: four scalings and three bends between them, trained on two moons.

# %% fold=true tags=["show", "varies"]
# @title A flow of your layers learns two moons
from course_lib.toy_densities import ENTROPIES, two_moons
from course_lib.training import train

Scale, Bend, Chain = using("ElementwiseAffine"), using("LeakyReLU"), using("Composition")
log_prob, loss_of = using("flow_log_prob"), using("negative_log_likelihood")
standard = torch.distributions.Normal(0.0, 1.0)
moons = two_moons(20_000, 0.05, torch.Generator().manual_seed(0))
unseen = two_moons(20_000, 0.05, torch.Generator().manual_seed(1))


def fit(flow, data, epochs, learning_rate):
    """Raise the mean of log p(x) by Adam, and return the loss of each pass."""

    def objective(x, _):
        return log_prob(flow, x, lambda z: standard.log_prob(z).sum(-1))

    settings = {"batch_size": 200, "objective": objective, "device": "cpu"}
    done = train(flow, data, epochs=epochs, learning_rate=learning_rate, **settings)
    return [-bound for bound in done.bounds]


torch.manual_seed(0)
by_entries = Chain([Scale(2), *(layer for _ in range(3) for layer in (Bend(0.5), Scale(2)))])
curves = {"entry by entry": fit(by_entries, moons, 6, 2e-2)}
print(f"loss on unseen points: {loss_of(by_entries, unseen).item():.3f} nats")

# %% [markdown]
# Is that good? Of these data we know everything: half circles with Gaussian noise of 0.05, whose density and *entropy* can be computed by quadrature: 0.289
# nats. Notebook 02: for any density $q$, $E_p[-\log q(x)] = H(p) + D_{KL}(p\|q)$.

# %% exercise="entropy_prediction"
# The moons' density has an entropy of 0.289 nats.
# Where does the loss of ever better flows end, on unlimited data?
# Choose one of: "it goes to 0", "it goes down without end", "it comes down to 0.289"
entropy_prediction = None
### BEGIN SOLUTION
entropy_prediction = "it comes down to 0.289"
### END SOLUTION

# %% [markdown]
# So this flow is 1.7 nats from perfect, and more of its layers would not help: they all act on each entry by itself, and can never learn what one entry says about the other. What is needed is a layer
# in which one entry moves *depending on* the other, and whose determinant is still easy. Such layers are the next two notebooks; borrow one now, and look at it through
# your microscope before you trust it.

# %% fold=true tags=["show", "varies"]
# @title Six borrowed couplings: trained, and held against your microscope
from course_lib.real_nvp import AffineCoupling

torch.manual_seed(0)
borrowed = [AffineCoupling(2, 32, swap=bool(i % 2)) for i in range(6)]
parts = [Scale(2), *borrowed, Scale(2)]
coupled = Chain(parts)
curves["with couplings"] = fit(coupled, moons, 12, 4e-3) + fit(coupled, moons, 5, 1e-3)
points = unseen[:50].double()
off = coupled.double()(points)[1] - microscope(lambda z: coupled(z)[0], points)
print(f"reported log-det against the microscope: off by {off.abs().max().item():.1e} at most")
coupled = coupled.float()
print(f"loss on unseen points: {loss_of(coupled, unseen).item():.3f} nats")

# %% tags=["show"]
entropy = ENTROPIES["two moons, σ = 0.05"]
figures.approach(curves, entropy)

# %% fold=true tags=["show"]
# @title Samples of both flows beside the data
draw = using("sample_flow")
flows = {"entry by entry": by_entries, "with couplings": coupled}
with torch.no_grad():
    samples = {}
    for name, flow in flows.items():
        samples[name] = draw(flow, 3000, 2, torch.Generator().manual_seed(2))
    losses = {name: loss_of(flow, unseen).item() for name, flow in flows.items()}
figures.fits(unseen[:3000], samples, losses, entropy)

# %% [markdown]
# No VAE could tell you this: its bound says how far it is from $\log p(x)$ of *its own* model at best, and its model is not the data. Here the distance to the truth is a number.
#
# How does the flow do it? The same draws of $z$, followed through its layers:

# %% tags=["show"]
places = [torch.randn(1500, 2, generator=torch.Generator().manual_seed(3))]
with torch.no_grad():
    for layer in parts:
        places.append(layer(places[-1])[0])
figures.layer_by_layer(places)

# %% [markdown]
# A flow moves probability about, it never tears it: between the moons a thin bridge remains.
#
# ## A better prior for the VAE
#
# Real data in the plane: the codes of digits under notebook 06's VAE with two latent dimensions. Its prior is $N(0, I)$, and notebook 06 showed gaps in the codes which the prior fills. Fit a
# flow to the codes, and take *it* for the prior: in the bound, $\log p(z)$ is then the flow's.

# %% fold=true tags=["show", "varies"]
# @title A flow learns the codes of the digits
from course_lib.data import load_images
from course_lib.digit_model import load_digit_model

vae = load_digit_model()
torch.manual_seed(0)
with torch.no_grad():
    codes = {}
    for split in ("train", "test"):
        mu, log_sigma = vae.encoder(load_images(split).flat())
        codes[split] = mu + log_sigma.exp() * torch.randn_like(mu)
prior = Chain([*(AffineCoupling(2, 32, swap=bool(i % 2)) for i in range(6)), Scale(2)])
fit(prior, codes["train"], 16, 4e-3)
with torch.no_grad():
    of_gaussian = standard.log_prob(codes["test"]).sum(-1).mean().item()
    of_flow = -loss_of(prior, codes["test"]).item()
print(f"codes of test digits: {of_gaussian:.2f} nats under N(0, I), {of_flow:.2f} under the flow")
print(f"the bound on test digits rises by {of_flow - of_gaussian:.2f} nats, the VAE untouched")

# %% fold=true tags=["show"]
# @title Codes and digits from both priors
with torch.no_grad():
    gaussian_z = torch.randn(1500, 2, generator=torch.Generator().manual_seed(4))
    flow_z = draw(prior, 1500, 2, torch.Generator().manual_seed(4))
    places = [codes["test"], gaussian_z, flow_z]
    images = [vae.decoder(z[:40]).sigmoid() for z in places]
figures.better_prior(places, images, of_gaussian, of_flow)

# %% [markdown]
# ## Three patients
#
# Three flows of fellow students, made of couplings and trained on the moons, each with one bug. The objective as it was trained, samples (over the data, in grey), and the density that the flow reports.

# %% tags=["show"]
from course_lib.patients import load_patient

load_patient("09_a").picture()

# %% exercise="diagnosis_09_a"
# Which bug does the first flow have?
# Choose one of: "the log-det has the wrong sign", "the log-det is missing",
# "the inverse runs forwards", "the log-det is averaged over the batch"
diagnosis_09_a = None
### BEGIN SOLUTION
diagnosis_09_a = "the inverse runs forwards"
### END SOLUTION

# %% tags=["show"]
load_patient("09_b").picture()

# %% exercise="diagnosis_09_b"
# Which bug does the second flow have?
# Choose one of: "the log-det has the wrong sign", "the log-det is missing",
# "the inverse runs forwards", "the log-det is averaged over the batch"
diagnosis_09_b = None
### BEGIN SOLUTION
diagnosis_09_b = "the log-det is missing"
### END SOLUTION

# %% tags=["show"]
load_patient("09_c").picture()

# %% exercise="diagnosis_09_c"
# Which bug does the third flow have?
# Choose one of: "the log-det has the wrong sign", "the log-det is missing",
# "the inverse runs forwards", "the log-det is averaged over the batch"
diagnosis_09_c = None
### BEGIN SOLUTION
diagnosis_09_c = "the log-det has the wrong sign"
### END SOLUTION

# %% [markdown]
# ## An open task: how near to the entropy?
#
# Two moons with $\sigma = 0.05$, as many points as you like. Hand in `log_prob(x)`: it is measured on 20,000 points that are the same for everyone, as nats above the entropy, and it must be a density: its integral
# over the plane is computed too. No points; the number goes into the summary, beside the course's own. Begin with what there is:


# %% tags=["show"]
def my_log_prob(x):  # yours: more couplings, wider ones, another learning rate, more passes
    return log_prob(coupled, x, lambda z: standard.log_prob(z).sum(-1))


# %% tags=["show", "varies"]
from course_lib.challenges import attempt

attempt("09_normalizing_flows", my_log_prob)

# %% [markdown]
# ## The points so far

# %% tags=["show"]
summary("09_normalizing_flows")

# %% [markdown]
# **What you did.** You derived the change of variables, built layers, held each against a microscope of your own, caught one that lies, composed a flow, trained it by its exact likelihood, measured how far from
# perfect it is, and gave a VAE a better prior.
#
# **What comes next.** Notebook 10 opens the borrowed layer: NICE, a coupling whose determinant is 1, trained on digits. Notebook 11: Real-NVP, the one you borrowed.
#
# **References.** The lecture, part "Invertible Models and Normalizing Flows". Rezende and Mohamed, *Variational inference with normalizing flows*, 2015, which gave them their name. Dinh, Krueger and Bengio,
# *NICE: Non-linear independent components estimation*, 2015. Papamakarios, Nalisnick, Rezende, Mohamed and Lakshminarayanan, *Normalizing flows for probabilistic modeling and inference*, 2021: the
# survey. Tomczak and Welling, *VAE with a VampPrior*, 2018, on better priors for the VAE.
