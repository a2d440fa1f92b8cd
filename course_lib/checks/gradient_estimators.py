"""Exercises of notebook 05: the policy gradient against the reparameterized one."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.distributions import Categorical, Normal, kl_divergence

from course_lib.answers import Answer, AnswerFailed, tensors_from
from course_lib.bounds import categorical_elbo, elbo_with_analytic_kl
from course_lib.checks.exercise import Draw, EdgeCase, Exercise, Misconception, Property, Question
from course_lib.checks.networks import OWN_NOISE, draws_its_own_noise, only_tensor
from course_lib.distributions import gaussian_entropy
from course_lib.gradients import (
    categorical_policy_gradient,
    gaussian_score,
    gradient_mean_and_variance,
    leave_one_out_baseline,
    reparameterized_surrogate,
    score_function_surrogate,
)

SURROGATE = (
    "A surrogate is maximised (no minus sign): the mean over samples and batch, a scalar. The reward is detached inside. "
    "Only the gradient is looked at. "
)


def gradients_of(
    answer: Answer, args: tuple[Any, ...], names: tuple[int, ...], shape: str = "the mean over samples and batch"
) -> tuple[Tensor, ...]:
    """Observe the gradients of a surrogate with respect to some of its arguments; zero where none flows."""
    leaves = [args[i].detach().requires_grad_() for i in names]
    # Not the leaves themselves: what is handed over may be changed in place.
    given = [leaves[names.index(i)] * 1 if i in names else arg for i, arg in enumerate(args)]
    value = only_tensor(tensors_from(answer.call(*given)))
    if value.numel() != 1:
        raise AnswerFailed("type", f"A scalar is expected, {shape}; yours has the shape {tuple(value.shape)}.")
    if not value.requires_grad:
        return tuple(torch.zeros_like(leaf) for leaf in leaves)
    try:
        grads = torch.autograd.grad(value.sum(), leaves, allow_unused=True)
    except RuntimeError as error:
        says = f"No gradient can be computed through your surrogate: {str(error).splitlines()[0][:200]}"
        raise AnswerFailed("raised", says, None, "RuntimeError") from None
    return tuple(torch.zeros_like(leaf) if grad is None else grad for leaf, grad in zip(leaves, grads, strict=True))


# --- gaussian_score --------------------------------------------------------------------------------


def _score_probe(draw: Draw) -> tuple[Any, ...]:
    sizes = draw.sizes
    shape = sizes.batch, sizes.latent
    return draw.normal(sizes.samples, *shape), draw.normal(*shape, shift=-0.4), draw.positive(*shape)


def _score(
    in_mu: Callable[[Tensor, Tensor], Tensor] = lambda u, s: u / s,
    in_sigma: Callable[[Tensor, Tensor], Tensor] = lambda u, s: (u**2 - 1) / s,
) -> Callable[..., tuple[Tensor, Tensor]]:
    def wrong(z: Tensor, mu: Tensor, sigma: Tensor) -> tuple[Tensor, Tensor]:
        standardised = (z - mu) / sigma
        return in_mu(standardised, sigma), in_sigma(standardised, sigma)

    return wrong


def _score_by_autograd(z: Tensor, mu: Tensor, sigma: Tensor) -> tuple[Tensor, ...]:
    wide = [part.detach().expand_as(z).clone().requires_grad_() for part in (mu, sigma)]
    log_q = Normal(wide[0], wide[1]).log_prob(z.detach())
    return torch.autograd.grad(log_q.sum(), wide)


def _score_has_mean_zero(answer: Answer, draw: Draw) -> str | None:
    mu, sigma = draw.normal(1, 2), draw.positive(1, 2)
    grid = torch.linspace(-10, 10, 4001, dtype=torch.float64).view(-1, 1, 1)
    q = Normal(0.0, 1.0).log_prob(grid).exp() * (20 / 4000)
    for name, part in zip(("mu", "sigma"), tensors_from(answer.call(mu + sigma * grid, mu, sigma)), strict=False):
        if part.shape[0] != len(grid):
            return None
        mean = (q * part).sum(0).abs().max().item()
        if mean > 1e-3:
            return f"Under q the score has mean zero, whatever q is; your score for {name} has mean {mean:.3f}."
    return None


GAUSSIAN_SCORE = Exercise(
    reference=gaussian_score,
    points=2,
    returns={"score_mu": "(samples, batch, latent_dim)", "score_sigma": "(samples, batch, latent_dim)"},
    convention="The derivatives of log q(z) with respect to mu and to sigma, the standard deviation itself; one entry for "
    "each sample and dimension, nothing summed.",
    probe=_score_probe,
    misconceptions=(
        Misconception(
            "sign",
            "Both signs are flipped: log q rises when mu moves towards z.",
            lambda z, mu, sigma: tuple(-part for part in gaussian_score(z, mu, sigma)),
        ),
        Misconception(
            "sign of mu's score",
            "mu's score has the wrong sign: log q rises when mu moves towards z, so it is (z - mu)/sigma².",
            _score(in_mu=lambda u, s: -u / s),
        ),
        Misconception(
            "sign of sigma's score",
            "sigma's score has the wrong sign: for a z far out, a wider q is more likely.",
            _score(in_sigma=lambda u, s: (1 - u**2) / s),
        ),
        Misconception(
            "sigma instead of sigma squared",
            "In mu's score you divide by sigma: by sigma², (z - mu)/sigma².",
            _score(in_mu=lambda u, s: u),
        ),
        Misconception(
            "normalising constant forgotten",
            "In sigma's score the term -1/sigma is missing: the density's normaliser depends on sigma too.",
            _score(in_sigma=lambda u, s: u**2 / s),
        ),
        Misconception(
            "derivative in log sigma",
            "Your second result is the derivative with respect to log sigma: divide it by sigma.",
            _score(in_sigma=lambda u, s: u**2 - 1),
        ),
        Misconception(
            "derivative in the variance",
            "Your second result is the derivative with respect to the variance: multiply it by 2·sigma.",
            _score(in_sigma=lambda u, s: (u**2 - 1) / (2 * s**2)),
        ),
        Misconception(
            "sigma squared in sigma's score",
            "In sigma's score the quadratic term is (z - mu)²/sigma³; you divide by sigma².",
            _score(in_sigma=lambda u, s: u**2 - 1 / s),
        ),
        Misconception(
            "gradient of the density",
            "You differentiate q itself: the score is the gradient of log q, ∇q / q.",
            lambda z, mu, sigma: tuple(
                part * Normal(mu, sigma).log_prob(z).exp() for part in gaussian_score(z, mu, sigma)
            ),
        ),
        Misconception(
            "derivative in z",
            "Your first result is the derivative with respect to z: the one with respect to mu has the other sign.",
            lambda z, mu, sigma: (-(z - mu) / sigma**2, gaussian_score(z, mu, sigma)[1] * 0 - (z - mu) / sigma**2),
        ),
        Misconception(
            "averaged over samples",
            "You average over the samples: keep the score of every sample.",
            lambda z, mu, sigma: tuple(part.mean(0) for part in gaussian_score(z, mu, sigma)),
        ),
        Misconception(
            "summed over dimensions",
            "You sum over the latent dimensions: each dimension has a mu and a sigma of its own.",
            lambda z, mu, sigma: tuple(part.sum(-1) for part in gaussian_score(z, mu, sigma)),
        ),
        Misconception(
            "results exchanged",
            "The two results are exchanged: mu's score comes first.",
            lambda z, mu, sigma: gaussian_score(z, mu, sigma)[::-1],
        ),
    ),
    alternatives=(
        _score_by_autograd,
        lambda z, mu, sigma: ((z - mu) / sigma**2, ((z - mu) ** 2 - sigma**2) / sigma**3),
        lambda z, mu, sigma: [(z - mu) * sigma.pow(-2), (z - mu).square() / sigma.pow(3) - 1 / sigma],
    ),
    properties=(Property("mean zero", _score_has_mean_zero),),
)


# --- score_function_surrogate ----------------------------------------------------------------------


def _reward_probe(draw: Draw) -> tuple[Any, ...]:
    sizes = draw.sizes
    return draw.normal(sizes.samples, sizes.batch, shift=-2.0), draw.normal(sizes.samples, sizes.batch, scale=2.0)


SCORE_FUNCTION_SURROGATE = Exercise(
    reference=score_function_surrogate,
    points=3,
    returns={"gradient of log_q": "(samples, batch)", "gradient of reward": "(samples, batch)"},
    convention=SURROGATE + "Its gradient is (1/M) Σ_j ∇log q(z_j|x) · r(x, z_j), averaged over the batch.",
    probe=_reward_probe,
    observe=lambda answer, args: gradients_of(answer, args, (0, 1)),
    misconceptions=(
        Misconception(
            "reward not detached",
            "A gradient flows into the reward: detach it. The policy gradient follows log q only; how r itself depends on "
            "the parameters is another term.",
            lambda log_q, reward: (log_q * reward).mean(),
        ),
        Misconception(
            "minus sign",
            "The sign is flipped: the surrogate is maximised. The minus belongs to the loss of an optimizer.",
            lambda log_q, reward: -(log_q * reward.detach()).mean(),
        ),
        Misconception(
            "log_q detached",
            "No gradient reaches log_q: it is the reward that is detached.",
            lambda log_q, reward: (log_q.detach() * reward).mean(),
        ),
        Misconception(
            "everything detached",
            "No gradient flows at all: only the reward is detached, log_q is not.",
            lambda log_q, reward: (log_q.detach() * reward.detach()).mean(),
        ),
        Misconception(
            "reward alone",
            "That is the mean reward: without log q its gradient knows nothing of how q chooses z.",
            lambda log_q, reward: reward.mean() + 0 * log_q.sum(),
        ),
        Misconception(
            "reward left out",
            "The reward is missing: each ∇log q is weighted by what its sample has earned.",
            lambda log_q, reward: log_q.mean(),
        ),
        Misconception(
            "sum over samples and batch",
            "You sum over samples and batch: average over both.",
            lambda log_q, reward: (log_q * reward.detach()).sum(),
        ),
        Misconception(
            "sum over samples",
            "You sum over the samples: the estimate is their mean, (1/M) Σ_j.",
            lambda log_q, reward: (log_q * reward.detach()).sum(0).mean(),
        ),
        Misconception(
            "sum over the batch",
            "You sum over the batch: average over it.",
            lambda log_q, reward: (log_q * reward.detach()).mean(0).sum(),
        ),
        Misconception(
            "density instead of its logarithm",
            "You weight the reward with q instead of log q: samples of q come as often as q says already.",
            lambda log_q, reward: (log_q.exp() * reward.detach()).mean(),
        ),
        Misconception(
            "product of the means",
            "You multiply the mean of log q with the mean reward: multiply sample by sample, then average.",
            lambda log_q, reward: log_q.mean() * reward.detach().mean(),
        ),
        Misconception(
            "baseline that contains its own sample",
            "You subtract the mean reward of all samples: it contains the sample's own reward, which shortens the gradient "
            "by (M - 1)/M on average. The surrogate takes the reward as it is given; baselines come next.",
            lambda log_q, reward: (log_q * (reward - reward.mean(0)).detach()).mean(),
        ),
        Misconception(
            "mean of all rewards subtracted",
            "You subtract the mean of all rewards: the surrogate takes the reward as it is given. This mean contains the "
            "sample's own reward, and those of other data points; a better baseline comes next.",
            lambda log_q, reward: (log_q * (reward - reward.mean()).detach()).mean(),
        ),
        Misconception(
            "reward standardised",
            "You standardise the reward: the gradient is then no longer that of the expected reward. Take it as given.",
            lambda log_q, reward: (log_q * ((reward - reward.mean()) / reward.std()).detach()).mean(),
        ),
        Misconception(
            "entropy added",
            "You add a term in log q of your own: the surrogate is the mean of log q · reward, no more.",
            lambda log_q, reward: (log_q * reward.detach() - log_q).mean(),
        ),
    ),
    alternatives=(
        lambda log_q, reward: torch.mean(reward.detach() * log_q),
        lambda log_q, reward: (log_q * reward.detach()).sum() / log_q.numel(),
        # exp(log_q - log_q.detach()) is 1, with the gradient of log_q.
        lambda log_q, reward: ((log_q - log_q.detach()).exp() * reward.detach()).mean(),
        lambda log_q, reward: torch.einsum("sb,sb->", log_q, reward.data) / reward.shape[0] / reward.shape[1],
    ),
)


# --- leave_one_out_baseline ------------------------------------------------------------------------


def _few_samples(draw: Draw) -> tuple[Tensor]:
    return (draw.normal(2, draw.sizes.batch + 1, scale=2.0),)


def _ignores_its_own(answer: Answer, draw: Draw) -> str | None:
    reward = draw.normal(5, 3)
    changed = reward.clone()
    changed[2, 1] += 7.0
    (one,), (other,) = tensors_from(answer.call(reward)), tensors_from(answer.call(changed))
    if one.shape != reward.shape or other.shape != reward.shape:
        return None
    moved = (other - one)[2, 1].item()
    if abs(moved) > 1e-6:
        return (
            f"One reward is raised by 7, and its own baseline moves by {moved:.2f}: a baseline that contains its own "
            "sample biases the gradient."
        )
    return None


def _leave_one_out_mask(reward: Tensor) -> Tensor:
    samples = reward.shape[0]
    others = 1 - torch.eye(samples, dtype=reward.dtype, device=reward.device)
    return others @ reward / (samples - 1)


LEAVE_ONE_OUT_BASELINE = Exercise(
    reference=leave_one_out_baseline,
    points=2,
    returns={"baseline": "(samples, batch)"},
    convention="For each sample the mean reward of the others of the same data point, (samples, batch).",
    probe=lambda draw: (draw.normal(draw.sizes.samples, draw.sizes.batch, scale=2.0),),
    misconceptions=(
        Misconception(
            "own sample contained",
            "Your baseline contains its own sample: it then depends on what it is subtracted from, and the gradient is "
            "biased. Leave each sample out of its own mean.",
            lambda reward: reward.mean(0).expand_as(reward),
        ),
        Misconception(
            "divided by M",
            "You divide by the number of samples: the others are one fewer, M - 1.",
            lambda reward: (reward.sum(0) - reward) / len(reward),
        ),
        Misconception(
            "sum of the others",
            "You sum the other rewards: take their mean, divide by M - 1.",
            lambda reward: reward.sum(0) - reward,
        ),
        Misconception(
            "advantage returned",
            "You return reward minus baseline: return the baseline itself.",
            lambda reward: reward - leave_one_out_baseline(reward),
        ),
        Misconception(
            "over the batch",
            "You leave one out over the data points (dimension 1): samples come in front, dimension 0.",
            lambda reward: (reward.sum(1, keepdim=True) - reward) / (reward.shape[1] - 1),
        ),
        Misconception(
            "over samples and batch",
            "You average over all other entries, those of other data points too: each data point has a baseline of its own.",
            lambda reward: (reward.sum() - reward) / (reward.numel() - 1),
        ),
        Misconception(
            "one mean for everything",
            "You take one mean for all samples and data points: each sample gets the mean of the others of its data point.",
            lambda reward: reward.mean().expand_as(reward),
        ),
        Misconception(
            "the next sample",
            "Your baseline is the reward of a neighbouring sample: unbiased, but noisy. Take the mean of all the others.",
            lambda reward: reward.roll(-1, 0),
        ),
        Misconception(
            "samples before it",
            "Your baseline averages over the samples before it only: over all the others.",
            lambda reward: (
                (reward.cumsum(0) - reward) / torch.arange(len(reward)).clamp(min=1).to(reward).unsqueeze(-1)
            ),
        ),
        Misconception(
            "sign",
            "The sign is flipped: the baseline is the mean of the others, the caller subtracts it.",
            lambda reward: -leave_one_out_baseline(reward),
        ),
    ),
    alternatives=(
        _leave_one_out_mask,
        lambda reward: torch.stack([torch.cat([reward[:i], reward[i + 1 :]]).mean(0) for i in range(len(reward))]),
        lambda reward: (reward.mean(0, keepdim=True) * len(reward) - reward.detach()) / (len(reward) - 1),
    ),
    properties=(Property("ignores its own sample", _ignores_its_own),),
    edge_cases=(EdgeCase("two samples", "Right for many samples, but not for two.", _few_samples),),
)


# --- reparameterized_surrogate ---------------------------------------------------------------------


def _reward_fn(draw: Draw) -> Callable[[Tensor], Tensor]:
    target, scale = draw.normal(draw.sizes.latent), draw.positive(draw.sizes.latent)
    return lambda z: -(scale * (z - target) ** 2).sum(-1) + (z * target).sum(-1).sin()


def _reparameterized_probe(draw: Draw) -> tuple[Any, ...]:
    sizes = draw.sizes
    shape = sizes.batch, sizes.latent
    eps = draw.normal(sizes.samples, *shape, shift=0.1)
    return draw.normal(*shape), draw.positive(*shape), eps, _reward_fn(draw)


def _at(z: Callable[[Tensor, Tensor, Tensor], Tensor]) -> Callable[..., Tensor]:
    return lambda mu, sigma, eps, reward_fn: reward_fn(z(mu, sigma, eps)).mean()


def _score_form(mu: Tensor, sigma: Tensor, eps: Tensor, reward_fn: Any) -> Tensor:
    z = (mu + sigma * eps).detach()
    return score_function_surrogate(Normal(mu, sigma).log_prob(z).sum(-1), reward_fn(z))


REPARAMETERIZED_SURROGATE = Exercise(
    reference=reparameterized_surrogate,
    points=2,
    returns={"gradient of mu": "(batch, latent_dim)", "gradient of sigma": "(batch, latent_dim)"},
    convention=SURROGATE.replace("The reward is detached inside. ", "")
    + "Its gradient is (1/M) Σ_j ∇r(mu + sigma · eps_j), averaged over the batch; sigma is the standard deviation.",
    probe=_reparameterized_probe,
    observe=lambda answer, args: gradients_of(answer, args, (0, 1)),
    misconceptions=(
        Misconception(
            "z detached",
            "No gradient reaches mu and sigma: z must stay attached to both (.rsample() does, .sample(), .detach() and "
            "torch.no_grad() cut it).",
            _at(lambda mu, sigma, eps: (mu + sigma * eps).detach()),
        ),
        Misconception(
            "sigma detached",
            "No gradient reaches sigma: z = mu + sigma · eps moves with both.",
            _at(lambda mu, sigma, eps: mu + sigma.detach() * eps),
        ),
        Misconception(
            "mu detached",
            "No gradient reaches mu: z = mu + sigma · eps moves with both.",
            _at(lambda mu, sigma, eps: mu.detach() + sigma * eps),
        ),
        Misconception(
            "reward at mu",
            "The reward is taken at mu: take it at z = mu + sigma · eps.",
            _at(lambda mu, sigma, eps: mu.expand(eps.shape) + 0 * sigma * eps),
        ),
        Misconception(
            "sigma taken for its logarithm",
            "You take exp of sigma: it is the standard deviation itself.",
            _at(lambda mu, sigma, eps: mu + sigma.exp() * eps),
        ),
        Misconception(
            "sigma taken for the variance",
            "You take the square root of sigma: it is the standard deviation, not the variance.",
            _at(lambda mu, sigma, eps: mu + sigma.sqrt() * eps),
        ),
        Misconception(
            "variance in the noise",
            "You scale the noise by sigma²: by sigma.",
            _at(lambda mu, sigma, eps: mu + sigma**2 * eps),
        ),
        Misconception(
            "noise shared across the batch",
            "All data points get the noise of the first: eps has its own for every point.",
            _at(lambda mu, sigma, eps: mu + sigma * eps[:, :1]),
        ),
        Misconception(
            "only the first sample",
            "You use the first sample only: average over all of them.",
            _at(lambda mu, sigma, eps: mu + sigma * eps[:1]),
        ),
        Misconception(
            "samples averaged before the reward",
            "You average the samples before the reward: average the rewards.",
            _at(lambda mu, sigma, eps: (mu + sigma * eps).mean(0, keepdim=True)),
        ),
        Misconception(
            "minus sign",
            "The sign is flipped: the surrogate is maximised. The minus belongs to the loss of an optimizer.",
            lambda mu, sigma, eps, reward_fn: -reward_fn(mu + sigma * eps).mean(),
        ),
        Misconception(
            "sum over samples and batch",
            "You sum over samples and batch: average over both.",
            lambda mu, sigma, eps, reward_fn: reward_fn(mu + sigma * eps).sum(),
        ),
        Misconception(
            "sum over samples",
            "You sum over the samples: average over them.",
            lambda mu, sigma, eps, reward_fn: reward_fn(mu + sigma * eps).sum(0).mean(),
        ),
        Misconception(
            "sum over the batch",
            "You sum over the batch: average over it.",
            lambda mu, sigma, eps, reward_fn: reward_fn(mu + sigma * eps).mean(0).sum(),
        ),
        Misconception(
            "policy gradient",
            "That is the policy gradient: unbiased, but it does not use how r changes with z. Let the gradient flow through "
            "z = mu + sigma · eps into reward_fn.",
            _score_form,
        ),
        Misconception(
            "own noise",
            OWN_NOISE,
            lambda mu, sigma, eps, reward_fn: reward_fn(Normal(mu, sigma).rsample((len(eps),))).mean(),
        ),
        Misconception(
            "log q of an attached sample",
            "You multiply the reward with log q, and z is attached to both: that mixes the two estimators. Here no log q is "
            "needed.",
            lambda mu, sigma, eps, reward_fn: (
                Normal(mu, sigma).log_prob(mu + sigma * eps).sum(-1) * reward_fn(mu + sigma * eps)
            ).mean(),
        ),
    ),
    alternatives=(
        _at(lambda mu, sigma, eps: torch.addcmul(mu.expand_as(eps), sigma.expand_as(eps), eps)),
        lambda mu, sigma, eps, reward_fn: torch.stack([reward_fn((mu + sigma * e)[None])[0] for e in eps]).mean(),
        lambda mu, sigma, eps, reward_fn: reward_fn(sigma[None] * eps + mu[None]).mean(0).mean(0) + 3.0,
    ),
    properties=(Property("own noise", draws_its_own_noise(_reparameterized_probe)),),
)


# --- gradient_mean_and_variance --------------------------------------------------------------------


def _repeats_probe(draw: Draw) -> tuple[Any, ...]:
    sizes = draw.sizes
    number = sizes.samples + 1
    draws = draw.normal(number, *((), (sizes.latent,), (sizes.batch, sizes.latent))[draw.integer(3)], scale=2.0)
    return _Recording(draws), number


class _Recording:
    """An estimator whose estimates are known, and that counts how often it was asked."""

    def __init__(self, draws: Tensor) -> None:
        self.draws, self.asked = draws, 0

    def __call__(self) -> Tensor:
        self.asked += 1
        # Past the end it would be asked too often; what it gives then matters no more.
        return self.draws[(self.asked - 1) % len(self.draws)].clone()

    @property
    def dtype(self) -> torch.dtype:
        return self.draws.dtype

    def double(self) -> _Recording:
        return _Recording(self.draws.double())


def observe_repeats(answer: Answer, args: tuple[Any, ...]) -> tuple[Tensor, ...]:
    """Observe mean, variance, and how often the estimator was called."""
    estimator = _Recording(args[0].draws)
    parts = tensors_from(answer.call(estimator, args[1]))
    if len(parts) != 2:
        raise AnswerFailed("type", f"Two tensors are expected, mean and variance; {len(parts)} came.")
    return *parts, torch.tensor(float(estimator.asked)).to(parts[0])


def _statistic(
    variance: Callable[[Tensor], Tensor],
    mean: Callable[[Tensor], Tensor] = lambda d: d.mean(0),
    extra: int = 0,
) -> Callable[..., tuple[Tensor, Tensor]]:
    def wrong(estimator: Any, num_repeats: int) -> tuple[Tensor, Tensor]:
        draws = torch.stack([estimator() for _ in range(num_repeats + extra)])
        return mean(draws), variance(draws)

    return wrong


def _running(estimator: Any, num_repeats: int) -> tuple[Tensor, Tensor]:
    """Welford's one-pass form."""
    mean = estimator().clone()
    spread = torch.zeros_like(mean)
    for n in range(2, num_repeats + 1):
        value = estimator()
        step = value - mean
        mean = mean + step / n
        spread = spread + step * (value - mean)
    return mean, spread / (num_repeats - 1)


