/*
 * test_weights.c - the weights of a model when something fails: every allocation, every poll,
 * tensors of another rank, and an image of which any bit is wrong.
 */
#define _GNU_SOURCE /* memmem */

#include "golden.h"

/* In the section's header, behind magic, family, level, precision, format and size. */
#define CONFIG_OFFSET 64

/* Plan, fill and bind in a context that fails where `memory` says, with an arena of `room` bytes.
 */
static lm_status
load_with(golden_folder *folder, const lm_checkpoint *checkpoint, const lm_family *family,
          lm_precision precision, fake_memory *memory, size_t room)
{
    fake_memory wanted = *memory;
    lm_weights_plan plan;
    lm_weights weights;
    lm_context ctx;
    lm_arena arena;
    lm_status status;
    void *image;

    *memory = (fake_memory){0};
    fake_context(&ctx, memory);
    lm_arena_init(&arena, &ctx);
    CHECK(fake_fill_arena(&arena, room));
    memory->calls = 0;
    memory->fail_at = wanted.fail_at;
    memory->stop_at = wanted.stop_at;
    status = lm_weights_plan_make(&ctx, &arena, family, NULL, checkpoint,
                                  lm_kernels_at(LM_LEVEL_SCALAR), precision, &plan);
    if (status == LM_OK) {
        image = aligned_alloc(LM_ALIGNMENT, plan.size);
        status = lm_weights_fill(&ctx, &plan, &folder->source, image);
        if (status == LM_OK)
            status = lm_weights_bind(&ctx, image, plan.size, &weights);
        if (status == LM_OK)
            lm_weights_unbind(&ctx, &weights);
        free(image);
    }
    lm_arena_free(&arena);
    CHECK_EQ_INT(memory->live, 0);
    return status;
}

static void
fail_load(const char *name, lm_precision precision)
{
    golden_folder folder;
    const lm_family *family;
    lm_checkpoint checkpoint;
    lm_context ctx;
    lm_status status = LM_CANCELLED;
    int n;

    lm_context_init(&ctx);
    golden_open(&ctx, name, &folder);
    CHECK_OK(&ctx, lm_checkpoint_open(&ctx, &folder.arena, &folder.source, NULL, &checkpoint));
    CHECK_OK(&ctx, lm_family_find(&ctx, checkpoint.config, &family));
    for (n = 1; status == LM_CANCELLED; n++) {
        fake_memory memory = {.stop_at = n};

        status = load_with(&folder, &checkpoint, family, precision, &memory, 0);
    }
    CHECK_EQ_INT(status, LM_OK);
    CHECK(n > 20);
    for (int place = 1; place <= 146; place = unit_next_fault(place)) {
        size_t room = (size_t)(place - 1) * 48;

        status = LM_NO_MEMORY;
        for (n = 1; status == LM_NO_MEMORY; n++) {
            fake_memory memory = {.fail_at = n};

            status = load_with(&folder, &checkpoint, family, precision, &memory, room);
        }
        CHECK_EQ_INT(status, LM_OK);
    }
    golden_close(&folder);
}

/* Names of today, and those of older files, which are renamed. */
static void
test_faults(void)
{
    fail_load("bert", LM_PRECISION_F32);
    fail_load("bert-gamma", LM_PRECISION_F32);
    fail_load("bert-f16", LM_PRECISION_F32);
    fail_load("bert", LM_PRECISION_INT8);
    fail_load("bert-f16", LM_PRECISION_BF16);
}

/* The weights file with `from` replaced in its header. */
static void
change_header(golden_folder *folder, const char *from, const char *to)
{
    fake_file *file = fake_find(&folder->files, "model.safetensors");
    size_t length = 0, grown, tail;
    char *changed;
    const char *hit;

    for (int i = 7; i >= 0; i--)
        length = length << 8 | (unsigned char)file->data[i];
    hit = memmem(file->data + 8, length, from, strlen(from));
    if (!hit) {
        UNIT_FAIL("the header has no %s", from);
        return;
    }
    changed = lm_arena_alloc(&folder->arena, file->size + 100);
    memcpy(changed, file->data, (size_t)(hit - file->data));
    memcpy(changed + (hit - file->data), to, strlen(to));
    tail = file->size - (size_t)(hit - file->data) - strlen(from);
    memcpy(changed + (hit - file->data) + strlen(to), hit + strlen(from), tail);
    grown = length + strlen(to) - strlen(from);
    for (int i = 0; i < 8; i++)
        changed[i] = (char)(grown >> 8 * i);
    file->size += strlen(to) - strlen(from);
    file->data = changed;
}

