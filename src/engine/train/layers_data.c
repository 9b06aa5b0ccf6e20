/*
 * layers_data.c - texts of rows to ids.
 */
#include "train/layers_data.h"

#include <string.h>

#include "base/lower.h"
#include "base/utf8.h"

#define UNKNOWN 1 /* the second special word */

lm_status
lm_layers_data_open(lm_layers_data *data, lm_context *ctx, const lm_layers_task *task)
{
    static const size_t zero;

    *data = (lm_layers_data){.ctx = ctx,
                             .task = task,
                             .cut = {"whitespace", false, 30000, 1, "<pad>", "<unk>"},
                             .longest = LM_LAYERS_LENGTH};
    lm_vocabulary_init(&data->vocabulary, ctx);
    lm_buffer_init(&data->tokens, ctx);
    lm_letters_init(&data->letters, ctx);
    lm_buffer_init(&data->spelled, ctx);
    lm_buffer_init(&data->offsets, ctx);
    lm_buffer_init(&data->targets, ctx);
    lm_buffer_init(&data->lower, ctx);
    lm_buffer_init(&data->variant, ctx);
    lm_augmented_open(&data->augmented, ctx, &(lm_augmented_options){.count = 0});
    lm_train_labels_init(&data->labels, ctx);
    lm_stretches_init(&data->spans, ctx);
    lm_encoding_init(&data->encoding, ctx);
    LM_TRY(lm_token_scratch_create(ctx, &data->scratch));
    return lm_buffer_append(&data->offsets, &zero, sizeof zero);
}

void
lm_layers_data_close(lm_layers_data *data)
{
    lm_vocabulary_free(&data->vocabulary);
    lm_buffer_free(&data->tokens);
    lm_letters_free(&data->letters);
    lm_buffer_free(&data->spelled);
    lm_buffer_free(&data->offsets);
    lm_buffer_free(&data->targets);
    lm_buffer_free(&data->lower);
    lm_buffer_free(&data->variant);
    lm_augmented_close(&data->augmented);
    lm_free(data->ctx, data->ids);
    lm_train_labels_free(&data->labels);
    lm_stretches_free(&data->spans);
    lm_encoding_free(&data->encoding);
    lm_token_scratch_free(data->scratch);
}

/* ---- Words ---- */

/* As the normalizer of tokenizers has it: a character does not know its neighbours. */
static lm_status
append_lower(lm_buffer *out, lm_text text)
{
    for (size_t at = 0; at < text.length;) {
        uint32_t mapped[LM_UNICODE_MAX_MAPPING];
        int bytes, count;
        uint32_t c = lm_utf8_decode(text.bytes + at, &bytes);

        at += (size_t)bytes;
        count = (int)lm_lower_at(&c, 1, 0, mapped);
        for (int i = 0; i < count; i++) {
            char encoded[4];
            const int length = lm_utf8_encode(mapped[i], encoded);

            LM_TRY(lm_buffer_append(out, encoded, (size_t)length));
        }
    }
    return LM_OK;
}

static lm_status
add_token(lm_layers_data *data, int32_t number, lm_text word)
{
    const int32_t place = (int32_t)(data->spelled.size / sizeof place);

    if (data->tokens.size / sizeof number >= INT32_MAX)
        return lm_raise(data->ctx, LM_TOO_LARGE, "the texts have too many tokens");
    if (data->spells) {
        LM_TRY(lm_letters_add(&data->letters, word));
        LM_TRY(lm_buffer_append(&data->spelled, &place, sizeof place));
    }
    return lm_buffer_append(&data->tokens, &number, sizeof number);
}

static lm_status
add_word(lm_layers_data *data, lm_text word)
{
    uint32_t number;
    bool found;

    if (data->ids) {
        LM_TRY(lm_intern_find(&data->vocabulary.tokens, word.bytes, word.length, &found, &number));
        return add_token(data, found ? data->ids[number] : 1, word);
    }
    LM_TRY(lm_vocabulary_count(&data->vocabulary, word.bytes, word.length, &number));
    return add_token(data, (int32_t)number, word);
}

static lm_status
lower_text(lm_layers_data *data, lm_text *text)
{
    if (!data->cut.lower_case)
        return LM_OK;
    data->lower.size = 0;
    LM_TRY(append_lower(&data->lower, *text));
    *text = (lm_text){data->lower.data, data->lower.size};
    return LM_OK;
}

/* Special words come first, once the options are read. */
static lm_status
start_vocabulary(lm_layers_data *data)
{
    const char *const specials[] = {data->cut.pad, data->cut.unknown};
    bool twice = false;

    for (int i = 0; data->vocabulary.tokens.count < 2 && i < 2; i++)
        LM_TRY(lm_vocabulary_special(&data->vocabulary, specials[i], strlen(specials[i]), &twice));
    return LM_OK;
}

