"""Explorers in a real JupyterLab: each control's track and name, and how long a key takes to become a picture."""

from __future__ import annotations

import importlib.util
import json
import os
import statistics
import sys
from importlib.metadata import version
from pathlib import Path

import nbformat
import pytest
from webdriver import CHROMEDRIVER, CHROMIUM, Browser, browser, free_port, running, wait_until

from course_lib.explorers import EXPLORERS

MISSING = [
    name
    for name, found in (
        ("chromium", CHROMIUM),
        ("chromedriver", CHROMEDRIVER),
        ("jupyterlab", importlib.util.find_spec("jupyterlab")),
        ("ipywidgets 8, which JupyterLab 4 draws,", version("ipywidgets").partition(".")[0] >= "8"),
    )
    if not found
]
pytestmark = [pytest.mark.slow, pytest.mark.skipif(bool(MISSING), reason=f"no {' and no '.join(MISSING)} here")]

ROOT = Path(__file__).parents[2]
KEYS = 5
MILLISECONDS = 150  # from key to picture on two idle cores
SHARED = 5  # the machine may be busy with other tests

SETTINGS = {
    "@jupyterlab/notebook-extension/tracker": {"windowingMode": "none"},
    "@jupyterlab/apputils-extension/themes": {"theme": "JupyterLab Dark"},
    "@jupyterlab/apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
}
ARROW_RIGHT, ARROW_LEFT, ARROW_DOWN, ARROW_UP, SPACE = "\ue014", "\ue012", "\ue015", "\ue013", " "

BACK = {ARROW_RIGHT: ARROW_LEFT, ARROW_LEFT: ARROW_RIGHT, ARROW_DOWN: ARROW_UP, ARROW_UP: ARROW_DOWN}

READY = "return window.jupyterapp?.shell.currentWidget?.context?.sessionContext?.session?.kernel?.status === 'idle'"
SHOWN = "return [...document.querySelectorAll('.course-explorer img')].filter(i => i.complete).length"
CONTROLS = """
return [...document.querySelectorAll('.course-explorer')].map(explorer =>
  [...explorer.querySelectorAll('.course-control')].map(control => ({
    kind: control.className, text: control.innerText, label: control.querySelector('label')?.getBoundingClientRect().toJSON(),
    handle: control.querySelector('[role=slider], select, input'),
    left: (select => select === null ? 0 : select.length - 1 - select.selectedIndex)(control.querySelector('select')),
    at: control.querySelector('[role=slider]')?.getBoundingClientRect().x ?? 0,
    track: (control.querySelector('.noUi-base, .slider') ?? control.querySelector('select, input')).getBoundingClientRect().toJSON(),
  })))
"""
# From the key's own time to the frame after the one in which the decoded picture is there.
WATCH = """
const root = document.querySelectorAll('.course-explorer')[arguments[0]]
root.scrollIntoView()
root.times = []
root.addEventListener('keydown', event => { root.pressed = event.timeStamp; root.said = root.querySelector('img').alt }, true)
new MutationObserver(async () => {
  const image = root.querySelector('img')
  await image.decode()
  const coarse = image.naturalWidth === Number(image.getAttribute('width'))
  if (!root.pressed || (!coarse && image.alt === root.said)) return  // a sharp one that says the same is an earlier key's
  const pressed = root.pressed
  root.pressed = null
  requestAnimationFrame(() => root.times.push(performance.now() - pressed))
}).observe(root.querySelector('.widget-html-content'), {childList: true, subtree: true})
"""
TIMES = "return document.querySelectorAll('.course-explorer')[arguments[0]].times"
PICTURE = """
const image = document.querySelectorAll('.course-explorer')[arguments[0]].querySelector('img')
return {across: image.naturalWidth, width: Number(image.getAttribute("width")), filter: getComputedStyle(image).filter, alt: image.alt}
"""


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """A notebook with every explorer, run, in JupyterLab's dark theme."""
    home = tmp_path_factory.mktemp("lab")
    for name, values in SETTINGS.items():
        path = home / "settings" / f"{name}.jupyterlab-settings"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(values))
    cells = [nbformat.v4.new_code_cell(f"from course_lib import explorers\nexplorers.{name}") for name in EXPLORERS]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3"}}
    (home / "work").mkdir()
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=kernel), home / "work" / "explorers.ipynb")

    port = free_port()
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--expose-app-in-browser"]
    command += [f"--port={port}", "--ServerApp.port_retries=0", "--IdentityProvider.token=", "--ServerApp.password="]
    command += [f"--ServerApp.root_dir={home / 'work'}", f"--LabApp.user_settings_dir={home / 'settings'}"]
    command += [f"--LabApp.workspaces_dir={home / 'workspaces'}"]
    paths = {"PYTHONPATH": str(ROOT), "JUPYTER_RUNTIME_DIR": str(home / "runtime"), "IPYTHONDIR": str(home / "ipython")}
    url = f"http://127.0.0.1:{port}"
    with running(command, f"{url}/api", 40, cwd=home, env={**os.environ, **paths}), browser() as page:
        page.open(f"{url}/lab/tree/explorers.ipynb")
        wait_until(lambda: page.run(READY), 40, "a kernel")
        page.run("jupyterapp.commands.execute('notebook:run-all-cells')")
        wait_until(lambda: page.run(SHOWN) == len(EXPLORERS), 60, "every explorer's picture")
        yield page


