/*
 * weights.c - the weights section of an image: planned from a family's slots and the directory of
 * tensors, filled in file order, and viewed through a private table of pointers.
 *
 * Section: weights_header, the family's config struct, the table of offsets (0: absent), then each
 * target. All start on LM_ALIGNMENT; all positions are offsets from the section's start.
 *
 * Fill reads each tensor once, in file order, never backwards, because a source may be a stream
 * that hashes what passes. A matrix is packed when the last tensor that it is made of has come;
 * until then its rows wait in memory taken for it alone.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/size.h"
#include "base/sort.h"
#include "family/overlay.h"

#define SECTION_MAGIC "LMWEIGHT"
#define FAMILY_NAME_SIZE 32

/* Bytes of one read: some 0.2 ms from memory, so that a cancel is seen soon. */
#define READ_BYTES ((size_t)1 << 20)

typedef struct weights_header {
    char magic[8];
    char family[FAMILY_NAME_SIZE];
    uint32_t level;     /* lm_level whose product packed the matrices */
    uint32_t precision; /* lm_precision of that product */
    uint32_t pack_format;
    uint32_t unused;
    uint64_t size; /* of the section */
    uint64_t config_offset, config_size;
    uint64_t table_offset, table_count;
} weights_header;

/* ---- Plan ---- */

/* A tensor of the files under its canonical name. */
typedef struct canonical {
    const char *name;
    const lm_tensor *tensor;
    bool used;
} canonical;

typedef struct planner {
    lm_context *ctx;
    lm_arena *arena;
    const lm_family *family;
    lm_weights_plan *plan;
    canonical *names; /* sorted by name */
    size_t count;
} planner;

/* Order of canonical names, for sorting and for the search in what was sorted. */
static int
compare_names(const void *a, const void *b)
{
    return strcmp(((const canonical *)a)->name, ((const canonical *)b)->name);
}

/* name with one rename applied; the same pointer when it does not match. NULL: no memory. */
static const char *
rename_once(lm_arena *arena, const lm_rename *rename, const char *name)
{
    const char *hit = strstr(name, rename->from);
    size_t from = strlen(rename->from), to = strlen(rename->to), before, after;
    char *renamed;

    if (!hit || (rename->where == LM_RENAME_PREFIX && hit != name))
        return name;
    before = (size_t)(hit - name);
    after = strlen(hit + from);
    renamed = lm_arena_alloc(arena, before + to + after + 1);
    if (!renamed)
        return NULL;
    memcpy(renamed, name, before);
    memcpy(renamed + before, rename->to, to);
    memcpy(renamed + before + to, hit + from, after + 1);
    return renamed;
}

/*
 * Gives every tensor of the files its canonical name and sorts by it. All renames apply in turn,
 * because files combine them ("bert." and "gamma").
 */
static lm_status
canonicalize(planner *p, const lm_tensors *tensors)
{
    p->count = tensors->count;
    p->names = lm_arena_array(p->arena, tensors->count, sizeof *p->names);
    if (!p->names)
        return LM_NO_MEMORY;
    for (size_t i = 0; i < tensors->count; i++) {
        const char *name = tensors->items[i].name;

        LM_TRY(lm_poll(p->ctx));
        for (size_t r = 0; r < p->family->rename_count; r++) {
            name = rename_once(p->arena, &p->family->renames[r], name);
            if (!name)
                return LM_NO_MEMORY;
        }
        p->names[i] = (canonical){name, &tensors->items[i], false};
    }
    return lm_sort(p->ctx, p->names, p->count, sizeof *p->names, compare_names);
}

/* The canonical name of a slot's tensor in a layer. */
static void
slot_name(const lm_weight_slot *slot, int layer, char name[LM_WEIGHT_NAME_SIZE])
{
    const char *hole = slot->per_layer ? strstr(slot->pattern, "{i}") : NULL;

    if (hole)
        snprintf(name, LM_WEIGHT_NAME_SIZE, "%.*s%d%s", (int)(hole - slot->pattern), slot->pattern,
                 layer, hole + 3);
    else
        snprintf(name, LM_WEIGHT_NAME_SIZE, "%s", slot->pattern);
}

