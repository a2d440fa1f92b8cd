"""The controls of an explorer: sliders, a drop-down for names, a checkbox for yes and no, all of one width."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

# A slider's readout takes some 80 of it: the track keeps over 250 pixels.
WIDTH = "360px"
# A hundred as a person would walk through it, ten steps a decade.
_DECADE = (1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8)


class Control(Protocol):
    """What an explorer asks of a control: its text, where it starts, its extremes, and its widget."""

    @property
    def text(self) -> str: ...

    @property
    def first(self) -> Any: ...

    @property
    def ends(self) -> tuple[Any, Any]: ...

    def widget(self, ipywidgets: Any) -> Any: ...


@dataclass(frozen=True)
class Slider:
    """One setting: its text, where it starts, and its range; whole numbers if start and step are whole."""

    text: str
    start: float
    low: float
    high: float
    step: float

    @property
    def whole(self) -> bool:
        return float(self.step).is_integer() and float(self.start).is_integer()

    @property
    def first(self) -> float:
        return self._number(self.start)

    @property
    def ends(self) -> tuple[float, float]:
        return self._number(self.low), self._number(self.high)

    def _number(self, value: float) -> float:
        return int(value) if self.whole else float(value)

    def widget(self, ipywidgets: Any) -> Any:
        kind = ipywidgets.IntSlider if self.whole else ipywidgets.FloatSlider
        decimals = len(f"{self.step:g}".partition(".")[2])
        low, high = self.ends
        return _styled(
            ipywidgets,
            kind,
            description=self.text,
            value=self.first,
            min=low,
            max=high,
            step=self._number(self.step),
            readout_format="d" if self.whole else f".{decimals}f",
        )


@dataclass(frozen=True)
class LogSlider:
    """A setting over decades: round numbers, ten a decade; whole ones if start and low are whole."""

    text: str
    start: float
    low: float
    high: float

    @property
    def values(self) -> list[float]:
        """What can be chosen, from ``low`` to ``high``, ``start`` among them."""
        whole = float(self.start).is_integer() and float(self.low).is_integer()
        decades = (float(f"{step}e{power}") for power in range(-9, 10) for step in _DECADE)
        inside = {value for value in decades if self.low <= value <= self.high}
        chosen = sorted(inside | {float(self.low), float(self.start), float(self.high)})
        return [int(value) for value in chosen if value.is_integer()] if whole else chosen

    @property
    def first(self) -> float:
        return next(value for value in self.values if value == self.start)

    @property
    def ends(self) -> tuple[float, float]:
        return self.values[0], self.values[-1]

    def widget(self, ipywidgets: Any) -> Any:
        options = [(f"{value:g}", value) for value in self.values]
        return _styled(ipywidgets, ipywidgets.SelectionSlider, description=self.text, options=options, value=self.first)


@dataclass(frozen=True)
class Choice:
    """One of several names, in a drop-down; ``options`` says which value each name stands for."""

    text: str
    start: Any
    options: Mapping[str, Any]

    @property
    def first(self) -> Any:
        return self.start

    @property
    def ends(self) -> tuple[Any, Any]:
        values = list(self.options.values())
        return values[0], values[-1]

    def widget(self, ipywidgets: Any) -> Any:
        options = list(self.options.items())
        return _styled(ipywidgets, ipywidgets.Dropdown, description=self.text, options=options, value=self.start)


@dataclass(frozen=True)
class Switch:
    """Yes or no, a checkbox."""

    text: str
    start: bool = False

    @property
    def first(self) -> bool:
        return self.start

    @property
    def ends(self) -> tuple[bool, bool]:
        return False, True

    def widget(self, ipywidgets: Any) -> Any:
        return _styled(ipywidgets, ipywidgets.Checkbox, description=self.text, value=self.start, indent=False)


def _styled(ipywidgets: Any, kind: Any, **settings: Any) -> Any:
    """Return a control of the common width, its label in a line of its own above it."""
    layout = ipywidgets.Layout(width=WIDTH, height="auto", flex_flow="row wrap", margin="2px 24px 2px 0")
    control = kind(layout=layout, **settings)
    control.add_class("course-control")
    return control
