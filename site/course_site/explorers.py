"""An explorer in a page: its first picture, which stands without a script, and controls that a script moves."""

from __future__ import annotations

import json
from html import escape
from typing import Any

from course_lib.explorers import EXPLORERS
from course_lib.explorers.controls import Choice, Control, Switch
from course_site.frames import Frames
from course_site.positions import Positions

NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")


def explorer_html(name: str, positions: Positions, frames: Frames, folder: str) -> str:
    """Return the HTML of an explorer whose frames lie in ``folder``."""
    controls = EXPLORERS[name].controls
    places = positions.places()
    first = places.index(tuple(positions.start.values()))
    data = {
        "folder": folder,
        "first": frames.first,
        "names": list(positions.names.values()),
        "start": list(positions.start.values()),
        "star": [control in positions.star for control in positions.names],
        "places": [list(place) for place in places],
        "files": frames.files,
        "texts": frames.texts,
    }
    width, height = frames.size
    rows = "\n".join(
        _control(f"{name}-{key}", control, positions.names[key], positions.start[key])
        for key, control in controls.items()
    )
    return f"""<figure class="explorer" id="explorer-{name}">
<div class="controls" hidden>
{rows}
</div>
<div class="frame"><div class="picture">
<img class="course-picture first" src="{folder}/{frames.first}" alt="{escape(frames.texts[first])}" width="{width}" height="{height}" decoding="sync">
</div></div>
<figcaption>{escape(_caption(name, positions))}<noscript> It moves where scripts are allowed.</noscript></figcaption>
<script type="application/json">{_safe_json(data)}</script>
</figure>"""


def _control(identity: str, control: Control, names: list[str], start: int) -> str:
    label = f'<label for="{identity}">{escape(control.text)}</label>'
    if isinstance(control, Switch):
        return f'<div class="control switch"><input type="checkbox" id="{identity}"{" checked" * start}>{label}</div>'
    if isinstance(control, Choice):
        options = "".join(
            f"<option{' selected' * (i == start)}>{escape(text)}</option>" for i, text in enumerate(names)
        )
        return f'<div class="control">{label}<select id="{identity}" autocomplete="off">{options}</select></div>'
    return (
        f'<div class="control">{label}<div class="track"><input type="range" id="{identity}" min="0" max="{len(names) - 1}" step="1" '
        f'value="{start}" aria-valuetext="{escape(names[start])}" autocomplete="off">'
        f'<output for="{identity}" aria-hidden="true">{escape(names[start])}</output></div></div>'
    )


def _caption(name: str, positions: Positions) -> str:
    """Say which of the live explorer's settings are here."""
    if positions.whole:
        return "Every setting of the notebook's explorer is here."
    some = [
        f"{NUMBERS[len(values)] if len(values) < len(NUMBERS) else len(values)} of “{EXPLORERS[name].controls[key].text}”"
        for key, values in positions.values.items()
        if not isinstance(EXPLORERS[name].controls[key], Choice | Switch)
    ]
    listed = " and ".join(filter(None, [", ".join(some[:-1]), some[-1]]))
    if positions.star:
        return (
            f"Here one slider moves at a time, the others return to where they start; there are {listed}. "
            "In the notebook all move together, through every value."
        )
    return f"Here are {listed}; in the notebook, every value."


def _safe_json(data: dict[str, Any]) -> str:
    return json.dumps(data, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")