/* The tensor of that name, or NULL; two tensors that both bear it are an error. */
static lm_status
find_tensor(planner *p, const char *name, canonical **found)
{
    canonical key = {name, NULL, false};
    canonical *hit = bsearch(&key, p->names, p->count, sizeof key, compare_names);
    canonical *end = p->names + p->count;

    *found = hit;
    if (!hit)
        return LM_OK;
    if ((hit > p->names && compare_names(hit - 1, hit) == 0) ||
        (hit + 1 < end && compare_names(hit + 1, hit) == 0)) {
        lm_raise(p->ctx, LM_BAD_MODEL, "two tensors give the same weight");
        lm_detail_file(p->ctx, hit->tensor->file);
        return lm_detail_key(p->ctx, "%s", name);
    }
    return LM_OK;
}

/* A dimension of a slot: the config field that its shape expression points to. */
static uint64_t
slot_dim(const planner *p, const lm_weight_slot *slot, int axis)
{
    int32_t value;

    memcpy(&value, (const char *)p->plan->config + slot->shape[axis], sizeof value);
    return (uint64_t)value;
}

/* Names both shapes in full: with them the wrong line of config.json is found at once. */
static lm_status
refuse_shape(planner *p, const lm_weight_slot *slot, const lm_tensor *tensor)
{
    char found[LM_MAX_RANK * 22 + 1] = ""; /* of 20 digits each */
    size_t used = 0;

    for (int i = 0; i < tensor->rank; i++)
        used += (size_t)snprintf(found + used, sizeof found - used, "%s%llu", i ? ", " : "",
                                 (unsigned long long)tensor->shape[i]);
    lm_raise(p->ctx, LM_BAD_MODEL, "a tensor's shape does not match config.json");
    lm_detail_file(p->ctx, tensor->file);
    lm_detail_key(p->ctx, "%s", tensor->name);
    lm_detail_found(p->ctx, "(%s)", found);
    if (slot->rank == 1)
        return lm_detail_allowed(p->ctx, "(%llu)", (unsigned long long)slot_dim(p, slot, 0));
    return lm_detail_allowed(p->ctx, "(%llu, %llu)", (unsigned long long)slot_dim(p, slot, 0),
                             (unsigned long long)slot_dim(p, slot, 1));
}

/*
 * A tensor must be what its slot says in dtype, rank and every dimension; nothing is broadcast or
 * transposed.
 */
static lm_status
check_tensor(planner *p, const lm_weight_slot *slot, const lm_tensor *tensor)
{
    bool same = tensor->rank == slot->rank;

    LM_TRY(lm_tensor_check_dtype(p->ctx, tensor));
    for (int i = 0; same && i < slot->rank; i++)
        same = tensor->shape[i] == slot_dim(p, slot, i);
    return same ? LM_OK : refuse_shape(p, slot, tensor);
}

/*
 * The name is the canonical one, since which of the older names the file should have had is not
 * known.
 */
static lm_status
missing_tensor(planner *p, const lm_weight_slot *slot, int layer)
{
    char name[LM_WEIGHT_NAME_SIZE];

    slot_name(slot, layer, name);
    lm_raise(p->ctx, LM_BAD_MODEL, "a tensor that the model needs is missing");
    return lm_detail_key(p->ctx, "%s", name);
}

/* A slot that does not say how many parts it covers covers one. */
static int
slot_parts(const lm_weight_slot *slot)
{
    return slot->parts > 0 ? slot->parts : 1;
}

/* A target's slots stand together; the one of most parts has its name. */
void
lm_weight_name(const lm_family *family, size_t index, char name[LM_WEIGHT_NAME_SIZE])
{
    size_t model = (size_t)family->model_targets, per_layer = (size_t)family->layer_targets;
    int layer = index < model ? -1 : (int)((index - model) / per_layer);
    size_t target = index < model ? index : (index - model) % per_layer;
    int most = 0;

    for (size_t i = 0; i < family->slot_count; i++) {
        const lm_weight_slot *slot = &family->slots[i];

        if (slot->per_layer == (layer >= 0) && (size_t)slot->target == target &&
            slot_parts(slot) > most) {
            most = slot_parts(slot);
            slot_name(slot, layer, name);
        }
    }
}

/* Bit set of the parts that a slot covers. */
static unsigned
slot_mask(const lm_weight_slot *slot)
{
    return ((1u << slot_parts(slot)) - 1) << slot->part;
}

