# needs.sh - what parts of test.sh need of the system, said and installed before the first of them; sourced by lib.sh.

BUILD_PACKAGES="gcc make libc6-dev libopenblas-serial-dev postgresql-15 postgresql-server-dev-15"
PYTHON_PACKAGES="python3 python3-venv unzip ca-certificates"
TAP_PACKAGES="libipc-run-perl perl procps util-linux locales python3 sqlsmith postgresql-plpython3-15 python3-numpy"
CASSERT_PACKAGES="gcc make libc6-dev dpkg-dev xz-utils bzip2 perl"
TAP_LOCALES="tr_TR en_US"

# Debian packages of a part, beside those to build with and Python, which nearly all need.
packages_of() {
    case $1 in
    lint) echo clang-format-14 python3 ;;
    kernels | symbols) echo binutils ;;
    tap | upgrade | versions) echo "$TAP_PACKAGES" ;;
    coverage) echo "$TAP_PACKAGES binutils" ;;
    faults) echo libipc-run-perl perl procps binutils ;;
    isolation | sql | parallel) echo procps ;;
    shim | shm) echo libipc-run-perl perl procps util-linux ;;
    clang) echo clang-14 ;;
    fuzz) echo clang-14 libclang-rt-14-dev ;;
    cassert) echo "$CASSERT_PACKAGES" ;;
    package) echo debootstrap lintian zip unzip git python3 ;;
    scripts) echo python3 procps zip unzip git ;;
    hostile | linear | docs) echo python3 ;;
    esac
}

# What is compiled for live comparisons is small beside what the reference libraries bring.
folders_of() {
    case " $* " in
    *" live "* | *" headers "*) echo "about 8 GB, of which 2 GB are Python packages, torch among them" ;;
    *" versions "* | *" coverage "* | *" upgrade "*) echo "about 6 GB" ;;
    *) echo "about 1 GB" ;;
    esac
}

missing_locales() {
    for locale in "$@"; do
        locale -a 2>/dev/null | grep -qix "$locale.utf-\{0,1\}8" || printf ' %s' "$locale"
    done
}

# PART …: said first, then installed at once.
announce_needs() {
    needed="$BUILD_PACKAGES $PYTHON_PACKAGES"
    locales=
    for part in "$@"; do
        needed="$needed $(packages_of "$part")"
        case $(packages_of "$part") in *locales*) locales=$TAP_LOCALES ;; esac
    done
    # shellcheck disable=SC2086 # lists of names
    {
        needed=$(missing_packages $(echo $needed | tr ' ' '\n' | sort -u))
        locales=$(missing_locales $locales)
        say "about $expected min, parts: $*"
        echo "   on this system, by apt: ${needed:-nothing}"
        [ -z "$locales" ] || echo "   on this system, by localedef:$locales"
        echo "   all else in $(made_folders): $(folders_of "$@")"
        echo "   sh scripts/test.sh clean removes it, Ctrl-C stops"
        need_packages $needed
    }
}

made_folders() {
    if [ "$(server_home)" = "$BUILD" ]; then echo "$BUILD"; else echo "$BUILD and $(server_home)"; fi
}
