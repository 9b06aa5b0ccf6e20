/*
 * test_embed.c - what embedding promises beyond the goldens: the same bits alone and in any batch,
 * prompts, dimensions, long texts, counts, and behaviour under cancel and shortage of memory.
 */
#include <malloc.h>

#include "golden.h"
#include "loaded.h"

#define WIDTH 20

static const char *const words[] = {
    "",
    "cat",
    "the cat sat on the mat",
    "databases and more databases",
    "a",
    "the quick brown fox jumps over the lazy dog and on and on and on and on",
    "42",
};
#define COUNT (sizeof words / sizeof words[0])

typedef struct fixture {
    lm_context ctx;
    fake_memory memory;
    golden_folder folder;
    loaded_model loaded;
    lm_session *session;
    lm_text texts[COUNT];
} fixture;

static void
set_up(fixture *f, const char *folder)
{
    memset(f, 0, sizeof *f);
    fake_context(&f->ctx, &f->memory);
    golden_open(&f->ctx, folder, &f->folder);
    CHECK_OK(&f->ctx, loaded_open(&f->ctx, &f->folder.source, lm_kernels_active(), &f->loaded));
    CHECK_OK(&f->ctx, lm_session_create(&f->ctx, &f->session));
    for (size_t i = 0; i < COUNT; i++)
        f->texts[i] = (lm_text){words[i], strlen(words[i])};
}

/* Everything that the context gave must have come back. */
static void
tear_down(fixture *f)
{
    lm_session_free(f->session);
    loaded_close(&f->ctx, &f->loaded);
    golden_close(&f->folder);
    CHECK_EQ_INT(f->memory.live, 0);
}

static void
embed_one(fixture *f, size_t i, const lm_embed_options *options, float *out)
{
    CHECK_OK(&f->ctx,
             lm_embed(&f->ctx, f->session, &f->loaded.model, &f->texts[i], 1, options, out, NULL));
}

static void
batch_invariance(void)
{
    static const size_t sizes[] = {0, 1, 7, 16, 17, 40, 4096};
    static const lm_on_long modes[] = {LM_LONG_TRUNCATE, LM_LONG_MEAN};
    fixture f;
    float alone[COUNT][WIDTH], together[COUNT][WIDTH];

    set_up(&f, "bert-st5-cls");
    for (size_t m = 0; m < 2; m++)
        for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
            const lm_embed_options options = {.batch_tokens = sizes[s], .on_long = modes[m]};
            lm_embed_counts counts = {0};

            for (size_t i = 0; i < COUNT; i++)
                embed_one(&f, i, &options, alone[i]);
            CHECK_OK(&f.ctx, lm_embed(&f.ctx, f.session, &f.loaded.model, f.texts, COUNT, &options,
                                      together[0], &counts));
            CHECK(memcmp(alone, together, sizeof alone) == 0);
            CHECK_EQ_INT(counts.texts, COUNT);
            CHECK(sizes[s] != 1 || counts.forwards >= COUNT);
            CHECK(sizes[s] != 4096 || counts.forwards == 1);
        }
    tear_down(&f);
}

/* A warm call, even of other texts, takes no memory. */
static void
warm_calls_allocate_nothing(void)
{
    const lm_embed_options options = {.prompt_name = "query", .batch_tokens = 64};
    float out[COUNT][WIDTH];
    fixture f;
    int calls;

    set_up(&f, "bert-st5-prompt");
    CHECK_OK(&f.ctx,
             lm_embed(&f.ctx, f.session, &f.loaded.model, f.texts, COUNT, &options, out[0], NULL));
    calls = f.memory.calls;
    for (size_t i = 0; i < COUNT; i++)
        embed_one(&f, i, &options, out[i]);
    CHECK_OK(&f.ctx,
             lm_embed(&f.ctx, f.session, &f.loaded.model, f.texts, COUNT, &options, out[0], NULL));
    CHECK_EQ_INT(f.memory.calls, calls);
    tear_down(&f);
}

