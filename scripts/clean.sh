#!/usr/bin/env bash
# Stops what a killed run left under .local/, then removes .build and .local. Nothing else is touched.
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
cd "$ROOT"
for run in .local/*/; do
    ! compgen -G "$run*.pid" >/dev/null || KEEP='' scripts/servers.sh stop "$run"
done
rm -rf .build .local || fail "Something there belongs to somebody else: sudo rm -rf $ROOT/.build $ROOT/.local"
