"""Every explorer draws, headless, at the extremes of every control, in the place its axes always have."""

from __future__ import annotations

import asyncio
import base64
import itertools
import math
from dataclasses import replace

import pytest
import torch

from course_lib.explorers import EXPLORERS
from course_lib.explorers.controls import Choice, LogSlider, Slider, Switch
from course_lib.explorers.explorer import AT_REST, VIEW, Explorer
from course_lib.explorers.jensen_entropy_kl import (
    bound_and_gap,
    two_peaked_log_evidence,
    two_peaked_log_joint,
    two_peaked_slope,
)
from course_lib.explorers.variational_inference import bounds, climb
from course_lib.plots import label, new_figure, render_png

named = pytest.mark.parametrize("explorer", EXPLORERS.values(), ids=EXPLORERS.keys())


def corners(explorer):
    yield explorer.defaults
    for values in itertools.product(*(control.ends for control in explorer.controls.values())):
        yield dict(zip(explorer.controls, values, strict=True))


def outside(figure):
    """Return the texts of a figure that leave it, with the pixels by which they do."""
    whole = figure.bbox
    for axis in figure.axes:
        texts = [axis.title, axis._left_title, axis.xaxis.label, axis.yaxis.label, *axis.texts]
        for side in (axis.xaxis, axis.yaxis):
            low, high = sorted(side.get_view_interval())
            texts += [tick.label1 for tick in side.get_major_ticks() if low <= tick.get_loc() <= high]
        for text in texts:
            if text.get_text() and text.get_visible():
                box = text.get_window_extent()
                over = max(whole.x0 - box.x0, whole.y0 - box.y0, box.x1 - whole.x1, box.y1 - whole.y1)
                if over > 1:
                    yield text.get_text(), round(over)


@named
def test_it_draws_at_the_extremes_of_every_control(explorer):
    places = None
    for settings in corners(explorer):
        figure, alt = explorer.frame(**settings)
        assert render_png(figure, scale=1, quick=True).startswith(b"\x89PNG")
        assert len(alt.split()) > 12
        assert "nan" not in alt.lower().split()
        assert figure.get_size_inches()[0] <= 10, "no more than 900 pixels wide"
        for axis in figure.axes:
            assert axis.get_title(loc="left"), "every axis has a takeaway title"
            assert axis.get_xlabel()
            assert axis.get_ylabel()
            assert all(math.isfinite(limit) for limit in (*axis.get_xlim(), *axis.get_ylim()))
        now = [axis.get_position(original=True).bounds for axis in figure.axes]
        assert now == (places := places or now), "the axes keep their places"
        assert not list(outside(figure)), settings
        titles = [axis._left_title.get_window_extent() for axis in figure.axes]
        for one, other in itertools.pairwise(titles):
            assert one.x1 < other.x0, (settings, "titles run into each other")


@named
def test_the_same_settings_draw_the_same_picture_and_others_another(explorer):
    first, again = (render_png(explorer.frame(**explorer.defaults)[0]) for _ in range(2))
    assert first == again
    afresh = replace(explorer)
    for name, control in explorer.controls.items():
        other = next(value for value in reversed(control.ends) if value != control.first)
        moved = {**explorer.defaults, name: other}
        png = render_png(explorer.frame(**moved)[0])
        assert png != first, f"{name} changes nothing"
        assert png == render_png(afresh.frame(**moved)[0]), "depends on what was drawn before"


@named
def test_it_offers_a_widget_and_a_still_picture_of_the_same_settings(explorer):
    bundle, metadata = explorer._repr_mimebundle_()
    assert VIEW in bundle
    _, alt = explorer.draw(**explorer.defaults)
    assert alt in bundle["text/plain"]
    assert 'alt="' in bundle["text/html"]
    assert base64.b64decode(bundle["image/png"]).startswith(b"\x89PNG")
    assert metadata["image/png"]["width"] <= 900


@named
def test_moving_a_control_changes_the_picture(explorer):
    row, picture = explorer.widget().children
    for control in row.children:
        before = picture.value
        options = getattr(control, "options", None)
        if options:
            control.value = options[-1][1]
        else:
            control.value = control.max if hasattr(control, "max") else not control.value
        assert picture.value != before
        assert "<img " in picture.value


