# life.sh - upgrades between versions of PostgreSQL.

# From 15 and 16 to 18. (From 15 to 15 is in the part tap.) It needs both servers, of which a commit in CI builds one.
part_upgrade() {
    in_turn 3 6 || commit_changes sql/install sql/upgrade test/t/093_upgrade.pl || return 0
    job upgrade "pg-15 pg-16 pg-18 fixtures" check_upgrade
}

check_upgrade() {
    LMTEXT_UPGRADE_TREES=
    for PG_MAJOR in 16 18; do
        pg_layout
        LMTEXT_UPGRADE_TREES="$LMTEXT_UPGRADE_TREES${LMTEXT_UPGRADE_TREES:+ }$PG_MAJOR=$PG_TREE"
    done
    export LMTEXT_UPGRADE_TREES
    PG_MAJOR=15
    stage_tap upgrade test/t/*.p[lm] test/t/*.list
    check_tap upgrade 15 093_upgrade
}
