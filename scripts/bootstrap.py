"""Everything `make` does, on any platform: set the course up, open it, test it.

Contract: `python scripts/bootstrap.py [COMMAND [ARGUMENT ...]]`, standard library alone, Python 3.11 or newer.
The commands, `env` if none is given; further arguments are passed on to what they run:

    env          create or reuse the environment in .venv
    lab          lay the notebooks out in work/ and open them in JupyterLab
    teach        open the whole course in JupyterLab, with nbgrader's tools
    test         run every test but the records
    quick        style, types, and the tests that what you have just changed can break
    records      reach the records of the open tasks again, and run the long notebooks alone; some minutes
    mutants      hand in every one-change mutant of every reference, and write what came of it to docs/checks.md
    test-lowest  the library's tests with the lowest versions that it allows, in an environment of their own
    lint         check style and types
    build        build the notebooks from their sources
    check        fail if a built notebook does not come from its source
    site         build the course as a web site, in site/_build/html
    site-serve   build the site and show it at http://127.0.0.1:8000
    clean        remove environments and caches, never anybody's work

An environment is installed only if pyproject.toml or constraints.txt changed since the last time; otherwise that takes a
fraction of a second. If something is missing (Python, venv, disk space, network) it says so in one line and exits with 1;
otherwise the exit code is that of what it ran. JOBS=4 sets how many tests run at once.
"""

import hashlib
import os
import re
import shutil
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
START = "/lab/tree/work/00_start_here/00_start_here.ipynb"
TEACH = "/lab/tree/solutions"
GIGABYTES = 9  # torch's GPU build takes 5.5 GB, and pip unpacks before it moves
CACHES = [".pytest_cache", ".mypy_cache", ".ruff_cache", ".import_linter_cache", ".hypothesis", "site/_build"]
# A cell that ran out of time passes with nbval, and so would all after it: xfail_strict makes them fail.
NBVAL = ["--nbval-lax", "--nbval-current-env", "--nbval-cell-timeout=240", "-o", "xfail_strict=true"]
# What the tests of the library need, beside the library.
LOWEST_TOOLS = ["pytest", "pytest-xdist", "hypothesis", "ipykernel", "nbclient", "nbformat"]
LOWEST_TESTS = ["tests/course_lib", "tests/checker", "tests/exercises/test_declarations.py"]

# What pip prints, and what to tell a human about it.
REASONS = [
    ("No space left on device", "the disk is full: free about %d GB and run again" % GIGABYTES),
    ("Failed to establish a new connection", "the package registry cannot be reached: is there a network?"),
    ("Temporary failure in name resolution", "the package registry cannot be reached: is there a network?"),
    ("Connection refused", "the package registry cannot be reached: is there a network?"),
    ("from versions: none", "the package registry cannot be reached: is there a network?"),
    ("Read timed out", "the package registry does not answer: try again in a while"),
    ("No matching distribution found", "the package registry does not have what is needed"),
]


def stop(reason):
    print("Cannot set up the course: %s." % reason, file=sys.stderr)
    sys.exit(1)


def python_of(venv, windows=os.name == "nt"):
    return os.path.join(ROOT, venv, *(("Scripts", "python.exe") if windows else ("bin", "python")))


def environment(venv, arguments):
    """Create an environment and install into it, if it is not there as it should be; return its Python."""
    wanted = digest(arguments)
    stamp = os.path.join(ROOT, venv, "installed.sha256")
    if not (os.path.exists(python_of(venv)) and read(stamp) == wanted):
        create(venv)
        install(venv, arguments)
        with open(stamp, "w") as file:
            file.write(wanted)
    return python_of(venv)


def read(path):
    try:
        with open(path) as file:
            return file.read()
    except OSError:
        return None


def digest(arguments):
    sha = hashlib.sha256((sys.version + " ".join(arguments)).encode())
    for name in ("pyproject.toml", "constraints.txt"):
        with open(os.path.join(ROOT, name), "rb") as file:
            sha.update(file.read())
    return sha.hexdigest()


def create(venv):
    try:
        import ensurepip  # noqa: F401
        import venv as venvs
    except ImportError:
        stop("this Python has no venv module (on Debian and Ubuntu: apt-get install python3-venv)")
    free = shutil.disk_usage(ROOT).free / 1e9
    if free < GIGABYTES:
        stop("about %d GB of disk space are needed here, %.1f GB are free" % (GIGABYTES, free))
    if not os.path.exists(python_of(venv)):
        try:
            venvs.create(os.path.join(ROOT, venv), with_pip=True)
        except (OSError, subprocess.CalledProcessError) as error:
            stop("the virtual environment cannot be created (%s)" % error)


def install(venv, arguments):
    where = "%s/install.log" % venv
    print("Installing the course into %s: 6 GB, a few minutes the first time (see %s) ..." % (venv, where), flush=True)
    command = [python_of(venv), "-m", "pip", "install", "--disable-pip-version-check", "--no-input", *arguments]
    with open(os.path.join(ROOT, where), "w") as log:
        code = subprocess.call(command, stdout=log, stderr=subprocess.STDOUT, cwd=ROOT)
    if code:
        with open(os.path.join(ROOT, where), errors="replace") as log:
            text = log.read()
        for sign, reason in REASONS:
            if sign in text:
                stop("%s (see %s)" % (reason, where))
        lines = [line for line in text.splitlines() if "ERROR" in line] or text.splitlines() or ["no output"]
        stop("pip failed: %s (see %s)" % (lines[0].strip(), where))


