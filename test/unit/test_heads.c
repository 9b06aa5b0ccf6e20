/*
 * test_heads.c - weights of heads: planned, filled and bound when config.json names the head, and
 * not otherwise; and slots of forms that no golden model has.
 */
#include "base/buffer.h"
#include "golden.h"

#define LABELS 3
#define MAX_TENSORS 64
#define MAX_VALUES (64 * 64)

/* A folder whose weights file gets more tensors. */
typedef struct fixture {
    lm_context ctx;
    golden_folder folder;
    lm_tensor tensors[MAX_TENSORS];
    const char *data[MAX_TENSORS];
    size_t count;
    lm_buffer file;
} fixture;

static float values[MAX_VALUES];

static void
make_values(void)
{
    for (size_t i = 0; i < MAX_VALUES; i++)
        values[i] = (float)i / 8 - 3;
}

/* Replace a string of config.json. */
static void
change_config(fixture *f, const char *from, const char *to)
{
    fake_file *config = fake_find(&f->folder.files, "config.json");
    const char *hit = strstr(config->data, from);
    char *start;

    if (!hit) {
        UNIT_FAIL("config.json has no %s", from);
        return;
    }
    start = lm_arena_copy(&f->folder.arena, config->data, (size_t)(hit - config->data));
    config->data = golden_join(&f->folder, start, to, hit + strlen(from));
    config->size = strlen(config->data);
}

static void
add_tensor(fixture *f, const char *name, int rank, uint64_t rows, uint64_t width)
{
    f->data[f->count] = (const char *)values;
    f->tensors[f->count++] =
        (lm_tensor){.name = name, .dtype = LM_F32, .rank = rank, .shape = {rows, width}};
}

static uint64_t
value_count(const lm_tensor *tensor)
{
    uint64_t count = 1;

    for (int axis = 0; axis < tensor->rank; axis++)
        count *= tensor->shape[axis];
    return count;
}

/* Write the file from the tensors as they stand. */
static void
write_file(fixture *f)
{
    fake_file *file = fake_find(&f->folder.files, "model.safetensors");

    f->file.size = 0;
    CHECK_OK(&f->ctx, lm_tensors_write_header(&f->ctx, NULL, 0, f->tensors, f->count, &f->file));
    for (size_t i = 0; i < f->count; i++)
        CHECK_OK(&f->ctx, lm_buffer_append(&f->file, f->data[i],
                                           (size_t)value_count(&f->tensors[i]) * sizeof(float)));
    file->data = f->file.data;
    file->size = f->file.size;
    file->read_to = 0;
}

/* "bert" as a model of this architecture. */
static void
open_fixture(fixture *f, const char *architecture)
{
    lm_tensors found;

    memset(f, 0, sizeof *f);
    make_values();
    lm_context_init(&f->ctx);
    lm_buffer_init(&f->file, &f->ctx);
    golden_open(&f->ctx, "bert", &f->folder);
    change_config(f, "\"BertModel\"", architecture);
    change_config(f, "{", "{\"id2label\": {\"0\": \"O\", \"1\": \"B-PER\", \"2\": \"I-PER\"},");
    CHECK_OK(&f->ctx, lm_tensors_open(&f->ctx, &f->folder.arena, &f->folder.source, "", &found));
    f->count = found.count;
    for (size_t i = 0; i < found.count; i++) {
        f->tensors[i] = found.items[i];
        f->data[i] = fake_find(&f->folder.files, found.items[i].file)->data + found.items[i].offset;
    }
}

static void
close_fixture(fixture *f)
{
    golden_close(&f->folder);
    lm_buffer_free(&f->file);
}

static lm_status
load(fixture *f, lm_precision precision, bool headed, golden_weights *loaded)
{
    write_file(f);
    return golden_load_headed(&f->folder, &f->folder.source, lm_kernels_at(LM_LEVEL_SCALAR),
                              precision, headed, loaded);
}

static const float *
head_weight(const lm_weights *weights, lm_head_target target)
{
    return lm_group_weight(weights, weights->family->group_count, 0, (int)target);
}

/* The values of a tensor of the file. */
static const void *
tensor_data(const fixture *f, const char *name)
{
    for (size_t i = 0; i < f->count; i++)
        if (strcmp(f->tensors[i].name, name) == 0)
            return f->data[i];
    UNIT_FAIL("no tensor %s", name);
    return NULL;
}

