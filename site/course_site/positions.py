"""Where an explorer's controls stand in its frames: all positions together if they are few, else some of them.

A live explorer has a picture for every setting; a page has a number of frames. With few sliders these are a product: each
position of one with each of the others. Where that would leave a slider fewer than :data:`LEAST` positions, the frames are a
star instead: every slider moves while the others stand where they start. Names and switches keep all their values either way.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from math import prod
from typing import Any

from course_lib.explorers import Explorer
from course_lib.explorers.controls import Choice, Control, LogSlider, Slider, Switch

LEAST = 4  # positions of a slider, below which it does not move but jump


@dataclass(frozen=True)
class Positions:
    """Which values each control takes, and whether they are combined."""

    values: dict[str, list[Any]]
    names: dict[str, list[str]]  # of the values, as the controls show them
    start: dict[str, int]  # the place of each control's start among its values
    star: frozenset[str]  # the sliders of which only one is away from its start; none if all are combined
    whole: bool  # whether every value of the live explorer is there

    def settings(self) -> list[dict[str, Any]]:
        """Return the settings of all frames."""
        return [
            {name: self.values[name][place] for name, place in zip(self.values, places, strict=True)}
            for places in self.places()
        ]

    def places(self) -> list[tuple[int, ...]]:
        """Return, for each frame, the place of every control among its values."""
        ranges = [range(len(values)) for values in self.values.values()]
        away = [name in self.star for name in self.values]
        start = list(self.start.values())
        return [
            places
            for places in product(*ranges)
            if sum(one and place != first for one, place, first in zip(away, places, start, strict=True)) <= 1
            or not self.star
        ]


def all_values(control: Control) -> dict[str, Any]:
    """Return every value of a control, by the name it is shown under."""
    if isinstance(control, Choice):
        return dict(control.options)
    if isinstance(control, Switch):
        return {"no": False, "yes": True}
    if isinstance(control, LogSlider):
        return {f"{value:g}": value for value in control.values}
    assert isinstance(control, Slider)
    decimals = 0 if control.whole else len(f"{control.step:g}".partition(".")[2])
    steps = round((control.high - control.low) / control.step)
    kind = int if control.whole else float
    values = [kind(round(control.low + step * control.step, decimals)) for step in range(steps + 1)]
    return {f"{value:.{decimals}f}": value for value in values}


def spread(count: int, wanted: int, start: int) -> list[int]:
    """Return ``wanted`` of ``count`` places, evenly, both ends and ``start`` among them."""
    if wanted >= count:
        return list(range(count))
    places = [round(i * (count - 1) / (wanted - 1)) for i in range(wanted)]
    inner = places[1:-1]
    if start not in places and inner:
        places[places.index(min(inner, key=lambda place: abs(place - start)))] = start
    return sorted({*places, start})


def positions_of(explorer: Explorer, frames: int) -> Positions:
    """Return the positions of an explorer's controls, in at most about so many frames."""
    every = {name: all_values(control) for name, control in explorer.controls.items()}
    sliders = [name for name, control in explorer.controls.items() if isinstance(control, Slider | LogSlider)]
    fixed = prod(len(values) for name, values in every.items() if name not in sliders)
    counts = {name: len(every[name]) for name in sliders}
    while counts and fixed * prod(counts.values()) > frames and max(counts.values()) > 2:
        counts[max(counts, key=counts.__getitem__)] -= 1
    star = len(sliders) > 2 and min(counts.values()) < LEAST
    if star:
        counts = {name: len(every[name]) for name in sliders}
        while fixed * (1 + sum(count - 1 for count in counts.values())) > frames and max(counts.values()) > 2:
            counts[max(counts, key=counts.__getitem__)] -= 1
    values, names, start = {}, {}, {}
    for name, found in every.items():
        listed = list(found.values())
        first = listed.index(explorer.controls[name].first)
        places = spread(len(listed), counts.get(name, len(listed)), first)
        values[name] = [listed[place] for place in places]
        names[name] = [list(found)[place] for place in places]
        start[name] = places.index(first)
    whole = not star and all(len(values[name]) == len(every[name]) for name in every)
    return Positions(values, names, start, frozenset(sliders if star else ()), whole)
