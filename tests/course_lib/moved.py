"""What the tests of flows share: parameters moved away from the identity, at which most flows start."""

from __future__ import annotations

import torch

TOLERANCE = {torch.float32: {"atol": 2e-4, "rtol": 1e-4}, torch.float64: {"atol": 1e-10, "rtol": 1e-10}}


def with_noise(flow, device="cpu", dtype=torch.float64, scale=0.4):
    """Layers that start as the identity hide their mistakes."""
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in flow.parameters():
            parameter += scale * torch.randn(parameter.shape, generator=generator)
    return flow.to(device, dtype)