/* Bytes that a session holds, as the allocator has them. */
static void *
count_alloc(void *held, size_t size)
{
    void *pointer = malloc(size);

    *(size_t *)held += malloc_usable_size(pointer);
    return pointer;
}

static void *
count_realloc(void *held, void *pointer, size_t size)
{
    *(size_t *)held -= malloc_usable_size(pointer);
    pointer = realloc(pointer, size);
    *(size_t *)held += malloc_usable_size(pointer);
    return pointer;
}

static void
count_free(void *held, void *pointer)
{
    *(size_t *)held -= malloc_usable_size(pointer);
    free(pointer);
}

/*
 * A large batch, one that fails, and one long text: what they took is given back; what an ordinary
 * call takes stays, and is taken once.
 */
static void
large_calls_give_memory_back(void)
{
    enum { MANY = 32768, LONG = 1 << 22, BATCH = 1 << 18 };
    const lm_embed_options large = {.batch_tokens = BATCH}, ordinary = {.dimensions = 0};
    const lm_embed_options refused = {.batch_tokens = BATCH, .on_long = LM_LONG_ERROR};
    size_t held = 0, kept;
    lm_context counted = {
        .alloc = count_alloc, .realloc = count_realloc, .free = count_free, .opaque = &held};
    char *long_text = malloc(LONG);
    lm_text *texts = malloc((MANY + 1) * sizeof *texts);
    float *out = malloc((MANY + 1) * WIDTH * sizeof *out);
    const float *hidden;
    lm_session *session;
    size_t tokens;
    fixture f;

    set_up(&f, "bert-st5-cls");
    memset(long_text, 'a', LONG);
    for (int i = 0; i < MANY; i++)
        texts[i] = f.texts[i % COUNT];
    texts[MANY] = (lm_text){long_text, LONG};
    for (size_t i = 1; i < texts[MANY].length; i += 2)
        long_text[i] = ' ';
    CHECK_OK(&counted, lm_session_create(&counted, &session));
    CHECK_OK(&f.ctx,
             lm_embed(&f.ctx, session, &f.loaded.model, texts, COUNT, &ordinary, out, NULL));
    kept = held;
    CHECK(lm_session_bytes(session) > kept / 2);
    CHECK_OK(&f.ctx, lm_embed(&f.ctx, session, &f.loaded.model, texts, MANY, &large, out, NULL));
    CHECK(held < LM_SESSION_KEEP);
    CHECK_EQ_INT(lm_embed(&f.ctx, session, &f.loaded.model, texts, MANY + 1, &refused, out, NULL),
                 LM_TOO_LARGE);
    CHECK(held < LM_SESSION_KEEP);
    CHECK_OK(&f.ctx, lm_embed(&f.ctx, session, &f.loaded.model, &texts[MANY], 1,
                              &(lm_embed_options){.on_long = LM_LONG_MEAN}, out, NULL));
    CHECK(held < LM_SESSION_KEEP);
    CHECK_OK(&f.ctx,
             lm_hidden_states(&f.ctx, session, &f.loaded.model, texts[0], -1, &hidden, &tokens));
    CHECK(held < LM_SESSION_KEEP && tokens > 0);
    lm_session_free(session);
    CHECK_EQ_INT(held, 0);
    free(out);
    free(texts);
    free(long_text);
    tear_down(&f);
}

