"""A message shows the line that is meant, what is only half written, and what torch's own errors mean."""

from __future__ import annotations

import linecache
import math

import pytest
import torch
from torch import nn

from course_lib.checker.report import show_number
from course_lib.checks import review
from course_lib.torch_errors import MEANINGS, meaning


def defined(source, name, **names):
    """What a cell defines, with its source where a traceback finds it."""
    file = f"<cell of {name} {hash(source)}>"
    linecache.cache[file] = (len(source), None, source.splitlines(keepends=True), file)
    namespace = {"torch": torch, "math": math, "__name__": "__main__", **names}
    exec(compile(source, file, "exec"), namespace)
    return namespace[name]


def test_the_line_shown_is_that_of_the_function_that_failed_and_of_its_caller():
    source = (
        "def gaussian_log_prob(x, mu, sigma):\n"
        "    return mu.no_such_thing\n"
        "def mixture_log_prob(x, weights, mu, sigma):\n"
        "    terms = gaussian_log_prob(x, mu, sigma)\n"
        "    return terms\n"
    )
    report = review("mixture_log_prob", defined(source, "mixture_log_prob"))
    assert report.line == (
        "gaussian_log_prob, line 2:  return mu.no_such_thing\n"
        "called from mixture_log_prob, line 4:  terms = gaussian_log_prob(x, mu, sigma)"
    )


STUB = "    # YOUR CODE HERE\n    raise NotImplementedError('still to be written')\n"
KL = "def gaussian_kl(mu_q, sigma_q, mu_p, sigma_p):\n    '''The KL.'''\n"


def test_a_stub_is_not_answered_and_finished_code_above_a_stub_is_half_written():
    report = review("gaussian_kl", defined(KL + STUB, "gaussian_kl"))
    assert report.status == "unanswered"
    report = review("gaussian_kl", defined(KL + "    ratio = sigma_p / sigma_q\n" + STUB, "gaussian_kl"))
    assert report.status == "wrong"
    assert report.sentences == (
        "`raise NotImplementedError` is still there, in gaussian_kl, with what you wrote: take it out.",
    )
    assert report.line.startswith("gaussian_kl, line 5:  raise NotImplementedError")


METHODS = {
    "__init__": "(self, data_dim, hidden_dim, latent_dim):\n        super().__init__()\n        self.latent_dim = latent_dim\n",
    "elbo": "(self, x, eps):\n        '''The bound.'''\n",
    "reconstruct": "(self, x):\n        '''Probabilities.'''\n",
    "sample": "(self, n, generator):\n        '''Probabilities.'''\n",
}
WRITTEN = {
    "__init__": "        self.d, self.e = torch.nn.Linear(latent_dim, data_dim), torch.nn.Linear(data_dim, 2 * latent_dim)\n",
    "elbo": "        return -self.d(eps).square().sum(-1) - self.e(x).sum(-1)\n",
    "reconstruct": "        return self.d(self.e(x)[:, : self.latent_dim]).sigmoid()\n",
    "sample": "        return self.d(torch.randn(n, self.latent_dim, generator=generator)).sigmoid()\n",
}


def vae(missing):
    parts = [
        f"    def {name}{head}"
        + ("        raise NotImplementedError('VAE is still to be written')\n" if name in missing else WRITTEN[name])
        for name, head in METHODS.items()
    ]
    return defined("class VAE(torch.nn.Module):\n" + "".join(parts), "VAE")


@pytest.mark.parametrize("missing", [["sample"], ["reconstruct"], ["elbo"], ["reconstruct", "sample"]])
def test_methods_that_are_still_stubs_are_named(missing):
    report = review("VAE", vae(missing))
    assert report.status == "wrong"
    assert report.sentences[0] == f"Of VAE, {' and '.join(missing)} still ends in the stub."


def test_a_class_of_stubs_alone_is_not_answered():
    assert review("VAE", vae(list(METHODS))).status == "unanswered"


def test_a_part_that_is_a_stub_is_named():
    source = "def helper(x):\n    raise NotImplementedError\n" + KL + "    return helper(mu_q)\n"
    report = review("gaussian_kl", defined(source, "gaussian_kl"))
    assert report.sentences[0] == "gaussian_kl calls helper, which is not written yet."


x, p = torch.ones(2, 3), torch.ones(2, 3, requires_grad=True)


class _Early(nn.Module):
    def __init__(self):
        self.layer = nn.Linear(2, 2)


def twice():
    total = (p**2).sum()
    total.backward()
    total.backward()


PROVOKED = {
    "hang on anything that learns": lambda: (x * 2).sum().backward(),
    "does not depend on one of the tensors": lambda: torch.autograd.grad(
        (p * 2).sum(), torch.ones(2, requires_grad=True)
    ),
    "A gradient is taken of one number": lambda: (p * 2).backward(),
    "used up by the first gradient": twice,
    "Something that learns is changed in place": lambda: p.add_(1),
    "at the beginning of a computation": lambda: torch.optim.SGD([p * 2], lr=0.1),
    "nothing to learn": lambda: torch.optim.SGD([], lr=0.1),
    "Call super().__init__() in the first line": _Early,
    "takes 0 and 1 alone": lambda: torch.distributions.Bernoulli(0.5 * x).log_prob(0.3 * x),
    "A standard deviation must be positive": lambda: torch.distributions.Normal(x, -x),
    "Are these logits": lambda: torch.distributions.Bernoulli(probs=3 * x),
    "has no density": lambda: torch.distributions.Beta(x, x).log_prob(3 * x),
    "takes 4 numbers for each point, 3 came": lambda: nn.Linear(4, 2)(x),
    "where one has 3 the other has 5": lambda: x + torch.ones(2, 5),
    "Two dtypes meet": lambda: nn.Linear(3, 2)(x.double()),
    "Stay in torch": lambda: p.numpy(),
    "`if` asks one question": lambda: bool(x > 0),
    "is a * missing": lambda: x(3),
    "lack its `return`": lambda: None * x,
    "-1 is the last one": lambda: x.sum(5),
    "`sigmaa` is not known here": lambda: sigmaa,  # noqa: F821
}


@pytest.mark.parametrize(("says", "provoke"), PROVOKED.items(), ids=list(PROVOKED))
def test_typical_errors_get_a_sentence(says, provoke):
    with pytest.raises(Exception) as raised:  # noqa: PT011 - the kinds differ between versions of torch
        provoke()
    assert says in meaning(str(raised.value)), str(raised.value)


def test_other_errors_get_none_and_every_sentence_can_be_filled_in():
    assert meaning("the moon is full") == ""
    assert all(
        "{" not in meaning_of
        for _, sentence in MEANINGS
        for meaning_of in [sentence.format(came=1, wanted=2, a=1, b=2, name="x")]
    )


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (-0.0, "0"),
        (20260.0, "20260"),
        (-12.345678, "-12.35"),
        (0.5, "0.5"),
        (1e-9, "1e-09"),
        (0.0123456, "0.01235"),
        (3e9, "3e+09"),
        (math.inf, "inf"),
        (12345.6, "12346"),
    ],
)
def test_numbers_are_written_as_a_person_would(value, text):
    assert show_number(value, 4) == text
