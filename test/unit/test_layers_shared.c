/*
 * test_layers_shared.c - nets of layers whose batches several share: the same bits whoever helps;
 * what helpers are told, whole, cut short and without memory.
 */
#include <math.h>
#include <stdio.h>

#include "fake.h"
#include "train/methods.h"
#include "train/shared.h"
#include "unit.h"

enum { ROWS = 30, WORDS = 9, HELPERS = 2 };

/* ---- A training ---- */

static lm_text
text_of(const char *bytes)
{
    return (lm_text){bytes, strlen(bytes)};
}

typedef struct rows {
    char bytes[ROWS][64];
    lm_text texts[ROWS], labels[ROWS], words[ROWS][WORDS], tags[ROWS][WORDS];
    lm_train_words word_lists[ROWS], tag_lists[ROWS];
    double numbers[ROWS];
} rows;

/* Of many lengths, so that parts of a batch differ. */
static void
make_row(rows *r, int i)
{
    static const char *const words[] = {"ant", "bee", "cat", "dog", "elk", "fox", "gnu"};
    static const char *const tags[] = {"O", "B-X", "I-X"};
    const int count = 1 + i % WORDS;

    r->bytes[i][0] = '\0';
    for (int w = 0; w < count; w++) {
        r->words[i][w] = text_of(words[(i + 3 * w) % 7]);
        r->tags[i][w] = text_of(tags[(i + w) % 3]);
        strcat(strcat(r->bytes[i], words[(i + 3 * w) % 7]), " ");
    }
    r->texts[i] = text_of(r->bytes[i]);
    r->labels[i] = text_of(tags[i % 3]);
    r->numbers[i] = i % 5 - 2;
    r->word_lists[i] = (lm_train_words){r->words[i], (size_t)count};
    r->tag_lists[i] = (lm_train_words){r->tags[i], (size_t)count};
}

static lm_train_rows
rows_for(const lm_method *method, rows *r)
{
    lm_train_rows taken = {.count = ROWS, .columns = 2};

    for (int i = 0; i < ROWS; i++)
        make_row(r, i);
    if (strcmp(method->task, "tagging") == 0) {
        taken.words[0] = r->word_lists;
        taken.words[1] = r->tag_lists;
        return taken;
    }
    taken.texts[0] = r->texts;
    if (strcmp(method->task, "language_model") == 0)
        taken.columns = 1;
    taken.texts[1] = r->labels;
    taken.numbers[1] = r->numbers;
    return taken;
}

/* A net, its options; further ones as text. */
typedef struct net_case {
    const char *task, *layers, *key, *value;
} net_case;

static void
set_text(const lm_method *method, void *fields, const char *key, const char *value)
{
    for (int i = 0; i < method->option_count; i++)
        if (strcmp(method->options[i].key, key) == 0)
            memcpy((char *)fields + method->options[i].offset, &value, sizeof value);
}

static void
set_count(const lm_method *method, void *fields, const char *key, int64_t value)
{
    for (int i = 0; i < method->option_count; i++)
        if (strcmp(method->options[i].key, key) == 0)
            memcpy((char *)fields + method->options[i].offset, &value, sizeof value);
}

static void *
options_of(const lm_method *method, const net_case *net, int64_t workers)
{
    char *fields = calloc(1, method->options_size);

    method->defaults(fields);
    set_text(method, fields, "layers", net->layers);
    set_text(method, fields, net->key, net->value);
    set_text(method, fields, "optimizer", "sgd");
    set_count(method, fields, "workers", workers);
    set_count(method, fields, "epochs", 3);
    set_count(method, fields, "batch_size", 8);
    set_count(method, fields, "accumulate", 2);
    set_count(method, fields, "max_length", 7);
    return fields;
}

/* ---- Helpers in this process, which know of the training what its bytes say ---- */

typedef struct team {
    lm_context *ctx;
    size_t count;
    lm_shared shared[HELPERS];
    float *values, *grads[HELPERS];
    double losses[HELPERS];
    lm_buffer *bytes; /* NULL, or where what was told is kept */
} team;

static lm_status
begin_helper(void *self, size_t helper, const size_t *rows, size_t count, const lm_pass *pass)
{
    team *t = self;

    t->losses[helper] = 0;
    return lm_team_help(t->ctx, &t->shared[helper].network, &t->shared[helper].cut, rows, count,
                        pass, &t->losses[helper]);
}

static lm_status
end_helper(void *self, size_t helper, double *loss, const float **grads)
{
    const team *t = self;

    *loss = t->losses[helper];
    *grads = t->grads[helper];
    return LM_OK;
}

static float *
numbers_of(size_t count)
{
    float *numbers = aligned_alloc(64, (count * sizeof *numbers + 63) / 64 * 64);

    memset(numbers, 0, count * sizeof *numbers);
    return numbers;
}

