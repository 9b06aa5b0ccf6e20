# scripts.sh - the scripts themselves, on a copy of the checkout that is interrupted and cleaned.

part_scripts() {
    need_part scripts
    need_model
    install_private
    copy=$(server_home)/scripts-test
    rm -rf "$copy"
    copy_checkout "$copy"
    ln -s "$BUILD/models" "$copy/build/models"
    cp -a "$PG_COPY" "$copy/build/pg"
    check_lines scripts python3 -B test/scripts/check.py "$copy"
    stop_postmasters_below "$copy"
    rm -rf "$copy"
    check meta python3 -B scripts/check-meta META.json lmtext.control
}

# The checkout, with what is compiled, in another folder.
copy_checkout() {
    mkdir -p "$1/build"
    find . -path ./build -prune -o -path ./.git -prune -o -type f -print | tar -cf - -T - | tar -xf - -C "$1"
}
