# fuzz.sh - parts that fuzz the engine (test/fuzz): replay of the corpora by any compiler, and libFuzzer.

step replay-programs "" build_fuzz replay
step fuzz-programs "" build_fuzz fuzz FUZZ=1 CC=clang-14

# TARGET … by the files of test/fuzz.
fuzz_targets() {
    for file in test/fuzz/fuzz_*.c; do
        basename "$file" .c | sed 's/^fuzz_//'
    done
}

# FOLDER MAKE_ARGUMENT …
build_fuzz() {
    folder=$1
    shift
    make -s -j2 -f test/fuzz/Makefile O="$MAKE_BUILD/$folder" "$@" >"$LOGS/build-$folder.log" 2>&1 ||
        { tail -n 40 "$LOGS/build-$folder.log"; die "the fuzz targets do not build ($folder)"; }
}

# Every file of the corpora, by gcc with ASan and UBSan, on a stack that no recursion fits into. In CI the part fuzz does it,
# in its turn: a target begins with its corpus.
part_replay() {
    [ "$LMTEXT_EFFORT" != ci ] || return 0
    for target in $(fuzz_targets); do
        job "replay/$target" replay-programs replay_corpus "$target"
    done
}

replay_corpus() {
    check_lines "fuzz/$1" run_small_stack "$BUILD/replay/$1" "$1" "test/fuzz/corpus/$1"
}

# LMTEXT_FUZZ_SECONDS overrides the time for each target.
part_fuzz() {
    in_turn 1 3 || return 0
    for target in $(fuzz_targets); do
        job "fuzz/$target" fuzz-programs check_lines "fuzz-$target" run_fuzzer "$target"
    done
}

# Seconds for each target.
fuzz_seconds() {
    case $LMTEXT_EFFORT in
    quick) echo 10 ;;
    ci) echo 20 ;;
    all) echo 60 ;;
    long) echo 600 ;;
    esac
}

# One target under libFuzzer, until its first crash; what it finds beyond the corpus goes to a folder of its own. Its stack is
# too small for recursion, too.
run_fuzzer() {
    ulimit -s 512
    seconds=${LMTEXT_FUZZ_SECONDS:-$(fuzz_seconds)}
    found=$BUILD/fuzz/found/$1
    dictionary=$BUILD/fuzz/$1.dict
    mkdir -p "$found" "$BUILD/fuzz/new/$1"
    case $1 in
    text | regex) cat "test/fuzz/$1.dict" ;;
    json) cat test/fuzz/json.dict ;;
    model) cat test/fuzz/json.dict test/fuzz/tensors.dict test/fuzz/config.dict test/fuzz/tokenizer.dict ;;
    *) cat test/fuzz/json.dict "test/fuzz/$1.dict" ;;
    esac >"$dictionary"
    # Stacks of allocations cost a fifth of the time; the reproducer shows them without this option.
    if ASAN_OPTIONS=malloc_context_size=1:quarantine_size_mb=32 "$BUILD/fuzz/$1" -max_total_time="$seconds" -max_len=6000 -timeout=5 -rss_limit_mb=1024 \
        -dict="$dictionary" -print_final_stats=1 -verbosity=1 -artifact_prefix="$found/" \
        "$BUILD/fuzz/new/$1" "test/fuzz/corpus/$1" >"$LOGS/libfuzzer-$1.log" 2>&1; then
        echo "ok $1: $(sed -n 's/^stat::number_of_executed_units: *//p' "$LOGS/libfuzzer-$1.log") inputs in $seconds s"
    else
        grep -B 3 -A 25 'the property does not hold\|runtime error\|ERROR: ' "$LOGS/libfuzzer-$1.log" | head -n 40
        sed -n 's/.*Test unit written to /reproducer: /p' "$LOGS/libfuzzer-$1.log"
        echo "not ok $1"
    fi
}
