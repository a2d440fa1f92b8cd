"""Pictures with sliders, one file for each notebook's: ``explorers.bound`` in a cell shows one."""

from __future__ import annotations

from course_lib.explorers.amortized_inference import amortization
from course_lib.explorers.conditional_and_convolutional_vaes import completion
from course_lib.explorers.explorer import Explorer
from course_lib.explorers.jensen_entropy_kl import bound, entropy, jensen
from course_lib.explorers.latent_variable_models import monte_carlo
from course_lib.explorers.nice import couplings
from course_lib.explorers.normalizing_flows import stretching, through_layers
from course_lib.explorers.policy_gradient_vs_reparameterization import gradients
from course_lib.explorers.real_nvp import affine, moons_by_layers
from course_lib.explorers.start_here import underflow
from course_lib.explorers.vaes_in_practice import weight
from course_lib.explorers.variational_autoencoder import plane
from course_lib.explorers.variational_inference import ascent

EXPLORERS: dict[str, Explorer] = {
    "underflow": underflow,
    "monte_carlo": monte_carlo,
    "jensen": jensen,
    "entropy": entropy,
    "bound": bound,
    "ascent": ascent,
    "amortization": amortization,
    "gradients": gradients,
    "plane": plane,
    "completion": completion,
    "weight": weight,
    "stretching": stretching,
    "through_layers": through_layers,
    "couplings": couplings,
    "affine": affine,
    "moons_by_layers": moons_by_layers,
}
