"""Exercises of notebook 04: one network that gives q for every data point."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributions import Independent, Normal

from course_lib.amortized import Encoder, amortization_gap, refine_q, train_step
from course_lib.answers import Answer, AnswerFailed, Instance, tensors_from
from course_lib.bounds import amortized_elbo, per_point_elbo
from course_lib.checks.exercise import ClassExercise, Draw, Exercise, Misconception, Property, Question, Trait
from course_lib.checks.networks import (
    OWN_NOISE,
    decoder_network,
    draws_its_own_noise,
    encoder_network,
    one_of,
    only_tensor,
    sgd,
    weights_of,
    with_old_gradients,
)
from course_lib.checks.variational_inference import (
    ELBO_CONVENTION,
    ELBO_MISCONCEPTIONS,
    elbo_variant,
    sigma_probe,
    through_wrong_bounds,
)
from course_lib.distributions import gaussian_log_prob

# --- Encoder ---------------------------------------------------------------------------------------

HIDDEN_DIM = 11


def _encoder_sizes(draw: Draw) -> tuple[int, int, int]:
    return draw.sizes.dim + 14, HIDDEN_DIM, draw.sizes.latent + 1


def _inputs(draw: Draw, n: int = 12) -> Tensor:
    return draw.normal(n, _encoder_sizes(draw)[0], scale=1.5).float()


def _heads(encoder: Instance, x: Tensor) -> tuple[Tensor, Tensor]:
    parts = tensors_from(encoder.call("__call__", x))
    if len(parts) != 2:
        raise AnswerFailed("type", f"forward returns two tensors, mu and log_sigma; {len(parts)} came.")
    return parts[0], parts[1]


def randomised(instance: Instance, draw: Draw, scale: float = 1.0) -> Instance:
    """Give every parameter random values, as large as a long training might leave them."""
    values = {
        name: draw.normal(*old.shape, scale=scale, shift=0.0).to(old) for name, old in instance.parameters().items()
    }
    instance.set_parameters(values)
    return instance


def _evaluating(answer: Answer, draw: Draw) -> Instance:
    """Construct an encoder and put it into evaluation mode: dropout and batch norm are fair means."""
    encoder = answer.construct(*_encoder_sizes(draw))
    encoder.call("eval")
    return encoder


def _has_parameters(answer: Answer, draw: Draw) -> str | None:
    return None if answer.construct(*_encoder_sizes(draw)).parameters() else ""


def _shapes(answer: Answer, draw: Draw) -> str | None:
    sizes, x = _encoder_sizes(draw), _inputs(draw)
    wanted = (len(x), sizes[2])
    got = [tuple(part.shape) for part in _heads(answer.construct(*sizes), x)]
    return None if got == [wanted, wanted] else f"Expected {wanted} twice, yours: {got[0]} and {got[1]}."


def _is_deterministic(answer: Answer, draw: Draw) -> str | None:
    encoder, x = _evaluating(answer, draw), _inputs(draw)
    one, other = _heads(encoder, x), _heads(encoder, x)
    return None if all(torch.equal(a, b) for a, b in zip(one, other, strict=True)) else ""


def _two_heads(answer: Answer, draw: Draw) -> str | None:
    mu, log_sigma = _heads(answer.construct(*_encoder_sizes(draw)), _inputs(draw))
    return "" if torch.allclose(mu, log_sigma) else None


def _looks_at_x(answer: Answer, draw: Draw) -> str | None:
    encoder = randomised(_evaluating(answer, draw), draw)
    for name, part in zip(("mu", "log_sigma"), _heads(encoder, _inputs(draw)), strict=True):
        if bool((part - part[:1]).abs().max() < 1e-6):
            return f"{name} is the same for every x."
    return None


def _spread(answer: Answer, draw: Draw) -> tuple[Tensor, Tensor]:
    """Both outputs over several networks with large weights."""
    results = []
    for _ in range(4):
        encoder = randomised(_evaluating(answer, draw), draw, scale=1.5)
        results.append(_heads(encoder, _inputs(draw)))
    mu, log_sigma = (torch.cat(parts) for parts in zip(*results, strict=True))
    return mu.detach(), log_sigma.detach()


def _log_sigma_takes_both_signs(answer: Answer, draw: Draw) -> str | None:
    _, log_sigma = _spread(answer, draw)
    return None if bool((log_sigma < 0).any()) else f"Yours is never below {log_sigma.min().item():.3f}."


def _mu_goes_everywhere(answer: Answer, draw: Draw) -> str | None:
    mu, _ = _spread(answer, draw)
    low, high = mu.min().item(), mu.max().item()
    return None if low < -1.5 and high > 1.5 else f"Over many weights yours stays between {low:.2f} and {high:.2f}."


def _is_not_affine(answer: Answer, draw: Draw) -> str | None:
    encoder = randomised(_evaluating(answer, draw), draw)
    one, other = _inputs(draw), _inputs(draw)
    middle = _heads(encoder, (one + other) / 2)
    for a, b, c in zip(_heads(encoder, one), _heads(encoder, other), middle, strict=True):
        if not torch.allclose((a + b) / 2, c, rtol=1e-3, atol=1e-3):
            return None
    return ""


def _points_are_independent(answer: Answer, draw: Draw) -> str | None:
    encoder = randomised(_evaluating(answer, draw), draw)
    x = _inputs(draw)
    other = torch.cat([x[:2], _inputs(draw)[2:]])
    for a, b in zip(_heads(encoder, x), _heads(encoder, other), strict=True):
        if not torch.allclose(a[:2], b[:2], rtol=1e-3, atol=1e-3):
            return ""
    return None


def _hidden_dim_counts(answer: Answer, draw: Draw) -> str | None:
    data, hidden, latent = _encoder_sizes(draw)
    small, large = (
        sum(p.numel() for p in answer.construct(data, size, latent).parameters().values())
        for size in (hidden, 2 * hidden)
    )
    return f"Both {hidden} and {2 * hidden} give {small} parameters." if small == large else None


def _everything_learns(answer: Answer, draw: Draw) -> str | None:
    encoder = answer.construct(*_encoder_sizes(draw))
    parameters = {name: p for name, p in encoder.parameters().items() if p.requires_grad}
    mu, log_sigma = _heads(encoder, _inputs(draw))
    total = (mu * draw.normal(*mu.shape).float()).sum() + (log_sigma * draw.normal(*mu.shape).float()).sum()
    if not parameters or not total.requires_grad:
        return "No parameter gets one."
    grads = torch.autograd.grad(total, list(parameters.values()), allow_unused=True)
    without = [name for name, grad in zip(parameters, grads, strict=True) if grad is None or not bool(grad.any())]
    return f"None reaches {', '.join(without[:4])}." if without else None


def _follows_the_dtype(answer: Answer, draw: Draw) -> str | None:
    encoder = answer.construct(*_encoder_sizes(draw))
    encoder.call("double")
    dtypes = {str(part.dtype) for part in _heads(encoder, _inputs(draw).double())}
    return None if dtypes == {"torch.float64"} else f"Yours: {', '.join(sorted(dtypes))}."


ENCODER_TRAITS = (
    Trait(
        "no parameters",
        "Your class has no parameters to learn: derive it from nn.Module, call super().__init__() first, and keep its "
        "layers as attributes (a list of layers needs nn.ModuleList or nn.Sequential).",
        _has_parameters,
    ),
    Trait("shapes", "mu and log_sigma both have the shape (batch, latent_dim).", _shapes),
    Trait(
        "random output",
        "Called twice with the same x it gives different results: forward returns the parameters of q, it draws no "
        "sample and drops nothing out.",
        _is_deterministic,
    ),
    Trait(
        "one head for both",
        "mu and log_sigma are the same numbers: each needs a head of its own, a last layer with its own weights.",
        _two_heads,
    ),
    Trait(
        "x ignored",
        "One of the outputs does not depend on x: q_φ(z|x) has a mean and a width for every x.",
        _looks_at_x,
    ),
    Trait(
        "sigma instead of its logarithm",
        "Your second output is never negative: the network outputs log_sigma, any real number. Leave out exp, softplus, "
        "sigmoid, relu at its end; exp is taken where sigma is used.",
        _log_sigma_takes_both_signs,
    ),
    Trait(
        "mu squashed",
        "mu cannot go everywhere: no tanh, sigmoid or relu behind the last layer, a code may lie anywhere.",
        _mu_goes_everywhere,
    ),
    Trait(
        "no nonlinearity",
        "Your network is one linear map: put a nonlinearity (tanh, relu) between its layers, else more layers are "
        "worth no more than one.",
        _is_not_affine,
    ),
    Trait(
        "data points mixed",
        "The result for one x changes with the others in the batch: q_φ(z|x) depends on its own x only. Is there a "
        "softmax or a mean over dimension 0, or a BatchNorm?",
        _points_are_independent,
    ),
    Trait(
        "hidden_dim ignored", "The number of parameters does not change with hidden_dim: use it.", _hidden_dim_counts
    ),
    Trait("a parameter never learns", "Some parameters get no gradient.", _everything_learns),
    Trait(
        "created in float32",
        "After .double() the outputs are not float64: a tensor created inside takes dtype and device from its inputs.",
        _follows_the_dtype,
    ),
)


class _EncoderBase(nn.Module):
    """An encoder of our own, to be made wrong in one place."""

    def __init__(self, data_dim: int, hidden_dim: int, latent_dim: int) -> None:
        super().__init__()
        self.inner = nn.Linear(data_dim, hidden_dim)
        self.a, self.b = nn.Linear(hidden_dim, latent_dim), nn.Linear(hidden_dim, latent_dim)

    def hidden(self, x: Tensor) -> Tensor:
        return self.inner(x).relu()

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        hidden = self.hidden(x)
        return self.a(hidden), self.b(hidden)


class _NoModule:
    def __init__(self, data_dim: int, hidden_dim: int, latent_dim: int) -> None:
        self.inner = _EncoderBase(data_dim, hidden_dim, latent_dim)

    def __call__(self, x: Tensor) -> tuple[Tensor, ...]:
        return self.inner(x)


class _Transposed(_EncoderBase):
    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        mu, log_sigma = super().forward(x)
        return mu, log_sigma.mean(-1)


class _Sampling(_EncoderBase):
    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        mu, log_sigma = super().forward(x)
        return mu + log_sigma.exp() * torch.randn_like(mu), log_sigma


class _OneHead(_EncoderBase):
    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        mu, _ = super().forward(x)
        return mu, mu


class _Constant(_EncoderBase):
    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        mu, log_sigma = super().forward(x)
        return mu, log_sigma.mean(0, keepdim=True).expand_as(mu)


class _Sigma(_EncoderBase):
    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        mu, log_sigma = super().forward(x)
        return mu, log_sigma.exp()


class _Squashed(_EncoderBase):
    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        mu, log_sigma = super().forward(x)
        return mu.tanh(), log_sigma


class _Linear(_EncoderBase):
    def hidden(self, x: Tensor) -> Tensor:
        return self.inner(x)


class _Mixing(_EncoderBase):
    def hidden(self, x: Tensor) -> Tensor:
        hidden = self.inner(x).tanh()
        return (hidden - hidden.mean(0)) / (hidden.std(0) + 1e-5)


class _OwnWidth(_EncoderBase):
    def __init__(self, data_dim: int, hidden_dim: int, latent_dim: int) -> None:
        super().__init__(data_dim, 32, latent_dim)


class _Detached(_EncoderBase):
    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        mu, log_sigma = super().forward(x)
        return mu, log_sigma.detach()


class _Float32(_EncoderBase):
    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        return tuple(part.float() for part in super().forward(x))


class _Chunked(nn.Module):
    def __init__(self, data_dim: int, hidden_dim: int, latent_dim: int) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.Linear(data_dim, hidden_dim), nn.GELU(), nn.Linear(hidden_dim, 2 * latent_dim))

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        return self.net(x).chunk(2, dim=-1)


class _Regularised(nn.Module):
    def __init__(self, data_dim: int, hidden_dim: int, latent_dim: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(data_dim, hidden_dim), nn.BatchNorm1d(hidden_dim), nn.ReLU(), nn.Dropout(0.1)
        )
        self.mean, self.width = nn.Linear(hidden_dim, latent_dim), nn.Linear(hidden_dim, latent_dim)

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        hidden = self.layers(x)
        return self.mean(hidden), self.width(hidden)


class _Deep(nn.Module):
    def __init__(self, data_dim: int, hidden_dim: int, latent_dim: int) -> None:
        super().__init__()
        sizes = [data_dim, hidden_dim, hidden_dim]
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in pairwise(sizes))
        self.norm = nn.LayerNorm(hidden_dim)
        self.mean, self.width = nn.Linear(hidden_dim, latent_dim), nn.Linear(hidden_dim, latent_dim)

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        for layer in self.layers:
            x = torch.tanh(layer(x))
        x = self.norm(x)
        return self.mean(x), self.width(x).clamp(-8, 8)


def wrong_class(traits: tuple[Trait, ...], name: str, answer: type) -> Misconception:
    """Return the misconception that lacks a trait, with the trait's sentence."""
    return Misconception(name, next(trait.says for trait in traits if trait.name == name), answer)


