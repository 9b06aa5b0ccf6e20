# processes.sh - what the scripts know of processes; sourced by lib.sh and apt-install. Linux: /proc is read, since ps may
# not be installed.

# PIDs of the named processes that are alive, and of all processes below them.
process_tree() {
    cat /proc/[0-9]*/stat 2>/dev/null | sed -n 's/^\([0-9]*\) (.*) \([A-Z]\) \([0-9]*\) .*/\1 \2 \3/p' |
        awk -v roots="$*" '
            $2 != "Z" { parent[$1] = $3 }
            END {
                n = split(roots, root, " ")
                for (i = 1; i <= n; i++) inside[root[i]] = 1
                do {
                    more = 0
                    for (p in parent) if (!(p in inside) && parent[p] in inside) more = inside[p] = 1
                } while (more)
                for (p in inside) if (p in parent) print p
            }'
}

# Those of the named processes that are alive. (A zombie is not.)
living() {
    for pid in "$@"; do
        case $(sed -n 's/^.*) \([A-Z]\) .*/\1/p' "/proc/$pid/stat" 2>/dev/null) in
        "" | Z) ;;
        *) echo "$pid" ;;
        esac
    done
}

# wait_for_end TENTHS PID …: false when some live on after so many tenths of a second.
wait_for_end() {
    tenths=$1
    shift
    while [ -n "$(living "$@")" ]; do
        [ "$tenths" -gt 0 ] || return 1
        tenths=$((tenths - 1))
        sleep 0.1
    done
}

# End processes and all below them. They are stopped first: what runs could start another.
end_tree() {
    doomed=
    found=$(process_tree "$@")
    while [ "$found" != "$doomed" ]; do
        doomed=$found
        # shellcheck disable=SC2086
        [ -z "$doomed" ] || kill -STOP $doomed 2>/dev/null || true
        found=$(process_tree "$@")
    done
    [ -n "$doomed" ] || return 0
    # shellcheck disable=SC2086 # a list of numbers
    {
        kill -TERM $doomed 2>/dev/null || true
        kill -CONT $doomed 2>/dev/null || true
        wait_for_end 80 $doomed || kill -KILL $(living $doomed) 2>/dev/null || true
        wait_for_end 20 $doomed || true
    }
}

# Postmasters whose data folders are below the named folders: PID and data folder. A postmaster's working directory is
# its data folder, so that a number that another process has by now is not taken for it.
postmasters_below() {
    find "$@" -name postmaster.pid -type f 2>/dev/null | while read -r file; do
        pid=$(sed -n 1p "$file" 2>/dev/null)
        data=$(dirname "$file")
        [ "$(readlink "/proc/$pid/cwd" 2>/dev/null)" != "$(readlink -f "$data")" ] || echo "$pid $data"
    done
}

# Stop those whose data is not needed any more: at once, without a checkpoint.
stop_postmasters_below() {
    servers=$(postmasters_below "$@" | cut -d' ' -f1)
    [ -n "$servers" ] || return 0
    # shellcheck disable=SC2086
    {
        kill -QUIT $servers 2>/dev/null || true
        # It kills a backend that does not stop after 5 s.
        wait_for_end 100 $servers || end_tree $servers
    }
}
