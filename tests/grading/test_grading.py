"""A batch: every submission ends with an outcome, a stopped run goes on, and only what changed is graded again."""

from __future__ import annotations

import csv
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import pytest
from conftest import needs_sandbox
from nbgrader.api import Gradebook
from nbgrader.apps import NbGraderAPI
from submissions import fill_in, graded, points, saved_by_colab, untouched

from course_lib.checker.exercise import Question
from course_lib.checks import review
from grading.batch.submissions import Settings, autograde, feedback, submissions
from grading.course import ROOT, SOLUTIONS, CourseError, topics
from grading.doctor import examine
from grading.grade import GRADED, NOT_GRADED, REPAIRED
from grading.records.export import export
from grading.records.report import summarise, write_report
from grading.records.store import Store
from grading.release.build import nbgrader_config
from grading.sandbox.limits import Limits

pytestmark = needs_sandbox
SHORT = "00_start_here"


def course(tmp_path: Path, topic: str, handed_in: dict[str, object]) -> Path:
    (tmp_path / "grading").mkdir(exist_ok=True)
    (tmp_path / "solutions").mkdir(exist_ok=True)
    (tmp_path / "solutions" / topic).symlink_to(SOLUTIONS / topic)
    for student, notebook in handed_in.items():
        hand_in(tmp_path, topic, student, notebook)
    return tmp_path


def hand_in(root: Path, topic: str, student: str, notebook: object) -> None:
    folder = root / "grading" / "submitted" / student / topic
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{topic}.ipynb"
    if isinstance(notebook, str):
        path.write_text(notebook)
    else:
        nbformat.write(notebook, path)


def scores(root: Path, topic: str, student: str) -> dict[str, float]:
    config = nbgrader_config(root)
    with Gradebook(config.CourseDirectory.db_url, config.CourseDirectory.course_id) as gradebook:
        (notebook,) = gradebook.find_submission(topic, student).notebooks
        return {grade.name.removesuffix("-check"): grade.score for grade in notebook.grades}


def times_graded(root: Path, topic: str) -> dict[str, int]:
    return {result["student"]: result["times_graded"] for result in Store(root).all(topic)}


def points_in_this_process(topic: str, notebook: nbformat.NotebookNode) -> dict[str, int]:
    """Run a notebook's cells and checks in this process, as a student does."""
    namespace: dict[str, object] = {}
    earned = {exercise.name: 0 for exercise in graded(topic)}
    for cell in notebook.cells:
        if cell.cell_type != "code" or "show" in cell.metadata.get("tags", []) or "LATENT_COURSE_SOURCE" in cell.source:
            continue
        name = cell.source.split('"')[1] if cell.source.startswith("check(") else None
        if name is None:
            exec(cell.source, namespace)
        elif name in earned:
            reports = [review(name, namespace.get(name), seed=seed, topic=topic) for seed in (None, 99)]
            earned[name] = min(report.points for report in reports)
    return earned


@pytest.mark.parametrize("topic", topics())
def test_made_up_submissions_get_exactly_their_points_as_locally(topic, tmp_path):
    everything, nothing, every_other = (lambda i: True), (lambda i: False), (lambda i: i % 2 == 1)
    made = {
        "all_right": (fill_in(topic, everything), everything),
        "all_wrong": (fill_in(topic, nothing), nothing),
        "half": (fill_in(topic, every_other), every_other),
        "untouched": (untouched(topic), nothing),
        "colab": (saved_by_colab(fill_in(topic, every_other)), every_other),
    }
    root = course(tmp_path, topic, {student: notebook for student, (notebook, _) in made.items()})
    outcomes = {outcome.student: outcome for outcome in autograde(topic, root=root)}
    for student, (notebook, right) in made.items():
        deserved = points(topic, right)
        assert outcomes[student].problem is None
        assert scores(root, topic, student) == deserved, student
        assert points_in_this_process(topic, notebook) == deserved, student
        assert outcomes[student].points == sum(deserved.values())
        assert outcomes[student].max_points == sum(exercise.points for exercise in graded(topic))


