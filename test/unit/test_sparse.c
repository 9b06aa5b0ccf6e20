/*
 * test_sparse.c - learned sparse vectors: those of the reference at every level, of queries and of
 * documents; the same bits alone and in any batch; long texts; what is no model for it.
 */
#include "golden.h"
#include "loaded.h"
#include "task/score.h"
#include "task/sparse.h"
#include "task/tasks.h"

#define MAX_TEXTS 8
#define MAX_WORDS 128

static const char *const folders[] = {"bert-splade", "distilbert-splade-sum", "bert-splade-plain"};

#define FOLDERS (sizeof folders / sizeof *folders)

typedef struct fixture {
    lm_context ctx;
    fake_memory memory;
    golden_folder folder;
    loaded_model loaded;
    lm_session *session;
    lm_text texts[MAX_TEXTS];
    const lm_json *cases[MAX_TEXTS];
    size_t count, words;
    double tolerance;
} fixture;

/* A text's vector, with its zeros. */
typedef struct vector {
    float weights[MAX_WORDS];
    lm_sparse_item items[MAX_WORDS];
    size_t count, calls;
} vector;

/* The plain folder has to be asked for; the others say what they are. */
static const char *
task_of(const char *folder)
{
    return strcmp(folder, "bert-splade-plain") == 0 ? "sparse" : NULL;
}

static void
read_texts(fixture *f)
{
    const lm_json *section = lm_json_get(f->folder.golden, "sparse");

    f->tolerance = golden_tolerance(section);
    f->words = (size_t)golden_number(section, "words");
    for (const lm_json *each = lm_json_get(section, "cases")->as.items.first; each;
         each = each->next) {
        const lm_json *text = lm_json_get(each, "text");

        f->texts[f->count] = (lm_text){text->as.string.bytes, text->as.string.length};
        f->cases[f->count++] = each;
    }
    CHECK_EQ_INT(f->count, 6);
    CHECK(f->words <= MAX_WORDS);
}

