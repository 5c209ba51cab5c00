#!/usr/bin/env bash
# The property tests alone, with N cases each (TILLBRIDGE_PROPERTY_CASES) instead of the few of `make test`.
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

[[ ${N:=10000} =~ ^[1-9][0-9]*$ ]] || fail "N is a number of cases (N=10000), not \`$N\`."
cd "$ROOT"
cleanup() { :; }
end_in_order
run_child scripts/require.sh build
run_child scripts/build.sh debug
export TILLBRIDGE_PROPERTY_CASES=$N
say "$N cases of each property…"
run_child swift test --skip-build --filter "${FILTER:-[Pp]ropert}"
