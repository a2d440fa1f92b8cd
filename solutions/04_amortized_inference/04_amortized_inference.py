# %% [markdown]
# # 04 · Amortized inference
#
# {{colab}}
#
# **Where this stands in the lecture**: "Amortized variational inference".
#
# **After it you can** replace a list of codes by a network that infers them, train it together with the decoder, and measure
# for each image what the network's guess loses against the best Gaussian.
#
# **Time**: 90 minutes. **Points**: {{topic points}}.

# %% setup=true

# %%
import time

import torch

# %% [markdown]
# ## A network instead of a list
#
# Notebook 03 kept a $\mu_i$ and a $\sigma_i$ for every image, and every new image had to wait for its own. But similar images
# have similar posteriors: there is a function from $x$ to $q$ waiting to be learned. The lecture calls its parameters $\phi$:
#
# $$q_\phi(z|x) = \mathcal N\big(\mu_\phi(x),\ \sigma_\phi(x)\big).$$

# %% exercise="amortized_parameters_prediction"
# With an encoder, N grows from 10,000 to 1,000,000 images. How many more parameters does inference need?
# Choose one of: "a hundred times as many", "none", "twice as many"
amortized_parameters_prediction = None
### BEGIN SOLUTION
amortized_parameters_prediction = "none"
### END SOLUTION

# %% [markdown]
# ### Exercise: `Encoder` ({{points Encoder}})
#
# A network with (at least) one hidden layer, and two outputs. $\mu_\phi(x)$ is any real vector. $\sigma_\phi(x)$ must be
# positive, so the network outputs $\log\sigma_\phi(x)$, any real vector too; `exp` is taken where $\sigma$ is needed.
#
# What is inside is your choice: the check looks at what comes out.
#
# <details><summary>Hint 1: two heads</summary>
#
# Shared hidden layers, then one linear layer for mu and another for log_sigma. Or one linear layer twice as wide, and
# `.chunk(2, dim=-1)`.
#
# </details>
# <details><summary>Hint 2: a class that learns</summary>
#
# Derive from `torch.nn.Module`, call `super().__init__()` first, and keep the layers as attributes.
#
# </details>


# %% exercise="Encoder"
class Encoder(torch.nn.Module):
    """A network that gives the parameters of q(z|x) for every x.

    Encoder(data_dim, hidden_dim, latent_dim); hidden_dim is the width of the hidden layer.
    """

    def __init__(self, data_dim, hidden_dim, latent_dim):
        ### BEGIN SOLUTION
        super().__init__()
        self.hidden = torch.nn.Linear(data_dim, hidden_dim)
        self.mu = torch.nn.Linear(hidden_dim, latent_dim)
        self.log_sigma = torch.nn.Linear(hidden_dim, latent_dim)
        ### END SOLUTION

    def forward(self, x):
        """x: (batch, data_dim). Returns mu and log_sigma, each (batch, latent_dim)."""
        ### BEGIN SOLUTION
        hidden = torch.tanh(self.hidden(x))
        return self.mu(hidden), self.log_sigma(hidden)
        ### END SOLUTION


# %% [markdown]
# ## The bound, through the encoder
#
# Nothing about the bound changes but where $\mu$ and $\sigma$ come from:
#
# $$\mathcal L\big(p_\theta(x_i|z), q_\phi(z|x_i)\big) = E_{z\sim q_\phi(z|x_i)}\big[\log p_\theta(x_i|z) + \log p(z)\big]
# + \mathcal H\big(q_\phi(z|x_i)\big).$$
#
# Since $z = \mu_\phi(x) + \sigma_\phi(x)\,\epsilon$, its gradient with respect to $\phi$ comes out of autograd. The lecture stops here and
# asks "how do we calculate this?"; notebook 05 gives both of its answers.
#
# ### Exercise: `amortized_elbo` ({{points amortized_elbo}})
#
# <details><summary>Hint</summary>
#
# Ask the encoder first. What remains is the bound of notebook 03, `course_lib.bounds.per_point_elbo`.
#
# </details>


