"""Every explorer draws, headless, at the extremes of every slider."""

from __future__ import annotations

import base64
import itertools
import math

import numpy as np
import pytest
import torch
from PIL import Image

from course_lib.explorers import EXPLORERS
from course_lib.explorers.jensen_entropy_kl import bound_and_gap
from course_lib.plots import CYCLE, Picture, draw_images, label, new_figure, render_png, tile

named = pytest.mark.parametrize("explorer", EXPLORERS.values(), ids=EXPLORERS.keys())


def corners(explorer):
    many = len(explorer.sliders) > 3
    ends = {
        name: (slider.low, slider.high) if many else (slider.low, slider.start, slider.high)
        for name, slider in explorer.sliders.items()
    }
    for values in itertools.product(*ends.values()):
        yield {
            name: int(value) if explorer.sliders[name].whole else value
            for name, value in zip(ends, values, strict=True)
        }


@named
def test_it_draws_at_the_extremes_of_every_slider(explorer):
    for settings in corners(explorer):
        figure, alt = explorer.draw(**settings)
        assert render_png(figure).startswith(b"\x89PNG")
        assert len(alt.split()) > 12
        assert "nan" not in alt.lower().split()
        for axis in figure.axes:
            assert axis.get_title(loc="left"), "every axis has a takeaway title"
            assert axis.get_xlabel()
            assert axis.get_ylabel()
            assert all(math.isfinite(limit) for limit in (*axis.get_xlim(), *axis.get_ylim()))


@named
def test_the_same_settings_draw_the_same_picture_and_others_another(explorer):
    first, again = (render_png(explorer.draw(**explorer.defaults)[0]) for _ in range(2))
    assert first == again
    for name, slider in explorer.sliders.items():
        moved = {**explorer.defaults, name: int(slider.high) if slider.whole else slider.high}
        assert render_png(explorer.draw(**moved)[0]) != first, f"{name} changes nothing"


@named
def test_it_offers_a_widget_and_a_still_picture_of_the_same_settings(explorer):
    bundle = explorer._repr_mimebundle_()
    assert "application/vnd.jupyter.widget-view+json" in bundle
    _, alt = explorer.draw(**explorer.defaults)
    assert alt in bundle["text/plain"]
    assert 'alt="' in bundle["text/html"]
    assert base64.b64decode(bundle["image/png"]).startswith(b"\x89PNG")


@named
def test_moving_a_slider_changes_the_picture(explorer):
    widget = explorer.widget()
    *controls, picture = widget.children
    before = picture.value
    controls[0].value = controls[0].max
    assert picture.value != before
    assert "<img alt=" in picture.value


@pytest.mark.parametrize("mu", [-3.0, 0.0, 0.4, 3.0])
@pytest.mark.parametrize("sigma", [0.1, 0.8, 2.5])
def test_elbo_and_kl_add_up_to_log_p_everywhere(mu, sigma):
    elbo, kl, log_evidence = bound_and_gap(mu, sigma)
    assert kl >= 0
    # Two quadratures on different grids: the sum is not true by construction.
    assert elbo + kl == pytest.approx(log_evidence, abs=1e-5)


def simulate_deuteranopia(colour: str) -> np.ndarray:
    """Viénot, Brettel and Mollon, 1999, in linear RGB."""
    rgb = np.array([int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]) ** 2.2
    return np.array([[0.29275, 0.70725, 0.0], [0.29275, 0.70725, 0.0], [-0.02234, 0.02234, 1.0]]) @ rgb


def test_colours_stay_apart_for_a_colour_blind_reader():
    for one, other in itertools.combinations(CYCLE, 2):
        assert np.abs(simulate_deuteranopia(one) - simulate_deuteranopia(other)).max() > 0.03, (one, other)


def test_a_picture_carries_its_text_for_screen_readers():
    figure, (axis,) = new_figure()
    label(axis, "A title", "x", "y")
    bundle = Picture(figure, 'a "quoted" sentence')._repr_mimebundle_()
    assert "a &quot;quoted&quot; sentence" in bundle["text/html"]
    assert bundle["text/plain"] == '[picture: a "quoted" sentence]'


def test_images_are_tiled_in_reading_order(tmp_path):
    images = torch.arange(1, 6, dtype=torch.uint8).reshape(5, 1, 1).expand(5, 2, 3)
    canvas = tile(images, columns=3, gap=1)
    assert canvas.shape == (5, 11)
    assert canvas[0, 0] == 1
    assert canvas[0, 8] == 3
    assert canvas[3, 0] == 4
    assert canvas[2].sum() == 0
    figure, (axis,) = new_figure()
    draw_images(axis, images, columns=3)
    (tmp_path / "x.png").write_bytes(render_png(figure))
    assert Image.open(tmp_path / "x.png").size[0] > 100