ENCODER = ClassExercise(
    reference=Encoder,
    points=3,
    convention="Encoder(data_dim, hidden_dim, latent_dim): forward(x) returns (mu, log_sigma), each (batch, latent_dim); "
    "networks output log_sigma, never sigma, never a log-variance.",
    traits=ENCODER_TRAITS,
    misconceptions=tuple(
        wrong_class(ENCODER_TRAITS, name, answer)
        for name, answer in {
            "no parameters": _NoModule,
            "shapes": _Transposed,
            "random output": _Sampling,
            "one head for both": _OneHead,
            "x ignored": _Constant,
            "sigma instead of its logarithm": _Sigma,
            "mu squashed": _Squashed,
            "no nonlinearity": _Linear,
            "data points mixed": _Mixing,
            "hidden_dim ignored": _OwnWidth,
            "a parameter never learns": _Detached,
            "created in float32": _Float32,
        }.items()
    ),
    alternatives=(_EncoderBase, _Chunked, _Deep, _Regularised),
)


# --- amortized_elbo --------------------------------------------------------------------------------


def _elbo_probe(draw: Draw) -> tuple[Any, ...]:
    sizes = draw.sizes
    return (
        draw.normal(sizes.batch, sizes.dim),
        draw.normal(sizes.samples, sizes.batch, sizes.latent, shift=0.1),
        encoder_network(draw, sizes.dim, sizes.latent),
        decoder_network(draw, sizes.latent, sizes.dim),
        sigma_probe(draw),
    )


