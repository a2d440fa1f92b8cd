"""What a cell prints and shows, in nbformat's words, up to a limit."""

from __future__ import annotations

import io
from typing import Any

KEPT_FORMATS = ("text/plain", "image/png")


class Outputs:
    """The outputs of a cell, in nbformat's words, up to a limit."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.clear()

    def clear(self) -> None:
        self.list: list[dict[str, Any]] = []
        self.left = self.limit

    def stream(self, name: str, text: str) -> None:
        if self.left <= 0 or not text:
            return
        if len(text) > self.left:
            text = text[: self.left] + "\n[The rest of the output was cut.]\n"
        self.left -= len(text)
        last = self.list[-1] if self.list else {}
        if last.get("output_type") == "stream" and last.get("name") == name:
            last["text"] += text
        else:
            self.list.append({"output_type": "stream", "name": name, "text": text})

    def data(self, kind: str, bundle: dict[str, Any]) -> None:
        kept = {form: bundle[form] for form in KEPT_FORMATS if isinstance(bundle.get(form), str)}
        size = sum(len(text) for text in kept.values())
        if not kept:
            return
        if size > self.left:
            kept, size = {"text/plain": "[An output was too large to be kept.]"}, 40
        self.left -= size
        self.list.append({"output_type": kind, "data": kept})

    def error(self, name: str, text: str, lines: list[str]) -> None:
        kept = [line[:4000] for line in lines[:40]] if self.left > 0 else []
        self.left -= len(text[:2000]) + sum(map(len, kept))
        self.list.append({"output_type": "error", "ename": name, "evalue": text[:2000], "traceback": kept})


class Stream(io.TextIOBase):
    """A standard stream that ends in a cell's outputs."""

    encoding = "utf-8"

    def __init__(self, outputs: Outputs, name: str) -> None:
        self._outputs, self._name = outputs, name

    def write(self, text: str) -> int:
        self._outputs.stream(self._name, str(text))
        return len(text)

    def writable(self) -> bool:
        return True