# %% exercise="amortized_elbo"
def amortized_elbo(x, eps, encoder, decoder, sigma_x):
    """The evidence lower bound with the encoder's q.

    x: (batch, dim).
    eps: standard Gaussian noise, (samples, batch, latent_dim); the bound is averaged over the samples.
    encoder: maps x to mu and log_sigma, each (batch, latent_dim).
    decoder: maps z to the mean of p(x|z), (..., dim) for any leading shape.
    sigma_x: standard deviation of p(x|z), positive, a number or something that broadcasts to (dim,).
    Returns (batch,), in nats. The entropy of q is used in closed form.
    """
    ### BEGIN SOLUTION
    from course_lib.bounds import per_point_elbo

    mu, log_sigma = encoder(x)
    return per_point_elbo(x, mu, log_sigma, eps, decoder, sigma_x)
    ### END SOLUTION


# %% [markdown]
# ## Both at once
#
# The lecture's loop: $\theta \leftarrow \theta + \alpha\nabla_\theta\mathcal L$ and $\phi \leftarrow \phi + \alpha\nabla_\phi\mathcal L$. Both gradients
# come from one backward pass through one bound, so one optimizer may hold both.
#
# ### Exercise: `train_step` ({{points train_step}})
#
# <details><summary>Hint</summary>
#
# An optimizer minimises: the loss is minus the mean bound. Then `zero_grad`, `backward`, `step`.
#
# </details>


# %% exercise="train_step"
def train_step(x, eps, encoder, decoder, optimizer, sigma_x):
    """One step of theta and phi together.

    x, eps, encoder, decoder, sigma_x: as in amortized_elbo; encoder and decoder are modules.
    optimizer: minimises over the parameters of both; the loss is -elbo.mean().
    Returns the bound (batch,) before the step.
    """
    ### BEGIN SOLUTION
    from course_lib.bounds import amortized_elbo as bound

    elbo = bound(x, eps, encoder, decoder, sigma_x)
    optimizer.zero_grad()
    (-elbo.mean()).backward()
    optimizer.step()
    return elbo.detach()
    ### END SOLUTION


# %% [markdown]
# ## On real digits
#
# Ten thousand digits this time: the encoder does not mind. Eight latent dimensions and $\sigma_x = 0.3$, as in notebook 03.

# %% tags=["show", "varies"]
from course_lib.data import load_images

digits = load_images("train").flat()
latent_dim, sigma_x = 8, 0.3


def train_amortized(epochs, batch_size=100, seed=0):
    torch.manual_seed(seed)
    encoder = Encoder(784, 200, latent_dim)
    decoder = torch.nn.Sequential(
        torch.nn.Linear(latent_dim, 200), torch.nn.Tanh(), torch.nn.Linear(200, 784), torch.nn.Sigmoid()
    )
    optimizer = torch.optim.Adam([*encoder.parameters(), *decoder.parameters()], lr=2e-3)
    generator, bounds = torch.Generator().manual_seed(seed), []
    for _ in range(epochs):
        total = 0.0
        for batch in torch.randperm(len(digits), generator=generator).split(batch_size):
            eps = torch.randn(1, len(batch), latent_dim, generator=generator)
            total += train_step(digits[batch], eps, encoder, decoder, optimizer, sigma_x).sum().item()
        bounds.append(total / len(digits))
    return encoder, decoder, bounds


began = time.monotonic()
encoder, decoder, bounds = train_amortized(epochs=25)
print(f"{time.monotonic() - began:.0f} s; the mean bound went from {bounds[0]:.0f} to {bounds[-1]:.0f} nats")

# %% tags=["show"]
from course_lib.plots import BLACK, BLUE, GREEN, ORANGE, RED, Picture, draw_images, label, new_figure

new = load_images("test").flat()
figure, (left, right) = new_figure(2, width=4.6, height=3.4, width_ratios=[1, 1.4])
left.plot(range(1, len(bounds) + 1), bounds, color=BLUE)
label(left, "Encoder and decoder rise together", "pass over the data", "mean bound (nats)")
with torch.no_grad():
    began = time.monotonic()
    codes, _ = encoder(new)
    seconds = time.monotonic() - began
    rows = torch.cat([new[:10], decoder(codes[:10])]).view(-1, 28, 28)