def _amortized(elbo: Callable[..., Tensor]) -> Callable[..., Tensor]:
    def wrong(x: Tensor, eps: Tensor, encoder: Any, decoder: Any, sigma_x: Any) -> Tensor:
        return elbo(x, *encoder(x), eps, decoder, sigma_x)

    return wrong


def _heads_exchanged(x: Tensor, eps: Tensor, encoder: Any, decoder: Any, sigma_x: Any) -> Tensor:
    log_sigma, mu = encoder(x)
    return per_point_elbo(x, mu, log_sigma, eps, decoder, sigma_x)


def _encoder_cut_off(x: Tensor, eps: Tensor, encoder: Any, decoder: Any, sigma_x: Any) -> Tensor:
    mu, log_sigma = encoder(x)
    return per_point_elbo(x, mu.detach(), log_sigma.detach(), eps, decoder, sigma_x)


def _decoded_noise(x: Tensor, eps: Tensor, encoder: Any, decoder: Any, sigma_x: Any) -> Tensor:
    mu, log_sigma = encoder(x)
    return elbo_variant(z=lambda mu, log_sigma, eps: eps)(x, mu, log_sigma, eps, decoder, sigma_x)


def _own_noise(x: Tensor, eps: Tensor, encoder: Any, decoder: Any, sigma_x: Any) -> Tensor:
    return amortized_elbo(x, torch.randn_like(eps), encoder, decoder, sigma_x)


