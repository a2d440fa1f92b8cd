"""What the kernel offers beside files and networks: refused, counted, or measured from outside."""

from __future__ import annotations

import ctypes
import platform
import textwrap
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest
from conftest import needs_sandbox
from submissions import solved_cells, untouched

from course_lib.checker.probes import HIDDEN
from grading.grade import Bench, grade
from grading.intake.repair import graded_names
from grading.job import Job
from grading.sandbox.cgroup import OWN, Group, settle
from grading.sandbox.host import Sandbox
from grading.sandbox.limits import Limits
from grading.sandbox.seccomp import MACHINES, is_known, program
from grading.sandbox.syscalls import ALLOWED, LOOKED_AT, REFUSED, numbers

TOPIC = "02_jensen_entropy_kl"
MACHINE = platform.machine()
pytestmark = needs_sandbox
filtered = pytest.mark.skipif(not is_known(), reason=f"there is no filter for {MACHINE}")
CALL = """
import ctypes, errno, os
libc = ctypes.CDLL(None, use_errno=True)
def call(number, *args):
    ctypes.set_errno(0)
    result = libc.syscall(number, *args)
    return errno.errorcode.get(ctypes.get_errno(), "done") if result < 0 else "done"
"""


@pytest.fixture
def sandbox(bench: Bench) -> Iterator[Sandbox]:
    made = bench.sandbox(Job(TOPIC, "mallory", {}, {}, Limits(cell_seconds=30, memory_mb=512, disk_mb=32)))
    yield made
    made.close()


def said(sandbox: Sandbox, source: str) -> str:
    cell = sandbox.run(textwrap.dedent(source).strip())
    assert cell.error is None, cell.outputs
    return "".join(out.get("text", "") for out in cell.outputs)


@filtered
def test_the_lists_are_whole_and_apart():
    for machine in MACHINES:
        lists = [numbers(table, machine) for table in (ALLOWED, LOOKED_AT, REFUSED)]
        every = [number for table in lists for number in table.values()]
        assert len(set(every)) == len(every)
        assert len(program(machine)) % 8 == 0
        assert len(program(machine)) // 8 <= 4096, "the kernel takes no more"


@filtered
def test_what_is_refused_is_refused_and_what_is_unknown_is_not_there(sandbox):
    asked = numbers(REFUSED, MACHINE)
    found = said(sandbox, CALL + f"print({{name: call(number, 0, 0, 0, 0, 0, 0) for name, number in {asked}.items()}})")
    assert eval(found) == dict.fromkeys(asked, "EPERM")
    clone3, unheard = 435, 1000
    thirty_two_bit = 0x40000000
    answers = said(sandbox, CALL + f"print([call(n, 0, 0) for n in ({clone3}, {unheard}, {thirty_two_bit})])")
    assert eval(answers) == ["ENOSYS"] * 3


@filtered
def test_namespaces_vsock_and_hiding_are_refused_by_their_arguments(sandbox):
    number = numbers(LOOKED_AT, MACHINE)
    asked = {
        "a user namespace": f"call({number['clone']}, 0x10000000 | 17, 0, 0, 0, 0)",
        "a mount namespace": f"call({number['clone']}, 0x00020000 | 17, 0, 0, 0, 0)",
        "a socket to the host": f"call({number['socket']}, 40, 1, 0)",
        "the kernel's ciphers": f"call({number['socket']}, 38, 5, 0)",
        "no dumps": f"call({number['prctl']}, 4, 0, 0, 0, 0)",
        "huge pages": f"call({number['mmap']}, 0, 1 << 21, 3, 0x40022, -1, 0)",
        "another's pages": f"call({number['prctl']}, 35, 0, 0, 0, 0)",
    }
    for what, ask in asked.items():
        assert said(sandbox, CALL + f"print({ask})").strip() == "EPERM", what
    done = said(
        sandbox,
        """
        import subprocess
        for command in (["unshare", "-Ur", "true"], ["unshare", "-r", "mount", "-t", "tmpfs", "none", "/tmp"]):
            print(subprocess.run(command, capture_output=True).returncode != 0)
        """,
    )
    assert done.split() == ["True", "True"]


@filtered
def test_no_key_of_the_graders_and_none_of_another_submission_is_there():
    libc = ctypes.CDLL(None, use_errno=True)
    session = -3
    made = libc.syscall(numbers(REFUSED, MACHINE)["add_key"], b"user", b"course-canary", b"sings", 5, session)
    if made < 0:
        pytest.skip("this machine has no keys")
    assert "course-canary" in Path("/proc/keys").read_text()
    bench = Bench()
    try:
        sandbox = bench.sandbox(Job(TOPIC, "mallory", {}, {}, Limits()))
        shown = said(
            sandbox, "try:\n    print(open('/proc/keys').read())\nexcept OSError as error:\n    print(error.strerror)"
        )
        sandbox.close()
    finally:
        bench.close()
    assert "course-canary" not in shown


