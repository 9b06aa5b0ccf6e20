/*
 * test_batch.c - what a batch says of its windows: which tokens they have, and where these stand in
 * their texts.
 */
#include "golden.h"
#include "loaded.h"
#include "task/batch.h"
#include "token/image.h"

#define MAX_TOKENS 128

static const lm_text texts[] = {
    {"", 0},
    {"\xc3\x89t\xc3\xa9 na\xc3\xafve \xe6\x97\xa5 [SEP] databases", 32},
    {"the quick brown fox jumps over the lazy dog and runs on and on until it is full", 79},
};
#define COUNT (sizeof texts / sizeof texts[0])

/* Ids and ranges of a text's tokens without special ones, from all of its windows. */
typedef struct seen_text {
    int32_t ids[MAX_TOKENS];
    lm_token_range ranges[MAX_TOKENS];
    size_t count, windows, special;
} seen_text;

typedef struct seen {
    const lm_session *session;
    seen_text texts[COUNT];
} seen;

static lm_status
see(void *opaque, const lm_window *window, const float *hidden, size_t tokens)
{
    seen *seen = opaque;
    seen_text *text = &seen->texts[window->text];

    text->windows++;
    for (size_t i = window->token; i < window->token + tokens; i++) {
        if (seen->session->ranges[i].start < 0) {
            text->special++;
            continue;
        }
        text->ids[text->count] = seen->session->ids[i];
        text->ranges[text->count++] = seen->session->ranges[i];
    }
    return LM_OK;
}

/* The tokens that a text has by itself, up to the window if it is cut. */
static void
check_text(lm_context *ctx, const loaded_model *loaded, lm_session *session, lm_on_long on_long,
           const lm_text *text, const seen_text *seen)
{
    const lm_token_options options = {.parse_special = true, .offsets = true};
    const size_t room = (size_t)loaded->model.info.max_tokens - 2;
    lm_encoding encoding;
    size_t count;

    lm_encoding_init(&encoding, ctx);
    CHECK_OK(ctx, lm_tokenize(ctx, lm_model_tokenizer(&loaded->model), session->scratch,
                              text->bytes, text->length, &options, &encoding));
    count = on_long == LM_LONG_TRUNCATE && encoding.count > room ? room : encoding.count;
    CHECK_EQ_INT(seen->count, count);
    CHECK_EQ_INT(seen->special, 2 * seen->windows);
    CHECK_EQ_INT(seen->windows, count > room ? (count + room - 1) / room : 1);
    for (size_t i = 0; i < count && i < seen->count; i++) {
        CHECK_EQ_INT(seen->ids[i], encoding.ids[i]);
        CHECK_EQ_INT(seen->ranges[i].start, encoding.start[i]);
        CHECK_EQ_INT(seen->ranges[i].stop, encoding.stop[i]);
    }
    lm_encoding_free(&encoding);
}

/* In batches that hold one window, and all. */
static void
ranges(void)
{
    static const lm_on_long modes[] = {LM_LONG_TRUNCATE, LM_LONG_MEAN};
    golden_folder folder;
    loaded_model loaded;
    lm_session *session;
    lm_context ctx;

    lm_context_init(&ctx);
    golden_open(&ctx, "bert", &folder);
    CHECK_OK(&ctx, loaded_open(&ctx, &folder.source, lm_kernels_active(), &loaded));
    CHECK_OK(&ctx, lm_session_create(&ctx, &session));
    for (int run = 0; run < 4; run++) {
        seen seen = {.session = session};
        lm_batcher batcher = {.ctx = &ctx,
                              .session = session,
                              .model = &loaded.model,
                              .ranges = true,
                              .on_long = modes[run / 2],
                              .batch_tokens = run % 2 ? 1 : 0,
                              .take = see,
                              .opaque = &seen};

        for (size_t i = 0; i < COUNT; i++)
            CHECK_OK(&ctx, lm_batch_add(&batcher, &texts[i], i));
        CHECK_OK(&ctx, lm_batch_flush(&batcher));
        for (size_t i = 0; i < COUNT; i++)
            check_text(&ctx, &loaded, session, modes[run / 2], &texts[i], &seen.texts[i]);
    }
    lm_session_free(session);
    loaded_close(&ctx, &loaded);
    golden_close(&folder);
}

/* ---- Texts that lose their beginning ---- */

#define PAIR_TOKENS 20
#define MAX_WINDOWS 20

typedef struct pair_run {
    lm_context ctx;
    golden_folder folder;
    loaded_model loaded;
    lm_session *session;
    int32_t ids[MAX_WINDOWS][PAIR_TOKENS];
    lm_token_range first[MAX_WINDOWS]; /* of each window's tokens of the second text */
    size_t windows;
} pair_run;

