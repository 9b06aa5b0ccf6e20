/*
 * test_finetune_method.c - the methods "finetune", "distill" and "prune" as pg calls them: options,
 * rows of each task, what is refused, failing allocations and polls. (The other files
 * test_finetune*.c look at the numbers.)
 */
#include "golden.h"
#include "loaded.h"
#include "method.h"

enum { ROWS = 12 };

/* ---- Options ---- */

static void
set_option(const lm_option *option, char *fields, char *value)
{
    char *place = fields + option->offset;
    const double number = atof(value);

    switch (option->type) {
    case LM_OPTION_BOOL:
        *(bool *)place = number != 0;
        break;
    case LM_OPTION_INT:
        *(int64_t *)(void *)place = (int64_t)number;
        break;
    case LM_OPTION_FLOAT:
        *(double *)(void *)place = number;
        break;
    case LM_OPTION_TEXT:
    case LM_OPTION_JSON:
        *(char **)(void *)place = value;
    }
}

/* "key=value;key=value", which is cut into its parts. */
static void *
options_of(const lm_method *method, char *text)
{
    char *fields = calloc(1, method->options_size);

    method->defaults(fields);
    for (char *part = strtok(text, ";"); part; part = strtok(NULL, ";")) {
        char *value = strchr(part, '=');
        int found = 0;

        *value++ = '\0';
        while (found < method->option_count && strcmp(method->options[found].key, part) != 0)
            found++;
        CHECK(found < method->option_count);
        set_option(&method->options[found], fields, value);
    }
    return fields;
}

/* ---- Rows ---- */

/* Columns: T text, L label, N 0 or 1, S a share, W words, G their tags, E few of both, X what is
 * none. */
typedef struct table {
    char bytes[3][ROWS][48];
    lm_text texts[3][ROWS], words[ROWS][3], tags[ROWS][3];
    lm_train_words lists[2][ROWS];
    double numbers[ROWS];
    lm_train_rows rows;
} table;

static lm_text
text_of(const char *bytes)
{
    return (lm_text){bytes, strlen(bytes)};
}

static void
fill_words(table *t, char kind)
{
    static const char *const words[] = {"Anna", "saw", "Ünal"}, *const tags[] = {"B-PER", "O"};

    for (int i = 0; i < ROWS; i++) {
        for (int w = 0; w < 3; w++) {
            t->words[i][w] = text_of(words[(i + w) % 3]);
            t->tags[i][w] = text_of(tags[(i + w) % 3 == 1]);
        }
        t->lists[0][i] = (lm_train_words){t->words[i], kind == 'E' && i < 8 ? 0
                                                       : i % 4 == 3         ? 2
                                                                            : 3};
        t->lists[1][i] = (lm_train_words){t->tags[i], kind == 'X' ? 1 : t->lists[0][i].count};
    }
}

static void
fill_column(table *t, int column, char kind, const char *const *labels)
{
    for (int i = 0; i < ROWS; i++) {
        snprintf(t->bytes[column][i], sizeof t->bytes[0][0], "row %d of part %d is %s", i, column,
                 i % 2 ? "good" : "bad");
        t->texts[column][i] = kind == 'L'   ? text_of(labels[i % 2])
                              : kind == 'X' ? text_of("same")
                                            : text_of(t->bytes[column][i]);
        t->numbers[i] = kind == 'X' ? 7 : kind == 'S' ? i / (double)ROWS : i % 2;
    }
}

/* The third column of numbers may be X, too. */
static void
make_table(table *t, const char *columns, const char *const *labels)
{
    memset(t, 0, sizeof *t);
    t->rows = (lm_train_rows){.count = ROWS, .columns = (int)strlen(columns)};
    for (int column = 0; columns[column]; column++) {
        const char kind = columns[column];

        fill_column(t, column, kind, labels);
        if (strchr("WE", columns[0])) {
            fill_words(t, kind);
            t->rows.words[column] = t->lists[column];
        } else if (strchr("NS", kind) || (kind == 'X' && column == 2))
            t->rows.numbers[column] = t->numbers;
        else
            t->rows.texts[column] = t->texts[column];
    }
}

