/*
 * test_tag.c - tags of tokens: those of the reference's pipeline at every level, the same bits
 * alone and in any batch, texts beyond the window, texts without a token, cancels and shortage of
 * memory.
 */
#include "golden.h"
#include "loaded.h"
#include "task/batch.h"
#include "task/tag.h"
#include "task/tasks.h"

#define MAX_TEXTS 16
#define MAX_TAGS 64

static const char *const folders[] = {
    "bert-token",    "distilbert-token", "roberta-camembert-token",
    "electra-token", "albert-token",     "longformer-token",
    "jina_v3-token", "mobilebert-token", "rembert-token",
};

typedef struct fixture {
    lm_context ctx;
    fake_memory memory;
    golden_folder folder;
    loaded_model loaded;
    lm_session *session;
    lm_text texts[MAX_TEXTS]; /* of the goldens */
    const lm_json *wanted[MAX_TEXTS];
    size_t count;
    double tolerance;
} fixture;

typedef struct tagged {
    lm_tag tags[MAX_TAGS];
    size_t count, calls;
} tagged;

/* The goldens' texts. */
static void
read_texts(fixture *f)
{
    const lm_json *section = lm_json_get(f->folder.golden, "tags");

    f->tolerance = golden_tolerance(section);
    for (const lm_json *each = lm_json_get(section, "cases")->as.items.first; each;
         each = each->next) {
        const lm_json *text = lm_json_get(each, "text");

        f->texts[f->count] = (lm_text){text->as.string.bytes, text->as.string.length};
        f->wanted[f->count++] = lm_json_get(each, "tags");
    }
    CHECK(f->count >= 8 && f->count <= MAX_TEXTS);
}

