# isolation.sh - several sessions at once: isolation specs, and the SQL surface with parallel workers everywhere.

part_isolation() {
    isolation_needs="pg-$PG_MAJOR fixtures"
    [ "$PG_MAJOR" != 18 ] || isolation_needs="$isolation_needs copy-16"
    job "isolation-$PG_MAJOR" "$isolation_needs" run_isolation "$PG_MAJOR"
}

# Specs: test/specs, test/expected. The tester of 18 crashes at its start, as its pg_regress does; 16's serves both.
run_isolation() {
    start_server "$1"
    tester=$PGXS_FOLDER/src/test/isolation/pg_isolation_regress
    if [ "$1" = 18 ]; then
        tester=$(PG_MAJOR=16 && pg_layout >&2 && echo "$PGXS_FOLDER/src/test/isolation/pg_isolation_regress")
    fi
    psql -XAtq -d postgres -c "ALTER SYSTEM SET max_prepared_transactions = 4" \
        -c "ALTER SYSTEM SET restart_after_crash = on"
    sh scripts/cluster.sh stop
    sh scripts/cluster.sh start
    createdb lmtext_isolation
    psql -Xq -v ON_ERROR_STOP=1 -d lmtext_isolation -v tiny="$LMTEXT_SOURCE_DIR/models/tiny" \
        -f test/specs/prepare.sql >"$LOGS/isolation-prepare-$1.log" 2>&1 ||
        { cat "$LOGS/isolation-prepare-$1.log"; die "the specs could not be prepared"; }
    regress_tests=${LMTEXT_SPECS:-$(find test/specs -name '*.spec' -exec basename {} .spec \; | sort)}
    PGISOLATIONTIMEOUT=${PGISOLATIONTIMEOUT:-60} PGDATABASE=lmtext_isolation run_regress "isolation-$1" "$tester" \
        --use-existing --inputdir=test --dbname=lmtext_isolation
}

part_parallel() {
    in_turn 1 3 || return 0
    job "parallel-$PG_MAJOR" "pg-$PG_MAJOR fixtures" run_parallel "$PG_MAJOR"
}

# The whole SQL surface once more (in CI half of its files, in turn), every query that may in a parallel worker. The setting's value regress hides what plans
# and error contexts would show of it; what counts a session's own work is serial there. 101_plans.pl compares every function.
run_parallel() {
    start_server "$1"
    force=force_parallel_mode
    [ "$1" = 15 ] || force=debug_parallel_query
    regress_tests=$(find sql -maxdepth 1 -name '*.sql' -exec basename {} .sql \; | sort | share_of_lines 2)
    PGOPTIONS="-c $force=regress" run_regress "parallel-$1" "$PG_HOME/lib/pgxs/src/test/regress/pg_regress" --inputdir=. \
        --dbname=lmtext_regress
}
