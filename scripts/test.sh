#!/bin/sh
# test.sh - every test; the last line is "N passed, N failed" and the exit status says the same.
#
#   sh scripts/test.sh                what needs recorded files only
#   sh scripts/test.sh --all          also live comparisons with the reference libraries, clang, fuzzing, fault
#                                     loops, PostgreSQL 16 and 18, a server with assertions, packages (what CI runs)
#   sh scripts/test.sh --long         the same with loops at full length (hours)
#   sh scripts/test.sh PART …         only these parts; the functions part_NAME of scripts/parts/*.sh
#   sh scripts/test.sh clean          stop the servers of this checkout, the demo's too, and remove all that runs made:
#                                     the build folder, object files, folders of /var/tmp
#   sh scripts/test.sh --help
#
# Ctrl-C stops a run at once: its servers end, and their data is removed. LMTEXT_PG=16 runs a part on another version of
# PostgreSQL. LMTEXT_EFFORT (quick, all, long) tells tests how long their loops are.
set -eu
cd "$(dirname "$0")/.."
. scripts/lib.sh

QUICK_PARTS="lint scripts unit sanitize hostile replay kernels symbols sql isolation docs tap"
ALL_PARTS="$QUICK_PARTS package live coverage clang upgrade versions cassert shim shm pgspot headers linear parallel fuzz"

# Parts that take long and touch nothing that the parts after them touch: they begin in their place and go on beside
# those, and the run waits for them at its end. What they say is shown then. (versions has the copies of 16 and 18 to
# itself: upgrade, which installs there too, comes before.)
BESIDE="hostile docs package live coverage versions"

