# shellcheck shell=bash
# A private PostgreSQL in $DIR/postgres, or, where its user cannot reach that, in a folder of its own that the file
# $DIR/postgres.where names. Sourced by servers.sh.

# The newest PostgreSQL of the machine.
postgres_bin() {
    local found
    found=$(printf '%s\n' /usr/lib/postgresql/*/bin/postgres | sort -V | tail -n 1)
    [[ -x $found ]] || fail "There is no PostgreSQL here (/usr/lib/postgresql/*/bin). Run scripts/require.sh."
    dirname "$found"
}

# PostgreSQL refuses to run as root. setpriv becomes the user in place: the process keeps its id.
AS_POSTGRES=()
as_who() {
    [[ $(id -u) == 0 ]] || return 0
    id postgres >/dev/null 2>&1 ||
        fail "PostgreSQL refuses to run as root, and there is no user \`postgres\` to run it as." \
            "Install Debian's postgresql package, or run as an ordinary user."
    AS_POSTGRES=(setpriv --reuid=postgres --regid="$(id -g postgres)" --init-groups --)
}

# Sets `where` to an empty folder which PostgreSQL's user owns and can reach.
postgres_folder() {
    local parent
    where=$DIR/postgres
    rm -rf "$where"
    install -d -m 700 "$where"
    ((${#AS_POSTGRES[@]})) || return 0
    chown postgres: "$where"
    ! "${AS_POSTGRES[@]}" test -w "$where" 2>/dev/null || return 0
    rmdir "$where"
    for parent in "${TMPDIR:-/tmp}" /tmp /var/tmp; do
        where=$(mktemp -d "$parent/tillbridge-postgres-XXXXXXXX" 2>/dev/null) || continue
        printf '%s\n' "$where" >"$DIR/postgres.where"
        chown postgres: "$where"
        ! "${AS_POSTGRES[@]}" test -w "$where" 2>/dev/null || return 0
        rm -rf "$where" "$DIR/postgres.where"
    done
    fail "PostgreSQL runs as the user \`postgres\` here, and that user reaches neither $DIR nor ${TMPDIR:-/tmp}." \
        "Set TMPDIR to a folder open to every user."
}

# The password lives in the URL only; no socket file, so nobody enters without it. Durability stays on: what the
# fleet promises about a crash is only true, and only measured, with it.
postgres_settings() {
    local compression=lz4
    [[ $("$bin/postgres" --version) =~ \ ([0-9]+) && ${BASH_REMATCH[1]} -ge 15 ]] || compression=on
    cat <<CONF
listen_addresses = '127.0.0.1'
port = $port
unix_socket_directories = ''
max_connections = 400
shared_buffers = 256MB
work_mem = 8MB
maintenance_work_mem = 64MB
max_wal_size = 2GB
wal_compression = $compression
checkpoint_completion_target = 0.9
fsync = on
synchronous_commit = on
full_page_writes = on
jit = off
timezone = 'UTC'
log_timezone = 'UTC'
log_min_messages = warning
log_checkpoints = off
logging_collector = off
CONF
}

# Makes the cluster. initdb is noted like a server, so that an interrupted start ends it too.
postgres_cluster() {
    local passwords=$where/password
    install -m 600 /dev/null "$passwords"
    printf '%s\n' "$password" >"$passwords"
    ((${#AS_POSTGRES[@]} == 0)) || chown postgres: "$passwords"
    launch initdb "$log" "${AS_POSTGRES[@]}" "$bin/initdb" --pgdata="$where/data" --username=tillbridge \
        --pwfile="$passwords" --auth=scram-sha-256 --encoding=UTF8 --locale=C.UTF-8 --data-checksums --no-sync \
        --no-instructions
    local job=$!
    wait "$job" || return 1
    rm -f "$passwords" "$DIR/initdb.pid"
}

# 0: ready; 1: it ended or the time is over. Logging in with our own password proves it is our own server.
postgres_ready() {
    local deadline=$((SECONDS + READY_TIMEOUT))
    while ((SECONDS < deadline)); do
        noted_process "$DIR/postgres.pid" >/dev/null || return 1
        if PGPASSWORD=$password PGCONNECT_TIMEOUT=3 "$bin/psql" --no-psqlrc -qAt -h 127.0.0.1 -p "$port" \
            -U tillbridge -d postgres -c 'CREATE DATABASE tillbridge' >/dev/null 2>&1; then return 0; fi
        sleep 0.1
    done
    return 1
}

start_postgres() {
    local bin where port password log=$DIR/postgres.log attempt
    trap - INT TERM HUP
    : >"$log"
    bin=$(postgres_bin)
    as_who
    password=$(random_hex 16)
    postgres_folder
    postgres_cluster || {
        explain PostgreSQL "$log"
        exit 1
    }
    for attempt in 1 2 3; do
        free_ports port
        postgres_settings | "${AS_POSTGRES[@]}" tee "$where/data/postgresql.conf" >/dev/null
        launch postgres "$log" "${AS_POSTGRES[@]}" "$bin/postgres" -D "$where/data"
        await_note postgres
        if postgres_ready; then
            {
                printf 'export TILLBRIDGE_DATABASE_URL=%q\n' \
                    "postgresql://tillbridge:$password@127.0.0.1:$port/tillbridge"
                printf 'export POSTGRES_PID=%q\n' "$(noted_process "$DIR/postgres.pid")"
                printf 'EXPORTS+=(POSTGRES_PID)\n'
            } >"$DIR/postgres.env"
            chmod 600 "$DIR/postgres.env"
            return
        fi
        stop_server
        grep -q 'already in use' "$log" || break
        ((attempt == 3)) || : >"$log"
    done
    explain PostgreSQL "$log"
    exit 1
}

# Ends the server with signal $1 and starts it again. After a kill the old server's children may hold its memory for a
# moment, which the new one refuses to share.
restart_postgres() {
    local bin where=$DIR/postgres log=$DIR/postgres.log url deadline=$((SECONDS + READY_TIMEOUT))
    bin=$(postgres_bin)
    as_who
    [[ ! -s $DIR/postgres.where ]] || read -r where <"$DIR/postgres.where"
    # shellcheck source=/dev/null
    url=$(source "$DIR/postgres.env" && printf '%s' "$TILLBRIDGE_DATABASE_URL")
    end_process "$DIR/postgres.pid" "$1" "$PATIENCE"
    while ((SECONDS < deadline)); do
        rm -f "$DIR/postgres.pid" # of an attempt that ended: its note would be taken for the next one's
        launch postgres "$log" "${AS_POSTGRES[@]}" "$bin/postgres" -D "$where/data"
        await_note postgres
        while noted_process "$DIR/postgres.pid" >/dev/null && ((SECONDS < deadline)); do
            ! PGCONNECT_TIMEOUT=3 "$bin/psql" "$url" --no-psqlrc -qAtc 'SELECT 1' >/dev/null 2>&1 || return 0
            sleep 0.1
        done
        sleep 0.2
    done
    return 1
}

# INT is PostgreSQL's fast shutdown: it ends the sessions and writes a checkpoint.
stop_server() { end_process "$DIR/postgres.pid" INT "$PATIENCE"; }

stop_postgres() {
    local where
    stop_server
    if [[ ${KEEP:-} != 1 && -s $DIR/postgres.where ]]; then
        read -r where <"$DIR/postgres.where"
        # Our own folder or nothing: the name is read from a file.
        [[ $where != */tillbridge-postgres-???????? ]] || rm -rf "$where"
        rm -f "$DIR/postgres.where"
    fi
}
