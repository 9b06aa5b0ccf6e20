/*
 * test_word_embeddings.c - models of words between white space, beside what test_goldens compares:
 * tokens and their places, texts without a word, files that say something else, cancels, and each
 * allocation that fails.
 */
#include "base/lower.h"
#include "golden.h"
#include "loaded.h"
#include "model/vectors.h"
#include "task/tasks.h"

#define MAX_WIDTH 64

typedef struct fixture {
    lm_context ctx;
    fake_memory memory;
    golden_folder folder;
    loaded_model loaded;
    lm_session *session;
} fixture;

/* A place of a folder's file with other text. */
typedef struct edit {
    const char *folder, *file, *from, *to;
} edit;

static void
change(golden_folder *folder, const edit *e)
{
    fake_file *file = fake_find(&folder->files, e->file);
    const size_t from = strlen(e->from), to = strlen(e->to);
    char *data = lm_arena_alloc(&folder->arena, file->size + to + 1);
    size_t at = 0;

    while (at + from < file->size && memcmp(file->data + at, e->from, from) != 0)
        at++;
    CHECK(at + from < file->size);
    memcpy(data, file->data, at);
    memcpy(data + at, e->to, to);
    memcpy(data + at + to, file->data + at + from, file->size - at - from);
    file->size += to - from;
    data[file->size] = '\0';
    file->data = data;
}

static lm_status
open_changed(fixture *f, const edit *e, const lm_model_options *options)
{
    memset(f, 0, sizeof *f);
    fake_context(&f->ctx, &f->memory);
    golden_open(&f->ctx, e->folder, &f->folder);
    if (e->file)
        change(&f->folder, e);
    return loaded_open_with(&f->ctx, &f->folder.source, options, lm_kernels_active(), &f->loaded);
}

static void
set_up(fixture *f, const char *folder)
{
    const edit none = {folder, NULL, NULL, NULL};

    CHECK_OK(&f->ctx, open_changed(f, &none, &(lm_model_options){.max_tokens = 0}));
    CHECK_OK(&f->ctx, lm_session_create(&f->ctx, &f->session));
}

static void
tear_down(fixture *f)
{
    lm_session_free(f->session);
    loaded_close(&f->ctx, &f->loaded);
    golden_close(&f->folder);
    CHECK_EQ_INT(f->memory.live, 0);
}

static lm_status
embed(fixture *f, const char *text, lm_on_long on_long, float *out)
{
    const lm_text one = {text, strlen(text)};
    const lm_embed_options options = {.on_long = on_long};

    return lm_embed(&f->ctx, f->session, &f->loaded.model, &one, 1, &options, out, NULL);
}

/* ---- Descriptions ---- */

static void
descriptions(void)
{
    static const struct {
        const char *folder, *kind;
        int dimensions, tokens;
        uint64_t parameters, flops;
    } rows[] = {
        {"words", "words", 11, 1000000, 275, 11},
        {"words-lower", "words", 11, 30, 275, 11},
        {"words-weighted", "words", 9, 1000000, 804, 11},
        {"words-bag", "bag", 25, 1 << 20, 25, 1},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        fixture f;

        set_up(&f, rows[i].folder);
        CHECK_STR(f.loaded.model.info.kind, rows[i].kind);
        CHECK_STR(f.loaded.model.info.family, "words");
        CHECK_EQ_INT(f.loaded.model.info.dimensions, rows[i].dimensions);
        CHECK_EQ_INT(f.loaded.model.info.max_tokens, rows[i].tokens);
        CHECK_EQ_INT(f.loaded.model.info.parameters, rows[i].parameters);
        CHECK_EQ_INT(f.loaded.model.info.flops_per_token, rows[i].flops);
        CHECK(lm_task_of(&f.loaded.model) == &lm_tasks[LM_TASK_EMBEDDING]);
        tear_down(&f);
    }
}

/* ---- Tokens ---- */

/* Ids and places, as "1:0-3". */
static void
check_tokens(const char *folder, const char *text, const char *wanted)
{
    const lm_token_options options = {.offsets = true};
    lm_encoding encoding;
    lm_token_scratch *scratch;
    char got[256] = "", *end = got;
    fixture f;

    set_up(&f, folder);
    lm_encoding_init(&encoding, &f.ctx);
    CHECK_OK(&f.ctx, lm_token_scratch_create(&f.ctx, &scratch));
    CHECK_OK(&f.ctx, lm_tokenize(&f.ctx, lm_model_tokenizer(&f.loaded.model), scratch, text,
                                 strlen(text), &options, &encoding));
    for (size_t i = 0; i < encoding.count; i++)
        end += sprintf(end, "%s%d:%d-%d", i > 0 ? " " : "", encoding.ids[i], encoding.start[i],
                       encoding.stop[i]);
    CHECK_STR(got, wanted);
    lm_token_scratch_free(scratch);
    lm_encoding_free(&encoding);
    tear_down(&f);
}