/* ---- Runs ---- */

typedef struct base {
    lm_arena arena;
    lm_source_dir *dir;
    lm_source source;
    lm_file_list list;
    loaded_model loaded;
    lm_train_base base;
} base;

static void
open_base(base *b, lm_context *ctx, const char *folder, bool whole)
{
    const lm_model_options options = {.as_embedding = !whole};
    char path[256];

    lm_arena_init(&b->arena, ctx);
    snprintf(path, sizeof path, "%s/%s", GOLDEN_ROOT, folder);
    CHECK_OK(ctx, lm_source_dir_open(ctx, path, true, &b->dir, &b->source));
    CHECK_OK(ctx, loaded_open_with(ctx, &b->source, &options, lm_kernels_active(), &b->loaded));
    CHECK_OK(ctx, lm_checkpoint_list(ctx, &b->arena, &b->source, &b->list));
    b->base =
        (lm_train_base){folder, &b->source, b->list.names, (int)b->list.count, &b->loaded.model};
}

static void
close_base(base *b, lm_context *ctx)
{
    loaded_close(ctx, &b->loaded);
    lm_source_dir_close(ctx, b->dir);
    lm_arena_free(&b->arena);
}

typedef struct life {
    const char *task, *method, *folder, *columns, *options;
    lm_status status;
    const char *key;
} life;

static lm_status
keep(void *opaque, lm_context *ctx, int64_t step, const lm_buffer *bytes)
{
    (*(int *)opaque)++;
    return LM_OK;
}

/* Nobody helps, but values lie where helpers would see them. */
static float *shared_values;

static lm_status
share(void *opaque, lm_context *ctx, const lm_train_shared *shared, float **values,
      lm_team_helpers *helpers)
{
    CHECK(shared->workers > 0 && shared->bytes->size > 0 && shared->grads > 0);
    *helpers = (lm_team_helpers){.count = 0};
    *values = shared_values = calloc(shared->values, sizeof *shared_values);
    return LM_OK;
}

static lm_status
run(lm_context *ctx, const lm_method *method, const void *options, const lm_train_rows *rows,
    const lm_train_base *base, int *kept)
{
    const lm_train_watch watch = {.report = method_report,
                                  .checkpoint = kept ? keep : NULL,
                                  .share = share,
                                  .opaque = kept,
                                  .memory = kept ? 1 : 0};
    lm_train_outcome outcome = {.file_count = 0};
    const char *hint = NULL;
    void *training = NULL;
    lm_status status = method->open(ctx, options, 0, &training);

    if (status == LM_OK)
        status = method->read_base(training, base);
    if (status == LM_OK)
        status = method->add_rows(training, rows);
    if (status == LM_OK && method->lacking(training, &hint))
        status = LM_BAD_TEXT;
    if (status == LM_OK)
        status = method->fit(training, &watch);
    if (status == LM_OK)
        status = method->write(training, &outcome);
    CHECK(status != LM_OK || outcome.file_count > 3);
    method_free(&outcome);
    method->close(training);
    free(shared_values);
    shared_values = NULL;
    return status;
}

#define SMALL "epochs=1;batch_size=4;hold_out=0.34;"

