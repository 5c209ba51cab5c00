#!/usr/bin/env bash
# Kills, cuts and confuses real processes against real servers, seed by seed, and proves the books after each.
#
#   SEEDS=100   how many seeds, from 1 on        SEED=17   that one alone
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
# shellcheck source=scripts/fleet.sh
source "$ROOT/scripts/fleet.sh"

options=(--keep-going)
for name in SEED SEEDS; do
    value=${!name:-}
    [[ -n $value ]] || continue
    [[ $value =~ ^[1-9][0-9]*$ ]] || fail "$name is a number such as 17, not \`$value\`."
    options+=("--${name,,}" "$value")
done

cd "$ROOT"
end_in_order
run_child scripts/require.sh build servers
run_child scripts/build.sh release
built chaos
start_servers
# Servers of somebody else's stay up: only private ones may be restarted.
[[ -n ${RABBITMQ_URL:-} || -n ${DATABASE_URL:-} ]] || export TILLBRIDGE_CHAOS_SERVERS=$RUN_DIR
run_noted .build/release/chaos "${options[@]}"