static void
set_up(fixture *f, const char *folder, const lm_kernels *kernels, lm_precision precision)
{
    const lm_model_options options = {.task = task_of(folder), .precision = precision};

    memset(f, 0, sizeof *f);
    fake_context(&f->ctx, &f->memory);
    golden_open(&f->ctx, folder, &f->folder);
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
keep(void *opaque, size_t text, const lm_sparse_item *items, size_t count)
{
    vector *result = (vector *)opaque + text;

    CHECK(count <= MAX_WORDS);
    memcpy(result->items, items, count * sizeof *items);
    result->count = count;
    result->calls++;
    for (size_t i = 0; i < count; i++) {
        CHECK(items[i].weight > 0 && items[i].token < MAX_WORDS);
        CHECK(i == 0 || items[i - 1].token < items[i].token);
        result->weights[items[i].token] = items[i].weight;
    }
    return LM_OK;
}

static lm_status
compute(fixture *f, const lm_text *texts, size_t count, const lm_embed_options *options,
        vector *results, lm_embed_counts *counts)
{
    memset(results, 0, count * sizeof *results);
    return lm_sparse(&f->ctx, f->session, &f->loaded.model, texts, count, options, keep, results,
                     counts);
}

/* ---- Goldens ---- */

/* The greatest difference of a weight, of those that either has. */
static double
distance(const fixture *f, const vector *got, const lm_json *wanted)
{
    double rest[MAX_WORDS], worst = 0;

    for (size_t i = 0; i < f->words; i++)
        rest[i] = got->weights[i];
    for (const lm_json *item = wanted->as.items.first; item; item = item->next)
        rest[item->as.items.first->integer] -= item->as.items.first->next->as.number;
    for (size_t i = 0; i < f->words; i++)
        worst = fmax(worst, fabs(rest[i]));
    return worst;
}

static void
check_text(const fixture *f, size_t text, const vector *query, const vector *document)
{
    const double wanted = golden_number(f->cases[text], "similarity");
    const double dot = lm_sparse_dot(query->items, query->count, document->items, document->count);

    CHECK_EQ_INT(query->calls + document->calls, 2);
    CHECK(distance(f, query, lm_json_get(f->cases[text], "query")) < f->tolerance);
    CHECK(distance(f, document, lm_json_get(f->cases[text], "document")) < f->tolerance);
    CHECK(fabs(dot - wanted) < 1e-5 * fmax(1, wanted));
}

static void
goldens(void)
{
    for (size_t k = 0; k < FOLDERS * LM_LEVEL_COUNT; k++) {
        const lm_kernels *kernels = lm_kernels_at((lm_level)(k / FOLDERS));
        vector queries[MAX_TEXTS], documents[MAX_TEXTS];
        fixture f;

        if (!kernels)
            continue;
        set_up(&f, folders[k % FOLDERS], kernels, LM_PRECISION_F32);
        CHECK_STR(f.loaded.model.info.task, "sparse");
        CHECK_EQ_INT(lm_model_head(&f.loaded.model)->words, f.words);
        CHECK_OK(&f.ctx, compute(&f, f.texts, f.count, &(lm_embed_options){.side = LM_SIDE_QUERY},
                                 queries, NULL));
        CHECK_OK(&f.ctx, compute(&f, f.texts, f.count,
                                 &(lm_embed_options){.side = LM_SIDE_DOCUMENT}, documents, NULL));
        for (size_t i = 0; i < f.count; i++)
            check_text(&f, i, &queries[i], &documents[i]);
        tear_down(&f);
    }
}

/* How far a query is from the reference. */
static double
query_distance(fixture *f, size_t text)
{
    vector got;

    CHECK_OK(&f->ctx, compute(f, &f->texts[text], 1, &(lm_embed_options){.side = LM_SIDE_QUERY},
                              &got, NULL));
    return distance(f, &got, lm_json_get(f->cases[text], "query"));
}

/* The goldens must see how outputs are pooled, and each part of the head. */
static void
mutations(void)
{
    for (size_t i = 0; i < FOLDERS; i++)
        for (int what = 0; what < 4; what++) {
            lm_head *head;
            fixture f;

            set_up(&f, folders[i], lm_kernels_active(), LM_PRECISION_F32);
            CHECK(query_distance(&f, 2) < f.tolerance);
            head = (lm_head *)(uintptr_t)lm_model_head(&f.loaded.model);
            if (what == 0)
                f.loaded.model.sentence.splade ^= LM_SPLADE_SUM;
            else if (what == 1)
                f.loaded.model.sentence.splade ^= LM_SPLADE_TWICE;
            else if (what == 2)
                head->dense = NULL;
            else
                memset((void *)(uintptr_t)head->bias, 0, f.words * sizeof(float));
            CHECK(query_distance(&f, 2) > 100 * f.tolerance);
            tear_down(&f);
        }
}

/* At 16 and at 8 bits the weights are near; tables are bfloat16 there. */
static void
precisions(void)
{
    for (size_t i = 0; i < 2 * FOLDERS; i++) {
        fixture f;

        set_up(&f, folders[i / 2], lm_kernels_active(),
               i % 2 ? LM_PRECISION_INT8 : LM_PRECISION_BF16);
        for (size_t text = 0; text < f.count; text++)
            CHECK(query_distance(&f, text) < .2);
        tear_down(&f);
    }
}

/* ---- Batches, and long texts ---- */

static bool
same(const vector *a, const vector *b)
{
    return a->count == b->count && memcmp(a->items, b->items, a->count * sizeof *a->items) == 0;
}

static void
batch_invariance(void)
{
    static const size_t sizes[] = {0, 1, 17, 4096};

    for (size_t n = 0; n < 12 * FOLDERS; n++) {
        const lm_embed_options options = {.batch_tokens = sizes[n % 4],
                                          .on_long = n % 3 ? LM_LONG_MEAN : LM_LONG_TRUNCATE};
        vector alone, together[MAX_TEXTS];
        lm_embed_counts counts = {0};
        fixture f;

        set_up(&f, folders[n / 12], lm_kernels_active(), (lm_precision)(n / 4 % 3));
        CHECK_OK(&f.ctx, compute(&f, f.texts, f.count, &options, together, &counts));
        CHECK_EQ_INT(counts.texts, f.count);
        for (size_t i = 0; i < f.count; i++) {
            CHECK_OK(&f.ctx, compute(&f, &f.texts[i], 1, &options, &alone, NULL));
            CHECK(same(&alone, &together[i]));
        }
        tear_down(&f);
    }
}

/* A long text is cut, refused, or pooled over all its windows: more of it never weighs less. */
static void
long_texts(void)
{
    const lm_text text = {"e a e a e a e a e a e a e a e a e a e a e a e a cat on mat sat", 62};

    for (size_t i = 0; i < FOLDERS; i++) {
        lm_embed_options options = {.on_long = LM_LONG_TRUNCATE};
        lm_embed_counts counts = {0};
        vector cut, all, got;
        fixture f;

        set_up(&f, folders[i], lm_kernels_active(), LM_PRECISION_F32);
        CHECK_OK(&f.ctx, compute(&f, &text, 1, &options, &cut, &counts));
        options.on_long = LM_LONG_MEAN;
        CHECK_OK(&f.ctx, compute(&f, &text, 1, &options, &all, &counts));
        CHECK_EQ_INT(counts.texts, 2);
        CHECK_EQ_INT(counts.truncated, 2);
        CHECK(!same(&cut, &all) && all.calls == 1);
        for (size_t word = 0; word < f.words; word++)
            CHECK(all.weights[word] >= cut.weights[word]);
        options.on_long = LM_LONG_ERROR;
        CHECK_EQ_INT(compute(&f, &text, 1, &options, &got, NULL), LM_TOO_LARGE);
        CHECK_EQ_INT(got.calls, 0);
        tear_down(&f);
    }
}

/* A window of more tokens than are packed at a time, against one product for each output. */
static void
wide_window(void)
{
    enum { TOKENS = 241, REPEATS = 60 };
    const lm_model_options options = {.task = "sparse", .max_tokens = TOKENS};
    char bytes[16 * REPEATS] = "";
    float room[64], sums[MAX_WORDS] = {0}, most[MAX_WORDS] = {0};
    const float *hidden;
    size_t tokens;
    vector got;
    fixture f;

    for (int i = 0; i < REPEATS; i++)
        snprintf(bytes + strlen(bytes), 16, "cat %c on mat ", 'a' + i % 26);
    memset(&f, 0, sizeof f);
    fake_context(&f.ctx, &f.memory);
    golden_open(&f.ctx, "bert-splade-plain", &f.folder);
    CHECK_OK(&f.ctx,
             loaded_open_with(&f.ctx, &f.folder.source, &options, lm_kernels_active(), &f.loaded));
    CHECK_OK(&f.ctx, lm_session_create(&f.ctx, &f.session));
    CHECK_OK(&f.ctx, lm_hidden_states(&f.ctx, f.session, &f.loaded.model,
                                      (lm_text){bytes, strlen(bytes)}, -1, &hidden, &tokens));
    CHECK_EQ_INT(tokens, TOKENS);
    {
        const lm_head *head = lm_model_head(&f.loaded.model);

        for (size_t i = 0; i < tokens; i++) {
            const float *x = lm_head_transform(f.loaded.model.kernels, head,
                                               hidden + i * (size_t)head->width, room);

            for (int word = 0; word < head->words; word++) {
                const float *row = (const float *)head->table + word * head->width;
                const float logit =
                    f.loaded.model.kernels->dot_f32((size_t)head->width, row, x) + head->bias[word];

                sums[word] += logit > 0 ? log1pf(logit) : 0;
                most[word] = fmaxf(most[word], logit > 0 ? log1pf(logit) : 0);
            }
        }
    }
    CHECK_OK(&f.ctx,
             compute(&f, &(lm_text){bytes, strlen(bytes)}, 1, &(lm_embed_options){0}, &got, NULL));
    for (int word = 0; word < MAX_WORDS; word++)
        CHECK_NEAR(got.weights[word], most[word], 1e-5);
    f.loaded.model.sentence.splade |= LM_SPLADE_SUM;
    CHECK_OK(&f.ctx,
             compute(&f, &(lm_text){bytes, strlen(bytes)}, 1, &(lm_embed_options){0}, &got, NULL));
    for (int word = 0; word < MAX_WORDS; word++)
        CHECK_NEAR(got.weights[word], sums[word], 1e-3);
    tear_down(&f);
}

static void
dot_products(void)
{
    static const lm_sparse_item a[] = {{1, 2}, {4, .5f}, {7, 3}},
                                b[] = {{0, 9}, {4, 4}, {7, 1}, {8, 9}};

    CHECK_NEAR(lm_sparse_dot(a, 3, b, 4), 5, 0);
    CHECK_NEAR(lm_sparse_dot(b, 4, a, 3), 5, 0);
    CHECK_NEAR(lm_sparse_dot(a, 3, b, 2), 2, 0);
    CHECK_NEAR(lm_sparse_dot(a, 3, b, 0), 0, 0);
    CHECK_NEAR(lm_sparse_dot(a, 3, a, 3), 13.25, 0);
}

/* ---- What can go wrong ---- */

static void
refusals(void)
{
    const lm_embed_options options = {.side = LM_SIDE_QUERY}, named = {.prompt_name = "no"};
    const float wrong[] = {INFINITY, -INFINITY, NAN};
    vector got;
    fixture f;

    for (size_t i = 0; i < 2 * 3; i++) {
        set_up(&f, folders[i / 3], lm_kernels_active(), LM_PRECISION_F32);
        CHECK_EQ_INT(compute(&f, f.texts, 1, &named, &got, NULL), LM_UNKNOWN);
        ((float *)(uintptr_t)lm_model_head(&f.loaded.model)->bias)[70] = wrong[i % 3];
        CHECK_EQ_INT(compute(&f, &f.texts[2], 1, &options, &got, NULL), LM_BAD_MODEL);
        CHECK_EQ_INT(got.calls, 0);
        tear_down(&f);
    }

    memset(&f, 0, sizeof f);
    fake_context(&f.ctx, &f.memory);
    golden_open(&f.ctx, "bert-mask", &f.folder);
    CHECK_OK(&f.ctx,
             loaded_open_with(&f.ctx, &f.folder.source, &(lm_model_options){.task = "fill_mask"},
                              lm_kernels_active(), &f.loaded));
    CHECK_OK(&f.ctx, lm_session_create(&f.ctx, &f.session));
    CHECK_EQ_INT(compute(&f, &(lm_text){"cat", 3}, 1, &options, &got, NULL), LM_UNSUPPORTED);
    tear_down(&f);
}

/* Another text of the same length in place of one in a file of a golden folder. */
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

/* What an import says of a folder that differs in one place, or is asked for by a task. */
static void
refuses(const char *folder, const char *task, const char *name, const char *from, const char *to,
        const char *key)
{
    const lm_model_options options = {.task = task};
    lm_model_plan *plan;
    lm_model_info info;
    lm_arena arena;
    lm_notes notes;
    fixture f;

    memset(&f, 0, sizeof f);
    fake_context(&f.ctx, &f.memory);
    golden_open(&f.ctx, folder, &f.folder);
    edit(&f, name, from, to);
    f.folder.source = fake_open(&f.folder.files);
    lm_arena_init(&arena, &f.ctx);
    lm_notes_init(&notes, false);
    CHECK(lm_model_plan_make(&f.ctx, &arena, &f.folder.source, &options, lm_kernels_active(), &plan,
                             &info, &notes) != LM_OK);
    CHECK_STR(f.ctx.error.key, key);
    lm_arena_free(&arena);
    golden_close(&f.folder);
    CHECK_EQ_INT(f.memory.live, 0);
}

static void
folders_that_do_not_fit(void)
{
    const char *pooling = "1_SpladePooling/config.json", *modules = "modules.json";
    const char *encoder = "config_sentence_transformers.json";
    const char *transformer = "sentence_bert_config.json";

    refuses("bert-splade", NULL, pooling, "\"max\"", "\"min\"", "pooling_strategy");
    refuses("bert-splade", NULL, pooling, "\"relu\"", "\"gelu\"", "activation_function");
    refuses("bert-splade", NULL, encoder, "\"similarity_fn_name\": null",
            "\"similarity_fn_name\": \"no\"", "similarity_fn_name");
    refuses("bert-splade", NULL, encoder, "\"similarity_fn_name\": null",
            "\"max_active_dims\":      12", "max_active_dims");
    refuses("bert-splade", NULL, modules, "splade_pooling.SpladePooling\"",
            "splade_pooling.Pooling\"      ", "transformer_task");
    refuses("bert-splade", NULL, transformer, "\"fill-mask\"", "\"fillmask\" ", "transformer_task");
    refuses("distilbert-splade-sum", NULL, transformer, "\"fill-mask\"", "null       ",
            "transformer_task");
    refuses("bert-splade", NULL, "config.json", "BertForMaskedLM", "BertForMaskedXX",
            "architectures");
    refuses("bert-token", "sparse", "config.json", "bert", "bert", "architectures");
    refuses("bert-splade-plain", "sparse", "model.safetensors",
            "cls.predictions.transform.dense.bias", "cls.predictions.transform.dense.bios",
            "cls.predictions.transform.dense.bias");
    refuses("bert-splade", "classification", "config.json", "bert", "bert", "architectures");
}

/* The same folders as an embedding, or to fill masks, are not sparse. */
static void
other_tasks(void)
{
    for (int i = 0; i < 2; i++) {
        const lm_model_options options = {.task = i ? "fill_mask" : "embedding",
                                          .as_embedding = i == 0};
        vector got;
        fixture f;

        memset(&f, 0, sizeof f);
        fake_context(&f.ctx, &f.memory);
        golden_open(&f.ctx, "bert-splade", &f.folder);
        CHECK_OK(&f.ctx, loaded_open_with(&f.ctx, &f.folder.source, &options, lm_kernels_active(),
                                          &f.loaded));
        CHECK_STR(f.loaded.model.info.task, options.task);
        CHECK_EQ_INT(f.loaded.model.sentence.splade, 0);
        CHECK_OK(&f.ctx, lm_session_create(&f.ctx, &f.session));
        CHECK_EQ_INT(compute(&f, &(lm_text){"cat", 3}, 1, &(lm_embed_options){0}, &got, NULL),
                     LM_UNSUPPORTED);
        tear_down(&f);
    }
}

/* The window of the library's files counts, as of any encoder of it. */
static void
window_of_files(void)
{
    static const char said[] = "{\"max_seq_length\": 12, \"transformer_task\": \"fill-mask\"}";
    fake_file *file;
    fixture f;

    memset(&f, 0, sizeof f);
    fake_context(&f.ctx, &f.memory);
    golden_open(&f.ctx, "bert-splade", &f.folder);
    file = fake_find(&f.folder.files, "sentence_bert_config.json");
    file->data = said;
    file->size = sizeof said - 1;
    f.folder.source = fake_open(&f.folder.files);
    CHECK_OK(&f.ctx, loaded_open(&f.ctx, &f.folder.source, lm_kernels_active(), &f.loaded));
    CHECK_STR(f.loaded.model.info.task, "sparse");
    CHECK_EQ_INT(f.loaded.model.info.max_tokens, 12);
    tear_down(&f);
}

/* A cancel at any poll, and a failure of any allocation: the next call is as the first. */
static void
cancel_and_memory(void)
{
    const lm_embed_options options = {.batch_tokens = 16};
    vector wanted[MAX_TEXTS], got[MAX_TEXTS];
    lm_status status;
    fixture f;
    int polls, n = 0;

    set_up(&f, "bert-splade", lm_kernels_active(), LM_PRECISION_F32);
    do {
        f.memory.calls = 0;
        f.memory.fail_at = ++n;
        status = compute(&f, f.texts, f.count, &options, got, NULL);
        CHECK(status == LM_OK || status == LM_NO_MEMORY);
    } while (status != LM_OK && n < 100);
    CHECK(n > 1 && n < 100);
    f.memory.fail_at = 0;
    f.memory.polls = 0;
    CHECK_OK(&f.ctx, compute(&f, f.texts, f.count, &options, wanted, NULL));
    polls = f.memory.polls;
    CHECK(polls > 20);
    for (f.memory.stop_at = 1; f.memory.stop_at <= polls; f.memory.stop_at++) {
        f.memory.polls = 0;
        CHECK_EQ_INT(compute(&f, f.texts, f.count, &options, got, NULL), LM_CANCELLED);
    }
    f.memory.stop_at = 0;
    f.memory.calls = 0;
    CHECK_OK(&f.ctx, compute(&f, f.texts, f.count, &options, got, NULL));
    CHECK_EQ_INT(f.memory.calls, 0); /* once warm */
    for (size_t i = 0; i < f.count; i++)
        CHECK(same(&wanted[i], &got[i]));
    tear_down(&f);
}

/* ---- Golden values ---- */

static void
golden_values(void)
{
    const lm_task *task = &lm_tasks[LM_TASK_SPARSE];
    float first[MAX_TEXTS][LM_SPARSE_GOLDEN], second[MAX_TEXTS][LM_SPARSE_GOLDEN];
    fixture f;

    set_up(&f, "bert-splade", lm_kernels_active(), LM_PRECISION_F32);
    CHECK(lm_task_of(&f.loaded.model) == task);
    CHECK_EQ_INT(task->width(&f.loaded.model), LM_SPARSE_GOLDEN);
    CHECK_OK(&f.ctx, task->golden(&f.ctx, f.session, &f.loaded.model, f.texts, f.count, first[0]));
    ((float *)(uintptr_t)lm_model_head(&f.loaded.model)->bias)[18] += 9;
    CHECK_OK(&f.ctx, task->golden(&f.ctx, f.session, &f.loaded.model, f.texts, f.count, second[0]));
    for (int i = 0; i < LM_SPARSE_GOLDEN; i++)
        CHECK((first[1][i] == second[1][i]) == (i != 18 % LM_SPARSE_GOLDEN));
    tear_down(&f);
}

static const unit_case cases[] = {
    {"goldens", goldens},
    {"mutations", mutations},
    {"precisions", precisions},
    {"batch invariance", batch_invariance},
    {"long texts", long_texts},
    {"wide window", wide_window},
    {"dot products", dot_products},
    {"refusals", refusals},
    {"folders that do not fit", folders_that_do_not_fit},
    {"other tasks", other_tasks},
    {"window of files", window_of_files},
    {"cancel and memory", cancel_and_memory},
    {"golden values", golden_values},
};

UNIT_MAIN(cases)