static const life lives[] = {
    /* Each task. */
    {"classification", "finetune", "bert", "TL", SMALL, LM_OK, ""},
    {"classification", "finetune", "bert", "TL",
     SMALL "class_weights=\"balanced\";dropout=0.2;label_smoothing=0.1;augment=[\"swap\"];"
           "adversarial={\"kind\":\"fgm\",\"eps\":0.1};schedule=cosine;warmup=0.5;patience=1",
     LM_OK, ""},
    {"classification", "finetune", "bert", "TL",
     SMALL "class_weights={\"good\":2};optimizer=sgd;momentum=0.9;nesterov=1;schedule=step;"
           "schedule_every=1;gamma=0.5;checkpoint_steps=1;memory=1;clip_value=1;ema=0.9",
     LM_OK, ""},
    {"classification", "finetune", "bert", "TL",
     SMALL "lora={\"rank\":2};optimizer=adam;betas=[0.8,0.9];schedule=constant;precision=auto",
     LM_OK, ""},
    {"classification", "finetune", "distilbert", "TL",
     SMALL "lora={\"rank\":2,\"alpha\":4};optimizer=adagrad;precision=fp32", LM_OK, ""},
    {"classification", "finetune", "bert-sequence", "TL",
     SMALL "train_layers=1;optimizer=rmsprop;alpha=0.9;shuffle=0", LM_OK, ""},
    {"regression", "finetune", "bert", "TN", SMALL, LM_OK, ""},
    {"tagging", "finetune", "bert", "WG", SMALL, LM_OK, ""},
    {"tagging", "finetune", "roberta", "WG", SMALL "train_layers=0", LM_OK, ""},
    {"tagging", "finetune", "bert", "EE", SMALL "shuffle=0", LM_OK, ""},
    {"classification", "finetune", "bert-st6-cls", "TL", SMALL, LM_OK, ""},
    {"classification", "finetune", "bert-sharded", "TL", SMALL, LM_OK, ""},
    {"masked_language_model", "finetune", "bert-pretraining", "T", SMALL, LM_OK, ""},
    {"classification", "distill", "distilbert-sequence", "TL", SMALL, LM_OK, ""},
    {"classification", "distill", "electra-sequence", "T", SMALL, LM_OK, ""},
    {"similarity", "finetune", "bert-st6-cls", "TTS", SMALL, LM_OK, ""},
    {"similarity", "finetune", "bert-st6-cls", "TT", SMALL, LM_OK, ""},
    {"similarity", "finetune", "bert-st6-cls", "TTT", SMALL "loss=triplet;margin=1", LM_OK, ""},
    {"similarity", "finetune", "bert-st6-max", "TTT", SMALL "loss=ranking;scale=5", LM_OK, ""},
    {"similarity", "finetune", "bert", "TTS", SMALL "loss=cosine", LM_OK, ""},
    {"rerank", "finetune", "bert", "TTS", SMALL, LM_OK, ""},
    {"next_sentence", "finetune", "bert", "TTN", SMALL, LM_OK, ""},
    {"masked_language_model", "finetune", "bert-mask", "T", SMALL "masked=0.5", LM_OK, ""},
    {"classification", "finetune", "bert", "TL", SMALL "precision=bf16", LM_OK, ""},
    {"classification", "distill", "bert-sequence", "T", SMALL, LM_OK, ""},
    {"classification", "distill", "bert-sequence", "TL", SMALL "layers=1;hard=0.3;temperature=3",
     LM_OK, ""},
    {"tagging", "finetune", "bert", "WG", SMALL "crf=1;crf_rate=10", LM_OK, ""},
    /* In parts, as workers have them. */
    {"classification", "finetune", "bert", "TL", SMALL "workers=1;class_weights=\"balanced\"",
     LM_OK, ""},
    {"classification", "distill", "bert-sequence", "TL", SMALL "workers=2", LM_OK, ""},
    /* Pruned first. */
    {"classification", "prune", "bert-sequence", "TL", SMALL "share=0.5", LM_OK, ""},
    {"classification", "prune", "distilbert-sequence", "TL", SMALL "heads=0.5;neurons=0.5", LM_OK,
     ""},
    {"classification", "prune", "bert-sequence", "TL",
     "epochs=1;batch_size=4;hold_out=0;share=0.9;neurons=0.3", LM_OK, ""},
    {"tagging", "prune", "bert-token", "WG", SMALL "share=0.3", LM_OK, ""},
    /* What is refused. */
    {"tagging", "finetune", "bert", "WG", SMALL "crf=1;class_weights=\"balanced\"", LM_BAD_ARGUMENT,
     "class_weights"},
    {"tagging", "finetune", "bert", "WG", SMALL "crf=1;label_smoothing=0.1", LM_BAD_ARGUMENT,
     "label_smoothing"},
    {"classification", "finetune", "bert", "TL", SMALL "workers=1;lora={\"rank\":2}",
     LM_UNSUPPORTED, "workers"},
    {"classification", "finetune", "bert", "TL", SMALL "workers=1;augment=[\"swap\"]",
     LM_UNSUPPORTED, "workers"},
    {"classification", "prune", "bert-sequence", "TL", SMALL "workers=1;heads=0.5", LM_UNSUPPORTED,
     "workers"},
    {"similarity", "finetune", "bert-st6-cls", "TT", SMALL "workers=1", LM_UNSUPPORTED, "workers"},
    {"classification", "prune", "bert-sequence", "TL", SMALL, LM_BAD_ARGUMENT, "share"},
    {"classification", "prune", "bert-sequence", "TL", SMALL "share=0.5;class_weights=\"balanced\"",
     LM_UNSUPPORTED, "class_weights"},
    {"classification", "prune", "bert-sequence", "TL", SMALL "share=0.5;lora={\"rank\":2}",
     LM_UNSUPPORTED, "lora"},
    {"classification", "prune", "bert-sequence", "TX", SMALL "share=0.5", LM_BAD_ARGUMENT, ""},
    {"classification", "prune", "bert", "TL", SMALL "share=0.5", LM_UNSUPPORTED, "classification"},
    {"classification", "prune", "bert-multi-label", "TL", SMALL "share=0.5", LM_UNSUPPORTED,
     "classification"},
    {"tagging", "prune", "bert-sequence", "WG", SMALL "share=0.5", LM_UNSUPPORTED, "tagging"},
    {"classification", "prune", "mobilebert-sequence", "TL", SMALL "share=0.5", LM_UNSUPPORTED, ""},
    {"classification", "finetune", "bert", "TX", SMALL, LM_BAD_TEXT, ""},
    {"classification", "finetune", "bert", "TL", SMALL "precision=int8", LM_BAD_ARGUMENT,
     "precision"},
    {"classification", "finetune", "bert", "TL", SMALL "optimizer=lion", LM_BAD_ARGUMENT,
     "optimizer"},
    {"classification", "finetune", "bert", "TL", SMALL "schedule=sawtooth", LM_BAD_ARGUMENT,
     "schedule"},
    {"classification", "finetune", "bert", "TL", SMALL "betas=[0.9]", LM_BAD_ARGUMENT, "betas"},
    {"classification", "finetune", "bert", "TL", SMALL "betas=0.9", LM_BAD_ARGUMENT, "betas"},
    {"classification", "finetune", "bert", "TL", SMALL "betas=[0.9,1]", LM_BAD_ARGUMENT, "betas"},
    {"classification", "finetune", "bert", "TL", SMALL "betas=[true,0]", LM_BAD_ARGUMENT, "betas"},
    {"classification", "finetune", "bert", "TL", SMALL "optimizer=sgd;nesterov=1", LM_BAD_ARGUMENT,
     "nesterov"},
    {"classification", "finetune", "bert", "TL", "hold_out=0;patience=1", LM_BAD_ARGUMENT,
     "patience"},
    {"classification", "finetune", "bert", "TL", SMALL "class_weights=[]", LM_BAD_ARGUMENT,
     "class_weights"},
    {"classification", "finetune", "bert", "TL", SMALL "class_weights={\"other\":1}",
     LM_BAD_ARGUMENT, "class_weights"},
    {"classification", "finetune", "bert", "TL", SMALL "class_weights={\"good\":-1}",
     LM_BAD_ARGUMENT, "class_weights"},
    {"classification", "finetune", "bert", "TL", SMALL "class_weights={\"good\":\"1\"}",
     LM_BAD_ARGUMENT, "class_weights"},
    {"classification", "finetune", "bert", "TL",
     SMALL "train_layers=0;adversarial={\"kind\":\"fgm\",\"eps\":0.1}", LM_BAD_ARGUMENT,
     "adversarial"},
    {"classification", "finetune", "bert", "TL", SMALL "lora={\"rank\":0}", LM_BAD_ARGUMENT,
     "lora"},
    {"classification", "finetune", "bert", "TL", SMALL "lora={\"rank\":1025}", LM_BAD_ARGUMENT,
     "lora"},
    {"classification", "finetune", "bert", "TL", SMALL "lora={\"rank\":1.5}", LM_BAD_ARGUMENT,
     "lora"},
    {"classification", "finetune", "bert", "TL", SMALL "lora={\"rank\":\"1\"}", LM_BAD_ARGUMENT,
     "lora"},
    {"classification", "finetune", "bert", "TL", SMALL "lora={\"alpha\":1}", LM_BAD_ARGUMENT,
     "lora"},
    {"classification", "finetune", "bert", "TL", SMALL "lora={\"rank\":1,\"alpha\":0}",
     LM_BAD_ARGUMENT, "lora"},
    {"classification", "finetune", "bert", "TL", SMALL "lora={\"rank\":1,\"alpha\":\"1\"}",
     LM_BAD_ARGUMENT, "lora"},
    {"classification", "finetune", "bert", "TL", SMALL "lora={\"rank\":1,\"bias\":1}",
     LM_BAD_ARGUMENT, "lora"},
    {"classification", "finetune", "bert", "TL", SMALL "lora=[]", LM_BAD_ARGUMENT, "lora"},
    {"classification", "finetune", "bert", "TL", SMALL "lora={", LM_BAD_JSON, NULL},
    {"tagging", "finetune", "bert", "WX", SMALL, LM_BAD_ARGUMENT, ""},
    {"tagging", "finetune", "bert", "WG", SMALL "augment=[\"swap\"]", LM_BAD_ARGUMENT, "augment"},
    {"masked_language_model", "finetune", "bert-mask", "T", SMALL "augment=[\"swap\"]",
     LM_BAD_ARGUMENT, "augment"},
    {"similarity", "finetune", "bert", "TT", SMALL "loss=mean", LM_BAD_ARGUMENT, "loss"},
    {"similarity", "finetune", "bert", "TT", SMALL "loss=cosine", LM_BAD_ARGUMENT, "loss"},
    {"similarity", "finetune", "bert", "TTS", SMALL "loss=ranking", LM_BAD_ARGUMENT, "loss"},
    {"similarity", "finetune", "bert", "TTS", SMALL "loss=triplet", LM_BAD_ARGUMENT, "loss"},
    {"similarity", "finetune", "bert", "TT", SMALL "loss=triplet", LM_BAD_ARGUMENT, "loss"},
    {"rerank", "finetune", "bert", "TTX", SMALL, LM_BAD_ARGUMENT, ""},
    {"next_sentence", "finetune", "bert", "TTX", SMALL, LM_BAD_ARGUMENT, ""},
    {"classification", "distill", "bert", "T", SMALL, LM_UNSUPPORTED, ""},
    {"classification", "distill", "bert-regression", "T", SMALL, LM_UNSUPPORTED, ""},
    {"classification", "distill", "bert-multi-label", "T", SMALL, LM_UNSUPPORTED, ""},
    {"classification", "distill", "albert-sequence", "T", SMALL, LM_UNSUPPORTED, ""},
    {"masked_language_model", "finetune", "qwen3", "T", SMALL, LM_UNSUPPORTED, ""},
    {"classification", "distill", "bert-sequence", "TX", SMALL, LM_BAD_ARGUMENT, ""},
    {"classification", "distill", "bert-sequence", "T", SMALL "layers=1000", LM_BAD_ARGUMENT,
     "layers"},
    {"classification", "distill", "bert-sequence", "T", SMALL "class_weights=\"balanced\"",
     LM_UNSUPPORTED, "class_weights"},
};

