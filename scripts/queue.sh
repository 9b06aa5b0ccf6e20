# queue.sh - a run is a queue of jobs, and workers that take them; sourced by test.sh.
#
#   job NAME "NEEDS" FUNCTION ARGUMENT …    tests that run by themselves: a TAP file on a version, a fuzz target, a program,
#                                           a script; the parts name jobs and do nothing else
#   step NAME "NEEDS" FUNCTION ARGUMENT …   what jobs share (a build, an installed server): run once, if a job needs it
#
# NEEDS are steps or jobs that end first. The next job is the one with the longest way to the end: its own seconds and those
# of the longest job behind it. Seconds are what it took in this checkout last, else those of scripts/parts/times.txt. Names
# and arguments have no spaces. A job is a subshell: it sets variables as it likes.

TAB=$(printf '\t')
STEPS=
JOBS=

step() {
    step_name=$1 step_needs=$2
    shift 2
    STEPS="${STEPS}s$TAB$step_name$TAB$step_needs$TAB$*
"
}

job() {
    job_name=$1 job_needs=$2
    shift 2
    JOBS="${JOBS}j$TAB$job_name$TAB$job_needs$TAB$*
"
}

# Lines SECONDS, NAME, NEEDS, COMMAND of all jobs and of the steps that they need, those that begin first in front.
# shellcheck disable=SC2016 # awk's variables
planned_jobs() {
    {
        cat scripts/parts/times.txt "$TIMES_KEPT" 2>/dev/null | sed "s/^\([^ ]*\) \([0-9]*\)\$/t$TAB\1$TAB\2/"
        printf '%s' "$STEPS$JOBS"
    } | awk -F '\t' '
        $1 == "t" { took[$2] = $3; next }
        { needs[$2] = $3; command[$2] = $4 }
        $1 == "j" { wanted[$2] = 1 }
        END {
            do {
                more = 0
                for (name in wanted) {
                    n = split(needs[name], need, " ")
                    for (i = 1; i <= n; i++) {
                        if (!(need[i] in command)) { print "no step is named " need[i] >"/dev/stderr"; exit 1 }
                        if (!(need[i] in wanted)) more = wanted[need[i]] = 1
                    }
                }
            } while (more)
            for (name in wanted) way[name] = own(name)
            do {
                more = 0
                for (name in wanted) {
                    n = split(needs[name], need, " ")
                    for (i = 1; i <= n; i++)
                        if (way[need[i]] < own(need[i]) + way[name]) { way[need[i]] = own(need[i]) + way[name]; more = 1 }
                }
            } while (more)
            for (name in wanted) printf "%d\t%d\t%s\t%s\t%s\n", way[name], own(name), name, needs[name], command[name]
        }
        function own(name) { return name in took ? took[name] : 5 }' | sort -t "$TAB" -k1,1nr -k3,3 | cut -f2-
}

# ---- Workers ----

# Print the next job and take it out; nothing when none is left. False: those that are left wait for others.
next_job() (
    flock 8
    : >"$QUEUE/rest"
    awk -F '\t' -v rest="$QUEUE/rest" '
        FILENAME ~ /ended$/ { split($0, words, " "); ended[words[1]] = words[2]; next }
        !chosen {
            n = split($3, need, " ")
            for (i = 1; i <= n && need[i] in ended; i++) ;
            if (i > n) { print; chosen = 1; next }
        }
        { print >>rest; left = 1 }
        END { exit !chosen && left }' "$QUEUE/ended" "$QUEUE/jobs" || exit 1
    mv "$QUEUE/rest" "$QUEUE/jobs"
) 8>"$QUEUE/lock"

# What failed of the named needs.
failed_needs() {
    for need in $1; do
        grep -qx "$need failed" "$QUEUE/ended" && printf ' %s' "$need"
    done
    true
}

# NUMBER: take jobs until none is left.
work() {
    RESULTS=$BUILD/results-$1.txt
    : >"$RESULTS"
    while :; do
        if ! line=$(next_job); then
            : >"$QUEUE/now-$1"
            sleep 0.3
            continue
        fi
        [ -n "$line" ] || break
        take_job "$1" "$line"
    done
    rm -f "$QUEUE/now-$1"
}

take_job() {
    job=$(printf '%s' "$2" | cut -f2)
    needs=$(printf '%s' "$2" | cut -f3)
    command=$(printf '%s' "$2" | cut -f4)
    APART=$(printf '%s' "$job" | tr '/' '-')
    job_log=$LOGS/job-$APART.log
    echo "$job" >"$QUEUE/now-$1"
    missing=$(failed_needs "$needs")
    began=$(date +%s)
    failures=$(grep -c '^not ok ' "$RESULTS" || true)
    ended=ok
    if [ -n "$missing" ]; then
        echo "$job was not run, it needs$missing" >"$job_log"
        record "not ok" "$job (needs$missing)" >>"$job_log"
        ended=failed
    else
        # A job ends at its first failure, which it does not where its status is tested.
        set +e
        # shellcheck disable=SC2086 # words of a command
        (set -e && $command) >"$job_log" 2>&1 </dev/null
        status=$?
        set -e
        [ $status = 0 ] || {
            record "not ok" "$job (exit status $status)" >>"$job_log"
            ended=failed
        }
    fi
    failures=$(($(grep -c '^not ok ' "$RESULTS" || true) - failures))
    end_job "$(($(date +%s) - began))"
}

# SECONDS. One at a time: what a job said, and a line for it where no line moves.
end_job() {
    {
        flock 8
        clear_line
        cat "$job_log"
        [ -t 1 ] || echo "$(minutes $(($(date +%s) - STARTED)))  $job ($1 s)$([ "$failures" = 0 ] || echo ", FAILED")"
        echo "$job $1" >>"$TIMES_NOW"
        echo "$job $ended" >>"$QUEUE/ended"
    } 8>"$QUEUE/lock"
}

minutes() {
    echo "$(($1 / 60)):$(printf %02d $(($1 % 60)))"
}

# Run all jobs that the parts have named. Three more than there are processors, since many wait for servers and sleeps.
run_queue() {
    QUEUE=$BUILD/queue
    rm -rf "$QUEUE"
    mkdir -p "$QUEUE"
    planned_jobs >"$QUEUE/jobs"
    grep -c . "$QUEUE/jobs" >"$QUEUE/count"
    : >"$QUEUE/ended"
    workers=
    for worker in $(seq "${LMTEXT_WORKERS:-$(($(nproc) + 3))}"); do
        work "$worker" &
        workers="$workers $!"
    done
    for worker in $workers; do
        wait "$worker" || record "not ok" "a worker (exit status $?)"
    done
}

# The times of this run, and those of jobs that were not in it.
keep_times() {
    touch "$TIMES_KEPT"
    awk '{ took[$1] = $2 } END { for (name in took) print name, took[name] }' "$TIMES_KEPT" "$TIMES_NOW" | sort >"$TIMES_KEPT.new"
    mv "$TIMES_KEPT.new" "$TIMES_KEPT"
}