def _amortized_with_distributions(x: Tensor, eps: Tensor, encoder: Any, decoder: Any, sigma_x: Any) -> Tensor:
    mu, log_sigma = encoder(x)
    q = Independent(Normal(mu, log_sigma.exp()), 1)
    z = q.mean + q.stddev * eps
    log_joint = Normal(decoder(z), sigma_x).log_prob(x).sum(-1) + Normal(0, 1).log_prob(z).sum(-1)
    return log_joint.mean(0) + q.entropy()


def _amortized_by_loop(x: Tensor, eps: Tensor, encoder: Any, decoder: Any, sigma_x: Any) -> Tensor:
    mu, log_sigma = encoder(x)
    terms = []
    for noise in eps:
        z = torch.addcmul(mu, log_sigma.exp(), noise)
        terms.append(gaussian_log_prob(x, decoder(z), torch.as_tensor(sigma_x).to(x)) - 0.5 * (z**2).sum(-1))
    constant = 0.5 * mu.shape[-1]  # -½ log 2π of the prior and ½ log 2πe of the entropy leave ½
    return torch.stack(terms).mean(0) + log_sigma.sum(-1) + constant


AMORTIZED_ELBO = Exercise(
    reference=amortized_elbo,
    points=2,
    returns={"elbo": "(batch,)"},
    convention=ELBO_CONVENTION + "mu and log_sigma come from encoder(x).",
    probe=_elbo_probe,
    gradients=("x",),
    misconceptions=(
        *(Misconception(name, says, _amortized(elbo_variant(**change))) for name, says, change in ELBO_MISCONCEPTIONS),
        Misconception(
            "outputs exchanged",
            "You exchange the encoder's outputs: it returns mu first, then log_sigma.",
            _heads_exchanged,
        ),
        Misconception(
            "encoder cut off",
            "The values are right, but no gradient reaches the encoder: mu or log_sigma is detached.",
            _encoder_cut_off,
        ),
        Misconception(
            "noise decoded",
            "You decode eps: samples of q are z = mu + sigma · eps. As it stands z knows nothing of x.",
            _decoded_noise,
        ),
        Misconception("own noise", OWN_NOISE, _own_noise),
    ),
    alternatives=(_amortized_with_distributions, _amortized_by_loop),
    properties=(Property("own noise", draws_its_own_noise(_elbo_probe)),),
)


