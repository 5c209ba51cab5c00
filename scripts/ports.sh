# shellcheck shell=bash
# Free loopback ports. Sourced by servers.sh.

# Whether anything has TCP port $1, listening or connected, IPv4 or IPv6.
port_taken() {
    local hex
    printf -v hex ':%04X' "$1"
    awk -v port="$hex" 'substr($2, length($2) - 4) == port { found = 1 } END { exit !found }' \
        /proc/net/tcp /proc/net/tcp6 2>/dev/null
}

# Sets the variables named by the arguments to different free ports. They are below the range from which the kernel
# takes ports for outgoing connections, so that none goes by chance between this look and the server's bind. Two starts
# may still choose the same: the server then fails to bind, and its starter chooses again.
free_ports() {
    local name candidate chosen=' '
    for name in "$@"; do
        while :; do
            candidate=$((12000 + (RANDOM * 32768 + RANDOM) % 20000))
            [[ $chosen == *" $candidate "* ]] || port_taken "$candidate" || break
        done
        chosen+="$candidate "
        printf -v "$name" %s "$candidate"
    done
}

# $1 random bytes as hexadecimal digits: names and passwords that need no quoting in a URL.
random_hex() { od -An -N "$1" -tx1 /dev/urandom | tr -d ' \n'; }
