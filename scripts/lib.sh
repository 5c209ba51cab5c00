# shellcheck shell=bash
# What the scripts share: plain words, processes known for certain, and a child that gets the signals its parent gets.
# Sourced, never run. Bash with `set -euo pipefail`.

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)

say() { printf '%s\n' "$*"; }

# Words for whoever has to act: the arguments make one paragraph, except that one indented by two blanks, a command to
# copy, keeps a line of its own.
complain() {
    local words='' argument
    for argument in "$@" ''; do
        if [[ -n $argument && $argument != '  '* ]]; then
            words+="${words:+ }$argument"
            continue
        fi
        [[ -z $words ]] || fold -s -w 100 <<<"tillbridge: $words" | sed 's/ *$//' >&2
        words=''
        [[ -z $argument ]] || printf '%s\n' "$argument" >&2
    done
}

fail() {
    complain "$@"
    exit 1
}

# A process id alone may have been given to another program meanwhile; id and start time together never are.

# The instant process $1 started, in clock ticks after boot. Fails when there is no such process, or it is a zombie.
started_at() {
    local stat fields
    # Not $(<file): in bash 5.2 that ends the whole script, traps and all, when the file is gone.
    { IFS= read -r stat <"/proc/$1/stat"; } 2>/dev/null || return 1
    read -ra fields <<<"${stat##*) }"
    [[ ${fields[0]} != Z && ${fields[0]} != X ]] || return 1
    printf '%s\n' "${fields[19]}"
}

# Notes process $2 in the file $1.
note_process() {
    local start
    start=$(started_at "$2") || return 1
    printf '%s %s\n' "$2" "$start" >"$1"
}

# Prints the id of the process noted in the file $1, when that very process still runs.
noted_process() {
    local pid start
    { read -r pid start <"$1"; } 2>/dev/null || return 1
    [[ -n $pid && $(started_at "$pid" || true) == "$start" ]] || return 1
    printf '%s\n' "$pid"
}

# Waits up to $2 tenths of a second for the process noted in $1 to end.
await_end() {
    local left=$2
    while noted_process "$1" >/dev/null; do
        ((left-- > 0)) || return 1
        sleep 0.1
    done
}

# Ends the process noted in $1: first with signal $2, which must make it end in order, then, after $3 tenths of a second
# (25 s, enough on a loaded machine), harder. Without a process it does nothing.
end_process() {
    local signal pid patience=${3:-250}
    for signal in "$2" TERM KILL; do
        pid=$(noted_process "$1") || break
        kill "-$signal" "$pid" 2>/dev/null || true
        ! await_end "$1" "$patience" || break
        patience=20
    done
    rm -f "$1"
}

CHILD=''
INTERRUPTED=''

# Runs a command in this script's process group and waits for it, however often the wait is interrupted.
#
# Ctrl-C reaches every process of the group, so it is not passed on the first time (a second one would tell most
# programs to drop everything); TERM reaches this script alone and is. The child runs in the background because bash
# would otherwise sit on a signal until the child ended. bash starts background children deaf to INT: `env` undoes it.
run_child() {
    local status=0 patience=0
    [[ -z $INTERRUPTED ]] || return "$INTERRUPTED"
    env --default-signal=INT,QUIT "$@" &
    CHILD=$!
    wait "$CHILD" || status=$?
    while [[ -n $INTERRUPTED ]] && started_at "$CHILD" >/dev/null; do
        ((patience++ < 600)) || kill -KILL "$CHILD" 2>/dev/null || true
        sleep 0.1
    done
    if [[ -n $INTERRUPTED ]]; then
        wait "$CHILD" 2>/dev/null || true
        status=$INTERRUPTED
    fi
    CHILD=''
    return "$status"
}

interrupted() {
    if [[ -n $CHILD && ( $1 == TERM || -n $INTERRUPTED ) ]]; then
        kill -TERM "$CHILD" 2>/dev/null || true
    fi
    case $1 in INT) INTERRUPTED=130 ;; HUP) INTERRUPTED=129 ;; *) INTERRUPTED=143 ;; esac
    # With no child to wait for, leave now, through the EXIT trap.
    [[ -n $CHILD ]] || exit "$INTERRUPTED"
}

# From here on signals end the script in order: `cleanup` (the caller's) runs once, whatever the way out.
end_in_order() {
    trap 'interrupted INT' INT
    trap 'interrupted TERM' TERM
    trap 'interrupted HUP' HUP
    trap 'status=$?; trap "" INT TERM HUP; cleanup || true; give_back; exit "$status"' EXIT
}

# As root in a checkout of somebody else's (`sudo make demo`), what was built belongs to that somebody afterwards.
give_back() {
    local owner
    [[ $(id -u) == 0 ]] || return 0
    owner=$(stat -c %u:%g "$ROOT")
    [[ $owner != 0:* ]] || return 0
    find "$ROOT/.build" "$ROOT/.local" "$ROOT/Package.resolved" -user 0 -exec chown -h "$owner" {} + 2>/dev/null || true
}
