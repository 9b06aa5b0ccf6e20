/*
 * unigram.c - counts of words: written by training, planned, filled and bound as a section of an
 * image, looked up.
 *
 * The section: its head, logarithms (V + 1), ends (V), bytes. Files are hostile: plan checks what
 * the headers say, fill what the tensors hold, before anything is looked up in them.
 */
#include "lang/unigram.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/utf8.h"

#define FORMAT 1
#define POLL_EVERY 8192u             /* words */
#define READ_BYTES ((size_t)1 << 20) /* of one read */

double
lm_unigram_log(double k, uint32_t words, uint64_t total, uint64_t count)
{
    return log(((double)count + k) / ((double)total + k * ((double)words + 1)));
}

/* ---- Write ---- */

/* What is appended of each word. */
typedef lm_status (*append_word)(const lm_unigram_counts *c, uint32_t number, uint32_t *end,
                                 lm_buffer *out);

static lm_status
append_count(const lm_unigram_counts *c, uint32_t number, uint32_t *end, lm_buffer *out)
{
    return lm_buffer_append(out, &c->counts[number], sizeof c->counts[number]);
}

static lm_status
append_end(const lm_unigram_counts *c, uint32_t number, uint32_t *end, lm_buffer *out)
{
    size_t length;

    lm_intern_bytes(c->words, number, &length);
    *end += (uint32_t)length;
    return lm_buffer_append(out, end, sizeof *end);
}

static lm_status
append_bytes(const lm_unigram_counts *c, uint32_t number, uint32_t *end, lm_buffer *out)
{
    size_t length;
    const char *bytes = lm_intern_bytes(c->words, number, &length);

    return lm_buffer_append(out, bytes, length);
}

static lm_status
append_all(lm_context *ctx, const lm_unigram_counts *c, append_word append, lm_buffer *out)
{
    uint32_t end = 0;

    for (uint32_t i = 0; i < c->count; i++) {
        if (i % POLL_EVERY == 0)
            LM_TRY(lm_poll(ctx));
        LM_TRY(append(c, c->order[i], &end, out));
    }
    return LM_OK;
}

/* Bytes of all words; the caller keeps them below LM_UNIGRAM_BYTES_MAX. */
static uint64_t
bytes_of(const lm_unigram_counts *c)
{
    uint64_t bytes = 0;
    size_t length;

    for (uint32_t i = 0; i < c->count; i++) {
        lm_intern_bytes(c->words, c->order[i], &length);
        bytes += length;
    }
    return bytes;
}

lm_status
lm_unigram_write(lm_context *ctx, const lm_unigram_counts *c, lm_buffer *json, lm_buffer *tensors)
{
    const uint64_t words = c->count, bytes = bytes_of(c);
    const lm_tensor list[] = {
        {"counts", NULL, LM_U64, 1, {words}, words, 0, words * sizeof(uint64_t), 0},
        {"ends", NULL, LM_U32, 1, {words}, words, 0, words * sizeof(uint32_t), 0},
        {"words", NULL, LM_U8, 1, {bytes}, bytes, 0, bytes, 0},
    };

    LM_TRY(lm_buffer_printf(json,
                            "{\"format\": %d, \"task\": \"language_model\", \"order\": 1, "
                            "\"k\": %.17g, \"unknown\": %" PRIu64 "}\n",
                            FORMAT, c->k, c->unknown));
    LM_TRY(lm_tensors_write_header(ctx, NULL, 0, list, 3, tensors));
    LM_TRY(append_all(ctx, c, append_count, tensors));
    LM_TRY(append_all(ctx, c, append_end, tensors));
    return append_all(ctx, c, append_bytes, tensors);
}

/* ---- Plan ---- */

static lm_status
refuse_setting(lm_context *ctx, const char *key, const lm_json *found, const char *allowed)
{
    char shown[80] = "nothing";

    if (found)
        lm_json_show(found, shown, sizeof shown);
    lm_raise(ctx, LM_BAD_MODEL, "a setting of the language model is not supported");
    lm_detail_file(ctx, LM_NGRAM_JSON);
    lm_detail_key(ctx, "%s", key);
    lm_detail_found(ctx, "%s", shown);
    return lm_detail_allowed(ctx, "%s", allowed);
}

static bool
is_number(const lm_json *json, double low, double high)
{
    return json && json->type == LM_JSON_NUMBER && json->as.number >= low &&
           json->as.number <= high;
}

