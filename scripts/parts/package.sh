# package.sh - the Debian package, built and installed by the lines of the Dockerfile in empty Debian systems. About four
# minutes, of which three are apt's: in CI each fifth commit, and while what makes the package differs from the last whole run's.

part_package() {
    in_turn 1 5 ||
        changed_since_compared debian Dockerfile META.json lmtext.control test/package || return 0
    job package "" check_package
}

check_package() {
    work=$(server_home)/package
    as_root rm -rf "$work"
    mkdir -p "$work"
    check_lines package run_package "$ROOT" "$work"
    as_root rm -rf "$work"
}

# In namespaces of its own, so that neither a mount nor a process outlives it. What it reads ends with this shell, and it
# with that: who may not signal root's processes stops it, too.
run_package() {
    while echo && sleep 1; do :; done | as_root env SSL_CERT_FILE="${SSL_CERT_FILE:-}" PATH="$PATH:/usr/sbin:/sbin" \
        unshare --mount --pid --fork --kill-child --mount-proc python3 -B test/package/check.py "$@"
}
