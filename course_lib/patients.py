"""Broken models to be diagnosed: what their training showed, without the code that would give the bug away."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from course_lib import shipped
from course_lib.data import ASSETS
from course_lib.plots import BLACK, BLUE, GREEN, ORANGE, RED, Picture, draw_images, label, new_figure

PATIENTS_FILE = ASSETS / "patients.npz"
FLOW_PATIENTS_FILE, FLOWS_FILE = ASSETS / "patients_09.npz", ASSETS / "patients_10.npz"
IMAGE_FLOWS_FILE = ASSETS / "patients_11.npz"
PATIENTS_FILES = (
    PATIENTS_FILE,
    *(ASSETS / f"patients_{notebook}.npz" for notebook in ("07", "08")),
    FLOW_PATIENTS_FILE,
    FLOWS_FILE,
    IMAGE_FLOWS_FILE,
)
PLANE_REACH, PLANE_CELLS = 3.0, 96  # of the densities in the plane


@dataclass(frozen=True)
class Patient:
    """What a broken model showed.

    Attributes:
        name: the notebook's number, with a letter where there are several.
        curves: values over steps, or over numbers of samples, by name.
        images: uint8 ``(n, 28, 28)``, by name.
    """

    name: str
    curves: dict[str, Tensor]
    images: dict[str, Tensor]

    def picture(self) -> Picture:
        """Draw the curves side by side, and the images below them."""
        if "mean" in self.curves:
            return self._estimator()
        if "log density" in self.curves:
            return self._plane()
        curves = {name: values for name, values in self.curves.items() if name != "steps"}
        figure, axes = self._places(len(curves))
        words = {
            "likelihood": "E[log p(x|z)], as trained (nats)",
            "kl": "D_KL(q‖p(z)) (nats)",
            "bound": "bound, as trained (nats)",
            "objective": "objective, as trained (nats)",
            "sigma": "mean σ of the q_i",
            "spread": "spread of μ over the digits",
            "size": "mean |x| of its samples",
            "likelihood_of_y": "E[log p(y|x, z)], as trained (nats)",
            "kl_given_x": "D_KL(q‖p(z|x)) (nats)",
            "log_beta": "log₁₀ β",
            "bits": "bits/dim, as reported",
            "spread_of_z": "spread of z of digits",
            "uniform": "bits/dim of a uniform model",
        }
        ends = []
        for axis, (name, values), colour in zip(axes, curves.items(), (BLUE, ORANGE, GREEN), strict=False):
            axis.plot(self.curves["steps"], values, color=colour, lw=2)
            end = values[-1].item()
            shown = f"{end:,.0f}" if abs(end) >= 1000 else f"{end:.3g}"
            label(axis, f"ends at {shown}", "training step", words[name])
            ends.append(f"{words[name]} ends at {shown}")
        self._draw_images(axes[-1])
        return Picture(figure, f"Model {self.name}: {'; '.join(ends)}. Rows of images: {', '.join(self.images)}.")

    def _places(self, curves: int) -> tuple[Figure, list[Axes]]:
        """Return the curves' axes and, as wide as all of them, that of the images below."""
        rows = len(self.images)
        figure, (whole,) = new_figure(width=9.6, height=3.1 + 1.05 * rows)
        whole.remove()
        names = [str(i) for i in range(curves)]
        places: dict[str, Axes] = figure.subplot_mosaic([names, ["images"] * curves], height_ratios=[2.6, 1.05 * rows])
        for axis in places.values():
            axis.spines[["top", "right"]].set_visible(False)
        return figure, [*(places[name] for name in names), places["images"]]

    def _draw_images(self, axis: Axes) -> None:
        rows = [images[:8] for images in self.images.values()]
        draw_images(axis, torch.cat(rows), columns=8)
        axis.set_yticks([30 * i + 14 for i in range(len(rows))], list(self.images))
        axis.set_title("What it draws", loc="left", fontsize=10.5)
        shown = {
            "03": "eight training images",
            "07": "eight test images; of each row below, the upper half is given",
            "11": "eight test digits and sixteen draws at temperature 0.8",
            "10": "eight test images and sixteen draws; below 0 white, above 1 black",
        }
        axis.set_xlabel(shown.get(self.name[:2], "eight test images"))

    def _estimator(self) -> Picture:
        figure, (axis,) = new_figure(width=6.5, height=3.4)
        numbers, mean, true = self.curves["samples"], self.curves["mean"], self.curves["true"][0].item()
        axis.axhline(true, color=BLACK, lw=1.5, label=f"true gradient, {true:.2f}")
        axis.errorbar(
            numbers,
            mean,
            yerr=2 * self.curves["error"],
            fmt="o",
            color=RED,
            capsize=3,
            label="mean of 20,000 estimates, ±2 s.e.",
        )
        axis.set_xscale("log", base=2)
        label(axis, "Averaged over many repeats, and still off", "samples M in one estimate", "gradient for μ")
        axis.legend(frameon=False, loc="lower right")
        alt = ", ".join(f"{m:.2f} at M = {int(n)}" for n, m in zip(numbers, mean, strict=True))
        return Picture(
            figure,
            f"The mean of a policy gradient estimator against its number of samples M: {alt}; the true gradient is {true:.2f}.",
        )

    def _plane(self) -> Picture:
        """Draw a flow's objective, its samples over the data, and the density that it reports."""
        figure, (left, middle, right) = new_figure(3, width=3.15, height=3.2)
        objective, samples, data = (self.curves[key] for key in ("objective", "samples", "data"))
        left.plot(self.curves["steps"], objective, color=BLUE, lw=2)
        end = f"{objective[-1].item():,.2f}"
        label(left, f"ends at {end}", "training step", "objective, as trained (nats)")
        middle.plot(data[:, 0], data[:, 1], ".", color="#B0B0B0", ms=2.5)
        middle.plot(samples[:, 0], samples[:, 1], "x", color=RED, ms=3, mew=0.8)
        reach = 1.1 * max(2.5, samples.abs().quantile(0.9).item())
        middle.set_xlim(-reach, reach)
        middle.set_ylim(-reach, reach)
        label(middle, "Its samples, over the data", "x, entry 1", "x, entry 2")
        density = self.curves["log density"].float()
        same = (density.max() - density.min()).item() < 0.1
        density = density.clamp(min=density.max() - 8)
        side = PLANE_REACH
        top = density.max().item()
        place = (-side, side, -side, side)
        right.imshow(density.T, origin="lower", extent=place, cmap="Blues", aspect="auto", vmin=top - 8, vmax=top)
        if same:
            says = f"{top:.1f} nats\neverywhere"
            right.text(0, 0, says, ha="center", va="center", fontsize=11, color="white")
        label(right, "The log-density that it reports", "x, entry 1", "x, entry 2")
        inside = ((samples.abs() < 2.5).all(-1)).float().mean().item()
        return Picture(
            figure,
            f"Model {self.name}: the objective ends at {end} nats. {100 * inside:.0f} percent of its samples lie within 2.5 of 0, where the "
            f"data are. Right, as an image: the log-density that it reports, "
            + (f"{density.max().item():.1f} nats everywhere." if same else "dark where it is high."),
        )


def load_patient(name: str) -> Patient:
    """Return a broken model's record.

    Raises:
        KeyError: there is none of that name; the message lists those there are.
        DataError: the file is missing or corrupt.
    """
    patients = {name: patient for path in PATIENTS_FILES for name, patient in shipped.load(path).items()}
    if name not in patients:
        raise KeyError(f"no patient {name!r}; there are {', '.join(sorted(patients))}")
    arrays = patients[name].arrays
    images = {key: value for key, value in arrays.items() if value.dtype == torch.uint8}
    return Patient(name, {key: value for key, value in arrays.items() if key not in images}, images)
