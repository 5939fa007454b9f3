# SPDX-License-Identifier: Apache-2.0
# `make` shows the targets. Everything that they need is installed by them: a virtual environment from hashed
# requirements, and for the test hosts and the browser tests Debian packages, announced before they are installed.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
V ?= 0

# The first Python that really runs and is new enough: a version manager's shim may stand on PATH and run nothing.
PYTHON ?= $(shell for python in python3.12 python3.13 python3.14 python3 /usr/bin/python3; do \
	"$$python" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 12))' 2>/dev/null && echo "$$python" && break; done)

VENV := .venv
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)
export ANSIBLE_COLLECTIONS_PATH := $(CURDIR)/$(VENV)/collections
export TEST_HOSTS_OWNER := $(shell echo $$PPID)
READY := $(VENV)/.ready
AWS := .cache/aws
BENCH := .cache/bench
OLDEST := .cache/oldest
SHELL_SCRIPTS = $(shell git ls-files -co --exclude-standard '*.sh' | while read -r file; do [ -e "$$file" ] && echo "$$file"; done)

.PHONY: help demo demo-down test test-fast lint unit programs aws sanity integration oldest molecule test-vm test-faults bench bench-fleet bench-throughput build docs requirements format clean

help:  ## Show the targets
	@sed -nE 's/^([a-z-]+):.*## (.*)/  make \1\t\2/p' Makefile | expand -t 20

$(READY): requirements-dev.txt
	@[ -n "$(PYTHON)" ] || { echo "make: no Python 3.12 or newer with venv on PATH; install one (Debian: python3-venv), or set PYTHON=" >&2; exit 1; }
	@echo "Setting up $(VENV) with $(PYTHON) ..."
	@$(PYTHON) -m venv --clear $(VENV)
	@$(VENV)/bin/pip install -qq --disable-pip-version-check --require-hashes -r requirements-dev.txt
	@# One link makes the collection importable from a clone at any path, one serves ansible-playbook and mypy.
	@for folder in $(VENV)/lib/python3.*/site-packages $(VENV)/collections; do \
		mkdir -p "$$folder/ansible_collections/nova" && ln -sfn "$(CURDIR)" "$$folder/ansible_collections/nova/agent_host"; done
	@touch $@

demo: $(READY)  ## Boot a throwaway host, provision it, build on it (V=1: all of Ansible's output)
	@V=$(V) tests/demo/demo.sh up

demo-down: $(READY)  ## Remove the demo's host
	@tests/demo/demo.sh down

test: lint unit programs aws sanity integration oldest molecule  ## Everything that CI runs

test-fast: lint unit  ## Lint and unit tests

lint: $(READY)  ## Formatting, types, YAML, Ansible, documentation, shell
	ruff format --check --quiet .
	ruff check --quiet .
	mypy -p ansible_collections.nova.agent_host.plugins
	yamllint --strict .
	ansible-lint --offline --strict -q
	antsibull-docs lint-collection-docs --plugin-docs .
	antsibull-changelog lint
	shellcheck $(SHELL_SCRIPTS)

unit: $(READY)  ## Unit tests, and what the collection says of itself
	pytest -rs -n 2 --dist loadfile tests/unit tests/test_collection.py

programs: $(READY)  ## The rendered wrappers and the real rustup, driven without a host
	pytest -rs -n 2 --dist loadfile tests/wrappers tests/toolchain tests/status tests/hygiene

# A virtual environment beside the first, for what can't be in one with it: its folder, and that of its requirements.
define environment
$(1)/.ready: $(2)/requirements.txt $(READY)
	@echo "Setting up $(1) ..."
	@mkdir -p .cache && $(PYTHON) -m venv --clear $(1)
	@$(1)/bin/pip install -qq --disable-pip-version-check --require-hashes -r $(2)/requirements.txt
	@touch $$@
endef
$(eval $(call environment,$(AWS),tests/aws))
$(eval $(call environment,$(BENCH),tests/bench/fleet))
$(eval $(call environment,$(OLDEST),tests/oldest))

aws: $(AWS)/.ready  ## What asks EC2, against a stand-in on loopback
	PATH="$(CURDIR)/$(AWS)/bin:$$PATH" pytest -rs tests/aws

sanity: $(READY)  ## ansible-test sanity and units
	tests/ansible-test.sh

integration: $(READY)  ## Plays against real systemd hosts, and the test hosts' own tests
	@python tests/integration/browser.py
	pytest -rs tests/hosts
	pytest -rs -n 2 --dist loadfile --ignore tests/integration/faults tests/integration

test-faults: $(READY)  ## Killed plays, dead links, full disks, two controllers (minutes; not part of test)
	pytest -rs -s tests/integration/faults

oldest: $(OLDEST)/.ready  ## The life of a host with the oldest ansible-core that is supported
	PATH="$(CURDIR)/$(OLDEST)/bin:$$PATH" ansible-playbook --version | sed -n 1p
	PATH="$(CURDIR)/$(OLDEST)/bin:$$PATH" pytest -rs tests/integration/test_life_of_a_host.py \
		-k "clean_host or first_apply or second_apply or drifted_file"

molecule: $(READY)  ## All scenarios on real systemd hosts (SCENARIOS=trixie: that one; V=1: all output)
	@V=$(V) tests/molecule.sh $(SCENARIOS)

test-vm: $(READY)  ## The ceiling under load, in virtual machines (about fifteen minutes; not part of test)
	pytest -rs tests/vm

bench: $(READY)  ## Timings, as ratios within one run
	@for bench in tests/bench/*.py; do python "$$bench"; done

bench-fleet: $(BENCH)/.ready  ## A re-apply at 1, 10 and 50 hosts, against a ping and other tools (about an hour)
	PYINFRA=$(CURDIR)/$(BENCH)/bin/pyinfra python tests/bench/fleet/fleet.py
	python tests/bench/fleet/fleet.py --hosts 50 --settings

bench-throughput: $(READY)  ## How many commands a host finishes: simulated, and 300 accounts at once (minutes)
	python tests/bench/throughput/simulate.py
	python tests/bench/throughput/full_size.py

build: $(READY)  ## Build the collection's tarball
	ansible-galaxy collection build --force

docs: $(READY)  ## Write docs/variables.md from the roles' argument specs
	python tests/variables.py > docs/variables.md

requirements: $(READY)  ## Renew requirements-dev.txt from requirements-dev.in (needs uv)
	uv pip compile --quiet --no-header --universal --python-version 3.12 --generate-hashes --upgrade \
		requirements-dev.in -o requirements-dev.txt

format: $(READY)  ## Format the Python files
	ruff format --quiet .
	ruff check --quiet --fix .

clean:  ## Remove what the targets made in this checkout
	rm -rf $(VENV) .cache .ansible .mypy_cache .ruff_cache .pytest_cache .hypothesis tests/output nova-agent_host-*.tar.gz