for file in scripts/leftovers.sh scripts/parts/*.sh; do
    # shellcheck disable=SC1090
    . "$file"
done

# The names of all parts, as they stand in the files.
all_parts() {
    sed -n 's/^part_\([a-z]*\)() *[({]$/\1/p' scripts/parts/*.sh | sort | tr '\n' ' '
}

PARTS=
DEFAULT_PARTS=$QUICK_PARTS
EFFORT=quick
for argument in "$@"; do
    case $argument in
    --all) DEFAULT_PARTS=$ALL_PARTS EFFORT=all ;;
    --long) DEFAULT_PARTS=$ALL_PARTS EFFORT=long ;;
    --help | -h)
        sed -n '2,15s/^# \{0,1\}//p' scripts/test.sh
        printf '\nParts: %s\n' "$(all_parts | fold -s -w 110)"
        exit 0
        ;;
    clean)
        [ $# = 1 ] || die "clean goes alone"
        only_one
        clean
        exit 0
        ;;
    *)
        case " $(all_parts)" in
        *" $argument "*) PARTS="$PARTS $argument" ;;
        *) die "there is no part $argument; sh scripts/test.sh --help names them" ;;
        esac
        ;;
    esac
done
PARTS=${PARTS:-$DEFAULT_PARTS}
LMTEXT_EFFORT=${LMTEXT_EFFORT:-$EFFORT}
export LMTEXT_EFFORT

RESULTS=$BUILD/results.txt
TIMES=$BUILD/times.txt
LOGS=$BUILD/logs

# What a run is doing, for the line that moves: SECONDS.
status_line() {
    echo "$(($1 / 60)):$(printf %02d $(($1 % 60))) of about $expected min, $(count ok) passed, $(count 'not ok') failed: $(
        cat "$BUILD/now" 2>/dev/null
    ) $(tail -n 1 "$TIMES" | cut -d' ' -f2-)"
}

count() {
    cat "$RESULTS"* "$BUILD"/results-*.txt* 2>/dev/null | grep -c "^$1 " || true
}

# Minutes, by what the parts took in this checkout before, else by what they take on two processors from an empty one.
expected_minutes() {
    for part in $PARTS; do
        cat "$BUILD/took/$part-$LMTEXT_EFFORT" 2>/dev/null || seconds_of "$part"
    done | awk '{ sum += $1 } END { print int(sum / 60) + 1 }'
}

# Seconds of a first run, with what it compiles. Those that go on beside others count half.
seconds_of() {
    case $1 in
    unit | sanitize | sql | docs) echo 45 ;;
    tap) echo 200 ;;
    upgrade | coverage | cassert | package) echo 120 ;;
    versions | live | fuzz) echo 150 ;;
    *) echo 20 ;;
    esac
}

# PART SECONDS. Some of a part's files say nothing of how long all take.
remember() {
    [ -n "${LMTEXT_TAP:-}${LMTEXT_SPECS:-}" ] || echo "$2" >"$BUILD/took/$1-$LMTEXT_EFFORT"
}

at_interrupt() {
    remove_run_data
}

expected=$(expected_minutes)
STATUS_LINE=status_line
supervise scripts/test.sh "$@"
LMTEXT_QUIET=1
export LMTEXT_QUIET
unset LMTEXT_PORT
mkdir -p "$LOGS" "$BUILD/took"
rm -f "$RESULTS"* "$BUILD"/results-*.txt*
: >"$RESULTS"
: >"$TIMES"

# Record "ok NAME" or "not ok NAME", and show failures at once.
record() {
    echo "$1 $2" >>"$RESULTS"
    [ "$1" = ok ] || { clear_line && printf 'FAILED: %s\n' "$2"; }
}

# Run a command; how long it took goes beside $name. (One line at a time: shorter than what may mix.)
timed() {
    timed_from=$(date +%s)
    timed_status=0
    "$@" || timed_status=$?
    echo "$(($(date +%s) - timed_from)) $name" >>"$TIMES"
    return $timed_status
}

# A command that is one test; its output goes to a log that is shown when it fails.
check() {
    name=$1
    shift
    if timed "$@" >"$LOGS/$name.log" 2>&1 </dev/null; then
        record ok "$name"
    else
        clear_line
        tail -n 40 "$LOGS/$name.log"
        record "not ok" "$name"
    fi
}

# A program whose output has lines "ok NAME" and "not ok NAME" (TAP numbers them): each is a test. A program that says
# nothing, or that fails without a failed line, is a failed test itself.
check_lines() {
    name=$1
    shift
    log=$LOGS/$(echo "$name" | tr / _).log
    status=0
    timed "$@" >"$log" 2>&1 </dev/null || status=$?
    sed -n "s#^\(ok\|not ok\) \([0-9]* - \)\{0,1\}\(.*\)#\1 $name: \3#p" "$log" >>"$RESULTS"
    if grep -q '^not ok ' "$log"; then
        clear_line
        tail -n 40 "$log"
    elif [ $status != 0 ] || ! grep -q '^ok ' "$log"; then
        tail -n 40 "$log"
        record "not ok" "$name (exit status $status)"
    fi
}

# FUNCTION [WORKERS]: call it with each line of standard input, as many at a time as there are processors unless said
# otherwise: for tests that keep out of each other's way. Each worker has results of its own, since what two append to
# one file may mix.
for_each() {
    queue=${RESULTS%.txt}.queue
    cat >"$queue"
    workers=
    for worker in $(seq "${2:-$(nproc)}"); do
        : >"$RESULTS.$worker"
        (
            RESULTS=$RESULTS.$worker
            while line=$(next_in_queue) && [ -n "$line" ]; do
                "$1" "$line"
            done
        ) &
        workers="$workers $!"
    done
    # Not for parts that go on beside this one.
    for worker in $workers; do
        wait "$worker" || record "not ok" "$1 (a worker's exit status $?)"
    done
    cat "$RESULTS".* >>"$RESULTS"
    rm -f "$RESULTS".* "$queue" "$queue.lock"
}

next_in_queue() (
    flock 8
    sed -n 1p "$queue"
    sed -i 1d "$queue"
) 8>"$queue.lock"

# The effort of parts whose longer loops take too long for CI.
short_effort() {
    if [ "$LMTEXT_EFFORT" = long ]; then echo long; else echo quick; fi
}

need_model() {
    LMTEXT_MINILM=$(sh models/fetch.sh minilm)
    export LMTEXT_MINILM
}

APART=

begin_beside() {
    rm -f "$LOGS/beside-$1.took"
    (
        began=$(date +%s)
        APART=$1
        RESULTS=$BUILD/results-$1.txt
        : >"$RESULTS"
        "part_$1"
        echo " $1 $(($(date +%s) - began))" >"$LOGS/beside-$1.took"
        remember "$1" $((($(date +%s) - began) / 2))
    ) >"$LOGS/beside-$1.log" 2>&1 &
    beside="$beside $1=$!"
}

end_beside() {
    for each in $beside; do
        part=${each%=*}
        say "$part, begun before"
        wait "${each#*=}" || record "not ok" "$part (exit status $?)"
        cat "$LOGS/beside-$part.log"
        cat "$BUILD/results-$part.txt" >>"$RESULTS"
        took="$took$(cat "$LOGS/beside-$part.took" 2>/dev/null || true)"
    done
}

# shellcheck disable=SC2086 # a list of names
announce_needs $PARTS
took=
beside=
for part in $PARTS; do
    say "$part"
    echo "$part" >"$BUILD/now"
    case " $BESIDE " in
    *" $part "*) begin_beside "$part" ;;
    *)
        began=$(date +%s)
        "part_$part"
        took="$took $part $(($(date +%s) - began))"
        remember "$part" $(($(date +%s) - began))
        ;;
    esac
done
echo "waiting for$beside" | sed 's/=[0-9]*//g' >"$BUILD/now"
end_beside

clear_line
passed=$(grep -c '^ok ' "$RESULTS" || true)
failed=$(grep -c '^not ok ' "$RESULTS" || true)
if [ "$failed" != 0 ]; then
    grep '^not ok ' "$RESULTS"
fi
echo "seconds:$took"
echo "slowest: $(sort -rn "$TIMES" | head -n 12 | awk '{ print $2, $1 }' | tr '\n' ' ')"
echo "$passed passed, $failed failed"
[ "$failed" = 0 ] && [ "$passed" != 0 ]
