# Two commands need nothing done before: `make demo` shows austream at work, `make test` checks it.
# DURATION=30s ends the demo by itself; JSON=1 prints events as JSON lines.
SHELL := bash
.DEFAULT_GOAL := help
# Looked up when a line runs, not when make reads it: before that bin/setup may not have brought Node yet.
NPM = PATH="$(CURDIR)/.toolchain/node/bin:$$PATH" npm

.PHONY: help setup demo test lint native-tensorflow
help:
	@echo 'make demo   a simulated camera, the whole pipeline, live Action Units (DURATION=30s JSON=1)'
	@echo 'make test   lint, type check, all tests'
	@echo 'make setup  only bring what austream needs'

setup:
	@bin/setup

demo:
	@bin/setup
	@bin/austream demo $(if $(DURATION),--duration $(DURATION)) $(if $(JSON),--json)

lint:
	@bin/setup
	@$(NPM) run --silent lint
	@$(NPM) run --silent typecheck

test:
	@bin/setup test
	@$(NPM) run --silent lint
	@$(NPM) run --silent typecheck
	@$(NPM) test --silent

# @tensorflow/tfjs-node on libtensorflow, so that the TensorFlow.js engine's tests run on native TensorFlow too.
native-tensorflow:
	@bin/setup test
	@test/native-tensorflow/build