def _asked_again(estimator: Any, num_repeats: int) -> tuple[Tensor, Tensor]:
    mean = torch.stack([estimator() for _ in range(num_repeats)]).mean(0)
    return mean, torch.stack([estimator() for _ in range(num_repeats)]).var(0)


def _asked_once(estimator: Any, num_repeats: int) -> tuple[Tensor, Tensor]:
    value = estimator()
    return value, torch.zeros_like(value)


GRADIENT_MEAN_AND_VARIANCE = Exercise(
    reference=gradient_mean_and_variance,
    points=2,
    returns={
        "mean": "the shape of one estimate",
        "variance": "the same shape",
        "calls of the estimator": "num_repeats",
    },
    convention="estimator() is called exactly num_repeats times and returns one tensor of any shape; mean and variance are "
    "taken for each entry, the variance unbiased, with n - 1.",
    probe=_repeats_probe,
    observe=observe_repeats,
    misconceptions=(
        Misconception(
            "divided by n",
            "Your variance divides by n: with the mean estimated from the same draws, the unbiased one divides by n - 1.",
            _statistic(lambda d: d.var(0, correction=0)),
        ),
        Misconception(
            "standard deviation",
            "You return the standard deviation: the variance is its square.",
            _statistic(lambda d: d.std(0)),
        ),
        Misconception(
            "standard error",
            "You divide the variance by the number of repeats: that is the variance of the mean. One estimate's variance "
            "is asked for.",
            _statistic(lambda d: d.var(0) / len(d)),
        ),
        Misconception(
            "second moment",
            "You return the mean square: subtract the square of the mean.",
            _statistic(lambda d: (d**2).mean(0)),
        ),
        Misconception(
            "sum of squares",
            "You return the sum of squared deviations: divide it by n - 1.",
            _statistic(lambda d: ((d - d.mean(0)) ** 2).sum(0)),
        ),
        Misconception(
            "one variance for all entries",
            "You return one number for all entries: mean and variance are taken for each entry, over the repeats.",
            lambda estimator, num_repeats: (lambda d: (d.mean(), d.var()))(
                torch.stack([estimator() for _ in range(num_repeats)] + [])
            ),
        ),
        Misconception(
            "sum instead of mean",
            "You return the sum of the estimates: their mean is asked for.",
            _statistic(lambda d: d.var(0), mean=lambda d: d.sum(0)),
        ),
        Misconception(
            "results exchanged",
            "The two results are exchanged: the mean comes first.",
            lambda estimator, num_repeats: gradient_mean_and_variance(estimator, num_repeats)[::-1],
        ),
        Misconception(
            "called once",
            "You call the estimator once: each repeat needs a call of its own, with new noise.",
            _asked_once,
        ),
        Misconception(
            "called twice as often",
            "You call the estimator anew for the variance: mean and variance come from the same num_repeats estimates.",
            _asked_again,
        ),
        Misconception(
            "one call too many",
            "You call the estimator once too often: exactly num_repeats times.",
            _statistic(lambda d: d[:-1].var(0), mean=lambda d: d[:-1].mean(0), extra=1),
        ),
    ),
    alternatives=(
        _running,
        _statistic(lambda d: ((d - d.mean(0)) ** 2).sum(0) / (len(d) - 1)),
        _statistic(lambda d: (d**2).mean(0).sub(d.mean(0) ** 2) * len(d) / (len(d) - 1)),
    ),
)


