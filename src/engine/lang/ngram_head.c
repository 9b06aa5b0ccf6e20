/*
 * ngram_head.c - the files and the section of a classifier on n-grams.
 *
 * The section: its head, then weight, step, bias, dense, idf, slots, ends, names, each aligned.
 * Files are hostile: plan checks what the headers say, fill what the tensors hold, before anything
 * is looked up in them. Slots are a table of hashes with a secret seed, since names may have been
 * made to collide.
 */
#include "lang/ngram_head.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/hash.h"
#include "base/size.h"
#include "base/utf8.h"
#include "format/values.h"
#include "lang/label_tree.h"

#define PLAIN_FORMAT 1 /* softmax of a linear layer on n-grams of one kind */
#define FORMAT 2
#define POLL_EVERY 8192u             /* features */
#define READ_BYTES ((size_t)1 << 20) /* of one read */
#define LARGEST 1e12f                /* of a weight: products and sums of these fit into float */
#define LARGEST_STEP (LARGEST / 128) /* so that no int8 weight is larger */

/* ---- Write ---- */

static const char *
word(bool yes)
{
    return yes ? "true" : "false";
}

/* Nothing of it may be overlooked by a reader of format 1. */
static lm_status
write_peculiar(const lm_ngram_head_parts *p, lm_buffer *out)
{
    const lm_ngram_options *also = &p->tfidf->options.also;

    if (p->scoring)
        LM_TRY(lm_buffer_printf(out, "\"scoring\": \"%s\", ", p->scoring));
    if (p->rank > 0)
        LM_TRY(lm_buffer_printf(out, "\"rank\": %d, \"tree\": %s, ", p->rank, word(p->tree)));
    if (!also->kind)
        return LM_OK;
    return lm_buffer_printf(out, "\"also\": {\"ngrams\": \"%s\", \"low\": %d, \"high\": %d}, ",
                            also->kind->name, also->low, also->high);
}

static lm_status
write_json(const lm_ngram_head_parts *p, lm_buffer *out)
{
    const lm_tfidf_options *o = &p->tfidf->options;
    const bool plain = !p->scoring && p->rank == 0 && !o->also.kind;

    LM_TRY(lm_buffer_printf(out, "{\"format\": %d, \"task\": \"classification\", ",
                            plain ? PLAIN_FORMAT : FORMAT));
    LM_TRY(write_peculiar(p, out));
    LM_TRY(lm_buffer_append_string(out, "\"labels\": ["));
    for (int i = 0; i < p->label_count; i++) {
        if (i > 0)
            LM_TRY(lm_buffer_append_string(out, ", "));
        LM_TRY(lm_json_write_string(out, p->labels[i], strlen(p->labels[i])));
    }
    LM_TRY(lm_buffer_printf(out,
                            "], \"ngrams\": \"%s\", \"words\": \"%s\", \"low\": %d, \"high\": %d, "
                            "\"lowercase\": %s, \"hash_bits\": %d, \"hash_seed\": %" PRIu64 ", ",
                            o->ngrams.kind->name, o->ngrams.words->name, o->ngrams.low,
                            o->ngrams.high, word(o->ngrams.lowercase), o->hash_bits, o->hash_seed));
    return lm_buffer_printf(
        out, "\"binary\": %s, \"sublinear\": %s, \"norm\": \"%s\", \"dimensions\": %d}\n",
        word(o->binary), word(o->sublinear), lm_row_norm_names[o->norm], p->width);
}

static uint64_t
bytes_of_names(const lm_tfidf *tfidf)
{
    uint64_t bytes = 0;
    size_t length;

    for (uint32_t i = 0; i < tfidf->count; i++) {
        lm_intern_bytes(&tfidf->names, tfidf->order[i], &length);
        bytes += length;
    }
    return bytes;
}

static lm_tensor
tensor_of(const char *name, lm_dtype dtype, uint64_t rows, uint64_t columns)
{
    uint64_t count = rows * (columns > 0 ? columns : 1);

    return (lm_tensor){.name = name,
                       .dtype = dtype,
                       .rank = columns > 0 ? 2 : 1,
                       .shape = {rows, columns},
                       .count = count,
                       .bytes = count * lm_dtypes[dtype].bytes};
}

#define TENSORS_MAX 9