def course_environment():
    return environment(".venv", ["-c", os.path.join(ROOT, "constraints.txt"), "-e", ROOT + "[lab,test,site]"])


def lowest_environment():
    return environment(".venv-lowest", [*lowest_requirements(), *LOWEST_TOOLS, "-e", ROOT])


def lowest_requirements():
    import tomllib

    with open(os.path.join(ROOT, "pyproject.toml"), "rb") as file:
        dependencies = tomllib.load(file)["project"]["dependencies"]
    return [re.sub(r">=([^,]*).*", r"==\1", line) for line in dependencies]


def run(command, **variables):
    """Run a command in the repository's root and return its exit code; an interrupt is the command's to answer."""
    process = subprocess.Popen(command, cwd=ROOT, env=dict(os.environ, **variables))
    while True:
        try:
            return process.wait()
        except KeyboardInterrupt:
            continue


def run_all(commands):
    """Run commands until one fails."""
    for command, variables in commands:
        code = run(command, **variables)
        if code:
            return code
    return 0


def lab_command(python, arguments, is_root, teaching=False):
    """JupyterLab at the repository's root, so that it finds the course; as root it starts only if told so."""
    # Not `-m jupyter lab`: that takes another jupyter-lab, of conda or the system, if one comes first on the PATH.
    command = [python, "-m", "jupyterlab", "--ServerApp.root_dir=" + ROOT]
    command.append("--LabApp.default_url=" + (TEACH if teaching else START))
    if not teaching:  # without nbgrader's tools for instructors, and without news
        command.append("--LabApp.app_settings_dir=" + os.path.join(ROOT, "scripts", "jupyterlab"))
    return command + (["--allow-root"] if is_root else []) + arguments


def lint_commands(python):
    return [
        [python, "-m", "ruff", "check", "--quiet", "."],
        [python, "-m", "ruff", "format", "--quiet", "--check", "."],
        [python, "-m", "mypy", "--no-error-summary"],
    ]


def test_commands(python, arguments):
    workers = ["-n", os.environ.get("JOBS", "2")]
    tests = [python, "-m", "pytest", *workers, "--dist", "worksteal", "-m", "not record", "tests", *arguments]
    replay = [python, "-m", "pytest", *workers, "--dist", "loadfile", *NBVAL, "solutions"]
    return [(tests, {}), (replay, {"OMP_NUM_THREADS": "1"})]


def lowest_commands(python, arguments):
    alone = [python, "-m", "pytest", "tests/notebooks/test_alone.py", "-k", "02_jensen", *arguments]
    return [([python, "-m", "pytest", "-n", os.environ.get("JOBS", "2"), *LOWEST_TESTS, *arguments], {}), (alone, {})]


def clean():
    for name in [".venv", ".venv-lowest", *CACHES]:
        shutil.rmtree(os.path.join(ROOT, name), ignore_errors=True)
    return 0


def main(arguments):
    command, rest = (arguments[0], arguments[1:]) if arguments else ("env", [])
    if command == "clean":
        return clean()
    if command == "test-lowest":
        return run_all(lowest_commands(lowest_environment(), rest))
    if command not in (
        "env",
        "lab",
        "teach",
        "test",
        "quick",
        "records",
        "mutants",
        "lint",
        "build",
        "check",
        "site",
        "site-serve",
    ):
        print(__doc__.strip())
        return 0 if command in ("help", "-h", "--help") else 2
    python = course_environment()
    lint = [(part, {}) for part in lint_commands(python)]
    if command in ("lab", "teach"):
        lab = lab_command(python, rest, hasattr(os, "geteuid") and os.geteuid() == 0, command == "teach")
        lay_out = [python, os.path.join("scripts", "lay_out.py")]
        return run_all([(part, {}) for part in ([lay_out, lab] if command == "lab" else [lab])])
    if command in ("quick", "mutants"):
        return run([python, os.path.join("scripts", f"{command}.py"), *rest])
    if command == "records":
        return run([python, "-m", "pytest", "-m", "record", "tests/challenges", "tests/notebooks", *rest])
    if command == "build":
        built = [python, "-m", "grading", "build", *rest]
        return run_all([([python, os.path.join("scripts", "make_bank.py")], {}), (built, {})])
    if command in ("site", "site-serve"):
        served = ["--serve"] if command == "site-serve" else []
        return run([python, os.path.join("scripts", "make_site.py"), *served, *rest])
    if command == "check":
        return run([python, "-m", "grading", command, *rest])
    return run_all({"env": [], "lint": lint, "test": lint + test_commands(python, rest)}[command])


if __name__ == "__main__":
    if sys.version_info < (3, 11):
        stop("Python 3.11 or newer is needed, this is %d.%d" % sys.version_info[:2])
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
