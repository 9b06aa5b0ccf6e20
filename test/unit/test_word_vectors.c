/*
 * test_word_vectors.c - files of word vectors as folders: the same words and the same bits as
 * gensim reads (models/words, by scripts/make-golden-words.py), means of words, and every refusal.
 */
#include "format/word_vectors.h"

#include <math.h>

#include "format/word_files.h"
#include "golden.h"
#include "loaded.h"
#include "model/vectors.h"

/* --- a file ----------------------------------------------------------------------------------- */

#define FILE_NAME "words.txt"

typedef struct opened {
    lm_context ctx;
    fake_memory memory;
    fake_source fake;
    lm_arena arena;
    lm_source below, source;
    lm_word_vectors vectors;
} opened;

static const lm_word_options plain = {.lowercase = LM_LOWERCASE_AS_FILE};

static void
open_with(opened *o, const void *bytes, size_t size, const lm_word_options *options)
{
    memset(o, 0, sizeof *o);
    fake_context(&o->ctx, &o->memory);
    fake_add_bytes(&o->fake, FILE_NAME, bytes, size);
    lm_arena_init(&o->arena, &o->ctx);
    o->below = fake_open(&o->fake);
    o->source = lm_word_vectors_source(&o->vectors, &o->arena, &o->below, FILE_NAME, options);
}

static void
open_bytes(opened *o, const void *bytes, size_t size)
{
    open_with(o, bytes, size, &plain);
}

static void
open_text(opened *o, const char *text)
{
    open_bytes(o, text, strlen(text));
}

static void
close_opened(opened *o)
{
    lm_arena_free(&o->arena);
    CHECK_EQ_INT(o->memory.live, 0);
}

/* A file that is shown, in pieces of `step` bytes, as an import copies it. */
static lm_status
copy_shown(opened *o, const char *name, size_t step, char **data, uint64_t *size)
{
    bool found = false;

    *data = NULL;
    LM_TRY(o->source.stat(&o->ctx, o->source.opaque, name, &found, size));
    CHECK(found);
    *data = malloc(*size + 1);
    (*data)[*size] = '\0';
    for (uint64_t at = 0; at < *size; at += step) {
        size_t length = *size - at < step ? (size_t)(*size - at) : step;

        LM_TRY(o->source.read(&o->ctx, o->source.opaque, name, at, *data + at, length));
    }
    return LM_OK;
}

static lm_status
copy_all(opened *o)
{
    static const char *const names[] = {"config.json", "tokenizer.json", "model.safetensors"};
    lm_status status = LM_OK;

    for (int i = 0; i < 3 && status == LM_OK; i++) {
        uint64_t size;
        char *data;

        status = copy_shown(o, names[i], 100, &data, &size);
        free(data);
    }
    return status;
}

/* Whether tokenizer.json has some text. */
static bool
tokenizer_says(opened *o, const char *text)
{
    uint64_t size;
    char *data;
    bool says;

    CHECK_OK(&o->ctx, copy_shown(o, "tokenizer.json", 1 << 20, &data, &size));
    says = data && strstr(data, text) != NULL;
    free(data);
    return says;
}

/* Value `column` of row `row` of the table. */
static float
value_at(opened *o, uint64_t row, int column)
{
    uint64_t size;
    float value;
    char *data;

    CHECK_OK(&o->ctx, copy_shown(o, "model.safetensors", 1 << 20, &data, &size));
    memcpy(&value,
           data + o->vectors.files[LM_WORDS_TENSORS].size +
               (row * (uint64_t)o->vectors.records.width + (uint64_t)column) * sizeof value,
           sizeof value);
    free(data);
    return value;
}

/* --- what gensim reads ------------------------------------------------------------------------ */

typedef struct fixture {
    lm_context ctx;
    golden_folder folder;
    lm_word_vectors vectors;
    lm_source source;
    loaded_model loaded;
    lm_session *session;
} fixture;