/* In the order of the file; how many. */
static size_t
list_tensors(const lm_ngram_head_parts *p, lm_tensor *list)
{
    const uint64_t features = p->tfidf->count, labels = (uint64_t)p->label_count;
    size_t count = 0;

    list[count++] = tensor_of("weight", p->codes ? LM_I8 : LM_F32, features,
                              p->rank > 0 ? (uint64_t)p->rank : labels);
    if (p->codes)
        list[count++] = tensor_of("step", LM_F32, features, 0);
    list[count++] = tensor_of("bias", LM_F32, labels, 0);
    if (p->rank > 0)
        list[count++] = tensor_of("output", LM_F32, labels, (uint64_t)p->rank);
    if (p->tree)
        list[count++] = tensor_of("tree", LM_U32, labels - 1, 2);
    if (p->width > 0)
        list[count++] = tensor_of("dense", LM_F32, labels, (uint64_t)p->width);
    list[count++] = tensor_of("idf", LM_F32, features, 0);
    if (p->tfidf->options.hash_bits > 0)
        list[count++] = tensor_of("buckets", LM_U32, features, 0);
    else {
        list[count++] = tensor_of("ends", LM_U32, features, 0);
        list[count++] = tensor_of("names", LM_U8, bytes_of_names(p->tfidf), 0);
    }
    return count;
}

size_t
lm_ngram_head_tensor_bytes(const lm_ngram_head_parts *parts)
{
    lm_tensor list[TENSORS_MAX];
    size_t count = list_tensors(parts, list), bytes = 0;

    for (size_t i = 0; i < count; i++)
        bytes += (size_t)list[i].bytes;
    return bytes;
}

static lm_status
write_header(lm_context *ctx, const lm_ngram_head_parts *p, lm_buffer *out)
{
    lm_tensor list[TENSORS_MAX];
    size_t count = list_tensors(p, list);

    LM_TRY(lm_tensors_write_header(ctx, NULL, 0, list, count, out));
    return lm_buffer_reserve(out, lm_ngram_head_tensor_bytes(p));
}

static lm_status
write_weight(const lm_ngram_head_parts *p, lm_buffer *out)
{
    const size_t features = p->tfidf->count;
    const size_t numbers = features * (size_t)(p->rank > 0 ? p->rank : p->label_count);

    if (!p->codes)
        return lm_buffer_append(out, p->weight, numbers * sizeof(float));
    LM_TRY(lm_buffer_append(out, p->codes, numbers));
    return lm_buffer_append(out, p->step, features * sizeof(float));
}

static lm_status
write_names(lm_context *ctx, const lm_tfidf *tfidf, lm_buffer *out)
{
    uint32_t end = 0;
    size_t length;

    for (int pass = 0; pass < 2; pass++)
        for (uint32_t i = 0; i < tfidf->count; i++) {
            const char *bytes = lm_intern_bytes(&tfidf->names, tfidf->order[i], &length);

            if (i % POLL_EVERY == 0)
                LM_TRY(lm_poll(ctx));
            end += (uint32_t)length;
            if (pass == 0)
                LM_TRY(lm_buffer_append(out, &end, sizeof end));
            else
                LM_TRY(lm_buffer_append(out, bytes, length));
        }
    return LM_OK;
}

lm_status
lm_ngram_head_write(lm_context *ctx, const lm_ngram_head_parts *parts, lm_buffer *json,
                    lm_buffer *tensors)
{
    const lm_tfidf *tfidf = parts->tfidf;
    const size_t features = tfidf->count, labels = (size_t)parts->label_count;

    LM_TRY(write_json(parts, json));
    LM_TRY(write_header(ctx, parts, tensors));
    LM_TRY(write_weight(parts, tensors));
    LM_TRY(lm_buffer_append(tensors, parts->bias, labels * sizeof(float)));
    if (parts->rank > 0)
        LM_TRY(
            lm_buffer_append(tensors, parts->output, labels * (size_t)parts->rank * sizeof(float)));
    if (parts->tree)
        LM_TRY(lm_buffer_append(tensors, parts->tree, 2 * (labels - 1) * sizeof(uint32_t)));
    if (parts->width > 0)
        LM_TRY(
            lm_buffer_append(tensors, parts->dense, labels * (size_t)parts->width * sizeof(float)));
    LM_TRY(lm_buffer_append(tensors, tfidf->idf, features * sizeof(float)));
    if (tfidf->options.hash_bits > 0)
        return lm_buffer_append(tensors, tfidf->order, features * sizeof(uint32_t));
    return write_names(ctx, tfidf, tensors);
}

/* ---- Plan: settings ---- */

static lm_status
refuse(lm_context *ctx, const char *key, const lm_json *found, const char *allowed)
{
    char shown[80] = "nothing";

    if (found)
        lm_json_show(found, shown, sizeof shown);
    lm_raise(ctx, LM_BAD_MODEL, "a setting of the classifier is not supported");
    lm_detail_file(ctx, LM_NGRAM_HEAD_JSON);
    lm_detail_key(ctx, "%s", key);
    lm_detail_found(ctx, "%s", shown);
    return lm_detail_allowed(ctx, "%s", allowed);
}