# --- train_step ------------------------------------------------------------------------------------


def _train_probe(draw: Draw) -> tuple[Any, ...]:
    x, eps, encoder, decoder, sigma_x = _elbo_probe(draw)
    return x, eps, encoder, decoder, sgd(draw), sigma_x


def observe_train_step(answer: Answer, args: tuple[Any, ...]) -> tuple[Tensor, ...]:
    """Observe the bound that comes back, and theta and phi after the step."""
    x, eps, encoder, decoder, make_optimizer, sigma_x = args
    phi, theta = with_old_gradients(encoder), with_old_gradients(decoder)
    optimizer = make_optimizer([*phi.parameters(), *theta.parameters()])
    elbo = only_tensor(tensors_from(answer.call(x, eps, phi, theta, optimizer, sigma_x))).detach()
    with torch.no_grad():
        before = amortized_elbo(x, eps, encoder, decoder, sigma_x)
        after = amortized_elbo(x, eps, phi, theta, sigma_x)
    return one_of(elbo, before, [after]), weights_of(theta), weights_of(phi)


def _step(
    loss: Callable[[Tensor], Tensor] = lambda elbo: -elbo.mean(),
    elbo: Callable[..., Tensor] = amortized_elbo,
    result: Callable[[Tensor], Tensor] = lambda elbo: elbo,
    calls: tuple[str, ...] = ("zero_grad", "backward", "step"),
) -> Callable[..., Tensor]:
    """The step with one of its parts replaced."""

    def step(x: Tensor, eps: Tensor, encoder: Any, decoder: Any, optimizer: Any, sigma_x: Any) -> Tensor:
        right = amortized_elbo(x, eps, encoder, decoder, sigma_x).detach()
        value = loss(elbo(x, eps, encoder, decoder, sigma_x))
        for call in calls:
            if call == "backward":
                value.backward()
            else:
                getattr(optimizer, call)()
        return result(right)

    return step


def _only_theta(x: Tensor, eps: Tensor, encoder: Any, decoder: Any, optimizer: Any, sigma_x: Any) -> Tensor:
    return _step(elbo=_encoder_cut_off)(x, eps, encoder, decoder, optimizer, sigma_x)


def _only_phi(x: Tensor, eps: Tensor, encoder: Any, decoder: Any, optimizer: Any, sigma_x: Any) -> Tensor:
    elbo = amortized_elbo(x, eps, encoder, decoder, sigma_x)
    optimizer.zero_grad()
    parameters = list(encoder.parameters())
    for parameter, grad in zip(parameters, torch.autograd.grad(-elbo.mean(), parameters), strict=True):
        parameter.grad = grad
    optimizer.step()
    return elbo.detach()


def _attached(x: Tensor, eps: Tensor, encoder: Any, decoder: Any, optimizer: Any, sigma_x: Any) -> Tensor:
    elbo = amortized_elbo(x, eps, encoder, decoder, sigma_x)
    loss = elbo.neg().sum() / len(x)
    encoder.zero_grad()
    decoder.zero_grad()
    loss.backward()
    optimizer.step()
    return elbo


def _new_bound(x: Tensor, eps: Tensor, encoder: Any, decoder: Any, optimizer: Any, sigma_x: Any) -> Tensor:
    train_step(x, eps, encoder, decoder, optimizer, sigma_x)
    return amortized_elbo(x, eps, encoder, decoder, sigma_x)


