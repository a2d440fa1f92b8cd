"""A server of preloaded libraries that is slow to start, or does not start, is said so of: no run waits for it for ever."""

from __future__ import annotations

import sys
import time

import pytest

from grading.sandbox import host
from grading.sandbox.bubblewrap import SandboxError

SLOW = "#!/bin/sh\necho still loading >&2\nexec sleep 600\n"
BROKEN = "#!/bin/sh\necho no module named torch >&2\nexit 1\n"
SILENT = "#!/bin/sh\nexit 0\n"


@pytest.mark.parametrize(
    ("script", "says"),
    [
        (SLOW, "still loading"),
        (SLOW.replace("echo", ": "), "not within 1 s"),
        (BROKEN, "no module"),
        (SILENT, "it ended"),
    ],
    ids=["slow", "slow and silent", "broken", "silent"],
)
def test_a_server_that_does_not_start_is_ended_and_told_of(script, says, tmp_path, monkeypatch):
    python = tmp_path / "python"
    python.write_text(script)
    python.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(python))
    monkeypatch.setattr(host, "PRELOAD_SECONDS", 1.0)
    began = time.monotonic()
    with pytest.raises(SandboxError, match=f"did not start: .*{says}"):
        host.Zygote()
    assert time.monotonic() - began < 30
