"""What the exercises share: networks of two inputs, the parts of a bound to be made wrong, and how a class is looked at."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from course_lib.answers import Answer, AnswerFailed, Instance, tensors_from
from course_lib.checker.exercise import Misconception, Trait
from course_lib.checker.networks import TwoHeads, encoder_network
from course_lib.checker.probes import Draw
from course_lib.distributions import bernoulli_log_likelihood, gaussian_kl

NETWORKS = (
    "encoder(x, y) and prior(x) return (mu, log_sigma), each (batch, latent_dim); log_sigma is the log of the standard deviation. "
    "decoder(x, z) returns logits of y. "
)
SIGMA = "log_sigma is the logarithm of the standard deviation: sigma = log_sigma.exp()."


class PairEncoder(TwoHeads):
    """An encoder of x and y, side by side."""

    def forward(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:  # type: ignore[override]
        return super().forward(torch.cat([x, y], -1))


class PairDecoder(nn.Module):
    """A decoder of x and z: x as it is, expanded to the leading shape of z, or both flattened to rows."""

    def __init__(self, x_dim: int, latent_dim: int, y_dim: int) -> None:
        super().__init__()
        self.inner, self.outer = nn.Linear(x_dim + latent_dim, 6), nn.Linear(6, y_dim)

    def forward(self, x: Tensor, z: Tensor) -> Tensor:
        both = torch.cat([x.expand(*z.shape[:-1], x.shape[-1]), z], -1)
        logits: Tensor = self.outer(self.inner(both).tanh())
        return logits


def drawn(network: nn.Module, draw: Draw, scale: float = 0.5) -> Any:
    """Give a network weights from a draw."""
    network = network.to(draw.device, draw.dtype)
    for parameter in network.parameters():
        parameter.data = draw.normal(*parameter.shape, scale=scale, shift=0.05)
    return network


def pixels(draw: Draw, *shape: int) -> Tensor:
    """Grey values in (0, 1)."""
    x = (0.8 * draw.normal(*shape)).sigmoid()
    return x.round(decimals=2) if draw.decimals else x


def networks(draw: Draw) -> tuple[Any, Any, Any]:
    """Return encoder, prior and decoder for x and y of the same size, so that an exchange is no error of shapes."""
    dim, latent = draw.sizes.dim, draw.sizes.latent
    encoder = drawn(PairEncoder(2 * dim, 6, latent), draw)
    return encoder, encoder_network(draw, dim, latent), drawn(PairDecoder(dim, latent, dim), draw, 0.7)


def noise(draw: Draw) -> Tensor:
    return draw.normal(draw.sizes.samples, draw.sizes.batch, draw.sizes.latent, shift=0.1)


def elbo_probe(draw: Draw) -> tuple[Any, ...]:
    shape = draw.sizes.batch, draw.sizes.dim
    return draw.normal(*shape), pixels(draw, *shape), noise(draw), *networks(draw)


def predict_probe(draw: Draw) -> tuple[Any, ...]:
    x, _, eps, _, prior, decoder = elbo_probe(draw)
    return x, prior, decoder, eps


def likelihood_probe(draw: Draw) -> tuple[Any, ...]:
    x, y, eps, _, prior, decoder = elbo_probe(draw)
    return x, y, eps, prior, decoder


def sure(probe: Callable[[Draw], tuple[Any, ...]]) -> Callable[[Draw], tuple[Any, ...]]:
    """A probe whose decoder is sure: logits of several hundred."""

    def changed(draw: Draw) -> tuple[Any, ...]:
        args = probe(draw)
        for part in args:
            if isinstance(part, PairDecoder):
                part.outer.weight.data *= 250
        return tuple(
            (arg > 0.5).to(arg) if index == 1 and isinstance(arg, Tensor) else arg for index, arg in enumerate(args)
        )

    return changed


def sample_of(mu: Tensor, log_sigma: Tensor, eps: Tensor) -> Tensor:
    return mu + log_sigma.exp() * eps


def drawn_from(q: tuple[Tensor, Tensor], eps: Tensor) -> Tensor:
    """Return samples of what a network gives, mu and log_sigma."""
    return sample_of(q[0], q[1], eps)


def kl_of(mu: Tensor, log_sigma: Tensor, mu_p: Tensor, log_sigma_p: Tensor) -> Tensor:
    return gaussian_kl(mu, log_sigma.exp(), mu_p, log_sigma_p.exp())


def elbo_variant(
    q: Callable[[Any, Tensor, Tensor], tuple[Tensor, Tensor]] = lambda encoder, x, y: encoder(x, y),
    p: Callable[[Any, Tensor], tuple[Tensor, Tensor]] = lambda prior, x: prior(x),
    z: Callable[[Tensor, Tensor, Tensor], Tensor] = sample_of,
    logits: Callable[[Any, Tensor, Tensor, Tensor], Tensor] = lambda decoder, x, y, z: decoder(x, z),
    likelihood: Callable[[Tensor, Tensor, Tensor], Tensor] = lambda x, y, logits: bernoulli_log_likelihood(y, logits),
    kl: Callable[..., Tensor] = kl_of,
    average: Callable[[Tensor], Tensor] = lambda values: values.mean(0),
) -> Callable[..., Tensor]:
    """The bound with one of its parts replaced."""

    def elbo(x: Tensor, y: Tensor, eps: Tensor, encoder: Any, prior: Any, decoder: Any) -> Tensor:
        mu, log_sigma = q(encoder, x, y)
        sample = z(mu, log_sigma, eps)
        expected = average(likelihood(x, y, logits(decoder, x, y, sample)))
        return expected - kl(mu, log_sigma, *p(prior, x))

    return elbo


IMAGES, WIDTH = 4, 4

NO_PARAMETERS = (
    "Your class has no parameters to learn: derive it from nn.Module, call super().__init__() first, and keep its layers as "
    "attributes (a list of layers needs nn.ModuleList or nn.Sequential)."
)
NEVER_LEARNS = "Some parameters get no gradient."
FLOAT32 = "After .double() the outputs are not float64: a tensor created inside takes dtype and device from its inputs."
NO_CONVOLUTION = "There is no convolution in it: nn.Conv2d, nn.ConvTranspose2d, or what has a kernel of their kind."
WIDTH_IGNORED = "The number of parameters does not grow with width: let it scale the number of feature maps."
NOT_LINEAR = "Your network is one linear map: put a nonlinearity (relu, tanh) between its layers."


def sizes(draw: Draw) -> tuple[int, int, int]:
    """Channels, width and latent size of a draw; more than one channel in most of them."""
    return 1 + draw.sizes.latent % 3, WIDTH, draw.sizes.latent + 2


def built(answer: Answer, draw: Draw, gain: float = 0.0) -> Instance:
    """Construct an instance, in evaluation mode; with a gain its parameters are drawn."""
    instance = answer.construct(*sizes(draw))
    if instance.parameters():
        instance.call("eval")
    if gain:
        redraw(instance, draw, gain)
    return instance


def redraw(instance: Instance, draw: Draw, gain: float) -> None:
    """Draw parameters, of a size that lets no layer's output vanish or explode."""
    values = {}
    for name, old in instance.parameters().items():
        fan_in = old[0].numel() if old.dim() > 1 else 4
        if old.dim() == 4 and old.shape[0] > old.shape[1]:  # a transposed convolution's, seen from its outputs
            fan_in = max(1, old.shape[0] * old[0, 0].numel() // 4)
        values[name] = draw.normal(*old.shape, scale=gain / fan_in**0.5, shift=0.0).to(old)
    instance.set_parameters(values)


def one(instance: Instance, method: str, *args: object) -> Tensor:
    """Return the one tensor of a method; raises :class:`AnswerFailed` where another number came."""
    parts = tensors_from(instance.call(method, *args))
    if len(parts) != 1:
        raise AnswerFailed("type", f"{_method(method)} returns one tensor, {len(parts)} came.")
    return parts[0]


def two(instance: Instance, method: str, *args: object) -> tuple[Tensor, Tensor]:
    """Return mu and log_sigma; raises :class:`AnswerFailed` where another number came."""
    parts = tensors_from(instance.call(method, *args))
    if len(parts) != 2:
        raise AnswerFailed("type", f"{_method(method)} returns two tensors, mu and log_sigma; {len(parts)} came.")
    return parts[0], parts[1]


def _method(name: str) -> str:
    return "forward" if name == "__call__" else name


def has_parameters(answer: Answer, draw: Draw) -> str | None:
    return None if built(answer, draw).parameters() else ""


def has_convolution(answer: Answer, draw: Draw) -> str | None:
    return None if any(p.dim() == 4 for p in built(answer, draw).parameters().values()) else ""


def width_counts(answer: Answer, draw: Draw) -> str | None:
    channels, width, latent = sizes(draw)
    small, large = (
        sum(p.numel() for p in answer.construct(channels, size, latent).parameters().values())
        for size in (width, 2 * width)
    )
    return f"width {width} gives {small} parameters, width {2 * width} gives {large}." if small >= large else None


def everything_learns(
    outputs: Callable[[Instance, Draw], tuple[Tensor, ...]],
) -> Callable[[Answer, Draw], str | None]:
    """Return what is lacking where a parameter gets no gradient from a weighted sum of outputs."""

    def lacking(answer: Answer, draw: Draw) -> str | None:
        instance = built(answer, draw, 1.5)
        parameters = {name: p for name, p in instance.parameters().items() if p.requires_grad}
        total = torch.zeros(())
        for part in outputs(instance, draw):
            total = total + (part * draw.normal(*part.shape).float()).sum()
        if not parameters or not total.requires_grad:
            return "No parameter gets one."
        grads = torch.autograd.grad(total, list(parameters.values()), allow_unused=True)
        without = [name for name, grad in zip(parameters, grads, strict=True) if grad is None or not bool(grad.any())]
        return f"None reaches {', '.join(without[:4])}." if without else None

    return lacking


def misconceptions_of(traits: tuple[Trait, ...], wrong: dict[str, type]) -> tuple[Misconception, ...]:
    """Return one misconception for each trait, with its sentence and the class that lacks it."""
    return tuple(Misconception(trait.name, trait.says, wrong[trait.name]) for trait in traits)