static void
tokens(void)
{
    check_tokens("words", "The (cat)\x1f mat", "5:0-3 1:4-9 3:11-14");
    check_tokens("words", "", "");
    check_tokens("words", "\x1c\x1c \x1e", "");
    check_tokens("words", "nothing --- here", "");
    check_tokens("words-placed", "the The -", "4:0-3 5:4-7 16:8-9");
    check_tokens("words-lower", "MAT The U.S. \xce\xa3\xce\x91\xce\xa3", "3:0-3 8:8-12 11:13-16");
    check_tokens("words-bag", "cat Cat cat! CAT!", "1:0-3 2:4-7 1:8-12 1:13-17");
}

/* An empty word, or an empty stop word, is what is left of punctuation. */
static void
empty_words(void)
{
    static const edit word = {"words-placed", "whitespacetokenizer_config.json", "\"well\"",
                              "\"\""};
    float out[MAX_WIDTH];
    fixture f;

    CHECK_OK(&f.ctx, open_changed(&f, &word, &(lm_model_options){.max_tokens = 0}));
    CHECK_OK(&f.ctx, lm_session_create(&f.ctx, &f.session));
    CHECK_OK(&f.ctx, embed(&f, "???", LM_LONG_TRUNCATE, out));
    CHECK_EQ_INT(embed(&f, "nothing", LM_LONG_TRUNCATE, out), LM_NO_TOKEN);
    tear_down(&f);
}

/* Of equal words the last one counts; in a bag each is one dimension. */
static void
repeated_words(void)
{
    static const edit last = {"words", "0_WordEmbeddings/whitespacetokenizer_config.json",
                              "\"mat\"", "\"cat\""},
                      once = {"words-bag", "0_BoW/config.json", "\"mat\"", "\"cat\""};
    float out[MAX_WIDTH];
    fixture f;

    CHECK_OK(&f.ctx, open_changed(&f, &last, &(lm_model_options){.max_tokens = 0}));
    CHECK_OK(&f.ctx, lm_session_create(&f.ctx, &f.session));
    CHECK_OK(&f.ctx, embed(&f, "cat", LM_LONG_TRUNCATE, out));
    CHECK(memcmp(out, ((const lm_vectors *)f.loaded.model.views[LM_SECTION_VECTORS])->table + 33,
                 11 * sizeof *out) == 0);
    tear_down(&f);
    CHECK_OK(&f.ctx, open_changed(&f, &once, &(lm_model_options){.max_tokens = 0}));
    CHECK_EQ_INT(f.loaded.model.info.dimensions, 24);
    loaded_close(&f.ctx, &f.loaded);
    golden_close(&f.folder);
    CHECK_EQ_INT(f.memory.live, 0);
}

static void
no_word(void)
{
    static const char *const folders[] = {"words", "words-weighted", "words-bag"};

    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
        float out[MAX_WIDTH];
        fixture f;

        set_up(&f, folders[i]);
        CHECK_EQ_INT(embed(&f, "nothing of it", LM_LONG_TRUNCATE, out), LM_NO_TOKEN);
        tear_down(&f);
    }
}

/* Words beyond the window are cut, refused, or all of one mean. */
static void
long_texts(void)
{
    float cut[MAX_WIDTH], whole[MAX_WIDTH], first[MAX_WIDTH];
    char text[31 * 4 + 1] = "";
    fixture f;

    set_up(&f, "words-lower");
    for (int i = 0; i < 30; i++)
        strcat(text, "cat ");
    CHECK_OK(&f.ctx, embed(&f, text, LM_LONG_ERROR, first));
    strcat(text, "dog ");
    CHECK_OK(&f.ctx, embed(&f, text, LM_LONG_TRUNCATE, cut));
    CHECK(memcmp(cut, first, 11 * sizeof *cut) == 0);
    CHECK_EQ_INT(embed(&f, text, LM_LONG_ERROR, cut), LM_TOO_LARGE);
    CHECK_OK(&f.ctx, embed(&f, text, LM_LONG_MEAN, whole));
    CHECK(memcmp(cut, whole, 11 * sizeof *cut) != 0);
    tear_down(&f);
}

/* ---- Lower case as Python has it ---- */