/* As many values, in another shape. */
static void
test_other_ranks(void)
{
    static const struct {
        const char *from, *to, *found, *allowed;
    } shapes[] = {
        {"\"shape\":[36]", "\"shape\":[6,6]", "(6, 6)", "(36)"},
        {"\"shape\":[36,36]", "\"shape\":[1,1,1,1,1,1,36,36]", "(1, 1, 1, 1, 1, 1, 36, 36)",
         "(36, 36)"},
    };

    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
        golden_folder folder;
        golden_weights loaded;
        lm_context ctx;

        lm_context_init(&ctx);
        golden_open(&ctx, "bert", &folder);
        change_header(&folder, shapes[i].from, shapes[i].to);
        CHECK_EQ_INT(golden_load(&folder, &folder.source, lm_kernels_at(LM_LEVEL_SCALAR), &loaded),
                     LM_BAD_MODEL);
        CHECK_STR(ctx.error.found, shapes[i].found);
        CHECK_STR(ctx.error.allowed, shapes[i].allowed);
        golden_close(&folder);
    }
}

/* A tensor under the name that another one has in older files, wherever the search meets the two.
 */
static void
test_duplicates(void)
{
    static const char *const places[] = {
        "embeddings.LayerNorm.",
        "encoder.layer.0.attention.output.LayerNorm.",
        "encoder.layer.0.output.LayerNorm.",
        "encoder.layer.1.attention.output.LayerNorm.",
        "encoder.layer.1.output.LayerNorm.",
    };

    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        golden_folder folder;
        golden_weights loaded;
        lm_context ctx;

        lm_context_init(&ctx);
        golden_open(&ctx, "bert", &folder);
        change_header(&folder, golden_join(&folder, "\"", places[i], "bias\""),
                      golden_join(&folder, "\"", places[i], "gamma\""));
        CHECK_EQ_INT(golden_load(&folder, &folder.source, lm_kernels_at(LM_LEVEL_SCALAR), &loaded),
                     LM_BAD_MODEL);
        CHECK_STR(ctx.error.key, golden_join(&folder, places[i], "weight", ""));
        golden_close(&folder);
    }
}

/* ---- A family of the test's own ---- */

typedef struct toy_config {
    lm_dims dims;
    int32_t width;
} toy_config;

#define WIDTH                          \
    {                                  \
        offsetof(toy_config, width), 0 \
    }
#define TOY(name, use, required, part, parts)                                                   \
    {                                                                                           \
        name, LM_GROUP_MODEL, use, required ? LM_SLOT_REQUIRED : 0, 2, {WIDTH, WIDTH}, 0, part, \
            parts                                                                               \
    }

/* Plan a model of these tensors, of `width` squared each, for a family of these slots. */
static lm_status
plan_toy_in(lm_context *ctx, lm_arena *arena, lm_precision precision, const lm_weight_slot *slots,
            size_t slot_count, int32_t width, const char *const *names, size_t count,
            lm_weights_plan *plan)
{
    static const lm_config_field fields[] = {
        {"width", LM_FIELD_INT, offsetof(toy_config, width), 0, 1, INT32_MAX,
         .flags = LM_FIELD_REQUIRED},
    };
    const lm_weight_group groups[] = {{"", 0, slots[slot_count - 1].target + 1}};
    const lm_family family = {
        .name = "toy",
        .config_size = sizeof(toy_config),
        .fields = fields,
        .field_count = 1,
        .slots = slots,
        .slot_count = slot_count,
        .groups = groups,
        .group_count = 1,
    };
    lm_tensor tensors[8] = {0};
    lm_checkpoint checkpoint = {.tensors = {.items = tensors, .count = count}};
    char json[64];
    lm_context sound;
    lm_arena config;
    lm_status status;

    lm_context_init(&sound);
    lm_arena_init(&config, &sound);
    for (size_t i = 0; i < count; i++)
        tensors[i] = (lm_tensor){.name = names[i],
                                 .file = "model.safetensors",
                                 .dtype = LM_F32,
                                 .rank = 2,
                                 .shape = {(uint64_t)width, (uint64_t)width},
                                 .order = (uint32_t)i};
    snprintf(json, sizeof json, "{\"width\":%d}", width);
    CHECK_OK(&sound,
             lm_json_parse(&sound, &config, json, strlen(json), "config.json", &checkpoint.config));
    status = lm_weights_plan_make(ctx, arena, &family, NULL, &checkpoint,
                                  lm_kernels_at(LM_LEVEL_SCALAR), precision, plan);
    lm_arena_free(&config);
    return status;
}

