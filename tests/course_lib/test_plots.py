"""Pictures: their text, their sizes, their bytes, and colours for every eye and theme."""

from __future__ import annotations

import base64
import io
import itertools
import re

import numpy as np
import pytest
import torch
from PIL import Image

from course_lib.plots import (
    CYCLE,
    DARK_THEME,
    MARKERS,
    Picture,
    draw_images,
    label,
    new_figure,
    render_png,
    shown_size,
    tile,
)


def picture(alt="a sentence"):
    figure, (axis,) = new_figure()
    axis.plot([0, 1])
    label(axis, "A title", "x", "y")
    return figure, Picture(figure, alt)


def test_a_picture_carries_its_text_for_screen_readers():
    _, shown = picture('a "quoted" sentence')
    bundle, _ = shown._repr_mimebundle_()
    assert "a &quot;quoted&quot; sentence" in bundle["text/html"]
    assert bundle["text/plain"] == '[picture: a "quoted" sentence]'


def test_a_picture_has_twice_the_pixels_of_the_place_it_is_shown_in():
    figure, shown = picture()
    bundle, metadata = shown._repr_mimebundle_()
    width, height = metadata["image/png"].values()
    assert (width, height) == pytest.approx(tuple(90 * figure.get_size_inches()), abs=1)
    assert f'width="{width}" height="{height}"' in bundle["text/html"]
    png = base64.b64decode(bundle["image/png"])
    assert png == shown.png
    assert tuple(shown_size(png, scale=1).values()) == pytest.approx((2 * width, 2 * height), abs=1)
    assert tuple(shown_size(render_png(figure, scale=1), scale=1).values()) == (width, height)


def test_equal_figures_give_equal_bytes_however_often_they_are_drawn():
    figure, shown = picture()
    again, _ = picture()
    coarse = render_png(again, scale=1, quick=True)
    assert render_png(figure) == render_png(again) == shown.png
    assert render_png(again, scale=1, quick=True) == coarse


@pytest.mark.parametrize("colours", ["few", "many"])
def test_a_small_picture_looks_like_the_quick_one(colours):
    figure, _ = picture()
    if colours == "many":
        figure.axes[0].imshow(np.random.default_rng(0).random((60, 60, 3)))
    small, quick = (render_png(figure, quick=quick) for quick in (False, True))
    assert len(small) < len(quick)
    pixels = [np.asarray(Image.open(io.BytesIO(png)).convert("RGB")).astype(int) for png in (small, quick)]
    assert np.abs(pixels[0] - pixels[1]).max() <= 8
    assert (pixels[0][(pixels[1] == 255).all(-1)] == 255).all(), "white stays white"


def test_images_are_tiled_in_reading_order():
    images = torch.arange(1, 6, dtype=torch.uint8).reshape(5, 1, 1).expand(5, 2, 3)
    canvas = tile(images, columns=3, gap=1)
    assert canvas.shape == (5, 11)
    assert canvas[0, 0] == 1
    assert canvas[0, 8] == 3
    assert canvas[3, 0] == 4
    assert canvas[2].sum() == 0
    figure, (axis,) = new_figure()
    draw_images(axis, images, columns=3)
    assert render_png(figure).startswith(b"\x89PNG")


def linear(rgb):
    return np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)


def on_white(colour):
    return np.array([int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)])


def in_the_dark(colour):
    """The colour as DARK_THEME shows it: CSS's invert, then its hue-rotate by 180 degrees, which clips."""
    amount = float(re.search(r"invert\((.+?)\) hue-rotate\(180deg\)", DARK_THEME)[1])
    grey = np.array([0.213, 0.715, 0.072])
    return np.clip((2 * grey - np.eye(3)) @ (on_white(colour) * (1 - 2 * amount) + amount), 0, 1)


def contrast(one, other):
    """As WCAG 2.2 defines it."""
    lights = [linear(rgb) @ [0.2126, 0.7152, 0.0722] + 0.05 for rgb in (one, other)]
    return max(lights) / min(lights)


# Machado, Oliveira and Fernandes, "A physiologically-based model for simulation of color vision deficiency", 2009.
EYES = {
    "all cones": np.eye(3),
    "no red": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "no green": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.01182, 0.04294, 0.968881]],
    "no blue": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.3039]],
}


def seen(rgb, eyes):
    """The colour that such eyes see, in Oklab, where distances are differences: black to white is 100."""
    light = np.clip(np.array(EYES[eyes]) @ linear(rgb), 0, 1)
    cones = [[0.4122215, 0.5363325, 0.051446], [0.2119035, 0.6806995, 0.1073970], [0.0883025, 0.2817188, 0.6299787]]
    axes = [[0.2104543, 0.793618, -0.0040720], [1.9779985, -2.4285922, 0.4505937], [0.0259040, 0.7827718, -0.8086758]]
    return 100 * np.array(axes) @ np.cbrt(np.array(cones) @ light)


themes = pytest.mark.parametrize("theme", [on_white, in_the_dark])


@themes
def test_lines_and_text_stand_out_from_the_ground(theme):
    for colour in CYCLE:
        assert contrast(theme(colour), theme("#FFFFFF")) > 4.5, colour


@themes
@pytest.mark.parametrize("eyes", EYES)
def test_colours_stay_apart_for_every_eye(theme, eyes):
    least = 15 if eyes == "all cones" else 7.5
    for one, other in itertools.combinations(CYCLE, 2):
        assert np.linalg.norm(seen(theme(one), eyes) - seen(theme(other), eyes)) > least, (one, other)


def test_every_colour_has_a_marker_of_its_own():
    assert len(set(MARKERS)) == len(MARKERS) >= len(CYCLE)


def test_white_becomes_the_ground_of_a_dark_theme():
    assert np.allclose(255 * in_the_dark("#FFFFFF"), 0x12, atol=1)