def test_plain_nbgrader_grades_through_the_sandbox_what_used_to_stop_it(tmp_path):
    notebook = fill_in(SHORT, lambda i: True)
    doubled = fill_in(SHORT, lambda i: True)
    doubled.cells.append(next(cell for cell in notebook.cells if cell.id == "log_mean_exp"))
    doubled.cells.insert(2, nbformat.v4.new_code_cell("import os\nos._exit(0)"))
    loud = fill_in(SHORT, lambda i: True)
    loud.cells.insert(2, nbformat.v4.new_code_cell("import sys\nprint('careful', file=sys.stderr)"))
    root = course(tmp_path, SHORT, {"anna": notebook, "bert": doubled, "cora": loud, "dora": untouched(SHORT)})
    config = nbgrader_config(root)
    list(autograde(SHORT, ["anna"], root))  # enters the assignment
    for student, right in (("bert", True), ("cora", True), ("dora", False)):
        result = NbGraderAPI(config=config).autograde(SHORT, student, force=True)
        assert result["success"], result.get("log")
        assert scores(root, SHORT, student) == points(SHORT, lambda i, right=right: right)


def test_a_broken_submission_stops_nobody_and_the_rest_is_exported_with_feedback(tmp_path):
    good = fill_in(SHORT, lambda i: True)
    root = course(
        tmp_path,
        SHORT,
        {"a_good": good, "b_cut": nbformat.writes(good)[:5000], "c_empty": "", "d_page": "<html>Sign in</html>"},
    )
    hand_in(root, "elsewhere", "e_nothing", untouched(SHORT))
    outcomes = {outcome.student: outcome for outcome in autograde(SHORT, root=root)}
    full = sum(exercise.points for exercise in graded(SHORT))
    assert outcomes["a_good"].state == GRADED
    assert outcomes["a_good"].points == full
    assert outcomes["b_cut"].state == REPAIRED
    assert "cut off" in " ".join(outcomes["b_cut"].repairs)
    for student in ("c_empty", "d_page"):
        assert outcomes[student].state == NOT_GRADED
        assert outcomes[student].points is None
        assert "unreadable file" in outcomes[student].problem

    written = {outcome.student: outcome for outcome in feedback(SHORT, ["a_good", "b_cut"], root=root)}
    assert written["a_good"].problem is None
    page = (root / "grading" / "feedback" / "a_good" / SHORT / f"{SHORT}.html").read_text()
    assert "log_mean_exp: right" in page
    assert "seed=" not in page
    assert "HIDDEN" not in page
    assert "was missing and was put back" in (root / f"grading/feedback/b_cut/{SHORT}/{SHORT}.html").read_text()

    assert all(outcome.problem is None for outcome in feedback(SHORT, ["c_empty"], root=root))
    assert "the file is empty" in (root / f"grading/feedback/c_empty/{SHORT}/{SHORT}.html").read_text()

    with pytest.raises(CourseError, match="nbgrader, canvas, moodle"):
        export(tmp_path / "grades.csv", root, "blackboard")
    failed = export(tmp_path / "grades.csv", root)
    rows = {row["student_id"]: row for row in read_csv(tmp_path / "grades.csv")}
    assert float(rows["a_good"]["score"]) == full
    assert rows["a_good"]["status"] == GRADED
    assert rows["b_cut"]["status"] == REPAIRED
    assert rows["e_nothing"]["status"] == "not handed in"
    for student in ("c_empty", "d_page"):
        assert rows[student]["status"] == NOT_GRADED
        assert rows[student]["score"] == "", "not graded is not zero"
    assert {student for _, student in failed} == {"c_empty", "d_page"}

    export(tmp_path / "canvas.csv", root, "canvas")
    header, possible, *students = csv.reader((tmp_path / "canvas.csv").open())
    assert header[:6] == ["Student", "ID", "SIS User ID", "SIS Login ID", "Section", SHORT]
    assert possible[0].strip() == "Points Possible"
    assert float(possible[5]) == full
    assert {row[2]: row[5] for row in students}["c_empty"] == ""
    export(tmp_path / "moodle.csv", root, "moodle")
    moodle = {row["ID number"]: row for row in read_csv(tmp_path / "moodle.csv")}
    assert float(moodle["a_good"]["Grade"]) == full
    assert (moodle["d_page"]["Grade"], moodle["d_page"]["Feedback"]) == ("", NOT_GRADED)


