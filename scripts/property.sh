#!/usr/bin/env bash
# The property tests alone, with N cases each (TILLBRIDGE_PROPERTY_CASES) instead of the few of `make test`, from a seed
# of their own each time: SEED=17 plays that one again.
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

[[ ${N:=1000000} =~ ^[1-9][0-9]*$ ]] || fail "N is a number of cases (N=1000000), not \`$N\`."
[[ ${SEED:=$(od -An -N4 -tu4 /dev/urandom | tr -d ' ')} =~ ^[0-9]{1,19}$ ]] ||
    fail "SEED is a number (SEED=17), not \`$SEED\`."
cd "$ROOT"
cleanup() { :; }
end_in_order
run_child scripts/require.sh build
run_child scripts/build.sh debug
export TILLBRIDGE_PROPERTY_CASES=$N TILLBRIDGE_PROPERTY_SEED=$SEED
say "$N cases of each property, seed $SEED…"
run_child swift test --skip-build --filter "${FILTER:-[Pp]ropert}"
say "$N cases of each property hold. Again: make property N=$N SEED=$SEED"
