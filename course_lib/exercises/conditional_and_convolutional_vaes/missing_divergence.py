r"""What the conditional bound lacks to log p(y|x): a derivation to complete.

.. math:: \log p(y|x) = E_q\Big[\log\frac{p(y|x, z)\,p(z|x)}{q(z|x, y)}\Big] + D_{KL}(q(z|x, y)\,\|\,p(z|x, y))
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.distributions import Categorical, kl_divergence

from course_lib.answers import Answer
from course_lib.checker.exercise import Exercise, Misconception, Property
from course_lib.checker.probes import Draw
from course_lib.conditional import missing_divergence


def _probe(draw: Draw) -> tuple[Tensor, ...]:
    values = draw.sizes.components + 1
    likelihood = (draw.normal(values, scale=1.2, shift=-1.0)).sigmoid()
    return draw.simplex(values), draw.simplex(values), likelihood.round(decimals=2) if draw.decimals else likelihood


def _posterior(prior: Tensor, likelihood: Tensor) -> Tensor:
    return prior * likelihood / (prior * likelihood).sum()


def _kl(q: Tensor, p: Tensor) -> Tensor:
    return (q * (q.log() - p.log())).sum()


def _does_not_complete(answer: Answer, draw: Draw) -> str | None:
    """Take the identity itself as the oracle."""
    q, prior, likelihood = _probe(draw)
    missing = answer.call(q, prior, likelihood)
    if not isinstance(missing, Tensor) or missing.numel() != 1:
        return None
    left = (prior * likelihood).sum().log()
    bound = (q * (likelihood.log() + prior.log() - q.log())).sum()
    if torch.allclose(left, bound + missing.reshape(()).to(left), rtol=1e-5, atol=1e-6):
        return None
    return (
        f"With numbers of our own log p(y|x) is {left:.3f} and the bound {bound:.3f}: {left - bound:.3f} is missing, your term is "
        f"{missing.item():.3f}."
    )


EXERCISE = Exercise(
    reference=missing_divergence,
    points=2,
    returns={"missing term": "()"},
    convention="q is q(z|x, y), prior is p(z|x), likelihood is p(y|x, z), one entry for each value of z. One number, in nats.",
    probe=_probe,
    number_accepted=True,
    properties=(Property("the two sides differ", _does_not_complete),),
    misconceptions=(
        Misconception(
            "the KL to the prior",
            "You give D_KL(q ‖ p(z|x)), which the bound holds already: the missing term compares q with what y says about z.",
            lambda q, prior, likelihood: _kl(q, prior),
        ),
        Misconception(
            "the KL the other way round",
            "You take D_KL(p(z|x, y) ‖ q): the expectation is under q.",
            lambda q, prior, likelihood: _kl(_posterior(prior, likelihood), q),
        ),
        Misconception(
            "posterior without the prior",
            "You normalise the likelihood alone: the posterior is the product with p(z|x), divided by its sum.",
            lambda q, prior, likelihood: _kl(q, likelihood / likelihood.sum()),
        ),
        Misconception(
            "posterior not normalised",
            "You compare q with p(y|x, z) p(z|x), which does not sum to one: divide by p(y|x), the sum over z.",
            lambda q, prior, likelihood: _kl(q, prior * likelihood),
        ),
        Misconception(
            "the sign",
            "The sign is turned: log p(y|x) lies above the bound, the term is not negative.",
            lambda q, prior, likelihood: -_kl(q, _posterior(prior, likelihood)),
        ),
        Misconception(
            "averaged over the values",
            "You average over the values of z: the expectation is the sum over them, weighted by q.",
            lambda q, prior, likelihood: _kl(q, _posterior(prior, likelihood)) / len(q),
        ),
        Misconception(
            "weighted by the posterior",
            "You weigh the logarithms by the posterior: the expectation is under q.",
            lambda q, prior, likelihood: (
                _posterior(prior, likelihood) * (q.log() - _posterior(prior, likelihood).log())
            ).sum(),
        ),
        Misconception(
            "the entropy",
            "You give the entropy of q: its logarithm is compared with that of the posterior.",
            lambda q, prior, likelihood: -(q * q.log()).sum(),
        ),
        Misconception(
            "the prior against the posterior",
            "You take D_KL(p(z|x) ‖ p(z|x, y)): what lacks is between q and the posterior.",
            lambda q, prior, likelihood: _kl(prior, _posterior(prior, likelihood)),
        ),
        Misconception(
            "likelihood left in the bound",
            "You give -E_q[log p(y|x, z)], the reconstruction term: that stands in the bound.",
            lambda q, prior, likelihood: -(q * likelihood.log()).sum(),
        ),
    ),
    alternatives=(
        lambda q, prior, likelihood: kl_divergence(Categorical(q), Categorical(prior * likelihood)),
        lambda q, prior, likelihood: (prior * likelihood).sum().log() - (q * (likelihood * prior / q).log()).sum(),
        lambda q, prior, likelihood: sum(
            a * (a / b).log() for a, b in zip(q, _posterior(prior, likelihood), strict=True)
        ),
    ),
)
