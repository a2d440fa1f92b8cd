"""What an explorer is: a picture with sliders, a pure function of its settings; it stands still where no kernel runs."""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from matplotlib.figure import Figure

from course_lib.plots import image_tag, render_png

VIEW = "application/vnd.jupyter.widget-view+json"


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


@dataclass(frozen=True)
class Explorer:
    """A drawing with sliders.

    Attributes:
        draw: returns the figure and a sentence that says what it shows; depends on its settings alone.
        sliders: one for each setting, by name.
    """

    draw: Callable[..., tuple[Figure, str]]
    sliders: dict[str, Slider]

    @property
    def defaults(self) -> dict[str, float]:
        return {name: slider.start for name, slider in self.sliders.items()}

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        figure, alt = self.draw(**self.defaults)
        png = render_png(figure)
        still = {
            "text/plain": f"[explorer: {alt}]",
            "text/html": image_tag(png, alt),
            "image/png": base64.b64encode(png).decode(),
        }
        # A front end takes the first form that it can show: the widget where there is a kernel, else the picture.
        return {**self._live_view(), **still}

    def _live_view(self) -> dict[str, Any]:
        """Return the widget as front ends ask for it; nothing where ipywidgets is absent or fails."""
        try:
            return {VIEW: self.widget().get_view_spec()}  # in ipywidgets 7, which Colab has, and in 8
        except Exception:  # whatever it is, the still picture remains
            return {}

    def widget(self) -> Any:
        """Return the live widget: the sliders above the picture, which follows them."""
        import ipywidgets

        wide = {"description_width": "initial"}
        controls = {
            name: (ipywidgets.IntSlider if slider.whole else ipywidgets.FloatSlider)(
                value=int(slider.start) if slider.whole else slider.start,
                min=int(slider.low) if slider.whole else slider.low,
                max=int(slider.high) if slider.whole else slider.high,
                step=int(slider.step) if slider.whole else slider.step,
                description=slider.text,
                style=wide,
                layout=ipywidgets.Layout(width="30em"),
            )
            for name, slider in self.sliders.items()
        }
        picture = ipywidgets.HTML()

        def redraw(_: object = None) -> None:
            figure, alt = self.draw(**{name: control.value for name, control in controls.items()})
            picture.value = image_tag(render_png(figure), alt)

        for control in controls.values():
            control.observe(redraw, names="value")
        redraw()
        return ipywidgets.VBox([*controls.values(), picture])