TRAIN_STEP = Exercise(
    reference=train_step,
    points=2,
    returns={"elbo": "(batch,)", "theta after the step": "(|θ|,)", "phi after the step": "(|φ|,)"},
    convention="The optimizer holds theta and phi and steps both on the loss -elbo.mean(). The bound of each data point, "
    "before the step, is returned.",
    probe=_train_probe,
    observe=observe_train_step,
    misconceptions=(
        Misconception(
            "the bound falls",
            "The step makes the bound smaller: an optimizer minimises, so the loss is -elbo.mean().",
            _step(loss=lambda elbo: elbo.mean()),
        ),
        Misconception(
            "sum over the batch as loss",
            "The step is too long by the batch size: the loss is the mean over the batch, -elbo.mean().",
            _step(loss=lambda elbo: -elbo.sum()),
        ),
        Misconception(
            "gradients not cleared",
            "The step still contains the gradients of the step before: call optimizer.zero_grad() before backward().",
            _step(calls=("backward", "step")),
        ),
        Misconception(
            "not stepped",
            "Nothing has moved: call optimizer.step() after backward(), and zero_grad() before it.",
            _step(calls=("zero_grad", "backward")),
        ),
        Misconception(
            "stepped twice",
            "Everything moves twice for one batch: call optimizer.step() once.",
            _step(calls=("zero_grad", "backward", "step", "step")),
        ),
        Misconception(
            "phi not trained",
            "theta moves as it should, the encoder does not learn: its outputs must not be detached; one backward() "
            "serves theta and phi.",
            _only_theta,
        ),
        Misconception(
            "theta not trained",
            "phi moves as it should, the decoder does not learn: one backward() serves theta and phi.",
            _only_phi,
        ),
        Misconception(
            "z detached",
            "z is cut off from the encoder (.detach(), .sample(), torch.no_grad()): its outputs feel the entropy only, "
            "not the likelihood.",
            _step(elbo=_amortized(elbo_variant(z=lambda mu, log_sigma, eps: (mu + log_sigma.exp() * eps).detach()))),
        ),
        Misconception(
            "mu decoded instead of z",
            "You train on decoded mu: sample z = mu + sigma · eps first.",
            _step(elbo=_amortized(elbo_variant(z=lambda mu, log_sigma, eps: mu.expand(eps.shape)))),
        ),
        Misconception(
            "entropy missing",
            "The encoder's step misses the entropy H(q): its width collapses.",
            _step(elbo=_amortized(elbo_variant(entropy=lambda log_sigma: 0.0))),
        ),
        Misconception(
            "mean over pixels",
            "The step is that of a bound whose log p(x|z) is averaged over the dimensions of x: it sums over them.",
            _step(elbo=_amortized(elbo_variant(likelihood=lambda x, m, s: gaussian_log_prob(x, m, s) / x.shape[-1]))),
        ),
        Misconception(
            "loss returned",
            "You return the loss: return the bound itself, with its own sign.",
            _step(result=lambda elbo: -elbo),
        ),
        Misconception(
            "mean returned",
            "You return one number: return the bound of each data point, (batch,).",
            _step(result=lambda elbo: elbo.mean()),
        ),
    ),
    alternatives=(_attached, _new_bound, _step()),
)


# --- refine_q --------------------------------------------------------------------------------------


def _refine_probe(draw: Draw) -> tuple[Any, ...]:
    sizes = draw.sizes
    x, _, encoder, decoder, sigma_x = _elbo_probe(draw)
    eps = draw.normal(4, sizes.samples, sizes.batch, sizes.latent, shift=0.1)
    return x, eps, encoder, decoder, sigma_x, 0.05 + 0.02 * draw.integer(4)


def observe_refine(answer: Answer, args: tuple[Any, ...]) -> tuple[Tensor, ...]:
    """Observe the refined q, and theta and phi, which must not have moved."""
    x, eps, encoder, decoder, sigma_x, rate = args
    phi, theta = with_old_gradients(encoder), with_old_gradients(decoder)
    parts = tensors_from(answer.call(x, eps, phi, theta, sigma_x, rate))
    if len(parts) != 2:
        raise AnswerFailed("type", f"Two tensors are expected, mu and log_sigma; {len(parts)} came.")
    return parts[0].detach(), parts[1].detach(), weights_of(theta), weights_of(phi)


def _refinement(
    learns: Callable[..., list[Tensor]] = lambda mu, log_sigma, encoder, decoder: [mu, log_sigma],
    start: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]] = lambda mu, log_sigma: (mu, log_sigma),
    elbo: Callable[..., Tensor] = per_point_elbo,
    noise: Callable[[Tensor], Tensor] = lambda eps: eps,
    sign: float = 1.0,
    clear: bool = True,
    optimizer: Callable[..., torch.optim.Optimizer] = torch.optim.Adam,
) -> Callable[..., tuple[Tensor, Tensor]]:
    """The refinement with one of its parts replaced."""

    def refine(
        x: Tensor, eps: Tensor, encoder: Any, decoder: Any, sigma_x: Any, learning_rate: float
    ) -> tuple[Tensor, Tensor]:
        with torch.no_grad():
            mu, log_sigma = start(*encoder(x))
        mu, log_sigma = mu.clone().requires_grad_(), log_sigma.clone().requires_grad_()
        steps = optimizer(learns(mu, log_sigma, encoder, decoder), lr=learning_rate)
        for part in noise(eps):
            if clear:
                steps.zero_grad()
            (-sign * elbo(x, mu, log_sigma, part, decoder, sigma_x).sum()).backward()
            steps.step()
        return mu.detach(), log_sigma.detach()

    return refine


def _phi_trained(
    x: Tensor, eps: Tensor, encoder: Any, decoder: Any, sigma_x: Any, learning_rate: float
) -> tuple[Tensor, Tensor]:
    steps = torch.optim.Adam(encoder.parameters(), lr=learning_rate)
    for noise in eps:
        steps.zero_grad()
        (-amortized_elbo(x, noise, encoder, decoder, sigma_x).sum()).backward()
        steps.step()
    return encoder(x)


