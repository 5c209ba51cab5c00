# shellcheck shell=bash
# What demo.sh, up.sh, bench.sh and test.sh have in common: private servers for as long as one command runs.
# Sourced after lib.sh.

# The folder of this run: nobody else's, so that two may run side by side.
RUN_DIR=$ROOT/.local/$(basename "$0" .sh)-$$

# What else the servers shall have.
SERVER_OPTIONS=()

cleanup() { "$ROOT/scripts/servers.sh" stop "$RUN_DIR" >/dev/null; }

# Starts the servers and takes their addresses into the environment.
start_servers() {
    if [[ -n ${RABBITMQ_URL:-} && -n ${DATABASE_URL:-} ]]; then
        say "using the RabbitMQ and the PostgreSQL given…"
    elif [[ -n ${RABBITMQ_URL:-} ]]; then
        say "starting a private PostgreSQL (RabbitMQ is given)…"
    elif [[ -n ${DATABASE_URL:-} ]]; then
        say "starting a private RabbitMQ (PostgreSQL is given)…"
    else
        say "starting a private RabbitMQ and PostgreSQL…"
    fi
    run_child "$ROOT/scripts/servers.sh" start "$RUN_DIR" --for $$ "${SERVER_OPTIONS[@]}"
    # shellcheck source=/dev/null
    source "$RUN_DIR/env"
}

# Runs the command this script is for. Noted, so that the servers' guard ends it should this script be killed.
run_noted() {
    # Where the fleet's processes are noted, for the same reason.
    mkdir -p "$RUN_DIR/children"
    export TILLBRIDGE_CHILDREN=$RUN_DIR/children
    run_child "$ROOT/scripts/noted.sh" "$RUN_DIR/runner.pid" "$@"
}

# Fails when $1, a built executable, is not there.
built() { [[ -x $ROOT/.build/release/$1 ]] || fail "There is no .build/release/$1 after the build."; }
