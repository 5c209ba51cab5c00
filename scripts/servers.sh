#!/usr/bin/env bash
# A private RabbitMQ and a private PostgreSQL in one folder, on free loopback ports; no system service is touched.
#
#   servers.sh start DIR [--tls] [--for PID]   start both, write DIR/env (shell lines to be sourced)
#   servers.sh stop DIR                        stop exactly what was started; safe twice, and when half started
#   servers.sh status DIR                      what runs; exit status 0 when everything does
#   servers.sh restart DIR NAME [--hard]       ends rabbitmq or postgres (--hard: kill -9) and starts it again on the
#                                              same port with the same data
#
# RABBITMQ_URL or DATABASE_URL given: that server is used and no private one started in its place.
# --tls gives RabbitMQ a TLS listener as well, with a throwaway certificate authority.
# --for PID stops the servers when that process is gone, even if it was killed too hard to clean up.
# KEEP=1 leaves the data and logs in DIR at stop.
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
# shellcheck source=scripts/ports.sh
source "$ROOT/scripts/ports.sh"
# shellcheck source=scripts/rabbitmq.sh
source "$ROOT/scripts/rabbitmq.sh"
# shellcheck source=scripts/postgres.sh
source "$ROOT/scripts/postgres.sh"

READY_TIMEOUT=${TILLBRIDGE_READY_TIMEOUT:-120} # seconds; a busy machine with two cores needs up to 30

PATIENCE=200 # tenths of a second for a server to end in order

usage() {
    sed -n '2,/^set -/{/^set -/d;s/^# \{0,1\}//;p}' "${BASH_SOURCE[0]}" >&2
    exit 2
}

# Starts "$@" in its own session (the terminal's Ctrl-C must not take a server from under the fleet), noted as
# DIR/$1.pid by the new process itself, so that there is no moment in which it runs unknown.
launch() {
    local name=$1 output=$2
    shift 2
    (
        note_process "$DIR/$name.pid" "$BASHPID"
        exec setsid "$@"
    ) >>"$output" 2>&1 </dev/null &
}

# Waits until the processes just launched have noted themselves.
await_note() {
    local name left=100
    for name in "$@"; do
        while [[ ! -s $DIR/$name.pid ]] && ((left-- > 0)); do sleep 0.05; done
    done
}

# The last lines a server wrote, then what to do.
explain() {
    local name=$1 log
    shift
    complain "$name did not start. The last lines of its logs:"
    for log in "$@"; do
        [[ -s $log ]] || continue
        tail -n 25 -- "$log" | sed 's/^/    /' >&2
    done
    complain "Run \`make\` with KEEP=1 to keep the whole log ($DIR), or give RABBITMQ_URL / DATABASE_URL of servers" \
        "that run already. A machine short of memory or disk (df -h, free -m) is the usual cause."
}

# host and port of a URL; $2 is the port of the scheme.
address_of() {
    local rest=${1#*://}
    rest=${rest%%[/?]*}
    rest=${rest##*@}
    rest=${rest%%,*}
    case $rest in
    \[*\]:*) printf '%s %s\n' "${rest%:*}" "${rest##*:}" ;;
    \[*\]) printf '%s %s\n' "$rest" "$2" ;;
    *:*) printf '%s %s\n' "${rest%:*}" "${rest##*:}" ;;
    *) printf '%s %s\n' "$rest" "$2" ;;
    esac | tr -d '[]'
}

# A given server must at least answer: otherwise every worker would fail with its own words for it.
check_given() {
    local name=$1 url=$2 host port
    read -r host port < <(address_of "$url" "$3")
    [[ -n $host ]] || return 0 # a socket folder or a service name: libpq knows, we do not
    timeout 10 bash -c ": </dev/tcp/$host/$port" 2>/dev/null ||
        fail "$name names $host:$port, but nothing answers there. Start that server, or leave $name unset and a" \
            "private one is started."
}

write_env() {
    local name
    (
        umask 077
        {
            for name in "${EXPORTS[@]}"; do printf 'export %s=%q\n' "$name" "${!name}"; done
        } >"$DIR/env.new"
    )
    mv "$DIR/env.new" "$DIR/env"
}

start() {
    local starter failed=''
    STARTERS=()
    if [[ -e $DIR/env ]] && status >/dev/null; then
        say "already running: $DIR"
        return
    fi
    stop
    [[ -z ${RABBITMQ_URL:-} ]] || check_given RABBITMQ_URL "$RABBITMQ_URL" 5672
    [[ -z ${DATABASE_URL:-} ]] || check_given DATABASE_URL "$DATABASE_URL" 5432
    mkdir -p "$DIR"
    # Open for passing through only: as root, PostgreSQL runs as another user inside.
    chmod 711 "$DIR"
    trap 'abort 130' INT
    trap 'abort 143' TERM HUP
    [[ -z $FOR ]] || launch guard /dev/null "$BASH" "${BASH_SOURCE[0]}" guard "$DIR" "$FOR" "$(started_at "$FOR")"
    [[ -z $FOR ]] || disown $! # bash shall not tell of its end

    [[ -n ${RABBITMQ_URL:-} ]] || {
        start_rabbitmq &
        STARTERS+=($!)
        note_process "$DIR/starter-rabbitmq.pid" $! || true
    }
    [[ -n ${DATABASE_URL:-} ]] || {
        start_postgres &
        STARTERS+=($!)
        note_process "$DIR/starter-postgres.pid" $! || true
    }
    for starter in "${STARTERS[@]}"; do wait "$starter" || failed=yes; done
    [[ -z $failed ]] || abort 1

    EXPORTS=(TILLBRIDGE_RABBITMQ_URL TILLBRIDGE_DATABASE_URL)
    export TILLBRIDGE_RABBITMQ_URL=${RABBITMQ_URL:-} TILLBRIDGE_DATABASE_URL=${DATABASE_URL:-}
    # shellcheck source=/dev/null
    [[ -n ${RABBITMQ_URL:-} ]] || source "$DIR/rabbitmq.env"
    # shellcheck source=/dev/null
    [[ -n ${DATABASE_URL:-} ]] || source "$DIR/postgres.env"
    write_env
    rm -f "$DIR"/starter-*.pid
}