static void
set_up(fixture *f, const char *folder, const lm_kernels *kernels, lm_precision precision)
{
    memset(f, 0, sizeof *f);
    fake_context(&f->ctx, &f->memory);
    golden_open(&f->ctx, folder, &f->folder);
    CHECK_OK(&f->ctx, loaded_open_as(&f->ctx, &f->folder.source, kernels, precision, &f->loaded));
    CHECK_OK(&f->ctx, lm_session_create(&f->ctx, &f->session));
    read_texts(f);
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
keep(void *opaque, size_t text, const lm_tag *tags, size_t count)
{
    tagged *results = opaque;

    CHECK(count <= MAX_TAGS);
    results[text].count = count;
    results[text].calls++;
    if (count > 0)
        memcpy(results[text].tags, tags, count * sizeof *tags);
    return LM_OK;
}

static lm_status
tag_texts(fixture *f, const lm_text *texts, size_t count, const lm_embed_options *options,
          tagged *results, lm_embed_counts *counts)
{
    memset(results, 0, count * sizeof *results);
    return lm_tag_texts(&f->ctx, f->session, &f->loaded.model, texts, count, options, keep, results,
                        counts);
}

/* ---- Goldens ---- */

static void
check_tag(const fixture *f, lm_text text, const lm_tag *tag, lm_tag_cursor *at,
          const lm_json *wanted)
{
    const lm_text word = lm_tag_word(lm_model_tokenizer(&f->loaded.model), tag, text, at);
    const lm_json *each = wanted->as.items.first;

    CHECK(word.length == each->as.string.length &&
          memcmp(word.bytes, each->as.string.bytes, word.length) == 0);
    each = each->next;
    CHECK_STR(f->loaded.model.info.labels[tag->label], each->as.string.bytes);
    each = each->next;
    CHECK_EQ_INT(tag->start, each->integer);
    each = each->next;
    CHECK_EQ_INT(tag->stop, each->integer);
    CHECK_NEAR(tag->score, each->next->as.number, f->tolerance);
}

static void
check_text(const fixture *f, size_t text, const tagged *got)
{
    const lm_json *wanted = f->wanted[text]->as.items.first;
    lm_tag_cursor at = {0, 0};

    CHECK_EQ_INT(got->calls, 1);
    CHECK_EQ_INT(got->count, f->wanted[text]->as.items.count);
    for (size_t i = 0; i < got->count && wanted; i++, wanted = wanted->next)
        check_tag(f, f->texts[text], &got->tags[i], &at, wanted);
}

static void
goldens(void)
{
    for (size_t k = 0; k < 2 * LM_LEVEL_COUNT; k++) {
        const lm_kernels *kernels = lm_kernels_at((lm_level)(k / 2));
        tagged results[MAX_TEXTS];
        fixture f;

        if (!kernels)
            continue;
        set_up(&f, folders[k % 2], kernels, LM_PRECISION_F32);
        CHECK_STR(f.loaded.model.info.task, "token_classification");
        CHECK_OK(&f.ctx, tag_texts(&f, f.texts, f.count, &(lm_embed_options){0}, results, NULL));
        for (size_t i = 0; i < f.count; i++)
            check_text(&f, i, &results[i]);
        tear_down(&f);
    }
}

/* The goldens must see each weight of the head. */
static void
mutations(void)
{
    for (int what = 0; what < 2; what++) {
        tagged results[MAX_TEXTS];
        double sum = 0, wanted = 0;
        const lm_head *head;
        fixture f;

        set_up(&f, "bert-token", lm_kernels_active(), LM_PRECISION_F32);
        head = lm_model_head(&f.loaded.model);
        if (what == 0)
            memset((void *)(uintptr_t)head->weight, 0, 5 * 36 * sizeof(float));
        else
            memset((void *)(uintptr_t)head->bias, 0, 5 * sizeof(float));
        CHECK_OK(&f.ctx, tag_texts(&f, f.texts, f.count, &(lm_embed_options){0}, results, NULL));
        for (size_t i = 0; i < results[2].count; i++)
            sum += results[2].tags[i].score;
        for (const lm_json *tag = f.wanted[2]->as.items.first; tag; tag = tag->next)
            wanted += tag->as.items.first->next->next->next->next->as.number;
        CHECK(fabs(sum - wanted) > 100 * f.tolerance);
        tear_down(&f);
    }
}

/* ---- Batches ---- */

static void
check_batches(fixture *f, const lm_embed_options *options)
{
    tagged alone[MAX_TEXTS], together[MAX_TEXTS];
    lm_embed_counts one = {0}, all = {0};

    for (size_t i = 0; i < f->count; i++)
        CHECK_OK(&f->ctx, tag_texts(f, &f->texts[i], 1, options, &alone[i], &one));
    CHECK_OK(&f->ctx, tag_texts(f, f->texts, f->count, options, together, &all));
    CHECK(memcmp(alone, together, f->count * sizeof *alone) == 0);
    CHECK_EQ_INT(one.texts, f->count);
    CHECK_EQ_INT(all.texts, f->count);
    CHECK_EQ_INT(all.tokens, one.tokens);
    CHECK_EQ_INT(all.truncated, one.truncated);
}

static void
batch_invariance(void)
{
    static const size_t sizes[] = {0, 1, 17, 40, 4096};
    static const lm_on_long modes[] = {LM_LONG_TRUNCATE, LM_LONG_MEAN};

    for (int p = 0; p < LM_PRECISION_COUNT; p++) {
        fixture f;

        set_up(&f, folders[p % 2], lm_kernels_active(), (lm_precision)p);
        for (size_t m = 0; m < 2; m++)
            for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++)
                check_batches(&f,
                              &(lm_embed_options){.on_long = modes[m], .batch_tokens = sizes[s]});
        tear_down(&f);
    }
}

/* All of a long text is tagged, each window as if it were a text, and offsets go on. */
static void
long_texts(void)
{
    /* The window is 24 tokens, 22 without special ones; "e" is one token. */
    const lm_text text = {"e e e e e e e e e e e e e e e e e e e e e e e \xe6\x97\xa5 e", 51};
    const lm_text second = {"e \xe6\x97\xa5 e", 7};
    lm_embed_options options = {.on_long = LM_LONG_MEAN};
    lm_embed_counts counts = {0};
    lm_tag_cursor at = {0, 0};
    tagged all, part;
    lm_text word;
    fixture f;

    set_up(&f, "bert-token", lm_kernels_active(), LM_PRECISION_F32);
    CHECK_OK(&f.ctx, tag_texts(&f, &text, 1, &options, &all, &counts));
    CHECK_EQ_INT(all.count, 25);
    CHECK_EQ_INT(counts.texts, 1);
    CHECK_EQ_INT(counts.tokens, 24 + 5);
    CHECK_EQ_INT(counts.truncated, 1);
    CHECK_OK(&f.ctx, tag_texts(&f, &second, 1, &options, &part, NULL));
    CHECK_EQ_INT(part.count, 3);
    for (size_t i = 0; i < 3; i++) {
        CHECK_EQ_INT(all.tags[22 + i].start, 44 + 2 * (int)i);
        CHECK_EQ_INT(all.tags[22 + i].label, part.tags[i].label);
        CHECK(all.tags[22 + i].score == part.tags[i].score);
    }
    /* From the end to the start: the cursor turns back. */
    word = lm_tag_word(lm_model_tokenizer(&f.loaded.model), &all.tags[23], text, &at);
    CHECK(word.length == 3 && memcmp(word.bytes, "\xe6\x97\xa5", 3) == 0);
    word = lm_tag_cut(text, all.tags[24].start, all.tags[24].stop, &at);
    CHECK(word.length == 1 && at.byte == text.length);
    word = lm_tag_word(lm_model_tokenizer(&f.loaded.model), &all.tags[23], text, &at);
    CHECK(word.length == 3 && memcmp(word.bytes, "\xe6\x97\xa5", 3) == 0);

    options.on_long = LM_LONG_ERROR;
    CHECK_EQ_INT(tag_texts(&f, &text, 1, &options, &all, NULL), LM_TOO_LARGE);
    CHECK_EQ_INT(all.calls, 0);
    tear_down(&f);
}