static void
set_up(fixture *f, const char *name)
{
    const lm_json *options;
    lm_word_options read = plain;

    memset(f, 0, sizeof *f);
    lm_context_init(&f->ctx);
    golden_open(&f->ctx, name, &f->folder);
    options = lm_json_get(f->folder.golden, "options");
    if (lm_json_get(options, "limit"))
        read.limit = (uint64_t)lm_json_get(options, "limit")->integer;
    if (lm_json_get(options, "tokenizer")) {
        read.whitespace = true;
        read.lowercase = lm_json_get(options, "lowercase")->boolean;
    }
    f->source =
        lm_word_vectors_source(&f->vectors, &f->folder.arena, &f->folder.source,
                               lm_json_get(f->folder.golden, "file")->as.string.bytes, &read);
    CHECK_OK(&f->ctx, loaded_open(&f->ctx, &f->source, lm_kernels_active(), &f->loaded));
    CHECK_OK(&f->ctx, lm_session_create(&f->ctx, &f->session));
}

static void
tear_down(fixture *f)
{
    lm_session_free(f->session);
    loaded_close(&f->ctx, &f->loaded);
    golden_close(&f->folder);
}

/* Every word has the row that it has there, and every value its bits. */
static void
compare_rows(fixture *f)
{
    const lm_vectors *vectors = lm_model_view(&f->loaded.model, LM_SECTION_VECTORS);
    const lm_json *word = lm_json_get(f->folder.golden, "words")->as.items.first;
    const lm_json *vector = lm_json_get(f->folder.golden, "vectors")->as.items.first;
    int32_t row = 0;

    for (; word; word = word->next, vector = vector->next, row++) {
        const float *values = vectors->table + (size_t)row * (size_t)vectors->width;
        size_t length;
        const char *text = lm_token_text(lm_model_tokenizer(&f->loaded.model), row, &length);

        CHECK(length == word->as.string.length && memcmp(text, word->as.string.bytes, length) == 0);
        CHECK_EQ_INT(vector->as.items.count, vectors->width);
        for (const lm_json *value = vector->as.items.first; value; value = value->next, values++) {
            float wanted = (float)value->as.number;

            if (memcmp(&wanted, values, sizeof wanted) != 0)
                UNIT_FAIL("%s: %.9g, wanted %.9g", text, *values, wanted);
        }
    }
    CHECK_EQ_INT(vectors->rows, row + 1);
    CHECK(row > 0);
}

static void
compare_means(fixture *f)
{
    const lm_json *one = lm_json_get(f->folder.golden, "cases")->as.items.first;
    float mean[64];

    for (; one; one = one->next) {
        const lm_json *text = lm_json_get(one, "text"), *wanted = lm_json_get(one, "embedding");
        const lm_text given = {text->as.string.bytes, text->as.string.length};
        const lm_json *value = wanted->as.items.first;
        lm_status status = lm_embed(&f->ctx, f->session, &f->loaded.model, &given, 1,
                                    &(lm_embed_options){.dimensions = 0}, mean, NULL);

        CHECK_EQ_INT(status, value ? LM_OK : LM_NO_TOKEN);
        for (int i = 0; value; value = value->next, i++)
            CHECK_NEAR(mean[i], value->as.number, 2e-6);
    }
}

static void
test_goldens(void)
{
    static const char *const names[] = {"glove", "fasttext", "word2vec", "limited.bin"};

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char path[64];
        fixture f;

        snprintf(path, sizeof path, "../words/%s", names[i]);
        set_up(&f, path);
        compare_rows(&f);
        compare_means(&f);
        tear_down(&f);
    }
}

/* --- what files can be ------------------------------------------------------------------------ */

#define MARK "\357\273\277" /* of byte order */

