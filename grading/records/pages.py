"""HTML pages from the templates beside this file; what students wrote is escaped in all of them."""

from __future__ import annotations

from functools import cache

from jinja2 import Environment, PackageLoader


@cache
def _environment() -> Environment:
    return Environment(loader=PackageLoader("grading.records"), autoescape=True)


def render(template: str, **values: object) -> str:
    """Return a template of ``grading/records/templates`` with its values filled in."""
    return _environment().get_template(template).render(**values)
