# %% [markdown]
# # 04 · Amortized inference
#
# {{colab}}
#
# **Where this stands in the lecture**: "Amortized variational inference".
#
# **After it you can** replace a list of codes by a network that infers them, train it together with the decoder, and measure
# how far its bound lies below $\log p(x)$, split into what the network loses and what the Gaussian loses.
#
# **Time**: 90–150 minutes. **Points**: {{topic points}}.

# %% setup=true

# %%
import torch
from tqdm.auto import tqdm

from course_lib.checks import using

# %% [markdown]
# ## A network instead of a list
#
# Notebook 03 kept a $\mu_i$ and a $\sigma_i$ for every image, and every new image had to wait for its own. But similar images
# have similar posteriors: there is a function from $x$ to $q$ waiting to be learned. The lecture calls its parameters $\phi$:
#
# $$q_\phi(z|x) = \mathcal N\big(\mu_\phi(x),\ \sigma_\phi(x)\big).$$

# %% exercise="amortized_parameters_prediction"
# With an encoder, N grows from 10,000 to 1,000,000 images.
# How many more parameters does inference need?
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
# This is the whole way, there and back:

# %% tags=["show"]
from course_lib.figures import amortized_inference as figures

figures.encoder_decoder()

# %% [markdown]
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
    eps: standard Gaussian noise, (samples, batch, latent_dim); the bound averages over the samples.
    encoder: maps x to mu and log_sigma, each (batch, latent_dim).
    decoder: maps z to the mean of p(x|z), (..., dim) for any leading shape.
    sigma_x: standard deviation of p(x|z), positive, a number or what broadcasts to (dim,).
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

# %%
from course_lib.data import load_images

digits, new = load_images("train").flat(), load_images("test").flat()
latent_dim, sigma_x = 8, 0.3

# %% fold=true
# The training loop: passes over the digits, train_step on batches of 100
step_once = using("train_step", topic="04_amortized_inference")


def train_on_digits(encoder, decoder, parameters, passes, name="training"):
    """Train ``parameters`` with your train_step; stopped by hand, it keeps what it has learned."""
    optimizer = torch.optim.Adam(parameters, lr=2e-3)
    generator, bounds = torch.Generator().manual_seed(0), []
    try:
        for _ in tqdm(range(passes), desc=name):
            total = 0.0
            for batch in torch.randperm(len(digits), generator=generator).split(100):
                eps = torch.randn(1, len(batch), latent_dim, generator=generator)
                total += step_once(digits[batch], eps, encoder, decoder, optimizer, sigma_x).sum().item()
            bounds.append(total / len(digits))
    except KeyboardInterrupt:
        print(f"stopped after {len(bounds)} passes")
    return bounds


# %% fold=true tags=["show", "varies"]
# @title An encoder and a decoder learn together, 25 passes
torch.manual_seed(0)
encoder = using("Encoder")(784, 200, latent_dim)
decoder = torch.nn.Sequential(
    torch.nn.Linear(latent_dim, 200), torch.nn.Tanh(), torch.nn.Linear(200, 784), torch.nn.Sigmoid()
)
both = [*encoder.parameters(), *decoder.parameters()]
bounds = train_on_digits(encoder, decoder, both, passes=25)
print(f"the mean bound went from {bounds[0]:.0f} to {bounds[-1]:.0f} nats")

# %% tags=["show"]
with torch.no_grad():
    codes, _ = encoder(new[:10])
    means = decoder(codes)
figures.training(bounds, new[:10], means)

# %% [markdown]
# These ten were never trained on, and no $q_i$ was fitted to them: their codes cost one pass through the encoder.

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
# Choose one of: "the encoder beats the best q", "noise, or too few steps",
# "the bound exceeds log p(x)"
negative_gap_prediction = None
### BEGIN SOLUTION
negative_gap_prediction = "noise, or too few steps"
### END SOLUTION

# %% [markdown]
# ## Images unlike the training set
#
# Ten pictures of clothes come with the course (Fashion-MNIST, Zalando, MIT licence), one of each kind; a sandal, a sneaker and a
# boot are among them.

# %% exercise="unlike_image_prediction"
# The encoder has seen digits only. For an image of a shoe, how large is the amortization gap?
# Choose one of: "larger than for digits", "as large as for digits", "zero"
unlike_image_prediction = None
### BEGIN SOLUTION
unlike_image_prediction = "larger than for digits"
### END SOLUTION


# %% fold=true
# Noise of the refinement (150 steps, 4 samples) and of the judgement (200 samples); the gap of a set of images
from course_lib.bounds import per_point_elbo

refine, elbo, gap = using("refine_q"), using("amortized_elbo"), using("amortization_gap")