static lm_status
cut_text(lm_layers_data *data, lm_text text)
{
    LM_TRY(lower_text(data, &text));
    data->spans.count = 0;
    LM_TRY(lm_words_cut(lm_word_kind_find(data->cut.words), text, &data->spans));
    for (size_t i = 0; i < data->spans.count; i++) {
        const lm_stretch *span = &data->spans.items[i];

        LM_TRY(add_word(data, (lm_text){text.bytes + span->start, span->stop - span->start}));
    }
    return LM_OK;
}

/* By the base's tokenizer; a word of a list is its first token. */
static lm_status
encode(lm_layers_data *data, lm_text text, bool word)
{
    const lm_tokenizer *tokenizer = lm_model_tokenizer(data->base);
    const lm_token_options options = {
        .add_special = !word, .offsets = data->spells, .max_tokens = word ? 0 : (int)data->longest};
    const lm_encoding *e = &data->encoding;
    lm_letter_place read = {0, 0};

    LM_TRY(lm_tokenize(data->ctx, tokenizer, data->scratch, text.bytes, text.length, &options,
                       &data->encoding));
    if (word)
        return add_token(data,
                         e->count > 0                       ? e->ids[0]
                         : lm_token_unknown(tokenizer) >= 0 ? lm_token_unknown(tokenizer)
                                                            : 0,
                         text);
    for (size_t i = 0; i < e->count; i++)
        LM_TRY(
            add_token(data, e->ids[i],
                      data->spells ? lm_letters_cut(text, &read, e->start[i], e->stop[i]) : text));
    return LM_OK;
}

static lm_status
add_text(lm_layers_data *data, lm_text text)
{
    return data->base ? encode(data, text, false) : cut_text(data, text);
}

/* What no line of vocab.txt can be is unknown: no text is cut to it either. */
static bool
is_a_line(lm_text word)
{
    for (size_t i = 0; i < word.length; i++)
        if (word.bytes[i] == '\n' || word.bytes[i] == '\r')
            return false;
    return word.length > 0;
}

static lm_status
add_words(lm_layers_data *data, const lm_train_words *list)
{
    for (size_t i = 0; i < list->count; i++) {
        lm_text word = list->words[i];

        if (!data->base)
            LM_TRY(lower_text(data, &word));
        if (data->base)
            LM_TRY(encode(data, word, true));
        else
            LM_TRY(is_a_line(word) ? add_word(data, word) : add_token(data, UNKNOWN, word));
    }
    return LM_OK;
}

/* ---- Rows ---- */

/* Ends a row; without a token it is none. */
static lm_status
end_row(lm_layers_data *data, bool *kept)
{
    const size_t *offsets = (const size_t *)(const void *)data->offsets.data;
    const size_t end = data->tokens.size / sizeof(int32_t);

    *kept = end > offsets[data->rows];
    if (!*kept) {
        data->empty++;
        return LM_OK;
    }
    data->rows++;
    return lm_buffer_append(&data->offsets, &end, sizeof end);
}

static lm_status
add_text_row(lm_layers_data *data, const lm_train_rows *rows, size_t i)
{
    bool kept;

    LM_TRY(add_text(data, rows->texts[0][i]));
    LM_TRY(end_row(data, &kept));
    if (!kept)
        return LM_OK;
    LM_TRY(lm_augmented_add(&data->augmented, rows->texts[0][i]));
    if (data->task->language)
        return LM_OK;
    if (data->task->scoring == LM_SCORING_RAW) {
        const float target = (float)rows->numbers[1][i];

        return lm_buffer_append(&data->targets, &target, sizeof target);
    }
    return lm_train_labels_add(&data->labels, &rows->texts[1][i], 1);
}

static lm_status
add_words_row(lm_layers_data *data, const lm_train_rows *rows, size_t i)
{
    const lm_train_words *words = &rows->words[0][i], *tags = &rows->words[1][i];
    bool kept;

    if (words->count != tags->count) {
        lm_raise(data->ctx, LM_BAD_ARGUMENT, "a row does not have a tag for each token");
        lm_detail_found(data->ctx, "%zu tokens and %zu tags", words->count, tags->count);
        return lm_detail_allowed(data->ctx, "as many tags as tokens");
    }
    LM_TRY(add_words(data, words));
    LM_TRY(end_row(data, &kept));
    return kept ? lm_train_labels_add(&data->labels, tags->words, tags->count) : LM_OK;
}

lm_status
lm_layers_data_add(lm_layers_data *data, const lm_train_rows *rows)
{
    if (!data->base)
        LM_TRY(start_vocabulary(data));
    for (size_t i = 0; i < rows->count; i++) {
        LM_TRY(lm_poll(data->ctx));
        LM_TRY(lm_layers_have_tags(data) ? add_words_row(data, rows, i)
                                         : add_text_row(data, rows, i));
    }
    return LM_OK;
}

/* ---- Numbers ---- */

