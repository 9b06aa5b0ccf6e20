/*
 * word_vectors.c - a source that shows a file of word vectors as a folder of model2vec.
 *
 * Two passes, both front to back. The first finds the words: the first of equal words wins, as with
 * gensim. The second comes with the reads of the table. One row more, of zeros, belongs to the
 * token for unknown words, which a static embedding of model2vec leaves out of the mean.
 */
#include "format/word_vectors.h"

#include <string.h>

#include "base/intern.h"
#include "base/unicode.h"
#include "base/utf8.h"
#include "format/json.h"
#include "format/tensors.h"

#define UNKNOWN "[UNK]"

/* Words between two polls. */
#define WORDS_PER_POLL 4096

/* Bytes of tokenizer.json that its reader takes. */
#define TOKENIZER_MOST ((size_t)128 << 20)

static const char config[] =
    "{\"model_type\": \"model2vec\", \"tokenizer_name\": \"word vectors\", "
    "\"max_length\": null, \"normalize\": false}";

/* ---- Words ---- */

/* What the first pass gathers. */
typedef struct word_pass {
    lm_context *ctx;
    lm_word_vectors *vectors;
    lm_intern words; /* their numbers are rows */
    lm_buffer repeated;
    bool lower; /* all words are in lower case */
} word_pass;

static lm_status
too_many(lm_context *ctx, const lm_word_vectors *vectors, const char *allowed)
{
    lm_raise(ctx, LM_TOO_LARGE, "a file of word vectors has too many words");
    lm_detail_file(ctx, vectors->records.file);
    lm_detail_allowed(ctx, "%s", allowed);
    return lm_detail_hint(ctx, "Import the first of them: files are sorted by frequency as a rule, "
                               "and option \"limit\" says how many are read.");
}

/* Whether lower-casing leaves a word as it is. */
static bool
is_lower(const char *word, size_t length)
{
    for (size_t at = 0; at < length;) {
        uint32_t mapped[LM_UNICODE_MAX_MAPPING], c;
        int bytes;

        c = lm_utf8_decode(word + at, &bytes);
        if (lm_unicode_lower(c, mapped) != 1 || mapped[0] != c)
            return false;
        at += (size_t)bytes;
    }
    return true;
}

static lm_status
add_word(word_pass *pass, const lm_word_record *record)
{
    const uint32_t at = (uint32_t)(pass->vectors->records.taken - 1), known = pass->words.count;
    uint32_t row;

    LM_TRY(lm_intern_add(&pass->words, record->word, record->length, &row));
    if (row < known)
        return lm_buffer_append(&pass->repeated, &at, sizeof at);
    pass->lower = pass->lower && is_lower(record->word, record->length);
    return LM_OK;
}

/* As gensim, whose limit counts repeated words, too. */
static bool
goes_on(const lm_word_vectors *vectors)
{
    return vectors->options.limit == 0 || vectors->records.taken < vectors->options.limit;
}

static lm_status
read_words(word_pass *pass)
{
    lm_word_records *records = &pass->vectors->records;
    lm_word_record record;
    bool found = true;

    while (found && goes_on(pass->vectors)) {
        LM_TRY(lm_word_records_next(pass->ctx, records, &record, &found));
        if (records->taken > LM_WORDS_MOST)
            return too_many(pass->ctx, pass->vectors, "at most 4000000 words");
        if (found)
            LM_TRY(add_word(pass, &record));
    }
    pass->vectors->kept = pass->words.count;
    if (pass->words.count > 0)
        return LM_OK;
    lm_raise(pass->ctx, LM_BAD_MODEL, "a file of word vectors has no words");
    return lm_detail_file(pass->ctx, records->file);
}

/* ---- The files ---- */

static lm_status
write_vocabulary(const word_pass *pass, lm_buffer *out)
{
    for (uint32_t row = 0; row < pass->words.count; row++) {
        size_t length;
        const char *word = lm_intern_bytes(&pass->words, row, &length);

        if (row % WORDS_PER_POLL == 0)
            LM_TRY(lm_poll(pass->ctx));
        LM_TRY(lm_json_write_string(out, word, length));
        LM_TRY(lm_buffer_printf(out, row + 1 < pass->words.count ? ":%u," : ":%u", row));
        if (out->size > TOKENIZER_MOST - 256)
            return too_many(pass->ctx, pass->vectors, "words that fit a tokenizer.json of 128 MB");
    }
    return LM_OK;
}