static void
prompts(void)
{
    const lm_text joined = {"query: cat", 10}, plain = {"cat", 3};
    float named[WIDTH], literal[WIDTH], by_hand[WIDTH];
    fixture f;

    set_up(&f, "bert-st5-cls");
    CHECK_OK(&f.ctx, lm_embed(&f.ctx, f.session, &f.loaded.model, &plain, 1,
                              &(lm_embed_options){.prompt_name = "query"}, named, NULL));
    CHECK_OK(&f.ctx, lm_embed(&f.ctx, f.session, &f.loaded.model, &plain, 1,
                              &(lm_embed_options){.prompt = "query: xyz", .prompt_length = 7},
                              literal, NULL));
    CHECK_OK(&f.ctx, lm_embed(&f.ctx, f.session, &f.loaded.model, &joined, 1,
                              &(lm_embed_options){.dimensions = 0}, by_hand, NULL));
    CHECK(memcmp(named, by_hand, sizeof named) == 0);
    CHECK(memcmp(literal, by_hand, sizeof named) == 0);
    CHECK_EQ_INT(lm_embed(&f.ctx, f.session, &f.loaded.model, &plain, 1,
                          &(lm_embed_options){.prompt_name = "quest"}, named, NULL),
                 LM_UNKNOWN);
    CHECK_STR(f.ctx.error.found, "\"quest\"");
    CHECK_STR(f.ctx.error.allowed, "query, passage");
    tear_down(&f);
}

/* A prompt that is left out of pooling must leave something to pool. */
static void
prompts_without_room(void)
{
    const lm_text text = {"ar", 2}, empty = {"", 0};
    const char *const longer = "on and on and on and on and on and on and on and on and on and on";
    float out[WIDTH];
    fixture f;

    set_up(&f, "bert-st5-prompt");
    CHECK_EQ_INT(lm_embed(&f.ctx, f.session, &f.loaded.model, &text, 1,
                          &(lm_embed_options){.prompt = longer, .prompt_length = strlen(longer)},
                          out, NULL),
                 LM_BAD_ARGUMENT);
    CHECK_STR(f.ctx.error.key, "prompt");
    /* With nothing behind the prompt, the closing special token is pooled, as the reference does.
     */
    CHECK_OK(&f.ctx, lm_embed(&f.ctx, f.session, &f.loaded.model, &empty, 1,
                              &(lm_embed_options){.prompt_name = "query"}, out, NULL));
    tear_down(&f);
}

/* A text without tokens has no vector where no special tokens stand around it. */
static void
no_tokens(void)
{
    const lm_text text = {"", 0};
    char *json;
    float out[WIDTH];
    fixture f;

    memset(&f, 0, sizeof f);
    fake_context(&f.ctx, &f.memory);
    golden_open(&f.ctx, "bert-st5-cls", &f.folder);
    json = strstr((char *)(uintptr_t)fake_find(&f.folder.files, "tokenizer.json")->data,
                  "\"post_processor\"");
    if (!json) {
        UNIT_FAIL("the tokenizer has no post-processor");
        return;
    }
    memcpy(json, "\"post_Processor\"", 16); /* a member of no meaning */
    CHECK_OK(&f.ctx, loaded_open(&f.ctx, &f.folder.source, lm_kernels_active(), &f.loaded));
    CHECK_OK(&f.ctx, lm_session_create(&f.ctx, &f.session));
    for (int mode = LM_LONG_TRUNCATE; mode <= LM_LONG_MEAN; mode++) {
        const lm_embed_options options = {.on_long = (lm_on_long)mode};

        CHECK_EQ_INT(lm_embed(&f.ctx, f.session, &f.loaded.model, &text, 1, &options, out, NULL),
                     LM_NO_TOKEN);
        CHECK(strstr(f.ctx.error.message, "no token") != NULL);
        CHECK_STR(f.ctx.error.key, "");
    }
    tear_down(&f);
}

/* A model whose tokenizer knows whole words only: what stands in the vocabulary gets the same ids.
 */
