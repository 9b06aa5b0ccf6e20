/*
 * compress.c - which tensors an int8 model needs, and in what form; then its files as codes.
 *
 * What is needed is what the loader reads: all else is left out. A tensor that goes into tables of
 * bfloat16 alone is rounded to it, so that half of its bytes are zeros and take no room; others
 * stay as they are. Whether that is right is not believed but checked: both sets of files must make
 * one image.
 */
#include "quant/compress.h"

#include <string.h>

#include "base/size.h"
#include "family/family.h"
#include "format/coded.h"

/* A model's files while it is seen what of them is read. */
typedef struct compression {
    lm_context *ctx;
    lm_arena *arena;
    const lm_source *source;
    lm_checkpoint checkpoint;
    lm_weights_plan plan;
    const lm_tensor **ordered; /* tensors of the weights, by their order */
    unsigned char *uses;       /* of these */
} compression;

/* How a tensor is used. */
enum { USE_READ = 1, USE_TABLE = 2, USE_EXACT = 4 };

/* An image in memory of its own. */
typedef struct filled {
    char *memory;
    const char *image;
    size_t size;
} filled;

/* ---- What is read ---- */

static lm_status
open_plan(compression *c)
{
    const lm_family *family;

    LM_TRY(lm_checkpoint_open(c->ctx, c->arena, c->source, NULL, &c->checkpoint));
    if (!c->checkpoint.config || c->checkpoint.on_base || c->checkpoint.route_count > 0 ||
        lm_checkpoint_is_static(&c->checkpoint))
        return lm_raise(c->ctx, LM_UNSUPPORTED, "only a model with one encoder can be compressed");
    LM_TRY(lm_family_find(c->ctx, c->checkpoint.config, &family));
    LM_TRY(lm_checkpoint_open_quantized(c->ctx, c->arena, c->source, &c->checkpoint));
    if (c->checkpoint.quantized.file_count == 0)
        return lm_raise(c->ctx, LM_UNSUPPORTED, "only an int8 version can be compressed");
    return lm_weights_plan_make(c->ctx, c->arena, family, NULL, &c->checkpoint, lm_kernels_active(),
                                LM_PRECISION_INT8, &c->plan);
}

static void
mark_tables(compression *c)
{
    for (size_t i = 0; i < c->plan.placement_count; i++) {
        const lm_placement *place = &c->plan.placements[i];
        const bool table = c->plan.targets[place->target].use == LM_SLOT_TABLE &&
                           lm_tables_are_bf16(LM_PRECISION_INT8) && !place->plus_one &&
                           place->tensor->dtype == LM_F32;

        c->uses[place->tensor->order] |= table ? USE_TABLE : USE_EXACT;
    }
}

static lm_status
order_tensors(const compression *c, const lm_tensors *tensors, const lm_tensor ***ordered)
{
    if (!(*ordered = lm_arena_array(c->arena, tensors->count + 1, sizeof **ordered)))
        return LM_NO_MEMORY;
    for (size_t i = 0; i < tensors->count; i++)
        (*ordered)[tensors->items[i].order] = &tensors->items[i];
    return LM_OK;
}

static lm_status
seen_stat(lm_context *ctx, void *opaque, const char *name, bool *found, uint64_t *size)
{
    const compression *c = opaque;

    return c->source->stat(ctx, c->source->opaque, name, found, size);
}

static lm_status
seen_read(lm_context *ctx, void *opaque, const char *name, uint64_t offset, void *dest,
          size_t length)
{
    const compression *c = opaque;

    for (size_t i = 0; i < c->checkpoint.tensors.count; i++) {
        const lm_tensor *tensor = c->ordered[i];

        if (offset < tensor->offset + tensor->bytes && offset + length > tensor->offset &&
            strcmp(tensor->file, name) == 0)
            c->uses[i] |= USE_READ;
    }
    return c->source->read(ctx, c->source->opaque, name, offset, dest, length);
}

