# isolation.sh - several sessions at once: isolation specs, and the SQL surface with parallel workers everywhere.

# Specs: test/specs, test/expected. The tester of 18 crashes at its start, as its pg_regress does; 16's serves both.
part_isolation() {
    start_server
    tester=$PGXS_FOLDER/src/test/isolation/pg_isolation_regress
    if [ "$PG_MAJOR" = 18 ]; then
        tester=$(PG_MAJOR=16 && pg_layout >&2 && echo "$PGXS_FOLDER/src/test/isolation/pg_isolation_regress")
    fi
    psql -XAtq -d postgres -c "ALTER SYSTEM SET max_prepared_transactions = 4" \
        -c "ALTER SYSTEM SET restart_after_crash = on"
    sh scripts/cluster.sh stop
    sh scripts/cluster.sh start
    createdb lmtext_isolation
    psql -Xq -v ON_ERROR_STOP=1 -d lmtext_isolation -v tiny="$LMTEXT_SOURCE_DIR/models/tiny" \
        -f test/specs/prepare.sql >"$LOGS/isolation-prepare.log" 2>&1 ||
        { cat "$LOGS/isolation-prepare.log"; die "the specs could not be prepared"; }
    out=$BUILD/isolation-$PG_MAJOR
    rm -rf "$out"
    mkdir -p "$out"
    # shellcheck disable=SC2046,SC2086
    PGISOLATIONTIMEOUT=${PGISOLATIONTIMEOUT:-60} PGDATABASE=lmtext_isolation run_regress "isolation-$PG_MAJOR" "$tester" --use-existing \
        --bindir="$PG_BINDIR" --inputdir=test --outputdir="$out" --host="$PGHOST" --user=postgres \
        --dbname=lmtext_isolation \
        ${LMTEXT_SPECS:-$(find test/specs -name '*.spec' -exec basename {} .spec \; | sort)}
    if [ -s "$out/regression.diffs" ]; then
        head -n 200 "$out/regression.diffs"
    fi
    stop_server
}

# The whole SQL surface once more, every query that may in a parallel worker. The setting's value regress hides what plans
# and error contexts would show of it; what counts a session's own work is serial there. 101_plans.pl compares every function.
part_parallel() {
    start_server
    force=force_parallel_mode
    [ "$PG_MAJOR" = 15 ] || force=debug_parallel_query
    out=$BUILD/parallel-$PG_MAJOR
    rm -rf "$out"
    mkdir -p "$out"
    # shellcheck disable=SC2046
    PGOPTIONS="-c $force=regress" run_regress "parallel-$PG_MAJOR" "${REGRESS_PROGRAM:-$PG_REGRESS}" --bindir="$PG_BINDIR" --inputdir=. \
        --outputdir="$out" --host="$PGHOST" --user=postgres --dbname=lmtext_regress \
        $(find sql -maxdepth 1 -name '*.sql' -exec basename {} .sql \; | sort)
    if [ -s "$out/regression.diffs" ]; then
        head -n 300 "$out/regression.diffs"
    fi
    stop_server
}