static lm_status
read_integer(lm_context *ctx, const lm_json *json, const char *key, int64_t low, int64_t high,
             int64_t *value)
{
    const lm_json *found = lm_json_get(json, key);
    char allowed[80];

    if (found && found->type == LM_JSON_NUMBER && found->is_integer && found->integer >= low &&
        found->integer <= high) {
        *value = found->integer;
        return LM_OK;
    }
    snprintf(allowed, sizeof allowed, "an integer from %" PRId64 " to %" PRId64, low, high);
    return refuse(ctx, key, found, allowed);
}

static lm_status
read_bool(lm_context *ctx, const lm_json *json, const char *key, bool *value)
{
    const lm_json *found = lm_json_get(json, key);

    if (!found || found->type != LM_JSON_BOOL)
        return refuse(ctx, key, found, "true or false");
    *value = found->boolean;
    return LM_OK;
}

/* NULL where it is no string. */
static const char *
string_of(const lm_json *json, const char *key)
{
    const lm_json *found = lm_json_get(json, key);

    return found && found->type == LM_JSON_STRING ? found->as.string.bytes : "";
}

static lm_status
read_names_of_kinds(lm_context *ctx, const lm_json *json, lm_tfidf_options *o)
{
    int norm = 0;

    o->ngrams.kind = lm_ngram_kind_find(string_of(json, "ngrams"));
    if (!o->ngrams.kind)
        return refuse(ctx, "ngrams", lm_json_get(json, "ngrams"), "word, char, char_wb");
    o->ngrams.words = lm_word_kind_find(string_of(json, "words"));
    if (!o->ngrams.words)
        return refuse(ctx, "words", lm_json_get(json, "words"),
                      "words, unicode, whitespace, keras");
    while (norm < LM_ROW_NORM_COUNT &&
           !lm_json_is_string(lm_json_get(json, "norm"), lm_row_norm_names[norm]))
        norm++;
    if (norm == LM_ROW_NORM_COUNT)
        return refuse(ctx, "norm", lm_json_get(json, "norm"), "none, l1, l2");
    o->norm = (lm_row_norm)norm;
    return LM_OK;
}

static lm_status
read_numbers(lm_context *ctx, const lm_json *json, lm_ngram_head_plan *plan)
{
    lm_tfidf_options *o = &plan->options;
    int64_t value = 0;

    LM_TRY(read_integer(ctx, json, "low", 1, LM_NGRAM_LONGEST, &value));
    o->ngrams.low = (int)value;
    LM_TRY(read_integer(ctx, json, "high", value, LM_NGRAM_LONGEST, &value));
    o->ngrams.high = (int)value;
    LM_TRY(read_integer(ctx, json, "hash_bits", 0, LM_HASH_BITS_MAX, &value));
    o->hash_bits = (int)value;
    LM_TRY(read_integer(ctx, json, "hash_seed", 0, (int64_t)1 << 53, &value));
    o->hash_seed = (uint64_t)value;
    LM_TRY(read_integer(ctx, json, "dimensions", 0, LM_NGRAM_HEAD_WIDTH_MAX, &value));
    plan->width = (int)value;
    LM_TRY(read_bool(ctx, json, "lowercase", &o->ngrams.lowercase));
    LM_TRY(read_bool(ctx, json, "binary", &o->binary));
    return read_bool(ctx, json, "sublinear", &o->sublinear);
}

/* Labels go to SQL as text, which cannot hold U+0000. */
static lm_status
read_labels(lm_context *ctx, lm_arena *arena, const lm_json *labels, lm_ngram_head_plan *plan)
{
    const char **names;
    int count = 0;

    if (!labels || labels->type != LM_JSON_ARRAY || labels->as.items.count == 0 ||
        labels->as.items.count > LM_NGRAM_HEAD_LABELS_MAX)
        return refuse(ctx, "labels", labels, "an array of 1 to 1048576 strings");
    if (!(names = lm_arena_array(arena, labels->as.items.count, sizeof *names)))
        return LM_NO_MEMORY;
    for (const lm_json *label = labels->as.items.first; label; label = label->next) {
        if (label->type != LM_JSON_STRING ||
            strlen(label->as.string.bytes) != label->as.string.length)
            return refuse(ctx, "labels", label, "strings without U+0000");
        names[count++] = label->as.string.bytes;
    }
    plan->labels = names;
    plan->label_count = count;
    return LM_OK;
}

static lm_status
read_also(lm_context *ctx, const lm_json *json, lm_tfidf_options *o)
{
    int64_t value = 0;

    o->also = o->ngrams;
    o->also.kind = lm_ngram_kind_find(string_of(json, "ngrams"));
    if (!o->also.kind)
        return refuse(ctx, "also", json, "an object with word, char or char_wb as its ngrams");
    LM_TRY(read_integer(ctx, json, "low", 1, LM_NGRAM_LONGEST, &value));
    o->also.low = (int)value;
    LM_TRY(read_integer(ctx, json, "high", value, LM_NGRAM_LONGEST, &value));
    o->also.high = (int)value;
    return LM_OK;
}

