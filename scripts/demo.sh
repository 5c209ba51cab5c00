#!/usr/bin/env bash
# A busy service through the whole fleet, and a proof at the end. Everything it starts, it stops.
#
#   ORDERS=file.csv   play these orders instead of made-up ones
#   LIMITS=real       the vendors' own limits (x200: two hundred times them)
#   POSTING=daily     one invoice for each venue and trading day
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
# shellcheck source=scripts/fleet.sh
source "$ROOT/scripts/fleet.sh"

options=()
if [[ -n ${ORDERS:-} ]]; then
    [[ -r $ORDERS ]] || fail "ORDERS names $ORDERS, which cannot be read from $PWD."
    options+=(--orders "$(realpath -- "$ORDERS")")
fi
[[ -z ${LIMITS:-} ]] || options+=(--limits "$LIMITS")
case ${POSTING:-} in
    '') ;;
    daily) options+=(--posting daily) ;;
    *) fail "POSTING is daily, or left out for one invoice an order; not '$POSTING'." ;;
esac

cd "$ROOT"
end_in_order
run_child scripts/require.sh build servers
run_child scripts/build.sh release
built fleet
start_servers
run_noted .build/release/fleet demo "${options[@]}"
