# live.sh - comparisons with the reference libraries, on the Debian corpus and its translations and on what is drawn at random.
#
# In CI a tenth of everything, which the commit chooses; a fifth where what is compared has changed since the commit that
# test/compared.txt names, whose whole comparison passed. (A checkout may not have that commit: then a tenth.) Of the sets of the
# tokenizers, which take as long as all else here, a third in turn where neither has changed those rooms.

# Without torch, which the tokenizers do not need. A later sentence-transformers is for whoever raises the number: its new
# keys turn this part red.
step reference "" need_venv reference transformers==5.23.0 tokenizers==0.23.3 numpy sentencepiece==0.2.3 protobuf==7.36.2
step live "" need_venv live torch==2.13.0 transformers==5.23.0 tokenizers==0.23.3 numpy sentence-transformers==6.2.0
step text-measures "" need_venv text-measures sacrebleu==2.6.0 rouge-score==0.1.2 nltk==3.10.4 jiwer==4.0.0
step scores "" need_venv scores scikit-learn==1.9.1 scipy==1.17.1 seqeval==1.2.2
# Version 5 has no pipeline for questions. All else that it needs is the later venv's: torch is large.
step old-reference "live" make_old_reference
step corpus "" fetch_corpus
step mpnet "" fetch_mpnet

make_old_reference() {
    need_venv old --no-deps transformers==4.57.6 'huggingface-hub<1.0' 'tokenizers<0.23' requests urllib3 idna certifi charset-normalizer
    "$BUILD/live/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))' >"$BUILD/old.pth"
    cp "$BUILD/old.pth" "$("$BUILD/old/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/zz_live.pth"
}

fetch_corpus() {
    corpus=$BUILD/corpus-all
    [ -s "$corpus/corpus.jsonl" ] || python3 scripts/debian-corpus.py --out-dir "$corpus"
}

fetch_mpnet() {
    sh models/fetch.sh mpnet >"$LOGS/mpnet.log"
}

# PATH …: has any of them changed since the last whole comparison?
changed_since_compared() {
    compared=$(sed -n '/^[0-9a-f]\{40\}$/p' test/compared.txt)
    git cat-file -e "$compared^{commit}" 2>/dev/null || return 1
    ! git diff --quiet "$compared" -- "$@"
}

# PATH …: the share of the texts, K/N. (Without paths a tenth in any case: of comparisons whose reference takes seconds a text.)
share_of() {
    parts=10
    [ $# = 0 ] || ! changed_since_compared "$@" || parts=5
    [ "$LMTEXT_EFFORT" = ci ] || parts=1
    echo "$(($(commit_number) % parts))/$parts"
}

# GROUP of the tokenizers' sets: has it its turn?
group_has_turn() {
    # shellcheck disable=SC2086 # a list of paths
    in_turn $(($1 % 3)) 3 || changed_since_compared $TOKENIZER_ROOMS || commit_changes $TOKENIZER_ROOMS
}

TOKENIZER_ROOMS="src/engine/token src/engine/base"
# The real model's sets of texts, and the small tokenizers.
# They go in nine groups, since a process takes a second to begin.
LIVE_SETS="scalars words torture fuzz long options debian speed $(basename -s .tokenizer.json test/golden/tokenizer/*.tokenizer.json | tr '\n' ' ')"
MODEL_ROOMS="src/engine/family src/engine/nn src/engine/kernels src/engine/model src/engine/task"

part_live() {
    texts=$(share_of $TOKENIZER_ROOMS)
    for group in 1 2 3 4 5 6 7 8 9; do
        group_has_turn $group || continue
        job "live-tokenizer/$group" "reference unit-programs model corpus" compare_tokenizers "$group" "$texts"
    done
    job live-random-tokenizers "reference unit-programs" compare_drawn random-tokenizers 1000 "$texts"
    job live-regex "reference unit-programs" compare_drawn regex 1000 "$texts"
    job live-tokenizer-files "reference unit-programs" compare_drawn tokenizer-files 400 "$texts"
    job live-older-tokenizers "reference unit-programs" compare_drawn older-tokenizers 300 "$texts"
    ! in_turn 1 3 || job live-keys "live unit-programs model" compare_keys
    texts=$(share_of $TOKENIZER_ROOMS $MODEL_ROOMS)
    job live-embedding "live pg-15 fixtures corpus" compare_embeddings "$texts"
    ! in_turn 0 3 || job live-tags "live pg-15 fixtures corpus" compare_tags "$texts"
    ! in_turn 2 3 || job live-pairs "live old-reference pg-15 fixtures corpus" compare_pairs "$(share_of)"
    ! in_turn 2 3 || job live-folders "live pg-15 fixtures" compare_folders
    ! in_turn 0 3 || job live-text-measures "text-measures pg-15 fixtures" compare_text_measures "$(share_of src/engine/metrics src/engine/base)"
    ! in_turn 2 3 || job live-scores "scores pg-15 fixtures" compare_scores
    turn=0
    for kind in static sparse late explain; do
        ! in_turn $turn 4 || job "live-drawn-$kind" "live pg-15 fixtures" compare_drawn_models "$kind" "$texts"
        turn=$((turn + 1))
    done
    # It fetches 400 MB and takes minutes.
    case $LMTEXT_EFFORT in
    all | long) job live-real "live mpnet pg-15 corpus" compare_real ;;
    esac
}

