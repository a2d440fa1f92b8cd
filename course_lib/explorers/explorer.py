"""What an explorer is: a picture with controls, a pure function of its settings; it stands still without a kernel.

    bend = Explorer(draw_bend, {"mu": Slider("mean μ of q", start=0.4, low=-3.0, high=3.0, step=0.1)})

``draw_bend(mu)`` returns a figure of ``plots.new_figure`` and a sentence. A frame should take less than 100 ms in all, so
that a key is answered in 150: compute with ``lru_cache`` what only another control changes. Where the axes lie is computed
once, at the controls' starts, and kept: titles and tick labels have to fit there at every setting (which is tested).
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from matplotlib.figure import Figure
from matplotlib.ticker import AutoLocator
from matplotlib.transforms import Bbox

from course_lib.explorers.controls import Choice, Control, LogSlider, Slider, Switch
from course_lib.plots import SHARP, TITLE_SIZE, image_tag, mimebundle, render_png

__all__ = ["Choice", "Explorer", "LogSlider", "Slider", "Switch"]

VIEW = "application/vnd.jupyter.widget-view+json"
COARSE = 1  # while a control moves
FEW_TICKS = 6  # on an axis: half of a frame's time goes into ticks
AT_REST = 0.25  # seconds without a change, after which the picture is drawn sharp

# Labels above their controls, in ipywidgets 7 and 8.
_STYLE = (
    "<style>.course-control>label{width:100%!important;max-width:none!important;text-align:left!important;margin:0}"
    ".course-control.widget-checkbox>label:first-child{display:none}</style>"
)
# ipywidgets gives a slider's handle no name, and screen readers its place in a list for its value; and JupyterLab takes
# the arrow keys from a drop-down, to move to another cell.
_SERVE_THE_KEYBOARD = (
    "this.closest('.course-explorer')?.querySelectorAll('.course-control').forEach(c=>{"
    "const name=c.querySelector('label')?.textContent,value=c.querySelector('.widget-readout')?.textContent;"
    "c.querySelectorAll('input,select').forEach(h=>{h.dataset.lmSuppressShortcuts='true'});"
    "c.querySelectorAll('.noUi-handle,.ui-slider-handle,select').forEach(h=>{h.setAttribute('aria-label',name);"
    "if(value){h.setAttribute('role','slider');h.setAttribute('aria-valuetext',value)}})})"
)


@dataclass(frozen=True)
class Explorer:
    """A drawing with controls.

    Attributes:
        draw: returns the figure and a sentence that says what it shows; depends on its settings alone.
        controls: one for each setting, by name.
    """

    draw: Callable[..., tuple[Figure, str]]
    controls: dict[str, Control]

    @property
    def defaults(self) -> dict[str, Any]:
        return {name: control.first for name, control in self.controls.items()}

    @cached_property
    def _places(self) -> list[Bbox]:
        """Where the axes lie: laid out once, for that takes longer than all the rest."""
        figure, _ = self._drawn(self.defaults)
        figure.draw_without_rendering()
        return [axis.get_position(original=True) for axis in figure.axes]

    def _drawn(self, settings: dict[str, Any]) -> tuple[Figure, str]:
        figure, alt = self.draw(**settings)
        for axis in figure.axes:
            for locator in (axis.xaxis.get_major_locator(), axis.yaxis.get_major_locator()):
                if isinstance(locator, AutoLocator):
                    locator.set_params(nbins=FEW_TICKS, steps=[1, 2, 5, 10])
        return figure, alt

    def frame(self, **settings: Any) -> tuple[Figure, str]:
        """Return the figure at these settings, its axes in their places, and its sentence."""
        figure, alt = self._drawn(settings)
        if len(figure.axes) == len(self._places):
            figure.set_layout_engine("none")
            for axis, place in zip(figure.axes, self._places, strict=True):
                axis.set_position(place)
                # With a height of its own no title is moved about, which would take a quarter of a frame.
                axis.set_title(axis.get_title(loc="left"), loc="left", fontsize=TITLE_SIZE, y=1.0)
        return figure, alt

    @cached_property
    def _still(self) -> tuple[bytes, str]:
        figure, alt = self.frame(**self.defaults)
        return render_png(figure), alt

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> tuple[dict[str, Any], dict[str, Any]]:
        png, alt = self._still
        still, metadata = mimebundle(png, alt, f"[explorer: {alt}]")
        # A front end takes the first form that it can show: the widget where there is a kernel, else the picture.
        return {**self._live_view(), **still}, metadata

    def _live_view(self) -> dict[str, Any]:
        """Return the widget as front ends ask for it; nothing where ipywidgets is absent or fails."""
        try:
            return {VIEW: self.widget().get_view_spec()}  # in ipywidgets 7, which Colab has, and in 8
        except Exception:  # whatever it is, the still picture remains
            return {}

    def widget(self) -> Any:
        """Return the live widget: the controls above the picture, which follows them."""
        import ipywidgets

        controls = {name: control.widget(ipywidgets) for name, control in self.controls.items()}
        picture = ipywidgets.HTML(_live_tag(*self._still, SHARP))
        at_rest: asyncio.TimerHandle | None = None

        def show(figure: Figure, alt: str, scale: int) -> None:
            picture.value = _live_tag(render_png(figure, scale, quick=True), alt, scale)

        def follow(_: object) -> None:
            nonlocal at_rest
            if at_rest:
                at_rest.cancel()  # which lets go of the last figure, too
            with _no_full_collection():
                figure, alt = self.frame(**{name: control.value for name, control in controls.items()})
                try:
                    loop = asyncio.get_running_loop()
                except RuntimeError:  # nobody would draw it sharp later
                    show(figure, alt, SHARP)
                else:
                    show(figure, alt, COARSE)
                    at_rest = loop.call_later(AT_REST, show, figure, alt, SHARP)

        for control in controls.values():
            control.observe(follow, names="value")
        row = ipywidgets.Layout(display="flex", flex_flow="row wrap", align_items="flex-end", width="100%")
        whole = ipywidgets.VBox([ipywidgets.Box(list(controls.values()), layout=row), picture])
        whole.add_class("course-explorer")
        return whole


@contextmanager
def _no_full_collection() -> Iterator[None]:
    """Clear away the last figure, a web of cycles, while it is young.

    Grown old, forty of them have Python search all of the kernel's objects in the middle of a frame, for 200 ms.
    """
    gc.collect(1)
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _live_tag(png: bytes, alt: str, scale: int) -> str:
    return _STYLE + image_tag(png, alt, scale, onload=_SERVE_THE_KEYBOARD)
