# roles.sh - the install and upgrade scripts judged by pgspot, which knows how such scripts are attacked.

step pgspot-tool "" need_venv pgspot pgspot==0.9.4

part_pgspot() {
    job pgspot pgspot-tool check_pgspot
}

# A script that must be found fault with shows that the judge sees.
check_pgspot() {
    cat sql/install/*.sql >"$BUILD/install.sql"
    # Functions of jobs run what a user's trigger sees, and some of clusters, of search, of reports, of trainings and of attacks name the user's models and run the user's filter or query, so they set no search_path
    # (PS005); their names are qualified, which the second look finds out. All others set one, or need none.
    find sql/install -name '*.sql' ! -name '6[0125]-*.sql' ! -name '7[1389]-*.sql' ! -name '80-*.sql' | sort | xargs cat >"$BUILD/install-strict.sql"
    echo "CREATE OR REPLACE FUNCTION public.f(t text) RETURNS bool LANGUAGE sql SECURITY DEFINER AS 'SELECT t = t';" \
        >"$BUILD/open-to-attack.sql"
    check pgspot-sees no_status "$BUILD/pgspot/bin/pgspot" "$BUILD/open-to-attack.sql"
    check pgspot-install.sql "$BUILD/pgspot/bin/pgspot" "$BUILD/install-strict.sql"
    check pgspot-install-jobs.sql "$BUILD/pgspot/bin/pgspot" --ignore PS005 "$BUILD/install.sql"
    # An update replaces what the version before it made, which is read first.
    for script in sql/upgrade/*.sql; do
        update=$(basename "$script")
        check "pgspot-$update" "$BUILD/pgspot/bin/pgspot" -a "test/upgrade/${update%--*}.sql" "$script"
    done
    cat "$script" sql/install/[678]?-*.sql >"$BUILD/update.sql"
    check pgspot-update-with-new-chapters "$BUILD/pgspot/bin/pgspot" --ignore PS005 -a "test/upgrade/${update%--*}.sql" "$BUILD/update.sql"
}

no_status() {
    ! "$@"
}
