# roles.sh - the install and upgrade scripts judged by pgspot, which knows how such scripts are attacked.

# A script that must be found fault with shows that the judge sees.
part_pgspot() {
    need_venv pgspot "pgspot==0.9.4"
    cat sql/install/*.sql >"$BUILD/install.sql"
    echo "CREATE OR REPLACE FUNCTION public.f(t text) RETURNS bool LANGUAGE sql SECURITY DEFINER AS 'SELECT t = t';" \
        >"$BUILD/open-to-attack.sql"
    check pgspot-sees no_status "$BUILD/pgspot/bin/pgspot" "$BUILD/open-to-attack.sql"
    check pgspot-install.sql "$BUILD/pgspot/bin/pgspot" "$BUILD/install.sql"
    # An update replaces what the version before it made, which is read first.
    for script in sql/upgrade/*.sql; do
        name=$(basename "$script")
        check "pgspot-$name" "$BUILD/pgspot/bin/pgspot" -a "test/upgrade/${name%--*}.sql" "$script"
    done
}

no_status() {
    ! "$@"
}
