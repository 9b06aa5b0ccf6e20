# server.sh - parts that run a private server: SQL, TAP, the manual, other versions.

# ---- What is made once for all ----

step fixtures "model" stage_fixtures
step pg-15 "engine" install_server 15
step pg-16 "engine copy-16" install_server 16
step pg-18 "engine pgserver" install_server 18
step pg-cassert "engine cassert-tree" install_server cassert
step pgserver "" need_pgserver
# The isolation tester of 16 serves 18 as well.
step copy-16 "pgserver" copy_server 16
step cassert-tree "" sh scripts/build-cassert
for major in 15 16 18 cassert; do
    step tap-$major "pg-$major fixtures" stage_version $major
done

# VERSION. With what earlier versions of lmtext installed, for tests of the update.
install_server() {
    PG_MAJOR=$1
    install_private
    cp test/upgrade/*.sql "$PG_DESTDIR$("$PG_CONFIG" --sharedir)/extension/"
}

# VERSION
copy_server() {
    PG_MAJOR=$1
    pg_layout
}

# Files that servers read lie where the servers' user can reach them. Nobody writes there.
stage_fixtures() {
    find_fixtures
    rm -rf "$FIXTURES"
    mkdir -p "$FIXTURES/models" "$FIXTURES/test/golden"
    cp test/golden/*.json "$FIXTURES/test/golden/"
    cp -RL models/tiny models/words "$FIXTURES/models/"
    cp -R test/hostile "$FIXTURES/hostile"
    cp -R test/upgrade "$FIXTURES/upgrade"
    cp -RL "$BUILD/models/minilm" "$FIXTURES/minilm"
    cp scripts/check-server scripts/safe-psql "$FIXTURES/"
    chmod -R a+rX "$FIXTURES"
}

find_fixtures() {
    FIXTURES=$(server_home)/fixtures
    LMTEXT_SOURCE_DIR=$FIXTURES
    LMTEXT_MINILM=$FIXTURES/minilm
    # It watches servers.
    LMTEXT_CHECK_SERVER=$FIXTURES/check-server
    export LMTEXT_SOURCE_DIR LMTEXT_MINILM LMTEXT_CHECK_SERVER
}

# ---- A server of a job ----

# VERSION. The server has the job's name, and ends with the job.
start_server() {
    PG_MAJOR=$1
    export LMTEXT_PG=$1
    pg_layout
    find_fixtures
    LMTEXT_CLUSTER=test-$APART
    export LMTEXT_CLUSTER
    sh scripts/cluster.sh destroy
    trap 'sh scripts/cluster.sh destroy' EXIT
    sh scripts/cluster.sh start
    eval "$(sh scripts/cluster.sh env)"
    # How long a training takes must not show.
    PGOPTIONS='-c lmtext.progress_interval=0'
    export PGOPTIONS
}

# Run a program that takes --launcher (pg_regress, the isolation tester): NAME PROGRAM ARGUMENTS …
# Its tests are recorded by name, and after each the server is looked at.
run_regress() {
    name=$1
    shift
    LMTEXT_SAFE_STATE=$BUILD/$name.state
    LMTEXT_SAFE_LOG=$LOGS/$name.safe
    rm -f "$LMTEXT_SAFE_STATE" "$LMTEXT_SAFE_LOG"
    eval "$(sh scripts/cluster.sh data)"
    export LMTEXT_SAFE_STATE LMTEXT_SAFE_LOG LMTEXT_SAFE_DATA LMTEXT_SAFE_SERVER_LOG
    out=$BUILD/$name
    rm -rf "$out"
    mkdir -p "$out"
    "$@" --bindir="$PG_BINDIR" --outputdir="$out" --host="$PGHOST" --user=postgres \
        --launcher="sh $FIXTURES/safe-psql" $regress_tests >"$LOGS/$name.log" 2>&1 && regress_status=0 || regress_status=$?
    # Before 16 pg_regress says "test NAME ... ok", since then "ok N - NAME".
    sed -n "s/^test \([^ ]*\) *\.\.\. ok.*/ok $name: \1/p
            s/^test \([^ ]*\) *\.\.\. FAILED.*/not ok $name: \1/p
            s/^\(ok\|not ok\) [0-9]* *[-+] \([^ ]*\).*/\1 $name: \2/p" \
        "$LOGS/$name.log" >>"$RESULTS"
    # It ends where it stands if, say, what a test expects is missing.
    [ $regress_status = 0 ] && grep -q "^ok $name:" "$RESULTS" || grep -q "^not ok $name:" "$RESULTS" ||
        { tail -n 20 "$LOGS/$name.log"; record "not ok" "$name (exit status $regress_status)"; }
    if grep -q '^ok ' "$LMTEXT_SAFE_LOG" && ! grep '^not ok ' -A 5 "$LMTEXT_SAFE_LOG"; then
        record ok "$name: safe after each test"
    else
        record "not ok" "$name: safe after each test"
    fi
    [ ! -s "$out/regression.diffs" ] || head -n 300 "$out/regression.diffs"
}

