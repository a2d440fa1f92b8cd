"""The encoder: a class, judged by what every right one has."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn

from course_lib.amortized import Encoder
from course_lib.answers import Answer, AnswerFailed, Instance, tensors_from
from course_lib.checker.exercise import ClassExercise, Misconception, Trait
from course_lib.checker.probes import Draw

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


EXERCISE = ClassExercise(
    reference=Encoder,
    points=2,
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