static lm_status
live(lm_context *ctx, lm_context *plain, const life *l, int *kept)
{
    static const char *const plain_labels[] = {"bad", "good"};
    const lm_method *method = lm_method_find(l->task, l->method);
    const bool has_labels = strcmp(l->method, "finetune") != 0;
    char text[512];
    lm_status status;
    void *options;
    base b;
    table t;

    snprintf(text, sizeof text, "%s", l->options);
    options = options_of(method, text);
    open_base(&b, plain, l->folder, has_labels);
    make_table(&t, l->columns,
               has_labels && b.loaded.model.info.label_count > 1 ? b.loaded.model.info.labels
                                                                 : plain_labels);
    status = run(ctx, method, options, &t.rows, &b.base, kept);
    close_base(&b, plain);
    free(options);
    return status;
}

static void
one_by_one(bool good)
{
    for (size_t i = 0; i < sizeof lives / sizeof lives[0]; i++) {
        const life *l = &lives[i];
        lm_context ctx, plain;
        lm_status status;
        int kept = 0;

        if ((l->status == LM_OK) != good)
            continue;
        lm_context_init(&ctx);
        lm_context_init(&plain);
        status = live(&ctx, &plain, l, &kept);
        if (status != l->status)
            UNIT_FAIL("%s %s of %s (%s): status %d, %s [%s]", l->task, l->method, l->folder,
                      l->options, status, ctx.error.message, ctx.error.key);
        if (!good && l->key && *l->key)
            CHECK_STR(ctx.error.key, l->key);
        CHECK_EQ_INT(kept > 0, good && strstr(l->options, "checkpoint_steps") != NULL);
    }
}

