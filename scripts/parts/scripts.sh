# scripts.sh - the scripts themselves, on a copy of the checkout that is interrupted and cleaned.

part_scripts() {
    job scripts "library pg-15 model" check_scripts
    job meta "" check meta python3 -B scripts/check-meta META.json lmtext.control
}

# With what is built, so that it is not built again.
check_scripts() {
    PG_MAJOR=15
    pg_layout
    copy=$(server_home)/scripts-test
    rm -rf "$copy"
    copy_checkout "$copy"
    ln -s "$BUILD/models" "$copy/build/models"
    cp -a "$PG_COPY" "$copy/build/$(basename "$PG_COPY")"
    cp -a "$BUILD/engine-alone" "$BUILD/source-15" "$copy/build/"
    check_lines scripts python3 -B test/scripts/check.py "$copy"
    stop_postmasters_below "$copy"
    rm -rf "$copy"
}

# The checkout, with what is compiled, in another folder.
copy_checkout() {
    mkdir -p "$1/build"
    find . -path ./build -prune -o -path ./.git -prune -o -type f -print | tar -cf - -T - | tar -xf - -C "$1"
}