static void
lower_case(void)
{
    static const char *const pairs[][2] = {
        {"\xce\xa3", "\xcf\x83"},                   /* alone */
        {"\xce\x91\xce\xa3", "\xce\xb1\xcf\x82"},   /* at the end */
        {"\xce\x91\xce\xa3'", "\xce\xb1\xcf\x82'"}, /* before what is passed over */
        {"\xce\x91\xce\xa3'\xce\x91", "\xce\xb1\xcf\x83'\xce\xb1"},
        {"1\xce\xa3", "1\xcf\x83"},
        {"\xce\x91\xcc\x81\xce\xa3", "\xce\xb1\xcc\x81\xcf\x82"}, /* behind a mark */
        {"A\xce\xa3\xe7\x8c\xab", "a\xcf\x82\xe7\x8c\xab"},
        {"\xc4\xb0", "i\xcc\x87"},
    };
    lm_context ctx;
    lm_buffer out;

    lm_context_init(&ctx);
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        lm_buffer_init(&out, &ctx);
        CHECK_OK(&ctx, lm_lower_append(&out, pairs[i][0], strlen(pairs[i][0])));
        CHECK_OK(&ctx, lm_buffer_append(&out, "", 1));
        CHECK_STR(out.data, pairs[i][1]);
        lm_buffer_free(&out);
    }
}

/* ---- Files that say something else ---- */

#define WORDS_JSON "0_WordEmbeddings/whitespacetokenizer_config.json"
#define WEIGHTS_JSON "1_WordWeights/config.json"
#define EMBEDDINGS_JSON "0_WordEmbeddings/wordembedding_config.json"

static const struct {
    edit edit;
    lm_status status;
    const char *file, *key;
} refused[] = {
    {{"words", EMBEDDINGS_JSON, "WhitespaceTokenizer\"", "PhraseTokenizer\""},
     LM_UNSUPPORTED,
     EMBEDDINGS_JSON,
     "tokenizer_class"},
    {{"words", EMBEDDINGS_JSON, "sentence_transformers.", "other."},
     LM_UNSUPPORTED,
     EMBEDDINGS_JSON,
     "tokenizer_class"},
    {{"words", EMBEDDINGS_JSON, "\"sentence_transformers.", "5, \"x\": \""},
     LM_BAD_MODEL,
     EMBEDDINGS_JSON,
     "tokenizer_class"},
    {{"words", EMBEDDINGS_JSON, "1000000", "0"}, LM_BAD_MODEL, EMBEDDINGS_JSON, "max_seq_length"},
    {{"words", WORDS_JSON, "\"vocab\"", "\"vocob\""}, LM_BAD_MODEL, WORDS_JSON, "vocab"},
    {{"words", WORDS_JSON, "\"cat\"", "7"}, LM_BAD_MODEL, WORDS_JSON, "vocab"},
    {{"words", WORDS_JSON, "\"cat\"", "\"a\", \"cat\""}, LM_BAD_MODEL, WORDS_JSON, NULL},
    {{"words", WORDS_JSON, "\"stop_words\"", "\"stop\""}, LM_BAD_MODEL, WORDS_JSON, "stop_words"},
    {{"words", WORDS_JSON, "\"stop_words\": [", "\"stop_words\": [1, "},
     LM_BAD_MODEL,
     WORDS_JSON,
     "stop_words"},
    {{"words", WORDS_JSON, "\"do_lower_case\": false", "\"do_lower_case\": 1"},
     LM_BAD_MODEL,
     WORDS_JSON,
     "do_lower_case"},
    {{"words", "0_WordEmbeddings/model.safetensors", "emb_layer.weight", "emb_layer.waight"},
     LM_BAD_MODEL,
     "",
     "emb_layer.weight"},
    {{"words", "1_Pooling/config.json", "\"mean\"", "\"cls\""},
     LM_UNSUPPORTED,
     "1_Pooling/config.json",
     "pooling_mode"},
    {{"words", "1_Pooling/config.json", "\"mean\"", "7"},
     LM_UNSUPPORTED,
     "1_Pooling/config.json",
     "pooling_mode"},
    {{"words", "1_Pooling/config.json", "\"mean\"", "[\"mean\", \"cls\"]"},
     LM_UNSUPPORTED,
     "1_Pooling/config.json",
     "pooling_mode"},
    {{"words", "modules.json", "models.WordEmbeddings", "models.LSTM"},
     LM_UNSUPPORTED,
     "modules.json",
     "type"},
    {{"words-weighted", WEIGHTS_JSON, "\"cat\": 0.25", "\"cat\": \"x\""},
     LM_BAD_MODEL,
     WEIGHTS_JSON,
     "cat"},
    {{"words-weighted", WEIGHTS_JSON, "\"cat\": 0.25", "\"cat\": 1e300"},
     LM_BAD_MODEL,
     WEIGHTS_JSON,
     "cat"},
    {{"words-weighted", WEIGHTS_JSON, "\"word_weights\": {", "\"word_weights\": [], \"x\": {"},
     LM_BAD_MODEL,
     WEIGHTS_JSON,
     "word_weights"},
    {{"words-weighted", WEIGHTS_JSON, "0.75", "null"},
     LM_BAD_MODEL,
     WEIGHTS_JSON,
     "unknown_word_weight"},
    {{"words-weighted", WEIGHTS_JSON, "\"PADDING_TOKEN\"", "7"},
     LM_BAD_MODEL,
     WEIGHTS_JSON,
     "vocab"},
    {{"words-weighted", WEIGHTS_JSON, "\"vocab\"", "\"vocob\""},
     LM_BAD_MODEL,
     WEIGHTS_JSON,
     "vocab"},
    /* A word less than the tokenizer has. */
    {{"words-weighted", WEIGHTS_JSON, "\"PADDING_TOKEN\",", ""},
     LM_BAD_MODEL,
     "whitespacetokenizer_config.json",
     NULL},
    {{"words-weighted", "modules.json", "\"path\": \"2_Pooling\",",
      "\"path\": \"2_Pooling\", \"type\": \"sentence_transformers.models.WordWeights\"}, "
      "{\"path\": \"9\","},
     LM_UNSUPPORTED,
     "2_Pooling/config.json",
     "word_weights"},
    {{"words-bag", "0_BoW/config.json", "\"vocab\"", "\"vocob\""},
     LM_BAD_MODEL,
     "0_BoW/config.json",
     "vocab"},
};

