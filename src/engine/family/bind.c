/*
 * bind.c - views the weights section of an image through a private table of pointers.
 */
#include <string.h>

#include "family/section.h"
#include "family/slots.h"

/* A section names its family by text, because a pointer would mean nothing in another process. */
static const lm_family *
family_named(const char *name)
{
    for (const lm_family *const *family = lm_families; *family; family++)
        if (strcmp((*family)->name, name) == 0)
            return *family;
    return NULL;
}

/* Whether a range lies within size bytes; written so that nothing overflows. */
static bool
inside(uint64_t offset, uint64_t bytes, uint64_t size)
{
    return offset <= size && bytes <= size - offset;
}

/* The header, once it is known to describe this section. */
static lm_status
check_header(lm_context *ctx, const void *image, size_t size, lm_weights_header *header)
{
    const lm_family *family;

    if (size < sizeof *header)
        return lm_raise(ctx, LM_INTERNAL, "the weights section of the image is truncated");
    memcpy(header, image, sizeof *header);
    header->family[LM_SECTION_NAME_SIZE - 1] = '\0';
    family = family_named(header->family);
    if (memcmp(header->magic, LM_SECTION_MAGIC, sizeof header->magic) != 0 || header->size > size ||
        header->config_offset % LM_ALIGNMENT != 0 || header->table_offset % LM_ALIGNMENT != 0 ||
        !family || header->config_size != family->config_size ||
        header->head > family->head_count ||
        !inside(header->config_offset, header->config_size, size) ||
        header->table_count > size / sizeof(uint64_t) ||
        !inside(header->table_offset, header->table_count * sizeof(uint64_t), size))
        return lm_raise(ctx, LM_INTERNAL, "the weights section of the image is not valid");
    return LM_OK;
}

/*
 * Family, head, config, and where each group begins. The table must have an entry for every target
 * of every layer that the config speaks of; sums of 31-bit numbers stay far below 64 bits.
 */
static lm_status
describe_groups(lm_context *ctx, const char *image, const lm_weights_header *header,
                lm_weights *weights)
{
    const lm_family *family = family_named(header->family);
    uint64_t entries = 0;

    weights->family = family;
    weights->head = header->head > 0 ? &family->heads[header->head - 1] : NULL;
    weights->config = image + header->config_offset;
    for (int group = 0; group < lm_slot_groups(family, weights->head); group++) {
        lm_slot_list slots = lm_slots_of(family, weights->head, group);
        int layers = lm_group_layers(slots.group, weights->config);

        weights->first[group] = (int)entries;
        weights->targets[group] = slots.group->targets;
        if (layers < 0)
            return lm_raise(ctx, LM_INTERNAL, "the weights section of the image is not valid");
        entries += (uint64_t)layers * (uint64_t)slots.group->targets;
    }
    if (entries != header->table_count)
        return lm_raise(ctx, LM_INTERNAL, "the weights section of the image is not valid");
    return LM_OK;
}

/* The level that packed the matrices must run them: another may read panels of another width. */
static lm_status
find_kernels(lm_context *ctx, const lm_weights_header *header, const lm_kernels **kernels)
{
    *kernels = header->level < LM_LEVEL_COUNT ? lm_kernels_at((lm_level)header->level) : NULL;
    if (!*kernels || header->precision >= LM_PRECISION_COUNT ||
        (*kernels)->products[header->precision].pack_format != header->pack_format)
        return lm_raise(ctx, LM_INTERNAL, "the image is packed for kernels that are not there");
    return LM_OK;
}

/* Offsets become pointers of this process, once; the section itself is not touched. */
static lm_status
make_table(lm_context *ctx, const char *image, size_t size, const lm_weights_header *header,
           lm_weights *weights)
{
    const uint64_t *offsets = (const uint64_t *)(image + header->table_offset);
    const void **table = lm_alloc_array(ctx, (size_t)header->table_count, sizeof *table);

    if (!table)
        return LM_NO_MEMORY;
    for (uint64_t i = 0; i < header->table_count; i++) {
        if (offsets[i] >= size || offsets[i] % LM_ALIGNMENT != 0) {
            lm_free(ctx, table);
            return lm_raise(ctx, LM_INTERNAL, "the weights section of the image is not valid");
        }
        table[i] = offsets[i] > 0 ? image + offsets[i] : NULL;
    }
    weights->table = table;
    return LM_OK;
}

lm_status
lm_weights_bind(lm_context *ctx, const void *image, size_t size, lm_weights *weights)
{
    lm_weights view = {.table = NULL};
    lm_weights_header header;

    LM_TRY(check_header(ctx, image, size, &header));
    LM_TRY(describe_groups(ctx, image, &header, &view));
    LM_TRY(find_kernels(ctx, &header, &view.kernels));
    view.precision = (lm_precision)header.precision;
    view.product = &view.kernels->products[header.precision];
    view.attention = &view.kernels->attention[header.precision];
    LM_TRY(make_table(ctx, image, size, &header, &view));
    *weights = view;
    return LM_OK;
}

/* A head whose encoder computes otherwise has that of the same head alone. */
static bool
marks_differ(const lm_weights *weights, const lm_weights *from)
{
    return weights->head != from->head && ((weights->head && lm_head_marks(weights->head)) ||
                                           (from->head && lm_head_marks(from->head)));
}

/* The groups are the same where family and config are, which say how many layers there are. */
lm_status
lm_weights_borrow(lm_context *ctx, lm_weights *weights, const lm_weights *from)
{
    const lm_family *family = weights->family;
    const void **table = (const void **)(uintptr_t)weights->table;
    const bool same = from->family == family && from->kernels == weights->kernels &&
                      from->precision == weights->precision && !marks_differ(weights, from);
    const char *key = same ? lm_family_difference(family, weights->config, from->config) : NULL;

    if (!same || key) {
        lm_raise(ctx, LM_BAD_MODEL, "the head does not fit the encoder of its base");
        return lm_detail_key(ctx, "%s",
                             key                           ? key
                             : marks_differ(weights, from) ? "architectures"
                                                           : "model_type");
    }
    memcpy(table, from->table, (size_t)weights->first[family->group_count] * sizeof *table);
    return LM_OK;
}

/* Safe to call twice. */
void
lm_weights_unbind(lm_context *ctx, lm_weights *weights)
{
    lm_free(ctx, (void *)(uintptr_t)weights->table);
    weights->table = NULL;
}