def test_feedback_for_a_class_is_written_by_several_workers(tmp_path):
    half = fill_in(SHORT, lambda i: i == 0)
    root = course(tmp_path, SHORT, {f"s{i:02d}": half if i % 4 else "" for i in range(12)})
    states = {outcome.student: outcome.state for outcome in autograde(SHORT, root=root)}
    assert list(states.values()).count(NOT_GRADED) == 3
    written = list(feedback(SHORT, root=root, workers=2))
    assert {outcome.student: outcome.problem for outcome in written} == dict.fromkeys(states)
    assert len(list((root / "grading" / "feedback").glob("*/*/*.html"))) == 12


def read_csv(path: Path) -> list[dict[str, str]]:
    with path.open() as file:
        return list(csv.DictReader(file))


def test_a_student_can_write_nothing_that_a_spreadsheet_runs(tmp_path):
    root = course(tmp_path, SHORT, {"=cmd()": untouched(SHORT)})
    list(autograde(SHORT, root=root))
    export(tmp_path / "grades.csv", root)
    assert read_csv(tmp_path / "grades.csv")[0]["student_id"] == "'=cmd()"


def test_the_report_counts_misconceptions_and_lists_what_needs_a_look(tmp_path):
    topic = "02_jensen_entropy_kl"
    swapped = fill_in(topic, lambda i: True)
    for cell in swapped.cells:
        if cell.id == "gaussian_kl":
            cell.source = cell.source.replace("(mu_q, sigma_q, mu_p, sigma_p)", "(mu_p, sigma_p, mu_q, sigma_q)", 1)
    tamper = fill_in(topic, lambda i: True)
    tamper.cells.insert(3, nbformat.v4.new_code_cell("import sys\nsys.displayhook = print"))
    root = course(tmp_path, topic, {"anna": swapped, "bert": tamper, "<b>cora": "", "dora": untouched(topic)})
    list(autograde(topic, root=root))
    page, table = write_report(topic, root)
    summary = summarise(topic, Store(root).all(topic))
    (kl,) = [exercise for exercise in summary["exercises"] if exercise["name"] == "gaussian_kl"]
    assert (kl["right"], kl["wrong"], kl["unanswered"]) == (1, 1, 1)
    assert [count for _, count in kl["misconceptions"]] == [1]
    assert "swapped" in kl["misconceptions"][0][0]
    assert [student for student, _ in summary["not_graded"]] == ["<b>cora"]
    assert summary["signs"] == [("bert", ["replaces a hook of Python"])]
    text = page.read_text()
    assert "&lt;b&gt;cora" in text
    assert "<b>cora" not in text
    rows = read_csv(table)
    assert {row["status"] for row in rows if row["exercise"] == "gaussian_kl"} == {"right", "wrong", "unanswered"}


def test_what_did_not_change_is_not_graded_again_and_what_did_is(tmp_path):
    half = fill_in(SHORT, lambda i: i == 0)
    root = course(tmp_path, SHORT, {"anna": half, "bert": half})
    assert all(outcome.fresh for outcome in autograde(SHORT, root=root))
    again = list(autograde(SHORT, root=root))
    assert not any(outcome.fresh for outcome in again)
    hand_in(root, SHORT, "bert", fill_in(SHORT, lambda i: True))
    fresh = {outcome.student: outcome.fresh for outcome in autograde(SHORT, root=root)}
    assert fresh == {"anna": False, "bert": True}
    assert scores(root, SHORT, "bert") == points(SHORT, lambda i: True)
    assert times_graded(root, SHORT) == {"anna": 1, "bert": 2}
    assert all(outcome.fresh for outcome in autograde(SHORT, root=root, settings=Settings(again=True)))


