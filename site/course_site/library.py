"""The library's reference: a page for each part of ``course_lib`` that students and authors call, from docstrings."""

from __future__ import annotations

# In the lecture's order, then what it is run on, then how answers are checked.
PARTS = {
    "The mathematics": (
        "distributions mixtures linear_gaussian bounds per_point gradients amortized vae conditional convolutional beta "
        "toy_densities warps flows nice real_nvp image_flows comparing"
    ),
    "Data, training, pictures": "data colour_images devices training plots shipped",
    "Checks": "checks checker.exercise challenges.challenge",
    "Explorers": "explorers.explorer explorers.controls",
}


def pages() -> dict[str, str]:
    """Return the pages of the reference in MyST Markdown, by their names."""
    made, contents = (
        {},
        [
            "# The library",
            "`course_lib` as its docstrings tell it: shapes, units, what is raised, and where a formula is from.",
        ],
    )
    for part, names in PARTS.items():
        modules = names.split()
        tree = "\n".join(modules)
        contents.append(f"## {part}\n\n```{{toctree}}\n:maxdepth: 1\n\n{tree}\n```")
        for module in modules:
            full = f"course_lib.{module}"
            made[f"library/{module}"] = f"# `{full}`\n\n```{{eval-rst}}\n.. automodule:: {full}\n```\n"
    made["library/index"] = "\n\n".join(contents) + "\n"
    return made
