#!/bin/sh
# run.sh - lmtext beside its peers, in one interleaved run on this machine; prints Markdown tables.
#
#   sh bench/run.sh                 every part
#   sh bench/run.sh PART …          only: tokenizer embed sizes static quantize query search index words cutoff memory prediction_cache table writes worker jobs flood train filter active tuned smaller entities bilstm avx2
#   sh bench/run.sh --level avx2 …  lmtext and the peers (torch, OpenVINO) at most at that instruction level
#
# The part avx2 is embed at that level. At the end stand the figures that have a goal.
#
# Makes a venv with the peers in the build folder, builds lmtext, and starts private servers
# (PostgreSQL 15 for lmtext; 16 with pgvector for search). Every process computes on one thread
# unless a row says otherwise. LMTEXT_DATA names a folder with banking77/ for the parts `train`, `filter`, `active`, `tuned` and `smaller`
# with clinc150/ for `cutoff` and with stsb/ for the part `quantize`; LMTEXT_ROWS says how many rows the parts `jobs` and `index` have.
set -eu
cd "$(dirname "$0")/.."
. scripts/lib.sh
only_one

cap() {
    LMTEXT_LEVEL=$1
    ONEDNN_MAX_CPU_ISA=$(echo "$1" | tr '[:lower:]' '[:upper:]')
    export LMTEXT_LEVEL ONEDNN_MAX_CPU_ISA
}

if [ "${1:-}" = --level ]; then
    cap "$2"
    shift 2
fi
PARTS=${*:-tokenizer embed sizes static quantize query search index words cutoff memory prediction_cache table writes worker jobs flood train filter active tuned smaller entities bilstm avx2}
export OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 MKL_NUM_THREADS=1 RAYON_NUM_THREADS=1
export TOKENIZERS_PARALLELISM=false
# What is printed are tables: no line in between says how long a step takes.
export LMTEXT_QUIET=1

install_private
need_venv bench "torch==2.13.0" "transformers==5.23.0" "tokenizers==0.23.3" \
    "onnx==1.23.2" "onnxruntime==1.32.0" "openvino==2026.4.1" sympy "psycopg[binary]" numpy "scikit-learn==1.9.1" "model2vec==0.10.0"
# As the part `live` of the tests has it: seqeval is there.
need_venv scores scikit-learn==1.9.1 scipy==1.17.1 seqeval==1.2.2
make -s -j2 -f test/Makefile O="$MAKE_BUILD/unit" "$MAKE_BUILD/unit/bench/engine_embed" \
    "$MAKE_BUILD/unit/bench/engine_tokenize" "$MAKE_BUILD/unit/bench/engine_quantize"
model=$(sh models/fetch.sh minilm)
staged=$(server_home)/models-bench
mkdir -p "$staged"
cp -RL "$model" "$staged/"
rm -rf "$staged/minilm_int8" "$staged/tiny"
cp -R models/tiny/bert "$staged/tiny"
chmod -R a+rX "$staged"
[ "$(id -u)" != 0 ] || chown postgres "$staged"
[ -s "$BUILD/corpus/corpus.jsonl" ] ||
    python3 scripts/debian-corpus.py --out-dir "$BUILD/corpus" --langs en,de,fr,ja,it,es,zh_CN

export LMTEXT_BUILD="$BUILD" LMTEXT_MINILM="$staged/minilm" LMTEXT_CLUSTER=bench
stop_servers() {
    for LMTEXT_PG in 15 16; do
        export LMTEXT_PG
        sh scripts/cluster.sh destroy
    done
}
trap stop_servers EXIT
trap 'exit 1' INT TERM
for LMTEXT_PG in 15 16; do
    export LMTEXT_PG
    sh scripts/cluster.sh destroy
    sh scripts/cluster.sh start
    eval "$(sh scripts/cluster.sh env | sed -n 's/^PGHOST=/export LMTEXT_HOST_'$LMTEXT_PG'=/p')"
done
export LMTEXT_GOALS="$BUILD/bench/goals.jsonl"
rm -f "$LMTEXT_GOALS"
measure() { "$BUILD/bench/bin/python" "bench/$1.py"; }
measure machine
for part in $PARTS; do
    case $part in
    avx2) (cap avx2 && measure bench_embed) ;;
    *) measure "bench_$part" ;;
    esac
done
[ ! -s "$LMTEXT_GOALS" ] || measure goals
