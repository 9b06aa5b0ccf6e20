#!/bin/sh
# test.sh - every test; the last line is "N passed, N failed" and the exit status says the same.
#
#   sh scripts/test.sh                what needs recorded files only
#   sh scripts/test.sh --ci           all parts in some 20 minutes, with short loops and samples (what CI runs)
#   sh scripts/test.sh --all          all parts whole: also live comparisons with the reference libraries, clang, fuzzing,
#                                     fault loops, PostgreSQL 16 and 18, a server with assertions, packages
#   sh scripts/test.sh --long         the same with loops at full length (hours)
#   sh scripts/test.sh PART …         only these parts; the functions part_NAME of scripts/parts/*.sh
#   sh scripts/test.sh clean          stop the servers of this checkout, the demo's too, and remove all that runs made:
#                                     the build folder, object files, folders of /var/tmp
#   sh scripts/test.sh --help
#
# Parts name jobs, and workers take them from one queue (scripts/queue.sh; scripts/parts/README.md says what runs when).
# Ctrl-C stops a run at once: its servers end, and their data is removed. LMTEXT_PG=16 runs a part on another version of
# PostgreSQL. LMTEXT_EFFORT (quick, ci, all, long) tells tests how long their loops are; LMTEXT_WORKERS is how many jobs run
# at a time.
set -eu
cd "$(dirname "$0")/.."
. scripts/lib.sh
. scripts/queue.sh

QUICK_PARTS="lint scripts unit sanitize hostile replay kernels symbols sql isolation docs tap"
ALL_PARTS="$QUICK_PARTS citus cron package live coverage clang upgrade versions cassert shim shm pgspot headers linear parallel fuzz"

for file in scripts/leftovers.sh scripts/parts/*.sh; do
    # shellcheck disable=SC1090
    . "$file"
done

# The names of all parts, as they stand in the files.
all_parts() {
    sed -n 's/^part_\([a-z]*\)() *[({].*$/\1/p' scripts/parts/*.sh | sort | tr '\n' ' '
}

PARTS=
DEFAULT_PARTS=$QUICK_PARTS
EFFORT=quick
for argument in "$@"; do
    case $argument in
    --ci) DEFAULT_PARTS=$ALL_PARTS EFFORT=ci ;;
    --all) DEFAULT_PARTS=$ALL_PARTS EFFORT=all ;;
    --long) DEFAULT_PARTS=$ALL_PARTS EFFORT=long ;;
    --help | -h)
        sed -n '2,19s/^# \{0,1\}//p' scripts/test.sh
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
TIMES_NOW=$BUILD/times-now.txt
TIMES_KEPT=$BUILD/times-$LMTEXT_EFFORT.txt
LOGS=$BUILD/logs
QUEUE=$BUILD/queue
STARTED=$(date +%s)

# What a run is doing, for the line that moves: SECONDS.
status_line() {
    echo "$(minutes "$1") of about $expected min, $(count ok) passed, $(count 'not ok') failed, $(
        grep -c . "$QUEUE/ended" 2>/dev/null || true) of $(cat "$QUEUE/count" 2>/dev/null || echo 0) jobs:$(
        cat "$QUEUE"/now-* 2>/dev/null | tr '\n' ' ' | sed 's/^/ /')"
}

count() {
    cat "$RESULTS" "$BUILD"/results-*.txt 2>/dev/null | grep -c "^$1 " || true
}

# By what the jobs took last.
expected_minutes() {
    planned_jobs | awk -F '\t' -v workers="$(($(nproc) + 3))" '{ sum += $1 } END { print int(sum / workers / 60) + 1 }'
}

at_interrupt() {
    remove_run_data
}

for part in $PARTS; do
    "part_$part"
done
expected=$(expected_minutes)
STATUS_LINE=status_line
# Elsewhere each job that ends says so.
SAY_EVERY=60
supervise scripts/test.sh "$@"
LMTEXT_QUIET=1
LMTEXT_INSTALLED=1
LMTEXT_ASSERTS=${LMTEXT_ASSERTS-1}
LMTEXT_MINILM=$BUILD/models/minilm
export LMTEXT_QUIET LMTEXT_INSTALLED LMTEXT_ASSERTS LMTEXT_MINILM
unset LMTEXT_PORT
mkdir -p "$LOGS"
rm -f "$RESULTS" "$BUILD"/results-*.txt
: >"$RESULTS"
: >"$TIMES"
: >"$TIMES_NOW"

# Record "ok NAME" or "not ok NAME", and show failures at once.
record() {
    echo "$1 $2" >>"$RESULTS"
    [ "$1" = ok ] || printf 'FAILED: %s\n' "$2"
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
        tail -n 40 "$log"
    elif [ $status != 0 ] || ! grep -q '^ok ' "$log"; then
        tail -n 40 "$log"
        record "not ok" "$name (exit status $status)"
    fi
}

# The effort of parts whose longer loops take too long for CI.
short_effort() {
    if [ "$LMTEXT_EFFORT" = long ]; then echo long; else echo quick; fi
}

# shellcheck disable=SC2086 # a list of names
announce_needs $PARTS
[ -t 1 ] || echo "$(minutes $(($(date +%s) - STARTED)))  what the system needs"
run_queue
keep_times
cat "$BUILD"/results-*.txt >>"$RESULTS"

clear_line
passed=$(grep -c '^ok ' "$RESULTS" || true)
failed=$(grep -c '^not ok ' "$RESULTS" || true)
if [ "$failed" != 0 ]; then
    grep '^not ok ' "$RESULTS"
fi
echo "slowest jobs: $(sort -k2,2rn "$TIMES_NOW" | head -n 12 | tr '\n' ' ')"
echo "$(minutes $(($(date +%s) - STARTED))) min"
echo "$passed passed, $failed failed"
[ "$failed" = 0 ] && [ "$passed" != 0 ]