# --- categorical_policy_gradient -------------------------------------------------------------------


def _categorical_probe(draw: Draw) -> tuple[Any, ...]:
    sizes = draw.sizes
    categories = sizes.components + 1
    z = torch.tensor([[draw.integer(categories) for _ in range(sizes.batch)] for _ in range(sizes.samples)])
    return (
        draw.normal(sizes.batch, categories),
        draw.normal(sizes.samples, sizes.batch, scale=2.0),
        z.to(draw.device),
    )


def _log_q(logits: Tensor, z: Tensor) -> Tensor:
    return Categorical(logits=logits, validate_args=False).log_prob(z)


def _pick(table: Tensor, z: Tensor) -> Tensor:
    return table.expand(len(z), -1, -1).gather(-1, z.unsqueeze(-1)).squeeze(-1)


CATEGORICAL_POLICY_GRADIENT = Exercise(
    reference=categorical_policy_gradient,
    points=3,
    returns={"gradient of logits": "(batch, categories)", "gradient of reward": "(samples, batch)"},
    convention=SURROGATE + "log q(z) = log_softmax(logits) over the categories, at the sampled z.",
    probe=_categorical_probe,
    observe=lambda answer, args: gradients_of(answer, args, (0, 1)),
    misconceptions=(
        Misconception(
            "reward not detached",
            "A gradient flows into the reward: detach it.",
            lambda logits, reward, z: (_log_q(logits, z) * reward).mean(),
        ),
        Misconception(
            "logits not normalised",
            "You take the logit at z for log q(z): logits are normalised by log_softmax first. Raising one category must "
            "lower the others.",
            lambda logits, reward, z: (_pick(logits, z) * reward.detach()).mean(),
        ),
        Misconception(
            "probability instead of its logarithm",
            "You weight the reward with q(z): the policy gradient has log q(z).",
            lambda logits, reward, z: (_log_q(logits, z).exp() * reward.detach()).mean(),
        ),
        Misconception(
            "logits taken for probabilities",
            "You take the logarithm of softmax twice, or of something that is a logarithm already: log q = "
            "log_softmax(logits), once.",
            lambda logits, reward, z: (_log_q(logits.softmax(-1), z) * reward.detach()).mean(),
        ),
        Misconception(
            "normalised over the batch",
            "You normalise over the data points: the softmax runs over the categories, the last dimension.",
            lambda logits, reward, z: (_pick(logits.log_softmax(0), z) * reward.detach()).mean(),
        ),
        Misconception(
            "minus sign",
            "The sign is flipped: the surrogate is maximised. The minus belongs to the loss of an optimizer.",
            lambda logits, reward, z: -(_log_q(logits, z) * reward.detach()).mean(),
        ),
        Misconception(
            "sum over samples and batch",
            "You sum over samples and batch: average over both.",
            lambda logits, reward, z: (_log_q(logits, z) * reward.detach()).sum(),
        ),
        Misconception(
            "sum over samples",
            "You sum over the samples: average over them.",
            lambda logits, reward, z: (_log_q(logits, z) * reward.detach()).sum(0).mean(),
        ),
        Misconception(
            "the sampled category ignored",
            "Every category gets the reward, whichever was sampled: pick log q at z.",
            lambda logits, reward, z: (logits.log_softmax(-1).mean(-1) * reward.detach()).mean(),
        ),
        Misconception(
            "most likely category",
            "You take log q at the most likely category: at the sampled z.",
            lambda logits, reward, z: (logits.log_softmax(-1).max(-1).values * reward.detach()).mean(),
        ),
        Misconception(
            "log_q detached",
            "No gradient reaches the logits: it is the reward that is detached.",
            lambda logits, reward, z: (_log_q(logits, z).detach() * reward).mean(),
        ),
        Misconception(
            "baseline that contains its own sample",
            "You subtract the mean reward of all samples, the own one included: that shortens the gradient. Take the reward "
            "as it is given.",
            lambda logits, reward, z: (_log_q(logits, z) * (reward - reward.mean(0)).detach()).mean(),
        ),
    ),
    alternatives=(
        lambda logits, reward, z: (_log_q(logits, z) * reward.detach()).mean(),
        lambda logits, reward, z: (
            -torch.nn.functional.cross_entropy(logits.repeat(len(z), 1), z.flatten(), reduction="none")
            * reward.detach().flatten()
        ).mean(),
        lambda logits, reward, z: (
            (torch.nn.functional.one_hot(z, logits.shape[-1]) * logits.log_softmax(-1)).sum(-1) * reward.detach()
        ).mean(),
    ),
)


