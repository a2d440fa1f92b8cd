"""Plain networks are built anew from a recipe and compute the same; nothing else has one."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.func import functional_call

from course_lib.warps import Warp
from grading.sandbox.recipes import LAYERS, build, recipe_of

PLAIN = {
    "linear": nn.Linear(3, 2),
    "without bias": nn.Linear(3, 2, bias=False),
    "deep": nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Sequential(nn.Linear(4, 4), nn.ReLU()), nn.Linear(4, 2)),
    **{name: nn.Sequential(getattr(nn, name)()) for name in LAYERS},
}


class Doubled(nn.Linear):
    def forward(self, x):
        return 2 * super().forward(x)


def hooked():
    module = nn.Linear(2, 2)
    module.register_forward_hook(lambda module, inputs, output: output + 1)
    return module


MORE = {
    "a class of its own": Doubled(3, 2),
    "a hook": hooked(),
    "another setting": nn.Softplus(beta=2),
    "dropout": nn.Sequential(nn.Linear(2, 2), nn.Dropout()),
    "a module of modules": nn.ModuleList([nn.Linear(2, 2)]),
}


@pytest.mark.parametrize("module", PLAIN.values(), ids=PLAIN)
def test_what_is_built_computes_the_same_also_under_vmap(module):
    made = build(recipe_of(module))
    x = torch.randn(5, 3)

    def call(points):
        return functional_call(made, dict(module.named_parameters()), points)

    torch.testing.assert_close(call(x), module(x))
    torch.testing.assert_close(torch.func.vmap(call)(x), module(x))
    assert all(parameter.is_meta for parameter in made.parameters()), "it holds no weights of its own"


@pytest.mark.parametrize("module", MORE.values(), ids=MORE)
def test_what_is_more_than_plain_layers_has_no_recipe(module):
    assert recipe_of(module) is None


PARTS = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-2, 9)
    | st.sampled_from([*LAYERS, "Linear", "Sequential", "Bilinear", "Warp", "WarpedNormal", "eval"]),
    lambda parts: st.lists(parts, max_size=5),
    max_leaves=20,
)


@given(PARTS)
def test_a_recipe_of_anything_is_a_plain_module_or_nothing(recipe):
    made = build(recipe)
    assert made is None or recipe_of(made) is not None


def test_a_flow_is_built_anew_with_its_inverse():
    layer, z = Warp(3), torch.randn(5, 3)
    made, own = build(recipe_of(layer)), dict(layer.named_parameters())
    x, log_det = functional_call(made, own, z)
    torch.testing.assert_close(layer.inverse(x)[0], z)
    torch.testing.assert_close(log_det, layer(z)[1])
    assert all(parameter.is_meta for parameter in made.parameters())
