"""The course as a web site, in site/_build/html: pages from the notebooks, explorers that move without a kernel.

Contract: `python scripts/make_site.py [--serve [PORT]] [--frames N]` in the course's environment (`make site`, `make site-serve`).
Needs no network, and what it writes needs none. Notebooks are not executed: outputs are those of the committed solutions. `--frames` sets
how many pictures an explorer has at most, about; they are drawn again only if the library changed. Exits with 1 if Sphinx warns of anything.
"""

from __future__ import annotations

import argparse
import sys
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "site")]

BUILT = ROOT / "site" / "_build"
FRAMES = 84


def serve(folder: Path, port: int) -> None:
    handler = partial(SimpleHTTPRequestHandler, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", port), handler) as server:
        print(f"The site is at http://127.0.0.1:{server.server_port} until you press Ctrl-C.", flush=True)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            return


def main(given: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--serve", nargs="?", type=int, const=8000, metavar="PORT")
    parser.add_argument("--frames", type=int, default=FRAMES, metavar="N")
    parser.add_argument("--into", type=Path, default=BUILT, metavar="FOLDER")
    options = parser.parse_args(given)

    from course_site.build import build

    code = build(options.into, options.frames)
    if code == 0 and options.serve is not None:
        serve(options.into / "html", options.serve)
    return code


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
