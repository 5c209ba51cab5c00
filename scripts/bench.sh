#!/usr/bin/env bash
# Measures against real servers; the figures go to .local/bench.json as well. ONLY=drain runs that one.
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
# shellcheck source=scripts/fleet.sh
source "$ROOT/scripts/fleet.sh"

options=(--output "$ROOT/.local/bench.json")
[[ -z ${ONLY:-} ]] || options=(--only "$ONLY" "${options[@]}")

cd "$ROOT"
mkdir -p .local
end_in_order
run_child scripts/require.sh build servers
run_child scripts/build.sh release
built bench
start_servers
run_noted .build/release/bench "${options[@]}"
