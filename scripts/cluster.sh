#!/bin/sh
# cluster.sh - a private server for trying and developing: its files lie in the build folder, fsync is off.
#
#   sh scripts/cluster.sh install   build and install into the private copy of PostgreSQL
#   sh scripts/cluster.sh start     install, then start (initdb the first time); after a reboot as well
#         --port N                  also by TCP, on 127.0.0.1 only, with a password; N = 0 turns that off again
#   sh scripts/cluster.sh stop
#   sh scripts/cluster.sh running   is it? By the exit status
#   sh scripts/cluster.sh psql …    psql as the superuser; arguments are passed on
#   sh scripts/cluster.sh url [DB]  how another program reaches it: a connection string, by TCP where that is on
#   sh scripts/cluster.sh destroy   stop and remove its data
#   sh scripts/cluster.sh env       shell variables: PGHOST, PGPORT, PGUSER, PATH
#   sh scripts/cluster.sh data      shell variables: where its data and its log are
#
# LMTEXT_CLUSTER names another server beside the first (default: main); LMTEXT_PG is 15, 16 or 18; LMTEXT_PORT is
# --port.
set -eu
cd "$(dirname "$0")/.."
. scripts/lib.sh

usage() {
    sed -n '2,16s/^# \{0,1\}//p' scripts/cluster.sh
}

command=${1:-help}
[ $# -eq 0 ] || shift
case $command in
install | start | running | stop | psql | url | destroy | env | data) ;;
help | --help | -h)
    usage
    exit 0
    ;;
*)
    usage >&2
    exit 2
    ;;
esac

# What installing says is not what a command prints.
pg_layout >&2
HOME_DIR=$(server_home)/cluster-${LMTEXT_CLUSTER:-main}-$PG_MAJOR
DATA=$HOME_DIR/data
SOCKET=$(socket_folder "$HOME_DIR")
BIN=$PG_BINDIR
# Beside the data: the port of TCP, and the password that it wants.
PORT_FILE=$HOME_DIR/port
PASSWORD_FILE=$HOME_DIR/password

running() {
    [ -e "$DATA/postmaster.pid" ] && as_server "$BIN/pg_ctl" -D "$DATA" status >/dev/null 2>&1
}

init() {
    [ -e "$DATA/PG_VERSION" ] && return 0
    # What is interrupted does not pass for a data folder.
    rm -rf "$DATA" "$DATA.part"
    mkdir -p "$DATA.part"
    [ "$(id -u)" != 0 ] || chown postgres:postgres "$DATA.part"
    as_server "$BIN/initdb" -D "$DATA.part" -U postgres --auth-local=trust --auth-host=scram-sha-256 -E UTF8 \
        --locale=C.UTF-8 >"$BUILD/initdb.log" 2>&1 || { cat "$BUILD/initdb.log"; die "initdb failed"; }
    as_server tee -a "$DATA.part/postgresql.conf" >/dev/null <<CONF
unix_socket_directories = '$SOCKET'
shared_buffers = '512MB'
max_worker_processes = 16
max_parallel_workers = 8
fsync = off
full_page_writes = off
log_line_prefix = '%m [%p] '
CONF
    mv "$DATA.part" "$DATA"
}

# The port that is listened on, or nothing.
tcp_port() {
    cat "$PORT_FILE" 2>/dev/null || true
}

# On a unix socket the port is part of a file's name.
server_options() {
    if [ -n "$(tcp_port)" ]; then
        echo "-c listen_addresses=127.0.0.1 -c port=$(tcp_port)"
    else
        echo "-c listen_addresses="
    fi
}

# PORT: from now on, also after a reboot.
choose_port() {
    case $1 in
    "" | *[!0-9]*) die "--port needs a number, found $1" ;;
    esac
    [ "$1" -le 65535 ] || die "--port needs a number up to 65535, found $1"
    [ "$1" != "$(tcp_port)" ] || return 0
    stop
    mkdir -p "$HOME_DIR"
    rm -f "$PORT_FILE"
    # What earlier versions made trusts every connection.
    [ ! -e "$DATA/pg_hba.conf" ] || sed -i '/^host/s/trust$/scram-sha-256/' "$DATA/pg_hba.conf"
    [ "$1" = 0 ] || echo "$1" >"$PORT_FILE"
}

