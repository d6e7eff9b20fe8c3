#!/bin/bash
# The HTTP server without scripts against nginx's own fixed answer, one core and 64 keep-alive connections each,
# in one run: tests/bench/http_floor.sh PATH_TO_http_floor [SECONDS]
set -euo pipefail
floor=${1:?usage: http_floor.sh PATH_TO_http_floor [SECONDS]}
seconds=${2:-4}
work=$(mktemp -d)
pids=()
finish() {
    [ ${#pids[@]} -eq 0 ] || kill "${pids[@]}" 2>/dev/null || true
    rm -rf "$work"
}
trap finish EXIT

cat >"$work/nginx.conf" <<CONF
daemon off;
worker_processes 1;
pid $work/nginx.pid;
error_log $work/error.log;
events { worker_connections 4096; }
http {
    access_log off;
    keepalive_requests 100000000;
    default_type text/plain;
    server {
        listen unix:$work/unused.sock;
        listen 127.0.0.1:NGINX_PORT;
        location / { add_header X-Request-Id \$request_id; return 200 "ok\n"; }
    }
}
CONF
nginx_port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
sed -i "s/NGINX_PORT/$nginx_port/" "$work/nginx.conf"
taskset -c 0 nginx -p "$work" -c "$work/nginx.conf" 2>/dev/null &
pids+=($!)
taskset -c 0 "$floor" >"$work/port" &
pids+=($!)
until [ -s "$work/port" ] && curl -so /dev/null "http://127.0.0.1:$nginx_port/"; do sleep 0.05; done

rate() {
    taskset -c 1 wrk -t1 -c64 -d"${seconds}s" "http://127.0.0.1:$1/" | awk '/Requests\/sec/ { print $2 }'
}
rate "$nginx_port" >/dev/null # both are warm now
nginx=$(rate "$nginx_port")
ours=$(rate "$(cat "$work/port")")
awk -v a="$ours" -v b="$nginx" 'BEGIN { printf "fura %d/s, nginx %d/s, ratio %.2f\n", a, b, a / b }'