/* Labels of a token compete whatever config.json says: the reference reads no problem_type. */
static void
problem_types(void)
{
    const lm_text text = {"the cat", 7};
    fake_file *config;
    const char *hit;
    tagged result;
    fixture f;

    memset(&f, 0, sizeof f);
    fake_context(&f.ctx, &f.memory);
    golden_open(&f.ctx, "bert-token", &f.folder);
    config = fake_find(&f.folder.files, "config.json");
    hit = strstr(config->data, "{");
    config->data = golden_join(&f.folder, "{\"problem_type\": \"regression\",", "", hit + 1);
    config->size = strlen(config->data);
    f.folder.source = fake_open(&f.folder.files);
    CHECK_OK(&f.ctx, loaded_open(&f.ctx, &f.folder.source, lm_kernels_active(), &f.loaded));
    CHECK_OK(&f.ctx, lm_session_create(&f.ctx, &f.session));
    CHECK_EQ_INT(f.loaded.model.info.scoring, LM_SCORING_SOFTMAX);
    CHECK_OK(&f.ctx, tag_texts(&f, &text, 1, &(lm_embed_options){0}, &result, NULL));
    CHECK(result.count == 2 && result.tags[0].score > 0 && result.tags[0].score < 1);
    tear_down(&f);
}

/* ---- What can go wrong ---- */

/* No special tokens: an empty text has no token at all, and its neighbours keep their places. */
static void
no_tokens(void)
{
    const lm_text texts[] = {{"cat", 3}, {"", 0}, {"the cat", 7}};
    lm_embed_counts counts = {0};
    golden_folder folder;
    tagged results[3];
    fixture f;
    char *json;

    memset(&f, 0, sizeof f);
    fake_context(&f.ctx, &f.memory);
    golden_open(&f.ctx, "bert-token", &folder);
    f.folder = folder;
    json = strstr((char *)(uintptr_t)fake_find(&folder.files, "tokenizer.json")->data,
                  "\"post_processor\"");
    memcpy(json, "\"post_Processor\"", 16); /* a member of no meaning */
    f.folder.source = fake_open(&f.folder.files);
    CHECK_OK(&f.ctx, loaded_open(&f.ctx, &f.folder.source, lm_kernels_active(), &f.loaded));
    CHECK_OK(&f.ctx, lm_session_create(&f.ctx, &f.session));
    CHECK_OK(&f.ctx, tag_texts(&f, texts, 3, &(lm_embed_options){0}, results, &counts));
    CHECK_EQ_INT(counts.texts, 3);
    CHECK_EQ_INT(counts.tokens, 3);
    CHECK_EQ_INT(results[0].count, 1);
    CHECK_EQ_INT(results[1].count, 0);
    CHECK_EQ_INT(results[1].calls, 1);
    CHECK_EQ_INT(results[2].count, 2);
    CHECK_OK(&f.ctx, tag_texts(&f, &texts[1], 1, &(lm_embed_options){0}, results, NULL));
    tear_down(&f);
}

static lm_status
refuse(void *opaque, size_t text, const lm_tag *tags, size_t count)
{
    return LM_NO_MEMORY;
}

