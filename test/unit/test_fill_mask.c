/*
 * test_fill_mask.c - words for masks: those of the reference's pipeline in its order at every
 * level and of every family, with a decoder of its own or the word table, as wide as the layers or
 * not; the same bits alone and in any batch; what is no model for it, and no text for it.
 */
#include "golden.h"
#include "loaded.h"
#include "task/fill_mask.h"
#include "task/tasks.h"

#define MAX_TEXTS 8
#define MAX_FILLS 512
#define K 7

static const char *const folders[] = {
    "bert-mask",
    "bert-mask-untied",
    "distilbert-mask",
    "bert-pretraining",
    "roberta-mask",
    "roberta-mask-bytes",
    "roberta-xlm-mask",
    "albert-mask",
    "electra-mask",
    "mpnet-mask",
    "ernie-mask",
    "roformer-mask",
    "big_bird-mask",
    "longformer-mask",
    "deberta-v2-mask",
    "deberta-v2-mask-own",
    "modernbert-mask",
    "nomic_bert-mask",
    "nomic_bert-published-mask",
    "gte-mask",
    "gte_new-mask",
    "eurobert-mask",
    "jina_v3-mask",
    "xlm-roberta-xl-mask",
    "modernbert-mask-plain",
};

#define FOLDERS (sizeof folders / sizeof *folders)

typedef struct fixture {
    lm_context ctx;
    fake_memory memory;
    golden_folder folder;
    loaded_model loaded;
    lm_session *session;
    lm_text texts[MAX_TEXTS];
    const lm_json *wanted[MAX_TEXTS];
    size_t count;
    double tolerance;
} fixture;

typedef struct filled {
    lm_fill items[MAX_FILLS];
    int32_t ids[64];
    lm_fills fills;
    size_t calls;
} filled;

static const lm_model_options as_asked = {.task = "fill_mask"};

static void
read_texts(fixture *f)
{
    const lm_json *section = lm_json_get(f->folder.golden, "fills");

    f->tolerance = golden_tolerance(section);
    for (const lm_json *each = lm_json_get(section, "cases")->as.items.first; each;
         each = each->next) {
        const lm_json *text = lm_json_get(each, "text");

        f->texts[f->count] = (lm_text){text->as.string.bytes, text->as.string.length};
        f->wanted[f->count++] = lm_json_get(each, "masks");
    }
    CHECK_EQ_INT(f->count, 4);
}

