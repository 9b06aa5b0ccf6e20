# server.sh - parts that run a private server: SQL, TAP, the manual, live comparisons, other versions.

# Files that servers read lie where the servers' user can reach them. $APART names a part that runs beside others: what
# it puts there has that name.
stage_fixtures() {
    need_model
    FIXTURES=$(server_home)/fixtures${APART:+-$APART}
    rm -rf "$FIXTURES"
    mkdir -p "$FIXTURES/models"
    cp -RL models/tiny "$FIXTURES/models/tiny"
    cp -R test/hostile "$FIXTURES/hostile"
    cp -RL "$LMTEXT_MINILM" "$FIXTURES/minilm"
    chmod -R a+rX "$FIXTURES"
    LMTEXT_SOURCE_DIR=$FIXTURES
    LMTEXT_MINILM=$FIXTURES/minilm
    export LMTEXT_SOURCE_DIR LMTEXT_MINILM
}

start_server() {
    pg_layout
    stage_fixtures
    LMTEXT_CLUSTER=${APART:-test}
    export LMTEXT_CLUSTER
    sh scripts/cluster.sh destroy
    trap 'sh scripts/cluster.sh stop' EXIT
    sh scripts/cluster.sh start
    eval "$(sh scripts/cluster.sh env)"
    # How long a training takes must not show.
    PGOPTIONS='-c lmtext.progress_interval=0'
    export PGOPTIONS
}

stop_server() {
    sh scripts/cluster.sh destroy
    trap - EXIT
}

# Scripts that watch servers lie beside the fixtures; DATA and LOG of a server that cluster.sh started.
stage_watch() {
    cp scripts/check-server scripts/safe-psql "$FIXTURES/"
    LMTEXT_CHECK_SERVER=$FIXTURES/check-server
    export LMTEXT_CHECK_SERVER
}

# Run a program that takes --launcher (pg_regress, the isolation tester): NAME PROGRAM ARGUMENTS …
# Its tests are recorded by name, and after each the server is looked at.
run_regress() {
    name=$1
    shift
    stage_watch
    LMTEXT_SAFE_STATE=$BUILD/$name.state
    LMTEXT_SAFE_LOG=$LOGS/$name.safe
    rm -f "$LMTEXT_SAFE_STATE" "$LMTEXT_SAFE_LOG"
    eval "$(sh scripts/cluster.sh data)"
    export LMTEXT_SAFE_STATE LMTEXT_SAFE_LOG LMTEXT_SAFE_DATA LMTEXT_SAFE_SERVER_LOG
    "$@" --launcher="sh $FIXTURES/safe-psql" >"$LOGS/$name.log" 2>&1 || true
    # Before 16 pg_regress says "test NAME ... ok", since then "ok N - NAME".
    sed -n "s/^test \([^ ]*\) *\.\.\. ok.*/ok $name: \1/p
            s/^test \([^ ]*\) *\.\.\. FAILED.*/not ok $name: \1/p
            s/^\(ok\|not ok\) [0-9]* *[-+] \([^ ]*\).*/\1 $name: \2/p" \
        "$LOGS/$name.log" >>"$RESULTS"
    grep -q "^[a-z ]*ok $name:" "$RESULTS" ||
        { tail -n 20 "$LOGS/$name.log"; record "not ok" "$name (nothing ran)"; }
    if grep -q '^ok ' "$LMTEXT_SAFE_LOG" && ! grep '^not ok ' -A 5 "$LMTEXT_SAFE_LOG"; then
        record ok "$name: safe after each test"
    else
        record "not ok" "$name: safe after each test"
    fi
}

part_sql() {
    start_server
    out=$BUILD/regress-$PG_MAJOR
    rm -rf "$out"
    mkdir -p "$out"
    # shellcheck disable=SC2046
    run_regress "sql-$PG_MAJOR" "${REGRESS_PROGRAM:-$PG_REGRESS}" --bindir="$PG_BINDIR" --inputdir=. \
        --outputdir="$out" --host="$PGHOST" --user=postgres --dbname=lmtext_regress \
        $(find sql -maxdepth 1 -name '*.sql' -exec basename {} .sql \; | sort)
    if [ -s "$out/regression.diffs" ]; then
        head -n 200 "$out/regression.diffs"
    fi
    stop_server
}

# Locales in UTF-8, made where they are missing.
need_locales() {
    for locale in $(missing_locales "$@"); do
        as_root localedef -i "$locale" -f UTF-8 "$locale.UTF-8"
    done
}

