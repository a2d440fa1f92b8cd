"""The doctor says what is missing for safe grading."""

from __future__ import annotations

from conftest import needs_sandbox

from grading.doctor import examine

pytestmark = needs_sandbox


def test_the_doctor_finds_this_machine_fit_or_says_what_is_missing(tmp_path, monkeypatch):
    (tmp_path / "grading").mkdir()
    found = {finding.what: finding for finding in examine(tmp_path)}
    assert all(finding.good is not False for finding in found.values())
    assert found["system calls"].good or "not filtered" in found["system calls"].says
    assert found["memory"].good or "systemd-run" in found["memory"].says
    monkeypatch.setenv("PATH", str(tmp_path))
    missing = [finding for finding in examine(tmp_path) if not finding.good]
    assert [finding.what for finding in missing] == ["bubblewrap"]
    assert "apt install bubblewrap" in missing[0].says