/* The scoring is the model's business. */
static lm_status
read_peculiar(lm_context *ctx, const lm_json *json, lm_ngram_head_plan *plan)
{
    const lm_json *also = lm_json_get(json, "also");
    int64_t value;

    if (also)
        LM_TRY(read_also(ctx, also, &plan->options));
    if (!lm_json_get(json, "rank"))
        return LM_OK;
    LM_TRY(read_integer(ctx, json, "rank", 1, LM_NGRAM_HEAD_WIDTH_MAX, &value));
    plan->rank = (int)value;
    if (plan->width > 0)
        return refuse(ctx, "rank", lm_json_get(json, "rank"), "none beside an embedding");
    return read_bool(ctx, json, "tree", &plan->has_tree);
}

static lm_status
read_settings(lm_context *ctx, lm_arena *arena, const lm_json *json, lm_ngram_head_plan *plan)
{
    const lm_json *task = lm_json_get(json, "task");
    int64_t format;

    LM_TRY(read_integer(ctx, json, "format", PLAIN_FORMAT, FORMAT, &format));
    if (!lm_json_is_string(task, "classification"))
        return refuse(ctx, "task", task, "\"classification\"");
    LM_TRY(read_names_of_kinds(ctx, json, &plan->options));
    LM_TRY(read_numbers(ctx, json, plan));
    if (format != PLAIN_FORMAT)
        LM_TRY(read_peculiar(ctx, json, plan));
    return read_labels(ctx, arena, lm_json_get(json, "labels"), plan);
}

/* ---- Plan: tensors ---- */

static lm_status
refuse_tensor(lm_context *ctx, const char *name, const char *message)
{
    lm_raise(ctx, LM_BAD_MODEL, "%s", message);
    lm_detail_file(ctx, LM_NGRAM_HEAD_TENSORS);
    return lm_detail_key(ctx, "%s", name);
}

/* `columns` 0: of rank 1. */
static lm_status
find_tensor(lm_context *ctx, const lm_tensors *tensors, const char *name, lm_dtype dtype,
            uint64_t rows, uint64_t columns, const lm_tensor **found)
{
    const lm_tensor *tensor = lm_tensors_find(tensors, name);

    *found = tensor;
    if (!tensor)
        return refuse_tensor(ctx, name, "a tensor that the classifier needs is missing");
    if (tensor->dtype == dtype && tensor->rank == (columns > 0 ? 2 : 1) &&
        tensor->shape[0] == rows && (columns == 0 || tensor->shape[1] == columns))
        return LM_OK;
    refuse_tensor(ctx, name, "a tensor of the classifier has another form");
    if (columns > 0)
        return lm_detail_allowed(ctx, "%s (%" PRIu64 ", %" PRIu64 ")", lm_dtypes[dtype].name, rows,
                                 columns);
    return lm_detail_allowed(ctx, "%s (%" PRIu64 ")", lm_dtypes[dtype].name, rows);
}

/* Of the weight. */
static int
columns_of(const lm_ngram_head_plan *plan)
{
    return plan->rank > 0 ? plan->rank : plan->label_count;
}

/* How many features there are is what the idf says. */
static lm_status
count_features(lm_context *ctx, const lm_tensors *tensors, lm_ngram_head_plan *plan)
{
    const lm_tensor *idf = lm_tensors_find(tensors, "idf");
    const int bits = plan->options.hash_bits;
    uint64_t most = LM_NGRAM_HEAD_WEIGHTS_MAX / lm_ngram_head_padded((size_t)columns_of(plan));

    if (!idf)
        return refuse_tensor(ctx, "idf", "a tensor that the classifier needs is missing");
    most = bits > 0 && most > (uint64_t)1 << bits ? (uint64_t)1 << bits : most;
    most = most > LM_FEATURES_MAX ? LM_FEATURES_MAX : most;
    if (idf->count < 1 || idf->count > most) {
        refuse_tensor(ctx, "idf", "the number of the classifier's features is out of range");
        lm_detail_found(ctx, "%" PRIu64, idf->count);
        return lm_detail_allowed(ctx, "1 to %" PRIu64, most);
    }
    plan->features = (uint32_t)idf->count;
    plan->slots = bits > 0 ? (uint32_t)1 << bits : 2;
    while (bits == 0 && plan->slots / 2 < plan->features)
        plan->slots *= 2;
    return find_tensor(ctx, tensors, "idf", LM_F32, plan->features, 0, &plan->idf);
}