# Perl modules and pg_regress are Debian's for every version of the server.
part_tap() {
    need_part tap
    # shellcheck disable=SC2086 # a list of names
    need_locales $TAP_LOCALES
    install_private
    stage_fixtures
    stage_watch
    # What earlier versions installed, for tests of the update.
    cp test/upgrade/*.sql "$PG_DESTDIR$("$PG_CONFIG" --sharedir)/extension/"
    tap=$(server_home)/tap${APART:+-$APART}
    rm -rf "$tap"
    mkdir -p "$tap/data" "$tap/log"
    cp -R test/t "$tap/t"
    [ "$(id -u)" != 0 ] || chown -R postgres:postgres "$tap"
    # LMTEXT_TAP chooses files: LMTEXT_TAP='05*'. Those that take longest have the highest numbers. They wait for servers
    # half of the time, so there are twice as many of them as processors; what they measure is processor time.
    find "$tap/t" -name "${LMTEXT_TAP:-*}.pl" | sort -r | for_each check_tap $((2 * $(nproc)))
}

check_tap() {
    check_lines "tap-$PG_MAJOR/$(basename "$1" .pl)" run_tap "$1"
}

# As the servers' user, and without the lock of this run.
run_tap() (
    cd "$tap" || exit 1
    debian=$PG_HOME/lib/pgxs/src/test
    ulimit -c unlimited
    as_server env PATH="$PG_BINDIR:$PATH" TESTDATADIR="$tap/data" TESTLOGDIR="$tap/log" \
        PG_REGRESS="$debian/regress/pg_regress" LMTEXT_SOURCE_DIR="$LMTEXT_SOURCE_DIR" LMTEXT_PG="$PG_MAJOR" \
        LMTEXT_MINILM="$LMTEXT_MINILM" LMTEXT_CHECK_SERVER="$LMTEXT_CHECK_SERVER" \
        LMTEXT_EFFORT="$LMTEXT_EFFORT" \
        perl -I "$debian/perl" -I "$tap/t" "$1" 9>&- && return 0
    # What ended a test before its first line stands only there.
    tail -n 20 "tmp_check/log/regress_log_$(basename "$1" .pl)"
    return 1
)

part_docs() {
    need_part docs
    start_server
    check_lines docs python3 scripts/check-docs README.md docs/*.md
    check sqlstates python3 scripts/check-docs --sqlstates "$("$PG_CONFIG" --includedir-server)/utils/errcodes.h"
    stop_server
}

# The reference libraries on the Debian corpus and its translations (with --long all of these).
part_live() {
    # A later sentence-transformers is for whoever raises the number: its new keys turn this part red.
    need_venv live "torch==2.13.0" "transformers==5.23.0" "tokenizers==0.23.3" numpy "sentence-transformers==6.2.0"
    build_units unit ""
    check_lines live-keys "$BUILD/live/bin/python" scripts/compare-keys.py \
        --program "$BUILD/unit/tools/list_keys" --model "$LMTEXT_MINILM"
    start_server
    long= each=40
    [ "$LMTEXT_EFFORT" != long ] || long=--long each=100
    # shellcheck disable=SC2086 # an option or nothing
    check_lines live-tokenizer "$BUILD/live/bin/python" scripts/compare-tokenizers.py $long \
        --program "$BUILD/unit/tools/tokenize_lines" --model "$LMTEXT_MINILM" --cache "$BUILD/corpus-all"
    count=1000
    [ "$LMTEXT_EFFORT" != long ] || count=10000
    check_lines live-random-tokenizers "$BUILD/live/bin/python" scripts/compare-random-tokenizers.py \
        --program "$BUILD/unit/tools/tokenize_lines" --count $count
    check_lines live-tokenizer-files "$BUILD/live/bin/python" scripts/compare-tokenizer-files.py \
        --program "$BUILD/unit/tools/tokenize_lines" --count $((count * 2 / 5))
    check_lines live-embedding "$BUILD/live/bin/python" scripts/compare-embeddings.py \
        --model "$LMTEXT_MINILM" --corpus "$BUILD/corpus-all/corpus.jsonl" --each $each
    check_lines live-folders "$BUILD/live/bin/python" scripts/compare-folders.py --model "$LMTEXT_MINILM"
    stop_server
}

# Parts on another PostgreSQL, with short loops: ON_SERVER MAJOR PART …
on_server() {
    PG_MAJOR=$1
    shift
    (
        LMTEXT_PG=$PG_MAJOR LMTEXT_EFFORT=quick
        export LMTEXT_PG LMTEXT_EFFORT
        # The package's pg_regress of 18 crashes at its start; Debian's serves all.
        REGRESS_PROGRAM=$PG_HOME/lib/pgxs/src/test/regress/pg_regress
        for part in "$@"; do
            "part_$part"
        done
    )
    PG_MAJOR=15
}

# All that runs on 15. pgvector, a neighbour, is with these versions only.
part_versions() {
    on_server 16 sql isolation tap
    on_server 18 sql isolation tap
}

# The SQL surface on a server with assertions.
part_cassert() {
    on_server cassert sql
}