draw_images(right, (255 * rows).byte(), columns=10)
right.set_yticks([14, 44], ["new x", "decoder(μ)"])
right.set_title("New images, one pass through the encoder", loc="left", fontsize=10.5)
right.set_xlabel("ten test images")
print(f"codes of {len(new):,} new images in {1000 * seconds:.0f} ms, {1e6 * seconds / len(new):.0f} µs for each image")
Picture(
    figure,
    "Left: the mean bound over 25 passes. Right: ten test digits and their reconstructions from codes that the encoder gave in one pass.",
)

# %% [markdown]
# ## A patient
#
# The same model, trained by somebody else, with one bug. The bound rises and stops early; the codes' means lie ever closer
# together. What is wrong?

# %% tags=["show"]
from course_lib.patients import load_patient

load_patient("04").picture()

# %% exercise="diagnosis_04"
# Which bug does the model behind the figure have?
# Choose one of: "z is detached", "the loss is +elbo", "log_sigma is read as a log-variance",
# "gradients are not cleared", "the noise is shared across the batch"
diagnosis_04 = None
### BEGIN SOLUTION
diagnosis_04 = "z is detached"
### END SOLUTION

# %% [markdown]
# ## What does the shortcut cost?
#
# The encoder answers at once, but it must serve all images with the same weights. The best $q_i$ for one image would be found
# by gradient ascent, as in notebook 03. What the encoder loses against it is the **amortization gap**,
#
# $$\mathcal L_i(q_i^*) - \mathcal L_i\big(q_\phi(z|x_i)\big), \qquad q_i^* = \arg\max_{q_i} \mathcal L_i(q_i).$$
#
# To measure it we need $q_i^*$. Start at the encoder's answer and let each $q_i$ go its own way.
#
# ### Exercise: `refine_q` ({{points refine_q}})
#
# <details><summary>Hint 1: the start</summary>
#
# `mu, log_sigma = encoder(x)`, but as numbers of their own, not as outputs of the network:
# `.detach().clone().requires_grad_()`.
#
# </details>
# <details><summary>Hint 2: the loop</summary>
#
# As in `infer_q`: for each noise, the loss is minus the sum of the bounds, then one step of Adam on mu and log_sigma alone.
#
# </details>


# %% exercise="refine_q"
def refine_q(x, eps, encoder, decoder, sigma_x, learning_rate):
    """Improve the encoder's q for each data point by itself; both networks stay as they are.

    x, encoder, decoder, sigma_x: as in amortized_elbo.
    eps: the noise of every step, (steps, samples, batch, latent_dim); step t uses eps[t].
    learning_rate: of torch.optim.Adam.
    Starts at encoder(x). Returns mu and log_sigma, (batch, latent_dim).
    """
    ### BEGIN SOLUTION
    from course_lib.bounds import per_point_elbo

    mu, log_sigma = (start.detach().clone().requires_grad_() for start in encoder(x))
    optimizer = torch.optim.Adam([mu, log_sigma], lr=learning_rate)
    for noise in eps:
        optimizer.zero_grad()
        (-per_point_elbo(x, mu, log_sigma, noise, decoder, sigma_x).sum()).backward()
        optimizer.step()
    return mu.detach(), log_sigma.detach()
    ### END SOLUTION


# %% [markdown]
# ### Exercise: `amortization_gap` ({{points amortization_gap}})
#
# <details><summary>Hint</summary>
#
# A difference, in the order of the formula above, with its sign.
#
# </details>


# %% exercise="amortization_gap"
def amortization_gap(elbo_optimal, elbo_amortized):
    """What the encoder's q loses against the best one, for each data point.

    elbo_optimal, elbo_amortized: bounds, (batch,), in nats.
    Returns (batch,), in nats, signed.
    """
    ### BEGIN SOLUTION
    return elbo_optimal - elbo_amortized
    ### END SOLUTION


# %% exercise="negative_gap_prediction"
# For one digit you measure an amortization gap of -0.05 nats. What has happened?
# Choose one of: "the encoder beats the best q", "noise, or too few steps", "the bound exceeds log p(x)"
negative_gap_prediction = None
### BEGIN SOLUTION
negative_gap_prediction = "noise, or too few steps"
### END SOLUTION

# %% [markdown]
# Now the experiment, on 200 digits of the test set. And on images unlike the training set: we have no shoes here, so we
# mirror digits, turn them upside down, and shift them.