/* A head's weights are the file's, at every precision, beside an encoder that is right. */
static void
check_head(fixture *f, const char *task, bool dense)
{
    for (lm_precision precision = 0; precision < LM_PRECISION_COUNT; precision++) {
        golden_weights loaded, plain;

        CHECK_OK(&f->ctx, load(f, precision, true, &loaded));
        if (!loaded.image)
            return;
        CHECK_STR(loaded.weights.head->task, task);
        CHECK_EQ_INT(loaded.plan.left_out_count, 0);
        CHECK(memcmp(head_weight(&loaded.weights, LM_HEAD_OUT), values,
                     LABELS * 36 * sizeof *values) == 0);
        CHECK(memcmp(head_weight(&loaded.weights, LM_HEAD_OUT_BIAS), values,
                     LABELS * sizeof *values) == 0);
        CHECK((head_weight(&loaded.weights, LM_HEAD_DENSE) != NULL) == dense);
        CHECK(!dense || memcmp(head_weight(&loaded.weights, LM_HEAD_DENSE),
                               tensor_data(f, "pooler.dense.weight"), 36 * 36 * 4) == 0);
        if (precision == LM_PRECISION_F32)
            CHECK(golden_hidden_error(&f->folder, &loaded.weights, true) <=
                  golden_tolerance(lm_json_get(f->folder.golden, "hidden")));
        CHECK_OK(&f->ctx, load(f, precision, false, &plain));
        CHECK(!plain.weights.head);
        CHECK_EQ_INT(plain.plan.left_out_count, 2);
        CHECK_EQ_INT(loaded.plan.parameters, plain.plan.parameters + LABELS * 37);
        CHECK(loaded.plan.size > plain.plan.size);
        golden_unload(&f->folder, &plain);
        golden_unload(&f->folder, &loaded);
    }
}

/* The pooler, which is spare without the head, is its dense layer. */
static void
sequence_head(void)
{
    fixture f;

    open_fixture(&f, "\"BertForSequenceClassification\"");
    add_tensor(&f, "classifier.weight", 2, LABELS, 36);
    add_tensor(&f, "classifier.bias", 1, LABELS, 0);
    check_head(&f, "classification", true);
    close_fixture(&f);
}

static void
token_head(void)
{
    fixture f;

    open_fixture(&f, "\"BertForTokenClassification\"");
    add_tensor(&f, "classifier.weight", 2, LABELS, 36);
    add_tensor(&f, "classifier.bias", 1, LABELS, 0);
    check_head(&f, "token_classification", false);
    close_fixture(&f);
}

static void
no_head(void)
{
    static const char *const architectures[] = {"\"BertModel\"", "7", "\"Classification\"",
                                                "\"BertForSequenceClassification2\""};

    for (size_t i = 0; i < sizeof architectures / sizeof architectures[0]; i++) {
        golden_weights loaded;
        fixture f;

        open_fixture(&f, architectures[i]);
        CHECK_OK(&f.ctx, load(&f, LM_PRECISION_F32, true, &loaded));
        CHECK(!loaded.weights.head);
        golden_unload(&f.folder, &loaded);
        close_fixture(&f);
        open_fixture(&f, "");
        change_config(&f, "\"architectures\"", "\"_architectures\"");
        CHECK_OK(&f.ctx, load(&f, LM_PRECISION_F32, true, &loaded));
        CHECK(!loaded.weights.head);
        golden_unload(&f.folder, &loaded);
        close_fixture(&f);
    }
}

static void
wrong_heads(void)
{
    static const struct {
        uint64_t labels; /* of the weight */
        bool bias;
        const char *labels_key; /* in place of id2label */
        const char *key;        /* of the refusal */
    } kinds[] = {
        {LABELS, false, "\"id2label\"", "classifier.bias"},
        {LABELS + 1, true, "\"id2label\"", "classifier.weight"},
        {LABELS, true, "\"num_labels\": 0, \"label\"", "num_labels"},
    };

    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        golden_weights loaded;
        fixture f;

        open_fixture(&f, "\"BertForSequenceClassification\"");
        change_config(&f, "\"id2label\"", kinds[i].labels_key);
        add_tensor(&f, "classifier.weight", 2, kinds[i].labels, 36);
        if (kinds[i].bias)
            add_tensor(&f, "classifier.bias", 1, LABELS, 0);
        CHECK_EQ_INT(load(&f, LM_PRECISION_F32, true, &loaded), LM_BAD_MODEL);
        CHECK_STR(f.ctx.error.key, kinds[i].key);
        close_fixture(&f);
    }
}

/* ---- Slots of a family of the test's own ---- */

typedef struct toy_config {
    lm_dims dims;
    int32_t layers, n, k, off;
} toy_config;

#define AT(name) offsetof(toy_config, name)

