# Every target does its own set-up; `make help` lists them.

PYTHON ?= $(firstword $(shell for name in python3.11 python3.12 python3.13 python3; do \
	command -v $$name; done))
VENV := .venv
BIN := $(VENV)/bin
FUZZ ?= 60
SEED ?= 0
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.DEFAULT_GOAL := help
.PHONY: help demo demo-real test test-real check bench fuzz requirements debian

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 16

test: $(VENV)/ready ## everything that needs neither root nor Puppet
	@mkdir -p build
	$(BIN)/python -m pytest -m "not real" -n $$(($$(nproc) + 1)) --maxprocesses 4 --junitxml=build/test.xml
	$(BIN)/python scripts/whole.py build/test.xml \
		tests/base tests/x509 tests/store tests/ca tests/primary tests/server tests/agent tests/node tests/extensions tests/demo tests/page tests/site tests/cli

test-real: debian $(VENV)/ready ## everything against real Puppet; Debian, as root
	scripts/debian nginx
	scripts/images
	@mkdir -p build
	$(BIN)/python -m pytest -m real -v -n 2 --durations=20 \
		--junitxml=build/test-real.xml tests/real
	$(BIN)/python scripts/whole.py build/test-real.xml tests/real

check: $(VENV)/ready ## style, types and shell scripts
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy src tests/test_rooms.py bench scripts
	$(BIN)/mypy fuzz
	for room in $$(dirname $$(git ls-files 'tests/*/*.py') | sort -u); do \
		$(BIN)/mypy $$room || exit 1; done
	@if command -v shellcheck >/dev/null; then \
		echo shellcheck; shellcheck -x $$(git ls-files .ci lab/lab scripts 'lab/*.sh' 'tests/*.sh' | \
			grep -v '\.py$$'); \
	else echo "shellcheck is not installed: shell scripts were not checked"; fi

demo: $(VENV)/ready ## see a small site regenerated; neither root nor Puppet
	@mkdir -p build
	$(BIN)/reseal demo --report build/demo.html

demo-real: debian $(VENV)/ready ## raise a site of real Puppet and regenerate it; Debian, as root
	scripts/demo

bench: debian $(VENV)/ready ## reseal beside Puppet Server and the procedure by hand; Debian, as root
	$(BIN)/python bench/server.py
	$(BIN)/python bench/regenerate.py
	$(BIN)/python bench/enrol.py

fuzz: ## fuzz the request parser and the API, FUZZ=60 seconds each, SEED=0 any
	scripts/venv "$(PYTHON)" $(VENV)-fuzz requirements-fuzz.txt
	@mkdir -p build
	for name in request_parser whole_api; do \
		$(VENV)-fuzz/bin/python fuzz/$$name.py -max_total_time=$(FUZZ) -seed=$(SEED) \
			-artifact_prefix=build/ || exit 1; done
	$(VENV)-fuzz/bin/python fuzz/document.py $(FUZZ) $(SEED)

requirements: ## pin the requirements anew (needs uv)
	for set in requirements requirements-dev requirements-fuzz; do \
		extra="--extra $${set#requirements-} requirements-build.in"; \
		[ $$set != requirements ] || extra=; \
		uv pip compile --no-config --quiet --universal --python-version 3.11 --upgrade \
			--generate-hashes --no-emit-index-url --no-emit-find-links \
			--custom-compile-command "make requirements" \
			pyproject.toml $$extra --output-file $$set.txt || exit 1; \
	done

debian:
	scripts/debian

$(VENV)/ready: requirements-dev.txt pyproject.toml scripts/venv
	scripts/venv "$(PYTHON)" $(VENV)