static lm_status
write_tokenizer(const word_pass *pass, lm_buffer *out)
{
    const lm_word_options *options = &pass->vectors->options;
    bool lower = options->lowercase == LM_LOWERCASE_AS_FILE ? pass->lower : options->lowercase;

    LM_TRY(lm_buffer_printf(
        out,
        "{\"version\":\"1.0\",\"truncation\":null,\"padding\":null,\"added_tokens\":[],"
        "\"normalizer\":%s,\"pre_tokenizer\":{\"type\":\"%s\"},\"post_processor\":null,"
        "\"decoder\":null,\"model\":{\"type\":\"WordLevel\",\"unk_token\":\"" UNKNOWN
        "\",\"vocab\":{",
        lower ? "{\"type\":\"Lowercase\"}" : "null",
        options->whitespace ? "WhitespaceSplit" : "Whitespace"));
    LM_TRY(write_vocabulary(pass, out));
    return lm_buffer_append_string(out, "}}}");
}

static lm_status
write_header(const word_pass *pass, lm_buffer *out)
{
    const lm_tensor table = {
        .name = "embeddings",
        .dtype = LM_F32,
        .rank = 2,
        .shape = {pass->vectors->rows, (uint64_t)pass->vectors->records.width},
    };

    return lm_tensors_write_header(pass->ctx, NULL, 0, &table, 1, out);
}

/* What a function writes becomes a file that is shown. */
static lm_status
keep_file(const word_pass *pass, int file, lm_status (*write)(const word_pass *, lm_buffer *))
{
    lm_word_file *kept = &pass->vectors->files[file];
    lm_buffer out;
    lm_status status;

    lm_buffer_init(&out, pass->ctx);
    status = write(pass, &out);
    if (status == LM_OK) {
        kept->bytes = lm_arena_copy(pass->vectors->arena, out.data, out.size);
        kept->size = out.size;
        status = kept->bytes ? LM_OK : LM_NO_MEMORY;
    }
    lm_buffer_free(&out);
    return status;
}

/* ---- The first pass ---- */

_Static_assert(sizeof(float) == sizeof(uint32_t), "a row lies behind numbers of records");

/* The numbers of repeated records, and room for a row. */
static lm_status
keep_repeated(const word_pass *pass)
{
    lm_word_vectors *vectors = pass->vectors;
    size_t count = pass->repeated.size / sizeof(uint32_t);
    uint32_t *room =
        lm_arena_array(vectors->arena, count + (size_t)vectors->records.width, sizeof *room);

    if (!room)
        return LM_NO_MEMORY;
    if (count > 0)
        memcpy(room, pass->repeated.data, pass->repeated.size);
    vectors->repeated = room;
    vectors->repeated_count = count;
    vectors->values = (float *)(void *)(room + count);
    return LM_OK;
}

static lm_status
run_pass(word_pass *pass)
{
    uint32_t unknown;

    LM_TRY(read_words(pass));
    LM_TRY(lm_intern_add(&pass->words, UNKNOWN, strlen(UNKNOWN), &unknown));
    pass->vectors->rows = pass->words.count;
    LM_TRY(keep_repeated(pass));
    LM_TRY(keep_file(pass, LM_WORDS_TOKENIZER, write_tokenizer));
    return keep_file(pass, LM_WORDS_TENSORS, write_header);
}

static void
start_over(lm_word_vectors *vectors)
{
    lm_word_records_rewind(&vectors->records);
    vectors->row = vectors->skipped = 0;
    vectors->value_left = 0;
}

/* Words and width of the file, once. */
static lm_status
read_file(lm_context *ctx, lm_word_vectors *vectors)
{
    word_pass pass = {.ctx = ctx, .vectors = vectors, .lower = true};
    lm_word_records *records = &vectors->records;
    lm_status status;

    if (vectors->is_read)
        return LM_OK;
    lm_intern_init(&pass.words, ctx, "words");
    lm_intern_hide(&pass.words);
    lm_buffer_init(&pass.repeated, ctx);
    status = lm_word_records_open(ctx, vectors->arena, records->source, records->file, records);
    if (status == LM_OK)
        status = run_pass(&pass);
    lm_buffer_free(&pass.repeated);
    lm_intern_free(&pass.words);
    start_over(vectors);
    vectors->is_read = status == LM_OK;
    return status;
}

/* ---- Values ---- */

static lm_status
changed(lm_context *ctx, const lm_word_vectors *vectors)
{
    lm_raise(ctx, LM_IO_ERROR, "a file of the model changed while it was read");
    return lm_detail_file(ctx, vectors->records.file);
}

/* The next record whose word no earlier one has. */
static lm_status
next_record(lm_context *ctx, lm_word_vectors *vectors, lm_word_record *record)
{
    bool repeated = true;

    while (repeated) {
        bool found;

        LM_TRY(lm_word_records_next(ctx, &vectors->records, record, &found));
        if (!found)
            return changed(ctx, vectors);
        repeated = vectors->skipped < vectors->repeated_count &&
                   vectors->repeated[vectors->skipped] == vectors->records.taken - 1;
        vectors->skipped += repeated;
    }
    return LM_OK;
}