static lm_status
find_names(lm_context *ctx, const lm_tensors *tensors, lm_ngram_head_plan *plan)
{
    const lm_tensor *names = lm_tensors_find(tensors, "names");

    if (plan->options.hash_bits > 0)
        return find_tensor(ctx, tensors, "buckets", LM_U32, plan->features, 0, &plan->buckets);
    LM_TRY(find_tensor(ctx, tensors, "ends", LM_U32, plan->features, 0, &plan->ends));
    LM_TRY(find_tensor(ctx, tensors, "names", LM_U8, names ? names->count : 0, 0, &plan->names));
    if (names->count <= LM_FEATURE_BYTES_MAX)
        return LM_OK;
    refuse_tensor(ctx, "names", "the n-grams of the classifier are too long");
    lm_detail_found(ctx, "%" PRIu64, names->count);
    return lm_detail_allowed(ctx, "%zu", LM_FEATURE_BYTES_MAX);
}

static lm_status
find_rank(lm_context *ctx, const lm_tensors *tensors, lm_ngram_head_plan *plan)
{
    const uint64_t labels = (uint64_t)plan->label_count, rank = (uint64_t)plan->rank;

    if (rank == 0)
        return LM_OK;
    if (rank * labels > LM_NGRAM_HEAD_WEIGHTS_MAX)
        return refuse_tensor(ctx, "output", "a tensor of the classifier is too large");
    LM_TRY(find_tensor(ctx, tensors, "output", LM_F32, labels, rank, &plan->output));
    if (!plan->has_tree)
        return LM_OK;
    if (labels < 2)
        return refuse_tensor(ctx, "tree", "a tree of the classifier has too few labels");
    return find_tensor(ctx, tensors, "tree", LM_U32, labels - 1, 2, &plan->tree);
}

/* Its dtype says whether rows have steps. */
static lm_status
find_weight(lm_context *ctx, const lm_tensors *tensors, lm_ngram_head_plan *plan)
{
    const lm_tensor *weight = lm_tensors_find(tensors, "weight");
    const bool narrow = weight && weight->dtype == LM_I8;

    LM_TRY(find_tensor(ctx, tensors, "weight", narrow ? LM_I8 : LM_F32, plan->features,
                       (uint64_t)columns_of(plan), &plan->weight));
    return narrow ? find_tensor(ctx, tensors, "step", LM_F32, plan->features, 0, &plan->step)
                  : LM_OK;
}

lm_status
lm_ngram_head_plan_make(lm_context *ctx, lm_arena *arena, const lm_checkpoint *checkpoint,
                        lm_ngram_head_plan *plan)
{
    const lm_tensors *tensors = &checkpoint->tensors;
    uint64_t labels;

    *plan = (lm_ngram_head_plan){.labels = NULL};
    LM_TRY(read_settings(ctx, arena, checkpoint->settings, plan));
    labels = (uint64_t)plan->label_count;
    LM_TRY(count_features(ctx, tensors, plan));
    LM_TRY(find_weight(ctx, tensors, plan));
    LM_TRY(find_tensor(ctx, tensors, "bias", LM_F32, labels, 0, &plan->bias));
    if (plan->width > 0)
        LM_TRY(find_tensor(ctx, tensors, "dense", LM_F32, labels, (uint64_t)plan->width,
                           &plan->dense));
    if (plan->width > 0 && (uint64_t)plan->width * labels > LM_NGRAM_HEAD_WEIGHTS_MAX)
        return refuse_tensor(ctx, "dense", "a tensor of the classifier is too large");
    LM_TRY(find_rank(ctx, tensors, plan));
    return find_names(ctx, tensors, plan);
}

/* ---- Section ---- */

typedef struct section_head {
    uint64_t seed, hash_seed, names;
    uint32_t features, slots;
    int32_t labels, width, low, high, hash_bits, rank, also_low, also_high; /* 0: no others */
    uint8_t kind, words, lowercase, binary, sublinear, norm, has_tree, also, narrow;
} section_head;

/* Where the parts lie. */
typedef struct layout {
    size_t weight, step, bias, output, dense, tree, idf, slot, ends, names, size;
} layout;

static layout
lay_out(const section_head *head)
{
    const size_t features = head->features, labels = (size_t)head->labels;
    const size_t rank = (size_t)head->rank, padded = lm_ngram_head_padded(rank > 0 ? rank : labels);
    size_t size = 0;
    layout l;

    lm_lay_bytes(&size, sizeof *head);
    l.weight = lm_lay_bytes(&size, features * padded * (head->narrow ? 1 : sizeof(float)));
    l.step = lm_lay_bytes(&size, head->narrow ? features * sizeof(float) : 0);
    l.bias = lm_lay_bytes(&size, lm_ngram_head_padded(labels) * sizeof(float));
    l.output = lm_lay_bytes(&size, labels * rank * sizeof(float));
    l.dense = lm_lay_bytes(&size, labels * (size_t)head->width * sizeof(float));
    l.tree = lm_lay_bytes(&size, head->has_tree ? 2 * (labels - 1) * sizeof(uint32_t) : 0);
    l.idf = lm_lay_bytes(&size, features * sizeof(float));
    l.slot = lm_lay_bytes(&size, head->slots * sizeof(uint32_t));
    l.ends = lm_lay_bytes(&size, (head->hash_bits > 0 ? 0 : features) * sizeof(uint32_t));
    l.names = lm_lay_bytes(&size, (size_t)head->names);
    l.size = size;
    return l;
}