/* First row of a part: behind the rows of the parts before it. */
static size_t
part_row(const planner *p, const lm_weight_slot *slot)
{
    size_t row = 0;

    for (size_t i = 0; i < p->family->slot_count; i++) {
        const lm_weight_slot *other = &p->family->slots[i];

        if (other->per_layer == slot->per_layer && other->target == slot->target &&
            slot_parts(other) == 1 && other->part < slot->part)
            row += (size_t)slot_dim(p, other, 0);
    }
    return row;
}

/* Put a tensor into its target. Sums cannot overflow: the tensor's bytes are in a file. */
static void
place(planner *p, const lm_weight_slot *slot, canonical *found, int entry)
{
    lm_weights_plan *plan = p->plan;
    lm_weight_target *target = &plan->targets[entry];

    plan->placements[plan->placement_count++] =
        (lm_placement){found->tensor, entry, part_row(p, slot)};
    found->used = true;
    target->use = slot->use;
    target->rows += (size_t)slot_dim(p, slot, 0);
    target->width = slot->rank == 2 ? (size_t)slot_dim(p, slot, 1) : 1;
    target->parts++;
    plan->parameters += (size_t)found->tensor->count;
}

/* Match the slots of one target (of a layer, or −1) with tensors. */
static lm_status
plan_target(planner *p, int layer, int target, int entry)
{
    const lm_family *family = p->family;
    const lm_weight_slot *lacking = NULL;
    unsigned covered = 0, wanted = 0;
    bool required = false;
    char name[LM_WEIGHT_NAME_SIZE];

    for (size_t i = 0; i < family->slot_count; i++) {
        const lm_weight_slot *slot = &family->slots[i];
        canonical *found;

        if (slot->per_layer != (layer >= 0) || slot->target != target)
            continue;
        wanted |= slot_mask(slot);
        required |= slot->required;
        slot_name(slot, layer, name);
        LM_TRY(find_tensor(p, name, &found));
        if (found && !(covered & slot_mask(slot))) {
            LM_TRY(check_tensor(p, slot, found->tensor));
            place(p, slot, found, entry);
            covered |= slot_mask(slot);
        } else if (!found && slot_parts(slot) == 1 && !lacking)
            lacking = slot;
    }
    if (covered != wanted && lacking && (required || covered != 0))
        return missing_tensor(p, lacking, layer);
    return LM_OK;
}

/*
 * Every target of the model, then of each layer. The table's order is the view's, so that bind
 * need not search.
 */
static lm_status
match_slots(planner *p)
{
    const lm_family *family = p->family;
    lm_weights_plan *plan = p->plan;
    int layers = ((const lm_dims *)plan->config)->layers;
    size_t placements = (size_t)(layers + 1) * family->slot_count;

    plan->target_count = (size_t)family->model_targets + (size_t)layers * family->layer_targets;
    plan->targets = lm_arena_zero(p->arena, plan->target_count * sizeof *plan->targets);
    plan->placements = lm_arena_array(p->arena, placements, sizeof *plan->placements);
    if (!plan->targets || !plan->placements)
        return LM_NO_MEMORY;
    for (int target = 0; target < family->model_targets; target++)
        LM_TRY(plan_target(p, -1, target, target));
    for (int layer = 0; layer < layers; layer++) {
        LM_TRY(lm_poll(p->ctx));
        for (int target = 0; target < family->layer_targets; target++)
            LM_TRY(plan_target(p, layer, target,
                               family->model_targets + layer * family->layer_targets + target));
    }
    return LM_OK;
}

/* File order, which is the order in which fill reads. */
static int
compare_placements(const void *a, const void *b)
{
    uint32_t left = ((const lm_placement *)a)->tensor->order;
    uint32_t right = ((const lm_placement *)b)->tensor->order;

    return (left > right) - (left < right);
}

/*
 * Adds count × width bytes to a section, rounded up; a model from a hostile file may overflow
 * here.
 */
static lm_status
grow(lm_context *ctx, size_t *size, size_t count, size_t width)
{
    size_t bytes;

    if (lm_mul_overflows(count, width, &bytes) || lm_add_overflows(*size, bytes, size) ||
        lm_add_overflows(*size, LM_ALIGNMENT - 1, &bytes))
        return lm_raise(ctx, LM_TOO_LARGE, "the model is too large");
    *size = lm_align_up(*size);
    return LM_OK;
}

