# SPDX-License-Identifier: Apache-2.0
# `make` shows the targets. Everything that they need is installed by them: a virtual environment from hashed
# requirements, and for the test hosts and the browser tests Debian packages, announced before they are installed.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
V ?= 0
SCENARIOS ?= default packages trixie

PYTHON ?= $(shell tools/python.sh 3.12 3.13 3.14)

VENV := .venv
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)
export ANSIBLE_COLLECTIONS_PATH := $(CURDIR)/$(VENV)/collections
export TEST_HOSTS_OWNER := $(shell echo $$PPID)
READY := $(VENV)/.ready
COMMUNITY := .cache/community
BENCH := .cache/bench
SHELL_SCRIPTS = $(shell git ls-files -co --exclude-standard '*.sh' | while read -r file; do [ -e "$$file" ] && echo "$$file"; done)

.PHONY: help demo demo-down test environments test-fast lint unit programs programs-on-host aws sanity hosts integration oldest newest matrix molecule container ceiling test-vm test-faults test-full-house bench bench-fleet bench-throughput bench-warm build docs docs-site release-check release-draft requirements format clean

help:  ## Show the targets
	@sed -nE 's/^([a-z-]+):.*## (.*)/  make \1\t\2/p' Makefile | expand -t 25

$(READY): requirements-dev.txt
	@tools/environment.sh $(VENV) requirements-dev.txt "$(PYTHON)"

demo: $(READY)  ## Boot a throwaway host, provision it, build on it (V=1: all of Ansible's output)
	@V=$(V) tools/demo/demo.sh up

demo-down: $(READY)  ## Remove the demo's host
	@tools/demo/demo.sh down

# Two targets at a time, because many work on one CPU only; the longest first. 300 logins need both CPUs, so they run alone. A
# container sets kernel settings of the machine, which tests of hosts read, so it runs before them. Molecule's default scenario is left
# out: trixie is the same on another release, and the integration tests run on the default's release.
test: environments hosts test-full-house  ## Everything that CI runs
	@$(MAKE) --no-print-directory -j2 --keep-going --output-sync=target container lint aws
	@$(MAKE) --no-print-directory -j2 --keep-going --output-sync=target SCENARIOS='packages trixie' integration unit programs ceiling sanity release-draft oldest newest molecule

environments: # both at the same time
	@$(MAKE) --no-print-directory -j2 $(READY) $(COMMUNITY)/.ready

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

unit: $(READY)  ## Unit tests, and tests of versions, tables and links
	pytest -rs -n 2 --dist loadfile tests/unit tests/test_collection.py tests/test_execution_environment.py

programs: $(READY)  ## The programs of hosts, in temporary folders
	pytest -rs -n 2 --dist loadfile tests/programs

programs-on-host:  ## The wrappers' tests on a test host (SUITE=forky: with its bash, uutils and sudo-rs)
	tools/programs_on_host.sh

# Virtual environments beside the first, for what can't be in one with it.
.cache/%/.ready: tools/environments/%/requirements.txt
	@tools/environment.sh .cache/$* $< "$(PYTHON)"

# A core's environment has the Pythons that core runs on, the oldest first.
PYTHONS_2.16 := 3.11 3.12 3.10
PYTHONS_2.17 := 3.11 3.12 3.10
PYTHONS_2.18 := 3.11 3.12 3.13
PYTHONS_2.19 := 3.11 3.12 3.13
PYTHONS_2.20 := 3.12 3.13 3.14
PYTHONS_2.22 := 3.13 3.14
CORES := 2.16 2.17 2.18 2.19 2.20 2.22
.cache/core-%/.ready: tools/environments/core-%/requirements.txt $(READY)
	@python=$$(tools/python.sh $(PYTHONS_$*)) && tools/environment.sh .cache/core-$* $< "$$python"
.PRECIOUS: .cache/%/.ready .cache/core-%/.ready

aws: $(READY) $(COMMUNITY)/.ready  ## EC2 inventories and instance types, with a STAND-IN on loopback
	PATH="$(CURDIR)/$(COMMUNITY)/bin:$$PATH" pytest -rs tests/aws

sanity: $(READY)  ## ansible-test sanity
	tools/ansible-test.sh

hosts: $(READY)  ## Tests of the test hosts: they compare the whole machine before and after, so nothing else may run
	pytest -rs tests/tools

integration: $(READY) $(COMMUNITY)/.ready  ## Plays against real systemd hosts
	tools/install.sh chromium:chromium chromedriver:chromium-driver
	pytest -rs -n 2 --dist loadfile --ignore tests/integration/faults --ignore tests/integration/how_to --ignore tests/integration/full_house tests/integration

test-full-house: $(READY)  ## 300 accounts log in at the same time, with and without role agent_capacity
	pytest -rs -s tests/integration/full_house

test-faults: $(READY)  ## Killed plays, dead links, full disks, two controllers (minutes; not part of test)
	pytest -rs -s tests/integration/faults

oldest: core-2.16  ## The oldest supported ansible-core: unit tests, and apply to retire of a host