static void
test_text(void)
{
    static const char *const texts[] = {
        "cat 1 2\ndog 3 4\n",          "cat 1 2\r\ndog 3 4",
        "2 2\ncat 1 2 \ndog\t3\t4\n",  MARK "cat 1 2\n\n  \ndog  3   4\n\n",
        "2 2\ncat 1\t2\ndog 3 4\n",    "2 2\r\ncat 1 2\r\ndog 3 4\r\n",
        "2 2\ncat 1 2\ncat dog 3 4\n",
    };

    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        opened o;

        open_text(&o, texts[i]);
        CHECK_OK(&o.ctx, copy_all(&o));
        CHECK(tokenizer_says(&o, i == 6 ? "\"cat\":0,\"cat dog\":1,\"[UNK]\":2"
                                        : "\"cat\":0,\"dog\":1,\"[UNK]\":2"));
        CHECK(!o.vectors.records.binary);
        CHECK_NEAR(value_at(&o, 0, 0), 1, 0);
        CHECK_NEAR(value_at(&o, 1, 1), 4, 0);
        CHECK_NEAR(value_at(&o, 2, 1), 0, 0);
        close_opened(&o);
    }
}

/* The first of equal words wins; a word that is called like the unknown one is it. */
static void
test_repeated(void)
{
    opened o;

    open_text(&o, "a 1\nb 2\na 3\n[UNK] 4\nb 5\nc 6\n");
    CHECK(tokenizer_says(&o, "{\"a\":0,\"b\":1,\"[UNK]\":2,\"c\":3}"));
    CHECK_NEAR(value_at(&o, 0, 0), 1, 0);
    CHECK_NEAR(value_at(&o, 1, 0), 2, 0);
    CHECK_NEAR(value_at(&o, 2, 0), 4, 0);
    CHECK_NEAR(value_at(&o, 3, 0), 6, 0);
    CHECK_EQ_INT(o.vectors.rows, 4);
    close_opened(&o);
}

static void
test_options(void)
{
    static const struct {
        const char *text;
        lm_word_options options;
        const char *says, *not ;
    } rows[] = {
        {"a 1\n\xc3\xa4 2\n", {.lowercase = 2}, "\"Lowercase\"", "Split"},
        {"a 1\n\xc3\x84 2\n", {.lowercase = 2}, "\"normalizer\":null", "Lowercase"},
        {"a 1\n\xc3\x84 2\n", {.lowercase = true}, "\"Lowercase\"", "Split"},
        {"a 1\n", {.lowercase = false}, "\"normalizer\":null", "Lowercase"},
        {"a 1\n", {.whitespace = true}, "\"WhitespaceSplit\"", "Lowercase"},
        /* Repeated ones count, as in gensim. */
        {"a 1\na 2\nb 3\nc x\n", {.limit = 3}, "\"a\":0,\"b\":1,\"[UNK]\":2", "\"c\""},
        {"9 1\na 1\na 2\nb 3\nc x\n", {.limit = 3}, "\"b\":1", "\"c\""},
        {"a 1\nb 2\n", {.limit = 9}, "\"b\":1", "Lowercase"},
        {"\xc4\xb0 1\n", {.lowercase = 2}, "\"normalizer\":null", "Lowercase"},
        {"+ 1\n", {.limit = 9}, "{\"+\":0,", "\"1\""},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        opened o;

        open_with(&o, rows[i].text, strlen(rows[i].text), &rows[i].options);
        CHECK(tokenizer_says(&o, rows[i].says));
        CHECK(!tokenizer_says(&o, rows[i].not ));
        CHECK_OK(&o.ctx, copy_all(&o));
        close_opened(&o);
    }
}

/* With line ends behind vectors and without, one of them in a value. */
static void
test_binary(void)
{
    static const char ended[] = "2 2\ncat \0\0\0\0\0\0\x80\x3f\ndog \n\0\0\0\0\0\0\x40\n\n";
    static const char joined[] = "2 2\ncat \0\0\0\0\0\0\x80\x3f"
                                 "dog \n\0\0\0\0\0\0\x40";
    opened o;

    for (int i = 0; i < 2; i++) {
        open_bytes(&o, i ? joined : ended, i ? sizeof joined - 1 : sizeof ended - 1);
        CHECK(tokenizer_says(&o, "\"cat\":0,\"dog\":1,\"[UNK]\":2"));
        CHECK(o.vectors.records.binary);
        CHECK_NEAR(value_at(&o, 0, 1), 1, 0);
        CHECK_NEAR(value_at(&o, 1, 1), 2, 0);
        CHECK_OK(&o.ctx, copy_all(&o));
        close_opened(&o);
    }
    open_with(&o, joined, sizeof joined - 4, &(lm_word_options){.limit = 1});
    CHECK_OK(&o.ctx, copy_all(&o));
    close_opened(&o);
}

