"""Diagrams: nodes, arrows and plates, drawn as the figures are.

>>> diagram = Diagram(columns=3)
>>> diagram.node("z", (0, 0), "latent")
>>> diagram.node("decoder", (1, 0), "step", "decoder\\nθ")
>>> diagram.node("x", (2, 0), "observed")
>>> diagram.arrow("z", "decoder")
>>> diagram.arrow("decoder", "x", text="p(x|z)")
>>> picture = diagram.picture("A sample goes from left to right", "z goes into the decoder, out comes x.")
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Literal

from matplotlib.patches import Circle, FancyArrowPatch, FancyBboxPatch, Patch

from course_lib.plots import BLACK, BLUE, PURPLE, RED, Picture, new_figure

Kind = Literal["latent", "observed", "parameter", "step", "text"]
Way = Literal["value", "gradient", "cut"]
FILLS = {"latent": "white", "observed": "#D9D9D9", "parameter": "white", "step": "#DCEBF7"}
COLUMN, ROW = 1.45, 1.0  # inches between neighbouring places
RADIUS, HALF_WIDTH, HALF_HEIGHT = 0.27, 0.5, 0.29
WIDEST = 9.8


class Diagram:
    """A diagram on a grid of places ``(column, row)``, row 0 at the bottom; fractions lie between.

    Nodes are circles, open for what is latent and grey for what is observed, or boxes for the steps of a computation.
    Arrows are solid for values; a gradient is red and dashed, and where it is cut, a cross stands on it.

    Args:
        columns, rows: the size of the grid.
        stretch: of the distance between columns.
    """

    def __init__(self, columns: float, rows: float = 1, stretch: float = 1.0) -> None:
        self._column = COLUMN * stretch
        width, height = min(WIDEST, columns * self._column), rows * ROW + 0.45
        self._figure, (self._axis,) = new_figure(1, width=width, height=height)
        self._axis.set(
            xlim=(-0.5 * self._column, (columns - 0.5) * self._column),
            ylim=(-0.5 * ROW, (rows - 0.5) * ROW),
            aspect="equal",
        )
        self._axis.axis("off")
        self._shapes: dict[str, Patch] = {}
        self._places: dict[str, tuple[float, float]] = {}

    def node(self, name: str, at: tuple[float, float], kind: Kind = "step", text: str | None = None) -> None:
        """Place a node; ``text`` is its name unless given, mathematics between dollars."""
        x, y = self._place(at)
        shown = name if text is None else text
        if kind in ("latent", "observed"):
            shape: Patch = Circle((x, y), RADIUS, fc=FILLS[kind], ec=BLACK, lw=1.3, zorder=3)
        elif kind == "step":
            longest = max(len(line) for line in shown.replace("$", "").splitlines())
            half = max(HALF_WIDTH, 0.058 * longest + 0.1)
            shape = FancyBboxPatch(
                (x - half, y - HALF_HEIGHT),
                2 * half,
                2 * HALF_HEIGHT,
                boxstyle="round,pad=0,rounding_size=0.08",
                fc=FILLS[kind],
                ec=BLUE,
                lw=1.3,
                zorder=3,
            )
        else:  # without a frame; an arrow stops a little before it
            shape = Circle((x, y), 0.2, fc="none", ec="none")
        self._axis.add_patch(shape)
        self._axis.text(x, y, shown, ha="center", va="center", fontsize=10, zorder=4, linespacing=1.15)
        self._shapes[name], self._places[name] = shape, (x, y)

    def arrow(self, start: str, end: str, way: Way = "value", text: str = "", bend: float = 0.0) -> None:
        """Draw an arrow between two nodes.

        Args:
            way: a value's, a gradient's, or a gradient's that is cut.
            text: stands beside the middle of the arrow.
            bend: how far it bends to its left, as a fraction of its length.
        """
        colour = BLACK if way == "value" else RED
        self._axis.add_patch(
            FancyArrowPatch(
                self._places[start],
                self._places[end],
                patchA=self._shapes[start],
                patchB=self._shapes[end],
                connectionstyle=f"arc3,rad={-bend}",
                arrowstyle="-|>",
                mutation_scale=12,
                shrinkA=2,
                shrinkB=2,
                color=colour,
                lw=1.4,
                ls="-" if way == "value" else (0, (4, 2.5)),
                zorder=2,
            )
        )
        x, y, left = self._middle(start, end, bend)
        if way == "cut":
            self._axis.plot(x, y, marker="x", color=RED, ms=11, mew=2.6, zorder=5)
        if text:
            side = 1 if bend >= 0 else -1
            offset = 0.17 + (0.06 if way == "cut" else 0) + 0.055 * max(0, text.count("\n")) * 2
            across = abs(left[0]) > 0.5  # beside a steep arrow, the text is set off to its side
            self._axis.text(
                x + side * left[0] * (offset if not across else 0.12),
                y + side * left[1] * offset,
                text,
                color=colour,
                fontsize=9,
                ha=("left" if side * left[0] > 0 else "right") if across else "center",
                va="center",
                zorder=4,
            )

    def plate(self, names: Sequence[str], text: str) -> None:
        """Frame nodes that stand for many, with how many there are in the corner."""
        xs, ys = zip(*(self._places[name] for name in names), strict=True)
        left, right = min(xs) - 0.48, max(xs) + 0.48
        low, high = min(ys) - 0.42, max(ys) + 0.4
        frame = FancyBboxPatch(
            (left, low),
            right - left,
            high - low,
            boxstyle="round,pad=0,rounding_size=0.06",
            fc="none",
            ec=PURPLE,
            lw=1.3,
        )
        self._axis.add_patch(frame)
        self._axis.text(right - 0.06, low + 0.05, text, ha="right", va="bottom", fontsize=8.5)

    def note(self, at: tuple[float, float], text: str, **style: Any) -> None:
        """Write a line of text at a place."""
        self._axis.text(*self._place(at), text, **{"ha": "center", "va": "center", "fontsize": 9, **style})

    def picture(self, title: str, alt: str) -> Picture:
        """Return the picture, with its takeaway title and the text for those who do not see it."""
        self._axis.set_title(title, fontsize=10.5, loc="left")
        return Picture(self._figure, alt)

    def _place(self, at: tuple[float, float]) -> tuple[float, float]:
        return at[0] * self._column, at[1] * ROW

    def _middle(self, start: str, end: str, bend: float) -> tuple[float, float, tuple[float, float]]:
        """Return the middle of an arrow, and the direction to its left."""
        (ax, ay), (bx, by) = self._places[start], self._places[end]
        dx, dy = bx - ax, by - ay
        length = math.hypot(dx, dy) or 1.0
        left = (-dy / length, dx / length)
        x = (ax + bx) / 2 + left[0] * bend * length / 2
        y = (ay + by) / 2 + left[1] * bend * length / 2
        return x, y, left