REFINE_Q = Exercise(
    reference=refine_q,
    points=3,
    returns={
        "mu": "(batch, latent_dim)",
        "log_sigma": "(batch, latent_dim)",
        "theta, which stays": "(|θ|,)",
        "phi, which stays": "(|φ|,)",
    },
    convention="Start at encoder(x); for each noise in eps, (steps, samples, batch, latent_dim), one step of "
    "torch.optim.Adam([mu, log_sigma], lr=learning_rate) that makes the bound larger; both networks stay.",
    probe=_refine_probe,
    observe=observe_refine,
    # Adam divides by the gradient's size plus 1e-8: the scale of the loss shows where a gradient is tiny.
    atol=1e-4,
    rtol=1e-4,
    misconceptions=(
        Misconception(
            "start at the prior",
            "You start at mu = 0 and log_sigma = 0: start where the encoder points, encoder(x).",
            _refinement(start=lambda mu, log_sigma: (0 * mu, 0 * log_sigma)),
        ),
        Misconception(
            "encoder's answer returned",
            "mu and log_sigma are still the encoder's: refine them, one Adam step for each noise in eps.",
            _refinement(noise=lambda eps: eps[:0]),
        ),
        Misconception(
            "phi trained",
            "The encoder has moved: refine the numbers mu and log_sigma of these points, not the network. Hand detached "
            "copies to the optimizer.",
            _phi_trained,
        ),
        Misconception(
            "theta trained",
            "The decoder has moved: the optimizer holds mu and log_sigma only.",
            _refinement(learns=lambda mu, log_sigma, encoder, decoder: [mu, log_sigma, *decoder.parameters()]),
        ),
        Misconception(
            "only mu refined",
            "log_sigma is still the encoder's: hand both to the optimizer.",
            _refinement(learns=lambda mu, log_sigma, encoder, decoder: [mu]),
        ),
        Misconception(
            "only log_sigma refined",
            "mu is still the encoder's: hand both to the optimizer.",
            _refinement(learns=lambda mu, log_sigma, encoder, decoder: [log_sigma]),
        ),
        Misconception(
            "descent",
            "q gets worse with every step: an optimizer minimises, so the loss is minus the bound.",
            _refinement(sign=-1.0),
        ),
        Misconception(
            "gradients not cleared",
            "The gradients of all steps pile up: call optimizer.zero_grad() in every step.",
            _refinement(clear=False),
        ),
        Misconception(
            "the same noise in every step",
            "Every step uses the first noise: step t uses eps[t].",
            _refinement(noise=lambda eps: eps[:1].expand_as(eps)),
        ),
        Misconception(
            "only the first sample of each step",
            "Each step uses its first sample only: average over all samples of eps[t].",
            _refinement(noise=lambda eps: eps[:, :1]),
        ),
        Misconception(
            "one step only",
            "q takes one step: take one for each noise, len(eps) in all.",
            _refinement(noise=lambda eps: eps[:1]),
        ),
        Misconception(
            "plain gradient descent",
            "You step with plain gradient steps: torch.optim.Adam is asked for.",
            _refinement(optimizer=torch.optim.SGD),
        ),
        *through_wrong_bounds(
            ("entropy missing", "prior missing", "log variance throughout", "z detached"),
            lambda elbo: _refinement(elbo=elbo),
        ),
    ),
    alternatives=(_refinement(), _refinement(learns=lambda mu, log_sigma, encoder, decoder: [log_sigma, mu])),
)


# --- amortization_gap ------------------------------------------------------------------------------

