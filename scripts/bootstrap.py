"""Create or reuse the virtual environment .venv, with everything that the course needs.

Contract: `python bootstrap.py` from the repository's root, standard library alone, Python 3.11 or newer.
Installs only if pyproject.toml or constraints.txt changed since the last time; otherwise returns in a
fraction of a second. If something is missing (Python, venv, disk space, network) it says so in one line
and exits with 1.
"""

import hashlib
import os
import shutil
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
VENV = os.path.join(ROOT, ".venv")
PYTHON = os.path.join(VENV, "Scripts" if os.name == "nt" else "bin", "python")
STAMP = os.path.join(VENV, "installed.sha256")
LOG = os.path.join(VENV, "install.log")
GIGABYTES = 9  # torch's GPU build takes 5.5 GB, and pip unpacks before it moves

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


def digest():
    sha = hashlib.sha256(sys.version.encode())
    for name in ("pyproject.toml", "constraints.txt"):
        with open(os.path.join(ROOT, name), "rb") as file:
            sha.update(file.read())
    return sha.hexdigest()


def installed():
    try:
        with open(STAMP) as file:
            return os.path.exists(PYTHON) and file.read() == digest()
    except OSError:
        return False


def create():
    try:
        import ensurepip  # noqa: F401
        import venv
    except ImportError:
        stop("this Python has no venv module (on Debian and Ubuntu: apt-get install python3-venv)")
    free = shutil.disk_usage(ROOT).free / 1e9
    if free < GIGABYTES:
        stop("about %d GB of disk space are needed here, %.1f GB are free" % (GIGABYTES, free))
    if not os.path.exists(PYTHON):
        try:
            venv.create(VENV, with_pip=True)
        except (OSError, subprocess.CalledProcessError) as error:
            stop("the virtual environment cannot be created (%s)" % error)


def install():
    print(
        "Installing the course into .venv, a few minutes the first time (details in .venv/install.log) ...", flush=True
    )
    command = [PYTHON, "-m", "pip", "install", "--disable-pip-version-check", "--no-input"]
    command += ["-c", os.path.join(ROOT, "constraints.txt"), "-e", ROOT + "[lab,test]"]
    with open(LOG, "w") as log:
        code = subprocess.call(command, stdout=log, stderr=subprocess.STDOUT, cwd=ROOT)
    if code:
        with open(LOG, errors="replace") as log:
            text = log.read()
        for sign, reason in REASONS:
            if sign in text:
                stop(reason + " (see .venv/install.log)")
        lines = [line for line in text.splitlines() if "ERROR" in line] or text.splitlines() or ["no output"]
        stop("pip failed: %s (see .venv/install.log)" % lines[0].strip())
    with open(STAMP, "w") as file:
        file.write(digest())


if __name__ == "__main__":
    if sys.version_info < (3, 11):
        stop("Python 3.11 or newer is needed, this is %d.%d" % sys.version_info[:2])
    if not installed():
        create()
        install()
