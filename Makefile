# Two commands for a fresh machine, each doing its own set-up:
#   make demo   virtual environment, installation, then the whole story in miniature
#   make test   the same set-up, then every check
PYTHON ?= python3.11
VENV ?= .venv
JOBS ?= 2
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed

.PHONY: demo test check format slow

demo: $(INSTALLED)
	$(BIN)/firsthand demo

test: check

check: $(INSTALLED)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/pyright --pythonpath $(BIN)/python
	$(BIN)/python -m pytest -n $(JOBS) --dist worksteal

slow: $(INSTALLED)
	$(BIN)/python -m pytest -m slow

format: $(INSTALLED)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

$(INSTALLED): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -c constraints.txt -e '.[dev]'
	touch $@