def controls(page: Browser):
    return zip(EXPLORERS.items(), page.run(CONTROLS), strict=True)


def test_every_control_has_a_track_to_move_on_and_a_name_to_be_called_by(lab):
    lengths = set()
    for (name, explorer), found in controls(lab):
        for declared, control in zip(explorer.controls.values(), found, strict=True):
            print(
                f"{name:14s}{declared.text:34s}{control['track']['width']:5.0f} px   {lab.name_of(control['handle'])}"
            )
            assert lab.name_of(control["handle"]) == declared.text
            if "checkbox" not in control["kind"]:
                assert control["track"]["width"] >= 250
                assert control["label"]["bottom"] <= control["track"]["top"] + 2, "the label stands above"
            if "slider" in control["kind"]:
                lengths.add(round(control["track"]["width"]))
    assert len(lengths) == 1, "all tracks are of one length"


def press(lab, number, handle, key):
    """Return the milliseconds from a key to the picture, of the explorer with this number."""
    before = len(lab.run(TIMES, number))
    lab.press(handle, key)
    wait_until(lambda: len(lab.run(TIMES, number)) > before, 15, f"a picture of explorer {number}")
    return lab.run(TIMES, number)[-1]


def sharp(picture):
    return picture["across"] == 2 * picture["width"]


def test_a_key_becomes_a_picture_soon_and_a_sharp_one_at_rest(lab):
    slow = {}
    for number, ((name, _), found) in enumerate(controls(lab)):
        lab.run(WATCH, number)
        for control in found:
            right = control["at"] < control["track"]["x"] + control["track"]["width"] / 2
            key = ARROW_RIGHT if right else ARROW_LEFT
            if "slider" not in control["kind"]:
                key = SPACE if "checkbox" in control["kind"] else ARROW_DOWN if control["left"] else ARROW_UP
            back = key if control["left"] >= KEYS else BACK.get(key, key)  # there may be few positions
            times = [press(lab, number, control["handle"], (key, back)[i % 2]) for i in range(KEYS)]
            print(f"{name:14s}{control['text'].splitlines()[0]:34s}", *(f"{t:5.0f}" for t in times), "ms")
            if statistics.median(times) > MILLISECONDS:
                slow[name, control["text"].splitlines()[0]] = statistics.median(times)
        wait_until(lambda n=number: sharp(lab.run(PICTURE, n)), 15, f"{name} sharp")
        assert lab.run(PICTURE, number)["filter"] == "invert(0.93) hue-rotate(180deg)", "dark in a dark theme"
    print(f"over {MILLISECONDS} ms: {slow or 'none'}")
    assert all(median < SHARED * MILLISECONDS for median in slow.values())
