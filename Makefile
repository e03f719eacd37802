# Two commands: `make demo` audits the model that comes along, `make test` tests everything. Both set up what they need.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
CHECKED := audit.analyses,audit.ascent,audit.checks,audit.compare,audit.data,audit.demo,audit.model,audit.search,audit.store,audit.stream

.PHONY: demo test setup browser check format clean

demo: setup ## audit the embedded model and say where the report is
	$(BIN)/deepvis-audit run audit.toml

test: setup browser check ## formatting, types, architecture, tests; shapes and types are checked while the tests run
	PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder -p no:deepvis_audit --jaxtyping-packages=$(CHECKED),beartype.beartype

setup: $(VENV)/.ready ## .venv with pinned packages, and the system libraries of the PDF report

$(VENV)/.ready: pyproject.toml constraints.txt scripts/setup.sh scripts/debian.sh
	PYTHON="$(PYTHON)" VENV="$(VENV)" sh scripts/setup.sh
	touch $@

browser: ## Chromium, in which the tests open pages, where we may install it
	sh scripts/browser.sh

check: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: setup
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
