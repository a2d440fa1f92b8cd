"""The site in a real browser: sliders move the picture, nothing fails in a script, nobody is shut out, in both themes."""

from __future__ import annotations

import contextlib
import functools
import importlib.util
import statistics
import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

pytest.importorskip("furo", reason="the extra `site` is not installed")

from webdriver import CHROMEDRIVER, CHROMIUM, browser, wait_until

from course_lib.explorers import EXPLORERS
from course_lib.explorers.controls import Choice, Switch

AXE = importlib.util.find_spec("axe_playwright_python")
MISSING = [name for name, found in (("chromium", CHROMIUM), ("chromedriver", CHROMEDRIVER)) if not found]
pytestmark = [pytest.mark.slow, pytest.mark.skipif(bool(MISSING), reason=f"no {' and no '.join(MISSING)} here")]

MILLISECONDS = 100  # from an input to its picture on two idle cores
PARTS = 8
THEMES = ("light", "dark")
SHARED = 5  # the machine may be busy with other tests
ARROW_RIGHT, ARROW_LEFT, ARROW_DOWN, ARROW_UP, SPACE = "\ue014", "\ue012", "\ue015", "\ue013", " "
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
ERRORS = """
window.failed = []
addEventListener('error', event => failed.push(event.message || `not loaded: ${event.target.src || event.target.href}`), true)
addEventListener('unhandledrejection', event => failed.push(String(event.reason)))
const said = console.error
console.error = (...words) => { failed.push(words.join(' ')); said(...words) }
"""
# All rules in the light theme; in the dark one that of contrast, for no other sees a theme. Formulas have the colour of their text.
RUN_AXE = """
const [theme, tags] = arguments
const runOnly = theme === 'light' ? {type: 'tag', values: tags} : {type: 'rule', values: ['color-contrast']}
document.querySelectorAll('details').forEach(part => { part.open = true })
document.body.dataset.theme = theme
return axe.run({include: [document], exclude: [['math']]}, {runOnly, resultTypes: ['violations'], preload: false, selectors: false})
  .then(found => found.violations.map(rule => `${theme} ${rule.id}: ${rule.nodes.length} × ` +
    rule.nodes.slice(0, 3).map(node => node.html.slice(0, 160)).join(' | ')))
"""
WATCH = """
const figure = document.getElementById(arguments[0])
figure.scrollIntoView()
figure.times = []
figure.addEventListener('input', event => { figure.begun = event.timeStamp }, true)
new MutationObserver(() => requestAnimationFrame(() => {
  if (figure.begun) figure.times.push(performance.now() - figure.begun)
  figure.begun = null
})).observe(figure.querySelector('.picture'), {childList: true, subtree: true, attributes: true})
const data = JSON.parse(figure.querySelector('script').textContent)
const images = data.files.filter(Boolean).map(file => fetch(`${data.folder}/${file}`).then(answer => answer.ok))
return Promise.all(images).then(all => all.every(Boolean))
"""
SEEN = """
const figure = document.getElementById(arguments[0])
const over = figure.querySelector('img.over')
return {text: figure.querySelector('img.first').alt, file: over && over.src.split('/').pop(), times: figure.times,
  shown: !over || over.naturalWidth > 0,
  places: [...figure.querySelectorAll('input, select')].map(c =>
    c.type === 'checkbox' ? Number(c.checked) : c.tagName === 'SELECT' ? c.selectedIndex : Number(c.value))}
"""
CONTROLS = "return [...document.getElementById(arguments[0]).querySelectorAll('input, select')]"
DATA = "return JSON.parse(document.getElementById(arguments[0]).querySelector('script').textContent)"


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def copyfile(self, source, outputfile):
        with contextlib.suppress(ConnectionError):  # a page was left before all of it had come
            super().copyfile(source, outputfile)


@pytest.fixture(scope="module")
def address(site):
    handler = functools.partial(Quiet, directory=str(site.html))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture(scope="module")
def reader(address):
    with browser(1280, 1000) as page:
        page.ask("POST", "/goog/cdp/execute", cmd="Page.addScriptToEvaluateOnNewDocument", params={"source": ERRORS})
        page.open(f"{address}/index.html")
        yield page


def place_of(site, name: str) -> str:
    found = [
        path
        for path in site.html.glob("notebooks/*.html")
        if f'id="explorer-{name}"' in path.read_text(encoding="utf-8")
    ]
    return f"notebooks/{found[0].name}"


def key_for(control, place: int, last: int) -> str:
    if isinstance(control, Switch):
        return SPACE
    if isinstance(control, Choice):
        return ARROW_DOWN if place < last else ARROW_UP
    return ARROW_RIGHT if place < last else ARROW_LEFT