static section_head
head_of(const lm_ngram_head_plan *plan)
{
    const lm_tfidf_options *o = &plan->options;
    section_head head;

    memset(&head, 0, sizeof head); /* padding too */
    head.seed = 0;
    head.hash_seed = o->hash_seed;
    head.names = plan->names ? plan->names->count : 0;
    head.features = plan->features;
    head.slots = plan->slots;
    head.labels = plan->label_count;
    head.width = plan->width;
    head.rank = plan->rank;
    head.has_tree = plan->has_tree;
    head.narrow = plan->step != NULL;
    if (o->also.kind) {
        head.also = (uint8_t)(o->also.kind - lm_ngram_kinds);
        head.also_low = o->also.low;
        head.also_high = o->also.high;
    }
    head.low = o->ngrams.low;
    head.high = o->ngrams.high;
    head.hash_bits = o->hash_bits;
    head.kind = (uint8_t)(o->ngrams.kind - lm_ngram_kinds);
    head.words = (uint8_t)(o->ngrams.words - lm_word_kinds);
    head.lowercase = o->ngrams.lowercase;
    head.binary = o->binary;
    head.sublinear = o->sublinear;
    head.norm = (uint8_t)o->norm;
    return head;
}

size_t
lm_ngram_head_size(const lm_ngram_head_plan *plan)
{
    const section_head head = head_of(plan);

    return lay_out(&head).size;
}

/* ---- Fill ---- */

/* The rows of a matrix, of which each gets its padding behind it. */
typedef struct row_writer {
    void *out; /* floats, or of an int8 tensor its codes */
    size_t width, padded;
    float largest;
    bool too_large;
} row_writer;

static void
take_values(void *opaque, uint64_t first, const float *values, size_t count)
{
    row_writer *w = opaque;
    float *out = w->out;

    for (size_t i = 0; i < count; i++) {
        uint64_t at = first + i;

        w->too_large |= !(fabsf(values[i]) <= w->largest);
        out[at / w->width * w->padded + at % w->width] = values[i];
    }
}

static void
take_codes(void *opaque, uint64_t first, const float *values, size_t count)
{
    row_writer *w = opaque;
    int8_t *out = w->out;

    for (size_t i = 0; i < count; i++) {
        uint64_t at = first + i;

        out[at / w->width * w->padded + at % w->width] = (int8_t)values[i];
    }
}

static lm_status
read_floats(lm_context *ctx, const lm_source *source, const lm_tensor *tensor, row_writer writer)
{
    LM_TRY(lm_tensor_read_pieces(ctx, source, tensor,
                                 tensor->dtype == LM_I8 ? take_codes : take_values, &writer));
    if (!writer.too_large)
        return LM_OK;
    refuse_tensor(ctx, tensor->name, "a number of the classifier is too large");
    return lm_detail_allowed(ctx, "at most %g", writer.largest);
}

static lm_status
read_bytes(lm_context *ctx, const lm_source *source, const lm_tensor *tensor, void *dest)
{
    for (uint64_t at = 0; at < tensor->bytes; at += READ_BYTES) {
        size_t left = (size_t)(tensor->bytes - at);

        LM_TRY(lm_poll(ctx));
        LM_TRY(source->read(ctx, source->opaque, tensor->file, tensor->offset + at,
                            (char *)dest + at, left < READ_BYTES ? left : READ_BYTES));
    }
    return LM_OK;
}

/* A tensor that belongs to the section. Of floats, the width of rows; 0: bytes as they are. */
typedef struct wanted_part {
    const lm_tensor *tensor; /* NULL: there is none */
    size_t place, width, padded;
    float largest;
} wanted_part;

#define PARTS 10

/* In the order of the file, which another writer may have chosen otherwise. */
static lm_status
read_parts(lm_context *ctx, const lm_source *source, const wanted_part *parts, char *section)
{
    const wanted_part *done = NULL, *next;

    for (;;) {
        next = NULL;
        for (const wanted_part *p = parts; p < parts + PARTS; p++)
            if (p->tensor && (!done || p->tensor->order > done->tensor->order) &&
                (!next || p->tensor->order < next->tensor->order))
                next = p;
        if (!next)
            return LM_OK;
        if (next->width > 0)
            LM_TRY(read_floats(ctx, source, next->tensor,
                               (row_writer){section + next->place, next->width, next->padded,
                                            next->largest, false}));
        else
            LM_TRY(read_bytes(ctx, source, next->tensor, section + next->place));
        done = next;
    }
}

