"""A real JupyterLab in a real Chromium, for tests of what students see and touch."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
needs_browser = pytest.mark.skipif(
    not (CHROMIUM and DRIVER),
    reason="needs chromium and chromedriver (on Debian: apt install chromium chromium-driver)",
)
QUIET = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
SECONDS = 90  # for a server, a page or a kernel to come


@contextmanager
def chromium(width: int = 1280, height: int = 900, scale: float = 1) -> Iterator[Any]:
    """Start a browser without a window; ``scale`` is the screen's device pixels for one of CSS."""
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for argument in (*QUIET, f"--window-size={width},{height}", f"--force-device-scale-factor={scale}"):
        options.add_argument(argument)
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))
    try:
        yield driver
    finally:
        driver.quit()


@contextmanager
def jupyterlab(root: Path, home: Path, command: list[str]) -> Iterator[str]:
    """Start a JupyterLab as ``scripts/bootstrap.py`` would, with settings of its own; yield its address.

    Args:
        root: the folder that it shows.
        home: an empty folder for its settings.
        command: what starts it; the folder that it names is not used.
    """
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    arguments = ["--no-browser", f"--port={port}", "--IdentityProvider.token=", f"--ServerApp.root_dir={root}"]
    own = [part for part in command if not part.startswith("--ServerApp.root_dir=")]
    places = {f"JUPYTER_{name}_DIR": str(home / name.lower()) for name in ("CONFIG", "DATA", "RUNTIME")}
    with (home / "jupyterlab.log").open("w") as log:
        process = subprocess.Popen(
            [*own, *arguments],
            env={**os.environ, **places, "PYTHONPATH": os.pathsep.join(sys.path)},
            stdout=log,
            stderr=log,
        )
        try:
            wait(lambda: _answers(f"http://127.0.0.1:{port}/api"))
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(20)


def wait(found: Callable[[], Any], seconds: float = SECONDS) -> Any:
    """Return what a function gives as soon as that is true.

    Raises:
        TimeoutError: it was not true in time.
    """
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if result := found():
            return result
        time.sleep(0.05)
    raise TimeoutError(f"not true within {seconds:.0f} s")


def _answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(address):
            return True
    except OSError:
        return False


def count(driver: Any, selector: str) -> int:
    """Return how many elements a page has by a CSS selector."""
    return int(driver.execute_script("return document.querySelectorAll(arguments[0]).length", selector))
