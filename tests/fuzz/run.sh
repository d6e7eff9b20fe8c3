#!/bin/bash
# Fuzz one parser for a minute from its corpus: tests/fuzz/run.sh http_parse [SECONDS]
set -euo pipefail
cd "$(dirname "$0")/../.."

names=$(ls build/fuzz/tests/fuzz/fuzz_* 2>/dev/null | sed -n 's|.*/fuzz_\([a-z0-9_]*\)$|\1|p' | tr '\n' ' ')
if [ $# -lt 1 ] || [ ! -x "build/fuzz/tests/fuzz/fuzz_$1" ]; then
    echo "usage: make fuzz t=NAME, with NAME one of: $names" >&2
    exit 2
fi
name=$1
work=build/fuzz/corpus/$name # new finds stay here; the committed corpus is read only
mkdir -p "$work" "tests/fuzz/corpus/$name" "tests/fuzz/regression"
dictionary=tests/fuzz/$name.dict
exec "build/fuzz/tests/fuzz/fuzz_$name" -max_total_time="${2:-60}" -timeout=5 -print_final_stats=1 \
    ${dictionary:+$([ -e "$dictionary" ] && echo "-dict=$dictionary")} \
    -artifact_prefix="build/fuzz/crash-$name-" "$work" "tests/fuzz/corpus/$name"
