"""What a sandbox replies, parsed: one function for each kind of message, from JSON to typed data with bounds.

What does not parse raises WireError, which fails the exercise it was for. Texts come back safe to store and show.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor

from course_lib.answers import AnswerFailed
from grading.intake.reading import PNG
from grading.safe_text import safe_text
from grading.sandbox.wire import NAME_CHARACTERS, PARAMETERS, Reader, WireError

KINDS = ("unanswered", "half", "raised", "type", "time")
FAILURE_CHARACTERS, PRINTED_CHARACTERS = 1000, 4096
MOST_OUTPUTS, MOST_FAILURES = 1000, 50
LARGEST_NUMBER = 1e12
Message = dict[str, Any]


def number(thing: Any) -> float:
    """Return a number that a sandbox says of itself; 0 for what is none that a report could show."""
    fits = type(thing) in (int, float) and abs(thing) < LARGEST_NUMBER  # NaN is not smaller either
    return float(thing) if fits else 0.0


def handle(thing: Any) -> int:
    """Return the number by which a sandbox knows an instance."""
    if type(thing) is not int or not 0 < thing < 1 << 31:
        raise WireError("an instance has no number")
    return thing


def names(reply: Message, asked: list[str]) -> list[str]:
    """Return those of the names asked for that a reply lists."""
    said = reply.get("names")
    if not isinstance(said, list):
        raise WireError("names are no list")
    listed = {name for name in said if isinstance(name, str)}
    return [name for name in asked if name in listed]


def failure(reply: Message) -> AnswerFailed | None:
    """Return the failure that a reply tells of; None if it tells of none."""
    failed = reply.get("failed")
    if not isinstance(failed, dict):
        return None
    said = failed.get("kind")
    kind = said if isinstance(said, str) and said in KINDS else "raised"
    texts = {key: _text(failed[key], FAILURE_CHARACTERS) for key in ("says", "line", "error") if failed.get(key)}
    return AnswerFailed(kind, texts.get("says", ""), texts.get("line"), texts.get("error"))


def printed(reply: Message) -> str:
    """Return what an answer printed."""
    return _text(reply.get("printed") or "", PRINTED_CHARACTERS)


def raised(reply: Message, longest: int) -> tuple[str, str]:
    """Return an exception's type and text."""
    return _text(reply.get("type"), 100), _text(reply.get("text"), longest)


def parameters(body: bytes, node: Any) -> dict[str, tuple[Tensor, bool]]:
    """Return an instance's parameters by name, each with whether it learns."""
    pairs = node.get("of") if isinstance(node, dict) and node.get("is") == "list" else None
    if not isinstance(pairs, list) or len(pairs) > PARAMETERS:
        raise WireError("parameters are malformed")
    found: dict[str, tuple[Tensor, bool]] = {}
    reader = Reader(body)
    for pair in pairs:
        value = reader.value(pair)
        named = isinstance(value, tuple) and len(value) == 2 and isinstance(value[0], str)
        if not named or len(value[0]) > NAME_CHARACTERS or value[0] in found or not isinstance(value[1], Tensor):
            raise WireError("parameters are malformed")
        learns = pair["of"][1].get("grad") is True
        if learns and not value[1].is_floating_point():
            raise WireError("a parameter that learns holds whole numbers")
        found[value[0]] = value[1], learns
    return found


def gradients(value: Any, sources: list[Tensor]) -> list[Tensor | None]:
    """Return gradients, one for each source, None where there is none."""
    if not isinstance(value, list) or len(value) != len(sources):
        raise WireError("gradients are malformed")
    for part, source in zip(value, sources, strict=True):
        fits = isinstance(part, Tensor) and part.is_floating_point() and part.shape == source.shape
        if part is not None and not fits:
            raise WireError("a gradient has another shape or dtype than what it belongs to")
    return value


def failed_lines(raw: Any) -> tuple[tuple[str, str], ...]:
    """Return the statements of a cell that failed, each its line and why."""
    pairs = (
        [pair for pair in raw[:MOST_FAILURES] if isinstance(pair, list) and len(pair) == 2]
        if isinstance(raw, list)
        else []
    )
    return tuple((_text(line, 200), _text(why, 300)) for line, why in pairs)


def outputs(raw: Any, limit: int) -> list[dict[str, Any]]:
    """Return a cell's outputs, rebuilt: text and pictures, no HTML, no scripts, up to twice the limit in all."""
    kept: list[dict[str, Any]] = []
    left = 2 * limit
    for out in raw if isinstance(raw, list) else []:
        kind = out.get("output_type") if isinstance(out, dict) else None
        if left <= 0 or len(kept) >= MOST_OUTPUTS:
            break
        if kind == "stream":
            name = "stderr" if out.get("name") == "stderr" else "stdout"
            kept.append({"output_type": "stream", "name": name, "text": _text(out.get("text"), left)})
        elif kind in ("display_data", "execute_result") and isinstance(out.get("data"), dict):
            data = {form: safe_text(text) for form, text in out["data"].items() if _harmless(form, text)}
            if not data or sum(map(len, data.values())) > left:
                continue
            # A result would be read as points by nbgrader: here it is shown, no more.
            kept.append({"output_type": "display_data", "data": data, "metadata": {}})
        elif kind == "error":
            lines = out.get("traceback") if isinstance(out.get("traceback"), list) else []
            trace = [_text(line, 4000) for line in lines[:40]]
            texts = {key: _text(out.get(key), 2000) for key in ("ename", "evalue")}
            kept.append({"output_type": "error", **texts, "traceback": trace})
        else:
            continue
        left -= size(kept[-1])
    return kept


def size(output: dict[str, Any]) -> int:
    """Return the letters of an output, as :func:`outputs` rebuilds it."""
    texts = [
        output.get("text", ""),
        output.get("evalue", ""),
        *output.get("traceback", []),
        *output.get("data", {}).values(),
    ]
    return sum(map(len, texts))


def _text(thing: Any, longest: int) -> str:
    return safe_text(str(thing)[:longest])


def _harmless(form: Any, text: Any) -> bool:
    """Whether an output is text, or a picture that is one: pages take its letters as they are."""
    if not isinstance(text, str):
        return False
    return form == "text/plain" or (form == "image/png" and PNG.fullmatch(text) is not None)