/* A model for embedding; a sink that has had enough; scores beyond floats. */
static void
refusals(void)
{
    const lm_text text = {"the cat", 7};
    const lm_embed_options options = {0};
    tagged result;
    float *bias;
    fixture f;

    set_up(&f, "bert-token", lm_kernels_active(), LM_PRECISION_F32);
    CHECK_EQ_INT(
        lm_tag_texts(&f.ctx, f.session, &f.loaded.model, &text, 1, &options, refuse, NULL, NULL),
        LM_NO_MEMORY);
    bias = (float *)(uintptr_t)lm_model_head(&f.loaded.model)->bias;
    bias[1] = INFINITY;
    CHECK_EQ_INT(tag_texts(&f, &text, 1, &options, &result, NULL), LM_BAD_MODEL);
    CHECK_EQ_INT(result.calls, 0);
    tear_down(&f);

    memset(&f, 0, sizeof f);
    fake_context(&f.ctx, &f.memory);
    golden_open(&f.ctx, "bert", &f.folder);
    CHECK_OK(&f.ctx, loaded_open(&f.ctx, &f.folder.source, lm_kernels_active(), &f.loaded));
    CHECK_OK(&f.ctx, lm_session_create(&f.ctx, &f.session));
    CHECK_EQ_INT(tag_texts(&f, &text, 1, &options, &result, NULL), LM_UNSUPPORTED);
    tear_down(&f);
}

/* A cancel at any poll ends the call; what counted had reached the sink. */
static void
cancel(void)
{
    const lm_embed_options options = {.batch_tokens = 16};
    tagged wanted[MAX_TEXTS], got[MAX_TEXTS];
    fixture f;
    int polls;

    set_up(&f, "bert-token", lm_kernels_active(), LM_PRECISION_F32);
    f.memory.polls = 0;
    CHECK_OK(&f.ctx, tag_texts(&f, f.texts, f.count, &options, wanted, NULL));
    polls = f.memory.polls;
    CHECK(polls > 70);
    for (int stop = 1; stop <= polls; stop++) {
        lm_embed_counts counts = {0};

        f.memory.polls = 0;
        f.memory.stop_at = stop;
        CHECK_EQ_INT(tag_texts(&f, f.texts, f.count, &options, got, &counts), LM_CANCELLED);
        for (size_t i = 0; i < counts.texts; i++)
            CHECK(memcmp(&got[i], &wanted[i], sizeof got[i]) == 0);
        f.memory.stop_at = 0;
    }
    CHECK_OK(&f.ctx, tag_texts(&f, f.texts, f.count, &options, got, NULL));
    CHECK(memcmp(wanted, got, f.count * sizeof *got) == 0);
    tear_down(&f);
}

/* Each allocation of a first call fails once. */
static void
no_memory(void)
{
    tagged results[MAX_TEXTS];
    int n = 0;
    lm_status status;

    do {
        fixture f;

        set_up(&f, "bert-token", lm_kernels_active(), LM_PRECISION_F32);
        f.memory.calls = 0;
        f.memory.fail_at = ++n;
        status = tag_texts(&f, f.texts, f.count, &(lm_embed_options){0}, results, NULL);
        CHECK(status == LM_OK || status == LM_NO_MEMORY);
        f.memory.fail_at = 0;
        tear_down(&f);
    } while (status != LM_OK && n < 1000);
    CHECK(n > 5 && n < 1000);
}

/* ---- Golden values ---- */

/* Means of probabilities: they sum to 1 where a text has tokens, and are 0 where it has none. */
static void
means(void)
{
    const lm_task *task = &lm_tasks[LM_TASK_TOKEN_CLASSIFICATION];
    float out[MAX_TEXTS][5];
    tagged one;
    fixture f;

    set_up(&f, "bert-token", lm_kernels_active(), LM_PRECISION_F32);
    CHECK(lm_task_of(&f.loaded.model) == task);
    CHECK_EQ_INT(task->width(&f.loaded.model), 5);
    CHECK_OK(&f.ctx, task->golden(&f.ctx, f.session, &f.loaded.model, f.texts, f.count, out[0]));
    for (size_t i = 0; i < f.count; i++) {
        double sum = 0;

        for (int k = 0; k < 5; k++)
            sum += out[i][k];
        CHECK_NEAR(sum, f.wanted[i]->as.items.count > 0, 1e-5);
    }
    CHECK_STR(f.texts[1].bytes, "cat"); /* one token */
    CHECK_OK(&f.ctx, tag_texts(&f, &f.texts[1], 1, &(lm_embed_options){0}, &one, NULL));
    CHECK(out[1][one.tags[0].label] == one.tags[0].score);
    tear_down(&f);
}

static const unit_case cases[] = {
    {"goldens", goldens},
    {"mutations", mutations},
    {"batch invariance", batch_invariance},
    {"problem types", problem_types},
    {"long texts", long_texts},
    {"no tokens", no_tokens},
    {"refusals", refusals},
    {"cancel", cancel},
    {"no memory", no_memory},
    {"means", means},
};

UNIT_MAIN(cases)