static void
files_that_do_not_fit(void)
{
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        const edit *e = &refused[i].edit;
        lm_status status;
        fixture f;

        status = open_changed(&f, e, &(lm_model_options){.max_tokens = 0});
        if (status != refused[i].status)
            UNIT_FAIL("%s of %s: status %d", e->to, e->folder, (int)status);
        CHECK_STR(f.ctx.error.file, refused[i].file);
        if (refused[i].key)
            CHECK_STR(f.ctx.error.key, refused[i].key);
        golden_close(&f.folder);
        CHECK_EQ_INT(f.memory.live, 0);
    }
}

/* Weights of words beyond the table are of no account. */
static void
more_weights(void)
{
    static const edit more = {"words-weighted", WEIGHTS_JSON, "\"dog\",", "\"dog\", \"more\","};
    fixture f;

    CHECK_OK(&f.ctx, open_changed(&f, &more, &(lm_model_options){.max_tokens = 7}));
    CHECK_EQ_INT(f.loaded.model.info.max_tokens, 7);
    loaded_close(&f.ctx, &f.loaded);
    golden_close(&f.folder);
}

static void
window_out_of_range(void)
{
    static const edit none = {"words", NULL, NULL, NULL};
    fixture f;

    CHECK_EQ_INT(open_changed(&f, &none, &(lm_model_options){.max_tokens = (1 << 20) + 1}),
                 LM_BAD_ARGUMENT);
    golden_close(&f.folder);
}

/* More words than an embedding may have dimensions. */
static void
large_bag(void)
{
    enum { WORDS = 65537, BYTES = WORDS * 10 };
    edit e = {"words-bag", "0_BoW/config.json", "\"PADDING_TOKEN\"", NULL};
    char *words = malloc(BYTES), *end = words;
    fixture f;

    for (int i = 0; i < WORDS; i++)
        end += sprintf(end, "%s\"w%d\"", i > 0 ? "," : "", i);
    e.to = words;
    CHECK_EQ_INT(open_changed(&f, &e, &(lm_model_options){.max_tokens = 0}), LM_UNSUPPORTED);
    CHECK_STR(f.ctx.error.key, "vocab");
    CHECK_STR(f.ctx.error.found, "65561 words");
    golden_close(&f.folder);
    CHECK_EQ_INT(f.memory.live, 0);
    free(words);
}

/* ---- Failures ---- */