# --- categorical_elbo ------------------------------------------------------------------------------


def _categorical_elbo_probe(draw: Draw) -> tuple[Tensor, Tensor]:
    shape = draw.sizes.batch, draw.sizes.components + 1
    return draw.normal(*shape, scale=2.0, shift=-6.0), draw.normal(*shape)


def _categorical_bound(answer: Answer, draw: Draw) -> str | None:
    log_joint, logits = _categorical_elbo_probe(draw)
    (value,) = tensors_from(answer.call(log_joint, logits))
    exact = log_joint.logsumexp(-1)
    if value.shape == exact.shape and bool((value > exact + 1e-6).any()):
        return "A bound lies below log p(x) = log Σ_k p(x, z=k); yours lies above it."
    return None


def _tight_at_the_posterior(answer: Answer, draw: Draw) -> str | None:
    log_joint, _ = _categorical_elbo_probe(draw)
    (value,) = tensors_from(answer.call(log_joint, log_joint - 3.0))
    exact = log_joint.logsumexp(-1)
    if value.shape == exact.shape and not torch.allclose(value, exact, atol=1e-6):
        return (
            f"Where q is the exact posterior the bound is tight: log p(x) = {exact[0].item():.4f}; yours is "
            f"{value[0].item():.4f}."
        )
    return None