/* One row into vectors->values. */
static lm_status
next_row(lm_context *ctx, lm_word_vectors *vectors)
{
    const size_t bytes = (size_t)vectors->records.width * sizeof *vectors->values;
    lm_word_record record;

    if (vectors->row < vectors->kept) {
        LM_TRY(next_record(ctx, vectors, &record));
        LM_TRY(lm_word_records_values(ctx, &vectors->records, &record, vectors->values));
    } else {
        memset(vectors->values, 0, bytes);
    }
    vectors->row++;
    vectors->value_left = bytes;
    return LM_OK;
}

/* From `at` of the table on; what lies before is passed over. Readers go front to back. */
static lm_status
read_table(lm_context *ctx, lm_word_vectors *vectors, uint64_t at, char *to, size_t length)
{
    const size_t bytes = (size_t)vectors->records.width * sizeof *vectors->values;

    if (at < vectors->row * bytes - vectors->value_left)
        start_over(vectors);
    while (length > 0) {
        uint64_t here = vectors->row * bytes - vectors->value_left;
        size_t piece = vectors->value_left;

        if (here < at && piece > at - here)
            piece = (size_t)(at - here);
        if (here == at) {
            piece = piece < length ? piece : length;
            memcpy(to, (char *)vectors->values + bytes - vectors->value_left, piece);
            to += piece;
            at += piece;
            length -= piece;
        }
        vectors->value_left -= piece;
        if (length > 0 && vectors->value_left == 0)
            LM_TRY(next_row(ctx, vectors));
    }
    return LM_OK;
}

/* ---- The source ---- */

static const char *const names[LM_WORDS_FILES] = {
    [LM_WORDS_CONFIG] = "config.json",
    [LM_WORDS_TOKENIZER] = "tokenizer.json",
    [LM_WORDS_TENSORS] = "model.safetensors",
};

static int
find_shown(const char *name)
{
    int file = 0;

    while (file < LM_WORDS_FILES && strcmp(names[file], name) != 0)
        file++;
    return file;
}

/* Bytes of a file that is shown. */
static uint64_t
size_of(const lm_word_vectors *vectors, int file)
{
    uint64_t size = vectors->files[file].size;

    if (file == LM_WORDS_TENSORS)
        size += vectors->rows * (uint64_t)vectors->records.width * sizeof *vectors->values;
    return size;
}

static lm_status
vectors_stat(lm_context *ctx, void *opaque, const char *name, bool *found, uint64_t *size)
{
    lm_word_vectors *vectors = opaque;
    const lm_source *below = vectors->records.source;
    int file = find_shown(name);

    *found = file < LM_WORDS_FILES;
    *size = 0;
    if (!*found)
        return LM_OK;
    LM_TRY(lm_arena_tell(ctx, vectors->arena, read_file(ctx, vectors)));
    LM_TRY(below->stat(ctx, below->opaque, vectors->records.file, found, size));
    if (!*found || *size != vectors->records.size)
        return changed(ctx, vectors);
    *size = size_of(vectors, file);
    return LM_OK;
}

/* Readers ask for what stat promised; what does not is refused as a short file is. */
static lm_status
vectors_read(lm_context *ctx, void *opaque, const char *name, uint64_t offset, void *dest,
             size_t length)
{
    lm_word_vectors *vectors = opaque;
    int file = find_shown(name);
    const lm_word_file *shown = &vectors->files[file];
    char *to = dest;
    size_t piece;

    if (file == LM_WORDS_FILES || offset > size_of(vectors, file) ||
        length > size_of(vectors, file) - offset) {
        lm_raise(ctx, LM_BAD_MODEL, "a file of the model is truncated");
        return lm_detail_file(ctx, vectors->records.file);
    }
    if (offset < shown->size) {
        piece = shown->size - (size_t)offset;
        piece = piece < length ? piece : length;
        memcpy(to, shown->bytes + offset, piece);
        to += piece;
        offset += piece;
        length -= piece;
    }
    return length == 0 ? LM_OK : read_table(ctx, vectors, offset - shown->size, to, length);
}

lm_source
lm_word_vectors_source(lm_word_vectors *vectors, lm_arena *arena, const lm_source *below,
                       const char *file, const lm_word_options *options)
{
    *vectors = (lm_word_vectors){
        .arena = arena,
        .options = *options,
        .records = {.source = below, .file = file},
        .files[LM_WORDS_CONFIG] = {config, sizeof config - 1},
    };
    return (lm_source){vectors, vectors_stat, vectors_read};
}
