# The checks and chores by name; each is one command that can also be typed.
PYTHON ?= .venv/bin/python

.PHONY: help install assets messages demo test torture lint format types ci wheel image

help:  ## List these targets
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

install:  ## Make .venv with everything, for work on the code
	python3 -m venv .venv && .venv/bin/pip install -e '.[all,test]'

assets:  ## Fetch the npm files of player and studio, and those of the tests
	$(PYTHON) -m npm_assets --dev

messages:  ## Bring the catalogues in locales/ up to date with the code
	$(PYTHON) -m content_api.messages.extract

demo:  ## Run a server and a kiosk with the sample collection
	$(PYTHON) -m content_api.cli demo

test:  ## Run the tests
	$(PYTHON) -m pytest

torture:  ## Run the long forms: kills, faults, hostile servers, wrong clocks (hours)
	$(PYTHON) -m tests.torture

lint:  ## Look for mistakes
	$(PYTHON) -m ruff check . && $(PYTHON) -m ruff format --check .

format:  ## Lay the code out
	$(PYTHON) -m ruff check --fix-only . && $(PYTHON) -m ruff format .

types:  ## Check the types
	$(PYTHON) -m mypy

ci:  ## All checks on a clean machine, as root: installs what is missing
	.ci/run

wheel:  ## Build the wheel into dist/
	$(PYTHON) -m pip wheel . --no-deps --wheel-dir dist

image:  ## Build the server's container image
	docker build -t lampisterie .