def gap_of(images):
    """The amortization gap (batch,), and the refined mu (batch, latent_dim)."""
    noise = torch.randn(150, 4, len(images), latent_dim, generator=torch.Generator().manual_seed(1))
    eps = torch.randn(200, len(images), latent_dim, generator=torch.Generator().manual_seed(2))
    mu, log_sigma = refine(images, noise, encoder, decoder, sigma_x, 0.05)
    with torch.no_grad():
        best = per_point_elbo(images, mu, log_sigma, eps, decoder, sigma_x)
        encoders = elbo(images, eps, encoder, decoder, sigma_x)
    return gap(best, encoders), mu


# %% fold=true tags=["show", "varies"]
# @title The gap on images unlike the training digits
from course_lib.data import CLOTHES, load_clothes

clothes, square = load_clothes().flat(), new[:100].view(-1, 28, 28)
kinds = {
    "digits": new[:100],
    "mirrored digits": square.flip(-1).flatten(1),
    "upside-down digits": square.flip(-2).flatten(1),
    "digits, shifted by 4": square.roll(4, -1).flatten(1),
    "clothes": clothes,
}
found = {name: gap_of(images) for name, images in tqdm(kinds.items(), desc="refining q")}
gaps = {name: gap for name, (gap, _) in found.items()}
figures.unlike(gaps)

# %% tags=["show"]
with torch.no_grad():
    by_encoder, refined = decoder(encoder(clothes)[0]), decoder(found["clothes"][1])
figures.clothes(clothes, by_encoder, refined, gaps["clothes"], CLOTHES)

# %% [markdown]
# The decoder has learned digits, so its best picture of a boot is made of a digit's strokes; that is the decoder's limit, not the encoder's.
# Among the pictures that it can draw, the encoder points to a worse one than a search for this image finds: that is the gap.
#
# ## The other part
#
# Refine for as long as you like: the bound stops below $\log p(x)$. What is left is not the encoder's fault, but the family's. The whole
# distance has two parts,
#
# $$\log p(x_i) - \mathcal L_i(q_\phi) = \underbrace{\log p(x_i) - \mathcal L_i(q_i^*)}_{\text{approximation gap}}
# + \underbrace{\mathcal L_i(q_i^*) - \mathcal L_i(q_\phi)}_{\text{amortization gap}} .$$
#
# In two latent dimensions the first one can be seen. Below is a model trained beforehand on all of MNIST: the true posterior
# of one image in blue, the encoder's $q$ as a dashed ellipse, and $q$ refined for this image alone. Go through the digits, then
# to the three images unlike the training set.

# %% tags=["explorer", "show"]
from course_lib import explorers

explorers.amortization

# %% [markdown]
# The refined ellipse stays upright even where the blue posterior is slanted: a diagonal Gaussian cannot lean. What does that cost?
#
# ### A derivation to complete
#
# Let the posterior be a Gaussian that leans: mean $m$, standard deviations $s_1, s_2$, correlation $\rho$. Its covariance and the best upright
# one are
#
# $$\Sigma = \begin{pmatrix} s_1^2 & \rho s_1 s_2\\ \rho s_1 s_2 & s_2^2\end{pmatrix}, \qquad
# S = \begin{pmatrix} \sigma_1^2 & 0\\ 0 & \sigma_2^2\end{pmatrix}.$$
#
# 1. The approximation gap is the KL that is left, $\log p(x) - \mathcal L(q^*) = D_{KL}(q^*\|p(z|x))$ (notebook 02).
# 2. With equal means it is $\ \tfrac12\big[\operatorname{tr}(\Sigma^{-1}S) - 2 + \log\det\Sigma - \log\det S\big]$.
# 3. Setting its derivative with respect to $\sigma_d^2$ to zero: $\ \sigma_d^2 = 1/(\Sigma^{-1})_{dd} = s_d^2\,(1 - \rho^2)$. The best upright
#    $q$ is narrower than the posterior looks from the side.
# 4. So the trace is 2, and $\ \det\Sigma = s_1^2 s_2^2(1 - \rho^2)$, $\ \det S = s_1^2 s_2^2 (1 - \rho^2)^2$.
# 5. What remains: $\quad \log p(x) - \mathcal L(q^*) = \boxed{\ ?\ }$
#
# ### Exercise: `leaning_gap` ({{points leaning_gap}})
#
# Type what stands in the box.
#
# <details><summary>Hint</summary>
#
# Write both logarithms of step 4 as sums and subtract. Which terms are in both?
#
# </details>


