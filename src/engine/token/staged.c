/*
 * staged.c - normalize, look for normalized added tokens, cut into words, split words into pieces.
 */
#include "token/staged.h"

#include "base/utf8.h"
#include "token/match.h"
#include "token/normalize.h"
#include "token/pretokenize.h"
#include "token/split.h"
#include "token/wordpiece.h"

#define WORDS_PER_POLL 4096

/* The words of scratch->chars.c[start, stop). */
static lm_status
run_words(lm_run *run, size_t start, size_t stop)
{
    lm_token_scratch *scratch = run->scratch;
    const lm_chars *chars = &scratch->chars;

    LM_TRY(
        lm_pretokenizer_run(run->ctx, &run->image->pretokenizer, chars->c, start, stop, scratch));
    for (size_t i = 0; i < scratch->words.count && !lm_run_full(run); i++) {
        lm_range word = scratch->words.items[i];

        if (i % WORDS_PER_POLL == 0)
            LM_TRY(lm_poll(run->ctx));
        LM_TRY(lm_wordpiece_run(run, chars->c + word.start, chars->at + word.start,
                                word.stop - word.start));
    }
    return LM_OK;
}

/* Stretches between added tokens, found in bytes; `c` follows them in characters. */
static lm_status
run_splits(lm_run *run)
{
    lm_token_scratch *scratch = run->scratch;
    lm_split split;
    size_t byte = 0, c = 0;

    LM_TRY(lm_chars_encode(run->ctx, &scratch->chars, &scratch->utf8));
    lm_split_init(&split, run->ctx, run->image, &run->image->normalized, scratch->utf8.data,
                  scratch->utf8.size, run->parse_special);
    while (!lm_run_full(run) && lm_split_next(&split)) {
        size_t start, stop;

        LM_TRY(lm_poll(run->ctx));
        if (split.start >= byte)
            start = c + lm_utf8_count(scratch->utf8.data + byte, split.start - byte);
        else
            start = c - lm_utf8_count(scratch->utf8.data + split.start, byte - split.start);
        stop = start + lm_utf8_count(scratch->utf8.data + split.start, split.stop - split.start);
        byte = split.stop;
        c = stop;
        if (split.id < 0)
            LM_TRY(run_words(run, start, stop));
        else if (start < stop)
            lm_run_emit(run, split.id, scratch->chars.at, start, stop, run->offsets);
    }
    return split.status == LM_OK ? run->status : split.status;
}

/*
 * White space of ASCII is never dropped, composes with nothing, stands between marks that are put
 * into order, and ends a word where the pre-tokenizer says so. Normalized added tokens may hold it,
 * or look at what is beside them.
 */
lm_status
lm_staged_stop(lm_run *run, const char *text, size_t byte, size_t stop, size_t wanted, size_t *end)
{
    const lm_token_image *image = run->image;

    *end = stop;
    if (stop - byte <= wanted || !lm_matcher_is_empty(&image->normalized) ||
        lm_pretokenizer_role(&image->pretokenizer, ' ') != LM_ROLE_SPACE)
        return LM_OK;
    for (size_t at = byte + wanted; at < stop; at++) {
        if (text[at] == ' ' || text[at] == '\n' || text[at] == '\t' || text[at] == '\r') {
            *end = at;
            return LM_OK;
        }
        LM_TRY(lm_run_poll(run->ctx, at));
    }
    return LM_OK;
}

/* All arrays are the scratch's: nothing is allocated once they have grown. */
lm_status
lm_staged_run(lm_run *run, const char *text, size_t length, int32_t first)
{
    lm_token_scratch *scratch = run->scratch;

    LM_TRY(lm_chars_decode(run->ctx, &scratch->chars, text, length, first));
    LM_TRY(lm_normalizer_run(run->ctx, &run->image->normalizer, &scratch->chars, &scratch->spare));
    if (lm_matcher_is_empty(&run->image->normalized))
        return run_words(run, 0, scratch->chars.count);
    return run_splits(run);
}
