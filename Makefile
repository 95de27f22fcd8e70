# Every target does its own set-up; the second run installs nothing.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/ready
AUDIO ?=

.PHONY: install demo test check docs constraints clean

install: $(READY)

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt uv
	$(BIN)/uv pip install --quiet --python $(BIN)/python --constraint constraints.txt --editable '.[diarization,transcription,demo,dev]'
	@touch $(READY)

# make demo AUDIO=path-or-url
demo: $(READY)
	@$(BIN)/parley demo $(if $(AUDIO),'$(AUDIO)')

test: $(READY)
	$(BIN)/pytest --cov --cov-report=term:skip-covered --cov-fail-under=95

check: $(READY)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/python .ci/house_rules.py

# Write docs/api.md and docs/configuration.md from the code.
docs: $(READY)
	$(BIN)/python .ci/reference_docs.py

# Pin anew what was tried together; commit the result.
constraints: $(READY)
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --all-extras --upgrade --strip-extras --no-header --no-annotate \
		--no-emit-index-url --no-emit-find-links --output-file constraints.txt pyproject.toml .ci/tools.in

clean:
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .coverage
