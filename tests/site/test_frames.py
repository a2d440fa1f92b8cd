"""Frames of explorers: the live picture at the same settings, and all the positions that a reader can reach."""

from __future__ import annotations

import json
import re
from itertools import product

import numpy as np
import pytest

pytest.importorskip("furo", reason="the extra `site` is not installed")

from course_site.frames import over, picture
from course_site.positions import LEAST, all_values, positions_of, spread
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from course_lib.explorers import EXPLORERS
from course_lib.explorers.controls import LogSlider, Slider
from course_lib.plots import UNSEEN

COUNTS = (12, 50, 96, 200)


def data_of(site, name: str) -> dict:
    for page in site.html.glob("notebooks/*.html"):
        found = re.search(
            rf'id="explorer-{name}">.*?<script type="application/json">(.*?)</script>',
            page.read_text(encoding="utf-8"),
            re.DOTALL,
        )
        if found:
            return {**json.loads(found[1]), "at": page.parent}
    raise AssertionError(f"no page shows {name}")


def laid_over(first: np.ndarray, frame: np.ndarray) -> np.ndarray:
    seen = frame[..., 3:] > 0
    return np.where(seen, frame, first)


def pixels(path, mode: str) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image.convert(mode))


@pytest.mark.parametrize("name", EXPLORERS)
def test_a_frame_is_the_live_picture_at_its_settings(site, name):
    data = data_of(site, name)
    values = [all_values(control) for control in EXPLORERS[name].controls.values()]
    settings = [
        {
            key: values[i][data["names"][i][place]]
            for i, (key, place) in enumerate(zip(EXPLORERS[name].controls, places, strict=True))
        }
        for places in data["places"]
    ]
    assert len(settings) == len(data["files"]) == len(data["texts"])
    first = pixels(data["at"] / data["folder"] / data["first"], "RGBA")
    for number in {0, len(settings) // 3, len(settings) - 1}:
        live, sentence = picture(name, settings[number])
        file = data["files"][number]
        frame = first if file is None else laid_over(first, pixels(data["at"] / data["folder"] / file, "RGBA"))
        assert np.abs(frame.astype(int) - live).max() <= UNSEEN / 2
        assert data["texts"][number] == sentence


@pytest.mark.parametrize("name", EXPLORERS)
def test_different_settings_are_told_apart(site, name):
    data = data_of(site, name)
    assert len(set(data["files"])) > len(data["files"]) / 2


def test_what_is_laid_over_covers_what_differs_and_nothing_else():
    first, changed = np.random.default_rng(0).integers(0, 3, (2, 40, 50, 4), dtype=np.uint8)
    first[..., 3] = changed[..., 3] = 255
    frame = over(first, changed)
    assert (laid_over(first, frame) == changed).all()
    assert ((frame[..., 3] > 0) == (first != changed).any(-1)).all()


@pytest.mark.parametrize("count", COUNTS)
@pytest.mark.parametrize("name", EXPLORERS)
def test_every_position_that_the_controls_can_take_has_a_frame(name, count):
    explorer = EXPLORERS[name]
    positions = positions_of(explorer, count)
    places = set(positions.places())
    assert len(places) == len(positions.places())
    start = tuple(positions.start.values())
    if positions.star:  # each slider alone, beside every name and switch
        away = [name in positions.star for name in positions.values]
        for place in product(*(range(len(values)) for values in positions.values.values())):
            reachable = sum(moves and here != first for moves, here, first in zip(away, place, start, strict=True)) <= 1
            assert (place in places) == reachable
    else:
        assert len(places) == np.prod([len(values) for values in positions.values.values()])
    assert start in places
    for key, control in explorer.controls.items():
        every = list(all_values(control).values())
        chosen = positions.values[key]
        assert chosen[positions.start[key]] == control.first
        assert set(control.ends) <= set(chosen)
        assert set(chosen) <= set(every)
        assert len(set(chosen)) == len(chosen) == len(positions.names[key])


def test_sliders_do_not_jump_where_there_is_room():
    for explorer in EXPLORERS.values():
        for key, values in positions_of(explorer, 84).values.items():
            if isinstance(explorer.controls[key], Slider | LogSlider):
                assert len(values) >= LEAST


@given(count=st.integers(2, 90), wanted=st.integers(2, 90), data=st.data())
def test_places_are_spread_from_end_to_end_through_the_start(count, wanted, data):
    start = data.draw(st.integers(0, count - 1))
    places = spread(count, wanted, start)
    assert places == sorted(set(places))
    assert {0, start, count - 1} <= set(places)
    assert len(places) <= max(wanted, 3)