def test_changed_tests_run_alone_and_moved_points_are_reported(tmp_path, monkeypatch):
    from dataclasses import replace

    from course_lib import checks

    root = course(tmp_path, SHORT, {"anna": fill_in(SHORT, lambda i: True)})
    list(autograde(SHORT, root=root))
    first = Store(root).read(SHORT, "anna")
    changed = tuple(
        replace(exercise, correct=next(option for option in exercise.options if option != exercise.correct))
        if isinstance(exercise, Question)
        else exercise
        for exercise in checks.TOPICS[SHORT]
    )
    monkeypatch.setitem(checks.TOPICS, SHORT, changed)
    (outcome,) = autograde(SHORT, root=root)
    assert outcome.moved == (("underflow_prediction", 1.0, 0.0),)
    second = Store(root).read(SHORT, "anna")
    assert second["exercises"]["log_mean_exp"] == first["exercises"]["log_mean_exp"], "its seconds too: it did not run"
    assert scores(root, SHORT, "anna")["underflow_prediction"] == 0


def test_what_an_instructor_entered_by_hand_stays(tmp_path):
    root = course(tmp_path, SHORT, {"anna": fill_in(SHORT, lambda i: True)})
    list(autograde(SHORT, root=root))
    config = nbgrader_config(root)
    with Gradebook(config.CourseDirectory.db_url, config.CourseDirectory.course_id) as gradebook:
        grade = gradebook.find_grade("log_mean_exp-check", SHORT, SHORT, "anna")
        grade.manual_score = 1.5
        gradebook.db.commit()
    list(autograde(SHORT, root=root, settings=Settings(again=True)))
    assert scores(root, SHORT, "anna")["log_mean_exp"] == 1.5


def test_limits_are_set_by_name():
    assert Limits().changed(["cell_seconds=7", "memory_mb=512"]) == Limits(cell_seconds=7, memory_mb=512)
    for wrong in ("cell_second=7", "cell_seconds", "cell_seconds=-1", "cell_seconds=0"):
        with pytest.raises(CourseError, match="sets no limit: write NAME=NUMBER"):
            Limits().changed([wrong])


def test_two_runs_do_not_write_at_once(tmp_path):
    root = course(tmp_path, SHORT, {"anna": untouched(SHORT)})
    with Store(root).only_writer(), pytest.raises(CourseError, match="another run is grading"):
        list(autograde(SHORT, root=root))


def test_a_broken_gradebook_is_said(tmp_path, monkeypatch):
    root = course(tmp_path, SHORT, {"anna": untouched(SHORT)})
    monkeypatch.setenv("LATENT_COURSE_DB", "postgresql+psycopg://nobody@127.0.0.1:9/nothing")
    with pytest.raises(CourseError, match=r"the gradebook at .* cannot be opened"):
        list(autograde(SHORT, root=root))


def test_nothing_handed_in_is_said_with_the_remedy(tmp_path):
    with pytest.raises(CourseError, match="put notebooks into"):
        submissions(SHORT, root=tmp_path)
    course(tmp_path, SHORT, {"anna": untouched(SHORT)})
    with pytest.raises(CourseError, match="bert handed in nothing"):
        submissions(SHORT, ["bert"], root=tmp_path)


def test_without_a_sandbox_everything_is_still_graded_when_told_so(tmp_path):
    root = course(tmp_path, SHORT, {"anna": fill_in(SHORT, lambda i: True)})
    (outcome,) = autograde(SHORT, root=root, settings=Settings(unsafe=True))
    assert outcome.points == sum(exercise.points for exercise in graded(SHORT))