/* Order of the bytes, a prefix before what it begins. */
static bool
ascends(const char *a, size_t a_length, const char *b, size_t b_length)
{
    int order = memcmp(a, b, a_length < b_length ? a_length : b_length);

    return order < 0 || (order == 0 && a_length < b_length);
}

/* An n-gram is not empty, lies in the bytes, is UTF-8, and comes after the one before it. */
static bool
is_name(const uint32_t *ends, const char *names, size_t bytes, uint32_t i)
{
    uint32_t before = i > 1 ? ends[i - 2] : 0, start = i > 0 ? ends[i - 1] : 0;
    size_t length;

    if (ends[i] <= start || ends[i] > bytes)
        return false;
    length = ends[i] - start;
    if (lm_utf8_valid_prefix(names + start, length) < length)
        return false;
    return i == 0 || ascends(names + before, start - before, names + start, length);
}

static lm_status
fill_slot(lm_context *ctx, const section_head *head, const uint32_t *ends, const char *names,
          uint32_t *slot, uint32_t i)
{
    uint32_t start = i > 0 ? ends[i - 1] : 0;
    uint32_t at = (uint32_t)lm_hash_bytes(names + start, ends[i] - start, head->seed);

    for (uint32_t steps = 1; slot[at & (head->slots - 1)] != 0; at++, steps++)
        if (steps % POLL_EVERY == 0)
            LM_TRY(lm_poll(ctx));
    slot[at & (head->slots - 1)] = i + 1;
    return LM_OK;
}

static lm_status
fill_names(lm_context *ctx, const section_head *head, const uint32_t *ends, const char *names,
           uint32_t *slot)
{
    memset(slot, 0, head->slots * sizeof *slot);
    for (uint32_t i = 0; i < head->features; i++) {
        if (i % POLL_EVERY == 0)
            LM_TRY(lm_poll(ctx));
        if (!is_name(ends, names, (size_t)head->names, i)) {
            refuse_tensor(ctx, "names", "an n-gram of the classifier is not valid");
            return lm_detail_found(ctx, "n-gram %" PRIu32, i);
        }
        LM_TRY(fill_slot(ctx, head, ends, names, slot, i));
    }
    if (ends[head->features - 1] == head->names)
        return LM_OK;
    return refuse_tensor(ctx, "names", "bytes of the classifier belong to no n-gram");
}

/* Buckets were read where the first of the slots are, which come to hold what they say: from the
 * last on, since a bucket is never below its place. */
static lm_status
fill_buckets(lm_context *ctx, const section_head *head, uint32_t *slot)
{
    for (uint32_t i = 0; i < head->features; i++) {
        if (i % POLL_EVERY == 0)
            LM_TRY(lm_poll(ctx));
        if (slot[i] >= head->slots || (i > 0 && slot[i] <= slot[i - 1])) {
            refuse_tensor(ctx, "buckets", "a bucket of the classifier is not valid");
            lm_detail_found(ctx, "%" PRIu32, slot[i]);
            return lm_detail_allowed(ctx, "ascending numbers below %" PRIu32, head->slots);
        }
    }
    memset(slot + head->features, 0, (head->slots - head->features) * sizeof *slot);
    for (uint32_t i = head->features; i-- > 0;) {
        uint32_t bucket = slot[i];

        slot[i] = 0;
        slot[bucket] = i + 1;
    }
    return LM_OK;
}

static lm_status
check_tree(lm_context *ctx, const uint32_t *tree, size_t labels)
{
    bool sound;

    LM_TRY(lm_label_tree_check(ctx, tree, labels, &sound));
    return sound ? LM_OK : refuse_tensor(ctx, "tree", "the tree of the classifier is not valid");
}

