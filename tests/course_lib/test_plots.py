"""Pictures: their text, their sizes, their bytes, and colours for every eye and theme."""

from __future__ import annotations

import base64

import torch

from course_lib.plots import Picture, draw_images, label, new_figure, render_png, shown_size, tile


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
    width, height = (round(inches * 90) for inches in figure.get_size_inches())
    assert metadata == {"image/png": {"width": width, "height": height}}
    assert f'width="{width}" height="{height}"' in bundle["text/html"]
    png = base64.b64decode(bundle["image/png"])
    assert png == shown.png
    assert shown_size(png, scale=1) == {"width": 2 * width, "height": 2 * height}
    assert shown_size(render_png(figure, scale=1), scale=1) == {"width": width, "height": height}


def test_equal_figures_give_equal_bytes_however_often_they_are_drawn():
    figure, shown = picture()
    again, _ = picture()
    coarse = render_png(again, scale=1, level=1)
    assert render_png(figure) == render_png(again) == shown.png
    assert render_png(again, scale=1, level=1) == coarse


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
