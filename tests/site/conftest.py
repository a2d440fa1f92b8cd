"""One site for all tests of it, built once, whichever worker comes first; with few frames, which is quick."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from filelock import FileLock

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "site"))
FRAMES = 8  # of an explorer, where its names and switches do not need more


@dataclass(frozen=True)
class Built:
    """A built site: the exit code, what was printed, and the folder of its pages."""

    code: int
    said: str
    html: Path

    @property
    def pages(self) -> list[Path]:
        return sorted(self.html.rglob("*.html"))


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Built:
    base = tmp_path_factory.getbasetemp()
    shared = base if worker_id == "master" else base.parent  # of all workers
    into, said = shared / "site", shared / "site.txt"
    with FileLock(shared / "site.lock"):
        if not said.exists():
            command = [sys.executable, "scripts/make_site.py", "--frames", str(FRAMES), "--into", str(into)]
            done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
            said.write_text(f"{done.returncode}\n{done.stdout}{done.stderr}", encoding="utf-8")
    code, _, rest = said.read_text(encoding="utf-8").partition("\n")
    return Built(int(code), rest, into / "html")
