# Every target does its own set-up. The first run installs the requirements, later ones do not.

ENVIRONMENT ?= process
DATA ?=
TARGET ?=
IMAGE ?= retune-trainer
BASE_IMAGE ?= retune-base

export RETUNE_ENVIRONMENTS ?= $(CURDIR)/.environments
PYTHON := jobs/python
DEVELOPMENT := RETUNE_REQUIREMENTS="requirements.txt tests/requirements.txt" jobs/python

.PHONY: help demo test lint types format tests image base-image benchmarks clean

help:
	@echo "make demo          the whole loop on this machine (DATA=folder ENVIRONMENT=docker TARGET=0.8)"
	@echo "make test          formatter, linter, strict types, all tests"
	@echo "make image         build the trainer image (BASE=image to build on)"
	@echo "make base-image    make a base image where no registry is reached (needs root)"
	@echo "make benchmarks    print the benchmarks' tables"
	@echo "make clean         remove what the other targets made in this folder"

demo:
	@$(PYTHON) -m jobs demo --environment "$(ENVIRONMENT)" $(if $(DATA),--data "$(DATA)") $(if $(TARGET),--target "$(TARGET)")

test: lint types tests

lint:
	@$(DEVELOPMENT) -m ruff format --check .
	@$(DEVELOPMENT) -m ruff check .

types:
	@$(DEVELOPMENT) -m mypy jobs model docker/trainer

tests:
	@$(DEVELOPMENT) -m pytest

format:
	@$(DEVELOPMENT) -m ruff format .
	@$(DEVELOPMENT) -m ruff check --fix .

benchmarks:
	@$(PYTHON) tests/benchmarks/explain.py
	@$(PYTHON) -m tests.benchmarks.sampler
	@$(PYTHON) tests/benchmarks/cache.py
	@$(PYTHON) tests/benchmarks/handover.py

image:
	@docker/build-image.sh "$(IMAGE)"

base-image:
	@docker/base-image.sh "$(BASE_IMAGE)"

clean:
	rm -rf .environments .pytest_cache .mypy_cache .ruff_cache .hypothesis
