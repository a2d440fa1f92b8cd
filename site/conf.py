"""Sphinx's configuration of the course's site; scripts/make_site.py calls Sphinx with it."""

import sys
import tomllib
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parent
sys.path[:0] = [str(HERE), str(ROOT)]

from course_lib.settings import SETTINGS  # noqa: E402

_project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]

project = html_title = SETTINGS.title
author = SETTINGS.authors
project_copyright = f"{SETTINGS.authors}, under the MIT licence"
version = release = _project["version"]
language = "en"

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.githubpages",
    "course_site.formulas",
    "course_site.links",
]
myst_enable_extensions = ["dollarmath", "amsmath"]
myst_dmath_double_inline = True
myst_heading_anchors = 4
html_math_renderer = "mathml"

autodoc_default_options = {"members": True, "member-order": "bysource"}
autodoc_typehints = "signature"
autodoc_preserve_defaults = True
add_module_names = False
napoleon_numpy_docstring = False
napoleon_use_ivar = True

# Furo: light, dark and narrow screens, print, a table of contents that follows; 100 kB, no font and no script from outside.
html_theme = "furo"
html_static_path = ["static"]
templates_path = ["templates"]
html_css_files = ["course.css"]
html_js_files = ["course.js"]
html_show_sphinx = False
html_copy_source = False
html_theme_options = {
    "source_repository": SETTINGS.repository,
    "footer_icons": [],
    "top_of_page_buttons": [],
}