def _far_logits(draw: Draw) -> tuple[Tensor, Tensor]:
    log_joint, logits = _categorical_elbo_probe(draw)
    return log_joint, 300 * logits


CATEGORICAL_ELBO = Exercise(
    reference=categorical_elbo,
    points=2,
    returns={"elbo": "(batch,)"},
    convention="Σ_k q_k [log p(x, z=k) - log q_k] with q = softmax(logits) over the last dimension; (batch,), in nats.",
    probe=_categorical_elbo_probe,
    gradients=("log_joint", "logits"),
    misconceptions=(
        Misconception(
            "entropy missing",
            "The entropy is missing: subtract log q_k from each term.",
            lambda log_joint, logits: (logits.softmax(-1) * log_joint).sum(-1),
        ),
        Misconception(
            "entropy subtracted",
            "The entropy has the wrong sign: log q_k is subtracted.",
            lambda log_joint, logits: (logits.softmax(-1) * (log_joint + logits.log_softmax(-1))).sum(-1),
        ),
        Misconception(
            "not weighted by q",
            "You average over the categories with equal weights: weight each by q_k.",
            lambda log_joint, logits: (log_joint - logits.log_softmax(-1)).mean(-1),
        ),
        Misconception(
            "not weighted",
            "You sum over the categories without weights: weight each by q_k.",
            lambda log_joint, logits: (log_joint - logits.log_softmax(-1)).sum(-1),
        ),
        Misconception(
            "logits not normalised",
            "You subtract the logits themselves: log q is log_softmax(logits).",
            lambda log_joint, logits: (logits.softmax(-1) * (log_joint - logits)).sum(-1),
        ),
        Misconception(
            "log p(x) itself",
            "That is log p(x), the sum over all z: the bound depends on q.",
            lambda log_joint, logits: log_joint.logsumexp(-1) + 0 * logits.sum(-1),
        ),
        Misconception(
            "most likely category",
            "You take the term of q's most likely category: the expectation runs over all of them.",
            lambda log_joint, logits: (
                (log_joint - logits.log_softmax(-1)).gather(-1, logits.argmax(-1, keepdim=True)).squeeze(-1)
            ),
        ),
        Misconception(
            "posterior instead of q",
            "You weight with the posterior p(z|x): the bound weights with q.",
            lambda log_joint, logits: (log_joint.softmax(-1) * (log_joint - logits.log_softmax(-1))).sum(-1),
        ),
        Misconception(
            "softmax over the batch",
            "Your softmax runs over the data points: over the categories, the last dimension.",
            lambda log_joint, logits: (logits.softmax(0) * (log_joint - logits.log_softmax(0))).sum(-1),
        ),
        Misconception(
            "KL returned",
            "You return the KL from q to the posterior: the bound is log p(x) minus that.",
            lambda log_joint, logits: log_joint.logsumexp(-1) - categorical_elbo(log_joint, logits),
        ),
        Misconception(
            "joint read as a probability",
            "You take the logarithm of log_joint, or its exponential: it is a log-probability already.",
            lambda log_joint, logits: (logits.softmax(-1) * (log_joint.exp() - logits.log_softmax(-1))).sum(-1),
        ),
        Misconception(
            "0 log 0",
            "Where q_k is zero you get NaN or infinity: log(softmax(...)) underflows. Use log_softmax.",
            lambda log_joint, logits: (logits.softmax(-1) * (log_joint - logits.softmax(-1).log())).sum(-1),
        ),
    ),
    alternatives=(
        lambda log_joint, logits: (logits.softmax(-1) * log_joint).sum(-1) + Categorical(logits=logits).entropy(),
        lambda log_joint, logits: (
            log_joint.logsumexp(-1) - kl_divergence(Categorical(logits=logits), Categorical(logits=log_joint))
        ),
        lambda log_joint, logits: torch.einsum(
            "bk,bk->b", torch.softmax(logits, 1), log_joint - torch.log_softmax(logits, 1)
        ),
    ),
    properties=(
        Property("is a bound", _categorical_bound),
        Property("tight at the posterior", _tight_at_the_posterior),
    ),
    edge_cases=(
        EdgeCase(
            "a q that is sure",
            "Right for a moderate q, but not for one that is nearly certain: its small probabilities underflow.",
            _far_logits,
        ),
    ),
)


