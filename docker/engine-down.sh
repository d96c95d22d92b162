#!/bin/bash
# Stops the engine that engine-up.sh started, if it did, and takes its bridge and its mounts away. What it holds
# stays, so that the next start finds its images: `--purge` deletes that too.
set -euo pipefail
HOME_DIR=${ENGINE_DIR:-/var/tmp/claimseal-engine}
PID_FILE=$HOME_DIR/dockerd.pid

if [ -f "$PID_FILE" ]; then
  kill "$(cat "$PID_FILE")" 2>/dev/null || rm -f "$PID_FILE"
  # The engine removes its pid file last.
  for _ in $(seq 300); do
    [ -f "$PID_FILE" ] || break
    sleep 0.1
  done
  [ ! -f "$PID_FILE" ] || { echo "engine: still there after 30 s, see $HOME_DIR/dockerd.log" >&2; exit 1; }
  ip link delete docker0 2>/dev/null || true
  umount "$HOME_DIR/exec/netns/default" "$HOME_DIR/data" 2>/dev/null || true
fi
[ "${1:-}" != --purge ] || rm -rf "$HOME_DIR"
