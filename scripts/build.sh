#!/usr/bin/env bash
# Builds Tillbridge: `build.sh release` (executables), `build.sh debug` (executables and tests).
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
cd "$ROOT"

case ${1:-release} in
release) options=(--configuration release) ;;
debug) options=(--build-tests) ;;
*) fail "build.sh builds \`release\` or \`debug\`, not \`$1\`" ;;
esac

# SwiftPM's own words for somebody else's .build are many, and none of them says so.
foreign=$([[ $(id -u) == 0 ]] || find .build .local -maxdepth 3 ! -user "$(id -u)" -print -quit 2>/dev/null || true)
[[ -z $foreign ]] || fail "$ROOT/$foreign belongs to $(stat -c %U "$foreign"): somebody else built here before." \
    "Remove it (sudo rm -rf $ROOT/.build $ROOT/.local), or build in a clone of your own."

cleanup() { :; }
end_in_order
if [[ -d .build/${1:-release} ]]; then
    say "building (${1:-release})…"
else
    say "building (${1:-release}; the first time takes some minutes)…"
fi
# An import that Package.swift does not declare breaks the order of the rooms.
run_child swift build --explicit-target-dependency-import-check error "${options[@]}" ${JOBS:+--jobs "$JOBS"}