/* Of words that are not chosen: that of the unknown one. */
static lm_status
write_vocab(lm_layers_data *data, const uint32_t *numbers, uint32_t count, int32_t *ids,
            lm_buffer *vocab)
{
    for (uint32_t i = 0; i < data->vocabulary.tokens.count; i++)
        ids[i] = UNKNOWN;
    for (uint32_t id = 0; id < count; id++) {
        size_t length;
        const char *bytes = lm_intern_bytes(&data->vocabulary.tokens, numbers[id], &length);

        if (id % 4096 == 0)
            LM_TRY(lm_poll(data->ctx));
        ids[numbers[id]] = (int32_t)id;
        LM_TRY(lm_buffer_append(vocab, bytes, length));
        LM_TRY(lm_buffer_append_byte(vocab, '\n'));
    }
    return LM_OK;
}

/* Cut texts to the length that counts; tags go with their tokens. */
static lm_status
cut_rows(lm_layers_data *data, const int32_t *ids)
{
    size_t *offsets = (size_t *)(void *)data->offsets.data;
    int32_t *tokens = (int32_t *)(void *)data->tokens.data;
    int32_t *spelled = (int32_t *)(void *)data->spelled.data;
    size_t at = 0, start = 0;

    for (size_t row = 0; row < data->rows; row++) {
        const size_t count = offsets[row + 1] - start,
                     kept = count < data->longest ? count : data->longest;
        const size_t first = start + (data->cut_front ? count - kept : 0);

        if (row % 4096 == 0)
            LM_TRY(lm_poll(data->ctx));
        start = offsets[row + 1];
        for (size_t i = 0; i < kept; i++) {
            tokens[at + i] = ids ? ids[tokens[first + i]] : tokens[first + i];
            if (data->spells)
                spelled[at + i] = spelled[first + i];
            if (lm_layers_have_tags(data))
                data->labels.y[at + i] = data->labels.y[first + i];
        }
        at += kept;
        offsets[row + 1] = at;
    }
    data->tokens.size = at * sizeof *tokens;
    data->spelled.size = data->spells ? at * sizeof *spelled : 0;
    if (lm_layers_have_tags(data))
        data->labels.rows = at;
    return LM_OK;
}

lm_status
lm_layers_data_number(lm_layers_data *data, lm_buffer *vocab, size_t *size)
{
    uint32_t *numbers = NULL, count = 0;
    int32_t *ids = NULL;
    lm_status status;

    if (data->base)
        return cut_rows(data, NULL);
    status = start_vocabulary(data);
    if (status == LM_OK)
        status = lm_vocabulary_rank(&data->vocabulary, data->cut.max_size, data->cut.min_count,
                                    &numbers, &count);
    if (status == LM_OK &&
        !(ids = lm_alloc_array(data->ctx, data->vocabulary.tokens.count, sizeof *ids)))
        status = LM_NO_MEMORY;
    if (status == LM_OK)
        status = write_vocab(data, numbers, count, ids, vocab);
    if (status == LM_OK)
        status = cut_rows(data, ids);
    if (data->augmented.options.count > 0)
        data->ids = ids;
    else
        lm_free(data->ctx, ids);
    lm_free(data->ctx, numbers);
    *size = count;
    return status;
}

/* ---- In other words ---- */

/* Ends a row of ids, cut to the length that counts. */
static lm_status
end_ids(lm_layers_data *data, size_t start)
{
    int32_t *ids = (int32_t *)(void *)data->tokens.data + start;
    const size_t count = data->tokens.size / sizeof *ids - start;
    const size_t kept = count < data->longest ? count : data->longest, end = start + kept;

    if (data->cut_front)
        memmove(ids, ids + (count - kept), kept * sizeof *ids);
    data->tokens.size = end * sizeof *ids;
    return lm_buffer_append(&data->offsets, &end, sizeof end);
}

/* A variant without a token gives way to its text. */
static lm_status
vary_row(lm_layers_data *data, size_t row, uint64_t epoch, bool varied)
{
    const lm_text text = lm_augmented_text(&data->augmented, row);
    const size_t start = data->tokens.size / sizeof(int32_t);

    LM_TRY(lm_poll(data->ctx));
    if (varied) {
        LM_TRY(lm_augmented_variant(&data->augmented, row, epoch, &data->variant));
        LM_TRY(add_text(data, (lm_text){data->variant.data, data->variant.size}));
    }
    if (data->tokens.size / sizeof(int32_t) == start)
        LM_TRY(add_text(data, text));
    return end_ids(data, start);
}

lm_status
lm_layers_data_vary(lm_layers_data *data, uint64_t epoch, const size_t *rows, size_t count)
{
    unsigned char *trained = lm_augmented_mark(data->ctx, data->rows, rows, count);
    lm_status status = trained ? LM_OK : LM_NO_MEMORY;

    data->tokens.size = 0;
    data->offsets.size = sizeof(size_t);
    for (size_t row = 0; status == LM_OK && row < data->rows; row++)
        status = vary_row(data, row, epoch, trained[row] != 0);
    lm_free(data->ctx, trained);
    return status;
}