static lm_status
fill_image(lm_context *ctx, const lm_source *source, const lm_model_options *options, filled *out)
{
    lm_model_plan *plan;
    lm_arena arena;
    lm_status status;

    lm_arena_init(&arena, ctx);
    status =
        lm_model_plan_make(ctx, &arena, source, options, lm_kernels_active(), &plan, NULL, NULL);
    if (status == LM_OK) {
        out->size = lm_model_plan_size(plan);
        out->memory = lm_alloc_zero(ctx, out->size + LM_ALIGNMENT);
        out->image = (char *)lm_align_up((uintptr_t)out->memory);
        status =
            out->memory ? lm_model_fill(ctx, plan, (char *)(uintptr_t)out->image) : LM_NO_MEMORY;
    }
    lm_arena_free(&arena);
    return status;
}

/* Loads the model, and sees what is read. */
static lm_status
find_uses(compression *c, const lm_model_options *options, filled *out)
{
    const lm_source seen = {c, seen_stat, seen_read};

    LM_TRY(order_tensors(c, &c->checkpoint.tensors, &c->ordered));
    if (!(c->uses = lm_arena_zero(c->arena, c->checkpoint.tensors.count + 1)))
        return LM_NO_MEMORY;
    mark_tables(c);
    return fill_image(c->ctx, &seen, options, out);
}

/* ---- Files ---- */

/* Numbers of float32 to the nearest ones that bfloat16 has. */
static void
round_to_bf16(unsigned char *bytes, size_t size)
{
    for (size_t at = 0; at < size; at += sizeof(float)) {
        float value;
        uint16_t rounded;

        memcpy(&value, bytes + at, sizeof value);
        lm_round_bf16(1, &value, &rounded);
        memset(bytes + at, 0, 2);
        memcpy(bytes + at + 2, &rounded, sizeof rounded);
    }
}

static lm_coded_part
part_of(const lm_tensor *tensor, unsigned uses)
{
    const size_t width = lm_dtypes[tensor->dtype].bytes;

    if (!(uses & USE_READ))
        return (lm_coded_part){tensor->bytes, 0, NULL};
    return (lm_coded_part){tensor->bytes, (unsigned)width,
                           uses == (USE_READ | USE_TABLE) ? round_to_bf16 : NULL};
}

/* The header and the tensors of one file, one behind the other. */
static lm_status
list_parts(const compression *c, const char *file, const lm_tensor *const *ordered,
           const unsigned char *uses, size_t tensors, lm_coded_part **parts, size_t *count)
{
    *count = 0;
    if (!(*parts = lm_arena_array(c->arena, tensors + 1, sizeof **parts)))
        return LM_NO_MEMORY;
    for (size_t i = 0; i < tensors; i++) {
        if (strcmp(ordered[i]->file, file) != 0)
            continue;
        if (*count == 0)
            (*parts)[(*count)++] = (lm_coded_part){ordered[i]->offset, 1, NULL};
        (*parts)[(*count)++] = part_of(ordered[i], uses ? uses[i] : USE_READ);
    }
    return LM_OK;
}

static lm_status
write_file(const compression *c, const char *name, const lm_tensor *const *ordered,
           const unsigned char *uses, size_t tensors, lm_compressed *compressed)
{
    lm_compressed_file *file = &compressed->files[compressed->count];
    const size_t length = strlen(name);
    char *own = lm_arena_alloc(c->arena, length + sizeof LM_CODED_SUFFIX);
    lm_coded_part *parts;
    size_t count;

    if (!own)
        return LM_NO_MEMORY;
    memcpy(own, name, length);
    memcpy(own + length, LM_CODED_SUFFIX, sizeof LM_CODED_SUFFIX);
    LM_TRY(list_parts(c, name, ordered, uses, tensors, &parts, &count));
    file->name = own;
    lm_buffer_init(&file->bytes, c->ctx);
    compressed->count++;
    return lm_coded_write(c->ctx, c->source, name, parts, count, &file->bytes);
}

static lm_status
write_files(const compression *c, lm_compressed *compressed)
{
    const lm_tensors *tensors = &c->checkpoint.tensors, *quantized = &c->checkpoint.quantized;
    const lm_tensor **ordered;

    compressed->files =
        lm_arena_zero(c->arena, (tensors->file_count + 1) * sizeof(lm_compressed_file));
    if (!compressed->files)
        return LM_NO_MEMORY;
    for (size_t i = 0; i < tensors->file_count; i++)
        LM_TRY(write_file(c, tensors->files[i], c->ordered, c->uses, tensors->count, compressed));
    LM_TRY(order_tensors(c, quantized, &ordered));
    LM_TRY(write_file(c, LM_QUANTIZED_FILE, ordered, NULL, quantized->count, compressed));
    for (size_t i = 0; i < quantized->count; i++)
        if (quantized->items[i].dtype == LM_I8)
            compressed->codes += quantized->items[i].count;
    compressed->codes_coded = compressed->files[compressed->count - 1].bytes.size;
    return LM_OK;
}

