"""Nothing that students write runs on a page, is a formula in a table, or moves the terminal."""

from __future__ import annotations

import csv
import io

import nbformat
import pytest
from conftest import needs_sandbox
from handed_in import SHORT, course
from nbconvert.exporters import HTMLExporter
from submissions import fill_in
from test_markup import ATTEMPTS, RAN
from typer.testing import CliRunner
from webdriver import CHROMEDRIVER, CHROMIUM, browser

from grading.batch.submissions import autograde, feedback
from grading.records.export import FORMS, Row
from grading.records.report import write_report
from grading.records.spreadsheet import as_text
from grading.release.build import nbgrader_config

NAMED = {"formula": "=1+1", "picture": "<img src=x onerror=window.ran=1>", "escapes": "\x1b[2J\x1b]0;owned\x07[red]x"}
TRY_EVERYTHING = """
const events = ["click", "mouseover", "mouseenter", "focus", "toggle", "load", "error", "input", "submit", "pointerdown"];
document.addEventListener("click", event => {
  const link = event.target.closest && event.target.closest("a[href]");
  if (link && /^(https?|mailto|file):/i.test(link.href)) event.preventDefault();
}, true);
let links = 0;
for (const one of document.querySelectorAll("*")) {
  if (one.href && one.tagName.toLowerCase() === "a") links += 1;
  for (const name of events) one.dispatchEvent(new MouseEvent(name, {bubbles: true, cancelable: true}));
  if (one.click) one.click();
}
return new Promise(done => setTimeout(() => done([window.ran || 0, links]), 500));
"""


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """A course in which one student has handed in every attempt, graded, with all pages; and formgrader's of it."""
    notebook = fill_in(SHORT, lambda i: True)
    for source in ATTEMPTS:
        notebook.cells.append(nbformat.v4.new_markdown_cell(source))
    notebook.cells.append(nbformat.v4.new_code_cell(f"print('<script>{RAN}</script>')\n'<img src=x onerror={RAN}>'"))
    notebook.cells.append(nbformat.v4.new_code_cell(f"raise ValueError('<img src=x onerror={RAN}>')"))
    notebook.cells.append(nbformat.v4.new_code_cell(f"# </pre><script>{RAN}</script>"))
    students = dict.fromkeys(("anna", NAMED["formula"], NAMED["picture"], "moves\x1bthe cursor"), notebook)
    root = course(tmp_path_factory.mktemp("course"), SHORT, students)
    list(autograde(SHORT, root=root))
    assert not [outcome.problem for outcome in feedback(SHORT, root=root) if outcome.problem]
    graded = root / "grading" / "autograded" / "anna" / SHORT / f"{SHORT}.ipynb"
    config = nbgrader_config(root)
    config.HTMLExporter.template_name = "classic"  # formgrader's own stands on it
    html, _ = HTMLExporter(config=config).from_filename(str(graded))
    formgrader = root / "formgrader.html"
    formgrader.write_text(html)
    report, table = write_report(SHORT, root)
    return {
        "feedback": root / "grading" / "feedback" / "anna" / SHORT / f"{SHORT}.html",
        "formgrader": formgrader,
        "report": report,
        "table": table,
    }


@needs_sandbox
@pytest.mark.skipif(not (CHROMIUM and CHROMEDRIVER), reason="there is no Chromium")
def test_nothing_runs_in_a_browser(pages, tmp_path):
    trap = tmp_path / "trap.html"
    trap.write_text(f'<a href="javascript:{RAN}">x</a>')
    with browser() as opened:
        opened.open(trap.as_uri())
        assert opened.run(TRY_EVERYTHING)[0] == 1, "the test sees what runs"
        for name in ("feedback", "formgrader", "report"):
            opened.open(pages[name].as_uri())
            ran, links = opened.run(TRY_EVERYTHING)
            assert ran == 0, name
            assert links > 0 or name == "report"


@needs_sandbox
def test_pages_hold_no_link_that_runs(pages):
    for name in ("feedback", "formgrader", "report"):
        page = pages[name].read_text()
        assert "javascript:" not in "".join(part.split(">")[0] for part in page.split("<")[1:]), name
    assert "\x1b" not in pages["report"].read_text() + pages["table"].read_text()
    rows = list(csv.DictReader(io.StringIO(pages["table"].read_text())))
    assert {row["student"] for row in rows if "1+1" in row["student"]} == {"'=1+1"}


@pytest.mark.parametrize("form", FORMS)
def test_no_cell_of_an_export_is_a_formula(form):
    for bad in ("=1+1", "+1", "-1+1", "@SUM(1)", "\t=1", "\r=1", " =1", "\n@x", "\uff1d1+1"):
        row = Row("00_start_here", bad, bad, bad, bad, bad, 1.5, 2.0, "graded")
        for cells in csv.reader(io.StringIO(FORMS[form]([row]))):
            assert not [cell for cell in cells if cell.strip().startswith(tuple("=+-@\uff1d"))]
    assert as_text(-1.5) == -1.5, "a number stays one"


def test_names_do_not_reach_the_terminal_as_they_are(monkeypatch):
    from grading import __main__ as commands
    from grading.batch import submissions as submitted
    from grading.batch.submissions import Outcome

    name = NAMED["escapes"]
    outcomes = [Outcome(SHORT, name, problem=f"{name} cannot be read", moved=[("log_mean_exp", 1.0, 2.0)])]
    monkeypatch.setattr(submitted, "submissions", lambda *args: [name])
    monkeypatch.setattr(submitted, "autograde", lambda *args, **kwargs: iter(outcomes))
    monkeypatch.setattr(submitted, "feedback", lambda *args, **kwargs: iter(outcomes))
    for command in (["autograde", "00"], ["feedback", "00"]):
        said = CliRunner().invoke(commands.app, command).output
        assert "\x1b]0;" not in said
        assert "\x1b[2J" not in said
        assert "[red]x" in said, "no markup"