static void
tasks(void)
{
    one_by_one(true);
}

static void
refusals(void)
{
    one_by_one(false);
}

/* A base whose list of files names one that is not there, and one whose bytes are coded. */
static void
odd_files(void)
{
    static const struct {
        const char *name;
        lm_status status;
    } odd[] = {{"absent.json", LM_NO_FILE}, {"other.safetensors.coded", LM_UNSUPPORTED}};
    const lm_method *method = lm_method_find("classification", "finetune");
    char text[] = "epochs=1";
    void *options = options_of(method, text);
    const char *names[32];
    lm_context ctx;
    table t;
    base b;

    lm_context_init(&ctx);
    make_table(&t, "T", NULL);
    open_base(&b, &ctx, "bert", false);
    memcpy(names, b.base.files, (size_t)b.base.file_count * sizeof *names);
    b.base.files = names;
    b.base.file_count++;
    for (size_t i = 0; i < sizeof odd / sizeof odd[0]; i++) {
        names[b.base.file_count - 1] = odd[i].name;
        CHECK_EQ_INT(run(&ctx, method, options, &t.rows, &b.base, NULL), odd[i].status);
    }
    close_base(&b, &ctx);
    free(options);
}

/* Whatever fails, nothing is left behind. Most of the calls are alike: ever more are left out. */
static void
failures(void)
{
    static const life few[] = {
        {"classification", "finetune", "bert", "TL",
         SMALL "class_weights=\"balanced\";lora={\"rank\":2}", LM_OK, ""},
        {"tagging", "finetune", "bert", "WG", SMALL, LM_OK, ""},
        {"similarity", "finetune", "bert-st6-cls", "TTS", SMALL, LM_OK, ""},
        {"rerank", "finetune", "bert", "TTS", SMALL, LM_OK, ""},
        {"classification", "distill", "bert-sequence", "TL", SMALL "layers=1", LM_OK, ""},
        {"classification", "prune", "bert-sequence", "TL", SMALL "share=0.5;neurons=0.5", LM_OK,
         ""},
        {"classification", "finetune", "bert", "TL", SMALL "workers=1", LM_OK, ""},
    };
    /* The first, and what is not training alone, have more places. */
    static const int parts[] = {20, 6, 6, 6, 8, 8, 8};

    for (size_t i = 0; i < sizeof few / sizeof few[0]; i++)
        for (int polls = 0; polls < 2; polls++) {
            lm_status status = LM_NO_MEMORY;

            for (int at = 1; status != LM_OK && at < 100000; at += 1 + at / parts[i]) {
                fake_memory memory = {.fail_at = polls ? 0 : at, .stop_at = polls ? at : 0};
                lm_context ctx, plain;

                lm_context_init(&plain);
                fake_context(&ctx, &memory);
                status = live(&ctx, &plain, &few[i], NULL);
                CHECK(status == LM_OK || status == (polls ? LM_CANCELLED : LM_NO_MEMORY));
                CHECK_EQ_INT(memory.live, 0);
            }
            CHECK_EQ_INT(status, LM_OK);
        }
}

