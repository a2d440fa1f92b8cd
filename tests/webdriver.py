"""A browser driven over HTTP, as the W3C's WebDriver says: the little of it that the tests need."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
CHROMEDRIVER = shutil.which("chromedriver")
QUIET = (  # nobody to be asked or told, and nothing to be looked up outside
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--disable-sync",
    "--disable-component-update",
    "--disable-background-networking",
    "--no-first-run",
)
ELEMENT = "element-6066-11e4-a52e-4f735466cecf"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_until(condition: Callable[[], Any], seconds: float, what: str) -> Any:
    """Return what the condition gives as soon as it is true."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := condition():
            return found
        time.sleep(0.1)
    raise AssertionError(f"after {seconds} s still not: {what}")


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2):
            return True
    except (urllib.error.URLError, OSError):
        return False


@contextmanager
def running(command: list[str], url: str, seconds: float, **settings: Any) -> Iterator[None]:
    """A server that answers at ``url``, ended with the block."""
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **settings)
    try:
        wait_until(lambda: answers(url), seconds, f"an answer from {command[0]}")
        yield
    finally:
        server.terminate()
        try:
            server.wait(10)
        except subprocess.TimeoutExpired:
            server.kill()


class Browser:
    def __init__(self, driver: str, width: int, height: int, scale: float) -> None:
        arguments = [*QUIET, f"--window-size={width},{height}", f"--force-device-scale-factor={scale}"]
        options = {"binary": CHROMIUM, "args": arguments}
        self.session = driver
        capabilities = {"alwaysMatch": {"goog:chromeOptions": options, "timeouts": {"script": 20_000}}}
        self.session = f"{driver}/session/{self.ask('POST', '/session', capabilities=capabilities)['sessionId']}"

    def ask(self, method: str, path: str, **body: Any) -> Any:
        data = json.dumps(body).encode() if method == "POST" else None
        request = urllib.request.Request(self.session + path, data, {"Content-Type": "application/json"}, method=method)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return json.load(answer)["value"]
        except urllib.error.HTTPError as error:
            raise AssertionError(json.load(error)["value"]["message"]) from None

    def open(self, url: str) -> None:
        self.ask("POST", "/url", url=url)

    def run(self, script: str, *arguments: Any) -> Any:
        """Run JavaScript and return what it returns, or what its promise gives."""
        return self.ask("POST", "/execute/sync", script=script, args=list(arguments))

    def press(self, element: dict[str, str], key: str) -> None:
        self.ask("POST", f"/element/{element[ELEMENT]}/value", text=key)

    def name_of(self, element: dict[str, str]) -> str:
        """The name by which a screen reader calls an element."""
        return self.ask("GET", f"/element/{element[ELEMENT]}/computedlabel")


@contextmanager
def browser(width: int = 1280, height: int = 1000, scale: float = 1) -> Iterator[Browser]:
    assert CHROMEDRIVER is not None
    port = free_port()
    driver = f"http://127.0.0.1:{port}"
    with running([CHROMEDRIVER, f"--port={port}"], f"{driver}/status", 20):
        opened = Browser(driver, width, height, scale)
        try:
            yield opened
        finally:
            opened.ask("DELETE", "")