static void
open_left(pair_run *run)
{
    memset(run, 0, sizeof *run);
    lm_context_init(&run->ctx);
    golden_open(&run->ctx, "bert", &run->folder);
    CHECK_OK(&run->ctx,
             loaded_open(&run->ctx, &run->folder.source, lm_kernels_active(), &run->loaded));
    CHECK_OK(&run->ctx, lm_session_create(&run->ctx, &run->session));
    ((lm_token_image *)(uintptr_t)lm_model_tokenizer(&run->loaded.model)->image)->cuts_left = 1;
}

static lm_status
see_pair(void *opaque, const lm_window *window, const float *hidden, size_t tokens)
{
    pair_run *run = opaque;
    size_t at = window->token;

    CHECK_EQ_INT(tokens, PAIR_TOKENS);
    CHECK(run->windows < MAX_WINDOWS);
    memcpy(run->ids[run->windows], run->session->ids + at, sizeof run->ids[0]);
    while (at < window->token + tokens - 1 && run->session->ranges[at].start < 0)
        at++;
    run->first[run->windows++] = run->session->ranges[at];
    return LM_OK;
}

static void
add_pair(pair_run *run, lm_pair_cut cut, const char *a, const char *b)
{
    const lm_text pair[2] = {{a, strlen(a)}, {b, strlen(b)}};
    lm_batcher batcher = {.ctx = &run->ctx,
                          .session = run->session,
                          .model = &run->loaded.model,
                          .ranges = true,
                          .cut = cut,
                          .pair_tokens = PAIR_TOKENS,
                          .pair_overlap = 5,
                          .take = see_pair,
                          .opaque = run};

    run->windows = 0;
    CHECK_OK(&run->ctx, lm_batch_add_pair(&batcher, pair, 0));
    CHECK_OK(&run->ctx, lm_batch_flush(&batcher));
}

#define LONG_TEXT "the quick brown fox jumps over the lazy dog and runs on and on until it is full"
#define SHORT_TEXT "the quick fox"

/* Ids that tokenizers 0.23.3 has for the two rules and for windows, with direction left. */
static void
left_pairs(void)
{
    static const struct {
        lm_pair_cut cut;
        const char *a, *b;
        size_t windows;
        int32_t ids[3][PAIR_TOKENS]; /* of the first windows, and of the last one */
        int32_t first[3];            /* place of its first token of the second text */
    } rows[] = {
        {LM_CUT_LONGEST,
         LONG_TEXT,
         SHORT_TEXT,
         1,
         {{2, 42, 13, 50, 13, 49, 10, 51, 42, 42, 3, 21, 51, 39, 33, 41, 10, 45, 54, 3}},
         {4}},
        {LM_CUT_LONGEST,
         LONG_TEXT,
         LONG_TEXT,
         1,
         {{2, 13, 50, 13, 49, 10, 51, 42, 42, 3, 42, 13, 50, 13, 49, 10, 51, 42, 42, 3}},
         {67}},
        {LM_CUT_FIRST,
         LONG_TEXT,
         SHORT_TEXT,
         1,
         {{2, 13, 50, 13, 49, 10, 51, 42, 42, 3, 73, 21, 51, 39, 33, 41, 10, 45, 54, 3}},
         {0}},
        {LM_CUT_SECOND_WINDOWS,
         SHORT_TEXT,
         LONG_TEXT,
         17,
         {{2, 73, 21, 51, 39, 33, 41, 10, 45, 54, 3, 13, 50, 13, 49, 10, 51, 42, 42, 3},
          {2, 73, 21, 51, 39, 33, 41, 10, 45, 54, 3, 50, 39, 42, 13, 50, 13, 49, 10, 3},
          {2, 73, 21, 51, 39, 33, 41, 10, 45, 54, 3, 73, 21, 51, 39, 33, 41, 6, 48, 3}},
         {69, 65, 0}},
    };
    pair_run run;

    open_left(&run);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        add_pair(&run, rows[i].cut, rows[i].a, rows[i].b);
        CHECK_EQ_INT(run.windows, rows[i].windows);
        for (size_t k = 0; k < 3 && k < run.windows; k++) {
            size_t window = k < 2 ? k : run.windows - 1;

            CHECK(memcmp(run.ids[window], rows[i].ids[k], sizeof rows[i].ids[k]) == 0);
            CHECK_EQ_INT(run.first[window].start, rows[i].first[k]);
        }
    }
    lm_session_free(run.session);
    loaded_close(&run.ctx, &run.loaded);
    golden_close(&run.folder);
}

static const unit_case cases[] = {
    {"ranges", ranges},
    {"left_pairs", left_pairs},
};

UNIT_MAIN(cases)