def wave(height):
    figure, (axis,) = new_figure()
    axis.plot([0, height])
    label(axis, "A title", "x", "y")
    return figure, f"A line up to {height}."


def size(picture):
    png = base64.b64decode(picture.value.partition("base64,")[2].partition('"')[0])
    return int.from_bytes(png[16:20], "big")


def test_the_picture_is_coarse_while_a_control_moves_and_sharp_at_rest():
    explorer = Explorer(wave, {"height": Slider("height", start=1, low=0, high=9, step=1)})

    async def move():
        row, picture = explorer.widget().children
        sharp, seen = size(picture), []
        for height in (4, 5, 6):
            row.children[0].value = height
            seen.append((size(picture), f"up to {height}." in picture.value))
        coarse = picture.value
        await asyncio.sleep(AT_REST * 2)
        assert f"up to {height}." in picture.value
        assert picture.value != coarse
        return sharp, seen, size(picture)

    sharp, seen, at_rest = asyncio.run(move())
    assert at_rest == sharp
    assert seen == [(sharp // 2, True)] * 3


def test_where_no_loop_runs_the_picture_is_sharp_at_once():
    row, picture = Explorer(wave, {"height": Slider("height", 1, 0, 9, 1)}).widget().children
    sharp = size(picture)
    row.children[0].value = 4
    assert size(picture) == sharp


def test_a_logarithmic_slider_walks_in_round_numbers():
    assert LogSlider("n", start=20, low=1, high=60).values == [1, 2, 3, 4, 5, 6, 8, 10, 12, 15, 20, 25, 30, 40, 50, 60]
    assert LogSlider("s", start=0.03, low=0.01, high=0.05).values == [0.01, 0.012, 0.015, 0.02, 0.025, 0.03, 0.04, 0.05]
    assert LogSlider("n", start=7, low=5, high=9).values == [5, 6, 7, 8, 9], "its start is among them"


@pytest.mark.parametrize(
    ("control", "kind", "readout"),
    [
        (Slider("a", start=2, low=0, high=9, step=1), "IntSlider", "d"),
        (Slider("a", start=0.5, low=0.1, high=2.0, step=0.1), "FloatSlider", ".1f"),
        (Slider("a", start=0.5, low=0.1, high=2.0, step=0.05), "FloatSlider", ".2f"),
        (LogSlider("a", start=2, low=1, high=500), "SelectionSlider", None),
        (Choice("a", start=1, options={"one": 1, "two": 2}), "Dropdown", None),
        (Switch("a"), "Checkbox", None),
    ],
)
def test_a_control_is_the_widget_that_fits_it(control, kind, readout):
    import ipywidgets

    widget = control.widget(ipywidgets)
    assert type(widget).__name__ == kind
    assert (widget.description, widget.value) == ("a", control.first)
    assert getattr(widget, "readout_format", None) == readout


@pytest.mark.parametrize("mu", [-3.0, 0.0, 0.4, 3.0])
@pytest.mark.parametrize("sigma", [0.1, 0.8, 2.5])
def test_elbo_and_kl_add_up_to_log_p_everywhere(mu, sigma):
    elbo, kl, log_evidence = bound_and_gap(mu, sigma)
    assert kl >= 0
    # Two quadratures on different grids: the sum is not true by construction.
    assert elbo + kl == pytest.approx(log_evidence, abs=1e-5)
    assert bounds([mu], [math.log(sigma)])[0] == pytest.approx(elbo, abs=1e-3)


def test_the_slope_is_the_derivative():
    z = torch.linspace(-4, 4, 50, dtype=torch.float64, requires_grad=True)
    (slope,) = torch.autograd.grad(two_peaked_log_joint(z).sum(), z)
    torch.testing.assert_close(two_peaked_slope(z.detach()), slope)


def test_the_climb_climbs_below_log_p():
    reached = bounds(*climb(80, 0.03, 2.8))
    assert reached == pytest.approx(sorted(reached), abs=1e-4)
    assert reached[-1] < two_peaked_log_evidence()
