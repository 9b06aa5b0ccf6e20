# lib.sh - what the scripts share; sourced with the working directory at the checkout's root.
# POSIX sh. Everything that is made lies in the build folder ($LMTEXT_BUILD, else ./build).

umask 022
LC_ALL=C.UTF-8
export LC_ALL
ROOT=$(pwd -P)
BUILD=${LMTEXT_BUILD:-$ROOT/build}
PG_MAJOR=15
PG_HOME=/usr/lib/postgresql/$PG_MAJOR
mkdir -p "$BUILD"

say() {
    printf '\033[1m== %s\033[0m\n' "$*"
}

die() {
    printf 'lmtext: %s\n' "$*" >&2
    exit 1
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

# Install those of the named Debian packages that are missing.
need_packages() {
    missing=
    for package in "$@"; do
        dpkg-query -W -f '${db:Status-Status}\n' "$package" 2>/dev/null | grep -qx installed ||
            missing="$missing $package"
    done
    [ -n "$missing" ] || return 0
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

BUILD_PACKAGES="gcc make libc6-dev libopenblas-serial-dev postgresql-$PG_MAJOR postgresql-server-dev-$PG_MAJOR"
PYTHON_PACKAGES="python3 python3-venv unzip ca-certificates"

# A virtual environment in the build folder, for tools only; further arguments are requirements.
need_venv() {
    venv=$BUILD/$1
    shift
    stamp=$venv/.installed-$(printf '%s ' "$@" | cksum | tr -d ' ')
    [ -e "$stamp" ] && return 0
    # shellcheck disable=SC2086
    need_packages $PYTHON_PACKAGES
    [ -x "$venv/bin/pip" ] || python3 -m venv "$venv"
    for requirement in "$@"; do
        "$venv/bin/pip" install -q --disable-pip-version-check "$requirement" ||
            die "pip could not install $requirement"
    done
    touch "$stamp"
}

# The user that runs servers: PostgreSQL refuses root.
server_user() {
    if [ "$(id -u)" = 0 ]; then echo postgres; else id -un; fi
}

as_server() {
    if [ "$(id -u)" = 0 ]; then
        setpriv --reuid=postgres --regid=postgres --init-groups env HOME=/tmp "$@"
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
        fi
    fi
    echo "$SERVER_HOME"
}

# Build, and install into a private relocated copy of PostgreSQL, so that the system's stays as it is.
# Debian's lib and share folders find each other by their places relative to bin.
install_private() {
    tree=$(server_home)/pg
    if [ ! -x "$tree$PG_HOME/bin/postgres" ]; then
        mkdir -p "$tree$PG_HOME" "$tree/usr/share/postgresql"
        cp -a "$PG_HOME/bin" "$PG_HOME/lib" "$tree$PG_HOME/"
        cp -aL "/usr/share/postgresql/$PG_MAJOR" "$tree/usr/share/postgresql/"
    fi
    make -s -j2 PG_CONFIG="$PG_HOME/bin/pg_config" >"$BUILD/make.log" 2>&1 ||
        { tail -n 30 "$BUILD/make.log"; die "the build failed"; }
    make -s install PG_CONFIG="$PG_HOME/bin/pg_config" DESTDIR="$tree" >>"$BUILD/make.log" 2>&1 ||
        { tail -n 30 "$BUILD/make.log"; die "make install failed"; }
}

PG_BIN() {
    echo "$(server_home)/pg$PG_HOME/bin"
}
