"""Lets plain `nbgrader` commands, and formgrader in JupyterLab, work from the repository's root."""

import sys
from pathlib import Path

# nbgrader reads this file from whatever folder it is started in; `grading` lives beside it.
sys.path.insert(0, str(Path(__file__).resolve().parent))

c = get_config()
load_subconfig("grading/nbgrader_config.py", path=str(Path(__file__).resolve().parent))
