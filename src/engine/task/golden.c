/*
 * golden.c - built-in texts, what a model makes of them, and that as JSON.
 *
 *     {"format": 1, "texts": [{"ids": "<16 hex digits>", "label": 0, "values": [0.125, …]}, …]}
 *
 * Law: a text that changes, or another number of them, is another format. What was stored by one
 * version of the library is compared with what another computes.
 */
#include "task/golden.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/size.h"
#include "format/json.h"
#include "model/vectors.h"
#include "task/classify.h"
#include "task/tasks.h"

#define FORMAT 1

/* The last text is this one over and over, beyond the window of every model in use. */
#define LONG_UNIT "Vectors of long texts are computed from what the window holds. "
#define LONG_UNITS 700

static const char *const texts[LM_GOLDEN_TEXTS - 1] = {
    "",
    "The quick brown fox jumps over the lazy dog; 3.14 is not 22/7!",
    "Größere Straßen, naïve Cafés – déjà vu, señor Łukasz İnce",
    "Съешь ещё этих мягких французских булок. Ξεσκεπάζω τὴν ψυχοφθόρα βδελυγμία.",
    "机器学习模型。機械学習のモデルです。기계 학습 모델입니다",
    "نماذج اللغة العربية מודלים של שפה भाषा मॉडल แบบจำลองภาษา",
    "e\u0301 \uFB01 \u200d\U0001F469\u200d\U0001F4BB \U0001D518 \t\r\n [SEP] </s> <mask> a_b@c.de",
};

static lm_status make_texts(lm_arena *arena, lm_text *all);
static lm_status hash_ids(lm_context *ctx, const lm_model *model, const lm_text *all,
                          uint64_t *hashes, bool *bare);

/* ---- Computing ---- */

/* Keep the first numbers of each row, and the best of a classifier's labels. */
static void
keep(const lm_task *task, const float *full, int width, lm_golden *golden)
{
    for (size_t i = 0; i < LM_GOLDEN_TEXTS; i++) {
        const float *row = full + i * (size_t)width;

        memcpy(golden->values + i * (size_t)golden->width, row,
               (size_t)golden->width * sizeof *row);
        golden->label[i] = task->labelled ? lm_classify_best(row, width) : -1;
    }
}

lm_status
lm_golden_run(lm_context *ctx, lm_arena *arena, lm_session *session, const lm_model *model,
              bool alone, lm_golden *golden)
{
    const lm_task *task = lm_task_of(model);
    int width = task->width(model);
    float *full = lm_arena_array(arena, LM_GOLDEN_TEXTS * (size_t)width, sizeof *full);
    lm_text all[LM_GOLDEN_TEXTS];
    bool bare[LM_GOLDEN_TEXTS];

    golden->width = width < LM_GOLDEN_WIDTH_MAX ? width : LM_GOLDEN_WIDTH_MAX;
    golden->values =
        lm_arena_array(arena, LM_GOLDEN_TEXTS * (size_t)golden->width, sizeof *golden->values);
    if (!full || !golden->values)
        return LM_NO_MEMORY;
    LM_TRY(make_texts(arena, all));
    LM_TRY(hash_ids(ctx, model, all, golden->ids, bare));
    memset(full, 0, LM_GOLDEN_TEXTS * (size_t)width * sizeof *full);
    for (size_t i = 0, count; i < LM_GOLDEN_TEXTS; i += count) {
        count = 1;
        if (bare[i])
            continue;
        while (!alone && i + count < LM_GOLDEN_TEXTS && !bare[i + count])
            count++;
        LM_TRY(task->golden(ctx, session, model, all + i, count, full + i * (size_t)width));
    }
    keep(task, full, width, golden);
    return LM_OK;
}

/* The long one is made here, to be no megabyte of source. */
static lm_status
make_texts(lm_arena *arena, lm_text *all)
{
    size_t unit = strlen(LONG_UNIT);
    char *longest = lm_arena_alloc(arena, LONG_UNITS * unit);

    if (!longest)
        return LM_NO_MEMORY;
    for (size_t i = 0; i < LONG_UNITS; i++)
        memcpy(longest + i * unit, LONG_UNIT, unit);
    for (size_t i = 0; i < LM_GOLDEN_TEXTS - 1; i++)
        all[i] = (lm_text){texts[i], strlen(texts[i])};
    all[LM_GOLDEN_TEXTS - 1] = (lm_text){longest, LONG_UNITS * unit};
    return LM_OK;
}

