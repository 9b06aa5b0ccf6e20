/*
 * test_entities.c - entities of texts: those of the reference's pipeline by every aggregation, the
 * same bits alone and in any batch, over the edges of windows, cancels and shortage of memory.
 */
#include "golden.h"
#include "loaded.h"
#include "task/entities.h"

#define MAX_CASES 40
#define MAX_ENTITIES 64

static const char *const folders[] = {"bert-token", "distilbert-token", "bert-token-bioes",
                                      "bert-token-words"};

typedef struct fixture {
    lm_context ctx;
    fake_memory memory;
    golden_folder folder;
    loaded_model loaded;
    lm_session *session;
    double tolerance;
} fixture;

typedef struct found {
    lm_entity entities[MAX_ENTITIES];
    size_t count, calls;
} found;

static void
set_up(fixture *f, const char *folder, const lm_kernels *kernels)
{
    memset(f, 0, sizeof *f);
    fake_context(&f->ctx, &f->memory);
    golden_open(&f->ctx, folder, &f->folder);
    CHECK_OK(&f->ctx, loaded_open(&f->ctx, &f->folder.source, kernels, &f->loaded));
    CHECK_OK(&f->ctx, lm_session_create(&f->ctx, &f->session));
    f->tolerance = golden_tolerance(lm_json_get(f->folder.golden, "tags"));
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
keep(void *opaque, size_t text, const lm_entity *entities, size_t count)
{
    found *results = opaque;

    CHECK(count <= MAX_ENTITIES);
    results[text].count = count;
    results[text].calls++;
    if (count > 0)
        memcpy(results[text].entities, entities, count * sizeof *entities);
    return LM_OK;
}

static lm_status
find_entities(fixture *f, const lm_text *texts, size_t count, const lm_embed_options *options,
              found *results, lm_embed_counts *counts)
{
    memset(results, 0, count * sizeof *results);
    return lm_entities(&f->ctx, f->session, &f->loaded.model, texts, count, options, keep, results,
                       counts);
}

/* ---- Goldens ---- */

static lm_aggregation
aggregation_of(const lm_json *golden)
{
    int i = 0;

    while (!lm_json_is_string(lm_json_get(golden, "aggregation"), lm_aggregation_names[i]))
        i++;
    return (lm_aggregation)i;
}

static lm_text
text_of(const lm_json *string)
{
    return (lm_text){string->as.string.bytes, string->as.string.length};
}

static void
check_entity(const fixture *f, lm_text text, const lm_entity *entity, lm_tag_cursor *at,
             const lm_json *wanted)
{
    const lm_text words = lm_tag_cut(text, entity->start, entity->stop, at);
    const lm_json *each = wanted->as.items.first;

    CHECK(words.length == each->as.string.length &&
          memcmp(words.bytes, each->as.string.bytes, words.length) == 0);
    each = each->next;
    CHECK_STR(lm_entity_name(f->loaded.model.info.labels[entity->label]), each->as.string.bytes);
    each = each->next;
    CHECK_EQ_INT(entity->start, each->integer);
    each = each->next;
    CHECK_EQ_INT(entity->stop, each->integer);
    CHECK_NEAR(entity->score, each->next->as.number, f->tolerance);
}

/* Returns how many entities there were. */
static size_t
check_case(fixture *f, const lm_json *golden)
{
    const lm_text text = text_of(lm_json_get(golden, "text"));
    const lm_json *wanted = lm_json_get(golden, "entities");
    const lm_json *each = wanted->as.items.first;
    lm_tag_cursor at = {0, 0};
    found got;

    CHECK_OK(&f->ctx,
             find_entities(f, &text, 1, &(lm_embed_options){.choice = (int)aggregation_of(golden)},
                           &got, NULL));
    CHECK_EQ_INT(got.calls, 1);
    CHECK_EQ_INT(got.count, wanted->as.items.count);
    for (size_t i = 0; i < got.count && each; i++, each = each->next)
        check_entity(f, text, &got.entities[i], &at, each);
    return got.count;
}

static void
check_folder(const char *folder, const lm_kernels *kernels)
{
    size_t entities = 0, cases = 0;
    fixture f;

    set_up(&f, folder, kernels);
    for (const lm_json *each =
             lm_json_get(lm_json_get(f.folder.golden, "entities"), "cases")->as.items.first;
         each; each = each->next, cases++)
        entities += check_case(&f, each);
    CHECK_EQ_INT(cases, 32);
    CHECK(entities > 40);
    tear_down(&f);
}

static void
goldens(void)
{
    for (int level = 0; level < LM_LEVEL_COUNT; level++)
        for (size_t i = 0; lm_kernels_at((lm_level)level) && i < sizeof folders / sizeof *folders;
             i++)
            check_folder(folders[i], lm_kernels_at((lm_level)level));
}

/* ---- Batches ---- */

static size_t
read_texts(const fixture *f, lm_text *texts)
{
    const lm_json *cases = lm_json_get(lm_json_get(f->folder.golden, "tags"), "cases");
    size_t count = 0;

    for (const lm_json *each = cases->as.items.first; each; each = each->next)
        texts[count++] = text_of(lm_json_get(each, "text"));
    return count;
}

static void
batch_invariance(void)
{
    static const size_t sizes[] = {0, 1, 17, 4096};

    for (int n = 0; n < 4 * LM_AGGREGATE_COUNT; n++) {
        const lm_embed_options options = {.choice = n / 4,
                                          .on_long = n % 2 ? LM_LONG_MEAN : LM_LONG_TRUNCATE,
                                          .batch_tokens = sizes[n % 4]};
        found alone[MAX_CASES], together[MAX_CASES];
        lm_text texts[MAX_CASES];
        lm_embed_counts counts = {0};
        size_t count;
        fixture f;

        set_up(&f, folders[n % 4], lm_kernels_active());
        count = read_texts(&f, texts);
        for (size_t i = 0; i < count; i++)
            CHECK_OK(&f.ctx, find_entities(&f, &texts[i], 1, &options, &alone[i], NULL));
        CHECK_OK(&f.ctx, find_entities(&f, texts, count, &options, together, &counts));
        CHECK(memcmp(alone, together, count * sizeof *alone) == 0);
        CHECK_EQ_INT(counts.texts, count);
        tear_down(&f);
    }
}

/* Every label but the first is made impossible: then all tokens are one entity. */
static void
make_one_label(fixture *f, int label)
{
    const lm_head *head = lm_model_head(&f->loaded.model);

    for (int i = 0; i < head->labels; i++)
        ((float *)(uintptr_t)head->bias)[i] = i == label ? 100 : -100;
}

/* 22 tokens are a window: an entity, and a word, go on in the next one; B- begins another. */
static void
long_texts(void)
{
    const lm_text text = {"e e e e e e e e e e e e e e e e e e e e e databases e", 53};
    lm_embed_options options = {.on_long = LM_LONG_MEAN};
    found got;
    fixture f;

    set_up(&f, "bert-token", lm_kernels_active());
    make_one_label(&f, 2); /* I-PER */
    for (int i = 0; i < LM_AGGREGATE_COUNT; i++) {
        options.choice = i;
        CHECK_OK(&f.ctx, find_entities(&f, &text, 1, &options, &got, NULL));
        CHECK_EQ_INT(got.count, 1);
        CHECK_EQ_INT(got.entities[0].start, 0);
        CHECK_EQ_INT(got.entities[0].stop, 53);
    }
    make_one_label(&f, 1); /* B-PER */
    options.choice = LM_AGGREGATE_SIMPLE;
    CHECK_OK(&f.ctx, find_entities(&f, &text, 1, &options, &got, NULL));
    CHECK_EQ_INT(got.count, 25); /* data ##base ##s */
    options.choice = LM_AGGREGATE_FIRST;
    CHECK_OK(&f.ctx, find_entities(&f, &text, 1, &options, &got, NULL));
    CHECK_EQ_INT(got.count, 23);
    CHECK_EQ_INT(got.entities[21].start, 42);
    CHECK_EQ_INT(got.entities[21].stop, 51);
    make_one_label(&f, 0);
    CHECK_OK(&f.ctx, find_entities(&f, &text, 1, &options, &got, NULL));
    CHECK_EQ_INT(got.count, 0);
    tear_down(&f);
}

static void
names(void)
{
    CHECK_STR(lm_entity_name("B-PER"), "PER");
    CHECK_STR(lm_entity_name("S-PER"), "PER");
    CHECK_STR(lm_entity_name("PER"), "PER");
    CHECK_STR(lm_entity_name("B-A-B"), "A-B");
    CHECK_STR(lm_entity_name("B-"), "");
    CHECK_STR(lm_entity_name(""), "");
}

/* ---- What can go wrong ---- */

static lm_status
refuse(void *opaque, size_t text, const lm_entity *entities, size_t count)
{
    return LM_NO_MEMORY;
}

static void
refusals(void)
{
    const lm_text text = {"the cat", 7};
    const lm_embed_options options = {0};
    found got;
    fixture f;

    set_up(&f, "bert-token", lm_kernels_active());
    CHECK_EQ_INT(
        lm_entities(&f.ctx, f.session, &f.loaded.model, &text, 1, &options, refuse, NULL, NULL),
        LM_NO_MEMORY);
    ((float *)(uintptr_t)lm_model_head(&f.loaded.model)->bias)[1] = INFINITY;
    CHECK_EQ_INT(find_entities(&f, &text, 1, &options, &got, NULL), LM_BAD_MODEL);
    CHECK_EQ_INT(got.calls, 0);
    tear_down(&f);

    memset(&f, 0, sizeof f);
    fake_context(&f.ctx, &f.memory);
    golden_open(&f.ctx, "bert", &f.folder);
    CHECK_OK(&f.ctx, loaded_open(&f.ctx, &f.folder.source, lm_kernels_active(), &f.loaded));
    CHECK_OK(&f.ctx, lm_session_create(&f.ctx, &f.session));
    CHECK_EQ_INT(find_entities(&f, &text, 1, &options, &got, NULL), LM_UNSUPPORTED);
    tear_down(&f);
}

/* A cancel at any poll, and a failure of any allocation: the next call is as the first. */
static void
cancel_and_memory(void)
{
    const lm_embed_options options = {.batch_tokens = 16, .choice = LM_AGGREGATE_AVERAGE};
    found wanted[MAX_CASES], got[MAX_CASES];
    lm_text texts[MAX_CASES];
    lm_status status;
    size_t count;
    fixture f;
    int polls, n = 0;

    set_up(&f, "bert-token", lm_kernels_active());
    count = read_texts(&f, texts);
    f.memory.polls = 0;
    CHECK_OK(&f.ctx, find_entities(&f, texts, count, &options, wanted, NULL));
    polls = f.memory.polls;
    CHECK(polls > 70);
    for (f.memory.stop_at = 1; f.memory.stop_at <= polls; f.memory.stop_at++) {
        f.memory.polls = 0;
        CHECK_EQ_INT(find_entities(&f, texts, count, &options, got, NULL), LM_CANCELLED);
    }
    f.memory.stop_at = 0;
    do {
        f.memory.calls = 0;
        f.memory.fail_at = ++n;
        status = find_entities(&f, texts, count, &options, got, NULL);
        CHECK(status == LM_OK || status == LM_NO_MEMORY);
    } while (status != LM_OK && n < 100);
    CHECK(n > 1 && n < 100);
    CHECK(memcmp(wanted, got, count * sizeof *got) == 0);
    tear_down(&f);
}

static const unit_case cases[] = {
    {"goldens", goldens},       {"batch invariance", batch_invariance},
    {"long texts", long_texts}, {"names", names},
    {"refusals", refusals},     {"cancel and memory", cancel_and_memory},
};

UNIT_MAIN(cases)
