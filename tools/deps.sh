#!/bin/bash
# Install what building, testing and the demo need: Debian's packages and the npm packages of package-lock.json.
# Quick when nothing is missing. Without root it prints the commands instead and fails.
set -euo pipefail
cd "$(dirname "$0")/.."

build=(build-essential cmake ninja-build pkg-config node-llhttp libluajit2-5.1-dev libevent-dev libhiredis-dev
       libpq-dev libcurl4-openssl-dev libssl-dev lua-cjson lua-cjson-dev zlib1g-dev)
run=(postgresql postgresql-client redis-server)
test=(libcmocka-dev lua-busted lua-check luajit2 clang clang-format clang-tidy chromium curl)
bench=(wrk nginx libnginx-mod-http-lua lua-nginx-redis)

is_installed() {
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

missing=()
for package in "${build[@]}" "${run[@]}" "${test[@]}" ${FURA_BENCH:+"${bench[@]}"}; do
    is_installed "$package" || missing+=("$package")
done
# Node.js may come from elsewhere, as long as it is 18 or newer.
if ! node -e 'process.exit(parseInt(process.versions.node) < 18 ? 1 : 0)' 2>/dev/null; then missing+=(nodejs); fi
command -v npm >/dev/null || missing+=(npm)

if [ ${#missing[@]} -gt 0 ]; then
    if [ "$(id -u)" != 0 ]; then
        echo "Missing from Debian. As root, run:" >&2
        echo "  apt-get update && apt-get install -y --no-install-recommends ${missing[*]}" >&2
        exit 1
    fi
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -q
    apt-get install -y -q --no-install-recommends "${missing[@]}"
fi

# npm writes this file last, so it is older than the lock file unless everything in the lock is there.
if [ ! -e node_modules/.package-lock.json ] || [ package-lock.json -nt node_modules/.package-lock.json ]; then
    npm ci --no-audit --no-fund
    touch node_modules/.package-lock.json
fi