/* ---- What options say before anything is read ---- */

static void
said_by_options(void)
{
    static const struct {
        const char *options;
        int columns;
        bool optional;
    } losses[] = {{"scale=1", 3, true},
                  {"loss=cosine", 3, false},
                  {"loss=ranking", 3, true},
                  {"loss=triplet", 3, false},
                  {"loss=other", 3, true}};
    const lm_method *method = lm_method_find("similarity", "finetune");
    bool resume = false;

    for (size_t i = 0; i < sizeof losses / sizeof losses[0]; i++) {
        char text[64];
        void *options;
        const lm_train_column *columns;
        int count = 0;

        snprintf(text, sizeof text, "%s;checkpoint_steps=%zu;resume=%d", losses[i].options, i,
                 i == 2);
        options = options_of(method, text);
        columns = method->columns_for(options, &count);
        CHECK_EQ_INT(count, losses[i].columns);
        CHECK_EQ_INT(columns[count - 1].optional, losses[i].optional);
        CHECK_EQ_INT(method->checkpoints(options, &resume), i);
        CHECK_EQ_INT(resume, i == 2);
        free(options);
    }
}

/* ---- A run that goes on ---- */

enum { RESUME_AT = 4 };

static lm_status
keep_one(void *opaque, lm_context *ctx, int64_t step, const lm_buffer *bytes)
{
    return step == RESUME_AT ? lm_buffer_append(opaque, bytes->data, bytes->size) : LM_OK;
}