SHARED_PAGES = """
import mmap, time, os
for _ in range(4):
    if os.fork() == 0:
        held = mmap.mmap(-1, 300_000_000)
        for i in range(300):
            held.write(b"x" * 1_000_000)
        time.sleep(60)
        os._exit(0)
time.sleep(5)
print("HELD")
"""
HELD_BY_CHILDREN = """
import mmap, os, time
for _ in range(5):
    held = mmap.mmap(-1, 200_000_000)
    for i in range(200):
        held.write(b"x" * 1_000_000)
    if os.fork() == 0:
        time.sleep(60)
        os._exit(0)
    held.close()
time.sleep(5)
print("HELD")
"""
HIDDEN_BY_AN_UNREADABLE_PROGRAM = """
import os, shutil, subprocess, sys, time
shutil.copy(os.path.realpath(sys.executable), "/tmp/python")
os.chmod("/tmp/python", 0o111)
home = {**os.environ, "PYTHONHOME": sys.base_prefix, "LD_LIBRARY_PATH": sys.base_prefix + "/lib"}
code = "import time; hoard = bytearray(300_000_000); hoard[::4096] = b'x' * len(hoard[::4096]); time.sleep(60)"
started = [subprocess.Popen(["/tmp/python", "-c", code], env=home) for _ in range(4)]
time.sleep(5)
print("HELD", [one.poll() for one in started])
"""


@pytest.mark.parametrize(
    "source",
    [SHARED_PAGES, HELD_BY_CHILDREN, HIDDEN_BY_AN_UNREADABLE_PROGRAM],
    ids=["shared pages", "held by children", "hidden by an unreadable program"],
)
def test_memory_past_the_limit_ends_the_sandbox(sandbox, source):
    cell = sandbox.run(source)
    assert sandbox.lost == "memory", cell


@filtered
def test_memory_that_no_process_maps_cannot_be_had(sandbox):
    done = said(
        sandbox,
        CALL
        + textwrap.dedent(f"""
        print(call({numbers(REFUSED, MACHINE)["memfd_create"]}, b"hoard", 0))
        print(call({numbers(REFUSED, MACHINE)["shmget"]}, 0, 100_000_000, 0o1600))
        """),
    )
    assert done.split() == ["EPERM", "EPERM"]


HONEST = {
    "torch with threads": """
        import torch
        torch.set_num_threads(2)
        a = torch.randn(300, 300, requires_grad=True)
        (a @ a).relu().sum().backward()
        print(a.grad.shape == a.shape)
    """,
    "matplotlib": """
        import io
        import matplotlib.pyplot as plt
        plt.plot([1, 2]); plt.savefig(io.BytesIO()); plt.close()
        print(True)
    """,
    "tqdm": "from tqdm.auto import tqdm\nprint(sum(tqdm(range(100))) == 4950)",
    "threads": """
        from concurrent.futures import ThreadPoolExecutor
        with ThreadPoolExecutor(4) as pool:
            print(list(pool.map(abs, [-1, -2])) == [1, 2])
    """,
    "a pool of processes": """
        import multiprocessing
        with multiprocessing.get_context("fork").Pool(2) as pool:
            print(pool.map(abs, [-1, -2]) == [1, 2])
    """,
    "a loader with workers": """
        import torch
        data = torch.utils.data.TensorDataset(torch.arange(8.0))
        print(sum(len(batch[0]) for batch in torch.utils.data.DataLoader(data, 2, num_workers=2)) == 8)
    """,
    "other programs": "import subprocess\nprint(subprocess.run(['echo', 'hi'], capture_output=True).stdout == b'hi\\n')",
    "asyncio": """
        import asyncio
        async def wait():
            await asyncio.sleep(0.01)
            process = await asyncio.create_subprocess_exec("true")
            return await process.wait()
        with __import__("concurrent.futures").futures.ThreadPoolExecutor(1) as pool:
            print(pool.submit(asyncio.run, wait()).result() == 0)
    """,
    "files and databases": """
        import os, shutil, sqlite3, tempfile
        with tempfile.TemporaryDirectory() as folder:
            sqlite3.connect(folder + "/a.db").execute("create table t (a)")
            shutil.copy(folder + "/a.db", folder + "/b.db")
            os.rename(folder + "/b.db", folder + "/c.db")
            print(sorted(os.listdir(folder)) == ["a.db", "c.db"])
    """,
    "shared memory": """
        import mmap
        from multiprocessing import shared_memory
        made = shared_memory.SharedMemory(create=True, size=1000)
        made.close(); made.unlink()
        print(len(mmap.mmap(-1, 5000)) == 5000)
    """,
    "clocks, signals and sizes": """
        import os, platform, signal, time
        signal.setitimer(signal.ITIMER_REAL, 0)
        print(os.nice(0) >= 0 and time.perf_counter() > 0 and bool(platform.uname().system) and len(os.sched_getaffinity(0)) > 0)
    """,
    "images": """
        import numpy, PIL.Image
        print(PIL.Image.fromarray(numpy.zeros((4, 4), "uint8")).resize((2, 2)).size == (2, 2))
    """,
}


