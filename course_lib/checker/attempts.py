"""The best attempt at each notebook's open task in this session, for the summary."""

from __future__ import annotations

_best: dict[str, tuple[float, str]] = {}


def remember(topic: str, value: float, higher_is_better: bool, line: str) -> None:
    """Keep an attempt if it is the best so far."""
    old = _best.get(topic)
    if old is None or (value > old[0]) == higher_is_better:
        _best[topic] = value, line


def best_line(topic: str) -> str | None:
    """Return the best attempt's line, None where nothing was tried."""
    return _best[topic][1] if topic in _best else None