/* FNV-1a over the ids' bytes, lowest first, so that it means the same on every machine. */
static uint64_t
hash_of(const lm_encoding *encoding)
{
    uint64_t hash = 0xcbf29ce484222325u;

    for (size_t i = 0; i < encoding->count; i++)
        for (int shift = 0; shift < 32; shift += 8) {
            hash ^= ((uint32_t)encoding->ids[i] >> shift) & 0xff;
            hash *= 0x100000001b3u;
        }
    return hash;
}

/* Whether no token of a text counts; of a static embedding special tokens do not. */
static bool
is_bare(const lm_model *model, const lm_encoding *encoding)
{
    const lm_vectors *vectors = lm_model_view(model, LM_SECTION_VECTORS);
    int32_t unknown;

    if (!vectors || vectors->sparse)
        return encoding->count == 0;
    unknown = vectors->drops_unknown ? lm_token_unknown(lm_model_tokenizer(model)) : -1;
    for (size_t i = 0; i < encoding->count; i++)
        if (!encoding->special[i] && encoding->ids[i] != unknown)
            return false;
    return true;
}

/* What is asked of the tokens of all texts. */
typedef struct token_check {
    lm_token_scratch *scratch;
    lm_encoding encoding;
    uint64_t *hashes; /* NULL: not wanted */
    bool *bare;       /* set where a text is */
} token_check;

static lm_status
check_tokens(lm_context *ctx, const lm_model *model, const lm_text *all, token_check *check)
{
    const lm_token_options options = {.add_special = true, .parse_special = true};
    const lm_tokenizer *tokenizer = lm_model_tokenizer(model);

    for (size_t i = 0; i < LM_GOLDEN_TEXTS; i++) {
        LM_TRY(lm_tokenize(ctx, tokenizer, check->scratch, all[i].bytes, all[i].length, &options,
                           &check->encoding));
        if (check->hashes)
            check->hashes[i] = hash_of(&check->encoding);
        check->bare[i] |= is_bare(model, &check->encoding);
    }
    return LM_OK;
}

/*
 * All tokens of each text, without a window. A bare text has none (a tokenizer may add none to an
 * empty one), and no vector; of a Router, none by one of its ways. Without a tokenizer no text is
 * bare: the values say all.
 */
static lm_status
hash_ids(lm_context *ctx, const lm_model *model, const lm_text *all, uint64_t *hashes, bool *bare)
{
    token_check check = {.hashes = hashes, .bare = bare};
    lm_status status;

    memset(hashes, 0, LM_GOLDEN_TEXTS * sizeof *hashes);
    memset(bare, 0, LM_GOLDEN_TEXTS * sizeof *bare);
    if (!lm_model_tokenizer(model))
        return LM_OK;
    LM_TRY(lm_token_scratch_create(ctx, &check.scratch));
    lm_encoding_init(&check.encoding, ctx);
    status = check_tokens(ctx, model, all, &check);
    check.hashes = NULL;
    for (int i = 0; i < model->route_count && status == LM_OK; i++)
        status = check_tokens(ctx, &model->routes[i], all, &check);
    lm_encoding_free(&check.encoding);
    lm_token_scratch_free(check.scratch);
    return status;
}

/* ---- Comparing ---- */

double
lm_golden_error(const lm_golden *found, const lm_golden *wanted)
{
    size_t count = LM_GOLDEN_TEXTS * (size_t)wanted->width;
    double error = 0, scale = 1;

    if (found->width != wanted->width)
        return INFINITY;
    for (size_t i = 0; i < count; i++) {
        double difference = fabs((double)found->values[i] - wanted->values[i]);

        if (isnan(difference))
            return INFINITY;
        error = fmax(error, difference);
        scale = fmax(scale, fabs((double)wanted->values[i]));
    }
    return error / scale;
}

bool
lm_golden_same_ids(const lm_golden *a, const lm_golden *b)
{
    return memcmp(a->ids, b->ids, sizeof a->ids) == 0;
}

bool
lm_golden_same_labels(const lm_golden *a, const lm_golden *b)
{
    return memcmp(a->label, b->label, sizeof a->label) == 0;
}

bool
lm_golden_same_bits(const lm_golden *a, const lm_golden *b)
{
    return a->width == b->width &&
           memcmp(a->values, b->values, LM_GOLDEN_TEXTS * (size_t)a->width * sizeof *a->values) ==
               0;
}

/* ---- JSON ---- */