# --- elbo_with_analytic_kl -------------------------------------------------------------------------


def _analytic_probe(draw: Draw) -> tuple[Any, ...]:
    sizes = draw.sizes
    return (
        draw.normal(sizes.samples, sizes.batch, scale=3.0, shift=-8.0),
        draw.normal(sizes.batch, sizes.latent),
        draw.positive(sizes.batch, sizes.latent),
    )


def _kl(mu: Tensor, sigma: Tensor) -> Tensor:
    return 0.5 * (mu**2 + sigma**2 - 1 - 2 * sigma.log()).sum(-1)


def _minus(kl: Callable[[Tensor, Tensor], Tensor]) -> Callable[..., Tensor]:
    return lambda log_likelihood, mu, sigma: log_likelihood.mean(0) - kl(mu, sigma)


ELBO_WITH_ANALYTIC_KL = Exercise(
    reference=elbo_with_analytic_kl,
    points=2,
    returns={"elbo": "(batch,)"},
    convention="mean over samples of log p(x|z) minus D_KL(N(mu, sigma)‖N(0, I)) in closed form; (batch,), in nats; "
    "sigma is the standard deviation.",
    probe=_analytic_probe,
    gradients=("log_likelihood", "mu", "sigma"),
    misconceptions=(
        Misconception(
            "KL added",
            "The KL has the wrong sign: it is subtracted, a q far from the prior costs.",
            _minus(lambda mu, sigma: -_kl(mu, sigma)),
        ),
        Misconception("KL missing", "The KL is missing.", _minus(lambda mu, sigma: 0 * (mu + sigma).sum(-1))),
        Misconception(
            "½ missing", "The KL is twice too large: its ½ is missing.", _minus(lambda mu, s: 2 * _kl(mu, s))
        ),
        Misconception(
            "KL averaged over dimensions",
            "You average the KL over the latent dimensions: it sums over them.",
            _minus(lambda mu, sigma: _kl(mu, sigma) / mu.shape[-1]),
        ),
        Misconception(
            "KL summed over the batch",
            "You subtract the KL of the whole batch from every data point: each has its own.",
            _minus(lambda mu, sigma: _kl(mu, sigma).sum()),
        ),
        Misconception(
            "KL averaged over the batch",
            "You subtract the batch's mean KL from every data point: each has its own.",
            _minus(lambda mu, sigma: _kl(mu, sigma).mean()),
        ),
        Misconception(
            "-1 missing",
            "In the KL the -1 for each dimension is missing: at q = p it must be zero.",
            _minus(lambda mu, sigma: _kl(mu, sigma) + 0.5 * mu.shape[-1]),
        ),
        Misconception(
            "sigma taken for its logarithm",
            "You read sigma as its logarithm in the KL: it is the standard deviation itself.",
            _minus(lambda mu, sigma: _kl(mu, sigma.exp())),
        ),
        Misconception(
            "sigma taken for the variance",
            "You read sigma as the variance in the KL: it is the standard deviation.",
            _minus(lambda mu, sigma: _kl(mu, sigma.sqrt())),
        ),
        Misconception(
            "log of sigma once",
            "In the KL you subtract log sigma where log sigma² belongs, inside the ½.",
            _minus(lambda mu, sigma: 0.5 * (mu**2 + sigma**2 - 1 - sigma.log()).sum(-1)),
        ),
        Misconception(
            "sign of the logarithm",
            "In the KL log sigma² has the wrong sign: a narrow q is far from the prior.",
            _minus(lambda mu, sigma: 0.5 * (mu**2 + sigma**2 - 1 + 2 * sigma.log()).sum(-1)),
        ),
        Misconception(
            "KL the other way round",
            "Your KL is D_KL(p‖q): q comes first, D_KL(q‖p).",
            _minus(lambda mu, sigma: (0.5 * ((1 + mu**2) / sigma**2 - 1) + sigma.log()).sum(-1)),
        ),
        Misconception(
            "entropy instead of the KL",
            "You add the entropy only: E[log p(z)] is missing, and together they are minus the KL.",
            _minus(lambda mu, sigma: -gaussian_entropy(sigma) + 0 * mu.sum(-1)),
        ),
        Misconception(
            "sum over samples",
            "You sum log p(x|z) over the samples: average over them, dimension 0.",
            lambda log_likelihood, mu, sigma: log_likelihood.sum(0) - _kl(mu, sigma),
        ),
        Misconception(
            "logarithm of the mean",
            "You average p(x|z) before the logarithm: the bound has the mean of log p(x|z).",
            lambda log_likelihood, mu, sigma: (
                log_likelihood.logsumexp(0) - math.log(len(log_likelihood)) - _kl(mu, sigma)
            ),
        ),
        Misconception(
            "only the first sample",
            "You use the first sample only: average over all of them.",
            lambda log_likelihood, mu, sigma: log_likelihood[0] - _kl(mu, sigma),
        ),
        Misconception(
            "loss returned",
            "That is the loss: return the bound, log-likelihood minus KL.",
            lambda log_likelihood, mu, sigma: _kl(mu, sigma) - log_likelihood.mean(0),
        ),
        Misconception(
            "KL detached",
            "The values are right, but no gradient flows through the KL: mu and sigma are learned from it too.",
            _minus(lambda mu, sigma: _kl(mu, sigma).detach() + 0 * (mu + sigma).sum(-1)),
        ),
    ),
    alternatives=(
        lambda log_likelihood, mu, sigma: (
            log_likelihood.mean(dim=0)
            - kl_divergence(Normal(mu, sigma), Normal(torch.zeros_like(mu), torch.ones_like(mu))).sum(-1)
        ),
        lambda log_likelihood, mu, sigma: (
            log_likelihood.mean(0) + 0.5 * torch.sum(1 + torch.log(sigma**2) - mu**2 - sigma**2, dim=-1)
        ),
    ),
)


