"""Starting and stopping bubblewrap: the walls of a sandbox, before anybody lives in it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from contextlib import suppress
from pathlib import Path

from grading.course import CourseError
from grading.sandbox.confine import COURSE, HOME
from grading.sandbox.wire import MEGABYTE

UNSAFE = (
    "bubblewrap is not installed, and without it a submission's code could read and change everything you can: other "
    "submissions, the gradebook, your home directory. Install it (Debian, Ubuntu: apt install bubblewrap; Fedora: dnf "
    "install bubblewrap), or, on a machine where nothing can be lost, grade with --unsafe-no-sandbox."
)
ELSEWHERE = (
    "grading runs on Linux, whose kernel makes the sandbox; this is {platform}. Grade on a Linux machine, in a virtual one, or "
    "in WSL 2. Building notebooks works here."
)
NO_NAMESPACES = (
    "Let ordinary users have namespaces (sysctl kernel.unprivileged_userns_clone=1, on Ubuntu "
    "kernel.apparmor_restrict_unprivileged_userns=0; in a container, run it with --security-opt seccomp=unconfined), or grade on "
    "another machine; `python -m grading doctor` looks at this one."
)
SHARED = ("/etc/ld.so.cache", "/etc/ld.so.conf", "/etc/ld.so.conf.d", "/etc/localtime", "/etc/fonts", "/etc/mime.types")
START_SECONDS = 20
COVERED = ("/proc/keys", "/proc/key-users")  # as an ordinary user, the names of the grader's own keys would stand there


class SandboxError(Exception):
    """A sandbox could not be set up: infrastructure, never the student's fault."""


def require_linux() -> None:
    """Raise where submissions cannot be run.

    Raises:
        CourseError: this is another system; the message says where to go.
    """
    if sys.platform != "linux":
        raise CourseError(ELSEWHERE.format(platform=sys.platform))


def find_bubblewrap() -> str:
    """Return the path of bubblewrap.

    Raises:
        CourseError: it is not installed; the message says what that means.
    """
    found = shutil.which("bwrap")
    if found is None:
        raise CourseError(UNSAFE)
    return found


def own_user_namespace() -> bool:
    """Whether sandboxes need a user namespace: root needs none, and becomes an unused user instead."""
    return os.geteuid() != 0


def interpreter_folders() -> list[Path]:
    """Return the folders that hold Python and the installed libraries, as they are called and as they really are."""
    called = [sys.prefix, sys.base_prefix, *(sysconfig.get_path(name) for name in ("stdlib", "purelib", "platlib"))]
    candidates = {form for path in map(Path, called) for form in (path.absolute(), path.resolve())}
    folders: list[Path] = []
    for path in sorted(candidates, key=lambda path: len(path.parts)):
        inside = any(path.is_relative_to(other) for other in [*folders, Path("/usr")])
        if path.is_dir() and not inside:
            folders.append(path)
    return folders


def command(course: Path, disk_mb: int, info: int) -> list[str]:
    """Return the command that sets up a sandbox and holds it open until its input is closed."""
    arguments = [
        find_bubblewrap(),
        "--die-with-parent",
        "--new-session",
        "--unshare-ipc",
        "--unshare-pid",
        "--unshare-net",
    ]
    arguments += ["--unshare-uts", "--hostname", "sandbox", "--unshare-cgroup-try"]
    if own_user_namespace():
        arguments += ["--unshare-user", "--disable-userns", "--uid", "65534", "--gid", "65534"]
    arguments += ["--cap-drop", "ALL", "--clearenv", "--ro-bind", "/usr", "/usr"]
    for name in ("bin", "sbin", "lib", "lib32", "lib64"):
        path = Path("/", name)
        if path.is_symlink():
            arguments += ["--symlink", os.readlink(path), str(path)]
        elif path.is_dir():
            arguments += ["--ro-bind", str(path), str(path)]
    for shared in SHARED:
        arguments += ["--ro-bind-try", shared, shared]
    space = ["--size", str(disk_mb * MEGABYTE), "--perms", "1777", "--tmpfs"]
    arguments += [*space, "/tmp", *space, HOME]
    for folder in interpreter_folders():
        for parent in [*reversed(folder.parents)][1:]:
            arguments += ["--perms", "0755", "--dir", str(parent)]
        arguments += ["--ro-bind", str(folder), str(folder)]
    installed = Path(sysconfig.get_path("purelib")) / "course_lib"
    if installed.is_dir():  # an installed course brings its checks: they are covered
        arguments += ["--tmpfs", str(installed), "--remount-ro", str(installed)]
    space = ["--size", str(disk_mb * MEGABYTE), "--perms", "1777", "--tmpfs"]
    arguments += [
        "--proc",
        "/proc",
        "--dev",
        "/dev",
        "--size",
        str(16 * MEGABYTE),
        "--perms",
        "1777",
        "--tmpfs",
        "/dev/shm",
    ]
    for name in COVERED:
        if Path(name).exists():
            arguments += ["--ro-bind", "/dev/null", name]
    arguments += ["--remount-ro", "/dev", "--ro-bind", str(course), COURSE, "--remount-ro", "/", "--chdir", HOME]
    # As the first process, `cat` can be killed from outside alone.
    return [*arguments, "--as-pid-1", "--info-fd", str(info), "cat"]


def try_walls() -> None:
    """Set up a sandbox and take it down again, before there is anything to lose.

    Raises:
        CourseError: this machine allows none; the message says why and what to do.
    """
    with tempfile.TemporaryDirectory() as folder:
        try:
            Walls(Path(folder), 1).close()
        except SandboxError as error:
            raise CourseError(f"{error}. {NO_NAMESPACES}") from None


class Walls:
    """One set of namespaces, empty but for a process that keeps them."""

    def __init__(self, course: Path, disk_mb: int) -> None:
        reading, writing = os.pipe()
        try:
            self._process = subprocess.Popen(
                command(course, disk_mb, writing),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                pass_fds=[writing],
                env={"PATH": "/usr/bin:/bin"},  # in a sandbox of our own user, it could be read there
                cwd="/",
                start_new_session=True,  # an interrupt of the grader's terminal is the grader's to handle
            )
        finally:
            os.close(writing)
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        assert self._process.stderr is not None
        try:
            self._process.stdin.write(b".")
            self._process.stdin.flush()
            ready = self._process.stdout.read(1)  # `cat` runs: the walls are up
            self.pid = int(json.loads(os.read(reading, 4096))["child-pid"]) if ready else 0
        except (OSError, ValueError, KeyError):
            ready = b""
        finally:
            os.close(reading)
        if ready != b"." or not self.pid:
            self._process.kill()  # it may be waiting, and what it said ends with it
            said = self._process.stderr.read().decode(errors="replace").strip()[-500:]
            self.close()
            raise SandboxError(f"bubblewrap could not set up a sandbox: {said or 'it said nothing'}")

    def close(self) -> None:
        """Tear the sandbox down; whatever still runs in it is killed."""
        self._process.kill()
        for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
            if pipe:
                with suppress(OSError):  # what was not read on the other side
                    pipe.close()
        self._process.wait()