/* Format and order have numbers, so that later ones can say more without being misread. */
static lm_status
read_settings(lm_context *ctx, const lm_json *json, lm_unigram_plan *plan)
{
    const lm_json *format = lm_json_get(json, "format"), *order = lm_json_get(json, "order");
    const lm_json *task = lm_json_get(json, "task"), *k = lm_json_get(json, "k");
    const lm_json *unknown = lm_json_get(json, "unknown");

    if (!is_number(format, FORMAT, FORMAT))
        return refuse_setting(ctx, "format", format, "1");
    if (!lm_json_is_string(task, "language_model"))
        return refuse_setting(ctx, "task", task, "\"language_model\"");
    if (!is_number(order, 1, 1))
        return refuse_setting(ctx, "order", order, "1");
    if (!is_number(k, 0, LM_UNIGRAM_K_MAX))
        return refuse_setting(ctx, "k", k, "a number from 0 to 1000000");
    if (!is_number(unknown, 0, (double)LM_UNIGRAM_TOTAL_MAX) || !unknown->is_integer)
        return refuse_setting(ctx, "unknown", unknown, "an integer from 0 to 2^53");
    plan->k = k->as.number;
    plan->unknown = (uint64_t)unknown->integer;
    return LM_OK;
}

/* A failure that names a tensor. */
static lm_status
refuse_tensor(lm_context *ctx, const char *name, const char *message)
{
    lm_raise(ctx, LM_BAD_MODEL, "%s", message);
    lm_detail_file(ctx, LM_NGRAM_TENSORS);
    return lm_detail_key(ctx, "%s", name);
}

/* Of rank 1, with at most `most` elements: a header has no empty tensor. */
static lm_status
find_tensor(lm_context *ctx, const lm_tensors *tensors, const char *name, lm_dtype dtype,
            uint64_t most, const lm_tensor **found)
{
    const lm_tensor *tensor = lm_tensors_find(tensors, name);

    *found = tensor;
    if (!tensor)
        return refuse_tensor(ctx, name, "a tensor that the language model needs is missing");
    if (tensor->dtype != dtype || tensor->rank != 1) {
        refuse_tensor(ctx, name, "a tensor of the language model has another form");
        return lm_detail_allowed(ctx, "%s of rank 1", lm_dtypes[dtype].name);
    }
    if (tensor->count > most) {
        refuse_tensor(ctx, name, "the size of a tensor of the language model is out of range");
        lm_detail_found(ctx, "%" PRIu64, tensor->count);
        return lm_detail_allowed(ctx, "at most %" PRIu64, most);
    }
    return LM_OK;
}

lm_status
lm_unigram_plan_make(lm_context *ctx, const lm_checkpoint *checkpoint, lm_unigram_plan *plan)
{
    const lm_tensors *tensors = &checkpoint->tensors;

    *plan = (lm_unigram_plan){.counts = NULL};
    LM_TRY(read_settings(ctx, checkpoint->settings, plan));
    LM_TRY(find_tensor(ctx, tensors, "counts", LM_U64, LM_UNIGRAM_WORDS_MAX, &plan->counts));
    LM_TRY(find_tensor(ctx, tensors, "ends", LM_U32, LM_UNIGRAM_WORDS_MAX, &plan->ends));
    LM_TRY(find_tensor(ctx, tensors, "words", LM_U8, LM_UNIGRAM_BYTES_MAX, &plan->words));
    if (plan->ends->count == plan->counts->count)
        return LM_OK;
    refuse_tensor(ctx, "ends", "a tensor of the language model has another size than the counts");
    lm_detail_found(ctx, "%" PRIu64, plan->ends->count);
    return lm_detail_allowed(ctx, "%" PRIu64, plan->counts->count);
}

/* ---- Section ---- */

typedef struct section_head {
    uint64_t words, bytes;
} section_head;

/* Pointers to the parts of a section, whose head is written. */
typedef struct parts {
    double *log_p;
    uint32_t *ends;
    char *bytes;
} parts;

static size_t
section_size(uint64_t words, uint64_t bytes)
{
    return sizeof(section_head) + (size_t)(words + 1) * sizeof(double) +
           (size_t)words * sizeof(uint32_t) + (size_t)bytes;
}

static parts
parts_of(void *section, uint64_t words)
{
    parts p;

    p.log_p = (double *)((section_head *)section + 1);
    p.ends = (uint32_t *)(p.log_p + words + 1);
    p.bytes = (char *)(p.ends + words);
    return p;
}

