"""The whole course on one page: what was learned, and the points that each notebook's summary found.

A summary that a person runs leaves its points in ``points.json`` in the folder above the notebook's own, beside the other notebooks of
the same copy of the course. The page reads that file and nothing else: it knows of a notebook only what its summary said last.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from html import escape
from pathlib import Path
from typing import Any

from course_lib.checker.report import Summary
from course_lib.phrases import say
from course_lib.settings import SETTINGS

FILE = "points.json"
LEARNED = {
    "00_start_here": "a logarithm of a mean that neither under- nor overflows",
    "01_latent_variable_models": "mixtures, their posterior and EM; why p(x) = ∫ p(x|z) p(z) dz is hard to sample",
    "02_jensen_entropy_kl": "entropy, KL and Jensen's bound, and when the bound is tight",
    "03_variational_inference": "one q for each data point, climbing its ELBO, and what that costs",
    "04_amortized_inference": "one network for all q, and the gap it leaves",
    "05_policy_gradient_vs_reparameterization": "two gradients of an expectation, and their variance",
    "06_variational_autoencoder": "the VAE: encoder, decoder, ELBO; samples, codes, the importance-weighted bound",
    "07_conditional_and_convolutional_vaes": "conditions, convolutions, and images of any size",
    "08_vaes_in_practice": "β, schedules, rate and distortion; telling broken VAEs by what they show",
    "09_normalizing_flows": "change of variables, composition, training by exact likelihood",
    "10_nice": "couplings of determinant 1, dequantization, a flow of digits, in-painting",
    "11_real_nvp": "scale and shift, masks and scales, logits, bits/dim",
    "12_comparing_models": "one scale for bounds and likelihoods; what each costs, and which is for what",
}


@dataclass(frozen=True)
class Found:
    """What a notebook's summary found when it was last run.

    Attributes:
        earned, total: points.
        when: the day, ISO 8601.
        task: the open task's best attempt, "" where there was none.
    """

    earned: int
    total: int
    when: str
    task: str


class Certificate:
    """The page, to be shown and printed.

    Args:
        found: by notebook.
        topics: all notebooks there are, in order.
        kept: whether there is a place in which summaries leave their points.
    """

    def __init__(self, found: Mapping[str, Found], topics: tuple[str, ...], kept: bool) -> None:
        self.found, self.topics, self.kept = dict(found), topics, kept

    @property
    def _rows(self) -> list[tuple[str, str, str, str]]:
        rows = []
        for topic in self.topics:
            number, _, name = topic.partition("_")
            one = self.found.get(topic)
            points = f"{one.earned} / {one.total}" if one else say("certificate.not_recorded")
            rows.append((f"{number} {name.replace('_', ' ')}", LEARNED.get(topic, ""), points, one.when if one else ""))
        return rows

    @property
    def total(self) -> str:
        """The points of all notebooks recorded, in one sentence."""
        earned, total = (sum(getattr(one, name) for one in self.found.values()) for name in ("earned", "total"))
        known = {"found": len(self.found), "all": len(self.topics)}
        if not self.found:
            return say("certificate.recorded", **known)
        return say("certificate.total", **known, earned=earned, total=total)

    @property
    def _says(self) -> str:
        if not self.kept:
            return say("certificate.alone")
        return say("certificate.read_from", file=FILE)

    def __repr__(self) -> str:
        widths = [max(len(row[i]) for row in self._rows) for i in range(4)]
        lines = ["  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)) for row in self._rows]
        return "\n".join([SETTINGS.full_title, *lines, self.total, self._says])

    def _repr_html_(self) -> str:
        cell = "text-align:left;padding:2px 14px 2px 0"
        heads = "".join(f'<th style="{cell}">{_said(key)}</th>' for key in ("notebook", "learned", "points", "on"))
        body = "".join(
            "<tr>" + "".join(f'<td style="{cell}">{escape(part)}</td>' for part in row) + "</tr>" for row in self._rows
        )
        tasks = "".join(
            f"<li>{escape(topic.partition('_')[0])}: {escape(self.found[topic].task)}</li>"
            for topic in self.topics
            if topic in self.found and self.found[topic].task
        )
        return (
            '<div style="border:2px solid #0072B2;padding:12px 20px;margin:6px 0;break-inside:avoid">'
            f'<div style="font-size:1.3em;font-weight:bold">{escape(SETTINGS.full_title)}</div>'
            f"<div>{_said('heading')} {date.today().isoformat()}</div>"
            f'<table style="margin:8px 0"><tr>{heads}</tr>{body}</table>'
            f"<div><b>{escape(self.total)}.</b></div>"
            + (f"<div>{_said('open_tasks')}</div><ul>{tasks}</ul>" if tasks else "")
            + f'<div style="opacity:0.8">{escape(self._says)}</div></div>'
        )


def _said(key: str) -> str:
    return escape(say(f"certificate.{key}"))


def keep(topic: str, summary: Summary, folder: Path | None = None) -> None:
    """Leave a summary's points beside the notebooks; where that cannot be, nothing happens.

    Args:
        folder: the notebook's own; where Python runs, by default.
    """
    place = _place(topic, folder)
    if place is None:
        return
    earned, total = (sum(getattr(report, name) for report in summary.reports) for name in ("points", "max_points"))
    told = _read(place)
    told[topic] = {
        "earned": earned,
        "total": total,
        "when": date.today().isoformat(),
        "task": summary.attempted or "",
    }
    part = place.with_name(f".{FILE}.part")
    try:
        part.write_text(json.dumps(told, indent=1, ensure_ascii=False), encoding="utf-8")
        part.replace(place)
    except OSError:
        return  # a folder that cannot be written to is no reason to show no summary


def certificate(topic: str, topics: tuple[str, ...], folder: Path | None = None) -> Certificate:
    """Return the page for the notebooks of this copy of the course; what cannot be read counts as not recorded."""
    place = _place(topic, folder)
    told = _read(place) if place is not None else {}
    found = {name: one for name in topics if (one := _found(told.get(name))) is not None}
    return Certificate(found, topics, place is not None)


def _place(topic: str, folder: Path | None) -> Path | None:
    own = folder or Path.cwd()
    return own.parent / FILE if own.name == topic else None


def _read(place: Path) -> dict[str, Any]:
    try:
        told = json.loads(place.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return told if isinstance(told, dict) else {}


def _found(told: Any) -> Found | None:
    if not isinstance(told, dict):
        return None
    earned, total = told.get("earned"), told.get("total")
    if type(earned) is not int or type(total) is not int or not 0 <= earned <= total:
        return None
    return Found(earned, total, str(told.get("when", ""))[:10], str(told.get("task", ""))[:200])
