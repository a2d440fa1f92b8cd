"""Formulas as MathML, made when the site is built: no script, no network, and text for screen readers."""

from __future__ import annotations

import re
import unicodedata
from html import escape
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from docutils import nodes
from fontTools import subset
from latex2mathml.converter import convert
from sphinx.application import Sphinx
from sphinx.transforms import SphinxTransform
from sphinx.util import logging

FONT = "STIXTwoMath-Regular"
MATH_FONT = f"{FONT}.woff"
# What latex2mathml does not know, in what it knows.
SPELT_OTHERWISE = ((re.compile(r"\\arg(?![a-zA-Z])"), r"\\operatorname{arg}"), (re.compile(r"\{aligned\}"), "{align*}"))
# Latin, Greek, arrows, signs, brackets and braces, italic and script letters: what formulas are made of.
CHARACTERS = "20-7E,A0-B7,2B0-2FF,370-3FF,2000-2067,2100-214F,2190-21FF,2200-22FF,2308-230B,23DE-23DF,27F5-27FA,1D434-1D467,1D49C-1D4CF,1D6E2-1D71B"
# Browsers draw MathML Core, which has no alphabets but as characters, and no named widths.
ALPHABETS = {"script": "SCRIPT", "double-struck": "DOUBLE-STRUCK", "bold": "BOLD"}
NARROW = {"negativethinmathspace": "-0.167em"}
THIN = "0.167em"
LONG = 60  # characters of TeX, more than a phone has room for
FUNCTIONS = {"log", "det", "exp", "tanh", "sinh", "cosh", "dim", "arg"}
BARS = {"|", "‖"}  # of a condition or a divergence: without room, as TeX sets them
OPENING, CLOSING = "([{⟨", ")]}⟩"
ROWS = {"mrow", "mtd"}
SCRIPTS = {"msup", "msub", "msubsup"}

logger = logging.getLogger(__name__)


def mathml(tex: str, block: bool) -> str:
    """Return a formula as MathML Core.

    Raises:
        ValueError: it holds something that cannot be written so; the message names it.
    """
    known = tex.strip()
    for pattern, spelling in SPELT_OTHERWISE:
        known = pattern.sub(spelling, known)
    try:
        made = convert(known, display="block" if block else "inline")
        tree = ElementTree.fromstring(made)
    except Exception as error:  # of whatever kind: latex2mathml has many
        raise ValueError(f"no MathML for {tex!r}: {error!r}") from None
    text = "".join(tree.itertext())
    if "\\" in text.replace("\\_", "_"):  # what latex2mathml does not know, it leaves as it was written
        raise ValueError(f"no MathML for {text!r}, of {tex!r}")
    _core(tree)
    ElementTree.register_namespace("", "http://www.w3.org/1998/Math/MathML")
    return ElementTree.tostring(tree, encoding="unicode")


def _core(tree: ElementTree.Element) -> None:
    for element in list(tree.iter()):
        text = (element.text or "").replace("\\_", "_")
        if alphabet := ALPHABETS.get(element.attrib.pop("mathvariant", "")):
            text = "".join(_letter(character, alphabet) for character in text)
        if text == "~":  # of TeX's \\sim, a relation
            text, element.tag = "∼", element.tag.replace("}mi", "}mo")
        if text in FUNCTIONS:
            element.tag = element.tag.replace("}mo", "}mi")
            element.attrib.clear()
        element.text = text or None
        if text in BARS and "minsize" not in element.attrib:
            element.attrib |= {"lspace": "0", "rspace": "0"}
        elif "minsize" in element.attrib:  # a large bracket, wherever it stands
            element.attrib |= {"stretchy": "true", "symmetric": "true"}
            if text in OPENING + CLOSING:
                element.set("form", "prefix" if text in OPENING else "postfix")
        if element.get("width") in NARROW:
            element.set("width", NARROW[element.get("width", "")])
        if _kind(element) in SCRIPTS:
            for script in element[1:]:
                if script.text == "⊤":  # a transpose is no relation: without room on both sides
                    script.tag = script.tag.replace("}mo", "}mi")
        if _kind(element) in ROWS:
            _set_functions_apart(element)
            _gather_large_brackets(element)