/* The same in a context that does not fail. */
static lm_status
plan_toy_as(lm_context *ctx, lm_precision precision, const lm_weight_slot *slots, size_t slot_count,
            int32_t width, const char *const *names, size_t count, lm_weights_plan *plan)
{
    lm_arena arena;
    lm_status status;

    lm_context_init(ctx);
    lm_arena_init(&arena, ctx);
    status = plan_toy_in(ctx, &arena, precision, slots, slot_count, width, names, count, plan);
    lm_arena_free(&arena);
    return status;
}

static lm_status
plan_toy(lm_context *ctx, const lm_weight_slot *slots, size_t slot_count, int32_t width,
         const char *const *names, size_t count, lm_weights_plan *plan)
{
    return plan_toy_as(ctx, LM_PRECISION_F32, slots, slot_count, width, names, count, plan);
}

/* A matrix of two parts, each in a tensor of its own or both in one: what is there, and what is
 * then said. */
static void
test_parts(void)
{
    static const lm_weight_slot slots[] = {
        TOY("a", LM_SLOT_ROWS, false, 0, 1),
        TOY("b", LM_SLOT_ROWS, false, 1, 1),
        TOY("ab", LM_SLOT_ROWS, false, 0, 2),
    };
    static const struct {
        const char *names[3];
        size_t count;
        lm_status status;
    } kinds[] = {
        {{NULL}, 0, LM_OK},     {{"a"}, 1, LM_BAD_MODEL}, {{"b"}, 1, LM_BAD_MODEL},
        {{"a", "b"}, 2, LM_OK}, {{"ab"}, 1, LM_OK},       {{"a", "b", "ab"}, 3, LM_OK},
    };

    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        lm_weights_plan plan;
        lm_context ctx;

        CHECK_EQ_INT(plan_toy(&ctx, slots, 3, 4, kinds[i].names, kinds[i].count, &plan),
                     kinds[i].status);
        if (kinds[i].status == LM_OK)
            CHECK_EQ_INT(plan.parameters, 0); /* the toy's tensors do not count their values */
    }
}

/* Tensors that no slot takes are listed, or there is no memory for the list. */
static void
test_left_out(void)
{
    static const lm_weight_slot slots[] = {TOY("b", LM_SLOT_ROWS, true, 0, 1)};
    static const char *const names[] = {"a", "b", "c", "d"};

    for (size_t room = 0; room < 1024; room += 16) {
        lm_status status = LM_NO_MEMORY;

        for (int n = 1; status == LM_NO_MEMORY; n++) {
            fake_memory memory = {0};
            lm_weights_plan plan;
            lm_context ctx;
            lm_arena arena;

            fake_context(&ctx, &memory);
            lm_arena_init(&arena, &ctx);
            CHECK(fake_fill_arena(&arena, room));
            memory.calls = 0;
            memory.fail_at = n;
            status = plan_toy_in(&ctx, &arena, LM_PRECISION_F32, slots, 1, 4, names, 4, &plan);
            if (status == LM_OK) {
                CHECK_EQ_INT(plan.ignored, 3);
                CHECK_EQ_INT(plan.left_out_count, 3);
                CHECK_STR(plan.left_out[0]->name, "a");
                CHECK_STR(plan.left_out[2]->name, "d");
            }
            lm_arena_free(&arena);
            CHECK_EQ_INT(memory.live, 0);
        }
        CHECK_EQ_INT(status, LM_OK);
    }
}