/* Bytes of one number of a target that is not packed. */
static size_t
element_size(const lm_weights_plan *plan, const lm_weight_target *target)
{
    return target->use == LM_SLOT_TABLE && lm_tables_are_bf16(plan->precision) ? sizeof(uint16_t)
                                                                               : sizeof(float);
}

static size_t
packed_size(const lm_weights_plan *plan, const lm_weight_target *target)
{
    return plan->kernels->products[plan->precision].packed_size(target->rows, target->width);
}

/* Sums of int8 products fit 32 bits up to a width that no known model reaches. */
static lm_status
check_width(planner *p, const lm_weight_target *target)
{
    if (p->plan->precision != LM_PRECISION_INT8 || target->use != LM_SLOT_PACKED ||
        target->width <= LM_INT8_MAX_K)
        return LM_OK;
    lm_raise(p->ctx, LM_UNSUPPORTED, "a matrix is too wide for int8");
    lm_detail_found(p->ctx, "%zu columns", target->width);
    return lm_detail_allowed(p->ctx, "at most %zu", LM_INT8_MAX_K);
}

/* Give header, config, table and targets their offsets. */
static lm_status
lay_out(planner *p)
{
    lm_weights_plan *plan = p->plan;
    size_t size = lm_align_up(sizeof(weights_header));

    plan->config_offset = size;
    LM_TRY(grow(p->ctx, &size, 1, p->family->config_size));
    plan->table_offset = size;
    LM_TRY(grow(p->ctx, &size, plan->target_count, sizeof(uint64_t)));
    for (size_t i = 0; i < plan->target_count; i++) {
        lm_weight_target *target = &plan->targets[i];
        size_t count;

        if (target->parts == 0)
            continue;
        if (lm_mul_overflows(target->rows, target->width, &count))
            return lm_raise(p->ctx, LM_TOO_LARGE, "the model is too large");
        target->offset = size;
        LM_TRY(check_width(p, target));
        if (target->use == LM_SLOT_PACKED)
            LM_TRY(grow(p->ctx, &size, packed_size(plan, target), 1));
        else
            LM_TRY(grow(p->ctx, &size, count, element_size(plan, target)));
    }
    plan->size = size;
    return LM_OK;
}

/* Whether an encoder does without the tensor; of the canonical name. */
static bool
is_not_needed(const lm_family *family, const char *name)
{
    for (const char *const *start = family->not_needed; start && *start; start++)
        if (strncmp(name, *start, strlen(*start)) == 0)
            return true;
    return false;
}

/* Tensors that no slot took, by name. */
static lm_status
list_left_out(planner *p)
{
    lm_weights_plan *plan = p->plan;

    for (size_t i = 0; i < p->count; i++)
        plan->ignored += !p->names[i].used;
    plan->left_out = lm_arena_array(p->arena, plan->ignored, sizeof *plan->left_out);
    if (!plan->left_out)
        return LM_NO_MEMORY;
    for (size_t i = 0; i < p->count; i++)
        if (!p->names[i].used && !is_not_needed(p->family, p->names[i].name))
            plan->left_out[plan->left_out_count++] = p->names[i].tensor;
    return LM_OK;
}

/*
 * Config first, so that a shape which does not fit is blamed on the tensor and not on a missing
 * layer.
 */
lm_status
lm_weights_plan_make(lm_context *ctx, lm_arena *arena, const lm_family *family,
                     const lm_bundle *bundle, const lm_kernels *kernels, lm_precision precision,
                     lm_weights_plan *plan)
{
    planner p = {.ctx = ctx, .arena = arena, .family = family, .plan = plan};

    *plan = (lm_weights_plan){.family = family, .kernels = kernels, .precision = precision};
    plan->config = lm_arena_zero(arena, family->config_size);
    if (!plan->config)
        return LM_NO_MEMORY;
    LM_TRY(lm_family_configure(ctx, family, bundle->config, plan->config));
    LM_TRY(canonicalize(&p, &bundle->tensors));
    LM_TRY(match_slots(&p));
    qsort(plan->placements, plan->placement_count, sizeof *plan->placements, compare_placements);
    LM_TRY(list_left_out(&p));
    if (precision == LM_PRECISION_INT8 && bundle->quantized.file_count > 0)
        LM_TRY(lm_overlay_plan(ctx, arena, &bundle->quantized, plan));
    return lay_out(&p);
}

/* ---- Fill ---- */

