#!/bin/sh
# cluster.sh - the developers' private server, on a unix socket only.
#
#   sh scripts/cluster.sh install   build and install into the private copy of PostgreSQL
#   sh scripts/cluster.sh start     install, then start (initdb the first time)
#   sh scripts/cluster.sh stop
#   sh scripts/cluster.sh psql …    psql as the superuser; arguments are passed on
#   sh scripts/cluster.sh destroy   stop and remove its data
#   sh scripts/cluster.sh env       shell variables: PGHOST, PGUSER, PATH
#   sh scripts/cluster.sh data      shell variables: where its data and its log are
#
# LMTEXT_CLUSTER names another server beside the first (default: main); LMTEXT_PG is 15, 16 or 18.
set -eu
cd "$(dirname "$0")/.."
. scripts/lib.sh

pg_layout
HOME_DIR=$(server_home)/cluster-${LMTEXT_CLUSTER:-main}-$PG_MAJOR
DATA=$HOME_DIR/data
SOCKET=$HOME_DIR/run
# A socket's path is limited to 107 bytes.
[ ${#SOCKET} -le 80 ] || SOCKET=/tmp/lmtext-$(printf %s "$HOME_DIR" | cksum | cut -d' ' -f1)
BIN=$PG_BINDIR

running() {
    [ -e "$DATA/postmaster.pid" ] && as_server "$BIN/pg_ctl" -D "$DATA" status >/dev/null 2>&1
}

init() {
    [ -e "$DATA/PG_VERSION" ] && return 0
    # What is interrupted does not pass for a data folder.
    rm -rf "$DATA" "$DATA.part"
    mkdir -p "$DATA.part"
    [ "$(id -u)" != 0 ] || chown postgres:postgres "$DATA.part"
    as_server "$BIN/initdb" -D "$DATA.part" -U postgres -A trust -E UTF8 --locale=C.UTF-8 \
        >"$BUILD/initdb.log" 2>&1 || { cat "$BUILD/initdb.log"; die "initdb failed"; }
    as_server tee -a "$DATA.part/postgresql.conf" >/dev/null <<CONF
listen_addresses = ''
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

start() {
    install_private
    if running; then
        return 0
    fi
    init
    mkdir -p "$SOCKET"
    [ "$(id -u)" != 0 ] || chown postgres:postgres "$SOCKET"
    ulimit -c unlimited 2>/dev/null || true
    as_server "$BIN/pg_ctl" -D "$DATA" -l "$DATA/server.log" -w start >/dev/null 9>&- ||
        { as_server tail -n 20 "$DATA/server.log"; die "the server did not start"; }
}

stop() {
    ! running || as_server "$BIN/pg_ctl" -D "$DATA" -m fast -w stop >/dev/null
}

command=${1:-help}
[ $# -eq 0 ] || shift
case $command in
install) install_private ;;
start) start ;;
stop) stop ;;
destroy) stop && rm -rf "$HOME_DIR" "$SOCKET" ;;
psql) PGHOST=$SOCKET PGUSER=${PGUSER:-postgres} PGDATABASE=${PGDATABASE:-postgres} exec "$BIN/psql" -X "$@" ;;
env) printf "PGHOST='%s'\nPGUSER=postgres\nPATH='%s':\$PATH\nexport PGHOST PGUSER PATH\n" "$SOCKET" "$BIN" ;;
data) printf "LMTEXT_SAFE_DATA='%s'\nLMTEXT_SAFE_SERVER_LOG='%s'\n" "$DATA" "$DATA/server.log" ;;
*)
    sed -n '2,12s/^# \{0,1\}//p' "$0"
    exit 2
    ;;
esac