static void
set_up(fixture *f, const char *folder, const lm_kernels *kernels, lm_precision precision)
{
    lm_model_options options = as_asked;

    memset(f, 0, sizeof *f);
    fake_context(&f->ctx, &f->memory);
    golden_open(&f->ctx, folder, &f->folder);
    options.precision = precision;
    CHECK_OK(&f->ctx, loaded_open_with(&f->ctx, &f->folder.source, &options, kernels, &f->loaded));
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
keep(void *opaque, size_t text, const lm_fills *fills)
{
    filled *result = (filled *)opaque + text;

    CHECK(fills->count <= MAX_FILLS && fills->tokens <= 64);
    memcpy(result->items, fills->items, fills->count * sizeof *result->items);
    memcpy(result->ids, fills->ids, fills->tokens * sizeof *result->ids);
    result->fills = *fills;
    result->fills.items = result->items;
    result->fills.ids = result->ids;
    result->calls++;
    return LM_OK;
}

static lm_status
fill(fixture *f, const lm_text *texts, size_t count, const lm_embed_options *options,
     filled *results, lm_embed_counts *counts)
{
    memset(results, 0, count * sizeof *results);
    return lm_fill_mask(&f->ctx, f->session, &f->loaded.model, texts, count, options, keep, results,
                        counts);
}

/* ---- Goldens ---- */

static void
check_string(const lm_buffer *got, const lm_json *wanted)
{
    CHECK(got->size == wanted->as.string.length &&
          memcmp(got->data, wanted->as.string.bytes, got->size) == 0);
}

/* [id, word, score, sequence] */
static void
check_fill(fixture *f, const filled *got, const lm_fill *item, const lm_json *wanted)
{
    const lm_json *each = wanted->as.items.first;
    lm_buffer text;

    lm_buffer_init(&text, &f->ctx);
    CHECK_EQ_INT(item->token, each->integer);
    each = each->next;
    CHECK_OK(&f->ctx, lm_fill_word(&f->ctx, &f->loaded.model, item->token, &text));
    check_string(&text, each);
    text.size = 0;
    each = each->next;
    CHECK_NEAR(item->score, each->as.number, f->tolerance);
    CHECK_OK(&f->ctx, lm_fill_sequence(&f->ctx, &f->loaded.model, &got->fills, item, &text));
    check_string(&text, each->next);
    lm_buffer_free(&text);
}

static void
check_text(fixture *f, size_t text, const filled *got)
{
    int32_t mask = 0;
    size_t i = 0;

    CHECK_EQ_INT(got->calls, 1);
    CHECK_EQ_INT(got->fills.masks, f->wanted[text]->as.items.count);
    CHECK_EQ_INT(got->fills.count, K * f->wanted[text]->as.items.count);
    for (const lm_json *each = f->wanted[text]->as.items.first; each; each = each->next, mask++)
        for (const lm_json *wanted = each->as.items.first; wanted; wanted = wanted->next, i++) {
            CHECK_EQ_INT(got->items[i].mask, mask);
            check_fill(f, got, &got->items[i], wanted);
        }
}

static void
goldens(void)
{
    for (size_t k = 0; k < FOLDERS * LM_LEVEL_COUNT; k++) {
        const lm_kernels *kernels = lm_kernels_at((lm_level)(k / FOLDERS));
        filled results[MAX_TEXTS];
        fixture f;

        if (!kernels)
            continue;
        set_up(&f, folders[k % FOLDERS], kernels, LM_PRECISION_F32);
        CHECK_STR(f.loaded.model.info.task, "fill_mask");
        CHECK_OK(&f.ctx,
                 fill(&f, f.texts, f.count, &(lm_embed_options){.choice = K}, results, NULL));
        for (size_t i = 0; i < f.count; i++)
            check_text(&f, i, &results[i]);
        tear_down(&f);
    }
}

/* How far the scores of a text are from the reference's by rank, whatever token has them. */
static double
distance(fixture *f)
{
    double sum = 0;
    filled got;
    int i = 0;

    CHECK_OK(&f->ctx, fill(f, &f->texts[1], 1, &(lm_embed_options){.choice = K}, &got, NULL));
    for (const lm_json *each = f->wanted[1]->as.items.first->as.items.first; each;
         each = each->next, i++)
        sum += fabs(got.items[i].score - each->as.items.first->next->next->as.number);
    CHECK_EQ_INT(i, K);
    return sum;
}

/* Alters a weight of the head; false where it has none of the kind. */
static bool
change_weight(const lm_head *head, int which)
{
    const size_t inner = (size_t)head->inner;
    const struct {
        const void *at;
        size_t floats;
    } weights[] = {
        {head->dense, inner * (size_t)head->width},
        {head->dense_bias, inner},
        {head->norm_gain, inner},
        {head->norm_bias, inner},
        {head->bias, (size_t)head->words},
    };

    if (weights[which].at)
        memset((void *)(uintptr_t)weights[which].at, 0, weights[which].floats * sizeof(float));
    return weights[which].at != NULL;
}

static bool
change_head(const fixture *f, int what)
{
    lm_head *head = (lm_head *)(uintptr_t)lm_model_head(&f->loaded.model);
    const void *words = lm_group_weight(lm_model_weights(&f->loaded.model), LM_GROUP_MODEL, 0, 0);
    const void *table = head->table;

    if (what < 5)
        return change_weight(head, what);
    if (what == 5) {
        head->act = LM_ACT_TANH;
        return head->dense != NULL;
    }
    head->table = words; /* in place of its own */
    return table != words;
}

/* The goldens must see each weight of the head, and its activation. */
static void
mutations(void)
{
    int changed = 0;

    for (size_t k = 0; k < FOLDERS * 7; k++) {
        fixture f;

        set_up(&f, folders[k % FOLDERS], lm_kernels_active(), LM_PRECISION_F32);
        CHECK(distance(&f) < K * f.tolerance);
        if (change_head(&f, (int)(k / FOLDERS))) {
            changed++;
            if (!(distance(&f) > 100 * f.tolerance))
                UNIT_FAIL("%s does not see change %zu", folders[k % FOLDERS], k / FOLDERS);
        }
        tear_down(&f);
    }
    /* EuroBERT's lacks 5 of them, ModernBERT's 3 biases, that of NomicBERT's authors 2; a table of
     * its own have 4. */
    CHECK_EQ_INT(changed, 6 * (int)FOLDERS - 5 - 3 - 2 + 4);
}

/* At 16 and at 8 bits the scores are near; tables are bfloat16 there. */
static void
precisions(void)
{
    for (size_t i = 0; i < 2 * FOLDERS; i++) {
        fixture f;

        set_up(&f, folders[i / 2], lm_kernels_active(),
               i % 2 ? LM_PRECISION_INT8 : LM_PRECISION_BF16);
        CHECK(distance(&f) < .05 * K);
        tear_down(&f);
    }
}

/* ---- Batches, and how many ---- */

static bool
same(const filled *a, const filled *b)
{
    return a->fills.count == b->fills.count &&
           memcmp(a->items, b->items, a->fills.count * sizeof *a->items) == 0;
}

static void
batch_invariance(void)
{
    static const size_t sizes[] = {0, 1, 17, 4096};

    for (size_t n = 0; n < 4 * FOLDERS; n++) {
        const lm_embed_options options = {.choice = K, .batch_tokens = sizes[n % 4]};
        filled alone, together[MAX_TEXTS];
        lm_embed_counts counts = {0};
        fixture f;

        set_up(&f, folders[n / 4], lm_kernels_active(), (lm_precision)(n % LM_PRECISION_COUNT));
        CHECK_OK(&f.ctx, fill(&f, f.texts, f.count, &options, together, &counts));
        CHECK_EQ_INT(counts.texts, f.count);
        for (size_t i = 0; i < f.count; i++) {
            CHECK_OK(&f.ctx, fill(&f, &f.texts[i], 1, &options, &alone, NULL));
            CHECK(same(&alone, &together[i]));
        }
        tear_down(&f);
    }
}

/* All of the vocabulary sums to 1, in order; fewer are its beginning; equals are by id. */
static void
how_many(void)
{
    filled all, few;
    double sum = 0;
    fixture f;

    set_up(&f, "bert-mask-untied", lm_kernels_active(), LM_PRECISION_F32);
    CHECK_OK(&f.ctx, fill(&f, &f.texts[1], 1, &(lm_embed_options){.choice = 1 << 30}, &all, NULL));
    CHECK_EQ_INT(all.fills.count, lm_model_head(&f.loaded.model)->words);
    for (size_t i = 0; i < all.fills.count; i++) {
        sum += all.items[i].score;
        CHECK(i == 0 || all.items[i - 1].score >= all.items[i].score);
    }
    CHECK_NEAR(sum, 1, 1e-5);
    for (int k = 1; k < 30; k++) {
        CHECK_OK(&f.ctx, fill(&f, &f.texts[1], 1, &(lm_embed_options){.choice = k}, &few, NULL));
        CHECK_EQ_INT(few.fills.count, k);
        CHECK(memcmp(few.items, all.items, (size_t)k * sizeof *few.items) == 0);
    }
    /* A row of the model that is no token of the tokenizer has no word. */
    {
        lm_buffer word;

        lm_buffer_init(&word, &f.ctx);
        CHECK_OK(&f.ctx, lm_fill_word(&f.ctx, &f.loaded.model, all.fills.count - 1, &word));
        CHECK_EQ_INT(word.size, 0);
        all.items[0].token = (int32_t)all.fills.count - 1;
        CHECK_OK(&f.ctx,
                 lm_fill_sequence(&f.ctx, &f.loaded.model, &all.fills, &all.items[0], &word));
        CHECK(word.size == 19 && memcmp(word.data, "the sat on the mat.", 19) == 0);
        lm_buffer_free(&word);
    }
    memset((void *)(uintptr_t)lm_model_head(&f.loaded.model)->table, 0,
           all.fills.count * 20 * sizeof(float));
    memset((void *)(uintptr_t)lm_model_head(&f.loaded.model)->bias, 0,
           all.fills.count * sizeof(float));
    CHECK_OK(&f.ctx, fill(&f, &f.texts[1], 1, &(lm_embed_options){.choice = 9}, &few, NULL));
    for (int i = 0; i < 9; i++)
        CHECK_EQ_INT(few.items[i].token, i);
    tear_down(&f);
}

/* ---- What can go wrong ---- */

static void
refusals(void)
{
    const lm_text none = {"the cat", 7}, empty = {"", 0};
    const lm_text longer = {"e e e e e e e e e e e e e e e e e e e e e e [MASK]", 50};
    const lm_embed_options options = {.choice = K};
    filled got;
    fixture f;

    set_up(&f, "bert-mask", lm_kernels_active(), LM_PRECISION_F32);
    CHECK_EQ_INT(fill(&f, &none, 1, &options, &got, NULL), LM_BAD_ARGUMENT);
    CHECK(strstr(f.ctx.error.hint, "[MASK]") != NULL);
    CHECK_EQ_INT(fill(&f, &empty, 1, &options, &got, NULL), LM_BAD_ARGUMENT);
    CHECK_EQ_INT(fill(&f, &longer, 1, &options, &got, NULL), LM_TOO_LARGE);
    CHECK_EQ_INT(got.calls, 0);
    ((float *)(uintptr_t)lm_model_head(&f.loaded.model)->bias)[1] = INFINITY;
    CHECK_EQ_INT(fill(&f, &f.texts[0], 1, &options, &got, NULL), LM_BAD_MODEL);
    tear_down(&f);

    memset(&f, 0, sizeof f);
    fake_context(&f.ctx, &f.memory);
    golden_open(&f.ctx, "bert-mask", &f.folder);
    CHECK_OK(&f.ctx, loaded_open(&f.ctx, &f.folder.source, lm_kernels_active(), &f.loaded));
    CHECK_STR(f.loaded.model.info.task, "embedding");
    CHECK_OK(&f.ctx, lm_session_create(&f.ctx, &f.session));
    CHECK_EQ_INT(fill(&f, &none, 1, &options, &got, NULL), LM_UNSUPPORTED);
    tear_down(&f);
}

/* A file of a golden folder with another text in place of one. */
static void
edit(fixture *f, const char *name, const char *from, const char *to)
{
    const fake_file *file = fake_find(&f->folder.files, name);
    const size_t length = strlen(from);
    size_t at = 0;

    CHECK_EQ_INT(strlen(to), length);
    while (at + length < file->size && memcmp(file->data + at, from, length) != 0)
        at++;
    CHECK(at + length < file->size);
    memcpy((char *)(uintptr_t)file->data + at, to, length);
}

/* A folder that differs in one place: what planning says of it. */
static void
refuses(const char *folder, const char *name, const char *from, const char *to, lm_status status,
        const char *key)
{
    fixture f;

    memset(&f, 0, sizeof f);
    fake_context(&f.ctx, &f.memory);
    golden_open(&f.ctx, folder, &f.folder);
    edit(&f, name, from, to);
    f.folder.source = fake_open(&f.folder.files);
    CHECK_EQ_INT(
        loaded_open_with(&f.ctx, &f.folder.source, &as_asked, lm_kernels_active(), &f.loaded),
        status);
    CHECK_STR(f.ctx.error.key, key);
    golden_close(&f.folder);
    CHECK_EQ_INT(f.memory.live, 0);
}

static void
folders_that_do_not_fit(void)
{
    refuses("bert-mask", "config.json", "BertForMaskedLM", "BertForMaskedXX", LM_UNSUPPORTED,
            "architectures");
    refuses("bert-token", "config.json", "bert", "bert", LM_UNSUPPORTED, "architectures");
    refuses("bert-mask", "config.json", "\"tie_word_embeddings\": true",
            "\"tie_word_embeddings\":false", LM_BAD_MODEL, "tie_word_embeddings");
    refuses("bert-mask", "tokenizer_config.json", "\"mask_token\": \"[MASK]\"",
            "\"mask_token\": \"[MISK]\"", LM_BAD_MODEL, "mask_token");
    refuses("bert-mask", "model.safetensors", "cls.predictions.bias", "cls.predictions.bios",
            LM_BAD_MODEL, "cls.predictions.decoder.bias");
    refuses("bert-mask", "model.safetensors", "cls.predictions.transform.LayerNorm.weight",
            "cls.predictions.transform.LayerNorm.waight", LM_BAD_MODEL,
            "cls.predictions.transform.LayerNorm.weight");
    refuses("distilbert-mask", "model.safetensors", "vocab_transform.bias", "vocab_transform.bios",
            LM_BAD_MODEL, "vocab_transform.bias");
}

/* Where files say which token is the mask: as text or as an object, in either file; else BERT's. */
static void
mask_tokens(void)
{
    static const struct {
        const char *config, *special; /* NULL: there is no such file */
        int mask, pad;
    } rows[] = {
        {"{\"mask_token\":\"[SEP]\",\"pad_token\":\"[CLS]\"}", NULL, 3, 2},
        {"{\"mask_token\":{\"content\":\"[SEP]\"}}", NULL, 3, 0},
        {"{}", NULL, 4, 0},
        {"{}", "{\"mask_token\":\"[UNK]\"}", 1, 0},
        {"{\"mask_token\":\"[SEP]\"}", "{\"mask_token\":\"[UNK]\"}", 3, 0},
        {NULL, "{\"mask_token\":{\"content\":\"[UNK]\"}}", 1, 0},
        {"{\"mask_token\":{\"lstrip\":true}}", NULL, 4, 0},
        {"{\"mask_token\":{\"content\":7}}", NULL, 4, 0},
        {"{\"mask_token\":7,\"pad_token\":\"[NONE]\"}", NULL, 4, -1},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        fake_file *config;
        fixture f;

        memset(&f, 0, sizeof f);
        fake_context(&f.ctx, &f.memory);
        golden_open(&f.ctx, "bert-mask", &f.folder);
        config = fake_find(&f.folder.files, "tokenizer_config.json");
        *config = (fake_file){rows[i].config ? config->name : "", rows[i].config,
                              rows[i].config ? strlen(rows[i].config) : 0, 0};
        if (rows[i].special)
            fake_add(&f.folder.files, "special_tokens_map.json", rows[i].special);
        CHECK_OK(&f.ctx, loaded_open_with(&f.ctx, &f.folder.source, &as_asked, lm_kernels_active(),
                                          &f.loaded));
        CHECK_EQ_INT(f.loaded.info.mask_token, rows[i].mask);
        CHECK_EQ_INT(f.loaded.info.pad_token, rows[i].pad);
        tear_down(&f);
    }
}

/* Where config.json does not say whether the head has the word table's matrix, it has. */
static void
tied_by_default(void)
{
    static const char *const ties[] = {"\"tie_word_embeddings\": null",
                                       "\"was_word_embeddings\": true"};

    for (size_t i = 0; i < sizeof ties / sizeof *ties; i++) {
        fixture f;

        memset(&f, 0, sizeof f);
        fake_context(&f.ctx, &f.memory);
        golden_open(&f.ctx, "bert-mask", &f.folder);
        edit(&f, "config.json", "\"tie_word_embeddings\": true", ties[i]);
        CHECK_OK(&f.ctx, loaded_open_with(&f.ctx, &f.folder.source, &as_asked, lm_kernels_active(),
                                          &f.loaded));
        CHECK_STR(f.loaded.model.info.task, "fill_mask");
        tear_down(&f);
    }
}

/* A cancel at any poll, and a failure of any allocation: the next call is as the first. */
static void
cancel_and_memory(void)
{
    const lm_embed_options options = {.batch_tokens = 16, .choice = K};
    filled wanted[MAX_TEXTS], got[MAX_TEXTS];
    lm_status status;
    fixture f;
    int polls, n = 0;

    set_up(&f, "bert-mask", lm_kernels_active(), LM_PRECISION_F32);
    f.memory.polls = 0;
    CHECK_OK(&f.ctx, fill(&f, f.texts, f.count, &options, wanted, NULL));
    polls = f.memory.polls;
    CHECK(polls > 20);
    for (f.memory.stop_at = 1; f.memory.stop_at <= polls; f.memory.stop_at++) {
        f.memory.polls = 0;
        CHECK_EQ_INT(fill(&f, f.texts, f.count, &options, got, NULL), LM_CANCELLED);
    }
    f.memory.stop_at = 0;
    do {
        f.memory.calls = 0;
        f.memory.fail_at = ++n;
        status = fill(&f, f.texts, f.count, &options, got, NULL);
        CHECK(status == LM_OK || status == LM_NO_MEMORY);
    } while (status != LM_OK && n < 100);
    CHECK(n > 1 && n < 100);
    for (size_t i = 0; i < f.count; i++)
        CHECK(same(&wanted[i], &got[i]));
    tear_down(&f);
}

/* ---- Golden values ---- */

static void
golden_values(void)
{
    const lm_task *task = &lm_tasks[LM_TASK_FILL_MASK];
    float first[MAX_TEXTS][LM_FILL_GOLDEN], second[MAX_TEXTS][LM_FILL_GOLDEN];
    fixture f;

    set_up(&f, "bert-mask", lm_kernels_active(), LM_PRECISION_F32);
    CHECK(lm_task_of(&f.loaded.model) == task);
    CHECK_EQ_INT(task->width(&f.loaded.model), LM_FILL_GOLDEN);
    CHECK_OK(&f.ctx, task->golden(&f.ctx, f.session, &f.loaded.model, f.texts, f.count, first[0]));
    ((float *)(uintptr_t)lm_model_head(&f.loaded.model)->bias)[18] += 1;
    CHECK_OK(&f.ctx, task->golden(&f.ctx, f.session, &f.loaded.model, f.texts, f.count, second[0]));
    for (int i = 0; i < LM_FILL_GOLDEN; i++)
        CHECK((first[1][i] == second[1][i]) == (i != 18 % LM_FILL_GOLDEN));
    tear_down(&f);
}

static const unit_case cases[] = {
    {"goldens", goldens},
    {"mutations", mutations},
    {"precisions", precisions},
    {"batch invariance", batch_invariance},
    {"how many", how_many},
    {"refusals", refusals},
    {"folders that do not fit", folders_that_do_not_fit},
    {"mask tokens", mask_tokens},
    {"tied by default", tied_by_default},
    {"cancel and memory", cancel_and_memory},
    {"golden values", golden_values},
};

UNIT_MAIN(cases)
