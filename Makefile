# Two commands do everything: `make demo` shows the product, `make test` runs the tests. Both install what they need.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
WORKERS ?= 4
INSTALL = $(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable

.PHONY: demo test check format clean

demo: $(VENV)/.demo
	$(BIN)/chapeta models pull
	$(BIN)/chapeta specialize examples/support-team.csv --limit-minutes 2.8 --candidates base,skill,tuned
	$(BIN)/chapeta ask support-team "where is my parcel?"

test: export PYTHONDONTWRITEBYTECODE =
test: $(VENV)/.dev  # 5: there was no such test; the first leaves compiled files, which save each of the others 12 s
	$(BIN)/python -m pytest -m alone $(TESTS) || [ $$? -eq 5 ]
	$(BIN)/python -m pytest --numprocesses $(WORKERS) --dist loadfile --no-loadscope-reorder -m "not alone" $(TESTS) || [ $$? -eq 5 ]

check: $(VENV)/.dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/.dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean:
	rm -rf $(VENV) .cache .mypy_cache .ruff_cache .pytest_cache

$(VENV)/bin/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Chapeta needs Python 3.11 or newer: make PYTHON=python3.12 demo")'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.demo: $(VENV)/bin/python pyproject.toml constraints.txt
	@echo "Installing Chapeta with tuning (torch is large; this happens once) ..."
	$(INSTALL) '.[tune]'
	@touch $@

$(VENV)/.dev: $(VENV)/bin/python pyproject.toml constraints.txt
	@echo "Installing Chapeta and what its tests need (torch is large; this happens once) ..."
	$(INSTALL) '.[dev]'
	@touch $@