size_t
lm_unigram_size(const lm_unigram_plan *plan)
{
    return section_size(plan->counts->count, plan->words->count);
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

/* In the order of the file, which another writer may have chosen otherwise. */
static lm_status
read_tensors(lm_context *ctx, const lm_unigram_plan *plan, const lm_source *source, const parts *p)
{
    const lm_tensor *const tensors[] = {plan->counts, plan->ends, plan->words};
    void *const places[] = {p->log_p, p->ends, p->bytes};
    uint32_t last = plan->counts->order;

    for (int i = 1; i < 3; i++)
        last = tensors[i]->order > last ? tensors[i]->order : last;
    for (uint32_t order = 0; order <= last; order++)
        for (int i = 0; i < 3; i++)
            if (tensors[i]->order == order)
                LM_TRY(read_bytes(ctx, source, tensors[i], places[i]));
    return LM_OK;
}

/* Order of the bytes, a prefix before what it begins. */
static int
compare(const char *a, size_t a_length, const char *b, size_t b_length)
{
    int order = memcmp(a, b, a_length < b_length ? a_length : b_length);

    return order ? order : (a_length > b_length) - (a_length < b_length);
}

/* A word is not empty, lies in the bytes, is UTF-8, and comes after the one before it. */
static bool
is_word(const parts *p, uint64_t bytes, uint64_t i)
{
    uint32_t before = i > 1 ? p->ends[i - 2] : 0, start = i > 0 ? p->ends[i - 1] : 0;
    const char *word = p->bytes + start;
    size_t length;

    if (p->ends[i] <= start || p->ends[i] > bytes)
        return false;
    length = p->ends[i] - start;
    if (lm_utf8_valid_prefix(word, length) < length)
        return false;
    return i == 0 || compare(p->bytes + before, start - before, word, length) < 0;
}

static lm_status
check_words(lm_context *ctx, const lm_unigram_plan *plan, const parts *p)
{
    uint64_t words = plan->counts->count, bytes = plan->words->count;

    for (uint64_t i = 0; i < words; i++) {
        if (i % POLL_EVERY == 0)
            LM_TRY(lm_poll(ctx));
        if (!is_word(p, bytes, i)) {
            refuse_tensor(ctx, "words", "a word of the language model is not valid");
            return lm_detail_found(ctx, "word %" PRIu64, i);
        }
    }
    if (p->ends[words - 1] == bytes)
        return LM_OK;
    return refuse_tensor(ctx, "words", "bytes of the language model belong to no word");
}

/* Counts lie where the logarithms will. */
static lm_status
sum_counts(lm_context *ctx, const lm_unigram_plan *plan, const parts *p, uint64_t *total)
{
    *total = plan->unknown;
    for (uint64_t i = 0; i < plan->counts->count; i++) {
        uint64_t count;

        memcpy(&count, &p->log_p[i], sizeof count);
        if (i % POLL_EVERY == 0)
            LM_TRY(lm_poll(ctx));
        if (count == 0 || count > LM_UNIGRAM_TOTAL_MAX - *total) {
            refuse_tensor(ctx, "counts", "a count of the language model is out of range");
            lm_detail_found(ctx, "%" PRIu64, count);
            return lm_detail_allowed(ctx, "at least 1, and 2^53 in all");
        }
        *total += count;
    }
    return LM_OK;
}

static lm_status
take_logarithms(lm_context *ctx, const lm_unigram_plan *plan, const parts *p)
{
    uint32_t words = (uint32_t)plan->counts->count;
    uint64_t total, count;

    LM_TRY(sum_counts(ctx, plan, p, &total));
    for (uint32_t i = 0; i < words; i++) {
        if (i % POLL_EVERY == 0)
            LM_TRY(lm_poll(ctx));
        memcpy(&count, &p->log_p[i], sizeof count);
        p->log_p[i] = lm_unigram_log(plan->k, words, total, count);
    }
    p->log_p[words] = lm_unigram_log(plan->k, words, total, plan->unknown);
    return LM_OK;
}

lm_status
lm_unigram_fill(lm_context *ctx, const lm_unigram_plan *plan, const lm_source *source,
                void *section)
{
    const parts p = parts_of(section, plan->counts->count);

    *(section_head *)section = (section_head){plan->counts->count, plan->words->count};
    LM_TRY(read_tensors(ctx, plan, source, &p));
    LM_TRY(check_words(ctx, plan, &p));
    return take_logarithms(ctx, plan, &p);
}

lm_status
lm_unigram_bind(lm_context *ctx, const void *section, size_t size, lm_unigram *view)
{
    section_head head = {0, 0};
    parts p;

    if (size >= sizeof head)
        memcpy(&head, section, sizeof head);
    if (head.words == 0 || head.words > LM_UNIGRAM_WORDS_MAX || head.bytes > LM_UNIGRAM_BYTES_MAX ||
        size < section_size(head.words, head.bytes))
        return lm_raise(ctx, LM_INTERNAL, "the counts in the image are not valid");
    p = parts_of((void *)(uintptr_t)section, head.words);
    *view = (lm_unigram){(uint32_t)head.words, p.log_p, p.ends, p.bytes};
    return LM_OK;
}

/* ---- Look-up ---- */

uint32_t
lm_unigram_find(const lm_unigram *view, const char *bytes, size_t length)
{
    uint32_t low = 0, high = view->count;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        uint32_t start = middle > 0 ? view->ends[middle - 1] : 0;
        int order = compare(bytes, length, view->bytes + start, view->ends[middle] - start);

        if (order == 0)
            return middle;
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return view->count;
}
