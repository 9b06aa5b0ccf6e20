# leftovers.sh - what runs leave, and how it goes; sourced by test.sh.

# Servers and data of parts, where a part that is interrupted left them. Not what the next run needs too (copies of
# PostgreSQL, models), and not the servers that a person started by cluster.sh.
run_data() {
    home=$(server_home)
    for folder in "$home"/tap-* "$home"/fixtures "$home"/coverage-server "$home"/scripts-test "$home"/package \
        "$home"/cluster-test-*; do
        [ ! -d "$folder" ] || echo "$folder"
    done
}

remove_run_data() {
    run_data | while read -r folder; do
        stop_postmasters_below "$folder"
        unmount_below "$folder"
        remove "$folder" "$(socket_folder "$folder")"
    done
}

# As root only what root made.
remove() {
    rm -rf "$@" 2>/dev/null || as_root rm -rf "$@"
}

# The part package mounts /proc and /dev in its roots: what is mounted must never be removed with them.
unmount_below() {
    awk -v below="$1/" 'index($2, below) == 1 { print $2 }' /proc/mounts | sort -r | while read -r mounted; do
        as_root umount -l "$mounted" || die "could not unmount $mounted"
    done
}

# Everything. A folder of /var/tmp whose checkout is gone goes too; one of another checkout that is there stays.
clean() {
    case $BUILD in
    "$ROOT/build") ;;
    *) [ -e "$BUILD/.made-by-lmtext" ] || die "$BUILD was not made by these scripts; remove it by hand" ;;
    esac
    home=$(server_home)
    postmasters_below "$BUILD" "$home" | while read -r pid data; do
        echo "stopping the server of $data (process $pid)"
    done
    stop_postmasters_below "$BUILD" "$home"
    for folder in "$home"/cluster-*; do
        remove "$(socket_folder "$folder")"
    done
    remove_folder "$home"
    remove_folder "$BUILD"
    find src \( -name '*.[od]' -o -name '*.bc' \) -type f -exec rm -f {} +
    rm -f ./*.so ./*.a ./lmtext--*.sql
    for folder in /var/tmp/lmtext-*; do
        clean_other "$folder"
    done
}

clean_other() {
    [ -d "$1" ] || return 0
    owner=$(cat "$1/checkout" 2>/dev/null || true)
    if [ -n "$owner" ] && [ ! -d "$owner" ]; then
        stop_postmasters_below "$1"
        remove_folder "$1"
    else
        echo "kept $1 ($(du -sh "$1" 2>/dev/null | cut -f1)), of ${owner:-another checkout or of all}; to remove it: rm -rf $1"
    fi
}

remove_folder() {
    [ -d "$1" ] || return 0
    unmount_below "$1"
    echo "removing $1 ($(du -sh "$1" 2>/dev/null | cut -f1))"
    remove "$1"
}
