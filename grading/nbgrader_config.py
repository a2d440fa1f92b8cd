"""nbgrader's configuration; nbgrader_config.py in the repository's root loads it for plain nbgrader commands."""

import os
import sys
from pathlib import Path

from nbgrader.converters import Autograde, GenerateAssignment
from nbgrader.preprocessors import ClearOutput, ClearSolutions, Execute
from nbgrader.server_extensions.formgrader.handlers import template_path

from grading.release.preprocessors import CourseClearOutput, CourseClearSolutions

c = get_config()
root = Path(__file__).resolve().parent.parent

# nbgrader starts `alembic` by name: find it also where the environment was not activated.
os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])

c.CourseDirectory.course_id = "latent-course"
c.CourseDirectory.root = str(root)
c.CourseDirectory.source_directory = "solutions"
c.CourseDirectory.release_directory = "notebooks"
c.CourseDirectory.submitted_directory = "grading/submitted"
c.CourseDirectory.autograded_directory = "grading/autograded"
c.CourseDirectory.feedback_directory = "grading/feedback"
# Another database, PostgreSQL for one, by its URL: LATENT_COURSE_DB=postgresql+psycopg://user@host/name
c.CourseDirectory.db_url = os.environ.get("LATENT_COURSE_DB") or f"sqlite:///{root / 'grading' / 'gradebook.db'}"
# generate_assignment copies every other file of the source folder: the .py holds the solutions.
c.CourseDirectory.ignore = [".ipynb_checkpoints", "*.pyc", "__pycache__", ".pytest_cache", "*.py"]

replaced = {ClearSolutions: CourseClearSolutions, ClearOutput: CourseClearOutput}
stock = GenerateAssignment.preprocessors.default()
c.GenerateAssignment.preprocessors = [replaced.get(step, step) for step in stock]

# Students' code runs in a sandbox, and the checks outside of it; damaged notebooks are mended first.
# By name, so that JupyterLab, which reads this file too, does not load torch at its start.
steps = {Execute: "grading.safe_execute.SafeExecute"}
c.Autograde.sanitize_preprocessors = ["grading.safe_execute.Repair", *Autograde.sanitize_preprocessors.default()]
c.Autograde.autograde_preprocessors = [steps.get(step, step) for step in Autograde.autograde_preprocessors.default()]

# The page that students get back: nbgrader asks for a template called "feedback" and finds ours first. Naming it here would
# give formgrader the same page in the place of its own, which lies in nbgrader's folder.
c.HTMLExporter.extra_template_basedirs = [str(root / "grading" / "records" / "templates"), template_path]
# What students wrote is made harmless on every page, formgrader's too.
c.HTMLExporter.filters = {
    "offline": "grading.records.offline.offline",
    "markdown2html": "grading.records.markup.markdown2html",
}
