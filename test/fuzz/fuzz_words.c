/*
 * fuzz_words.c - a file of word vectors that is accepted is shown as a folder whose tokenizer is
 * JSON with as many words as the table has rows, and whose table has finite values, the same again
 * where it is read anew; what is refused says which file.
 *
 * An input is two bytes that choose options, and a file.
 */
#include <math.h>

#include "format/json.h"
#include "format/tensors.h"
#include "format/word_vectors.h"
#include "fuzz.h"

#define FILE_NAME "words.txt"
#define PIECE ((size_t)4096)

typedef struct memory_file {
    const char *data;
    size_t size;
} memory_file;

void
fuzz_prepare(void)
{
}

/* The window, which makes the arena take more at once; words in a table and as JSON; a row. */
size_t
fuzz_limit(size_t size)
{
    return ((size_t)1 << 25) + 1024 * size;
}

static lm_status
file_stat(lm_context *ctx, void *opaque, const char *name, bool *found, uint64_t *size)
{
    const memory_file *file = opaque;

    REQUIRE(strcmp(name, FILE_NAME) == 0);
    *found = true;
    *size = file->size;
    return LM_OK;
}

/* The reader asks for what is there, and for nothing else. */
static lm_status
file_read(lm_context *ctx, void *opaque, const char *name, uint64_t offset, void *dest,
          size_t length)
{
    const memory_file *file = opaque;

    REQUIRE(strcmp(name, FILE_NAME) == 0);
    REQUIRE(offset <= file->size && length <= file->size - offset);
    memcpy(dest, file->data + offset, length);
    return LM_OK;
}

/* The sum of a table's bytes, from front to back, each value checked. */
static lm_status
read_table(lm_context *ctx, const lm_source *source, const lm_tensor *table, size_t step,
           uint64_t *sum)
{
    float values[PIECE / sizeof(float)];
    const uint64_t end = table->offset + table->bytes;

    *sum = 0;
    for (uint64_t at = table->offset; at < end; at += step) {
        size_t length = end - at < step ? (size_t)(end - at) : step;

        LM_TRY(source->read(ctx, source->opaque, table->file, at, values, length));
        for (size_t i = 0; i < length / sizeof values[0]; i++)
            REQUIRE(isfinite(values[i]));
        for (size_t i = 0; i < length; i++)
            *sum = (*sum & 0xffffffffffff) * 33 + ((const unsigned char *)values)[i];
    }
    return LM_OK;
}

/* As many words as rows, each number once: the words are keys, which are not repeated. */
static lm_status
check_tokenizer(lm_context *ctx, lm_arena *arena, const lm_source *source, uint64_t rows)
{
    const lm_json *tokenizer, *vocab;
    uint64_t next = 0;
    size_t size;
    char *text;

    LM_TRY(lm_source_slurp(ctx, source, arena, "tokenizer.json", SIZE_MAX / 2, true, &text, &size));
    LM_TRY(lm_json_parse(ctx, arena, text, size, "tokenizer.json", &tokenizer));
    vocab = lm_json_get(lm_json_get(tokenizer, "model"), "vocab");
    REQUIRE(vocab && vocab->as.items.count == rows);
    for (const lm_json *word = vocab->as.items.first; word; word = word->next)
        REQUIRE(word->is_integer && word->integer == (int64_t)next++ && word->key_length > 0);
    return LM_OK;
}

static lm_status
check_folder(lm_context *ctx, lm_arena *arena, const lm_source *source)
{
    const lm_tensor *table;
    uint64_t sum, again;
    lm_tensors tensors;

    LM_TRY(lm_tensors_open(ctx, arena, source, "", &tensors));
    table = lm_tensors_find(&tensors, "embeddings");
    REQUIRE(table && table->rank == 2 && table->dtype == LM_F32);
    LM_TRY(check_tokenizer(ctx, arena, source, table->shape[0]));
    LM_TRY(read_table(ctx, source, table, PIECE, &sum));
    LM_TRY(read_table(ctx, source, table, 28, &again));
    REQUIRE(sum == again);
    return LM_OK;
}

lm_status
fuzz_target(lm_context *ctx, const char *data, size_t size)
{
    const size_t head = size < 2 ? size : 2;
    memory_file file = {data + head, size - head};
    const lm_source below = {&file, file_stat, file_read};
    lm_word_options options = {0};
    lm_word_vectors vectors;
    lm_source source;
    lm_arena arena;
    lm_status status;

    if (head == 2) {
        options.limit = (unsigned char)data[0];
        options.whitespace = data[1] & 1;
        options.lowercase = (unsigned char)((unsigned char)data[1] % 3);
    }
    lm_arena_init(&arena, ctx);
    source = lm_word_vectors_source(&vectors, &arena, &below, FILE_NAME, &options);
    status = check_folder(ctx, &arena, &source);
    REQUIRE(status == LM_OK || status == LM_NO_MEMORY || ctx->error.file[0] != '\0');
    lm_arena_free(&arena);
    return status;
}
