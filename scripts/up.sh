#!/usr/bin/env bash
# The same fleet as the demo, up until Ctrl-C. LIMITS as there.
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
# shellcheck source=scripts/fleet.sh
source "$ROOT/scripts/fleet.sh"

options=()
[[ -z ${LIMITS:-} ]] || options+=(--limits "$LIMITS")

cd "$ROOT"
end_in_order
run_child scripts/require.sh build servers
run_child scripts/build.sh release
built fleet
start_servers
run_noted .build/release/fleet up "${options[@]}" || {
    status=$?
    # Ctrl-C is how this ends: no failure.
    [[ $INTERRUPTED == 130 ]] || exit "$status"
    say "stopping the servers…"
    exit 0
}