/* Matrices whose sizes do not fit a size_t, at each step of the sum. */
static void
test_overflow(void)
{
    static const lm_weight_slot slots[] = {
        TOY("a", LM_SLOT_ROWS, true, 0, 1),  TOY("b", LM_SLOT_ROWS, false, 1, 1),
        TOY("c", LM_SLOT_ROWS, false, 2, 1), TOY("d", LM_SLOT_ROWS, false, 3, 1),
        TOY("e", LM_SLOT_ROWS, false, 4, 1),
    };
    static const char *const names[] = {"a", "b", "c", "d", "e"};

    for (size_t count = 1; count <= 5; count++) {
        lm_weights_plan plan;
        lm_context ctx;

        CHECK_EQ_INT(plan_toy(&ctx, slots, count, INT32_MAX, names, count, &plan),
                     count == 1 ? LM_OK : LM_TOO_LARGE);
    }
    {
        lm_weight_slot two[] = {slots[0], slots[1]};
        lm_weights_plan plan;
        lm_context ctx;

        two[1].target = 1;
        CHECK_EQ_INT(plan_toy(&ctx, two, 2, INT32_MAX, names, 2, &plan), LM_TOO_LARGE);
    }
}

/* Sums of int8 products have 32 bits: a matrix may be so wide and no wider, other precisions more.
 * Sizes of packed matrices are summed with the same care. */
static void
test_wide_matrix(void)
{
    static const lm_weight_slot slots[] = {
        TOY("a", LM_SLOT_PACKED, true, 0, 1),
        TOY("b", LM_SLOT_PACKED, false, 1, 1),
    };
    static const struct {
        lm_precision precision;
        int32_t width;
        lm_status status;
    } kinds[] = {
        {LM_PRECISION_INT8, LM_INT8_MAX_K, LM_OK},
        {LM_PRECISION_INT8, LM_INT8_MAX_K + 1, LM_UNSUPPORTED},
        {LM_PRECISION_BF16, LM_INT8_MAX_K + 1, LM_OK},
        {LM_PRECISION_F32, LM_INT8_MAX_K + 1, LM_OK},
    };
    static const char *const names[] = {"a", "b"};
    lm_weight_slot two[] = {slots[0], slots[1]};
    lm_weights_plan plan;
    lm_context ctx;

    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        CHECK_EQ_INT(
            plan_toy_as(&ctx, kinds[i].precision, slots, 1, kinds[i].width, names, 1, &plan),
            kinds[i].status);
    two[1].target = 1;
    CHECK_EQ_INT(plan_toy(&ctx, two, 2, INT32_MAX, names, 2, &plan), LM_TOO_LARGE);
}

/* Each bit of the header, the config and the table: bind refuses, or what it gives lies in the
 * image. */
static void
test_damaged_image(void)
{
    golden_folder folder;
    golden_weights loaded;
    lm_context ctx;
    lm_weights view;
    unsigned char *image;
    int refused = 0;

    lm_context_init(&ctx);
    golden_open(&ctx, "bert", &folder);
    CHECK_OK(&ctx, golden_load(&folder, &folder.source, lm_kernels_at(LM_LEVEL_SCALAR), &loaded));
    image = loaded.image;
    for (size_t at = 0; at < 1024; at++)
        for (int bit = 0; bit < 8; bit++) {
            image[at] ^= (unsigned char)(1 << bit);
            if (lm_weights_bind(&ctx, image, loaded.plan.size, &view) == LM_OK) {
                int entries = view.first[LM_GROUP_LAYERS] +
                              lm_weights_layers(&view) * view.targets[LM_GROUP_LAYERS];

                for (int i = 0; i < entries; i++)
                    CHECK(!view.table[i] ||
                          (const unsigned char *)view.table[i] < image + loaded.plan.size);
                lm_weights_unbind(&ctx, &view);
            } else
                refused++;
            image[at] ^= (unsigned char)(1 << bit);
        }
    CHECK(refused > 500);
    /* The config just behind the end of the section. */
    memcpy(image + CONFIG_OFFSET, &(uint64_t){lm_align_up(loaded.plan.size)}, sizeof(uint64_t));
    CHECK_EQ_INT(lm_weights_bind(&ctx, image, lm_align_up(loaded.plan.size), &view), LM_INTERNAL);
    for (size_t size = 0; size < 100; size++)
        CHECK_EQ_INT(lm_weights_bind(&ctx, image, size, &view), LM_INTERNAL);
    golden_unload(&folder, &loaded);
    golden_close(&folder);
}

static const unit_case cases[] = {
    {"faults", test_faults},
    {"other_ranks", test_other_ranks},
    {"damaged_image", test_damaged_image},
    {"duplicates", test_duplicates},
    {"parts", test_parts},
    {"left_out", test_left_out},
    {"overflow", test_overflow},
    {"wide_matrix", test_wide_matrix},
};

UNIT_MAIN(cases)