# %% exercise="leaning_gap"
def leaning_gap(s_1, s_2, rho):
    """The approximation gap of the best upright Gaussian, for a Gaussian posterior that leans.

    s_1, s_2: standard deviations of the posterior, positive, (batch,).
    rho: their correlation, between -1 and 1, (batch,).
    Returns (batch,), in nats.
    """
    ### BEGIN SOLUTION
    return -0.5 * torch.log(1 - rho**2)
    ### END SOLUTION


# %% tags=["nbval-check-output", "show"]
rho = torch.tensor([0.2, 0.5, 0.9, 0.99])
lost = using("leaning_gap")(torch.ones(4), torch.ones(4), rho)
for r, nats in zip(rho.tolist(), lost.tolist(), strict=True):
    print(f"correlation {r:.2f}: {nats:.2f} nats")

# %% [markdown]
# A posterior has to lean a good deal before it costs a nat. Real posteriors lean and bend, and we have no formula for $\log p(x)$ in eight
# dimensions. We have an estimate, though.
#
# ## log p(x), from samples of q
#
# Notebook 01 averaged $p(x|z)$ over samples of the prior, and hardly ever hit where the posterior lies. Now $q$ knows where
# that is. Sample from $q$, and make up for it with weights:
#
# $$p(x) = \int p(x|z)\,p(z)\,\frac{q(z)}{q(z)}\,dz = E_{z\sim q}\!\left[\frac{p(x|z)\,p(z)}{q(z)}\right], \qquad
# \log p(x) \approx \log\frac1S\sum_s \frac{p(x|z_s)\,p(z_s)}{q(z_s)} .$$
#
# The average is right for any $q$ that leaves nothing out, and its noise is small where $q$ is close to the posterior. This is **importance sampling**;
# notebook 06 trains with it.
#
# ### Exercise: `log_evidence_estimate` ({{points log_evidence_estimate}})
#
# <details><summary>Hint 1</summary>
#
# Three log-densities for each sample, (samples, batch): log p(x|z), log p(z), log q(z). `gaussian_log_prob(x, mu, sigma)` from
# `course_lib.distributions` gives all three.
#
# </details>
# <details><summary>Hint 2: the mean</summary>
#
# The weights of an image are too small for a float. Keep their logarithms, and average with `log_mean_exp(..., 0)`, from there too.
#
# </details>


# %% exercise="log_evidence_estimate"
def log_evidence_estimate(x, mu, log_sigma, eps, decoder, sigma_x):
    """An estimate of log p(x) by importance sampling from q.

    x: (batch, dim).
    mu, log_sigma: parameters of q, (batch, latent_dim).
    eps: standard Gaussian noise, (samples, batch, latent_dim); z = mu + exp(log_sigma) * eps.
    decoder, sigma_x: as in amortized_elbo.
    Returns (batch,), in nats.
    """
    ### BEGIN SOLUTION
    from course_lib.distributions import gaussian_log_prob, log_mean_exp

    z = mu + log_sigma.exp() * eps
    sigma_x = torch.as_tensor(sigma_x, dtype=x.dtype, device=x.device)
    log_joint = gaussian_log_prob(x, decoder(z), sigma_x)
    log_joint = log_joint + gaussian_log_prob(z, torch.zeros_like(mu), torch.ones_like(mu))
    return log_mean_exp(log_joint - gaussian_log_prob(z, mu, log_sigma.exp()), 0)
    ### END SOLUTION


# %% [markdown]
# ## Both parts, measured
#
# ### Exercise: `measure_gaps` ({{points measure_gaps}})
#
# Everything is there: put it together. Refine $q$ on `noise`, then judge on `eps` and on nothing else: a $q$ looks better than it is
# on the noise it was fitted to.
#
# <details><summary>Hint</summary>
#
# `refine_q`, then three levels for each data point: `log_evidence_estimate` and the bound (`course_lib.bounds.per_point_elbo`) of the refined
# $q$, and `amortized_elbo`. The gaps are the differences of neighbours.
#
# </details>


# %% exercise="measure_gaps"
def measure_gaps(x, noise, eps, encoder, decoder, sigma_x, learning_rate):
    """Split what the encoder's bound lacks to log p(x) into its two parts.

    x, encoder, decoder, sigma_x: as in amortized_elbo.
    noise: of the refinement, (steps, samples, batch, latent_dim); learning_rate as in refine_q.
    eps: for log p(x) and both bounds, (samples, batch, latent_dim).
    log p(x) is estimated from the refined q.
    Returns the approximation gap and the amortization gap, each (batch,), in nats, signed.
    """
    ### BEGIN SOLUTION
    from course_lib.bounds import per_point_elbo

    mu, log_sigma = refine_q(x, noise, encoder, decoder, sigma_x, learning_rate)
    with torch.no_grad():
        evidence = log_evidence_estimate(x, mu, log_sigma, eps, decoder, sigma_x)
        best = per_point_elbo(x, mu, log_sigma, eps, decoder, sigma_x)
        encoders = amortized_elbo(x, eps, encoder, decoder, sigma_x)
    return evidence - best, best - encoders
    ### END SOLUTION