# --- questions -------------------------------------------------------------------------------------

UNBIASED = Question(
    name="unbiased_prediction",
    points=1,
    text="Both estimators are averaged over very many samples. Where do they end?",
    options={
        "at the same gradient": "Both are unbiased: their expectations are the gradient of J, exactly. They differ in how "
        "far a single estimate strays.",
        "reparameterization is nearer": "It is nearer with few samples. With many, both arrive at the true gradient.",
        "the policy gradient is biased": "Its expectation is ∇J, without any assumption on r. What it has is variance.",
    },
    correct="at the same gradient",
)

CONSTANT = Question(
    name="constant_prediction",
    points=1,
    text="A constant 100 is added to every reward. What happens to the policy gradient without a baseline?",
    options={
        "nothing": "Its mean stays, but each sample's ∇log q is now multiplied by about 100: the noise grows with the "
        "constant.",
        "its mean changes": "The score has mean zero, E[∇log q] = 0: a constant times it adds nothing to the mean.",
        "its variance explodes": "The mean stays, because the score has mean zero; the variance grows with the square of the "
        "constant. A baseline takes the constant out again.",
    },
    correct="its variance explodes",
)

DIMENSION = Question(
    name="score_dimension_prediction",
    points=1,
    text="The latent dimension grows, r is a sum over dimensions. Which estimator's variance per entry grows with it?",
    options={
        "the policy gradient's": "One dimension's score is multiplied with the reward of all dimensions: the others are "
        "noise to it. The path derivative of one dimension sees its own part of r only.",
        "the reparameterized one's": "∂r/∂z_d involves dimension d only, when r is a sum: more dimensions add nothing to it.",
        "both alike": "The policy gradient multiplies each score with the whole reward, the reparameterized one "
        "differentiates: only the first feels the other dimensions.",
    },
    correct="the policy gradient's",
)

