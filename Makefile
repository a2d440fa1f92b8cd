# Two commands are enough: `make lab` to learn, `make test` to check. Needs Python 3.11 or newer and a network once.
# All of it is scripts/bootstrap.py, which runs where there is no make, too.

CANDIDATES := python3 python3.13 python3.12 python3.11 python3.14 python
PYTHON ?= $(shell for p in $(CANDIDATES); do \
	if $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then echo $$p; break; fi; done)
JOBS ?= 2
export JOBS

.DEFAULT_GOAL := help
.PHONY: help lab teach test quick records mutants test-lowest lint build check site site-serve env clean

help: ## Show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /make \1	/' | expand -t 18

lab: ## Open the notebooks in JupyterLab (LAB_ARGS="--no-browser --port 9999" to change how)
teach: ## Open the whole course in JupyterLab, with nbgrader's tools
test: ## Run every test, but for the records
quick: ## Style, types, and the tests that what you have just changed can break; under a minute
records: ## Reach the records of the open tasks again, and run the long notebooks alone; some minutes
mutants: ## Hand in every one-change mutant of every reference; writes docs/checks.md
test-lowest: ## The library's tests with the lowest versions it allows, in an environment of their own
lint: ## Check style and types
build: ## Build the notebooks from their sources
check: ## Fail if a built notebook does not come from its source
site: ## Build the course as a web site, in site/_build/html
site-serve: ## Build the site and show it at http://127.0.0.1:8000
env: ## Create or reuse the environment in .venv
clean: ## Remove environments and caches, never anybody's work

lab teach test quick records mutants test-lowest lint build check site site-serve env clean:
	@if [ -z "$(PYTHON)" ]; then \
		echo "Cannot set up the course: Python 3.11 or newer is needed, none was found (set PYTHON=/path/to/python)." >&2; \
		exit 1; fi
	@$(PYTHON) scripts/bootstrap.py $@ $(if $(filter lab teach,$@),$(LAB_ARGS))
