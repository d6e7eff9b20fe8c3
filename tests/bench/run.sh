#!/bin/bash
# Measure Fura beside its peers and against the promises of its speed: tests/bench/run.sh [NAME...]
# Needs two idle cores: the server has one, everything else the other. BENCH_SECONDS (5) is the length of a round.
set -euo pipefail
cd "$(dirname "$0")/../.."
ulimit -n "$(ulimit -Hn)" # ten thousand connections are held at once
exec node tests/bench/bench.js "$@"