newest:  ## The newest (pre-)release of ansible-core: the same (skipped without a Python for it)
	+@if tools/python.sh $(PYTHONS_2.22) >/dev/null; then $(MAKE) --no-print-directory core-2.22; \
		else echo "newest: skipped, ansible-core 2.22 runs on Python $(PYTHONS_2.22)"; fi

matrix: $(CORES:%=core-%) $(CORES:%=sanity-%)  ## All other supported cores: unit tests, sanity, and apply to retire of a host

# core-2.17: one core. Its environment is first on PATH, so that all programs are of that core.
core-%: .cache/core-%/.ready
	PATH="$(CURDIR)/.cache/core-$*/bin:$$PATH" ANSIBLE_COLLECTIONS_PATH="$(CURDIR)/.cache/core-$*/collections" tools/core.sh

molecule: $(READY)  ## Scenarios on real systemd hosts (SCENARIOS=forky: those alone; V=1: all output)
	@V=$(V) tools/molecule.sh $(SCENARIOS)

container: $(READY) $(COMMUNITY)/.ready  ## The example scenario of molecule with podman (skipped with a message if podman does not run)
	PATH="$(CURDIR)/$(COMMUNITY)/bin:$$PATH" ANSIBLE_COLLECTIONS_PATH="$(CURDIR)/$(COMMUNITY)/collections" tools/container.sh

ceiling: $(READY)  ## The ceiling in one virtual machine (skipped with a message if no virtual machine can run)
	@if tools/vm/vm.sh can; then pytest -rs tests/vm/test_ceiling.py; else echo "ceiling: skipped, for the reason above"; fi

test-vm: $(READY)  ## The ceiling under load, in virtual machines (about twenty minutes; not part of test)
	tools/vm/vm.sh can
	pytest -rs tests/vm

bench: $(READY)  ## Timings, as ratios within one run
	@for bench in tools/bench/*.py; do python "$$bench"; done

bench-fleet: $(READY) $(BENCH)/.ready  ## A re-apply at 1, 10 and 50 hosts, against a ping and other tools (about an hour)
	PYINFRA=$(CURDIR)/$(BENCH)/bin/pyinfra python tools/bench/fleet/fleet.py
	python tools/bench/fleet/fleet.py --hosts 50 --settings

bench-warm: $(READY)  ## A first build in a new checkout, cold and from a seed (minutes)
	python tools/bench/warm/measure.py

bench-throughput: $(READY)  ## How many commands a host completes: simulated, and 300 accounts at once (minutes)
	python tools/bench/throughput/simulate.py
	python tools/bench/throughput/full_size.py

build: $(READY)  ## Build the collection's tarball (REPOSITORY=URL: its address)
	REPOSITORY="$(REPOSITORY)" tools/build.sh .

docs: $(READY)  ## Write docs/variables.md from the roles' argument specs
	python tools/variables.py > docs/variables.md

sanity-%: .cache/core-%/.ready
	tools/ansible-test.sh .cache/core-$*

docs-site: .cache/docs/.ready $(READY) $(COMMUNITY)/.ready  ## Build the docs site in .cache/docs-site/html, and run the commands of its how-to pages
	PATH="$(CURDIR)/.cache/docs/bin:$$PATH" ANSIBLE_COLLECTIONS_PATH="$(CURDIR)/.cache/docs/collections" tools/docs_site.sh .cache/docs-site
	PATH="$(CURDIR)/$(COMMUNITY)/bin:$$PATH" ANSIBLE_COLLECTIONS_PATH="$(CURDIR)/$(COMMUNITY)/collections" pytest -rs tests/integration/how_to

release-check: .cache/galaxy/.ready $(READY)  ## Build, check, install, run and sign the tarball, as a release needs it (REPOSITORY=URL)
	REPOSITORY="$(REPOSITORY)" GALAXY="$(CURDIR)/.cache/galaxy/bin" PYTHON="$(PYTHON)" tools/release_check.sh

release-draft: .cache/galaxy/.ready $(READY)  ## The same without an address and a host
	GALAXY="$(CURDIR)/.cache/galaxy/bin" PYTHON="$(PYTHON)" tools/release_check.sh --draft

requirements:  ## Renew all locked requirements from their .in files (needs uv)
	@lock() { echo "$$1"; uv pip compile --quiet --no-header --universal --python-version "$$2" --generate-hashes --upgrade "$$1.in" -o "$$1.txt"; }; \
	lock requirements-dev 3.12; \
	for folder in tools/environments/*/; do \
		case $$folder in *core-2.1?/) python=3.11 ;; *core-2.22/) python=3.13 ;; *) python=3.12 ;; esac; \
		lock "$${folder}requirements" "$$python"; done

format: $(READY)  ## Format the Python files
	ruff format --quiet .
	ruff check --quiet --fix .

clean:  ## Remove files that the targets created in this checkout
	rm -rf $(VENV) .cache .ansible .mypy_cache .ruff_cache .pytest_cache .hypothesis tests/output nova-agent_host-*.tar.gz