/* Opens, embeds and closes, while one call fails or cancels. */
static lm_status
run_once(const char *folder, int fail_at, int stop_at)
{
    float out[MAX_WIDTH];
    lm_status status;
    fixture f;

    memset(&f, 0, sizeof f);
    fake_context(&f.ctx, &f.memory);
    golden_open(&f.ctx, folder, &f.folder);
    f.memory.calls = f.memory.polls = 0;
    f.memory.fail_at = fail_at;
    f.memory.stop_at = stop_at;
    status = loaded_open(&f.ctx, &f.folder.source, lm_kernels_active(), &f.loaded);
    if (status == LM_OK) {
        status = lm_session_create(&f.ctx, &f.session);
        if (status == LM_OK)
            status = embed(&f, "the cat sat", LM_LONG_TRUNCATE, out);
        lm_session_free(f.session);
        loaded_close(&f.ctx, &f.loaded);
    }
    golden_close(&f.folder);
    CHECK_EQ_INT(f.memory.live, 0);
    return status;
}

static void
cancel_and_memory(void)
{
    static const char *const folders[] = {"words-lower", "words-weighted", "words-bag"};

    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++)
        for (int cancels = 0; cancels < 2; cancels++) {
            lm_status status = LM_CANCELLED;
            int n = 0;

            while (status != LM_OK && n < 10000000) {
                n++;
                status = run_once(folders[i], cancels ? 0 : n, cancels ? n : 0);
                CHECK(status == LM_OK || status == (cancels ? LM_CANCELLED : LM_NO_MEMORY));
            }
            CHECK(n > 5 && status == LM_OK);
        }
}

/* Opens a folder as it is stored, and lists its files. */
static lm_status
open_and_list(fixture *f, lm_file_list *list)
{
    lm_checkpoint checkpoint;
    lm_arena arena;
    lm_status status;

    lm_arena_init(&arena, &f->ctx);
    status = lm_checkpoint_open(&f->ctx, &arena, &f->folder.source, NULL, &checkpoint);
    if (status == LM_OK)
        status = lm_checkpoint_list(&f->ctx, &f->folder.arena, &f->folder.source, list);
    lm_arena_free(&arena);
    return status;
}

/* The words of a folder, and of a bag all that it has, are among its files; a read that fails ends
 * both. */
static void
files_of_folders(void)
{
    static const char *const folders[] = {"words", "words-bag"};

    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
        lm_status status = LM_IO_ERROR;
        lm_file_list list;
        fixture f;
        int live;

        memset(&f, 0, sizeof f);
        fake_context(&f.ctx, &f.memory);
        golden_open(&f.ctx, folders[i], &f.folder);
        live = f.memory.live;
        for (int at = 1; status == LM_IO_ERROR; at++) {
            f.folder.files.calls = 0;
            f.folder.files.fail_at = at;
            status = open_and_list(&f, &list);
        }
        CHECK_OK(&f.ctx, status);
        CHECK(f.memory.live >= live);
        CHECK_EQ_INT(list.count + 1, f.folder.files.count); /* golden.json */
        for (size_t n = 0; n < list.count; n++)
            CHECK(fake_find(&f.folder.files, list.names[n]) != NULL);
        golden_close(&f.folder);
        CHECK_EQ_INT(f.memory.live, 0);
    }
}

/* Whatever of a folder meets the end of the arena's block while memory is short. */
static void
opened_without_memory(void)
{
    lm_checkpoint checkpoint;
    fixture f;

    memset(&f, 0, sizeof f);
    fake_context(&f.ctx, &f.memory);
    golden_open(&f.ctx, "words", &f.folder);
    for (size_t room = 0; room < 6144; room += 16) {
        lm_status status = LM_NO_MEMORY;

        for (int at = 1; status == LM_NO_MEMORY; at++) {
            lm_arena arena;

            lm_arena_init(&arena, &f.ctx);
            CHECK(fake_fill_arena(&arena, room));
            f.memory.calls = 0;
            f.memory.fail_at = at;
            status = lm_checkpoint_open(&f.ctx, &arena, &f.folder.source, NULL, &checkpoint);
            f.memory.fail_at = 0;
            lm_arena_free(&arena);
        }
        CHECK_OK(&f.ctx, status);
    }
    golden_close(&f.folder);
    CHECK_EQ_INT(f.memory.live, 0);
}

static const unit_case cases[] = {
    {"opened without memory", opened_without_memory},
    {"files of folders", files_of_folders},
    {"descriptions", descriptions},
    {"tokens", tokens},
    {"empty words", empty_words},
    {"repeated words", repeated_words},
    {"no word", no_word},
    {"long texts", long_texts},
    {"lower case", lower_case},
    {"files that do not fit", files_that_do_not_fit},
    {"more weights", more_weights},
    {"window out of range", window_out_of_range},
    {"large bag", large_bag},
    {"cancel and memory", cancel_and_memory},
};

UNIT_MAIN(cases)