/* --- refusals --------------------------------------------------------------------------------- */

static void
refused(const void *bytes, size_t size, lm_status status, const char *word)
{
    const lm_error *error;
    opened o;

    open_bytes(&o, bytes, size);
    error = &o.ctx.error;
    if (copy_all(&o) != status || error->status != status)
        UNIT_FAIL("%s: status %d, wanted %d", word, (int)error->status, (int)status);
    CHECK_STR(error->file, FILE_NAME);
    if (!strstr(error->message, word) && !strstr(error->found, word) &&
        !strstr(error->allowed, word) && !strstr(error->hint, word))
        UNIT_FAIL("%s, found %s, allowed %s: not \"%s\"", error->message, error->found,
                  error->allowed, word);
    close_opened(&o);
}

static void
test_refused_texts(void)
{
    static const struct {
        const char *text;
        lm_status status;
        const char *word;
    } rows[] = {
        {"", LM_BAD_MODEL, "empty"},
        {"\n", LM_BAD_MODEL, "out of range in line 1"},
        {"cat\n", LM_BAD_MODEL, "out of range in line 1"},
        {"3 0\n", LM_BAD_MODEL, "out of range in line 1"},
        {"3 65537\n", LM_TOO_LARGE, "1 to 65536"},
        {"3 99999999999999999999999\n", LM_TOO_LARGE, "1 to 65536"},
        {"0 3\n", LM_BAD_MODEL, "no words"},
        {"a 1 2\nb 1\n", LM_BAD_MODEL, "columns in line 2"},
        {"a 1 2\nb\n", LM_BAD_MODEL, "1 columns"},
        {"3 x\n", LM_BAD_MODEL, "no number in line 1"},
        {"a 1 2\nb 1\n", LM_BAD_MODEL, "2 columns"},
        {"a 1 2\nb 1 2 3\n", LM_BAD_MODEL, "a word and 2 numbers"},
        {"a 1 2\n 1 2\n", LM_BAD_MODEL, "columns in line 2"},
        {"2 3\na 1 2 3\nb 1 2\n", LM_BAD_MODEL, "columns in line 3"},
        {"a 1 2\nb 1 x\n", LM_BAD_MODEL, "no number in line 2"},
        {"a 1 2\nb 1 xyz\n", LM_BAD_MODEL, "xyz"},
        {"a 1 2\nb 1 \xff\n", LM_BAD_MODEL, "no number in line 2"},
        {"a 1 2\nb nan 2\n", LM_BAD_MODEL, "nan"},
        {"a 1 2\nb 1 -inf\n", LM_BAD_MODEL, "no infinity"},
        {"a 1 2\nb 1 1e39\n", LM_BAD_MODEL, "beyond float32 in line 2"},
        {"a 1 2\n\xe4 1 2\n", LM_BAD_MODEL, "UTF-8 in line 2"},
        {"a 1 2\n\xe4 1 2\n", LM_BAD_MODEL, "0xe4"},
        {"a 1 2\n\xe4 1 2\n", LM_BAD_MODEL, "iconv"},
        /* A first line too short for its numbers, of which all but controls is text. */
        {"3 16\ncat 1 2\nd\t1\r\n\xc3\xa4 1\n", LM_BAD_MODEL, "columns in line 2"},
        {"3 16\ncat 1 2\nthese words come behind the line, and are more than two bytes each\n",
         LM_BAD_MODEL, "columns in line 2"},
        {"3 16\ncat 1 2\nd\1\n", LM_BAD_MODEL, "end of the file in vector 1"},
        {"3 15\ncat 1 2\nd 1\n", LM_BAD_MODEL, "end of the file in vector 1"},
        {"3 2\na 1 2\nb 3 4\n", LM_BAD_MODEL, "fewer words"},
        {"1 2\na 1 2\nb 3 4\n", LM_BAD_MODEL, "more words"},
        {"1 2\na 1 2\nb 3 4\n", LM_BAD_MODEL, "1 words"},
        {"\x1f\x8b 1 2", LM_UNSUPPORTED, "gzip"},
        {"version https://git-lfs.github.com/spec/v1\n", LM_UNSUPPORTED, "git-lfs"},
        {"PK\3\4 is a zip archive", LM_UNSUPPORTED, "zip"},
        {"\xba\x16\x4f\x2f of fastText", LM_UNSUPPORTED, ".vec"},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        refused(rows[i].text, strlen(rows[i].text), rows[i].status, rows[i].word);
    refused("a 1 2\nb\0c 1 2\n", 14, LM_BAD_MODEL, "U+0000");
}

static void
test_refused_binaries(void)
{
#define ROW(bytes, status, word)              \
    {                                         \
        bytes, sizeof bytes - 1, status, word \
    }
    static const struct {
        const char *bytes;
        size_t size;
        lm_status status;
        const char *word;
    } rows[] = {
        ROW("2 1\na \0\0\0\1b \0\0", LM_BAD_MODEL, "truncated"),
        ROW("2 1\na \0\0\0\1b \0\0", LM_BAD_MODEL, "vector 2"),
        ROW("2 1\na \0\0\0\1b \0\0", LM_BAD_MODEL, "2 more bytes"),
        ROW("2 1\na \0\0\0\1bcd", LM_BAD_MODEL, "truncated"),
        ROW("2 1\na \0\0\0\1", LM_BAD_MODEL, "truncated"),
        ROW("1 1\na \0\0\0\1x", LM_BAD_MODEL, "more bytes"),
        ROW("2 1\na \0\0\0\1 \0\0\0\1", LM_BAD_MODEL, "no word in vector 2"),
        ROW("2 1\na \0\0\0\1\xff \0\0\0\1", LM_BAD_MODEL, "UTF-8 in vector 2"),
        ROW("2 1\na \0\0\0\1a\0 \0\0\0\1", LM_BAD_MODEL, "U+0000"),
        ROW("2 2\na \0\0\0\1\0\0\0\1b \0\0\0\1\0\0\xc0\x7f", LM_BAD_MODEL,
            "not finite in vector 2"),
        ROW("2 2\na \0\0\0\1\0\0\0\1b \0\0\0\1\0\0\xc0\x7f", LM_BAD_MODEL, "in dimension 2"),
        ROW("1 1\na \0\0\x80\xff", LM_BAD_MODEL, "no infinity"),
        ROW("1 1\na \x7f\x7f\x80\x7f", LM_BAD_MODEL, "no infinity"),
        ROW("1 1\na ", LM_BAD_MODEL, "4 more bytes"),
        ROW("99999999999999999 1\na \0\0\0\1", LM_BAD_MODEL, "truncated"),
    };
#undef ROW

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        refused(rows[i].bytes, rows[i].size, rows[i].status, rows[i].word);
}

/* --- sizes ------------------------------------------------------------------------------------ */

/* `count` times the bytes between head and tail; the caller frees. */
static char *
repeat(const char *head, const char *bytes, size_t count, const char *tail, size_t *size)
{
    size_t before = strlen(head), length = strlen(bytes), behind = strlen(tail);
    char *all = malloc(before + count * length + behind + 1);

    memcpy(all, head, before);
    for (size_t i = 0; i < count; i++)
        memcpy(all + before + i * length, bytes, length);
    memcpy(all + before + count * length, tail, behind + 1);
    *size = before + count * length + behind;
    return all;
}

static void
refused_repeat(const char *head, const char *bytes, size_t count, const char *tail,
               lm_status status, const char *word)
{
    size_t size;
    char *all = repeat(head, bytes, count, tail, &size);

    refused(all, size, status, word);
    free(all);
}

static void
test_limits(void)
{
    const size_t window = (size_t)4 << 20;

    refused_repeat("a ", "1 ", window, "\n", LM_TOO_LARGE, "too many bytes in line 1");
    refused_repeat("a 1\n", "x", window + 1, " 1\n", LM_TOO_LARGE, "too many bytes in line 2");
    refused_repeat("a 1\n", "x", LM_WORD_LONGEST + 1, " 1\n", LM_TOO_LARGE, "too long in line 2");
    refused_repeat("1 1\na\1", "x", LM_WORD_LONGEST, " \1\1\1\1", LM_TOO_LARGE,
                   "too long in vector 1");
    refused_repeat("2 1\n", "x", window, "", LM_BAD_MODEL, "columns in line 2");
    refused_repeat("", "a 1\n", LM_WORDS_MOST + 1, "", LM_TOO_LARGE, "4000000 words");
    refused_repeat("", "a 1\n", LM_WORDS_MOST + 1, "", LM_TOO_LARGE, "\"limit\"");
}

/* Records and line ends that lie across the window. */
static void
test_windows(void)
{
    const size_t rows = 400000;
    size_t size;
    char *all = repeat("a 1 2\n", "b 0.5 -0.25\n", rows, "c 3 4\n", &size);
    opened o;

    open_bytes(&o, all, size);
    CHECK(tokenizer_says(&o, "\"a\":0,\"b\":1,\"c\":2"));
    CHECK_NEAR(value_at(&o, 2, 1), 4, 0);
    CHECK_EQ_INT(o.vectors.repeated_count, rows - 1);
    close_opened(&o);
    free(all);
    all = repeat("2 1\na \1\1\1\1", "\n", (size_t)9 << 20, "b \1\1\1\1", &size);
    open_bytes(&o, all, size);
    CHECK(tokenizer_says(&o, "\"a\":0,\"b\":1"));
    CHECK_OK(&o.ctx, copy_all(&o));
    close_opened(&o);
    free(all);
}

/* --- faults ----------------------------------------------------------------------------------- */

static const char sound[] = "3 2\na 1 2\nb 3 4\na 5 6\n";

/* Every call of the source fails in turn, once and for good. */
static void
fail_sources(const char *bytes, size_t size)
{
    for (int on = 0; on < 2; on++) {
        lm_status status = LM_IO_ERROR;

        for (int at = 1; status != LM_OK && at < 1000; at++) {
            uint64_t length;
            char *data;
            opened o;

            open_bytes(&o, bytes, size);
            o.fake.fail_at = at;
            o.fake.fail_on = on;
            status = copy_shown(&o, "model.safetensors", 1 << 20, &data, &length);
            CHECK(status == LM_OK || status == LM_IO_ERROR);
            free(data);
            close_opened(&o);
        }
    }
}

/* Also behind the first window: line ends, and records that begin before its end. */
static void
test_source_faults(void)
{
    size_t size;
    char *all;

    fail_sources(sound, sizeof sound - 1);
    all = repeat("2 1\na \1\1\1\1", "\n", (size_t)5 << 20, "b \1\1\1\1", &size);
    fail_sources(all, size);
    free(all);
    all = repeat("50 25000\n", "a \1\1\1\1", 1, "", &size);
    all = realloc(all, 9 + 50 * 100002);
    for (size_t i = 0; i < 50; i++) {
        memset(all + 9 + i * 100002, '\1', 100002);
        memcpy(all + 9 + i * 100002, "a ", 2);
    }
    fail_sources(all, 9 + 50 * 100002);
    free(all);
}

/* Every allocation fails in turn, once and for good. */
static void
fail_memory(const char *text, lm_context *of_arena)
{
    for (int on = 0; on < 2; on++) {
        lm_status status = LM_NO_MEMORY;

        for (int at = 1; status != LM_OK && at < 1000; at++) {
            opened o;

            open_text(&o, text);
            o.memory.fail_at = at;
            o.memory.fail_on = on;
            if (of_arena)
                o.arena.ctx = of_arena;
            status = copy_all(&o);
            CHECK(status == LM_OK || status == LM_NO_MEMORY);
            CHECK(status == LM_OK || o.ctx.error.status == LM_NO_MEMORY);
            close_opened(&o);
        }
    }
}

/* Tables grow at powers of two, and the text of the tokenizer at any word. */
static void
test_memory_faults(void)
{
    char text[64 * 24] = "";
    lm_context other;

    lm_context_init(&other);
    fail_memory(sound, NULL);
    fail_memory(sound, &other);
    for (int words = 1, at = 0; words <= 33; words++) {
        at += snprintf(text + at, sizeof text - (size_t)at, "w%0*d 1\n", 1 + words % 9, words);
        if ((words & (words - 1)) == 0)
            fail_memory(text, NULL);
    }
    for (int first = 1; first <= 24; first++) {
        snprintf(text, sizeof text, "x%0*d 1\n", first, 7);
        for (int words = 0; words < 40; words++)
            snprintf(text + strlen(text), sizeof text - strlen(text), "w%d 1\n", words);
        fail_memory(text, NULL);
    }
}

/* The arena's own blocks, one allocation after the other; rows that are longer than a block's rest.
 */
static void
fail_arena(const char *text, size_t room)
{
    fake_memory memory = {.fail_at = 0};
    lm_context other;
    lm_status status;
    opened o;

    open_text(&o, text);
    fake_context(&other, &memory);
    o.arena.ctx = &other;
    CHECK(fake_fill_arena(&o.arena, room));
    memory.fail_at = memory.calls + 2; /* the window has a block of its own */
    memory.fail_on = true;
    status = copy_all(&o);
    CHECK(status == LM_OK || status == LM_NO_MEMORY);
    CHECK(status == LM_OK || o.ctx.error.status == LM_NO_MEMORY);
    lm_arena_free(&o.arena);
    CHECK_EQ_INT(memory.live, 0);
    CHECK_EQ_INT(o.memory.live, 0);
}

static void
test_arena_faults(void)
{
    size_t size;
    char *wide = repeat("a", " 1", 3000, "\n", &size);

    for (size_t room = 0; room < 2048; room += 16) {
        fail_arena(sound, room);
        fail_arena(wide, room);
    }
    free(wide);
}

static void
test_cancel(void)
{
    lm_status status = LM_CANCELLED;

    for (int at = 1; status != LM_OK && at < 1000; at++) {
        opened o;

        open_text(&o, sound);
        o.memory.stop_at = at;
        status = copy_all(&o);
        CHECK(status == LM_OK || status == LM_CANCELLED);
        close_opened(&o);
    }
}

/* The file becomes another one between the passes. */
static void
test_changed(void)
{
    static const char other[] = "a 1 2\na 3 4\nb 5 6\n";
    static const char shorter[] = "a 1 2\nb 3 4\n\n\n\n\n\n\n";
    uint64_t size;
    bool found;
    char byte[64];
    opened o;

    open_text(&o, other);
    CHECK_OK(&o.ctx, copy_all(&o));
    o.fake.files[0].data = shorter;
    CHECK_OK(&o.ctx, o.source.stat(&o.ctx, o.source.opaque, "config.json", &found, &size));
    CHECK_EQ_INT(copy_all(&o), LM_IO_ERROR);
    o.fake.files[0].size = 3;
    CHECK_EQ_INT(o.source.stat(&o.ctx, o.source.opaque, "config.json", &found, &size), LM_IO_ERROR);
    o.fake.count = 0;
    CHECK_EQ_INT(o.source.stat(&o.ctx, o.source.opaque, "config.json", &found, &size), LM_IO_ERROR);
    CHECK_EQ_INT(o.source.read(&o.ctx, o.source.opaque, "config.json", 0, byte, 1), LM_OK);
    CHECK_EQ_INT(o.source.read(&o.ctx, o.source.opaque, "config.json", 1000, byte, 1),
                 LM_BAD_MODEL);
    CHECK_EQ_INT(o.source.read(&o.ctx, o.source.opaque, "config.json", 100, byte, 64),
                 LM_BAD_MODEL);
    CHECK_EQ_INT(o.source.read(&o.ctx, o.source.opaque, "vocab.txt", 0, byte, 1), LM_BAD_MODEL);
    CHECK_OK(&o.ctx, o.source.stat(&o.ctx, o.source.opaque, "vocab.txt", &found, &size));
    CHECK(!found);
    close_opened(&o);
    open_text(&o, sound);
    o.fake.count = 0;
    CHECK_EQ_INT(copy_all(&o), LM_NO_FILE);
    close_opened(&o);
}

/* A read may begin anywhere: what lies before is read again, or passed over. */
static void
test_places(void)
{
    uint64_t size, header;
    char *all;
    opened o;

    open_text(&o, "a 1 2 3\nb 4 5 6\nc 7 8 9\n");
    CHECK_OK(&o.ctx, copy_shown(&o, "model.safetensors", 1 << 20, &all, &size));
    header = o.vectors.files[LM_WORDS_TENSORS].size;
    for (uint64_t from = header - 3; from < size; from += 5)
        for (uint64_t to = from; to <= size; to += 3) {
            char piece[64];

            CHECK_OK(&o.ctx, o.source.read(&o.ctx, o.source.opaque, "model.safetensors", from,
                                           piece, (size_t)(to - from)));
            CHECK(memcmp(piece, all + from, (size_t)(to - from)) == 0);
        }
    free(all);
    close_opened(&o);
}

/* --- names ------------------------------------------------------------------------------------ */

static void
test_names(void)
{
    static const struct {
        const char *names[5];
        lm_status status;
        const char *found;
    } rows[] = {
        {{NULL}, LM_OK, NULL},
        {{"glove.6B.50d.txt"}, LM_OK, "glove.6B.50d.txt"},
        {{"README.txt", "wiki.en.vec", "LICENSE"}, LM_OK, "wiki.en.vec"},
        {{"x.bin", "x.md"}, LM_OK, "x.bin"},
        {{"x.w2v"}, LM_OK, "x.w2v"},
        {{"x.vec.gz"}, LM_OK, "x.vec.gz"},
        {{".txt", "txt", "x.TXT"}, LM_OK, NULL},
        {{"config.json", "x.txt"}, LM_OK, NULL},
        {{"x.txt", "head.json"}, LM_OK, NULL},
        {{"pytorch_model.bin"}, LM_OK, NULL},
        {{"vocab.txt", "a.txt", "b.txt"}, LM_OK, NULL},
        {{"d.txt", "c.txt", "b.txt", "a.txt", "e.txt"}, LM_UNSUPPORTED, "a.txt, b.txt"},
        {{"a.txt", "b.txt", "c.txt"}, LM_UNSUPPORTED, "a.txt, b.txt"},
    };
    char longest[300];

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        lm_context ctx;
        lm_word_find find = {.count = 0};
        const char *name;

        lm_context_init(&ctx);
        for (int n = 0; n < 5 && rows[i].names[n]; n++)
            CHECK_OK(&ctx, lm_word_find_take(&ctx, &find, rows[i].names[n]));
        CHECK_EQ_INT(lm_word_find_end(&ctx, &find, &name), rows[i].status);
        if (rows[i].status == LM_OK)
            CHECK(rows[i].found ? name && strcmp(name, rows[i].found) == 0 : !name);
        else
            CHECK_STR(ctx.error.found, rows[i].found);
    }
    memset(longest, 'x', sizeof longest);
    strcpy(longest + sizeof longest - 5, ".txt");
    {
        lm_context ctx;
        lm_word_find find = {.count = 0};

        lm_context_init(&ctx);
        CHECK_OK(&ctx, lm_word_find_take(&ctx, &find, longest));
        CHECK_EQ_INT(find.count, 0);
    }
}

static const unit_case cases[] = {
    {"goldens", test_goldens},
    {"text", test_text},
    {"repeated", test_repeated},
    {"options", test_options},
    {"binary", test_binary},
    {"refused texts", test_refused_texts},
    {"refused binaries", test_refused_binaries},
    {"limits", test_limits},
    {"windows", test_windows},
    {"source faults", test_source_faults},
    {"memory faults", test_memory_faults},
    {"arena faults", test_arena_faults},
    {"cancel", test_cancel},
    {"changed", test_changed},
    {"places", test_places},
    {"names", test_names},
};

UNIT_MAIN(cases)