def _kind(element: ElementTree.Element) -> str:
    return element.tag.rpartition("}")[2]


def _letter(character: str, alphabet: str) -> str:
    case = "CAPITAL" if character.isupper() else "SMALL"
    for name in (f"MATHEMATICAL {alphabet} {case} {character.upper()}", f"{alphabet} {case} {character.upper()}"):
        try:
            return unicodedata.lookup(name)
        except KeyError:
            continue
    return character


def _set_functions_apart(row: ElementTree.Element) -> None:
    """Put TeX's thin space between the name of a function and what stands beside it, unless that is an operator."""
    children = list(row)
    for place in range(len(children) - 1, -1, -1):
        name = children[place][0] if _kind(children[place]) in SCRIPTS else children[place]
        if name.text not in FUNCTIONS:
            continue
        for neighbour, where in ((place + 1, place + 1), (place - 1, place)):
            if 0 <= neighbour < len(children) and _kind(children[neighbour]) not in ("mo", "mspace"):
                row.insert(where, ElementTree.Element(row.tag.replace("mrow", "mspace"), width=THIN))


def _gather_large_brackets(row: ElementTree.Element) -> None:
    """Put what stands between large brackets under the script of the second: browsers stretch no bracket that bears one alone."""
    for script in [child for child in row if _kind(child) in SCRIPTS]:
        if "minsize" not in script[0].attrib or script[0].text not in tuple(CLOSING):
            continue
        end, open_brackets = list(row).index(script), 1
        for begin in range(end - 1, -1, -1):
            text = row[begin].text or " "
            open_brackets += (text in CLOSING) - (text in OPENING)
            if open_brackets == 0:
                group = ElementTree.Element(script[0].tag.replace("}mo", "}mrow"))
                group.extend([*row[begin:end], script[0]])
                for moved in row[begin:end]:
                    row.remove(moved)
                script[0] = group
                break


def _written(tex: str, block: bool, node: nodes.Element) -> str:
    try:
        return mathml(tex, block)
    except ValueError as error:
        logger.warning(str(error), location=node)
        return f"<code>{escape(tex)}</code>"


def visit_inline(translator: Any, node: nodes.math) -> None:
    made = _written(node.astext(), False, node)
    if len(node.astext()) > LONG:
        made = f'<span class="long">{made}</span>'
    if kept := node.get("kept"):
        made = f'<span class="kept">{made}{escape(kept)}</span>'
    translator.body.append(made)
    raise nodes.SkipNode


def visit_block(translator: Any, node: nodes.math_block) -> None:
    translator.body.append(f'<div class="formula">{_written(node.astext(), True, node)}</div>\n')
    raise nodes.SkipNode


class KeepPunctuation(SphinxTransform):
    """Give a formula the punctuation behind it, so that no line begins with a comma: browsers break beside formulas."""

    default_priority = 490

    def apply(self, **_: Any) -> None:
        for formula in list(self.document.findall(nodes.math)):
            after = formula.next_node(nodes.Text, descend=False, siblings=True)
            if after is not None and after.parent.index(after) == after.parent.index(formula) + 1:
                kept = re.match(r"[.,;:!?)\]]*", after.astext())
                if kept and kept[0]:
                    formula["kept"] = kept[0]
                    after.parent.replace(after, nodes.Text(after.astext()[kept.end() :]))


def write_font(folder: Path) -> None:
    """Write the part of STIX Two Math that formulas are made of, for readers whose system has no such font."""
    import ziamath

    options = subset.Options(flavor="woff", layout_features=["*"], notdef_outline=True)
    font = subset.load_font(str(Path(ziamath.__file__).parent / "fonts" / f"{FONT}.ttf"), options)
    chosen = subset.Subsetter(options)
    chosen.populate(unicodes=subset.parse_unicodes(CHARACTERS))
    chosen.subset(font)
    folder.mkdir(parents=True, exist_ok=True)
    subset.save_font(font, str(folder / MATH_FONT), options)


def setup(app: Sphinx) -> dict[str, Any]:
    app.add_transform(KeepPunctuation)
    app.add_html_math_renderer("mathml", (visit_inline, None), (visit_block, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