DISCRETE = Question(
    name="discrete_prediction",
    points=1,
    text="z is a category, one of ten. Why can reparameterization not train its logits?",
    options={
        "the gradient is too noisy": "There is no gradient to be noisy: a category jumps, its derivative is zero or none.",
        "z cannot be moved a little": "z = f(logits, eps) is a step function: its derivative is zero almost everywhere, so "
        "nothing flows through z. The policy gradient differentiates log q(z), which is smooth in the logits.",
        "the softmax has no derivative": "The softmax is smooth. It is the sampled category that jumps.",
    },
    correct="z cannot be moved a little",
)

DIAGNOSIS = Question(
    name="diagnosis_05",
    points=2,
    text="Which bug does the estimator behind the figure have?",
    options={
        "the reward is not detached": "Then the mean would be wrong by the gradient of the reward, for every M alike. The "
        "mean comes right as M grows.",
        "the score has the wrong sign": "Then the mean would be minus the gradient. It points the right way, and is too short.",
        "its baseline contains its own sample": "With its own reward in the baseline, the gradient is shortened by (M-1)/M: "
        "zero at M = 1, half at M = 2, nearly right for large M. That is what the figure shows.",
        "the samples are summed": "Then the mean would grow with M without end.",
        "the rewards are standardised": "Then the length of the gradient would not depend on the scale of r at all, and "
        "would not approach the true one.",
    },
    correct="its baseline contains its own sample",
)

EXERCISES: tuple[Exercise | Question, ...] = (
    GAUSSIAN_SCORE,
    SCORE_FUNCTION_SURROGATE,
    CONSTANT,
    LEAVE_ONE_OUT_BASELINE,
    DIAGNOSIS,
    REPARAMETERIZED_SURROGATE,
    UNBIASED,
    GRADIENT_MEAN_AND_VARIANCE,
    DIMENSION,
    ELBO_WITH_ANALYTIC_KL,
    DISCRETE,
    CATEGORICAL_ELBO,
    CATEGORICAL_POLICY_GRADIENT,
)
