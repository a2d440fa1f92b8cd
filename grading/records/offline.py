"""HTML that needs no script and no network: formulas as MathML, and the texts of pictures that lie elsewhere."""

from __future__ import annotations

import re
from collections.abc import Callable
from html import unescape

from latex2mathml.converter import convert

HTML_TAG = re.compile(r"""(<(?:[^<>"']|"[^"]*"|'[^']*')*>)""")
FORMULA = re.compile(
    r"\$\$(?P<block>.+?)\$\$|\\\[(?P<bracket>.+?)\\\]|(?P<environment>\\begin\{(?P<name>align\*?|equation\*?|gather\*?)\}.+?\\end\{(?P=name)\})"
    r"|(?<![\\$\w])\$(?P<inline>[^$\n]+?(?:\n[^$\n]+?)?)\$(?![\w$])",
    re.DOTALL,
)
UNKNOWN = re.compile(r"\\arg\b")  # to latex2mathml
TAG = re.compile(r"</?(?P<name>m[a-z]+)(?P<attributes>(?: [a-z]+=\"[^\"<>]*\")*) ?/?>")  # of MathML
ATTRIBUTE = re.compile(r" ([a-z]+)=")
ATTRIBUTES = """
accent columnalign columnlines columnspacing depth display displaystyle fence form frame height largeop linebreak linethickness lspace mathbackground
mathcolor mathsize mathvariant maxsize minsize movablelimits notation rowlines rowspacing rspace scriptlevel separator stretchy symmetric
voffset width xmlns
"""
ELSEWHERE = re.compile(r"<img\b[^>]*\bsrc=[\"']?(?:https?:)?//[^>]*>", re.IGNORECASE)
ALT = re.compile(r"\balt=(?P<quote>[\"'])(.*?)(?P=quote)")


def offline(html: str) -> str:
    """Return HTML without formulas in TeX and pictures from elsewhere; a formula that cannot be read stays as it is."""
    html = ELSEWHERE.sub(lambda image: (ALT.search(image[0]) or ["", "", "a picture"])[2], html)
    return outside_code(html, lambda text: FORMULA.sub(_converted, text))


def outside_code(html: str, change: Callable[[str], str]) -> str:
    """Return HTML with every text in it changed, but for code; tags and their attributes stay as they are."""
    parts = HTML_TAG.split(html)
    deep = 0
    for index, part in enumerate(parts):
        if index % 2:
            deep += (re.match(r"<(pre|code)\b", part) is not None) - (re.match(r"</(pre|code)\b", part) is not None)
        elif part and deep <= 0:
            parts[index] = change(part)
    return "".join(parts)


def _converted(found: re.Match[str]) -> str:
    tex = found["inline"] or found["block"] or found["bracket"] or found["environment"]
    try:
        # Twice: a student's own text was escaped when it was made harmless, and again when it became HTML.
        whole = UNKNOWN.sub(r"\\operatorname{arg}", unescape(unescape(tex)).strip())
        made: str = convert(whole, display="inline" if found["inline"] else "block")
        harmless = _is_harmless(made)
    except Exception:  # whatever a student has typed between two dollars
        return found[0]
    return made if harmless else found[0]


def _is_harmless(math: str) -> bool:
    """Whether a formula holds nothing but a formula: the text of TeX's ``\\text`` is taken over as it is."""
    known = set(ATTRIBUTES.split())
    for tag in TAG.finditer(math):
        if tag["name"] == "mglyph" or not set(ATTRIBUTE.findall(tag["attributes"])) <= known:
            return False
    return "<" not in TAG.sub("", math)
