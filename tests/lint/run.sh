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

# The sanitized build gives the compile commands and the generated headers, and `make test` needs it anyway.
tidy() {
    cmake --preset asan >/dev/null && cmake --build --preset asan --target fura >build/asan/lint.log ||
        { tail -30 build/asan/lint.log; return 1; }
    local said
    said=$(run-clang-tidy -quiet -j "$(nproc)" -p build/asan "$PWD/core/.*\.c$" 2>/dev/null)
    ! grep -E -A4 'warning:|error:' <<<"$said"
}

docs() {
    luajit tools/host_api.lua | cat -s | diff -q - docs/host-api.md >/dev/null && return 0
    echo "docs/host-api.md is older than lua/meta: run make docs" >&2
    return 1
}

lint layers luajit tests/lint/layers.lua
lint banned luajit tests/lint/banned.lua
lint texts luajit tests/lint/texts.lua
lint format bash -c 'xargs -r clang-format --dry-run -Werror' < <(c_sources)
lint luacheck luacheck -q .
lint javascript javascript
lint docs docs
[ "${1:-}" = --quick ] || lint clang-tidy tidy

if [ ${#failed[@]} -gt 0 ]; then
    echo "lint failed: ${failed[*]}" >&2
    exit 1
fi
echo "lint passed"
