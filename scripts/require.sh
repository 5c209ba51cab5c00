#!/usr/bin/env bash
# Makes sure that what Tillbridge needs is here: Swift is checked, Debian packages are installed when missing.
#
#   require.sh [build] [servers] [tls] [checks]     (all of them when none is named)
#
# A package counts as present when what it provides is there, however it came. As root, or with sudo, the missing ones
# are installed, without letting a system service start or a database cluster be made. Else it says what to do.
# RABBITMQ_URL or DATABASE_URL given: the package of that server is not needed.
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

MISSING=()

# Notes the Debian package $1 as missing unless the test that follows succeeds.
need() {
    local package=$1
    shift
    "$@" >/dev/null 2>&1 || MISSING+=("$package")
}

have_any() { compgen -G "$1"; }

check_swift() {
    local how wanted=6.1 manifest found
    # The manifest's tools version is the other bound: SwiftPM refuses a package from a later one than itself.
    manifest=$(sed -n 's,^// *swift-tools-version: *\([0-9][0-9]*\.[0-9][0-9]*\).*,\1,p' "$ROOT/Package.swift" 2>/dev/null)
    wanted=$(printf '%s\n' "$wanted" "${manifest:-$wanted}" | sort -V | tail -n 1)
    how="Get it from https://www.swift.org/install/linux/ (for example with swiftly: \`swiftly install latest\`), then"
    how+=" open a new shell, so that \`swift --version\` answers, and run this again."
    command -v swift >/dev/null || fail "There is no Swift here: \`swift\` is not in PATH. Tillbridge needs Swift" \
        "$wanted or later. $how"
    found=$(swift --version 2>/dev/null || true)
    [[ $found =~ Swift\ version\ ([0-9]+\.[0-9]+) ]] ||
        fail "\`swift --version\` does not work here ($(command -v swift)). Tillbridge needs Swift $wanted or later. $how"
    found=${BASH_REMATCH[1]}
    [[ $(printf '%s\n' "$wanted" "$found" | sort -V | head -n 1) == "$wanted" ]] ||
        fail "This is Swift $found ($(command -v swift)); Tillbridge needs Swift $wanted or later. $how"
}

needs_of_build() {
    check_swift
    need git command -v git
    # SwiftPM asks pkg-config where the C libraries are, and git checks certificates.
    need pkg-config command -v pkg-config
    need librabbitmq-dev pkg-config --exists librabbitmq
    need libpq-dev pkg-config --exists libpq
    need libcurl4-openssl-dev pkg-config --exists libcurl
    need ca-certificates test -d /etc/ssl/certs
    need tzdata test -e /usr/share/zoneinfo/Australia/Sydney
}

needs_of_servers() {
    [[ -n ${RABBITMQ_URL:-} ]] || need rabbitmq-server test -x /usr/lib/rabbitmq/bin/rabbitmq-server
    [[ -n ${DATABASE_URL:-} ]] || need postgresql have_any '/usr/lib/postgresql/*/bin/postgres'
}

needs_of_tls() {
    need openssl command -v openssl
    # The peer of the tests of HTTP/2.
    need nghttp2-server have_any '/usr/*bin/nghttpd'
}

needs_of_checks() {
    need python3 test -x /usr/bin/python3
    need python3-yaml /usr/bin/python3 -c 'import yaml'
    # Only there are the published schemas fetched.
    [[ ${CI:-} != true ]] || need python3-venv /usr/bin/python3 -c 'import ensurepip'
}

# Runs as root. Debian's packages start their service and make a database cluster on installation; nothing of that is
# wanted here. What is put in the way is taken away again, whatever happens.
install_as_root() {
    local policy=/usr/sbin/policy-rc.d cluster=/etc/postgresql-common/createcluster.d/tillbridge.conf
    local fresh=() undo=() package unit apt
    apt=(apt-get -y --no-install-recommends -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3 -q)
    export DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1
    if [[ ! -e $policy ]]; then
        undo+=("$policy")
        printf '#!/bin/sh\n# Temporary: Tillbridge installs packages without starting services.\nexit 101\n' >"$policy"
        chmod 755 "$policy"
    fi
    if [[ ! -e $cluster ]]; then
        undo+=("$cluster")
        mkdir -p "${cluster%/*}"
        printf 'create_main_cluster = false\n' >"$cluster"
    fi
    # shellcheck disable=SC2064 # the list as it is now
    trap "rm -f ${undo[*]}; rmdir --ignore-fail-on-non-empty ${cluster%/*} 2>/dev/null" EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM HUP
    for unit in rabbitmq-server.service epmd.service epmd.socket postgresql.service; do
        [[ -e /lib/systemd/system/$unit || -e /etc/systemd/system/$unit ]] || fresh+=("$unit")
    done
    # Old package lists name files the mirror no longer has; without a network the lists may still do.
    "${apt[@]}" update >/dev/null || complain "\`apt-get update\` failed; trying with the package lists that are here"
    "${apt[@]}" install "$@" >/dev/null || {
        complain "\`apt-get install $*\` failed (its messages are above)."
        return 1
    }
    # A service that came with this installation shall not start at the next boot either.
    ! command -v systemctl >/dev/null || systemctl disable "${fresh[@]}" >/dev/null 2>&1 || true
    for package in "$@"; do say "installed $package"; done
}

install_missing() {
    local command="apt-get update && apt-get install -y --no-install-recommends ${MISSING[*]}"
    say "missing here: ${MISSING[*]}"
    command -v apt-get >/dev/null ||
        fail "This is not Debian (there is no apt-get). Install what provides these Debian 12 packages, then run this" \
            "again: ${MISSING[*]}"
    if [[ $(id -u) == 0 ]]; then
        say "installing (no service is started)…"
        (install_as_root "${MISSING[@]}") || exit 1
        return
    fi
    command -v sudo >/dev/null ||
        fail "Packages are missing, you are not root and there is no sudo. Ask an administrator to run this:" \
            "  $command"
    if ! sudo -n true 2>/dev/null; then
        [[ -t 0 || -r /dev/tty && -t 2 ]] ||
            fail "Packages are missing, and sudo wants a password but there is no terminal to ask on. Run this first:" \
                "  sudo sh -c '$command'"
        say "sudo may ask for your password, to install them."
    fi
    say "installing with sudo (no service is started)…"
    sudo -- bash "$ROOT/scripts/require.sh" --install-as-root "${MISSING[@]}" ||
        fail "Could not install them. An administrator can:" "  $command"
}

if [[ ${1:-} == --install-as-root ]]; then
    shift
    install_as_root "$@"
    exit
fi
(($#)) || set -- build servers tls checks
for group in "$@"; do
    case $group in
    build | servers | tls | checks) "needs_of_$group" ;;
    *) fail "require.sh knows build, servers, tls and checks, not \`$group\`" ;;
    esac
done
((${#MISSING[@]} == 0)) || {
    [[ -z ${TILLBRIDGE_INSTALLED:-} ]] || fail "Installed, and still not here: ${MISSING[*]}. Is PATH complete?"
    install_missing
    # Asked again: a package that does not provide what it should would fail later with worse words.
    TILLBRIDGE_INSTALLED=yes exec "$BASH" "${BASH_SOURCE[0]}" "$@"
}
