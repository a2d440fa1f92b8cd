"""What every class with ``log_prob`` and ``sample`` is asked, in the words in which several exercises ask it."""

from __future__ import annotations

from collections.abc import Callable

from course_lib.answers import Answer
from course_lib.checker import densities, flows
from course_lib.checker.exercise import Trait
from course_lib.checker.flows import Lacking, Make
from course_lib.checker.probes import Draw


def of_form(make: Make, parts: str) -> tuple[Trait, ...]:
    """Ask for parameters, dtypes and shapes of a density constructed with ``(dim, hidden_dim, num_couplings)``.

    Args:
        parts: what hidden_dim is handed to, in the plural.
    """
    return (
        Trait("no parameters", flows.NO_PARAMETERS.says, flows.has_parameters(make)),
        Trait(
            "hidden_dim ignored",
            f"The number of parameters does not change with hidden_dim: hand it to the {parts}.",
            flows.grows(make, 1),
        ),
        Trait(
            "num_couplings ignored",
            "The number of parameters does not change with num_couplings: build that many couplings.",
            flows.grows(make, 2),
        ),
        Trait(
            "dtype",
            "The dtype is not that of the parameters: what is drawn or created inside takes it from them.",
            densities.dtype_of_log_prob(make),
        ),
        Trait(
            "shape of log_prob",
            "log_prob(x) gives one value for each point, (batch,).",
            densities.log_prob_shape(make),
        ),
        Trait("shape of samples", "sample(n, generator) gives n points, (n, dim).", densities.sample_shape(make)),
    )


def of_gradient_and_samples(make: Make) -> tuple[Trait, ...]:
    """Ask for gradients, and for samples that come from the generator and differ."""
    return (
        Trait(
            "gradient cut",
            "The gradient of log_prob is not that of its values: something is cut off on the way (.detach(), .data, torch.no_grad()).",
            densities.gradient_cut(make),
        ),
        Trait(
            "generator ignored",
            "The same generator state gives other samples: draw with the generator that is given, generator=generator.",
            densities.generator_ignored(make),
        ),
        Trait(
            "samples all alike", "All samples are alike: draw z anew for each of them.", densities.samples_alike(make)
        ),
    )


def grows_far_out(make: Make, far: int, density: Callable[..., densities.Density] = densities.Density) -> Lacking:
    """Far out a log-density falls; its negative rises.

    Args:
        far: how many times as far out.
        density: makes one of answer, draw and the constructor's arguments.
    """

    def lacking(answer: Answer, draw: Draw) -> str | None:
        seen = density(answer, draw, make(draw))
        near, away = (seen.log_prob(scale * seen.x).mean().item() for scale in (1, far))
        return f"Around 0 yours is {near:.1f} on average, {far} times as far out {away:.1f}." if away > near else None

    return lacking
