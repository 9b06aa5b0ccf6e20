# faults.sh - parts that make things fail: the debug build's fault loops, system calls and memory that
# fail under a shim, a /dev/shm that is full.

step pg-debug "engine" build_debug
step failing-calls "engine" build_shim

# The debug build, beside the ordinary one: a copy of the sources (the engine's objects are the same
# and come along), installed into a copy of PostgreSQL of its own.
build_debug() {
    find_debug
    source=$BUILD/source-debug
    rm -rf "$source"
    mkdir -p "$source"
    cp -a Makefile lmtext.control sql src "$source/"
    find "$source/src/pg" -name '*.[od]' -exec rm -f {} +
    [ -x "$PG_BINDIR/postgres" ] || copy_postgres
    {
        make -s -j2 -C "$source" LMTEXT_DEBUG=1 PG_CONFIG="$PG_CONFIG" &&
            make -s -C "$source" install LMTEXT_DEBUG=1 PG_CONFIG="$PG_CONFIG" DESTDIR="$PG_COPY"
    } >"$LOGS/build-debug.log" 2>&1 || { tail -n 30 "$LOGS/build-debug.log"; die "the debug build failed"; }
}

find_debug() {
    PG_MAJOR=15
    pg_layout
    PG_COPY=$(server_home)/pg-debug
    PG_TREE=$PG_COPY$PG_HOME
    PG_BINDIR=$PG_TREE/bin
}

# The names of all error points.
fault_points() {
    grep -rho 'LMTEXT_FAULT_POINT("[a-z_]*")' src/pg | cut -d'"' -f2 | sort -u | tr '\n' ' '
}

# Nothing of it is in the ordinary library, and what is looked for there is in the debug build's: LIBRARY.
check_no_faults() {
    # shellcheck disable=SC2016 # the inner shell's variables
    check no-faults-in-normal-build sh -c '! nm "$1" | grep -i _fault_ && ! strings "$1" | grep debug_fail &&
        strings "$2" | grep -q debug_fail' sh lmtext.so "$1"
}

# The part coverage runs the same loops.
part_faults() {
    job faults "library pg-debug fixtures" check_faults
}

check_faults() {
    LMTEXT_EFFORT=$(short_effort)
    find_debug
    find_fixtures
    check_no_faults "$BUILD/source-debug/lmtext.so"
    stage_tap faults test/t/Lmtext.pm test/faults/*.pl
    LMTEXT_FAULT_POINTS=$(fault_points)
    export LMTEXT_FAULT_POINTS
    check_lines faults/060_faults run_tap "$tap/t/060_faults.pl"
}

# The library that makes system calls fail, and the program that loads a folder under it.
build_shim() {
    make -s -j2 -f test/Makefile O="$MAKE_BUILD/unit" LIBRARY=liblm.a "$MAKE_BUILD/unit/shim/read_folder" \
        "$MAKE_BUILD/unit/shim/fail_calls.so" >"$LOGS/build-shim.log" 2>&1 ||
        { tail -n 40 "$LOGS/build-shim.log"; die "the shim does not build"; }
}

part_shim() {
    job shim/read_folder failing-calls check_failing_calls
    job shim/malloc "failing-calls pg-15 fixtures" check_failing_malloc
}

# Calls that fail below a folder being read.
check_failing_calls() {
    LMTEXT_EFFORT=$(short_effort)
    LMTEXT_FAIL_CALLS=$BUILD/fail-calls
    head -c 64 /dev/zero >"$LMTEXT_FAIL_CALLS"
    export LMTEXT_FAIL_CALLS
    check_lines shim/read_folder env LD_PRELOAD="$BUILD/unit/shim/fail_calls.so" \
        "$BUILD/unit/shim/read_folder" models/tiny/bert-sharded
}

# malloc that fails in a backend: the library lies where the servers' user can reach it.
check_failing_malloc() {
    LMTEXT_EFFORT=$(short_effort)
    PG_MAJOR=15
    pg_layout
    find_fixtures
    stage_tap malloc test/t/Lmtext.pm test/faults/*.pl "$BUILD/unit/shim/fail_calls.so"
    LMTEXT_FAIL_LIBRARY=$tap/t/fail_calls.so
    export LMTEXT_FAIL_LIBRARY
    check_lines shim/malloc run_tap "$tap/t/malloc.pl"
}

part_shm() {
    job shm "pg-15 fixtures" check_small_shm
}

# A small /dev/shm: a mount of its own, which takes root (in a container CAP_SYS_ADMIN as well).
check_small_shm() {
    PG_MAJOR=15
    pg_layout
    find_fixtures
    stage_tap shm test/t/Lmtext.pm test/faults/*.pl
    LMTEXT_SMALL_SHM=$((64 * 1024 * 1024)) # as Docker has it
    user=$(server_user)
    # shellcheck disable=SC2016 # the inner shell's variables
    as_server() {
        as_root unshare -m sh -c 'mount -t tmpfs -o "size=$1,mode=1777" tmpfs /dev/shm && shift && exec "$@"' \
            sh "$LMTEXT_SMALL_SHM" setpriv --reuid="$user" --regid="$(id -gn "$user")" --init-groups \
            sh -c '[ -x "$PWD" ] || cd /; exec "$@"' sh env HOME=/tmp LMTEXT_SMALL_SHM="$LMTEXT_SMALL_SHM" "$@"
    }
    check_lines shm/small_shm run_tap "$tap/t/small_shm.pl"
}
