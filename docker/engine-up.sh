#!/bin/bash
# Prints the DOCKER_HOST of an engine that answers. Where there is none, as root on Debian or Ubuntu, installs
# Docker from the distribution and starts a private engine: all it keeps lies in one folder, it publishes on
# loopback, leaves the host's firewall alone and pulls nothing. Exit code 1 and the reason where it cannot.
set -euo pipefail
HOME_DIR=${ENGINE_DIR:-/var/tmp/claimseal-engine}
SOCKET=$HOME_DIR/docker.sock
LOG=$HOME_DIR/dockerd.log
say() { echo "engine: $*" >&2; }

for host in "${DOCKER_HOST:-}" "unix://$SOCKET" unix:///var/run/docker.sock; do
  [ -n "$host" ] || continue
  if DOCKER_HOST=$host docker version >/dev/null 2>&1; then
    say "one answers at $host"
    echo "$host"
    exit 0
  fi
done

[ "$(uname -s)" = Linux ] || { say 'none answers, and it can be started on Linux only'; exit 1; }
[ "$(id -u)" = 0 ] || { say 'none answers, and only root can start one'; exit 1; }
if ! command -v dockerd >/dev/null || ! command -v docker >/dev/null || ! command -v iptables >/dev/null; then
  command -v apt-get >/dev/null || { say 'no dockerd, and no apt-get to install it with'; exit 1; }
  say 'installing docker.io and iptables ...'
  export DEBIAN_FRONTEND=noninteractive
  { apt-get update -qq && apt-get install -y -qq --no-install-recommends docker.io iptables; } >&2 ||
    { say 'the packages could not be installed'; exit 1; }
fi

mkdir -p "$HOME_DIR"
# Left by an engine that was killed, it would stop this one.
rm -f "$HOME_DIR/dockerd.pid"
# The proxy that nobody is makes a pull fail at once: what runs here is built here.
HTTP_PROXY=http://127.0.0.1:9 HTTPS_PROXY=http://127.0.0.1:9 setsid dockerd \
  --host "unix://$SOCKET" --pidfile "$HOME_DIR/dockerd.pid" \
  --data-root "$HOME_DIR/data" --exec-root "$HOME_DIR/exec" \
  --ip 127.0.0.1 --iptables=false --ip6tables=false --ip-forward=false --ip-masq=false \
  >"$LOG" 2>&1 </dev/null &
for _ in $(seq 150); do
  if DOCKER_HOST=unix://$SOCKET docker version >/dev/null 2>&1; then
    say "started, pid $(cat "$HOME_DIR/dockerd.pid")"
    echo "unix://$SOCKET"
    exit 0
  fi
  sleep 0.1
done
say "dockerd did not come up; the end of $LOG:"
tail -20 "$LOG" >&2
exit 1
