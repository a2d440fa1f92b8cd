"""Grading on many cores or machines: dask.distributed hands out the submissions, and brings back results."""

from __future__ import annotations

import atexit
import hashlib
import io
import os
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

import dask
from distributed import Client, LocalCluster, as_completed
from distributed.utils import get_mp_context

from course_lib import __version__
from grading.batch.remote import caller, course_plugin
from grading.course import ROOT, CourseError
from grading.grade import Bench, grade, one_thread
from grading.job import NOT_GRADED, Job
from grading.sandbox.limits import Limits

WAITING_PER_WORKER = 3  # enough to keep a worker busy, few enough to keep submissions on disk until needed
WORKER_MEMORY_MB = 8192  # what a submission can make the grader compute with, beyond what it has loaded

_bench: Bench | None = None


def grade_here(job: dict[str, Any]) -> dict[str, Any]:
    """Grade a job in this process; on a worker, called by name."""
    import resource  # not on Windows, where notebooks can be built all the same

    global _bench
    if _bench is None:
        os.environ["CUDA_VISIBLE_DEVICES"] = ""  # students' answers run on the CPU, and so do the references
        one_thread()
        _bench = Bench()
        atexit.register(close_bench)
    limits = Limits(**job["limits"])
    only = None if job["only"] is None else tuple(job["only"])
    result = grade(Job(**{**job, "limits": limits, "only": only}), _bench)
    result["worker_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    result["worker"] = f"{os.uname().nodename}:{os.getpid()}"
    return result


def grade_on_worker(job: dict[str, Any]) -> dict[str, Any]:
    """Grade a job on a worker process, which nothing may make too large."""
    import resource

    if _bench is None:
        with open("/proc/self/statm") as file:
            now = int(file.read().split()[0]) * os.sysconf("SC_PAGE_SIZE")
        _, hard = resource.getrlimit(resource.RLIMIT_AS)
        resource.setrlimit(resource.RLIMIT_AS, (now + (WORKER_MEMORY_MB << 20), hard))
    return grade_here(job)


def close_bench() -> None:
    """End this process's server of preloaded libraries."""
    global _bench
    if _bench is not None:
        _bench.close()
        _bench = None


@contextmanager
def local_workers(count: int) -> Iterator[Client]:
    """Start worker processes on this machine."""
    settings = {
        "distributed.worker.daemon": False,
        "distributed.worker.multiprocessing-method": "forkserver",
        "distributed.comm.timeouts.connect": "60s",
    }
    with dask.config.set(settings):
        # Workers are forked from a server that has imported what grades, once for all of them.
        get_mp_context().set_forkserver_preload(["distributed", "grading.batch.cluster"])
    with (
        dask.config.set(settings),
        LocalCluster(
            n_workers=count,
            threads_per_worker=1,
            processes=True,
            dashboard_address="127.0.0.1:0",  # None would take a fixed port, and warn where it is taken
            memory_limit=0,
            silence_logs=50,
        ) as cluster,
        Client(cluster) as client,
    ):
        yield client


@contextmanager
def cluster_workers(address: str) -> Iterator[Client]:
    """Use the workers of an existing scheduler; they are sent the course's code.

    Raises:
        CourseError: there is no scheduler, or it has no worker.
    """
    try:
        client = Client(address, timeout="20s")
    except (OSError, ValueError, TimeoutError) as error:
        raise CourseError(
            f"no Dask scheduler answers at {address} ({error}): start one with `dask scheduler`"
        ) from None
    with client:
        if not client.scheduler_info(n_workers=-1)["workers"]:
            raise CourseError(f"the scheduler at {address} has no workers: start some with `dask worker {address}`")
        archive = course_archive()
        client.register_plugin(course_plugin(archive, hashlib.sha256(archive).hexdigest()[:16]))
        yield client


def course_archive() -> bytes:
    """Return the code that grades, as a zip file: no solutions, no submissions, no gradebook."""
    buffer = io.BytesIO()
    # Room by room: what a class hands in lies in the same folder, and may hold any file.
    rooms = [str(path.parent.relative_to(ROOT)) for path in ROOT.glob("grading/*/__init__.py")]
    patterns = ("course_lib/**/*", "grading/*.py", *(f"{room}/*.py" for room in rooms), "notebooks/*/*.ipynb")
    paths = sorted({path for pattern in patterns for path in ROOT.glob(pattern)})
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in paths:
            if path.is_file() and "__pycache__" not in path.parts and ".ipynb_checkpoints" not in path.parts:
                archive.writestr(zipfile.ZipInfo(str(path.relative_to(ROOT))), path.read_bytes())
        metadata = f"Metadata-Version: 2.1\nName: latent-course\nVersion: {__version__}\n"
        archive.writestr(zipfile.ZipInfo(f"latent_course-{__version__}.dist-info/METADATA"), metadata)
    return buffer.getvalue()


def grade_with(client: Client, jobs: Iterable[Job]) -> Iterator[dict[str, Any]]:
    """Grade jobs on a client's workers and yield the results as they come; none is ever missing."""
    asked = ((asdict(job),) for job in jobs)
    for (job,), result in calls_with(client, "grading.batch.cluster", "grade_on_worker", asked):
        if isinstance(result, Exception):
            why = f"infrastructure: a worker failed ({type(result).__name__}: {str(result)[:300]})"
            yield {"student": job["student"], "topic": job["topic"], "state": NOT_GRADED, "why": why, "repairs": []}
        else:
            yield result


def calls_with(
    client: Client, module: str, function: str, arguments: Iterable[tuple[Any, ...]]
) -> Iterator[tuple[tuple[Any, ...], Any]]:
    """Call a function of the course on the workers; yield arguments and result, or exception, as they come."""
    call = caller()
    waiting = iter(arguments)
    known: dict[Any, tuple[Any, ...]] = {}
    running = as_completed()

    def submit_next() -> None:
        given = next(waiting, None)
        if given is not None:
            future = client.submit(call, module, function, *given, pure=False, retries=1)
            known[future.key] = given
            running.add(future)

    workers = max(1, len(client.scheduler_info(n_workers=-1)["workers"]))
    for _ in range(workers * WAITING_PER_WORKER):
        submit_next()
    for future in running:
        given = known.pop(future.key)
        try:
            yield given, future.result()
        except Exception as error:
            yield given, error
        future.release()
        submit_next()
