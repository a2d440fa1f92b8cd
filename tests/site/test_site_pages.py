"""The pages: whole, light, without dead links, and without a line of a solution."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

pytest.importorskip("furo", reason="the extra `site` is not installed")

from course_site.frames import EXPLORER_BYTES, TooLarge
from course_site.notebooks import Notebook, page_of
from course_site.outputs import Pictures
from course_site.weight import PAGE_BYTES, addresses, local, weigh

from course_lib.checks import TOPICS
from grading.course import repository, source_path, topics

ALL = topics()
SOLUTION = re.compile(r"### BEGIN SOLUTION\n(.*?)### END SOLUTION", re.DOTALL)
VOID = {"meta", "link", "img", "input", "br", "hr", "path", "line", "circle", "polyline", "rect"}


class Text(HTMLParser):
    """The text of a page: what a reader sees, and what stands in its code."""

    def __init__(self) -> None:
        super().__init__()
        self.parts: list[tuple[str, str]] = []
        self.inside: list[str] = []

    def handle_starttag(self, tag, attrs):
        if tag not in VOID:
            self.inside.append(tag)

    def handle_endtag(self, tag):
        if tag in self.inside:
            while self.inside.pop() != tag:
                pass

    def handle_data(self, data):
        self.parts.append((" ".join(self.inside), data))


def text_of(page: Path, without: tuple[str, ...] = ()) -> str:
    reader = Text()
    reader.feed(page.read_text(encoding="utf-8"))
    return "".join(data for inside, data in reader.parts if not set(without).intersection(inside.split()))


def squeezed(text: str) -> str:
    """A text without what typesetting changes: blanks, and quotes that curl."""
    return re.sub(r"\s+", "", text).translate(str.maketrans("‘’“”", "''\"\""))


def page(site, topic: str) -> Path:
    return site.html / "notebooks" / f"{topic}.html"


def test_the_site_builds_without_a_warning(site):
    assert site.code == 0, site.said
    assert "WARNING" not in site.said


@pytest.mark.parametrize("topic", ALL)
def test_a_page_holds_no_line_of_a_solution(site, topic):
    # Hints come close to code, in backticks, which a page does not show.
    released = squeezed("\n".join(cell.source for cell in Notebook(topic).released.cells)).replace("`", "")
    shown = squeezed(text_of(page(site, topic)))
    blocks = SOLUTION.findall(source_path(topic).read_text(encoding="utf-8"))
    assert len(blocks) >= sum(exercise.points > 0 for exercise in TOPICS[topic]), "every solution was found"
    lines = {squeezed(line) for block in blocks for line in block.splitlines()}
    told = [line for line in lines if line and line not in released and line in shown]
    # A short line, such as `return z`, may be part of a word of the page's.
    assert not [line for line in told if len(line) > 8]


def test_a_line_of_a_solution_would_be_found(tmp_path):
    topic = next(topic for topic in ALL if "02" in topic)
    told = page_of(Notebook(topic), Pictures(tmp_path, "pictures"), lambda name: "", "", lambda text: text)
    line = squeezed("    return y.mean().log() - y.log().mean()")
    assert line in squeezed(source_path(topic).read_text(encoding="utf-8"))
    assert line not in squeezed(told)


@pytest.mark.parametrize("topic", ALL)
def test_a_page_shows_all_that_students_get(site, topic):
    shown = squeezed(text_of(page(site, topic)))
    notebook = Notebook(topic)
    exercises = {exercise.name for exercise in TOPICS[topic]}
    for cell in notebook.released.cells:
        if cell.cell_type == "code" and cell.id in exercises:
            assert squeezed(cell.source) in shown
        for hint in re.findall(r"<summary>([^<`$]*)</summary>", cell.source):
            assert squeezed(hint) in shown
        for heading in (
            re.findall(r"^#+ ([^`$*\n]+)$", cell.source, re.MULTILINE) if cell.cell_type == "markdown" else ()
        ):
            assert squeezed(heading) in shown
    html = page(site, topic).read_text(encoding="utf-8")
    drawn = {
        output.data["image/png"]
        for outputs in notebook.outputs.values()
        for output in outputs
        if "image/png" in output.get("data", {})
    }
    explorers = re.findall(
        r"^explorers\.(\w+)$", "\n".join(cell.source for cell in notebook.released.cells), re.MULTILINE
    )
    assert html.count('class="drawn"') >= len(drawn) - len(explorers)
    assert html.count('<figure class="explorer"') == len(explorers)
    assert html.count(notebook.colab) == html.count(notebook.lab) == 1 + len(exercises)


def test_every_explorer_has_its_place_in_a_page(site):
    pages = "".join(path.read_text(encoding="utf-8") for path in site.html.glob("notebooks/*.html"))
    for name in (name for topic in ALL for name in Notebook(topic).explorers):
        assert pages.count(f'id="explorer-{name}"') == 1


def test_without_scripts_an_explorer_is_a_picture_with_its_text(site):
    html = (site.html / "notebooks" / "06_variational_autoencoder.html").read_text(encoding="utf-8")
    figure = re.search(r'<figure class="explorer".*?</figure>', html, re.DOTALL)[0]
    assert '<div class="controls" hidden>' in figure
    assert len(re.search(r'<img class="course-picture first" src="[^"]+" alt="([^"]+)"', figure)[1]) > 40


def test_no_link_is_dead(site):
    found = {path: addresses(path) for path in site.pages}
    dead = []
    for path, its in found.items():
        for address in [*its.loaded, *its.linked]:
            target = local(path, address)
            if target is None:
                continue
            anchor = address.partition("#")[2]
            whole = target.is_file() and (not anchor or target.suffix != ".html" or anchor in found[target].anchors)
            if not whole:
                dead.append(f"{path.relative_to(site.html)}: {address}")
    assert not dead


def test_links_that_lead_out_of_the_site_to_the_repository_lead_to_what_is_there(site):
    root = Path(__file__).parents[2]
    outside = {address for path in site.pages for address in addresses(path).linked if address.startswith(repository())}
    inside = [
        re.sub(r".*?/(?:blob|tree)/main/", "", address.partition("#")[0]) for address in outside if "/main/" in address
    ]
    assert inside
    assert not [name for name in inside if not (root / name).exists()]


def test_nothing_is_loaded_from_outside(site):
    loaded = [address for path in site.pages for address in addresses(path).loaded if local(path, address) is None]
    assert not [address for address in loaded if not address.startswith("data:")]
    for style in site.html.rglob("*.css"):
        assert not re.findall(r"@import|url\(\s*[\"']?(?:https?:)?//", style.read_text(encoding="utf-8"))


def test_no_page_and_no_explorer_is_too_heavy(site):
    assert max(weigh(site.html).values()) <= PAGE_BYTES


@pytest.mark.parametrize(
    ("name", "size"), [("explorers/plane/frame.webp", EXPLORER_BYTES), ("picture.png", PAGE_BYTES)]
)
def test_a_page_that_is_too_heavy_stops_the_build(tmp_path, name, size):
    (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / "page.html").write_text(f'<img src="{name}">')
    (tmp_path / name).write_bytes(bytes(size - 100))
    assert weigh(tmp_path)
    (tmp_path / name).write_bytes(bytes(size + 100))
    with pytest.raises(TooLarge, match="bytes"):
        weigh(tmp_path)


@pytest.mark.parametrize("topic", ALL)
def test_no_formula_stays_as_it_was_typed(site, topic):
    html = page(site, topic).read_text(encoding="utf-8")
    assert html.count("<math") > 3
    text = text_of(page(site, topic), without=("pre", "code", "script", "style"))
    assert not re.findall(r"\\[a-zA-Z]+|\$[^$\n]+\$", text)


def test_the_first_page_tells_what_the_notebooks_say_of_themselves(site):
    text = text_of(site.html / "index.html")
    for topic in ALL:
        notebook = Notebook(topic)
        assert notebook.title in text
        assert notebook.fact("time").replace(" minutes", " min") in text
    assert f"{sum(Notebook(topic).points for topic in ALL)} points" in text


@pytest.mark.parametrize("topic", ALL)
def test_other_notebooks_that_are_named_are_linked_and_works_have_numbers(site, topic):
    html = page(site, topic).read_text(encoding="utf-8")
    article = html.partition('id="furo-main-content"')[2].partition("</article>")[0]
    linked = set(re.findall(r'href="(\d\d)_\w+\.html"', article))
    said = "\n".join(cell.source for cell in Notebook(topic).released.cells if cell.cell_type == "markdown")
    named = set(re.findall(r"[Nn]otebook (\d\d)\b", re.sub(r"`[^`]*`", "", said))) - {topic[:2]}
    assert named <= linked
    assert 'href="../references.html#work-' in article
