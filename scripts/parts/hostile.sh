# hostile.sh - damaged model folders without a server, and comparisons that need long loops. (test/t/050_*.pl has the
# same folders through SQL.)

# As an import opens them, with sanitizers and a small stack.
part_hostile() {
    need_part hostile
    build_units sanitize address,undefined
    corpus=$BUILD/hostile
    rm -rf "$corpus"
    check hostile-corpus python3 -B test/hostile/make.py models/tiny "$corpus" "$(short_effort)"
    check_lines hostile run_small_stack "$BUILD/sanitize/tools/check_folders" "$corpus"
    rm -rf "$corpus"
}

run_small_stack() (
    ulimit -s 256
    exec "$@"
)

# Headers of safetensors files: what the reference rejects is rejected.
part_headers() {
    need_venv live "torch==2.13.0" "transformers==5.23.0" "tokenizers==0.23.3" numpy
    build_units unit ""
    count=20000
    [ "$LMTEXT_EFFORT" != long ] || count=100000
    check_lines headers "$BUILD/live/bin/python" scripts/compare-safetensors.py \
        --program "$BUILD/unit/tools/check_headers" --count $count
}

# Texts that are made to be slow.
part_linear() {
    need_part linear
    need_model
    build_units unit ""
    size=0.5
    [ "$LMTEXT_EFFORT" != long ] || size=4
    check_lines linear python3 scripts/check-linear.py --program "$BUILD/unit/tools/tokenize_lines" \
        --model "$LMTEXT_MINILM" --megabytes $size
}