/* Integers are there in files of quantised weights, and mean nothing without their scales. */
static const bool holds_weights[LM_DTYPE_COUNT] = {
    [LM_F32] = true,
    [LM_F16] = true,
    [LM_BF16] = true,
    [LM_F64] = true,
};

/* Asked for tensors that are used only: a file may hold integers elsewhere (position_ids). */
lm_status
lm_tensor_check_dtype(lm_context *ctx, const lm_tensor *tensor)
{
    if (holds_weights[tensor->dtype])
        return LM_OK;
    lm_raise(ctx, LM_UNSUPPORTED, "weights of this dtype are not supported");
    lm_detail_file(ctx, tensor->file);
    lm_detail_key(ctx, "%s", tensor->name);
    lm_detail_found(ctx, "%s", lm_dtypes[tensor->dtype].name);
    return lm_detail_allowed(ctx, "F32, F16, BF16 or F64");
}

/* Whether all of n floats are finite: no exponent is all ones. */
static bool
all_finite(const float *values, size_t n)
{
    uint32_t bad = 0;

    for (size_t i = 0; i < n; i++) {
        uint32_t bits;

        memcpy(&bits, &values[i], sizeof bits);
        bad |= (bits & 0x7f800000u) == 0x7f800000u;
    }
    return bad == 0;
}

/* One such value would make every vector NaN, far from its cause. */
static lm_status
refuse_value(lm_context *ctx, const lm_tensor *tensor)
{
    lm_raise(ctx, LM_BAD_MODEL, "a tensor holds NaN or infinity");
    lm_detail_file(ctx, tensor->file);
    return lm_detail_key(ctx, "%s", tensor->name);
}

/*
 * Where a tensor's numbers go: float32, or, through `piece` (READ_BYTES), bfloat16. `raw` is a
 * buffer of as many bytes for other dtypes than float32.
 */
typedef struct destination {
    float *floats;
    uint16_t *halves;
    float *piece;
    char *raw;
} destination;

/* One piece's numbers, read and converted; `count` fit the buffers. */
static lm_status
read_piece(lm_context *ctx, const lm_source *source, const lm_tensor *tensor, uint64_t done,
           size_t count, const destination *dest)
{
    const lm_dtype_info *dtype = &lm_dtypes[tensor->dtype];
    float *values = dest->halves ? dest->piece : dest->floats + done;
    void *into = dest->raw ? (void *)dest->raw : (void *)values;

    LM_TRY(source->read(ctx, source->opaque, tensor->file, tensor->offset + done * dtype->bytes,
                        into, count * dtype->bytes));
    if (dest->raw)
        dtype->to_f32(dest->raw, values, count);
    if (!all_finite(values, count))
        return refuse_value(ctx, tensor);
    if (dest->halves)
        lm_round_bf16(count, values, dest->halves + done);
    return LM_OK;
}

static lm_status
read_pieces(lm_context *ctx, const lm_source *source, const lm_tensor *tensor,
            const destination *dest)
{
    size_t width = lm_dtypes[tensor->dtype].bytes;
    size_t step = READ_BYTES / (width < sizeof(float) ? sizeof(float) : width);

    for (uint64_t done = 0; done < tensor->count; done += step) {
        size_t count = tensor->count - done < step ? (size_t)(tensor->count - done) : step;

        LM_TRY(lm_poll(ctx));
        LM_TRY(read_piece(ctx, source, tensor, done, count, dest));
    }
    return LM_OK;
}

/* Float32 to float32 goes straight to its place; all else through buffers of one piece. */
static lm_status
read_tensor(lm_context *ctx, const lm_source *source, const lm_tensor *tensor, destination dest)
{
    bool raw = tensor->dtype != LM_F32, piece = dest.halves != NULL;
    lm_status status = LM_NO_MEMORY;

    if (raw)
        dest.raw = lm_alloc(ctx, READ_BYTES);
    if (piece)
        dest.piece = lm_alloc(ctx, READ_BYTES);
    if ((dest.raw || !raw) && (dest.piece || !piece))
        status = read_pieces(ctx, source, tensor, &dest);
    lm_free(ctx, dest.raw);
    lm_free(ctx, dest.piece);
    return status;
}

lm_status
lm_tensor_read(lm_context *ctx, const lm_source *source, const lm_tensor *tensor, float *dest)
{
    return read_tensor(ctx, source, tensor, (destination){.floats = dest});
}