# Waits for children by looking, not with `wait`: in a trap that came upon a `wait`, bash may have reaped them already
# and then waits for any other child, such as the guard, which itself waits for our caller.
await_gone() {
    local pid
    for pid in "$@"; do
        while started_at "$pid" >/dev/null; do sleep 0.05; done
    done
}

# Ends a start that failed or was interrupted. The starters go first: they would start again what stops.
abort() {
    trap '' INT TERM HUP
    # A node that is told to stop while it boots thinks about it for long, and there is nothing yet to lose.
    PATIENCE=20
    if ((${#STARTERS[@]})); then
        kill -TERM "${STARTERS[@]}" 2>/dev/null || true
        await_gone "${STARTERS[@]}"
    fi
    stop
    exit "$1"
}

stop() {
    [[ -d $DIR ]] || return 0
    # The guard first, or it would stop what a later start in the same folder starts. It may be who calls.
    [[ $(noted_process "$DIR/guard.pid" || true) == "$$" ]] || end_process "$DIR/guard.pid" KILL
    # Of a start that was killed: its starters would start again what stops.
    end_process "$DIR/starter-rabbitmq.pid" TERM
    end_process "$DIR/starter-postgres.pid" TERM
    end_process "$DIR/initdb.pid" TERM
    end_children
    stop_rabbitmq &
    local rabbitmq=$!
    stop_postgres
    await_gone "$rabbitmq"
    rm -f "$DIR/env"
    [[ ${KEEP:-} == 1 ]] || remove_data
}

# Whoever ran a fleet here ended its processes, unless it was killed too hard to: they have no other parent to miss.
end_children() {
    local note notes=() ending=()
    for note in "$DIR"/children/*.pid; do
        [[ ! -e $note ]] || notes+=("$note")
    done
    for note in "${notes[@]}"; do
        end_process "$note" TERM 100 &
        ending+=($!)
    done
    await_gone "${ending[@]}"
    rmdir "$DIR/children" 2>/dev/null || true
}

# Only what start makes: DIR may be a folder somebody else keeps things in.
remove_data() {
    rm -rf "$DIR/rabbitmq" "$DIR/postgres" "$DIR/tls"
    rm -f "$DIR"/{rabbitmq,postgres}.env "$DIR"/{guard,runner,epmd,rabbitmq,postgres,initdb,starter-*}.pid "$DIR/env.new" \
        "$DIR/rabbitmqctl" "$DIR/postgres.log"
    rmdir "$DIR" 2>/dev/null || true
}

# Ends one server and starts it again; returns when it takes connections.
restart() {
    local name=${1:-} signal
    [[ $name == rabbitmq || $name == postgres ]] || usage
    noted_process "$DIR/$name.pid" >/dev/null || fail "$DIR has no running $name"
    signal=$([[ -n $HARD ]] && printf KILL || if [[ $name == postgres ]]; then printf INT; else printf TERM; fi)
    "restart_$name" "$signal" || {
        complain "$name did not come back"
        exit 1
    }
}

status() {
    local name pid all=0
    [[ -e $DIR/env ]] || {
        say "nothing runs in $DIR"
        return 1
    }
    for name in epmd rabbitmq postgres; do
        if pid=$(noted_process "$DIR/$name.pid"); then
            say "$name runs (process $pid)"
        elif grep -qi "^export ${name}_pid=" "$DIR/env"; then
            say "$name has stopped"
            all=1
        fi
    done
    return "$all"
}

# Waits for process $2 (started at $3) to be gone, then ends what it ran (DIR/runner.pid) and the servers.
guard() {
    while [[ $(started_at "$1" || true) == "$2" ]]; do sleep 1; done
    end_process "$DIR/runner.pid" TERM
    stop
}

(($# >= 2)) || usage
COMMAND=$1
DIR=$(realpath -m -- "$2")
shift 2
TLS='' FOR='' HARD='' NAME=''
if [[ $COMMAND == guard ]]; then
    guard "$@"
    exit
fi
while (($#)); do
    case $1 in
    --tls) TLS=yes ;;
    --hard) HARD=yes ;;
    rabbitmq | postgres) NAME=$1 ;;
    --for)
        FOR=${2:-}
        started_at "$FOR" >/dev/null || usage
        shift
        ;;
    *) usage ;;
    esac
    shift
done
case $COMMAND in start | stop | status) "$COMMAND" ;; restart) restart "$NAME" ;; *) usage ;; esac
