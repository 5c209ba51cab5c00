# shellcheck shell=bash
# A private RabbitMQ node in $DIR/rabbitmq with its own epmd, cookie and ports. Sourced by servers.sh.

RABBITMQ_BIN=/usr/lib/rabbitmq/bin # not /usr/sbin/rabbitmq-server: that wrapper insists on the system's user

# Everything the node and its command line need, and nothing of the caller's: an inherited RABBITMQ_… would win.
rabbitmq_environment() {
    RABBITMQ_ENVIRONMENT=(
        "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin" "LANG=C.UTF-8" "HOME=$DIR/rabbitmq"
        "ERL_EPMD_PORT=$epmd_port" "ERL_EPMD_ADDRESS=127.0.0.1" "ERL_INETRC=$DIR/rabbitmq/inetrc"
        "ERL_CRASH_DUMP_SECONDS=0"
        "RABBITMQ_NODENAME=$node" "RABBITMQ_DIST_PORT=$dist_port"
        "RABBITMQ_CONF_ENV_FILE=$DIR/rabbitmq/rabbitmq-env.conf"
        "RABBITMQ_CONFIG_FILE=$DIR/rabbitmq/rabbitmq.conf" "RABBITMQ_CONFIG_FILES=$DIR/rabbitmq/conf.d"
        "RABBITMQ_ADVANCED_CONFIG_FILE=$DIR/rabbitmq/advanced.config"
        "RABBITMQ_ENABLED_PLUGINS_FILE=$DIR/rabbitmq/enabled_plugins"
        "RABBITMQ_GENERATED_CONFIG_DIR=$DIR/rabbitmq/generated"
        "RABBITMQ_MNESIA_BASE=$DIR/rabbitmq/mnesia" "RABBITMQ_LOG_BASE=$DIR/rabbitmq/log"
        "RABBITMQ_PID_FILE=$DIR/rabbitmq/server.pid"
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS=-kernel inet_dist_use_interface {127,0,0,1} -start_epmd false"
        "RABBITMQ_CTL_ERL_ARGS=-kernel inet_dist_use_interface {127,0,0,1}"
        "RABBITMQ_CTL_DIST_PORT_MIN=32000" "RABBITMQ_CTL_DIST_PORT_MAX=32700"
        # Without this the start script stays as a second process between us and the node.
        "RUNNING_UNDER_SYSTEMD=true"
    )
}

rabbitmq_files() {
    local host
    mkdir -p "$DIR/rabbitmq"/{log,mnesia,generated,conf.d}
    chmod 700 "$DIR/rabbitmq"
    : >"$DIR/rabbitmq/rabbitmq-env.conf"
    printf '[].\n' >"$DIR/rabbitmq/enabled_plugins"
    rm -f "$DIR/rabbitmq/.erlang.cookie"
    random_hex 20 >"$DIR/rabbitmq/.erlang.cookie"
    chmod 400 "$DIR/rabbitmq/.erlang.cookie"
    # The node must start even if this machine's own name does not resolve.
    host=$(uname -n)
    {
        printf '{host, {127,0,0,1}, ["localhost", "%s", "%s"]}.\n' "$host" "${host%%.*}"
        printf '{lookup, [file, native]}.\n'
    } >"$DIR/rabbitmq/inetrc"
    cat >"$DIR/rabbitmq/rabbitmq.conf" <<CONF
listeners.tcp.1 = 127.0.0.1:$amqp_port
default_user = tillbridge
default_pass = $password
default_user_tags.administrator = true
vm_memory_high_watermark.relative = 0.4
disk_free_limit.absolute = 200MB
channel_max = 2047
log.console = false
log.file.level = warning
CONF
    [[ -z $TLS ]] || cat >>"$DIR/rabbitmq/rabbitmq.conf" <<CONF
listeners.ssl.1 = 127.0.0.1:$tls_port
ssl_options.cacertfile = $DIR/tls/ca.pem
ssl_options.certfile = $DIR/tls/server.pem
ssl_options.keyfile = $DIR/tls/server.key
ssl_options.verify = verify_none
ssl_options.fail_if_no_peer_cert = false
CONF
}

# A certificate authority for one run and a certificate for `localhost` from it.
rabbitmq_certificates() (
    umask 077
    mkdir -p "$DIR/tls"
    cd "$DIR/tls" || exit 1
    printf 'subjectAltName=DNS:localhost,IP:127.0.0.1\nextendedKeyUsage=serverAuth\n' >server.ext
    {
        openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30 -sha256 \
            -subj '/CN=Tillbridge throwaway test authority' -keyout ca.key -out ca.pem
        openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -sha256 -subj /CN=localhost \
            -keyout server.key -out server.csr
        openssl x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 30 -sha256 \
            -extfile server.ext -out server.pem
    } >openssl.log 2>&1 || { tail -n 20 openssl.log >&2; complain "openssl could not make a test certificate"; exit 1; }
)

# Whether a broker on port $1 answers the protocol header with a method frame (its connection.start).
answers_amqp() {
    local frame=''
    {
        exec {socket}<>"/dev/tcp/127.0.0.1/$1" || return 1
        printf 'AMQP\x00\x00\x09\x01' >&"$socket"
        frame=$(timeout 3 head -c 1 <&"$socket" | od -An -tu1 | tr -d ' ')
        exec {socket}>&-
    } 2>/dev/null
    [[ $frame == 1 ]]
}