static void
whole_words(void)
{
    float pieces[WIDTH], word[WIDTH], unknown[WIDTH];
    char *type;
    fixture f;

    set_up(&f, "bert-st5-cls");
    embed_one(&f, 1, &(lm_embed_options){0}, pieces);
    tear_down(&f);
    memset(&f, 0, sizeof f);
    fake_context(&f.ctx, &f.memory);
    golden_open(&f.ctx, "bert-st5-cls", &f.folder);
    type =
        strstr((char *)(uintptr_t)fake_find(&f.folder.files, "tokenizer.json")->data, "\"model\"");
    type = type ? strstr(type, "WordPiece") : NULL;
    if (!type) {
        UNIT_FAIL("the tokenizer is no WordPiece");
        return;
    }
    memcpy(type, "WordLevel", 9);
    CHECK_OK(&f.ctx, loaded_open(&f.ctx, &f.folder.source, lm_kernels_active(), &f.loaded));
    CHECK_OK(&f.ctx, lm_session_create(&f.ctx, &f.session));
    for (size_t i = 0; i < COUNT; i++)
        f.texts[i] = (lm_text){words[i], strlen(words[i])};
    embed_one(&f, 1, &(lm_embed_options){0}, word);
    CHECK(memcmp(word, pieces, sizeof word) == 0);
    f.texts[1] = (lm_text){"catcat", 6};
    embed_one(&f, 1, &(lm_embed_options){0}, unknown);
    CHECK(memcmp(word, unknown, sizeof word) != 0);
    tear_down(&f);
}

static void
dimensions(void)
{
    float whole[WIDTH], cut[WIDTH];
    double norm = 0;
    int width;
    fixture f;

    set_up(&f, "bert-st5-cls");
    embed_one(&f, 2, &(lm_embed_options){.dimensions = WIDTH}, whole);
    embed_one(&f, 2, &(lm_embed_options){.dimensions = 7}, cut);
    for (int i = 0; i < 7; i++)
        norm += (double)whole[i] * whole[i];
    for (int i = 0; i < 7; i++)
        CHECK_NEAR(cut[i], whole[i] / sqrt(norm), 1e-6);
    embed_one(&f, 2, &(lm_embed_options){.dimensions = 1}, cut);
    CHECK(cut[0] == (whole[0] < 0 ? -1 : 1));
    CHECK_OK(&f.ctx,
             lm_embed_width(&f.ctx, &f.loaded.model, &(lm_embed_options){.dimensions = 7}, &width));
    CHECK_EQ_INT(width, 7);
    CHECK_EQ_INT(
        lm_embed_width(&f.ctx, &f.loaded.model, &(lm_embed_options){.dimensions = 21}, &width),
        LM_BAD_ARGUMENT);
    CHECK_STR(f.ctx.error.allowed, "1 to 20");
    CHECK_EQ_INT(
        lm_embed_width(&f.ctx, &f.loaded.model, &(lm_embed_options){.dimensions = -1}, &width),
        LM_BAD_ARGUMENT);
    tear_down(&f);
}

/* The mean over windows, computed from the windows' own embeddings. */
static void
long_texts(void)
{
    /* The window is 16 tokens, 14 without special ones; "e" is one token. */
    const lm_text text = {"e e e e e e e e e e e e e e e e e e e", 37};
    const lm_text first = {"e e e e e e e e e e e e e e", 27}, second = {"e e e e e", 9};
    const lm_text twice = {"e e e e e e e e e e e e e e e e e e e e e e e e e e e e", 55};
    float got[WIDTH], a[WIDTH], b[WIDTH], mean[WIDTH];
    double norm = 0;
    lm_embed_counts counts = {0};
    lm_embed_options options = {.on_long = LM_LONG_MEAN};
    fixture f;

    set_up(&f, "bert-st5-cls");
    CHECK_OK(&f.ctx,
             lm_embed(&f.ctx, f.session, &f.loaded.model, &text, 1, &options, got, &counts));
    CHECK_EQ_INT(counts.tokens, 19 + 2 * 2);
    CHECK_OK(&f.ctx, lm_embed(&f.ctx, f.session, &f.loaded.model, &first, 1, &options, a, NULL));
    CHECK_OK(&f.ctx, lm_embed(&f.ctx, f.session, &f.loaded.model, &second, 1, &options, b, NULL));
    for (int i = 0; i < WIDTH; i++) {
        mean[i] = (14 * a[i] + 5 * b[i]) / 19;
        norm += (double)mean[i] * mean[i];
    }
    for (int i = 0; i < WIDTH; i++)
        CHECK_NEAR(got[i], mean[i] / sqrt(norm), 1e-6);

    /* Exactly two windows: no third, empty one. */
    counts = (lm_embed_counts){0};
    CHECK_OK(&f.ctx,
             lm_embed(&f.ctx, f.session, &f.loaded.model, &twice, 1, &options, got, &counts));
    CHECK_EQ_INT(counts.tokens, 2 * 16);
    for (int i = 0; i < WIDTH; i++)
        CHECK_NEAR(got[i], a[i], 1e-6);

    options.on_long = LM_LONG_ERROR;
    CHECK_EQ_INT(lm_embed(&f.ctx, f.session, &f.loaded.model, &text, 1, &options, got, NULL),
                 LM_TOO_LARGE);
    CHECK_STR(f.ctx.error.allowed, "at most 16");
    CHECK_OK(&f.ctx, lm_embed(&f.ctx, f.session, &f.loaded.model, &first, 1, &options, got, NULL));
    CHECK(memcmp(got, a, sizeof got) == 0);

    options.on_long = LM_LONG_TRUNCATE;
    counts = (lm_embed_counts){0};
    CHECK_OK(&f.ctx,
             lm_embed(&f.ctx, f.session, &f.loaded.model, &text, 1, &options, got, &counts));
    CHECK(memcmp(got, a, sizeof got) == 0);
    CHECK_EQ_INT(counts.truncated, 1);
    CHECK_EQ_INT(counts.tokens, 16);
    tear_down(&f);
}

