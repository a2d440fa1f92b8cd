"""NICE as in Dinh, Krueger and Bengio (2015), section 5.1, on MNIST.

Four additive couplings of even and odd entries, each with five hidden layers of 1,000 rectified linear units, a scaling, a
logistic prior; digits dequantized with uniform noise; Adam with learning rate 1e-3, momentum 0.9, "β2 = 0.01, λ = 1,
ε = 1e-4"; the best of 1,500 epochs on a validation set. Taken as the first version of Adam's paper writes it, where β2 is
the weight of the newest gradient, β2 = 0.01 is today's 0.99; λ = 1 lets nothing decay.

Not in the paper, so from its authors' code (github.com/laurent-dinh/nice): batches of 200, and the last 10,000 training
images for validation. Ours: each network's last layer starts at zero, the others as PyTorch starts them; there all
weights are uniform within ±0.01.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from benchmarks.recipe import Training
from course_lib.nice import NICE, dequantize

PUBLISHED = 1980.50  # nats, figure 3
COUPLINGS, HIDDEN_LAYERS, HIDDEN_DIM, EPOCHS = 4, 5, 1000, 1500
BATCH, HELD_OUT, LEVELS = 200, 10_000, 256


def nice_training(
    images: Tensor, hidden_dim: int = HIDDEN_DIM, held_out: int = HELD_OUT, batch: int = BATCH
) -> Training:
    """Return the training, before its first step, of images uint8 ``(n, 1, height, width)`` on their device.

    Args:
        held_out: how many images, the last ones, choose the best model after every epoch.
    """
    learned, chosen_by = images[:-held_out], images[-held_out:]
    dim, device = images[0].numel(), images.device
    torch.manual_seed(0)
    model = rectified(NICE(dim, hidden_dim, COUPLINGS, HIDDEN_LAYERS)).to(device)

    def log_prob(pixels: Tensor, generator: torch.Generator) -> Tensor:
        noise = torch.rand(len(pixels), dim, generator=generator, device=device)
        return model.log_prob(dequantize(pixels.flatten(1), noise, LEVELS)[0])

    optimizer = torch.optim.Adam(
        model.parameters(), lr=1e-3, betas=(0.9, 0.99), eps=1e-4, fused=True, capturable=device.type == "cuda"
    )
    return Training("NICE", model, log_prob, optimizer, learned, batch, len(learned) // batch, chosen_by)


def rectified(model: NICE) -> NICE:
    """Put a rectified linear unit wherever the course's networks have a tanh."""
    for part in list(model.modules()):
        for name, layer in part.named_children():
            if isinstance(layer, nn.Tanh):
                setattr(part, name, nn.ReLU())
    return model
