# The commands of a day's work. Each installs what it needs, and nothing the second time.

export CCACHE_BASEDIR := $(CURDIR)
export CCACHE_NOHASHDIR := 1
export CMAKE_BUILD_PARALLEL_LEVEL ?= $(shell nproc)

.PHONY: help up build test check bench format stack down check-deploy clean

help:  ## this list
	@sed -n 's/^\([a-z-]*\): *## /  make \1\t/p' Makefile | expand -t 14

up:  ## builds and runs the whole switchboard on embedded parts; Ctrl-C stops it
	@$(MAKE) --no-print-directory build
	@exec build/signalbox up

build:  ## release binary at build/signalbox
	@tools/setup build
	@tests/run build

test:  ## builds and runs every test, with real Kafka, Redis, PostgreSQL and Celery
	@tools/setup build test
	@tests/run test

check:  ## sanitizers, fuzzers, dependency rule, format, lint
	@tools/setup build check
	@tests/run check

bench:  ## every benchmark, one table, JSON in bench/results
	@tools/setup build test
	@tests/run build
	@bench/run

format:  ## formats the sources in place
	@tools/setup check
	@find src tests bench -name '*.[ch]pp' -print0 | xargs -0 clang-format-19 -i

stack:  ## the real servers on loopback; point a shell at them: eval "$(tools/stack env)"
	@tools/setup test
	@tools/stack up

down:  ## ends what make stack started
	@tools/stack down

check-deploy:  ## the compose file, the units, and the binary in a bare root
	@tools/setup build deploy
	@tests/run build
	@docker-compose -f deploy/compose.yaml --profile shadow config --quiet
	@command -v systemd-analyze >/dev/null && systemd-analyze verify deploy/*.service || true
	@deploy/check-bare-root

clean:  ## removes what was built, and the servers' data
	@tools/stack down --purge
	@rm -rf build build-*