lm_status
lm_ngram_head_fill(lm_context *ctx, const lm_ngram_head_plan *plan, const lm_source *source,
                   void *section)
{
    section_head head = head_of(plan);
    const layout l = lay_out(&head);
    const size_t labels = (size_t)plan->label_count, columns = (size_t)columns_of(plan);
    char *bytes = section;
    const wanted_part parts[PARTS] = {
        {plan->weight, l.weight, columns, lm_ngram_head_padded(columns), LARGEST},
        {plan->step, l.step, 1, 1, LARGEST_STEP},
        {plan->bias, l.bias, labels, lm_ngram_head_padded(labels), LARGEST},
        {plan->output, l.output, columns, columns, LARGEST},
        {plan->tree, l.tree, 0, 0, 0},
        {plan->dense, l.dense, (size_t)plan->width, (size_t)plan->width, LARGEST},
        {plan->idf, l.idf, 1, 1, LARGEST},
        {plan->ends, l.ends, 0, 0, 0},
        {plan->names, l.names, 0, 0, 0},
        {plan->buckets, l.slot, 0, 0, 0},
    };

    head.seed = lm_hash_seed();
    memset(bytes, 0, l.output); /* padding of rows, too */
    memcpy(bytes, &head, sizeof head);
    LM_TRY(read_parts(ctx, source, parts, bytes));
    if (plan->tree)
        LM_TRY(check_tree(ctx, (const uint32_t *)(bytes + l.tree), labels));
    if (head.hash_bits > 0)
        return fill_buckets(ctx, &head, (uint32_t *)(bytes + l.slot));
    return fill_names(ctx, &head, (const uint32_t *)(bytes + l.ends), bytes + l.names,
                      (uint32_t *)(bytes + l.slot));
}

/* ---- Bind ---- */

/* A power of two: of buckets as many as their bits say, of names more than there are. */
static bool
has_slots(const section_head *head)
{
    const bool hashed = head->hash_bits != 0;

    if (head->slots == 0 || (head->slots & (head->slots - 1)) != 0 ||
        head->slots > 2 * LM_FEATURES_MAX)
        return false;
    if (!hashed)
        return head->slots > head->features;
    return head->hash_bits >= LM_HASH_BITS_MIN && head->hash_bits <= LM_HASH_BITS_MAX &&
           head->slots == (uint32_t)1 << head->hash_bits && head->features <= head->slots;
}

/* It is our own, but lies in memory that other processes map. */
static bool
is_sane(const section_head *head)
{
    return head->features >= 1 && head->features <= LM_FEATURES_MAX && head->labels >= 1 &&
           head->labels <= LM_NGRAM_HEAD_LABELS_MAX && head->width >= 0 &&
           head->width <= LM_NGRAM_HEAD_WIDTH_MAX && head->names <= LM_FEATURE_BYTES_MAX &&
           head->rank >= 0 && head->rank <= LM_NGRAM_HEAD_WIDTH_MAX &&
           (!head->has_tree || (head->rank > 0 && head->labels > 1)) && head->also < 3 &&
           head->also_low >= 0 && head->also_low <= head->also_high &&
           head->also_high <= LM_NGRAM_LONGEST && has_slots(head) && head->low >= 1 &&
           head->low <= head->high && head->high <= LM_NGRAM_LONGEST &&
           head->norm < LM_ROW_NORM_COUNT && head->kind < 3 && head->words < LM_WORD_KIND_COUNT;
}

lm_status
lm_ngram_head_bind(lm_context *ctx, const void *section, size_t size, lm_ngram_head *view)
{
    section_head head = {.labels = 0};
    const char *bytes = section;
    layout l;

    if (size >= sizeof head)
        memcpy(&head, section, sizeof head);
    if (!is_sane(&head) || size < (l = lay_out(&head)).size)
        return lm_raise(ctx, LM_INTERNAL, "the classifier in the image is not valid");
    *view = (lm_ngram_head){
        .rank = head.rank,
        .output = (const float *)(bytes + l.output),
        .tree = head.has_tree ? (const uint32_t *)(bytes + l.tree) : NULL,
        .options = {.ngrams = {&lm_ngram_kinds[head.kind], &lm_word_kinds[head.words], head.low,
                               head.high, head.lowercase},
                    .hash_bits = head.hash_bits,
                    .hash_seed = head.hash_seed,
                    .binary = head.binary,
                    .sublinear = head.sublinear,
                    .norm = (lm_row_norm)head.norm},
        .features = head.features,
        .slots = head.slots,
        .labels = head.labels,
        .padded = (int)lm_ngram_head_padded((size_t)(head.rank > 0 ? head.rank : head.labels)),
        .width = head.width,
        .seed = head.seed,
        .weight = head.narrow ? NULL : (const float *)(bytes + l.weight),
        .codes = head.narrow ? (const int8_t *)(bytes + l.weight) : NULL,
        .step = (const float *)(bytes + l.step),
        .bias = (const float *)(bytes + l.bias),
        .dense = head.width > 0 ? (const float *)(bytes + l.dense) : NULL,
        .idf = (const float *)(bytes + l.idf),
        .slot = (const uint32_t *)(bytes + l.slot),
        .ends = (const uint32_t *)(bytes + l.ends),
        .names = bytes + l.names};
    if (head.also_low > 0) {
        view->options.also = view->options.ngrams;
        view->options.also.kind = &lm_ngram_kinds[head.also];
        view->options.also.low = head.also_low;
        view->options.also.high = head.also_high;
    }
    return LM_OK;
}