/* Rows of a matrix that wait for the rest of it. */
typedef struct staging {
    float *rows; /* NULL: none yet */
    int parts;   /* read so far */
} staging;

/* Where a placement's rows are read to: straight into the image, or into the matrix's staging. */
static lm_status
placement_dest(lm_context *ctx, const lm_weights_plan *plan, const lm_placement *placement,
               staging *stage, char *image, destination *dest)
{
    const lm_weight_target *target = &plan->targets[placement->target];
    size_t first = placement->row * target->width;

    *dest = (destination){0};
    if (target->use == LM_SLOT_PACKED) {
        if (!stage->rows)
            stage->rows = lm_alloc_array(ctx, target->rows, target->width * sizeof(float));
        if (!stage->rows)
            return LM_NO_MEMORY;
        dest->floats = stage->rows + first;
    } else if (element_size(plan, target) == sizeof(uint16_t))
        dest->halves = (uint16_t *)(image + target->offset) + first;
    else
        dest->floats = (float *)(image + target->offset) + first;
    return LM_OK;
}

/* Packs a matrix that has all its rows; int8 rounds them to codes first. */
static lm_status
pack_matrix(lm_context *ctx, const lm_weights_plan *plan, const lm_weight_target *target,
            const float *rows, void *packed)
{
    lm_matrix matrix = {.n = target->rows, .k = target->width, .values = rows};
    int8_t *codes = NULL;
    float *scales = NULL;
    lm_status status = LM_OK;

    if (plan->precision == LM_PRECISION_INT8) {
        codes = lm_alloc_array(ctx, target->rows, target->width);
        scales = lm_alloc_array(ctx, target->rows, sizeof *scales);
        if (codes && scales)
            status = lm_quantize_matrix(ctx, rows, target->rows, target->width, codes, scales);
        else
            status = LM_NO_MEMORY;
        matrix.codes = codes;
        matrix.scales = scales;
    }
    if (status == LM_OK)
        status = lm_pack(ctx, &plan->kernels->products[plan->precision], &matrix, packed);
    lm_free(ctx, codes);
    lm_free(ctx, scales);
    return status;
}

/*
 * Reads one tensor and, when it is the last part of a matrix, packs that and gives the staging
 * back: few matrices wait at a time.
 */
static lm_status
fill_one(lm_context *ctx, const lm_weights_plan *plan, const lm_placement *placement,
         const lm_source *source, staging *stage, char *image)
{
    const lm_weight_target *target = &plan->targets[placement->target];
    destination dest;

    LM_TRY(placement_dest(ctx, plan, placement, stage, image, &dest));
    LM_TRY(read_tensor(ctx, source, placement->tensor, dest));
    if (++stage->parts == target->parts && target->use == LM_SLOT_PACKED) {
        LM_TRY(pack_matrix(ctx, plan, target, stage->rows, image + target->offset));
        lm_free(ctx, stage->rows);
        stage->rows = NULL;
    }
    return LM_OK;
}

/* Header, config and table: everything but the targets. */
static void
write_header(const lm_weights_plan *plan, char *image)
{
    weights_header header = {
        .magic = SECTION_MAGIC,
        .level = (uint32_t)plan->kernels->level,
        .precision = (uint32_t)plan->precision,
        .pack_format = plan->kernels->products[plan->precision].pack_format,
        .size = plan->size,
        .config_offset = plan->config_offset,
        .config_size = plan->family->config_size,
        .table_offset = plan->table_offset,
        .table_count = plan->target_count,
    };
    uint64_t *table = (uint64_t *)(image + plan->table_offset);

    snprintf(header.family, sizeof header.family, "%s", plan->family->name);
    memcpy(image, &header, sizeof header);
    memcpy(image + plan->config_offset, plan->config, plan->family->config_size);
    for (size_t i = 0; i < plan->target_count; i++)
        table[i] = plan->targets[i].offset;
}

/* Stagings that are left over after a failure are freed here, whatever they belong to. */
lm_status
lm_weights_fill(lm_context *ctx, const lm_weights_plan *plan, const lm_source *source, void *image)
{
    staging *stages = lm_alloc_zero(ctx, plan->target_count * sizeof *stages);
    lm_status status = LM_OK;

    if (!stages)
        return LM_NO_MEMORY;
    write_header(plan, image);
    for (size_t i = 0; i < plan->placement_count && status == LM_OK; i++) {
        status = fill_one(ctx, plan, &plan->placements[i], source,
                          &stages[plan->placements[i].target], image);
        lm_progress(ctx, i + 1, plan->placement_count);
    }
    for (size_t i = 0; i < plan->target_count; i++)
        lm_free(ctx, stages[i].rows);
    lm_free(ctx, stages);
    return status == LM_OK ? lm_overlay_fill(ctx, plan, source, image) : status;
}