/* Nine digits hold every float exactly. */
static lm_status
write_text(const lm_golden *golden, size_t text, lm_buffer *out)
{
    const float *row = golden->values + text * (size_t)golden->width;

    LM_TRY(lm_buffer_printf(out, "%s{\"ids\":\"%016llx\",\"label\":%d,\"values\":[",
                            text > 0 ? "," : "", (unsigned long long)golden->ids[text],
                            golden->label[text]));
    for (int i = 0; i < golden->width; i++)
        LM_TRY(lm_buffer_printf(out, "%s%.9g", i > 0 ? "," : "", (double)row[i]));
    return lm_buffer_append_string(out, "]}");
}

lm_status
lm_golden_write(const lm_golden *golden, lm_buffer *out)
{
    LM_TRY(lm_buffer_printf(out, "{\"format\":%d,\"texts\":[", FORMAT));
    for (size_t i = 0; i < LM_GOLDEN_TEXTS; i++)
        LM_TRY(write_text(golden, i, out));
    return lm_buffer_append_string(out, "]}");
}

static lm_status
malformed(lm_context *ctx, const char *file, const char *key)
{
    lm_raise(ctx, LM_CORRUPT, "the golden values are malformed");
    lm_detail_file(ctx, file);
    return lm_detail_key(ctx, "%s", key);
}

/* Sixteen lower-case hexadecimal digits. */
static bool
read_hash(const lm_json *json, uint64_t *hash)
{
    *hash = 0;
    if (!json || json->type != LM_JSON_STRING || json->as.string.length != 16)
        return false;
    for (size_t i = 0; i < 16; i++) {
        const char *digits = "0123456789abcdef";
        const char *digit = memchr(digits, json->as.string.bytes[i], 16);

        if (!digit)
            return false;
        *hash = *hash << 4 | (uint64_t)(digit - digits);
    }
    return true;
}

/* Numbers of one text; all texts have as many as the first. */
static bool
read_values(const lm_json *json, size_t text, lm_golden *golden)
{
    float *row = golden->values + text * (size_t)golden->width;

    if (!json || json->type != LM_JSON_ARRAY || json->as.items.count != (size_t)golden->width)
        return false;
    for (const lm_json *item = json->as.items.first; item; item = item->next) {
        if (item->type != LM_JSON_NUMBER)
            return false;
        *row++ = (float)item->as.number;
    }
    return true;
}

static lm_status
read_text(lm_context *ctx, const lm_json *json, const char *file, size_t text, lm_golden *golden)
{
    const lm_json *label = lm_json_get(json, "label");

    if (!read_hash(lm_json_get(json, "ids"), &golden->ids[text]))
        return malformed(ctx, file, "texts.ids");
    if (!label || label->type != LM_JSON_NUMBER || !label->is_integer || label->integer < -1 ||
        label->integer > INT32_MAX)
        return malformed(ctx, file, "texts.label");
    golden->label[text] = (int32_t)label->integer;
    return read_values(lm_json_get(json, "values"), text, golden)
               ? LM_OK
               : malformed(ctx, file, "texts.values");
}

lm_status
lm_golden_read(lm_context *ctx, lm_arena *arena, const char *json, size_t length, const char *file,
               lm_golden *golden)
{
    const lm_json *root, *format, *list, *values;
    size_t text = 0;

    memset(golden, 0, sizeof *golden);
    LM_TRY(lm_json_parse(ctx, arena, json, length, file, &root));
    format = lm_json_get(root, "format");
    if (!format || format->type != LM_JSON_NUMBER || format->as.number != FORMAT)
        return malformed(ctx, file, "format");
    list = lm_json_get(root, "texts");
    if (!list || list->type != LM_JSON_ARRAY || list->as.items.count != LM_GOLDEN_TEXTS)
        return malformed(ctx, file, "texts");
    values = lm_json_get(list->as.items.first, "values");
    if (!values || values->type != LM_JSON_ARRAY || values->as.items.count > LM_GOLDEN_WIDTH_MAX)
        return malformed(ctx, file, "texts.values");
    golden->width = (int)values->as.items.count;
    golden->values =
        lm_arena_array(arena, LM_GOLDEN_TEXTS * (size_t)golden->width, sizeof *golden->values);
    if (!golden->values)
        return LM_NO_MEMORY;
    for (const lm_json *item = list->as.items.first; item; item = item->next)
        LM_TRY(read_text(ctx, item, file, text++, golden));
    return LM_OK;
}