# %% exercise="unlike_image_prediction"
# The encoder has seen digits only. For an image of a shoe, how large is the amortization gap?
# Choose one of: "larger than for digits", "as large as for digits", "zero"
unlike_image_prediction = None
### BEGIN SOLUTION
unlike_image_prediction = "larger than for digits"
### END SOLUTION

# %% tags=["show", "varies"]
square = new[:200].view(-1, 28, 28)
kinds = {
    "digits": square,
    "mirrored": square.flip(-1),
    "upside down": square.flip(-2),
    "shifted by 4": square.roll(4, -1),
}
noise = torch.randn(150, 4, 200, latent_dim, generator=torch.Generator().manual_seed(1))
judge = torch.randn(200, 200, latent_dim, generator=torch.Generator().manual_seed(2))


def measure(images):
    """The bounds of the encoder's q and of the refined q, and the gap, each (batch,)."""
    from course_lib.bounds import per_point_elbo

    x = images.reshape(len(images), -1)
    mu, log_sigma = refine_q(x, noise, encoder, decoder, sigma_x, 0.05)
    with torch.no_grad():
        optimal = per_point_elbo(x, mu, log_sigma, judge, decoder, sigma_x)
        amortized = amortized_elbo(x, judge, encoder, decoder, sigma_x)
    return optimal, amortized, amortization_gap(optimal, amortized)


results = {name: measure(images) for name, images in kinds.items()}
for name, (optimal, amortized, gap) in results.items():
    print(f"{name:12s} encoder {amortized.mean():7.1f}   best q {optimal.mean():7.1f}   gap {gap.mean():6.1f} nats")

# %% tags=["show"]
figure, (left, right) = new_figure(2, width=4.7, height=3.5)
bins = torch.linspace(-5, 120, 26).tolist()
styles = zip(results.items(), (BLUE, ORANGE, GREEN, RED), ("-", "--", ":", "-."), strict=True)
for (name, (_, _, gap)), colour, style in styles:
    left.hist(gap.clamp(max=120), bins=bins, histtype="step", lw=2, ls=style, color=colour, label=name)
label(left, "The less familiar, the wider the gap", "amortization gap (nats; 120 and more in the last bin)", "images")
left.legend(frameon=False)
optimal, amortized, gap = results["digits"]
right.plot(amortized, optimal, ".", color=BLUE, alpha=0.6)
low, high = amortized.min().item(), optimal.max().item()
right.plot([low, high], [low, high], color=BLACK, lw=1)
label(right, "Every digit gains, the hard ones most", "bound of the encoder's q (nats)", "bound of the best q (nats)")
Picture(
    figure,
    "Left: histograms of the amortization gap for digits, mirrored, upside-down and shifted digits; the gap is smallest for digits. Right: for each test digit the bound of the best q against that of the encoder: all lie on or above the diagonal.",
)

# %% [markdown]
# In two latent dimensions the whole story can be seen. Below is a model trained beforehand on all of MNIST: the true posterior
# of one image in blue, the encoder's $q$ as a dashed ellipse, and $q$ refined for this image alone. Go through the digits, then
# to the three images unlike the training set.

# %% tags=["explorer", "show"]
from course_lib import explorers

explorers.amortization

# %% [markdown]
# The refined ellipse stays upright even where the blue posterior is slanted: a diagonal Gaussian cannot lean. That loss is not
# the encoder's. It is the **approximation gap**, $\log p(x_i) - \mathcal L_i(q_i^*)$; Cremer, Li and Duvenaud (2018) measure both, and
# find that for well-trained encoders the amortization gap is often the larger one.
#
# ## The points so far

# %% tags=["nbval-check-output", "show"]
summary("04_amortized_inference")

# %% [markdown]
# **What you did.** You replaced a list of codes by a network, trained it with its decoder in one backward pass, and measured, image
# by image, what the shortcut costs: some nats where it was trained, several times as many elsewhere.
#
# **What comes next.** Notebook 05: where did the gradient with respect to $\phi$ come from? Two answers, and a measured comparison.
#
# **References.** The lecture, part "Amortized variational inference". Gershman and Goodman, *Amortized inference in probabilistic
# reasoning*, 2014. Cremer, Li and Duvenaud, *Inference suboptimality in variational autoencoders*, 2018. Kim, Wiseman, Miller, Sontag
# and Rush, *Semi-amortized variational autoencoders*, 2018, which train through the refinement.
