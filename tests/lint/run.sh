#!/bin/bash
# All lints; --quick leaves clang-tidy out. Every one runs, then the verdict: one run shows all there is to mend.
set -uo pipefail
cd "$(dirname "$0")/../.."
failed=()

lint() {
    local name=$1
    shift
    "$@" || failed+=("$name")
}

c_sources() {
    git ls-files --cached --others --exclude-standard -- 'core/**.[ch]' 'tests/unit/**.[ch]' 'tests/fuzz/*.c' | sort -u |
        while read -r file; do [ -e "$file" ] && echo "$file"; done
}

javascript() {
    local file rc=0
    while read -r file; do
        if [ -e "$file" ]; then node --check "$file" || rc=1; fi
    done < <(git ls-files --cached --others --exclude-standard -- 'tests/**.js' 'tools/*.js')
    return $rc
}

# The compile commands of the debug build; only our own sources, two at a time.
tidy() {
    cmake --preset debug >/dev/null && cmake --build --preset debug --target fura -- -k 0 >/dev/null || return 1
    run-clang-tidy -quiet -j "$(nproc)" -p build/debug "$PWD/core/.*\\.c$" 2>/dev/null | grep -E 'warning:|error:' && return 1
    return 0
}

lint layers luajit tests/lint/layers.lua
lint banned luajit tests/lint/banned.lua
lint format bash -c 'xargs -r clang-format --dry-run -Werror' < <(c_sources)
lint luacheck luacheck -q .
lint javascript javascript
[ "${1:-}" = --quick ] || lint clang-tidy tidy

if [ ${#failed[@]} -gt 0 ]; then
    echo "lint failed: ${failed[*]}" >&2
    exit 1
fi
echo "lint passed"