AMORTIZATION_GAP = Exercise(
    reference=amortization_gap,
    points=1,
    returns={"gap": "(batch,)"},
    convention="The gap is elbo_optimal - elbo_amortized, one signed number for each data point, (batch,), in nats.",
    probe=lambda draw: (
        draw.normal(draw.sizes.batch + 1, scale=2.0, shift=-9.0),
        draw.normal(draw.sizes.batch + 1, scale=2.0, shift=-9.6),
    ),
    gradients=("elbo_optimal", "elbo_amortized"),
    misconceptions=(
        Misconception(
            "sign",
            "The sign is flipped: the gap is what the best q has over the encoder's, elbo_optimal - elbo_amortized.",
            lambda elbo_optimal, elbo_amortized: elbo_amortized - elbo_optimal,
        ),
        Misconception(
            "absolute value",
            "You take the absolute value: the gap is signed. Estimates have noise, and an optimisation can stop too "
            "early; a negative gap tells you so.",
            lambda elbo_optimal, elbo_amortized: (elbo_optimal - elbo_amortized).abs(),
        ),
        Misconception(
            "negative gaps cut off",
            "You set negative gaps to zero: keep the sign. Cut off, the noise of the estimates no longer averages out.",
            lambda elbo_optimal, elbo_amortized: (elbo_optimal - elbo_amortized).clamp(min=0),
        ),
        Misconception(
            "mean over the batch",
            "You average over the data points: keep one gap for each, (batch,).",
            lambda elbo_optimal, elbo_amortized: (elbo_optimal - elbo_amortized).mean(),
        ),
        Misconception(
            "ratio",
            "You divide the bounds: they are logarithms, the gap is their difference, in nats.",
            lambda elbo_optimal, elbo_amortized: elbo_optimal / elbo_amortized,
        ),
        Misconception(
            "relative gap",
            "You divide the gap by the bound: it is a difference in nats, and log p(x) has no natural zero.",
            lambda elbo_optimal, elbo_amortized: (elbo_optimal - elbo_amortized) / elbo_optimal,
        ),
        Misconception(
            "squared",
            "You square the gap: it is the difference itself, signed.",
            lambda elbo_optimal, elbo_amortized: (elbo_optimal - elbo_amortized) ** 2,
        ),
        Misconception(
            "exponential",
            "exp is taken of the gap: keep it in nats.",
            lambda elbo_optimal, elbo_amortized: (elbo_optimal - elbo_amortized).exp(),
        ),
    ),
    alternatives=(
        lambda elbo_optimal, elbo_amortized: torch.sub(elbo_optimal, elbo_amortized),
        lambda elbo_optimal, elbo_amortized: -(elbo_amortized - elbo_optimal),
    ),
)


# --- questions -------------------------------------------------------------------------------------

PARAMETERS = Question(
    name="amortized_parameters_prediction",
    points=1,
    text="With an encoder, N grows from 10,000 to 1,000,000 images. How many more parameters does inference need?",
    options={
        "a hundred times as many": "That was the q_i of notebook 03, one pair for each image. The encoder is one network "
        "for all of them.",
        "none": "|θ| + |φ|, whatever N is. That is what amortized means: the cost of inference is shared by all data.",
        "twice as many": "The encoder's size does not depend on N: it maps any x to mu and log_sigma.",
    },
    correct="none",
)

UNLIKE = Question(
    name="unlike_image_prediction",
    points=1,
    text="The encoder has seen digits only. For an image of a shoe, how large is the amortization gap?",
    options={
        "larger than for digits": "The decoder's posterior for a shoe exists, and gradient ascent finds it. The encoder was "
        "never asked about shoes and guesses.",
        "as large as for digits": "The encoder is fitted where training images are. Elsewhere nothing has held it to the "
        "posterior.",
        "zero": "A gap of zero would mean that the encoder gives the best Gaussian for an image it was never trained on.",
    },
    correct="larger than for digits",
)

TRAINING_SIGN = Question(
    name="negative_gap_prediction",
    points=1,
    text="For one digit you measure an amortization gap of -0.05 nats. What has happened?",
    options={
        "the encoder beats the best q": "The best q is the maximum over all diagonal Gaussians, and the encoder's is one of "
        "them.",
        "noise, or too few steps": "The bounds are estimates, and the refinement stops after some steps. The true gap is "
        "never negative; the measured one may be.",
        "the bound exceeds log p(x)": "An estimate can, by noise. But that is not what a difference of two bounds tells.",
    },
    correct="noise, or too few steps",
)

DIAGNOSIS = Question(
    name="diagnosis_04",
    points=2,
    text="Which bug does the model behind the figure have?",
    options={
        "z is detached": "The encoder then learns from prior and entropy only, which are best where q is the prior: every "
        "digit gets the same code, and every reconstruction is the same average.",
        "the loss is +elbo": "Then the bound would fall from the first step on. It rises, and stops early.",
        "log_sigma is read as a log-variance": "Consistently misread, the network would learn half the number and lose "
        "nothing: reconstructions would be fine.",
        "gradients are not cleared": "Steps would pile up and the curve would jump about. It is smooth.",
        "the noise is shared across the batch": "Gradients would be noisier, but the codes of digits would still differ.",
    },
    correct="z is detached",
)

EXERCISES: tuple[Exercise | ClassExercise | Question, ...] = (
    PARAMETERS,
    ENCODER,
    AMORTIZED_ELBO,
    TRAIN_STEP,
    DIAGNOSIS,
    REFINE_Q,
    AMORTIZATION_GAP,
    TRAINING_SIGN,
    UNLIKE,
)
