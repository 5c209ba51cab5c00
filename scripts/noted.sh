#!/usr/bin/env bash
# Notes its own process in the file $1 and becomes the command that follows.
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
note_process "$1" $$
shift
exec "$@"
