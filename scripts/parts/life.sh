# life.sh - upgrades between versions of PostgreSQL.

# From 15 and 16 to 18. (From 15 to 15 is in the part tap.)
part_upgrade() {
    LMTEXT_UPGRADE_TREES=
    for PG_MAJOR in 16 18; do
        install_private
        LMTEXT_UPGRADE_TREES="$LMTEXT_UPGRADE_TREES${LMTEXT_UPGRADE_TREES:+ }$PG_MAJOR=$PG_TREE"
    done
    PG_MAJOR=15
    export LMTEXT_UPGRADE_TREES
    LMTEXT_TAP='093*'
    part_tap
    unset LMTEXT_UPGRADE_TREES LMTEXT_TAP
}