/* A training of 9 steps in three epochs: all, or from a checkpoint within the second on. */
static void
train_from(lm_context *ctx, const base *b, const table *t, const lm_buffer *resume,
           lm_buffer *checkpoint, lm_train_outcome *outcome)
{
    char text[] = "epochs=3;batch_size=3;hold_out=0.25;dropout=0.2;checkpoint_steps=1;ema=0.5;"
                  "augment={\"ops\":[\"swap\",\"delete\"],\"share\":0.5};"
                  "adversarial={\"kind\":\"pgd\",\"eps\":0.5}";
    const lm_train_watch watch = {.report = method_report,
                                  .checkpoint = checkpoint ? keep_one : NULL,
                                  .opaque = checkpoint,
                                  .resume = resume};
    const lm_method *method = lm_method_find("classification", "finetune");
    void *options = options_of(method, text), *training = NULL;

    CHECK_OK(ctx, method->open(ctx, options, 0, &training));
    CHECK_OK(ctx, method->read_base(training, &b->base));
    CHECK_OK(ctx, method->add_rows(training, &t->rows));
    CHECK_OK(ctx, method->fit(training, &watch));
    CHECK_OK(ctx, method->write(training, outcome));
    method->close(training);
    free(options);
}

/* With noise on embeddings and rows in other words each epoch: the same bits. */
static void
resumed(void)
{
    static const char *const labels[] = {"bad", "good"};
    lm_train_outcome whole = {.file_count = 0}, rest = {.file_count = 0};
    lm_buffer checkpoint;
    lm_context ctx;
    base b;
    table t;

    lm_context_init(&ctx);
    lm_buffer_init(&checkpoint, &ctx);
    open_base(&b, &ctx, "bert", false);
    make_table(&t, "TL", labels);
    train_from(&ctx, &b, &t, NULL, &checkpoint, &whole);
    CHECK(checkpoint.size > 0);
    train_from(&ctx, &b, &t, &checkpoint, NULL, &rest);
    CHECK_EQ_INT(rest.file_count, whole.file_count);
    for (int i = 0; i < whole.file_count; i++) {
        CHECK_EQ_INT(rest.files[i].bytes.size, whole.files[i].bytes.size);
        CHECK(memcmp(rest.files[i].bytes.data, whole.files[i].bytes.data,
                     whole.files[i].bytes.size) == 0);
    }
    CHECK(method_value(&rest, "loss") == method_value(&whole, "loss"));
    method_free(&whole);
    method_free(&rest);
    lm_buffer_free(&checkpoint);
    close_base(&b, &ctx);
}

static const unit_case cases[] = {
    {"each task is trained", tasks},
    {"what is refused", refusals},
    {"odd files of a base", odd_files},
    {"what options say", said_by_options},
    {"allocations and polls may fail", failures},
    {"noise and other words when a training goes on", resumed},
};

UNIT_MAIN(cases)
