# `make` alone prints this menu. Every verb is a thin line over a CMake preset or a script in tools/.
.DEFAULT_GOAL := menu
.PHONY: menu deps build asan dev demo demo-reset check test lint fuzz bench docs clean

JOBS ?= $(shell nproc)

menu: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

deps: ## install what is missing from Debian and npm (as root; else print the commands)
	@tools/deps.sh

build: deps ## release build at build/fura
	@cmake --preset release >/dev/null
	@cmake --build --preset release -j $(JOBS)

dev: deps ## debug build, then as demo; Lua reloads itself when saved
	@cmake --preset debug >/dev/null
	@cmake --build --preset debug -j $(JOBS)
	@FURA_BINARY=build/debug/fura exec node tools/demo.js --log

demo: build ## run the product with its own services and simulators; Ctrl-C stops everything
	@exec node tools/demo.js

demo-reset: ## forget the demo's data
	@node tools/demo.js --reset

asan: deps
	@cmake --preset asan >/dev/null
	@cmake --build --preset asan -j $(JOBS)

check: asan ## units, specs, simulators and quick lint: the gate before a commit
	@ctest --preset check --no-label-summary

# In CI a suite that failed is run once more, and shown to have been: on a shared machine the suites that hold the product to a
# second or two can meet a pause that is nobody's fault. Elsewhere a failure is a failure.
test: asan ## everything under ASan+UBSan, with integration and browser tests
	@ctest --preset asan --no-label-summary $(if $(CI),--repeat until-pass:2)

lint: deps ## formats, layers, banned words, luacheck, clang-tidy
	@tests/lint/run.sh

fuzz: deps ## one parser for a minute: make fuzz t=http_parse
	@cmake --preset fuzz >/dev/null
	@cmake --build --preset fuzz -j $(JOBS)
	@tests/fuzz/run.sh $(t)

bench: ## speed beside that of nginx and its Lua module
	@FURA_BENCH=1 tools/deps.sh
	@$(MAKE) --no-print-directory build
	@tests/bench/run.sh

docs: deps ## write docs/host-api.md anew from lua/meta
	@luajit tools/host_api.lua | cat -s > docs/host-api.md

clean: ## remove build/
	@rm -rf build
