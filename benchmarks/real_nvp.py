"""Real-NVP as in Dinh, Sohl-Dickstein and Bengio (2017), section 4.1, on CIFAR-10.

Two scales (the images are downscaled once): three checkerboard couplings, a squeeze, three channel-wise ones, half of the
channels leave, four checkerboard couplings; networks of 8 residual blocks with 64 feature maps, weight normalisation and
batch normalisation; log-scales are a tanh times a trained factor; the logit of 0.05 + 0.95 x; training images flipped at
random; batches of 64; Adam as it comes, learning rate 1e-3; L2 regularisation of 5e-5 on the scales of weights.

The course's ImageRealNVP carries it, with these differences. The second convolution of its residual blocks is 1 × 1, the
last of a network 3 × 3 (theirs the other way round), and no block's output skips to the end; all couplings have 64 maps,
where theirs have 128 after a squeeze; a network sees the kept entries alone, theirs also their negatives and the mask; the
factor of the tanh is one a channel, theirs one a coupling. Batch normalisation stands before every rectified linear unit
of the networks; that of the couplings' outputs (section 3.7) is left out: couplings start as the identity instead. The
paper does not say how long it trained.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import weight_norm

from benchmarks.recipe import Training
from course_lib.image_flows import ImageRealNVP, MaskedCoupling, Residual
from course_lib.nice import dequantize
from course_lib.real_nvp import logit_transform

PUBLISHED = 3.49  # bits/dim, table 1
FEATURE_MAPS, BLOCKS, SCALES, BATCH, LOOK = 64, 8, 2, 64, 10
ALPHA, LEVELS, L2 = 0.05, 256, 5e-5


def real_nvp_training(
    images: Tensor, feature_maps: int = FEATURE_MAPS, blocks: int = BLOCKS, batch: int = BATCH, look: int = LOOK
) -> Training:
    """Return the training, before its first step, of images uint8 ``(n, channels, height, width)`` on their device."""
    device = images.device
    _, channels, height, width = images.shape
    torch.manual_seed(0)
    flow = ImageRealNVP(channels, height, width, feature_maps, SCALES, blocks=blocks)
    for coupling in flow.modules():
        if isinstance(coupling, MaskedCoupling):
            coupling.network = normalised(coupling.network, feature_maps).to(memory_format=torch.channels_last)
    flow.to(device)

    def log_prob(pixels: Tensor, generator: torch.Generator) -> Tensor:
        if flow.training:
            turned = torch.rand(len(pixels), 1, 1, 1, generator=generator, device=device) < 0.5
            pixels = torch.where(turned, pixels.flip(-1), pixels)
        noise = torch.rand(pixels.shape, generator=generator, device=device)
        x, _ = dequantize(pixels.flatten(1), noise.flatten(1), LEVELS)
        y, log_det = logit_transform(x.view(pixels.shape), ALPHA)
        return flow.log_prob(y) + log_det

    scales = [p for name, p in flow.named_parameters() if name.endswith(("weight.original0", "bound"))]
    others = [p for name, p in flow.named_parameters() if not name.endswith(("weight.original0", "bound"))]
    # Adam adds weight_decay · w to a gradient; that of 5e-5 w² is 1e-4 w.
    groups = [{"params": scales, "weight_decay": 2 * L2}, {"params": others}]
    optimizer = torch.optim.Adam(groups, lr=1e-3, fused=True, capturable=device.type == "cuda")
    return Training("Real-NVP", flow, log_prob, optimizer, images, batch, look)


def normalised(network: nn.Sequential, feature_maps: int) -> nn.Sequential:
    """Return a coupling's network with weight normalisation, and batch normalisation before every rectified linear unit.

    Its last layer starts at zero as before: by its scale, since a direction of length 0 has none.
    """
    last = network[-1]
    assert isinstance(last, nn.Conv2d)
    last.reset_parameters()
    layers: list[nn.Module] = []
    for layer in network:
        if isinstance(layer, Residual):
            layer.change = _normalised(layer.change, feature_maps)
        layers.append(layer)
    whole = _normalised(nn.Sequential(*layers), feature_maps)
    with torch.no_grad():
        last.parametrizations.weight.original0.zero_()
        last.bias.zero_()
    return whole


def _normalised(layers: nn.Sequential, feature_maps: int) -> nn.Sequential:
    made: list[nn.Module] = []
    for layer in layers:
        if isinstance(layer, nn.ReLU):
            made.append(nn.BatchNorm2d(feature_maps, eps=1e-4))
        made.append(weight_norm(layer) if isinstance(layer, nn.Conv2d) else layer)
    return nn.Sequential(*made)