static const lm_config_field toy_fields[] = {
    {"vocab", LM_FIELD_INT, AT(dims.vocab), 1, 1, 9, .flags = 0},
    {"layers", LM_FIELD_INT, AT(layers), 3, 1, 9, .flags = 0},
    {"n", LM_FIELD_INT, AT(n), 6, 1, 9, .flags = 0},
    {"k", LM_FIELD_INT, AT(k), 5, 1, 9, .flags = 0},
    {"off", LM_FIELD_BOOL, AT(off), .flags = 0},
};

static lm_weight_group toy_groups[] = {{"", 0, 1}, {"layer.{i}.", AT(layers), 2}};

/* Plan and fill a model of the slots, of which the file has the tensors; NULL where it is refused.
 */
static void *
fill_slots(fixture *f, int groups, const lm_weight_slot *slots, size_t count, lm_weights_plan *plan)
{
    static lm_family family = {.name = "bert"};
    static const char config[] = "{}";
    lm_checkpoint checkpoint = {.config = NULL};
    void *image;

    family.config_size = sizeof(toy_config);
    family.fields = toy_fields;
    family.field_count = sizeof toy_fields / sizeof toy_fields[0];
    family.groups = toy_groups;
    family.group_count = groups;
    family.slots = slots;
    family.slot_count = count;
    write_file(f);
    CHECK_OK(&f->ctx, lm_json_parse(&f->ctx, &f->folder.arena, config, strlen(config),
                                    "config.json", &checkpoint.config));
    CHECK_OK(&f->ctx, lm_tensors_open(&f->ctx, &f->folder.arena, &f->folder.source, "",
                                      &checkpoint.tensors));
    if (lm_weights_plan_make(&f->ctx, &f->folder.arena, &family, NULL, &checkpoint,
                             lm_kernels_at(LM_LEVEL_SCALAR), LM_PRECISION_F32, plan) != LM_OK)
        return NULL;
    image = aligned_alloc(LM_ALIGNMENT, plan->size);
    memset(image, 0, plan->size);
    CHECK_OK(&f->ctx, lm_weights_fill(&f->ctx, plan, &f->folder.source, image));
    return image;
}

/* A toy whose matrices the file has transposed, or not; returns the image. */
static void *
fill_toy(fixture *f, bool transposed, lm_weights_plan *plan)
{
    const unsigned flags = LM_SLOT_REQUIRED | (transposed ? LM_SLOT_TRANSPOSED : 0);
    const lm_weight_slot slots[] = {
        {"vector", 0, LM_SLOT_ROWS, LM_SLOT_REQUIRED, 1, {{AT(n), AT(k)}}, 0, 0, 1},
        {"first", 1, LM_SLOT_PACKED, flags, 2, {{AT(n), 0}, {AT(k), 0}}, 0, 0, 1},
        {"second", 1, LM_SLOT_PACKED, flags, 2, {{AT(n), 0}, {AT(k), 0}}, 0, 1, 1},
        {"norm",
         1,
         LM_SLOT_ROWS,
         LM_SLOT_REQUIRED | LM_SLOT_FIRST_LAYER_LACKS,
         1,
         {{AT(n), 0}},
         1,
         0,
         1},
    };
    return fill_slots(f, 2, slots, sizeof slots / sizeof slots[0], plan);
}

static char names[6][32];

static void
toy_tensors(fixture *f, bool transposed, float *data)
{
    f->count = 0;
    add_tensor(f, "vector", 1, 30, 0);
    for (int i = 0; i < 6; i++) {
        uint64_t rows = transposed ? 5 : 6, width = 11 - rows;

        snprintf(names[i], sizeof names[i], "layer.%d.%s", i / 2, i % 2 ? "second" : "first");
        add_tensor(f, names[i], 2, rows, width);
        f->data[f->count - 1] = (const char *)(data + i * 30);
        for (uint64_t row = 0; row < rows; row++)
            for (uint64_t at = 0; at < width; at++) {
                uint64_t n = transposed ? at : row, k = transposed ? row : at;

                data[(uint64_t)i * 30 + row * width + at] = (float)(100 * i) + (float)(n * 5 + k);
            }
    }
    add_tensor(f, "layer.1.norm", 1, 6, 0);
    add_tensor(f, "layer.2.norm", 1, 6, 0);
}

/* A file with x · W gives the image of one with x · Wᵀ; layer 0 needs no norm; a vector of n · k.
 */