static lm_status
share(void *opaque, lm_context *ctx, const lm_train_shared *shared, float **values,
      lm_team_helpers *helpers)
{
    team *t = opaque;

    if (t->bytes)
        CHECK_OK(ctx, lm_buffer_append(t->bytes, shared->bytes->data, shared->bytes->size));
    t->ctx = ctx;
    t->values = *values = numbers_of(shared->values);
    for (size_t i = 0; i < t->count; i++) {
        t->grads[i] = numbers_of(shared->grads);
        LM_TRY(lm_shared_open(ctx, shared->bytes->data, shared->bytes->size, t->values, t->grads[i],
                              &t->shared[i]));
    }
    *helpers =
        (lm_team_helpers){.self = t, .count = t->count, .begin = begin_helper, .end = end_helper};
    return LM_OK;
}

static void
close_team(team *t)
{
    for (size_t i = 0; i < t->count; i++) {
        lm_shared_close(&t->shared[i]);
        free(t->grads[i]);
    }
    free(t->values);
}

static void
ignore_step(void *opaque, const lm_train_progress *progress)
{
}

static lm_status
fit(void *training, const lm_method *method, const lm_train_watch *watch, lm_train_outcome *outcome)
{
    static rows r;
    const lm_train_rows taken = rows_for(method, &r);

    LM_TRY(method->add_rows(training, &taken));
    LM_TRY(method->fit(training, watch));
    return method->write(training, outcome);
}

/* The weights' file; `helpers` negative: the caller of the fit has none to give. */
static lm_status
learn(lm_context *ctx, const net_case *net, int64_t workers, int helpers, lm_buffer *told,
      lm_train_outcome *outcome)
{
    const lm_method *method = lm_method_find(net->task, "layers");
    void *options = options_of(method, net, workers), *training = NULL;
    team t = {.count = helpers < 0 ? 0 : (size_t)helpers, .bytes = told};
    const lm_train_watch watch = {
        .report = ignore_step, .opaque = &t, .share = helpers < 0 ? NULL : share};
    lm_status status = method->open(ctx, options, 0, &training);

    memset(outcome, 0, sizeof *outcome);
    if (status == LM_OK)
        status = fit(training, method, &watch, outcome);
    close_team(&t);
    method->close(training);
    free(options);
    return status;
}

static void
free_outcome(lm_train_outcome *outcome)
{
    for (int i = 0; i < outcome->file_count; i++)
        lm_buffer_free(&outcome->files[i].bytes);
}

static const lm_buffer *
weights_of(const lm_train_outcome *outcome)
{
    for (int i = 0; i < outcome->file_count; i++)
        if (strcmp(outcome->files[i].name, "model.safetensors") == 0)
            return &outcome->files[i].bytes;
    return NULL;
}

static const net_case nets[] = {
    {"classification", "[{\"embedding\": 6}, {\"bilstm\": 5, \"dropout\": 0.25}, {\"linear\": 3}]",
     "class_weights", "{\"O\": 2, \"B-X\": 0.3, \"I-X\": 1}"},
    {"classification",
     "[{\"embedding\": 6, \"trainable\": false}, {\"gru\": 5}, {\"dropout\": 0.3}, {\"pool\": "
     "\"attention\"}, {\"linear\": 3}]",
     "schedule", "cosine"},
    {"tagging", "[{\"embedding\": 6}, {\"conv\": 4}, {\"linear\": 3}, {\"crf\": true}]",
     "adversarial", "{\"kind\": \"pgd\", \"steps\": 2}"},
    {"regression", "[{\"embedding\": 8}, {\"transformer\": 2}, {\"linear\": 1}]", "schedule",
     "linear"},
    {"tagging", "[{\"embedding\": 6}, {\"bigru\": 4}, {\"linear\": 3, \"activation\": \"tanh\"}]",
     "precision", "bf16"},
    {"language_model", "[{\"embedding\": 6}, {\"bilstm\": 5, \"layers\": 2, \"separate\": true}]",
     "schedule", "cosine"},
    {"tagging",
     "[{\"characters\": 4, \"filters\": 3, \"kernel\": 2}, {\"bilstm\": 4}, {\"linear\": 3}]",
     "schedule", "linear"},
};

#define NETS ((int)(sizeof nets / sizeof nets[0]))

static double
farthest(const lm_buffer *a, const lm_buffer *b)
{
    uint64_t header;
    double most = 0;

    memcpy(&header, a->data, sizeof header);
    for (size_t at = 8 + (size_t)header; at < a->size; at += sizeof(float)) {
        float one, other;

        memcpy(&one, a->data + at, sizeof one);
        memcpy(&other, b->data + at, sizeof other);
        most = fmax(most, fabs((double)one - other));
    }
    return most;
}

static void
check_team(const net_case *net)
{
    lm_train_outcome whole, alone, helped;
    lm_context ctx;

    lm_context_init(&ctx);
    CHECK_OK(&ctx, learn(&ctx, net, 0, 0, NULL, &whole));
    CHECK_OK(&ctx, learn(&ctx, net, 2, -1, NULL, &alone));
    CHECK_EQ_INT(weights_of(&alone)->size, weights_of(&whole)->size);
    CHECK(farthest(weights_of(&alone), weights_of(&whole)) < 1e-5);
    for (int helpers = 0; helpers <= HELPERS; helpers++) {
        CHECK_OK(&ctx, learn(&ctx, net, 2, helpers, NULL, &helped));
        CHECK(memcmp(weights_of(&helped)->data, weights_of(&alone)->data,
                     weights_of(&alone)->size) == 0);
        free_outcome(&helped);
    }
    free_outcome(&whole);
    free_outcome(&alone);
}