# Anybody on the machine can reach a port.
set_password() {
    [ -n "$(tcp_port)" ] && [ ! -e "$PASSWORD_FILE" ] || return 0
    password=$(od -An -N12 -tx1 /dev/urandom | tr -d ' \n')
    echo "ALTER ROLE postgres PASSWORD '$password'" | (run_psql -q -v ON_ERROR_STOP=1 -d postgres)
    (umask 077 && echo "$password" >"$PASSWORD_FILE")
}

# A run of tests has installed before its servers start, and no other one may miss the library meanwhile.
start() {
    [ -n "${LMTEXT_INSTALLED:-}" ] || install_private
    if ! running; then
        init
        mkdir -p "$SOCKET"
        [ "$(id -u)" != 0 ] || chown postgres:postgres "$SOCKET"
        ulimit -c unlimited 2>/dev/null || true
        as_server "$BIN/pg_ctl" -D "$DATA" -l "$DATA/server.log" -o "$(server_options)" -w start >/dev/null 9>&- ||
            { as_server tail -n 20 "$DATA/server.log"; die "the server did not start"; }
    fi
    set_password
}

stop() {
    ! running || as_server "$BIN/pg_ctl" -D "$DATA" -m fast -w stop >/dev/null
}

# The number in the name of the unix socket.
socket_port() {
    port=$(tcp_port)
    echo "${port:-5432}"
}

# In place of this shell: psql itself gets what the keyboard says.
run_psql() {
    PGHOST=$SOCKET PGPORT=$(socket_port) PGUSER=${PGUSER:-postgres} PGDATABASE=${PGDATABASE:-postgres}
    export PGHOST PGPORT PGUSER PGDATABASE
    exec "$BIN/psql" -X "$@"
}

# On a terminal the server is started if wished; a script is told how.
offer_start() {
    ! running || return 0
    if [ -t 0 ] && [ -t 2 ]; then
        printf 'The server is not running. Start it? [Y/n] ' >&2
        read -r answer || answer=n
        case $answer in
        "" | [yY]*)
            start >&2
            return 0
            ;;
        esac
    fi
    die "the server is not running; start it by: sh scripts/cluster.sh start"
}

url() {
    if [ -n "$(tcp_port)" ]; then
        echo "postgresql://postgres:$(cat "$PASSWORD_FILE")@127.0.0.1:$(tcp_port)/$1"
    else
        echo "postgresql:///$1?host=$SOCKET&user=postgres"
    fi
}

case $command in
install) install_private ;;
start)
    while [ $# -gt 0 ]; do
        case $1 in
        --port)
            [ $# -gt 1 ] || die "--port needs a number"
            LMTEXT_PORT=$2
            shift 2
            ;;
        *) die "cluster.sh start does not know $1" ;;
        esac
    done
    [ -z "${LMTEXT_PORT:-}" ] || choose_port "$LMTEXT_PORT"
    start
    ;;
running) running ;;
stop) stop ;;
destroy) stop && rm -rf "$HOME_DIR" "$SOCKET" ;;
psql)
    offer_start
    run_psql "$@"
    ;;
url) url "${1:-postgres}" ;;
env)
    printf "PGHOST='%s'\nPGPORT='%s'\nPGUSER=postgres\nPATH='%s':\$PATH\nexport PGHOST PGPORT PGUSER PATH\n" \
        "$SOCKET" "$(socket_port)" "$BIN"
    ;;
data) printf "LMTEXT_SAFE_DATA='%s'\nLMTEXT_SAFE_SERVER_LOG='%s'\n" "$DATA" "$DATA/server.log" ;;
esac