# 0: ready; 1: it ended or the time is over.
rabbitmq_ready() {
    local deadline=$((SECONDS + READY_TIMEOUT)) output=$1
    sleep 0.5 # no node was ever quicker
    while ((SECONDS < deadline)); do
        noted_process "$DIR/rabbitmq.pid" >/dev/null || return 1
        # The node's own word first: on a port taken meanwhile, somebody else's broker would answer.
        if grep -q 'Starting broker.*completed with' "$output" && answers_amqp "$amqp_port"; then return 0; fi
        sleep 0.2
    done
    return 1
}

# Runs rabbitmqctl against this node. After the node's end it must not run: it would start an epmd of its own, for good.
rabbitmq_wrapper() {
    local assignment
    {
        printf '#!/usr/bin/env bash\n# rabbitmqctl for the private node in this folder.\nset -euo pipefail\n'
        printf 'source %q\n' "$ROOT/scripts/lib.sh"
        # shellcheck disable=SC2016 # for the wrapper to expand
        printf 'for name in epmd rabbitmq; do\n    noted_process %q"/$name.pid" >/dev/null ||\n' "$DIR"
        printf '        fail "the private RabbitMQ in %q does not run"\ndone\n' "$DIR"
        printf 'exec env -i'
        for assignment in "${RABBITMQ_ENVIRONMENT[@]}"; do printf ' \\\n    %q' "$assignment"; done
        # shellcheck disable=SC2016
        printf ' \\\n    %q "$@"\n' "$RABBITMQ_BIN/rabbitmqctl"
    } >"$DIR/rabbitmqctl"
    chmod 700 "$DIR/rabbitmqctl"
}

# How this node is started, for a restart: a script that becomes the node.
rabbitmq_start_file() {
    local assignment
    {
        printf '#!/usr/bin/env bash\nexec env -i'
        for assignment in "${RABBITMQ_ENVIRONMENT[@]}"; do printf ' \\\n    %q' "$assignment"; done
        printf ' \\\n    %q\n' "$RABBITMQ_BIN/rabbitmq-server"
    } >"$DIR/rabbitmq/start"
    chmod 700 "$DIR/rabbitmq/start"
    printf '%s\n' "$amqp_port" >"$DIR/rabbitmq/port"
}

# Ends the node with signal $1 and starts it again. epmd stays and forgets the name with the node's connection.
restart_rabbitmq() {
    local amqp_port output=$DIR/rabbitmq/log/output-restart.log
    read -r amqp_port <"$DIR/rabbitmq/port"
    end_process "$DIR/rabbitmq.pid" "$1" "$PATIENCE"
    : >"$output"
    launch rabbitmq "$output" "$DIR/rabbitmq/start"
    await_note rabbitmq
    rabbitmq_ready "$output"
}

rabbitmq_env_file() {
    local login="tillbridge:$password"
    {
        printf 'export TILLBRIDGE_RABBITMQ_URL=%q\n' "amqp://$login@127.0.0.1:$amqp_port/%2F"
        printf 'export TILLBRIDGE_RABBITMQCTL=%q\n' "$DIR/rabbitmqctl"
        printf 'export RABBITMQ_PID=%q EPMD_PID=%q\n' "$(noted_process "$DIR/rabbitmq.pid")" \
            "$(noted_process "$DIR/epmd.pid")"
        printf 'EXPORTS+=(TILLBRIDGE_RABBITMQCTL RABBITMQ_PID EPMD_PID)\n'
        if [[ -n $TLS ]]; then
            # By name, because the certificate is checked against it.
            printf 'export TILLBRIDGE_TEST_RABBITMQ_TLS_URL=%q\n' "amqps://$login@localhost:$tls_port/%2F"
            printf 'export TILLBRIDGE_TEST_RABBITMQ_TLS_CA=%q\n' "$DIR/tls/ca.pem"
            printf 'EXPORTS+=(TILLBRIDGE_TEST_RABBITMQ_TLS_URL TILLBRIDGE_TEST_RABBITMQ_TLS_CA)\n'
        fi
    } >"$DIR/rabbitmq.env"
}

start_rabbitmq() {
    local amqp_port tls_port dist_port epmd_port node password attempt output
    trap - INT TERM HUP
    umask 077
    node=tillbridge-$(random_hex 4)@localhost
    password=$(random_hex 16)
    [[ -x $RABBITMQ_BIN/rabbitmq-server ]] ||
        fail "There is no RabbitMQ here ($RABBITMQ_BIN/rabbitmq-server). Run scripts/require.sh."
    [[ -z $TLS ]] || rabbitmq_certificates
    for attempt in 1 2 3; do
        free_ports amqp_port tls_port dist_port epmd_port
        rabbitmq_files
        rabbitmq_environment
        output=$DIR/rabbitmq/log/output-$attempt.log
        launch epmd "$output" epmd -port "$epmd_port" -address 127.0.0.1
        launch rabbitmq "$output" env -i "${RABBITMQ_ENVIRONMENT[@]}" "$RABBITMQ_BIN/rabbitmq-server"
        await_note epmd rabbitmq
        if rabbitmq_ready "$output"; then
            rabbitmq_wrapper
            rabbitmq_start_file
            rabbitmq_env_file
            return
        fi
        stop_rabbitmq
        grep -rqs 'eaddrinuse\|address already in use\|in use by' "$DIR/rabbitmq/log" || break
        ((attempt == 3)) || rm -rf "$DIR/rabbitmq"
    done
    explain RabbitMQ "$output" "$DIR"/rabbitmq/log/tillbridge-*.log
    exit 1
}

# A TERM makes the node close its listeners, flush and end.
stop_rabbitmq() {
    end_process "$DIR/rabbitmq.pid" TERM "$PATIENCE"
    end_process "$DIR/epmd.pid" TERM "$PATIENCE"
}