def test_scientific_python_works(sandbox):
    for what, source in HONEST.items():
        assert said(sandbox, source).strip().endswith("True"), what


TELLING = """
import time
kept = []
def gaussian_entropy(sigma):
    if len(sigma) in HIDDEN:
        time.sleep(1.5)
        kept.append(bytearray(200_000_000))
        kept[-1][::4096] = b"x" * len(kept[-1][::4096])
    return _right(sigma)
"""


def test_seconds_and_memory_tell_nothing_of_hidden_inputs(bench):
    notebook, solved = untouched(TOPIC), solved_cells(TOPIC)
    telling = TELLING.replace("HIDDEN", str([size.batch for size in HIDDEN if size.batch > 5]))
    cell = next(cell for cell in notebook.cells if cell.id == "gaussian_entropy")
    cell.source = solved["gaussian_entropy"].replace("def gaussian_entropy", "def _right") + telling
    files = {f"{TOPIC}.ipynb": nbformat.writes(notebook).encode()}
    seeds = dict.fromkeys(graded_names(TOPIC), 77)
    result = grade(Job(TOPIC, "mallory", files, seeds, only=("gaussian_entropy",)), bench)
    report = result["exercises"]["gaussian_entropy"]
    assert report["seconds"] < 1.5 < report["hidden_seconds"], "the second is for the instructor"
    assert report["memory_mb"] < 100
    assert result["slowest"]["seconds"] > 1.5
    assert result["ran_seconds"] < result["seconds"] - 1.5
    first = nbformat.reads(result["notebook"], as_version=4).cells[0].source
    assert f"ran in {result['ran_seconds']:.1f} s" in first


def test_memory_is_what_the_grader_sees_and_not_what_a_process_says(sandbox):
    cell = sandbox.run(
        "import resource\nresource.getrusage = lambda who: 1 / 0\nhoard = bytearray(100_000_000)\nhoard[::4096] = b'x' * len(hoard[::4096])"
    )
    assert 80 < cell.memory_mb < 200


# Control groups, on folders that behave as the kernel's do, as far as they are asked.


def control(folder, controllers="cpu memory pids", enabled=""):
    folder.mkdir(parents=True)
    for name, text in {
        "cgroup.controllers": controllers,
        "cgroup.subtree_control": enabled,
        "cgroup.procs": "",
    }.items():
        (folder / name).write_text(text)
    return folder


def test_a_delegated_group_is_settled_once_and_found_again(tmp_path, monkeypatch):
    monkeypatch.setattr("grading.sandbox.cgroup._is_delegated", lambda group: True)
    base = control(tmp_path / "scope")
    (base / "cgroup.procs").write_text("4711\n")
    assert settle(base) == base
    assert (base / OWN / "cgroup.procs").read_text() == "4711"
    assert set((base / "cgroup.subtree_control").read_text().replace("+", "").split()) == {"memory", "pids"}
    (base / "cgroup.subtree_control").write_text("memory pids")  # as the kernel shows it
    assert settle(base / OWN) == base


def test_a_group_that_is_not_ours_is_left_alone(tmp_path):
    base = control(tmp_path / "session")
    (base / "cgroup.procs").write_text("4711\n")
    assert settle(base) is None
    assert not (base / OWN).exists()
    assert settle(control(tmp_path / "no-memory", "cpu hugetlb")) is None


def test_a_sandbox_s_group_has_its_limits_and_says_why_it_ended(tmp_path):
    group = Group(tmp_path, Limits(memory_mb=512, disk_mb=32, processes=16))
    shown = {path.name: path.read_text() for path in group.folder.iterdir()}
    assert int(shown["memory.max"]) == (512 + 64) << 20
    assert (shown["pids.max"], shown["memory.oom.group"]) == ("16", "1")
    assert not group.ran_out
    (group.folder / "memory.events").write_text("low 0\noom 1\noom_kill 3\n")
    assert group.ran_out
