"""Diagrams: what is written in a node stays in it, a crossed-out gradient has its cross, and all of it has a text."""

from __future__ import annotations

import pytest

from course_lib.figures.diagrams import Diagram
from course_lib.plots import RED


def extent(artist, diagram):
    return artist.get_window_extent(diagram._figure.canvas.get_renderer())


def lies_within(inner, outer):
    return outer.x0 < inner.x0 < inner.x1 < outer.x1 and outer.y0 < inner.y0 < inner.y1 < outer.y1


@pytest.mark.parametrize("text", ["z", "encoder\nφ", "importance weights", r"$\mathcal{L}_i$"])
def test_the_text_of_a_step_stays_in_its_box(text):
    diagram = Diagram(columns=3)
    diagram.node("step", (1, 0), "step", text)
    diagram.picture("One step", "A box.")
    frame, written = extent(diagram._shapes["step"], diagram), extent(diagram._axis.texts[0], diagram)
    assert lies_within(written, frame)


@pytest.mark.parametrize(("way", "crosses"), [("value", 0), ("gradient", 0), ("cut", 1)])
def test_only_a_cut_gradient_carries_a_cross(way, crosses):
    diagram = Diagram(columns=2)
    diagram.node("a", (0, 0), "latent")
    diagram.node("b", (1, 0), "observed")
    diagram.arrow("a", "b", way, text="flows")
    assert len(diagram._axis.lines) == crosses
    assert diagram._axis.texts[-1].get_text() == "flows"
    assert (diagram._axis.texts[-1].get_color() == RED) == (way != "value")


def test_a_plate_frames_what_it_counts():
    diagram = Diagram(columns=2)
    diagram.node("z", (0, 0), "latent")
    diagram.node("x", (1, 0), "observed")
    diagram.plate(["z", "x"], "N images")
    frame = extent(diagram._axis.patches[-1], diagram)
    for shape in diagram._shapes.values():
        assert lies_within(extent(shape, diagram), frame)


def test_the_same_diagram_is_the_same_picture_with_its_text():
    def drawn():
        diagram = Diagram(columns=2)
        diagram.node("z", (0, 0), "latent")
        diagram.node("x", (1, 0), "observed")
        diagram.arrow("z", "x", text="p(x|z)", bend=0.2)
        return diagram.picture("z makes x", "An arrow from z to x.")

    assert drawn().png == drawn().png
    assert drawn().alt == "An arrow from z to x."
