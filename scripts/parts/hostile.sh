# hostile.sh - damaged model folders without a server, and comparisons that need long loops. (test/t/050_*.pl has the
# same folders through SQL.)

part_hostile() {
    in_turn 2 3 || return 0
    SANITIZED="$SANITIZED tools/check_folders"
    job hostile sanitized-programs check_hostile
}

# As an import opens them, with sanitizers and a small stack.
check_hostile() {
    corpus=$BUILD/hostile
    rm -rf "$corpus"
    check hostile-corpus python3 -B test/hostile/make.py models/tiny "$corpus" "$(short_effort)"
    # In CI half of them, in turn: SQL imports all of them in every run.
    share_of_lines 2 <"$corpus/index.tsv" >"$corpus/index.new"
    mv "$corpus/index.new" "$corpus/index.tsv"
    check_lines hostile run_small_stack "$BUILD/sanitize/tools/check_folders" "$corpus"
    rm -rf "$corpus"
}

run_small_stack() (
    ulimit -s 256
    exec "$@"
)

# Texts that are made to be slow.
part_linear() {
    in_turn 1 3 || return 0
    job linear "unit-programs model" check_linear
}

check_linear() {
    share=0/1
    case $LMTEXT_EFFORT in
    ci) size=0.25 share=$(($(commit_number) / 3 % 3))/3 ;;
    long) size=4 ;;
    *) size=0.5 ;;
    esac
    check_lines linear python3 scripts/check-linear.py --program "$BUILD/unit/tools/tokenize_lines" \
        --model "$LMTEXT_MINILM" --megabytes $size --share "$share"
}
