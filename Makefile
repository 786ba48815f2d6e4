# `make demo` runs austream on a simulated camera, `make test` runs all checks. Both install what they need first.
# DURATION=30s ends the demo after that time; JSON=1 prints events as JSON lines.
SHELL := bash
.DEFAULT_GOAL := help
# Expanded when a recipe runs: bin/setup may install this Node first.
NPM = PATH="$(CURDIR)/.toolchain/node/bin:$$PATH" npm

.PHONY: help setup demo test test-long lint native-tensorflow
help:
	@echo 'make demo   a simulated camera, the whole pipeline, live Action Units (DURATION=30s JSON=1)'
	@echo 'make test   lint, type check, all tests'
	@echo 'make test-long  torture, foreign peers, 100,000 mutations of each fuzz target: hours'
	@echo 'make setup  only install what austream needs'

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

# Each finding names its mutation; FUZZ_SEED=n runs other ones.
test-long:
	@bin/setup test
	@TEST_LONG=1 $(NPM) test --silent -- .long.test.ts
	@FUZZ_MUTATIONS=$(or $(FUZZ_MUTATIONS),100000) $(NPM) test --silent -- test/fuzz

# Builds @tensorflow/tfjs-node on libtensorflow: the tests of the TensorFlow.js engine then also run on native TensorFlow.
native-tensorflow:
	@bin/setup test
	@test/native-tensorflow/build