static void
hidden_states(void)
{
    const lm_text text = {"cat", 3};
    const float *hidden;
    size_t tokens;
    fixture f;

    set_up(&f, "bert-st5-cls");
    CHECK_OK(&f.ctx,
             lm_hidden_states(&f.ctx, f.session, &f.loaded.model, text, 0, &hidden, &tokens));
    CHECK_EQ_INT(tokens, 3);
    CHECK_OK(&f.ctx,
             lm_hidden_states(&f.ctx, f.session, &f.loaded.model, text, -1, &hidden, &tokens));
    CHECK_EQ_INT(lm_hidden_states(&f.ctx, f.session, &f.loaded.model, text, 2, &hidden, &tokens),
                 LM_BAD_ARGUMENT);
    CHECK_STR(f.ctx.error.allowed, "-1 to 1");
    tear_down(&f);
}

static void
bad_text(void)
{
    const lm_text text = {"caf\xe9", 4};
    float out[WIDTH];
    fixture f;

    set_up(&f, "bert-st5-cls");
    CHECK_EQ_INT(lm_embed(&f.ctx, f.session, &f.loaded.model, &text, 1,
                          &(lm_embed_options){.dimensions = 0}, out, NULL),
                 LM_BAD_TEXT);
    embed_one(&f, 1, &(lm_embed_options){.dimensions = 0}, out);
    tear_down(&f);
}

/* What a call that failed has counted is what its first texts count by themselves. */
static void
check_partial(fixture *f, const lm_embed_options *options, const lm_embed_counts *counts)
{
    lm_embed_counts whole = {0};
    float out[COUNT][WIDTH];

    CHECK(counts->texts <= COUNT);
    if (counts->texts > 0)
        CHECK_OK(&f->ctx, lm_embed(&f->ctx, f->session, &f->loaded.model, f->texts, counts->texts,
                                   options, out[0], &whole));
    CHECK_EQ_INT(counts->texts, whole.texts);
    CHECK_EQ_INT(counts->tokens, whole.tokens);
    CHECK_EQ_INT(counts->truncated, whole.truncated);
}