/* ---- Bind ---- */

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
check_header(lm_context *ctx, const void *image, size_t size, weights_header *header)
{
    const lm_family *family;

    if (size < sizeof *header)
        return lm_raise(ctx, LM_INTERNAL, "the weights section of the image is truncated");
    memcpy(header, image, sizeof *header);
    header->family[FAMILY_NAME_SIZE - 1] = '\0';
    family = family_named(header->family);
    if (memcmp(header->magic, SECTION_MAGIC, sizeof header->magic) != 0 || header->size > size ||
        header->config_offset % LM_ALIGNMENT != 0 || header->table_offset % LM_ALIGNMENT != 0 ||
        !family || header->config_size != family->config_size ||
        !inside(header->config_offset, header->config_size, size) ||
        header->table_count > size / sizeof(uint64_t) ||
        !inside(header->table_offset, header->table_count * sizeof(uint64_t), size))
        return lm_raise(ctx, LM_INTERNAL, "the weights section of the image is not valid");
    return LM_OK;
}

/* The table must have an entry for every target of every layer that the config speaks of. */
static lm_status
check_table(lm_context *ctx, const char *image, const weights_header *header)
{
    const lm_family *family = family_named(header->family);
    lm_dims dims;

    memcpy(&dims, image + header->config_offset, sizeof dims);
    if (dims.layers < 0 ||
        header->table_count != (uint64_t)family->model_targets +
                                   (uint64_t)dims.layers * (uint64_t)family->layer_targets)
        return lm_raise(ctx, LM_INTERNAL, "the weights section of the image is not valid");
    return LM_OK;
}

/* The level that packed the matrices must run them: another may read panels of another width. */
static lm_status
find_kernels(lm_context *ctx, const weights_header *header, const lm_kernels **kernels)
{
    *kernels = header->level < LM_LEVEL_COUNT ? lm_kernels_at((lm_level)header->level) : NULL;
    if (!*kernels || header->precision >= LM_PRECISION_COUNT ||
        (*kernels)->products[header->precision].pack_format != header->pack_format)
        return lm_raise(ctx, LM_INTERNAL, "the image is packed for kernels that are not there");
    return LM_OK;
}

/* Offsets become pointers of this process, once; the section itself is not touched. */
lm_status
lm_weights_bind(lm_context *ctx, const void *image, size_t size, lm_weights *weights)
{
    weights_header header;
    const lm_kernels *kernels;
    const uint64_t *offsets;
    const void **table;

    LM_TRY(check_header(ctx, image, size, &header));
    LM_TRY(check_table(ctx, image, &header));
    LM_TRY(find_kernels(ctx, &header, &kernels));
    table = lm_alloc_array(ctx, (size_t)header.table_count, sizeof *table);
    if (!table)
        return LM_NO_MEMORY;
    offsets = (const uint64_t *)((const char *)image + header.table_offset);
    for (uint64_t i = 0; i < header.table_count; i++) {
        if (offsets[i] >= size || offsets[i] % LM_ALIGNMENT != 0) {
            lm_free(ctx, table);
            return lm_raise(ctx, LM_INTERNAL, "the weights section of the image is not valid");
        }
        table[i] = offsets[i] > 0 ? (const char *)image + offsets[i] : NULL;
    }
    *weights = (lm_weights){
        .family = family_named(header.family),
        .kernels = kernels,
        .precision = (lm_precision)header.precision,
        .product = &kernels->products[header.precision],
        .attention = &kernels->attention[header.precision],
        .config = (const char *)image + header.config_offset,
        .table = table,
        .model_targets = family_named(header.family)->model_targets,
        .layer_targets = family_named(header.family)->layer_targets,
    };
    return LM_OK;
}

/* Safe to call twice. */
void
lm_weights_unbind(lm_context *ctx, lm_weights *weights)
{
    lm_free(ctx, (void *)(uintptr_t)weights->table);
    weights->table = NULL;
}
