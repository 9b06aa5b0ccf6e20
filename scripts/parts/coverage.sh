# coverage.sh - what the tests reach of src/, counted by gcov and judged by scripts/check-coverage.

# What is measured is compiled with --coverage and without optimisation, the rest as always, so that the tests keep their
# speed: kernels are measured by their own check, that of levels and that of int8 codes, the other rooms of the engine by its
# tests, src/pg by a server's. What these tests say is judged where all is compiled as always, since some look at the clock;
# here only the loops of faults are. A run that ends early shows in the counts.
COVERAGE_FLAGS="--coverage -O0"
# Vectors that stay in memory between two instructions cost the kernels thirty times as much.
KERNEL_COVERAGE_FLAGS="--coverage -O1"
# Jobs that run the units.
UNIT_SHARES=4

step coverage-programs "engine" build_coverage_programs
step coverage-server "engine" build_coverage_server

part_coverage() {
    in_turn 0 3 || return 0
    counted=
    for share in $(seq 0 $((UNIT_SHARES - 1))); do
        job "coverage-units-$share" coverage-programs count_units "$share"
        counted="$counted coverage-units-$share"
    done
    job coverage-kernels coverage-programs count_kernels
    job coverage-sql "coverage-server model" count_sql
    job coverage-faults "coverage-sql library" count_faults
    job coverage "coverage-kernels coverage-faults$counted" judge_coverage
}

find_coverage() {
    units=$MAKE_BUILD/coverage/units
    kernels=$MAKE_BUILD/coverage/kernels
    copy=$(server_home)/coverage-server
}

# Programs of test/ in the build folder; not test_minilm, which takes the same ways as the golden models do. What is not
# measured is as the library has it: the kernels beneath the other rooms, and these beside the kernels.
build_coverage_programs() {
    find_coverage
    rm -rf "$units" "$kernels"
    copy_objects "$units" -path '*/kernels/*'
    copy_objects "$kernels" ! -path '*/kernels/*'
    # shellcheck disable=SC2046
    {
        make -s -j2 -f test/Makefile O="$units" OPTIMIZE="$COVERAGE_FLAGS" \
            $(find test/unit -name 'test_*.c' ! -name test_minilm.c | sed "s#^test/\(.*\).c\$#$units/\1#") &&
            make -s -j2 -f test/Makefile O="$kernels" OPTIMIZE="$KERNEL_COVERAGE_FLAGS" "$kernels/kernels/check" \
                "$kernels/unit/test_levels" "$kernels/unit/test_quantize"
    } >"$LOGS/build-coverage.log" 2>&1 ||
        { tail -n 40 "$LOGS/build-coverage.log"; die "the engine's tests do not build (coverage)"; }
}

# FOLDER CONDITION …: the engine's objects for which find's condition holds, as they are in the library.
copy_objects() {
    to=$1
    shift
    find src/engine -name '*.o' "$@" | while read -r object; do
        mkdir -p "$to/$(dirname "${object#src/}")"
        cp -p "$object" "$to/${object#src/}"
    done
}

# SHARE: each n-th program; what several count of one object at a time, gcov's library adds up under a lock. Without the
# two cases that go through all of Unicode: without optimisation they take minutes.
count_units() {
    find_coverage
    number=0
    for program in "$units"/unit/test_*; do
        case $program in *.d | *.gc*) continue ;; esac
        number=$((number + 1))
        [ $((number % UNIT_SHARES)) = "$1" ] || continue
        LMTEXT_STRIDE=16 "$program" -blocks >"$LOGS/coverage-$(basename "$program").log" 2>&1 || true
    done
}

count_kernels() {
    find_coverage
    {
        "$kernels/kernels/check" || true
        "$kernels/unit/test_levels" || true
        "$kernels/unit/test_quantize" coding || true
    } >"$LOGS/coverage-kernels.log" 2>&1
}

# TAP files whose ways through the code no SQL test takes.
COVERAGE_TAP="010_cache 011_slots 020_models 031_runs 032_checkpoints 033_team 034_spill 070_stats 071_health 080_roles 140_jobs 141_schedule 143_prediction_cache 145_cluster 147_versions 148_job_faults 150_index 151_search 152_index_words 153_index_lists 154_index_damage"

# A copy of the checkout, so that its servers and its installed extension are its own: in the folder of
# servers, where their user may write the counts beside the objects.
build_coverage_server() {
    find_coverage
    [ ! -d "$copy" ] || (cd "$copy" && sh scripts/cluster.sh stop)
    rm -rf "$copy"
    mkdir -p "$copy/build"
    find . -path ./build -prune -o -path ./.git -prune -o -path './src/pg/*.[od]' -o -type f ! -name '*.so' -print |
        tar -cf - -T - | tar -xf - -C "$copy"
    ln -s "$BUILD/models" "$copy/build/models"
    rm -f "$copy"/test/t/[0-9]*.pl
    for name in $COVERAGE_TAP; do
        cp "test/t/$name.pl" "$copy/test/t/"
    done
    (
        cd "$copy"
        export LMTEXT_DEBUG=1
        make -s -j2 PG_CONFIG="$PG_HOME/bin/pg_config" COPT="$COVERAGE_FLAGS" && find src -type d -exec chmod a+w {} +
    ) >"$LOGS/build-coverage-pg.log" 2>&1 ||
        { tail -n 40 "$LOGS/build-coverage-pg.log"; die "the extension does not build (coverage)"; }
}

# PART …: a run in the copy, of what is built there, with a lock of its own.
run_in_copy() (
    cd "$copy"
    export LMTEXT_DEBUG=1 LMTEXT_BUILT=1 LMTEXT_ASSERTS= LMTEXT_WORKERS=2
    unset LMTEXT_BUILD LMTEXT_INSTALLED
    exec sh scripts/test.sh "$@" 9>&-
)

count_sql() {
    find_coverage
    unset LMTEXT_TAP
    LMTEXT_EFFORT=quick run_in_copy sql tap >"$LOGS/coverage-server.log" 2>&1 || true
}

count_faults() {
    find_coverage
    check_no_faults "$copy/lmtext.so"
    cp test/faults/060_faults.pl "$copy/test/t/"
    LMTEXT_FAULT_POINTS=$(fault_points) LMTEXT_EFFORT=$(short_effort) LMTEXT_TAP='060*'
    export LMTEXT_FAULT_POINTS LMTEXT_EFFORT LMTEXT_TAP
    run_in_copy tap >"$LOGS/coverage-faults.log" 2>&1 || tail -n 60 "$LOGS/coverage-faults.log"
    check_lines coverage cat "$copy/build/results.txt"
}

judge_coverage() {
    find_coverage
    check_lines coverage python3 scripts/check-coverage --report "$BUILD/coverage/unreached.txt" \
        "$BUILD/coverage/units" "$BUILD/coverage/kernels" "$copy/src/pg"
}