/* A cancel at any poll ends the call with LM_CANCELLED, and the session serves on. */
static void
cancel(void)
{
    const lm_embed_options options = {.batch_tokens = 16};
    size_t most = 0;
    float wanted[COUNT][WIDTH], got[COUNT][WIDTH];
    fixture f;
    int polls;

    set_up(&f, "bert-st5-cls");
    f.memory.polls = 0;
    CHECK_OK(&f.ctx, lm_embed(&f.ctx, f.session, &f.loaded.model, f.texts, COUNT, &options,
                              wanted[0], NULL));
    polls = f.memory.polls;
    CHECK(polls > 10);
    for (int stop = 1; stop <= polls; stop++) {
        lm_embed_counts counts = {0};

        f.memory.polls = 0;
        f.memory.stop_at = stop;
        CHECK_EQ_INT(
            lm_embed(&f.ctx, f.session, &f.loaded.model, f.texts, COUNT, &options, got[0], &counts),
            LM_CANCELLED);
        f.memory.stop_at = 0;
        check_partial(&f, &options, &counts);
        most = counts.texts > most ? counts.texts : most;
    }
    CHECK(most > 0);
    CHECK_OK(&f.ctx,
             lm_embed(&f.ctx, f.session, &f.loaded.model, f.texts, COUNT, &options, got[0], NULL));
    CHECK(memcmp(wanted, got, sizeof got) == 0);
    tear_down(&f);
}

/* Load, create a session, embed; with the n-th allocation failing. Whether it came through. */
static bool
run_starved(golden_folder *folder, fake_memory *memory, lm_context *ctx)
{
    const lm_text text = {"the cat sat", 11};
    lm_session *session = NULL;
    loaded_model loaded;
    float out[WIDTH];
    lm_status status;

    for (int i = 0; i < folder->files.count; i++)
        folder->files.files[i].read_to = 0;
    status = loaded_open(ctx, &folder->source, lm_kernels_active(), &loaded);
    if (status == LM_OK) {
        status = lm_session_create(ctx, &session);
        if (status == LM_OK)
            status = lm_embed(ctx, session, &loaded.model, &text, 1,
                              &(lm_embed_options){.prompt_name = "query"}, out, NULL);
        lm_session_free(session);
        loaded_close(ctx, &loaded);
    }
    CHECK(status == LM_OK || status == LM_NO_MEMORY);
    CHECK_EQ_INT(memory->live, 0);
    return status == LM_OK;
}

static void
no_memory(void)
{
    for (int forever = 0; forever < 2; forever++) {
        golden_folder folder;
        lm_context plain, ctx;
        fake_memory memory = {.fail_on = forever};
        int n = 0;

        lm_context_init(&plain);
        golden_open(&plain, "bert-st5-prompt", &folder);
        fake_context(&ctx, &memory);
        do {
            memory.calls = 0;
            memory.fail_at = ++n;
        } while (!run_starved(&folder, &memory, &ctx) && n < 5000);
        CHECK(n > 20 && n < 5000);
        golden_close(&folder);
    }
}

/* The n-th read of a file failing. */
static void
failing_reads(void)
{
    golden_folder folder;
    lm_context ctx;
    loaded_model loaded;
    lm_status status;
    int n = 0;

    lm_context_init(&ctx);
    golden_open(&ctx, "bert-sharded", &folder);
    do {
        folder.files.calls = 0;
        folder.files.fail_at = ++n;
        status = loaded_open(&ctx, &folder.source, lm_kernels_active(), &loaded);
        CHECK(status == LM_OK || status == LM_IO_ERROR);
    } while (status != LM_OK && n < 1000);
    CHECK(n > 50 && n < 1000);
    if (status == LM_OK)
        loaded_close(&ctx, &loaded);
    golden_close(&folder);
}

static const unit_case cases[] = {
    {"batch invariance", batch_invariance},
    {"warm calls allocate nothing", warm_calls_allocate_nothing},
    {"large calls give memory back", large_calls_give_memory_back},
    {"prompts", prompts},
    {"prompts without room", prompts_without_room},
    {"no tokens", no_tokens},
    {"whole words", whole_words},
    {"dimensions", dimensions},
    {"long texts", long_texts},
    {"hidden states", hidden_states},
    {"bad text", bad_text},
    {"cancel", cancel},
    {"no memory", no_memory},
    {"failing reads", failing_reads},
};

UNIT_MAIN(cases)
