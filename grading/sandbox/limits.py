"""What a submission may use."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from grading.course import CourseError


@dataclass(frozen=True)
class Limits:
    """Limits of one sandbox; each is a whole number.

    Attributes:
        cell_seconds: wall time of one cell.
        answer_seconds: wall time of one exercise's check.
        notebook_seconds: wall time of the whole notebook, fresh starts included.
        cpu_seconds: processor time of one process.
        memory_mb: memory of all processes together, beyond that of the preloaded libraries.
        processes: processes and threads.
        open_files: open files of one process.
        file_mb: size of one file.
        disk_mb: size of /tmp, and of the working directory.
        output_kb: output of one cell; what is longer is cut.
        outputs_mb: output of all cells together; what is more is left out.
        reply_mb: size of one returned value.
        restarts: fresh kernels after one has died.
    """

    cell_seconds: int = 60
    answer_seconds: int = 20
    notebook_seconds: int = 300
    cpu_seconds: int = 600
    memory_mb: int = 4096
    processes: int = 64
    open_files: int = 256
    file_mb: int = 64
    disk_mb: int = 256
    output_kb: int = 512
    outputs_mb: int = 16
    reply_mb: int = 64
    restarts: int = 12

    def changed(self, settings: list[str]) -> Limits:
        """Return limits with settings such as ``"cell_seconds=30"`` applied.

        Raises:
            CourseError: a setting names no limit, or no positive whole number.
        """
        names = [field.name for field in fields(self)]
        new: dict[str, Any] = {}
        for setting in settings:
            name, _, value = setting.partition("=")
            if name not in names or not value.isdigit() or int(value) < 1:
                raise CourseError(f"{setting!r} sets no limit: write NAME=NUMBER with one of {', '.join(names)}")
            new[name] = int(value)
        return replace(self, **new)

    def as_dict(self) -> dict[str, int]:
        return asdict(self)
