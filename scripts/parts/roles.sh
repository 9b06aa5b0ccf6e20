# roles.sh - the install and upgrade scripts judged by pgspot, which knows how such scripts are attacked.

# A script that must be found fault with shows that the judge sees.
part_pgspot() {
    need_venv pgspot "pgspot==0.9.4"
    cat sql/install/*.sql >"$BUILD/install.sql"
    echo "CREATE OR REPLACE FUNCTION public.f(t text) RETURNS bool LANGUAGE sql SECURITY DEFINER AS 'SELECT t = t';" \
        >"$BUILD/open-to-attack.sql"
    check pgspot-sees no_status "$BUILD/pgspot/bin/pgspot" "$BUILD/open-to-attack.sql"
    for script in "$BUILD/install.sql" sql/upgrade/*.sql; do
        check "pgspot-$(basename "$script")" "$BUILD/pgspot/bin/pgspot" "$script"
    done
}

no_status() {
    ! "$@"
}