@pytest.mark.parametrize("name", EXPLORERS)
def test_controls_move_the_picture_and_its_text(site, address, reader, name):
    reader.open(f"{address}/{place_of(site, name)}")
    figure = f"explorer-{name}"
    assert reader.run(WATCH, figure), "every frame is there"
    data = reader.run(DATA, figure)
    changes = 0
    numbers = {tuple(place): number for number, place in enumerate(data["places"])}
    for at, (control, handle) in enumerate(
        zip(EXPLORERS[name].controls.values(), reader.run(CONTROLS, figure), strict=True)
    ):
        assert reader.name_of(handle) == control.text
        before = reader.run(SEEN, figure)
        reader.press(handle, key_for(control, before["places"][at], len(data["names"][at]) - 1))
        moved = reader.run(SEEN, figure)
        assert moved["places"][at] != before["places"][at]
        number = numbers[tuple(moved["places"])]
        changes += before["text"] != data["texts"][number]  # two weights may show the same model

        def followed(number=number):
            seen = reader.run(SEEN, figure)
            return seen["text"] == data["texts"][number] and seen["file"] == data["files"][number] and seen["shown"]

        wait_until(followed, 5, f"the picture of {name} at {moved['places']}")
    # A time is taken in the frame after the picture's.
    wait_until(lambda: len(reader.run(SEEN, figure)["times"]) >= changes, 5, f"{changes} times of {name}")
    times = reader.run(SEEN, figure)["times"]
    print(f"{name:18s}", *(f"{time:4.0f}" for time in times), "ms")
    assert not times or statistics.median(times) < SHARED * MILLISECONDS
    assert reader.run("return failed") == []


@pytest.mark.skipif(AXE is None, reason="no axe-core: axe-playwright-python is not installed")
@pytest.mark.parametrize("part", range(PARTS))
def test_no_page_shuts_anybody_out(site, address, reader, part):
    axe = (Path(AXE.submodule_search_locations[0]) / "axe.min.js").read_text(encoding="utf-8")
    pages = [path.relative_to(site.html).as_posix() for path in site.pages]
    told = {}
    for name in pages[part::PARTS]:
        reader.open(f"{address}/{name}")
        reader.run(axe)
        if found := [line for theme in THEMES for line in reader.run(RUN_AXE, theme, TAGS)]:
            told[name] = found
        assert reader.run("return failed") == [], name
    assert not told


@pytest.mark.skipif(AXE is None, reason="no axe-core: axe-playwright-python is not installed")
def test_what_shuts_somebody_out_would_be_found(address, reader):
    axe = (Path(AXE.submodule_search_locations[0]) / "axe.min.js").read_text(encoding="utf-8")
    reader.open(f"{address}/references.html")
    reader.run(
        "for (const colour of ['#bbb', '#444']) {"
        "const bad = document.createElement('p'); bad.textContent = 'pale'; bad.style.color = colour;"
        "document.querySelector('article').append(bad, new Image()) }"
    )
    reader.run(axe)
    told = " ".join(line for theme in THEMES for line in reader.run(RUN_AXE, theme, TAGS))
    assert "light color-contrast" in told
    assert "dark color-contrast" in told
    assert "image-alt" in told


@pytest.mark.parametrize(("theme", "ground"), [("light", "rgb(255, 255, 255)"), ("dark", "rgb(19, 20, 22)")])
def test_a_reader_chooses_light_or_dark_and_pictures_follow(address, reader, theme, ground):
    reader.run("localStorage.setItem('theme', arguments[0])", theme)
    reader.open(f"{address}/index.html")
    assert reader.run("return getComputedStyle(document.body).backgroundColor") == ground
    turned = reader.run("return getComputedStyle(document.querySelector('img.course-picture')).filter")
    assert turned == ("none" if theme == "light" else "invert(0.93) hue-rotate(180deg)")
    reader.run("localStorage.removeItem('theme')")


def test_a_page_fits_a_phone(site, address, reader):
    metrics = {"width": 390, "height": 844, "deviceScaleFactor": 2, "mobile": True}
    reader.ask("POST", "/goog/cdp/execute", cmd="Emulation.setDeviceMetricsOverride", params=metrics)
    try:
        for path in site.pages:
            name = path.relative_to(site.html).as_posix()
            reader.open(f"{address}/{name}")
            assert reader.run("return document.documentElement.scrollWidth") <= 390, name
    finally:
        reader.ask("POST", "/goog/cdp/execute", cmd="Emulation.clearDeviceMetricsOverride", params={})


def test_the_search_finds_what_a_page_is_about(address, reader):
    reader.open(f"{address}/search.html?q=entropy")
    found = "return [...document.querySelectorAll('#search-results li a')].map(link => link.getAttribute('href'))"
    wait_until(lambda: any("02_jensen" in link for link in reader.run(found)), 10, "notebook 02 among what is found")