# Headers of safetensors files: what the reference rejects is rejected.
part_headers() {
    job headers "reference unit-programs" compare_headers
}

# VENV SCRIPT ARGUMENT …: what is imported is compiled once.
by_python() {
    venv=$1
    shift
    env -u PYTHONDONTWRITEBYTECODE PYTHONPYCACHEPREFIX="$BUILD/pycache" "$BUILD/$venv/bin/python" "$@"
}

# IN_CI ELSE LONG
texts_of_each() {
    case $LMTEXT_EFFORT in
    ci) echo "$1" ;;
    long) echo "$3" ;;
    *) echo "$2" ;;
    esac
}

live_effort() {
    texts_of_each "$1" "$1" "$2"
}

# The sets of a group.
sets_of() {
    echo "$LIVE_SETS" | tr ' ' '\n' | grep . | sed -n "$1~9p" | tr '\n' ','
}

# GROUP SHARE. With --long every translation and every character.
compare_tokenizers() {
    # shellcheck disable=SC2046 # an option or nothing
    check_lines "live-tokenizer/$1" by_python reference scripts/compare-tokenizers.py $(live_effort "" --long) \
        --program "$BUILD/unit/tools/tokenize_lines" --model "$LMTEXT_MINILM" --cache "$BUILD/corpus-all" \
        --only "$(sets_of "$1")" --share "$2"
}

# SCRIPT COUNT SHARE: each commit draws others.
compare_drawn() {
    count=$(live_effort "$2" "${2}0")
    seed=13
    [ "$3" = 0/1 ] || seed=$(commit_number) count=$((count / 10))
    check_lines "live-$1" by_python reference "scripts/compare-$1.py" \
        --program "$BUILD/unit/tools/tokenize_lines" --count "$count" --seed "$seed"
}

compare_keys() {
    check_lines live-keys by_python live scripts/compare-keys.py \
        --program "$BUILD/unit/tools/list_keys" --model "$LMTEXT_MINILM"
}

compare_embeddings() {
    start_server 15
    check_lines live-embedding by_python live scripts/compare-embeddings.py --model "$LMTEXT_MINILM" \
        --corpus "$BUILD/corpus-all/corpus.jsonl" --each "$(texts_of_each 12 40 100)" --share "$1"
}

compare_tags() {
    start_server 15
    check_lines live-tags by_python live scripts/compare-tags.py --model "$LMTEXT_MINILM" \
        --corpus "$BUILD/corpus-all/corpus.jsonl" --each "$(texts_of_each 1 10 50)" --share "$1"
}

compare_pairs() {
    start_server 15
    check_lines live-pairs by_python live scripts/compare-pairs.py --model "$LMTEXT_MINILM" \
        --corpus "$BUILD/corpus-all/corpus.jsonl" --each "$(live_effort 1 5)" --share "$1" --old "$BUILD/old/bin/python"
}

compare_folders() {
    start_server 15
    share=0/1
    [ "$LMTEXT_EFFORT" != ci ] || share=$(($(commit_number) / 3 % 2))/2
    check_lines live-folders by_python live scripts/compare-folders.py --model "$LMTEXT_MINILM" --share $share
}

# Each commit draws others.
compare_scores() {
    start_server 15
    check_lines live-scores by_python scores scripts/compare-scores.py --count "$(texts_of_each 40 200 2000)" \
        --seed "$(($(commit_number) + 1))"
}

# KIND SHARE: each commit draws others.
compare_drawn_models() {
    start_server 15
    count=$(live_effort 40 400)
    seed=13
    [ "$2" = 0/1 ] || seed=$(commit_number) count=$((count / 10))
    check_lines "live-drawn-$1" by_python live scripts/compare-drawn-models.py --kind "$1" --count "$count" --seed "$seed"
}

# SHARE: each commit draws others. (The references take seconds for a hundred texts.)
compare_text_measures() {
    start_server 15
    count=$(live_effort 250 2500)
    seed=1
    [ "$1" = 0/1 ] || seed=$(commit_number) count=$((count / 10))
    check_lines live-text-measures by_python text-measures scripts/compare-text-measures.py --count "$count" --seed "$seed"
}

compare_real() {
    start_server 15
    check_lines live-real by_python live scripts/compare-real.py --model "$BUILD/models/mpnet" \
        --corpus "$BUILD/corpus-all/corpus.jsonl" --count 200
}

compare_headers() {
    count=$(live_effort 20000 100000)
    seed=1
    [ "$LMTEXT_EFFORT" != ci ] || seed=$(commit_number) count=2000
    check_lines headers by_python reference scripts/compare-safetensors.py \
        --program "$BUILD/unit/tools/check_headers" --count "$count" --seed "$seed"
}