/* ---- Check ---- */

static lm_status
compare(const compression *c, const lm_compressed *compressed, const lm_model_options *options,
        const filled *wanted)
{
    filled made = {NULL, NULL, 0};
    lm_source coded;
    lm_status status;

    LM_TRY(lm_compressed_source(c->arena, compressed, c->source, &coded));
    status = fill_image(c->ctx, &coded, options, &made);
    if (status == LM_OK &&
        (made.size != wanted->size || memcmp(made.image, wanted->image, made.size) != 0))
        status = lm_raise(c->ctx, LM_UNSUPPORTED,
                          "a model of this form cannot be compressed: its weights would change");
    lm_free(c->ctx, made.memory);
    return status;
}

/* ---- All ---- */

static lm_status
sum_sizes(lm_context *ctx, lm_arena *arena, const lm_source *source, uint64_t *sum)
{
    lm_file_list list;

    *sum = 0;
    LM_TRY(lm_checkpoint_list(ctx, arena, source, &list));
    for (size_t i = 0; i < list.count; i++) {
        uint64_t size;
        bool found;

        LM_TRY(source->stat(ctx, source->opaque, list.names[i], &found, &size));
        *sum += found ? size : 0;
    }
    return LM_OK;
}

static lm_status
measure(const compression *c, lm_compressed *compressed)
{
    const lm_source_with_file without = {c->source, LM_QUANTIZED_FILE, NULL, 0};
    const lm_source plain = lm_source_with(&without);
    lm_source coded;

    LM_TRY(lm_compressed_source(c->arena, compressed, c->source, &coded));
    LM_TRY(sum_sizes(c->ctx, c->arena, &plain, &compressed->fp32_bytes));
    LM_TRY(sum_sizes(c->ctx, c->arena, c->source, &compressed->int8_bytes));
    return sum_sizes(c->ctx, c->arena, &coded, &compressed->bytes);
}

static lm_status
run(compression *c, const lm_model_options *options, filled *image, lm_compressed *compressed)
{
    LM_TRY(open_plan(c));
    LM_TRY(find_uses(c, options, image));
    LM_TRY(write_files(c, compressed));
    LM_TRY(compare(c, compressed, options, image));
    return measure(c, compressed);
}

lm_status
lm_compress(lm_context *ctx, lm_arena *arena, const lm_source *source,
            const lm_model_options *options, lm_compressed *compressed)
{
    compression c = {.ctx = ctx, .arena = arena, .source = source};
    lm_model_options int8 = *options;
    filled image = {NULL, NULL, 0};
    lm_status status;

    int8.precision = LM_PRECISION_INT8;
    *compressed = (lm_compressed){.count = 0};
    status = run(&c, &int8, &image, compressed);
    lm_free(ctx, image.memory);
    return status;
}

void
lm_compressed_free(lm_compressed *compressed)
{
    for (size_t i = 0; i < compressed->count; i++)
        lm_buffer_free(&compressed->files[i].bytes);
}

lm_status
lm_compressed_source(lm_arena *arena, const lm_compressed *compressed, const lm_source *below,
                     lm_source *source)
{
    lm_source_with_file *layers = lm_arena_array(arena, compressed->count + 1, sizeof *layers);
    lm_source *sources = lm_arena_array(arena, compressed->count + 1, sizeof *sources);

    if (!layers || !sources)
        return LM_NO_MEMORY;
    sources[0] = *below;
    for (size_t i = 0; i < compressed->count; i++) {
        const lm_compressed_file *file = &compressed->files[i];

        layers[i] =
            (lm_source_with_file){&sources[i], file->name, file->bytes.data, file->bytes.size};
        sources[i + 1] = lm_source_with(&layers[i]);
    }
    *source = sources[compressed->count];
    return LM_OK;
}
