# Two commands are enough: `make lab` to learn, `make test` to check. Needs Python 3.11 or newer and a network once.

CANDIDATES := python3 python3.13 python3.12 python3.11 python3.14 python
PYTHON ?= $(shell for p in $(CANDIDATES); do \
	if $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then echo $$p; break; fi; done)
VENV := .venv/bin
START := notebooks/00_start_here/00_start_here.ipynb
JOBS ?= 2
# JupyterLab refuses to run as root unless told so, as in a container.
ROOT_FLAG := $(shell [ "$$(id -u)" = 0 ] && echo --allow-root)
# A cell that ran out of time passes with nbval, and so would all after it: xfail_strict makes them fail.
NBVAL := --nbval-lax --nbval-current-env --nbval-cell-timeout=240 -o xfail_strict=true

.DEFAULT_GOAL := help
.PHONY: help lab test lint build check env clean

help: ## Show this list
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /make \1	/' | expand -t 14

lab: env ## Open the course in JupyterLab (LAB_ARGS="--no-browser --port 9999" to change how)
	@$(VENV)/jupyter lab $(ROOT_FLAG) --ServerApp.root_dir="$(CURDIR)" --LabApp.default_url=/lab/tree/$(START) $(LAB_ARGS)

test: env lint ## Run every test
	@$(VENV)/python -m pytest -n $(JOBS) --dist worksteal tests
	@OMP_NUM_THREADS=1 $(VENV)/python -m pytest -n $(JOBS) --dist loadfile $(NBVAL) solutions

lint: env ## Check style and types
	@$(VENV)/ruff check --quiet .
	@$(VENV)/ruff format --quiet --check .
	@$(VENV)/mypy --no-error-summary

build: env ## Build the notebooks from their sources
	@$(VENV)/python -m grading build

check: env ## Fail if a built notebook does not come from its source
	@$(VENV)/python -m grading check

env: ## Create or reuse the environment in .venv
	@if [ -z "$(PYTHON)" ]; then \
		echo "Cannot set up the course: Python 3.11 or newer is needed, none was found (set PYTHON=/path/to/python)." >&2; \
		exit 1; fi
	@$(PYTHON) scripts/bootstrap.py

clean: ## Remove the environment and caches, never anybody's work
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .hypothesis
