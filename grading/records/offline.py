"""HTML that needs no script and no network: formulas as MathML, and the texts of pictures that lie elsewhere."""

from __future__ import annotations

import re
from html import unescape

from latex2mathml.converter import convert

CODE = re.compile(r"(<(pre|code)\b.*?</\2>)", re.DOTALL)
FORMULA = re.compile(
    r"\$\$(?P<block>.+?)\$\$|\\\[(?P<bracket>.+?)\\\]|(?P<environment>\\begin\{(?P<name>align\*?|equation\*?|gather\*?)\}.+?\\end\{(?P=name)\})"
    r"|(?<![\\$\w])\$(?P<inline>[^$\n]+?(?:\n[^$\n]+?)?)\$(?![\w$])",
    re.DOTALL,
)
UNKNOWN = re.compile(r"\\arg\b")  # to latex2mathml
ELSEWHERE = re.compile(r"<img\b[^>]*\bsrc=[\"']?(?:https?:)?//[^>]*>", re.IGNORECASE)
ALT = re.compile(r"\balt=(?P<quote>[\"'])(.*?)(?P=quote)")


def offline(html: str) -> str:
    """Return HTML without formulas in TeX and pictures from elsewhere; a formula that cannot be read stays as it is."""
    html = ELSEWHERE.sub(lambda image: (ALT.search(image[0]) or ["", "", "a picture"])[2], html)
    parts = CODE.split(html)
    # split() returns text, code, the code's tag, text, ...
    return "".join(
        FORMULA.sub(_converted, part) if index % 3 == 0 else part for index, part in enumerate(parts) if index % 3 < 2
    )


def _converted(found: re.Match[str]) -> str:
    tex = found["inline"] or found["block"] or found["bracket"] or found["environment"]
    try:
        # Twice: a student's own text was escaped when it was made harmless, and again when it became HTML.
        whole = UNKNOWN.sub(r"\\operatorname{arg}", unescape(unescape(tex)).strip())
        made: str = convert(whole, display="inline" if found["inline"] else "block")
    except Exception:  # whatever a student has typed between two dollars
        return found[0]
    return made
