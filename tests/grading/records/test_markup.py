"""What students write stands on pages as text: no link, picture, style or script of it does anything."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath

from grading.course import topics
from grading.records.markup import SCHEMES, TAGS, markdown2html, safe_html
from grading.records.offline import offline
from grading.release.source import read_source

RAN = "window.ran=1"
ATTEMPTS = [
    f"[a link](javascript:{RAN})",
    f"[a link](  JaVaScRiPt:{RAN})",
    f"[a link](java&#x73;cript:{RAN})",
    f"[a link](java&#10;script:{RAN})",
    f"[a link](vbscript:{RAN})",
    f"[a link](data:text/html,<script>{RAN}</script>)",
    f"<javascript:{RAN}>",
    f"[one][far]\n\n[far]: javascript:{RAN}",
    f"![a picture](javascript:{RAN})",
    f"![x](x){{onerror={RAN}}}",
    f"<script>{RAN}</script>",
    f"<SCRIPT/x>{RAN}</SCRIPT>",
    f"<scr<script>ipt>{RAN}</scr</script>ipt>",
    f'<img src=x onerror="{RAN}">',
    f'<img src="x`onerror={RAN}`">',
    f'<svg onload="{RAN}"><a xlink:href="javascript:{RAN}"><text>x</text></a></svg>',
    f"<math><mtext><table><mglyph><style><img src=x onerror={RAN}></style></mglyph></table></mtext></math>",
    f'<math href="javascript:{RAN}"><mi>x</mi></math>',
    f'<iframe src="javascript:{RAN}"></iframe>',
    f'<iframe srcdoc="<script>parent.{RAN}</script>"></iframe>',
    f'<object data="javascript:{RAN}"></object>',
    f'<embed src="javascript:{RAN}">',
    f'<form action="javascript:{RAN}"><input type=submit autofocus onfocus="{RAN}"></form>',
    f'<details open ontoggle="{RAN}"><summary onclick="{RAN}">s</summary>x</details>',
    f'<a href="#" onclick="{RAN}">x</a>',
    f'<a href="&#x6A;avascript:{RAN}">x</a>',
    f'<a href="java\tscript:{RAN}">x</a>',
    f'<base href="javascript:{RAN}//"><a href="x">x</a>',
    f'<meta http-equiv="refresh" content="0;url=javascript:{RAN}">',
    "<style>body { display: none }</style>",
    '<link rel="stylesheet" href="https://example.org/x.css">',
    f'<div style="background: url(javascript:{RAN})">x</div>',
    '<p class="comment">a comment of nobody\'s</p>',
    f'<noscript><p title="</noscript><img src=x onerror={RAN}>"></noscript>',
    f"<!--><img src=x onerror={RAN}>-->",
    f"`` ` ``<b onmouseover={RAN}>x</b>",
    f"```html\n<script>{RAN}</script>\n```",
    f"$\\href{{javascript:{RAN}}}{{x}}$",
    f"$\\hre&#102;{{javascript:{RAN}}}{{x}}$ and &bsol;href{{javascript:{RAN}}}{{y}}",
    f"$\\text{{<script>{RAN}</script>}}$",
    f"$\\text{{<img src=x onerror={RAN}>}}$",
    f'$\\text{{<mtext onmouseover="{RAN}" onclick="{RAN}">x</mtext>}}$',
    f'$$\\text{{<a href="javascript:{RAN}">x</a>}}$$',
    "$\\class{x}{y}$ $\\style{color:red}{y}$",
    f"| a |\n| --- |\n| <td onclick={RAN}>x |",
    f"# <img src=x onerror={RAN}>",
    f'<p title="$\\text{{ onmouseover={RAN} }}$">x</p>',
    f'<p title="a > b" id="$"> $ <img title="src=//x > onerror={RAN}" alt="$x$">',
    f'<p title="</noscript> > <img src=x onerror={RAN}>">x</p>',
    f'[x](https://example.org "\\" onmouseover=\\"{RAN}")',
]
MATHML = (
    "math",
    "mrow",
    "mi",
    "mo",
    "mn",
    "mtext",
    "mstyle",
    "msub",
    "msup",
    "mfrac",
    "mspace",
    "mtable",
    "mtr",
    "mtd",
)


def shown(source: str) -> str:
    """What a page shows of a Markdown cell."""
    return offline(markdown2html(SimpleNamespace(get=lambda name, default: default), source))  # type: ignore[arg-type]


class Reader(HTMLParser):
    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def check_harmless(html: str) -> None:
    for tag, attributes in Reader(html).found:
        assert tag in TAGS.split() or tag in MATHML, tag
        assert not [name for name in attributes if name.startswith("on")]
        for name in {"href", "src", "action", "data", "xlink:href", "srcdoc"} & attributes.keys():
            assert name in ("href", "src"), name
            address = re.sub(r"[\x00-\x20]", "", attributes[name] or "")
            scheme = re.match(r"([^/?#]*?):", address)
            assert scheme is None or scheme[1].lower() in SCHEMES or address.startswith("data:image/"), address
    outside_code = re.sub(r"<(pre|code)\b.*?</\1>", "", html, flags=re.DOTALL)
    assert not re.search(r"\\(href|class|style)\b", outside_code)


@pytest.mark.parametrize("source", ATTEMPTS)
def test_an_attempt_is_harmless(source):
    check_harmless(shown(source))


@settings(max_examples=300, deadline=None)
@given(
    st.lists(
        st.sampled_from([*ATTEMPTS, "<", ">", '"', "'", "&#106;", "\n\n", "`", "$", "\\", "-->", "]]>", "<p>"]),
        max_size=6,
    )
)
def test_attempts_put_together_are_harmless(parts):
    check_harmless(shown("".join(parts)))


@pytest.mark.parametrize("topic", topics())
def test_the_course_s_own_texts_are_shown_as_they_are(topic):
    for cell in read_source(topic).cells:
        if cell.cell_type == "markdown":
            plain = MarkdownWithMath(renderer=IPythonRenderer(escape=False, anchor_link_text="¶")).render(cell.source)
            before, after = Reader(plain).found, Reader(safe_html(plain)).found
            assert [tag for tag, _ in after] == [tag for tag, _ in before]
            links = [[a.get("href") for tag, a in found if tag == "a"] for found in (before, after)]
            assert links[0] == links[1]


def test_text_formulas_code_and_attachments_stay():
    assert shown("a < b & *c*").strip() == "<p>a &lt; b &amp; <em>c</em></p>"
    assert "<mi>a</mi><mo>&#x0003C;</mo>" in shown("$a < b$")
    assert "\\href" in shown("`\\href{x}{y}`"), "code is no formula"
    picture = "data:image/png;base64,iVBORw0KGgo="
    assert f'src="{picture}"' in safe_html(f'<img alt="a plot" src="{picture}">')
    assert 'style="text-align:right;"' in shown("| a |\n| ---: |\n| 1 |")
    assert '<a href="mailto:a@example.org">' in safe_html('<a href="mailto:a@example.org">a</a>')
    assert '<a href="../x.ipynb#part">' in safe_html('<a href="../x.ipynb#part">a</a>')
