"""Figures that everybody can read: colours told apart by colour-blind readers, and a text for those who see none."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from html import escape
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image, ImageChops
from torch import Tensor

# For lines, dots and text: at least 4.5:1 on white, and turned round on a dark ground; any two of them, and black, stay
# apart for readers who see no red, no green or no blue (tests/course_lib/test_plots.py).
BLUE, ORANGE, GREEN, RED, PURPLE, BLACK = "#08438C", "#B75F00", "#33855F", "#8D1F20", "#915896", "#000000"
# For fills alone, under something darker; of Okabe and Ito, "Color universal design", 2008.
SKY, YELLOW = "#56B4E9", "#F0E442"
CYCLE = (BLUE, ORANGE, GREEN, RED, PURPLE, BLACK)
MARKERS = ("o", "s", "^", "D", "v", "P")
DPI = 90
TITLE_SIZE = 10.5  # points
UNSEEN = 8  # of 255, by which a colour may be off
SHARP = 2  # twice the page's resolution: sharp on the screens that have it

# In a dark theme the picture is turned round, hues kept: white becomes #121212, the theme's ground, and no colour of
# text or line has to hold on both. JupyterLab, VS Code, Colab.
DARK_THEME = (
    '[data-jp-theme-light="false"] img.course-picture,.vscode-dark img.course-picture,'
    "html[theme=dark] img.course-picture{filter:invert(.93) hue-rotate(180deg)}"
)


def new_figure(columns: int = 1, width: float = 4.6, height: float = 3.3, **grid: Any) -> tuple[Figure, list[Axes]]:
    """Return a figure with a row of axes, independent of pyplot's global state.

    Args:
        columns: number of axes.
        width, height: inches of one of them.
        grid: further arguments of ``Figure.subplots``, such as ``width_ratios``.
    """
    # Whole pixels, so that the picture of twice as many has exactly twice as many across.
    size = (round(width * columns * DPI) / DPI, round(height * DPI) / DPI)
    figure = Figure(figsize=size, dpi=DPI, layout="constrained")
    FigureCanvasAgg(figure)
    axes = list(figure.subplots(1, columns, squeeze=False, **grid)[0])
    for axis in axes:
        axis.spines[["top", "right"]].set_visible(False)
        axis.set_prop_cycle(color=CYCLE)
    return figure, axes


def label(axis: Axes, title: str, x: str, y: str) -> None:
    """Give an axis its takeaway title and both labels."""
    axis.set_title(title, fontsize=TITLE_SIZE, loc="left")
    axis.set_xlabel(x)
    axis.set_ylabel(y)


def render_pixels(figure: Figure, scale: int = SHARP) -> np.ndarray:
    """Render a figure to its pixels, ``(height, width, 4)`` of uint8, opaque; ``scale`` as in :func:`render_png`."""
    canvas = figure.canvas if isinstance(figure.canvas, FigureCanvasAgg) else FigureCanvasAgg(figure)
    dpi = figure.dpi
    try:
        figure.dpi = scale * dpi
        canvas.draw()
        return np.array(canvas.buffer_rgba())
    finally:
        figure.dpi = dpi


def render_png(figure: Figure, scale: int = SHARP, quick: bool = False) -> bytes:
    """Render a figure; the same figure gives the same bytes.

    Args:
        scale: pixels of the picture for one pixel of the page, along each side.
        quick: without the work that makes a picture small: 256 colours where nobody sees it, well compressed.
    """
    picture = Image.fromarray(render_pixels(figure, scale)).convert("RGB")
    if not quick:
        few = picture.quantize(256, method=Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
        off = np.asarray(ImageChops.difference(picture, few.convert("RGB")))
        picture = few if off.max() <= UNSEEN else picture
    buffer = io.BytesIO()
    picture.save(buffer, format="PNG", compress_level=1 if quick else 9, dpi=(scale * figure.dpi, scale * figure.dpi))
    return buffer.getvalue()


def shown_size(png: bytes, scale: int = SHARP) -> dict[str, int]:
    """Return the width and height at which a page shows a picture rendered at ``scale``, in its pixels."""
    width, height = (int.from_bytes(png[start : start + 4], "big") for start in (16, 20))  # where PNG has them
    return {"width": width // scale, "height": height // scale}


def image_tag(png: bytes, alt: str, scale: int = SHARP, onload: str = "") -> str:
    """Return HTML that shows a picture, with its text for screen readers; ``onload`` is JavaScript."""
    size = " ".join(f'{side}="{pixels}"' for side, pixels in shown_size(png, scale).items())
    script = f' onload="{escape(onload)}"' if onload else ""
    data = base64.b64encode(png).decode()
    return (
        f'<style>{DARK_THEME}</style><img class="course-picture" alt="{escape(alt)}" {size} decoding="sync"{script} '
        f'style="max-width:100%;height:auto;background:white" src="data:image/png;base64,{data}">'
    )


def mimebundle(png: bytes, alt: str, text: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the forms in which a notebook keeps a picture, and their metadata: at which size it is shown."""
    forms = {"text/plain": text, "text/html": image_tag(png, alt), "image/png": base64.b64encode(png).decode()}
    return forms, {"image/png": shown_size(png)}


class Picture:
    """A rendered figure with its text: what the last line of a cell returns."""

    def __init__(self, figure: Figure, alt: str) -> None:
        self.png = render_png(figure)
        self.alt = alt

    def __repr__(self) -> str:
        return f"[picture: {self.alt}]"

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> tuple[dict[str, Any], dict[str, Any]]:
        return mimebundle(self.png, self.alt, repr(self))


def tile(images: Tensor, columns: int, gap: int = 2) -> Tensor:
    """Lay out grey images ``(n, height, width)`` in rows of ``columns``, ``(rows·…, columns·…)``, gaps at zero."""
    n, height, width = images.shape
    rows = -(-n // columns)
    canvas = images.new_zeros(rows * (height + gap) - gap, columns * (width + gap) - gap)
    for i, image in enumerate(images):
        top, left = (i // columns) * (height + gap), (i % columns) * (width + gap)
        canvas[top : top + height, left : left + width] = image
    return canvas


def draw_images(axis: Axes, images: Tensor, columns: int, column_names: Sequence[str] = ()) -> None:
    """Draw grey images ``(n, height, width)`` as one tiled picture, dark ink on white."""
    canvas = tile(images, columns)
    axis.imshow((canvas.max() - canvas).numpy(), cmap="gray", interpolation="nearest")
    step = images.shape[-1] + 2
    axis.set_xticks([step * i + images.shape[-1] / 2 for i in range(len(column_names))], column_names)
    axis.set_yticks([])
    axis.tick_params(length=0)
    axis.spines[:].set_visible(False)