static void
toy_forms(void)
{
    static float straight[180], turned[180];
    lm_weights_plan plans[2];
    void *images[2];
    fixture f;

    open_fixture(&f, "\"BertModel\"");
    toy_tensors(&f, false, straight);
    images[0] = fill_toy(&f, false, &plans[0]);
    toy_tensors(&f, true, turned);
    images[1] = fill_toy(&f, true, &plans[1]);
    CHECK(memcmp(straight, turned, sizeof straight) != 0);
    CHECK_EQ_INT(plans[0].size, plans[1].size);
    CHECK(memcmp(images[0], images[1], plans[0].size) == 0);
    CHECK_EQ_INT(plans[1].targets[1].rows, 12);
    CHECK_EQ_INT(plans[1].targets[1].width, 5);
    CHECK_EQ_INT(plans[1].targets[2].offset, 0);
    CHECK(plans[1].targets[4].offset > 0);
    free(images[0]);
    free(images[1]);
    close_fixture(&f);
}

#define TOY_MATRIX   \
    2,               \
    {                \
        {AT(n), 0},  \
        {            \
            AT(k), 0 \
        }            \
    }

/* A matrix whose halves the file has the other way round, and a vector that it has less 1. */
static void
stored_forms(void)
{
    static float whole[36], halves[36];
    const lm_weight_slot plain[] = {
        {"w", 0, LM_SLOT_PACKED, LM_SLOT_REQUIRED, TOY_MATRIX, 0, 0, 1}};
    const lm_weight_slot swapped[] = {
        {"w", 0, LM_SLOT_PACKED, LM_SLOT_HALVES_SWAPPED, TOY_MATRIX, 0, 0, 1}};
    const lm_weight_slot gain[] = {
        {"g", 0, LM_SLOT_ROWS, LM_SLOT_PLUS_ONE, 1, {{AT(n), 0}}, 0, 0, 1}};
    lm_weights_plan plans[3];
    void *images[3];
    fixture f;

    for (int i = 0; i < 30; i++)
        whole[i] = halves[(i + 15) % 30] = (float)i;
    open_fixture(&f, "\"BertModel\"");
    f.count = 0;
    add_tensor(&f, "w", 2, 6, 5);
    f.data[0] = (const char *)whole;
    images[0] = fill_slots(&f, 1, plain, 1, &plans[0]);
    f.data[0] = (const char *)halves;
    images[1] = fill_slots(&f, 1, swapped, 1, &plans[1]);
    CHECK(memcmp(images[0], images[1], plans[0].size) == 0);
    f.count = 0;
    add_tensor(&f, "g", 1, 6, 0);
    f.data[0] = (const char *)whole;
    images[2] = fill_slots(&f, 1, gain, 1, &plans[2]);
    for (int i = 0; i < 6; i++)
        CHECK(((float *)((char *)images[2] + plans[2].targets[0].offset))[i] == (float)i + 1);
    for (int i = 0; i < 3; i++)
        free(images[i]);
    close_fixture(&f);
}

/* What a setting has turned off is not asked for, and left out where the file has it. */
static void
setting_forms(void)
{
    lm_weight_slot slots[] = {
        {"w", 0, LM_SLOT_PACKED, LM_SLOT_REQUIRED, TOY_MATRIX, 0, 0, 1},
        {"b", 0, LM_SLOT_ROWS, LM_SLOT_REQUIRED | LM_SLOT_WHEN(AT(off)), 1, {{AT(n), 0}}, 1, 0, 1}};
    lm_weights_plan plan;
    fixture f;

    open_fixture(&f, "\"BertModel\"");
    f.count = 0;
    add_tensor(&f, "w", 2, 6, 5);
    toy_groups[0].targets = 2;
    free(fill_slots(&f, 1, slots, 2, &plan));
    CHECK_EQ_INT(plan.targets[1].offset, 0);
    add_tensor(&f, "b", 1, 6, 0);
    free(fill_slots(&f, 1, slots, 2, &plan));
    CHECK_EQ_INT(plan.left_out_count, 1);
    slots[1].flags = LM_SLOT_REQUIRED | LM_SLOT_WHEN(AT(n));
    free(fill_slots(&f, 1, slots, 2, &plan));
    CHECK(plan.targets[1].offset > 0);
    f.count = 1;
    CHECK(fill_slots(&f, 1, slots, 2, &plan) == NULL);
    CHECK_STR(f.ctx.error.key, "b");
    toy_groups[0].targets = 1;
    close_fixture(&f);
}

static const unit_case cases[] = {
    {"sequence head", sequence_head},
    {"token head", token_head},
    {"no head", no_head},
    {"wrong heads", wrong_heads},
    {"forms of slots", toy_forms},
    {"forms that files have", stored_forms},
    {"forms by settings", setting_forms},
};

UNIT_MAIN(cases)