# %% [markdown]
# Which part does a larger encoder close? We keep the decoder that we have, so that every posterior stays what it is, and train encoders of
# four widths for it. The optimizer holds the encoder's parameters only; then your function measures both gaps on 100 test digits.
# Try other widths.

# %% tags=["show", "varies", "yours"]
widths = (4, 16, 64, 256)
network, measure = using("Encoder"), using("measure_gaps")
noise = torch.randn(100, 4, 100, latent_dim, generator=torch.Generator().manual_seed(1))
eps = torch.randn(400, 100, latent_dim, generator=torch.Generator().manual_seed(2))
approximation, amortization = [], []
print("mean approximation gap + mean amortization gap")
for width in widths:
    torch.manual_seed(1)
    other = network(784, width, latent_dim)
    train_on_digits(other, decoder, other.parameters(), passes=8, name=f"width {width}")
    parts = measure(new[:100], noise, eps, other, decoder, sigma_x, 0.05)
    approximation.append(parts[0].mean().item())
    amortization.append(parts[1].mean().item())
    print(f"width {width}: {approximation[-1]:.1f} + {amortization[-1]:.1f} nats")
figures.split_against_width(widths, approximation, amortization)

# %% [markdown]
# The approximation gap is a matter of decoder and family: about the same for every encoder, and small here. The amortization gap is the larger part at
# every width, as Cremer, Li and Duvenaud (2018) often found.
#
# How far is the estimate of $\log p(x)$ to be trusted? It lies below the truth on average (Jensen), and rises with the number of samples:

# %% tags=["show", "varies"]
mu, log_sigma = using("refine_q")(new[:100], noise, encoder, decoder, sigma_x, 0.05)
estimate = using("log_evidence_estimate")
with torch.no_grad():
    for samples in (4, 20, 100, 400):
        mean = estimate(new[:100], mu, log_sigma, eps[:samples], decoder, sigma_x).mean()
        print(f"S = {samples:3d}: mean of log p(x) {mean:.2f} nats")

# %% [markdown]
# ## An open task: close the gap
#
# The course's decoder of digits has two latent dimensions, so that $\log p(x)$ can be computed exactly, by summing over the plane. **Train an encoder for
# it** (784 pixels in, `mu` and `log_sigma` of two dimensions out) whose bound on 200 test digits lies as close to $\log p(x)$ as you can get it. Everybody
# is measured in the same way. There are no points for it. Below is a modest attempt: wider, deeper, longer? What does it do on digits that it was not trained on?

# %% tags=["show", "varies", "yours"]
from course_lib.bounds import elbo_with_analytic_kl
from course_lib.challenges import attempt
from course_lib.digit_model import load_digit_model

model = load_digit_model()
torch.manual_seed(0)
mine = using("Encoder")(784, 100, 2)
optimizer = torch.optim.Adam(mine.parameters(), lr=2e-3)
for _ in tqdm(range(1000), desc="your encoder"):
    x = digits[torch.randint(len(digits), (100,))]
    mu, log_sigma = mine(x)
    z = mu + log_sigma.exp() * torch.randn(1, 100, 2)
    bound = elbo_with_analytic_kl(model.log_likelihood(x, z), mu, log_sigma.exp())
    optimizer.zero_grad()
    (-bound.mean()).backward()
    optimizer.step()
attempt("04_amortized_inference", mine)

# %% [markdown]
# ## The points so far

# %% tags=["nbval-check-output", "show"]
summary("04_amortized_inference")

# %% [markdown]
# **What you did.** You replaced a list of codes by a network, trained it with its decoder in one backward pass, and measured what the
# shortcut costs: most of the distance to $\log p(x)$ is the encoder's, little is the Gaussian's, and far from the training set the encoder's part
# grows by far.
#
# **What comes next.** Notebook 05: where did the gradient with respect to $\phi$ come from? Two answers, and a measured comparison.
#
# **References.** The lecture, part "Amortized variational inference". Gershman and Goodman, *Amortized inference in probabilistic
# reasoning*, 2014. Cremer, Li and Duvenaud, *Inference suboptimality in variational autoencoders*, 2018. Burda, Grosse and Salakhutdinov,
# *Importance weighted autoencoders*, 2016. Kim, Wiseman, Miller, Sontag and Rush, *Semi-amortized variational autoencoders*, 2018, which train
# through the refinement.
