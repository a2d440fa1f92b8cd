"""Markdown to HTML for every page that shows what students wrote: what is not on a list of harmless things is shown as text.

nbconvert's filter of the same name is replaced by this one, in feedback and in formgrader alike.
"""

from __future__ import annotations

import re
from functools import lru_cache
from html import escape, unescape
from typing import Any

from bleach.css_sanitizer import CSSSanitizer
from bleach.sanitizer import Cleaner
from jinja2 import pass_context
from jinja2.runtime import Context
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath

from grading.records.offline import outside_code

TAGS = """
a abbr b blockquote br caption center code dd del details div dl dt em h1 h2 h3 h4 h5 h6 hr i img ins kbd li mark ol p pre q s samp small
span strong sub summary sup table tbody td tfoot th thead tr tt u ul var
"""
SCHEMES = frozenset({"http", "https", "mailto"})
SCHEME = re.compile(r"([^/?#]*?):")
IGNORED = re.compile(r"[\x00-\x20\x7f-\xa0\u2028\u2029]")  # by browsers, within an address
PICTURE = re.compile(r"data:image/(png|jpe?g|gif|webp);base64,[A-Za-z0-9+/=\s]*")
HIGHLIGHTED = re.compile(r"(highlight|hl-\w+|language-\w+|[a-z]{1,2}[a-z0-9]?)( (highlight|hl-\w+))*")
# Commands of TeX that make links, styles and pictures where a page's formulas are drawn by MathJax.
COMMANDS = re.compile(
    r"\\(href|url|class|style|cssId|require|mmlToken|unicode|data|includegraphics|tooltip|texttip|bbox|toggle|enclose)(?![a-zA-Z])"
)


def _attribute(tag: str, name: str, value: str) -> bool:
    """Whether an attribute may stay."""
    if name == "href":
        return tag == "a" and _leads_somewhere_harmless(value)
    if name == "src":
        return tag == "img" and PICTURE.fullmatch(unescape(value)) is not None
    if name == "class":
        return value == "anchor-link" or HIGHLIGHTED.fullmatch(value) is not None
    if name == "id":
        return tag in ("h1", "h2", "h3", "h4", "h5", "h6")
    if name == "style":
        return tag in ("td", "th")
    return name in ("title", "alt", "align", "colspan", "rowspan", "start", "open", "width", "height")


def _leads_somewhere_harmless(address: str) -> bool:
    bare = IGNORED.sub("", unescape(address))
    scheme = SCHEME.match(bare)
    return scheme is None or scheme[1].lower() in SCHEMES


_cleaner = Cleaner(
    tags=TAGS.split(),
    attributes=_attribute,
    protocols=[*SCHEMES, "data"],  # "data" for pictures alone: see above
    css_sanitizer=CSSSanitizer(allowed_css_properties=["text-align"]),
)


@lru_cache(maxsize=4096)
def safe_html(html: str) -> str:
    """Return HTML in which what is not on the lists above stands as text, and no formula makes a link."""
    return outside_code(
        _cleaner.clean(html), lambda text: escape(COMMANDS.sub(r"\\text{\1}", unescape(text)), quote=False)
    )


@pass_context
def markdown2html(context: Context, source: str) -> str:
    """Return a Markdown cell, or a comment, as harmless HTML; formulas stay TeX."""
    cell: dict[str, Any] = context.get("cell", {})
    renderer = IPythonRenderer(escape=False, attachments=cell.get("attachments", {}), anchor_link_text="¶")
    try:
        return safe_html(MarkdownWithMath(renderer=renderer).render(source))
    except Exception:  # whatever a student has nested in it
        return f"<pre>{escape(source)}</pre>"