def test_the_doctor_finds_this_machine_fit_or_says_what_is_missing(tmp_path, monkeypatch):
    (tmp_path / "grading").mkdir()
    assert all(finding.good for finding in examine(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    missing = [finding for finding in examine(tmp_path) if not finding.good]
    assert [finding.what for finding in missing] == ["bubblewrap"]
    assert "apt install bubblewrap" in missing[0].says


RUN = """
import sys
from pathlib import Path
from grading.batch.submissions import Settings, autograde
for outcome in autograde("{topic}", root=Path(sys.argv[1]), settings=Settings(workers=int(sys.argv[2]))):
    print(outcome.student, flush=True)
"""


def snapshot(root: Path, topic: str) -> dict[str, object]:
    """What a run leaves: the gradebook, and the results without times."""
    results = {result["student"]: result for result in Store(root).all(topic)}
    kept = {
        student: [(r["name"], r["points"], r["sentences"]) for r in result["exercises"].values()]
        for student, result in results.items()
    }
    return {"gradebook": {student: scores(root, topic, student) for student in results}, "results": kept}


@pytest.mark.parametrize("workers", [1, 2])
def test_a_run_that_is_killed_again_and_again_ends_as_an_undisturbed_one(tmp_path, workers):
    made = {f"s{i}": fill_in(SHORT, lambda j, i=i: (i + j) % 2 == 0) for i in range(8)}
    calm, killed = (
        course(tmp_path / name, SHORT, made) if (tmp_path / name).mkdir() is None else None
        for name in ("calm", "killed")
    )
    list(autograde(SHORT, root=calm))
    chance = random.Random(workers)
    script = RUN.format(topic=SHORT)
    kills = 0
    for attempt in range(6):
        run = subprocess.Popen(
            [sys.executable, "-c", script, str(killed), str(workers)], stdout=subprocess.PIPE, text=True, cwd=ROOT
        )
        wanted = chance.randint(0, 3)
        assert run.stdout is not None
        for _ in range(len(times_graded(killed, SHORT)) + wanted):  # those graded before are told first
            if not run.stdout.readline():
                break
        time.sleep(chance.random() * 0.3)
        if attempt == 5 or run.poll() is not None:
            run.communicate(timeout=120)
            break
        run.send_signal(signal.SIGKILL)
        run.communicate()
        kills += 1
    list(autograde(SHORT, root=killed))
    assert kills >= 2
    assert snapshot(killed, SHORT) == snapshot(calm, SHORT)
    assert times_graded(killed, SHORT) == dict.fromkeys(made, 1), "nobody is left out, nobody is graded twice"


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def test_two_workers_of_a_scheduler_that_share_no_files_grade_the_same(tmp_path):
    """The workers run elsewhere, without the repository on their path: all they have is what Dask sends them."""
    port = free_port()
    address = f"tcp://127.0.0.1:{port}"
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    # -S keeps the repository's own entry in site-packages away; the libraries are named by hand.
    libraries = next(path for path in sys.path if path.endswith("site-packages"))
    start = f"import sys; sys.path.append({libraries!r}); from dask.__main__ import main; sys.argv[0] = 'dask'; main()"
    base = [sys.executable, "-S", "-c", start]
    processes = [
        subprocess.Popen(
            [*base, "scheduler", "--host", "127.0.0.1", "--port", str(port), "--no-dashboard"],
            cwd=tmp_path,
            env=environment,
            stderr=subprocess.DEVNULL,
        )
    ]
    for i in range(2):
        folder = tmp_path / f"worker-{i}"
        folder.mkdir()
        probe = "import importlib.util as u, sys; sys.exit(bool(u.find_spec('grading') or u.find_spec('course_lib')))"
        bare = f"import sys; sys.path.append({libraries!r}); {probe}"
        subprocess.run([sys.executable, "-S", "-c", bare], cwd=folder, env=environment, check=True)
        arguments = [
            "worker",
            address,
            "--nthreads",
            "1",
            "--no-nanny",
            "--no-dashboard",
            "--local-directory",
            str(folder),
        ]
        processes.append(subprocess.Popen([*base, *arguments], cwd=folder, env=environment, stderr=subprocess.DEVNULL))
    try:
        made = {f"s{i}": fill_in(SHORT, lambda j, i=i: (i + j) % 2 == 0) for i in range(4)}
        (tmp_path / "course").mkdir()
        root = course(tmp_path / "course", SHORT, {**made, "broken": ""})
        wait_for_workers(address, 2)
        outcomes = {o.student: o for o in autograde(SHORT, root=root, settings=Settings(scheduler=address))}
        for i in range(4):
            assert outcomes[f"s{i}"].problem is None
            assert scores(root, SHORT, f"s{i}") == points(SHORT, lambda j, i=i: (i + j) % 2 == 0)
        assert outcomes["broken"].state == NOT_GRADED
        used = {
            json.loads(path.read_text())["worker"] for path in (root / "grading" / "results" / SHORT).glob("s*.json")
        }
        assert len(used) == 2, "both workers took part"
    finally:
        for process in processes:
            process.kill()
            process.wait()


def wait_for_workers(address: str, count: int) -> None:
    from distributed import Client

    with Client(address, timeout="30s") as client:
        client.wait_for_workers(count, timeout=60)


def test_a_scheduler_that_does_not_answer_is_said(tmp_path):
    root = course(tmp_path, SHORT, {"anna": untouched(SHORT)})
    with pytest.raises(CourseError, match="no Dask scheduler answers"):
        list(autograde(SHORT, root=root, settings=Settings(scheduler=f"tcp://127.0.0.1:{free_port()}")))


@pytest.fixture
def postgres(tmp_path):
    """A PostgreSQL server of our own; skipped where none is installed."""
    tools = (
        sorted(Path("/usr/lib/postgresql").glob("*/bin"))
        if not shutil.which("initdb")
        else [Path(shutil.which("initdb")).parent]
    )
    if not tools:
        pytest.skip("no PostgreSQL server is installed")
    data, port = tmp_path / "postgres", free_port()
    data.mkdir()
    as_user = []
    if os.geteuid() == 0:  # the server refuses to run as root
        as_user = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
        os.chown(data, 65534, 65534)
        for parent in list(data.parents)[:-1]:
            if parent.stat().st_uid == 0 and str(parent).startswith("/tmp/"):
                parent.chmod(parent.stat().st_mode | 0o011)
    subprocess.run(
        [*as_user, str(tools[-1] / "initdb"), "-D", str(data), "-U", "course", "-A", "trust"],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    command = [
        *as_user,
        str(tools[-1] / "postgres"),
        "-D",
        str(data),
        "-p",
        str(port),
        "-h",
        "127.0.0.1",
        "-k",
        str(data),
    ]
    server = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    try:
        wait_for_port(port)
        yield f"postgresql+psycopg://course@127.0.0.1:{port}/postgres"
    finally:
        server.terminate()
        server.wait()


def wait_for_port(port: int) -> None:
    for _ in range(100):
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.1)
    raise AssertionError("the server did not start")


def test_the_gradebook_may_be_postgresql(tmp_path, postgres, monkeypatch):
    monkeypatch.setenv("LATENT_COURSE_DB", postgres)
    (tmp_path / "course").mkdir()
    root = course(tmp_path / "course", SHORT, {"anna": fill_in(SHORT, lambda i: True), "bert": untouched(SHORT)})
    list(autograde(SHORT, root=root))
    assert not (root / "grading" / "gradebook.db").exists()
    assert scores(root, SHORT, "anna") == points(SHORT, lambda i: True)
    assert scores(root, SHORT, "bert") == points(SHORT, lambda i: False)
    assert not any(outcome.fresh for outcome in autograde(SHORT, root=root))
    export(tmp_path / "grades.csv", root)
    assert {row["status"] for row in read_csv(tmp_path / "grades.csv")} == {GRADED}