static void
helpers_change_no_bit(void)
{
    for (int i = 0; i < NETS; i++)
        check_team(&nets[i]);
}

static void
refusals(void)
{
    const net_case varied = {"classification", nets[0].layers, "augment", "[\"swap\"]"};
    lm_train_outcome outcome;
    lm_shared shared;
    lm_context ctx;
    const char mark[] = "something else";

    lm_context_init(&ctx);
    CHECK_EQ_INT(learn(&ctx, &varied, 1, 0, NULL, &outcome), LM_UNSUPPORTED);
    CHECK_STR(ctx.error.key, "workers");
    CHECK_EQ_INT(lm_shared_open(&ctx, mark, sizeof mark, NULL, NULL, &shared), LM_CORRUPT);
    lm_shared_close(&shared);
    CHECK_EQ_INT(lm_shared_open(&ctx, mark, 3, NULL, NULL, &shared), LM_CORRUPT);
}

/* ---- What helpers are told ---- */

/* What was taken can be computed with. */
static void
help_told(lm_context *ctx, const lm_shared *shared)
{
    const lm_pass pass = {.weight = 1, .training = true};
    size_t all[ROWS];
    double loss = 0;

    for (size_t i = 0; i < ROWS; i++)
        all[i] = i;
    CHECK_OK(ctx, lm_team_help(ctx, &shared->network, &shared->cut, all, ROWS, &pass, &loss));
}

static lm_status
open_told(fake_memory *memory, const lm_buffer *told, size_t size)
{
    lm_context ctx;
    lm_shared shared;
    float *values = numbers_of(20000), *grads = numbers_of(20000);
    lm_status status;

    fake_context(&ctx, memory);
    status = lm_shared_open(&ctx, told->data, size, values, grads, &shared);
    if (status == LM_OK && memory->fail_at == 0)
        help_told(&ctx, &shared);
    lm_shared_close(&shared);
    CHECK_EQ_INT(memory->live, 0);
    free(values);
    free(grads);
    return status;
}

/* A bit of a byte is changed: what is left is refused, or another training of as many rows. */
static void
damage_told(lm_buffer *told)
{
    for (size_t at = 0; at < told->size; at += at < 400 ? 1 : 5) {
        fake_memory memory = {.fail_at = 0};
        lm_status status;

        told->data[at] ^= 0x40;
        status = open_told(&memory, told, told->size);
        CHECK(status != LM_INTERNAL);
        told->data[at] ^= 0x40;
    }
}

static void
cut_told(const lm_buffer *told)
{
    for (size_t size = 0; size < told->size; size += size < 400 ? 1 : 37) {
        fake_memory memory = {.fail_at = 0};

        CHECK_EQ_INT(open_told(&memory, told, size), LM_CORRUPT);
    }
}

static void
told_without_memory(const lm_buffer *told)
{
    lm_status status = LM_NO_MEMORY;

    for (int at = 1; status != LM_OK; at++) {
        fake_memory memory = {.fail_at = at};

        status = open_told(&memory, told, told->size);
        CHECK(status == LM_OK || status == LM_NO_MEMORY);
        CHECK(at < 1000);
    }
}

static void
told_all_or_nothing(void)
{
    lm_train_outcome outcome;
    lm_context ctx;
    lm_buffer told;

    lm_context_init(&ctx);
    for (int i = 0; i < NETS; i += 2) {
        lm_buffer_init(&told, &ctx);
        CHECK_OK(&ctx, learn(&ctx, &nets[i], 2, 1, &told, &outcome));
        free_outcome(&outcome);
        cut_told(&told);
        told_without_memory(&told);
        damage_told(&told);
        lm_buffer_free(&told);
    }
}

static lm_status
learn_with(fake_memory *memory)
{
    lm_train_outcome outcome;
    lm_context ctx;
    lm_status status;

    fake_context(&ctx, memory);
    status = learn(&ctx, &nets[0], 1, 1, NULL, &outcome);
    free_outcome(&outcome);
    CHECK_EQ_INT(memory->live, 0);
    return status;
}

static void
faults(void)
{
    fake_memory whole = {.fail_at = 0};

    CHECK_EQ_INT(learn_with(&whole), LM_OK);
    for (int at = unit_next_fault(0); at <= whole.calls; at = unit_next_fault(at))
        CHECK_EQ_INT(learn_with(&(fake_memory){.fail_at = at}), LM_NO_MEMORY);
    for (int at = unit_next_fault(0); at <= whole.polls; at = unit_next_fault(at))
        CHECK_EQ_INT(learn_with(&(fake_memory){.stop_at = at}), LM_CANCELLED);
}

static const unit_case cases[] = {
    {"helpers change no bit of a net", helpers_change_no_bit},
    {"what does not go with helpers", refusals},
    {"a helper is told all or nothing", told_all_or_nothing},
    {"every allocation and poll may fail", faults},
};

UNIT_MAIN(cases)
