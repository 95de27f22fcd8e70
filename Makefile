# Every target does its own set-up; the second run installs nothing.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/installed
TESTABLE := $(VENV)/testable
PIP := $(BIN)/uv pip install --quiet --python $(BIN)/python --constraint constraints.txt
AUDIO ?=
export AUDIO
# Every worker is a process: without bytecode each compiles what it imports, and one of another user cannot keep it.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: install serve demo test check docs constraints bench-longform bench-endurance bench-load bench-attribution bench-voices bench-diarization bench-transport bench-orchestrator bench-server bench-coldstart clean

install: $(INSTALLED)

$(INSTALLED): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt uv
	$(PIP) --compile-bytecode --editable '.[diarization,transcription,server,queue,demo]'
	@$(BIN)/python -m compileall -q common handlers orchestrator
	@touch $@

$(TESTABLE): $(INSTALLED)
	$(PIP) --editable '.[diarization,transcription,server,queue,demo,dev]'
	$(PIP) --build-constraint constraints.txt --editable '.[meeteval]' \
		|| echo 'WARNING: meeteval could not be built (it needs a C++ compiler); the tests that use it are skipped'
	@# Alone: what it depends on is pinned to other versions than ours. Our rule is measured against its own.
	$(PIP) --no-deps whisperx==3.8.6 \
		|| echo 'WARNING: whisperx could not be installed; the test that compares with it is skipped'
	@touch $@

# The web server with its page, on this machine alone: http://127.0.0.1:8080
serve: $(INSTALLED)
	@$(BIN)/parley serve

# make demo AUDIO=path-or-url
demo: $(INSTALLED)
	@$(BIN)/parley demo $${AUDIO:+-- "$$AUDIO"}

test: $(TESTABLE)
	$(BIN)/pytest --cov --cov-report=term:skip-covered --cov-fail-under=95

check: $(TESTABLE)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/python .ci/house_rules.py

# Write docs/api.md and docs/configuration.md from the code.
docs: $(TESTABLE)
	$(BIN)/python .ci/reference_docs.py

# Pin anew what was tried together; commit the result.
constraints: $(TESTABLE)
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --all-extras --upgrade --strip-extras --no-header --no-annotate \
		--no-emit-index-url --no-emit-find-links --output-file constraints.txt pyproject.toml .ci/tools.in

# An hour in windows against other ways; QUICK=1: minutes of it; DATA=folder: your own utterances.
bench-longform: $(TESTABLE)
	@$(BIN)/python -m benchmarks.longform

# Three hours of speech in one job: memory, progress, cancelling; QUICK=1: three minutes.
bench-endurance: $(TESTABLE)
	@$(BIN)/python -m benchmarks.endurance

# Loading a full-size Parakeet, NeMo's way and Parley's; QUICK=1: a smaller one, once; CACHE=folder: where it is kept.
bench-load: $(TESTABLE)
	@$(BIN)/python -m benchmarks.load

# Who said which word, against other projects' rules; QUICK=1: a few conversations; DATA=folder: recorded ones;
# CACHE=folder: where the words and turns that the engines found are kept.
bench-attribution: $(TESTABLE)
	@$(BIN)/python -m benchmarks.attribution

# Known speakers and strangers: similarities, false names, misses; QUICK=1: fewer; DATA=folder: more than two voices.
bench-voices: $(TESTABLE)
	@$(BIN)/python -m benchmarks.voices

# Who speaks when, against pyannote's own run of the same models: seconds, memory, DER; QUICK=1: less; DATA=folder: more.
bench-diarization: $(TESTABLE)
	@$(BIN)/python -m benchmarks.diarization

# What Opus for the way costs in words, by bit rate; QUICK=1: a few utterances; DATA=folder: more than one conversation.
bench-transport: $(TESTABLE)
	@$(BIN)/python -m benchmarks.transport

# One end for every orchestration, whatever fails, and what it costs; QUICK=1: fewer; SEED=number: other faults.
bench-orchestrator: $(TESTABLE)
	@$(BIN)/python -m benchmarks.orchestrator

# Ten recordings sent to the web server at once: answers meanwhile, order, load; a large upload's memory; the page with
# three hours. QUICK=1: about a minute; DATA=folder: other recordings.
bench-server: $(TESTABLE)
	@$(BIN)/python -m benchmarks.server

# From a worker's start to its first result, against plain scripts with the same models; QUICK=1: a smaller Parakeet, once;
# CACHE=folder: where that is kept.
bench-coldstart: $(TESTABLE)
	@$(BIN)/python -m benchmarks.coldstart

clean:
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .coverage