# ---- Parts ----

part_sql() {
    job "sql-$PG_MAJOR" "pg-$PG_MAJOR fixtures" run_sql "$PG_MAJOR"
}

# In CI half of the files on other versions than 15, in turn. The package's pg_regress of 18 crashes at its start, and a server from source has none beside it; Debian's serves all.
run_sql() {
    start_server "$1"
    share=1
    case $1 in 16 | 18) share=2 ;; esac
    regress_tests=$(find sql -maxdepth 1 -name '*.sql' -exec basename {} .sql \; | sort | share_of_lines $share)
    run_regress "sql-$1" "$PG_HOME/lib/pgxs/src/test/regress/pg_regress" --inputdir=. --dbname=lmtext_regress
}

# The SQL surface on a server with assertions of its own. (lmtext's are in every server's build.) In CI each fifth commit makes
# that server where it is not there yet, since that takes as long as all of TAP.
part_cassert() {
    in_turn 0 5 || [ -d "$(sh scripts/build-cassert where)" ] || return 0
    job sql-cassert "pg-cassert fixtures" run_sql cassert
}

part_docs() {
    job docs "pg-15 fixtures" check_manual
}

check_manual() {
    start_server 15
    check_lines docs python3 scripts/check-docs README.md docs/*.md
    check_lines board python3 scripts/check-board monitoring/dashboards/lmtext.json
    check sqlstates python3 scripts/check-docs --sqlstates "$("$PG_CONFIG" --includedir-server)/utils/errcodes.h"
}

# ---- TAP ----

# LMTEXT_TAP chooses files: LMTEXT_TAP='05*'.
part_tap() {
    for file in $(tap_files); do
        tap_job "$file" "$PG_MAJOR"
    done
}

tap_files() {
    find test/t -name "${LMTEXT_TAP:-*}.pl" -exec basename {} .pl \; | sort
}

tap_job() {
    job "tap-$2/$1" "tap-$2" check_tap "$2" "$2" "$1"
}

# NAME FILE …: a folder with tests of a server, its data and its logs.
stage_tap() {
    tap=$(server_home)/tap-$1
    shift
    rm -rf "$tap"
    mkdir -p "$tap/data" "$tap/log" "$tap/t"
    cp "$@" "$tap/t/"
    [ "$(id -u)" != 0 ] || chown -R postgres:postgres "$tap"
}

# Perl modules and pg_regress are Debian's for every version of the server. Locales are made where they are missing.
stage_version() {
    for locale in $(missing_locales $TAP_LOCALES); do
        as_root localedef -i "$locale" -f UTF-8 "$locale.UTF-8"
    done
    stage_tap "$1" test/t/*.p[lm] test/t/*.list docs/opinions.md
}

# FOLDER VERSION FILE. On other versions than 15 loops are short. In CI files with many cases draw theirs by the commit.
check_tap() {
    tap=$(server_home)/tap-$1
    PG_MAJOR=$2
    [ "$LMTEXT_EFFORT" != ci ] || LMTEXT_TURN=$(commit_number)
    [ "$2" = 15 ] || [ "$LMTEXT_EFFORT" = long ] || LMTEXT_EFFORT=quick
    pg_layout
    find_fixtures
    check_lines "tap-$1/$3" run_tap "$tap/t/$3.pl"
}

# As the servers' user, and without the lock of this run.
run_tap() (
    cd "$tap" || exit 1
    debian=$PG_HOME/lib/pgxs/src/test
    ulimit -c unlimited
    as_server env PATH="$PG_BINDIR:$PATH" TESTDATADIR="$tap/data" TESTLOGDIR="$tap/log" \
        PG_REGRESS="$debian/regress/pg_regress" LMTEXT_SOURCE_DIR="$LMTEXT_SOURCE_DIR" LMTEXT_PG="$PG_MAJOR" \
        LMTEXT_MINILM="$LMTEXT_MINILM" LMTEXT_CHECK_SERVER="$LMTEXT_CHECK_SERVER" \
        LMTEXT_EFFORT="$LMTEXT_EFFORT" LMTEXT_TURN="${LMTEXT_TURN:-}" \
        perl -I "$debian/perl" -I "$tap/t" "$1" 9>&- && return 0
    # What ended a test before its first line stands only there.
    tail -n 20 "tmp_check/log/regress_log_$(basename "$1" .pl)"
    return 1
)

# ---- Citus, pg_cron ----

# Debian has no package of Citus: its test runs where somebody has installed it.
part_citus() {
    job citus "tap-15" check_with citus citus
}

# Debian's postgresql-15-cron, where it is installed.
part_cron() {
    job cron "tap-15" check_with cron pg_cron
}

# FOLDER EXTENSION: its test, where it is in the copy of the server.
check_with() {
    PG_MAJOR=15
    pg_layout
    find_fixtures
    if [ ! -e "$PG_DESTDIR$("$PG_CONFIG" --sharedir)/extension/$2.control" ]; then
        echo "$2 is not installed for PostgreSQL 15: its test was not run"
        return 0
    fi
    stage_tap "$1" test/t/*.pm "test/$1/$2.pl"
    check_lines "$1" run_tap "$(server_home)/tap-$1/t/$2.pl"
}

# ---- Other versions of PostgreSQL ----

# What has taken different ways on different versions: shared memory, crashes, rights, dumps, upgrades, replicas, plans.
SENSITIVE="141 143 147 150 010 011 020 040 080 081 082 090 091 092 093 100 101 102 110"

# In CI one of them, in turn.
other_versions() {
    if [ "$LMTEXT_EFFORT" != ci ]; then
        echo 16 18
    elif [ $(($(commit_number) % 2)) = 0 ]; then
        echo 16
    else
        echo 18
    fi
}

# All that runs on 15. pgvector, a neighbour, is with these versions only.
part_versions() {
    for PG_MAJOR in $(other_versions); do
        part_sql
        part_isolation
    done
    PG_MAJOR=15
    number=0
    for file in $(tap_files); do
        number=$((number + 1))
        takes_turn "$file" $number || continue
        for version in $(other_versions); do
            tap_job "$file" "$version"
        done
    done
}

# FILE NUMBER. In CI a sensitive file runs in two of four commits, one for each version; any other in two of twelve.
takes_turn() {
    if [ "$LMTEXT_EFFORT" != ci ]; then
        return 0
    elif is_sensitive "$1"; then
        [ $((($(commit_number) / 2 + $2) % 2)) = 0 ]
    else
        [ $((($(commit_number) / 2 + $2) % 6)) = 0 ]
    fi
}

is_sensitive() {
    case " $SENSITIVE " in
    *" ${1%%_*} "*) ;;
    *) return 1 ;;
    esac
}

# KS N: is it this commit's turn, one of the named ones of N? In CI what is long and seldom fails waits for its turn; else always.
in_turn() {
    [ "$LMTEXT_EFFORT" = ci ] || return 0
    case " $1 " in
    *" $(($(commit_number) % $2)) "*) ;;
    *) return 1 ;;
    esac
}

# PATH …: does the commit itself change any of them? (Of a merge, what came by it. Where there is no commit before: no.)
commit_changes() {
    git cat-file -e 'HEAD^^{commit}' 2>/dev/null || return 1
    ! git diff --quiet 'HEAD^' HEAD -- "$@"
}

# What samples are drawn by: each commit has a number, and what one leaves out others take.
commit_number() {
    commit=$(git rev-parse HEAD 2>/dev/null || echo 0)
    printf '%d' "0x$(printf %.6s "$commit")"
}

# N: of the lines that come in each N-th, in turn; all of them where it is not CI. (Commits that share a turn of three differ in it.)
share_of_lines() {
    if [ "$LMTEXT_EFFORT" = ci ]; then
        awk -v parts="$1" -v turn="$(($(commit_number) / 3 % $1))" 'NR % parts == turn'
    else
        cat
    fi
}
