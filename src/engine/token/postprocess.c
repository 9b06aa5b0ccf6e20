/*
 * postprocess.c - the table of post-processors; each becomes a template for one text and for two,
 * or an operation on offsets (trim.h), or both.
 */
#include "token/postprocess.h"

#include <stdio.h>
#include <string.h>

#include "token/byte_level.h"
#include "token/trim.h"

#define PATH "post_processor"

/* Special tokens around a text take room of its window: real templates have a handful. */
#define MAX_PIECES ((size_t)1024)

static lm_status compile_bert(lm_stage_compiler *c, lm_field field);
static lm_status compile_roberta(lm_stage_compiler *c, lm_field field);
static lm_status compile_template(lm_stage_compiler *c, lm_field field);
static lm_status compile_byte_level(lm_stage_compiler *c, lm_field field);
static lm_status compile_sequence(lm_stage_compiler *c, lm_field field);
static lm_status compile_none(lm_stage_compiler *c);
static lm_status check_texts(lm_context *ctx, const lm_buffer *pieces, const char *key, int a,
                             int b);

enum { TEMPLATE, BERT, ROBERTA, BYTE_LEVEL, SEQUENCE };

static const lm_stage_kind kinds[] = {
    [TEMPLATE] = {.name = "TemplateProcessing", .compile = compile_template},
    [BERT] = {.name = "BertProcessing", .compile = compile_bert},
    [ROBERTA] = {.name = "RobertaProcessing", .compile = compile_roberta},
    [BYTE_LEVEL] = {.name = "ByteLevel", .compile = compile_byte_level},
    [SEQUENCE] = {.name = "Sequence", .compile = compile_sequence},
};

const lm_stage_table lm_postprocess_stage = {PATH, "processors", PATH ".processors", kinds,
                                             sizeof kinds / sizeof kinds[0]};

/*
 * The library tells a RobertaProcessing, and else a BertProcessing, by its members, whatever the
 * type says. Where the two disagree the file is refused.
 */
static lm_status
check_members(lm_context *ctx, lm_field field)
{
    static const char *const members[] = {"sep", "cls", "trim_offsets", "add_prefix_space"};
    const lm_json *type = lm_json_get(field.object, "type");
    const char *told;
    size_t found = 0;

    while (found < 4 && lm_json_get(field.object, members[found]))
        found++;
    if (found < 2)
        return LM_OK;
    told = found == 4 ? "RobertaProcessing" : "BertProcessing";
    if (lm_json_is_string(type, told))
        return LM_OK;
    lm_field_wrong(ctx, field, "type", type, told);
    ctx->error.status = LM_UNSUPPORTED;
    return LM_UNSUPPORTED;
}

/* No post-processor leaves texts as they are. */
static lm_status
read_templates(lm_stage_compiler *c, const lm_json *processor)
{
    lm_field field = {processor, PATH};
    const lm_json *type;

    if (!processor || processor->type == LM_JSON_NULL)
        return compile_none(c);
    LM_TRY(lm_field_type(c->ctx, field, &type));
    LM_TRY(check_members(c->ctx, field));
    LM_TRY(lm_stage_compile(c, &lm_postprocess_stage, processor));
    return c->has_template ? LM_OK : compile_none(c);
}

/*
 * In the reference a member works on what those before it made, special tokens and all. Here
 * offsets come first, and then one template: what published files have.
 */
static lm_status
check_first(lm_stage_compiler *c, lm_field field, const char *found)
{
    LM_TRY(check_members(c->ctx, field));
    if (!c->has_template)
        return LM_OK;
    return lm_field_unsupported(c->ctx, field, "type", found,
                                "ByteLevel, and behind it one template of special tokens");
}

static lm_status
compile_sequence(lm_stage_compiler *c, lm_field field)
{
    LM_TRY(check_members(c->ctx, field));
    return lm_stage_sequence(c, field);
}

static lm_status
add_trim(lm_stage_compiler *c, unsigned kind, bool trims, bool prefix)
{
    return trims ? lm_stage_add_flags(c, kind, prefix ? LM_TRIM_PREFIX : 0) : LM_OK;
}

static lm_status
compile_byte_level(lm_stage_compiler *c, lm_field field)
{
    unsigned settings;

    LM_TRY(check_first(c, field, "ByteLevel behind a template"));
    LM_TRY(lm_byte_level_read(c->ctx, field, &settings));
    return add_trim(c, BYTE_LEVEL, settings & LM_BYTE_LEVEL_TRIM, settings & LM_BYTE_LEVEL_PREFIX);
}

/* Templates are short: they are gathered first and appended at the end. */
static lm_status
write_templates(lm_stage_compiler *c, lm_span *single, lm_span *pair)
{
    LM_TRY(check_texts(c->ctx, &c->single, "single", 1, 0));
    LM_TRY(check_texts(c->ctx, &c->pair, "pair", 1, 1));
    LM_TRY(lm_image_append(c->image, c->start, c->single.data, c->single.size / sizeof(lm_piece),
                           sizeof(lm_piece), single));
    return lm_image_append(c->image, c->start, c->pair.data, c->pair.size / sizeof(lm_piece),
                           sizeof(lm_piece), pair);
}

lm_status
lm_postprocess_compile(lm_stage_compiler *c, const lm_json *processor, lm_span *single,
                       lm_span *pair, lm_span *trims)
{
    lm_status status;

    c->count = 0;
    lm_buffer_init(&c->single, c->ctx);
    lm_buffer_init(&c->pair, c->ctx);
    status = read_templates(c, processor);
    if (status == LM_OK)
        status = write_templates(c, single, pair);
    if (status == LM_OK)
        status = lm_stage_write(c, trims);
    lm_buffer_free(&c->single);
    lm_buffer_free(&c->pair);
    return status;
}

static lm_status
too_long(lm_context *ctx)
{
    lm_raise(ctx, LM_TOO_LARGE, "a template of this tokenizer is too long");
    lm_detail_file(ctx, "tokenizer.json");
    lm_detail_key(ctx, PATH);
    return lm_detail_allowed(ctx, "%zu tokens and texts", MAX_PIECES);
}

/* One more piece of a template. A file may repeat its longest list of ids at every piece. */
static lm_status
add_piece(lm_buffer *pieces, int32_t id, int32_t type)
{
    lm_piece piece = {id, type};

    if (pieces->size / sizeof piece >= MAX_PIECES)
        return too_long(pieces->ctx);
    return lm_buffer_append(pieces, &piece, sizeof piece);
}

/* lm_tokenizer_surround and truncation rely on each text standing there once. */
static lm_status
check_texts(lm_context *ctx, const lm_buffer *pieces, const char *key, int a, int b)
{
    const lm_piece *piece = (const lm_piece *)pieces->data;
    int found_a = 0, found_b = 0;

    for (size_t i = 0; i < pieces->size / sizeof *piece; i++) {
        found_a += piece[i].id == LM_PIECE_A;
        found_b += piece[i].id == LM_PIECE_B;
    }
    if (found_a == a && found_b == b)
        return LM_OK;
    lm_raise(ctx, LM_UNSUPPORTED, "a template of this tokenizer is not supported");
    lm_detail_file(ctx, "tokenizer.json");
    lm_detail_key(ctx, PATH ".%s", key);
    lm_detail_found(ctx, "%d times A, %d times B", found_a, found_b);
    return lm_detail_allowed(ctx, "%d time A, %d times B", a, b);
}

/* What the reference does without a post-processor: type 0, and 1 for the second text. */
static lm_status
compile_none(lm_stage_compiler *c)
{
    static const lm_piece pieces[] = {{LM_PIECE_A, 0}, {LM_PIECE_B, 1}};

    LM_TRY(lm_buffer_append(&c->single, pieces, sizeof pieces[0]));
    return lm_buffer_append(&c->pair, pieces, sizeof pieces);
}

/*
 * An id that the vocabulary does not reach would index past the embedding; one that names no token
 * could not be decoded.
 */
static lm_status
check_id(lm_context *ctx, const lm_json *json, const char *key, const lm_vocab *vocab, int32_t *id)
{
    char allowed[64];

    if (json->type == LM_JSON_NUMBER && json->is_integer && json->integer >= 0 &&
        json->integer < vocab->size && vocab->tokens[json->integer].text) {
        *id = (int32_t)json->integer;
        return LM_OK;
    }
    snprintf(allowed, sizeof allowed, "the id of a token, from 0 to %d", vocab->size - 1);
    return lm_field_wrong(ctx, (lm_field){NULL, PATH}, key, json, allowed);
}

/* "sep": ["[SEP]", 102] */
static lm_status
read_named_id(lm_context *ctx, lm_field field, const char *key, const lm_vocab *vocab, int32_t *id)
{
    const lm_json *pair;

    LM_TRY(lm_field_items(ctx, field, key, LM_JSON_ARRAY, &pair));
    if (pair->as.items.count != 2)
        return lm_field_wrong(ctx, field, key, pair, "a token and its id");
    return check_id(ctx, pair->as.items.first->next, key, vocab, id);
}

/* What stands around texts; `pieces` are those of a pair, which begin with those of one text. */
static lm_status
put_templates(lm_stage_compiler *c, const lm_piece *pieces, size_t count)
{
    LM_TRY(lm_buffer_append(&c->single, pieces, 3 * sizeof *pieces));
    return lm_buffer_append(&c->pair, pieces, count * sizeof *pieces);
}

static lm_status
read_ends(lm_stage_compiler *c, lm_field field, int32_t *cls, int32_t *sep)
{
    LM_TRY(check_first(c, field, "a second template"));
    c->has_template = true;
    LM_TRY(read_named_id(c->ctx, field, "cls", c->vocab, cls));
    return read_named_id(c->ctx, field, "sep", c->vocab, sep);
}

/* [CLS] A [SEP], and B [SEP] of type 1. */
static lm_status
compile_bert(lm_stage_compiler *c, lm_field field)
{
    int32_t cls, sep;

    LM_TRY(read_ends(c, field, &cls, &sep));
    return put_templates(
        c, (const lm_piece[]){{cls, 0}, {LM_PIECE_A, 0}, {sep, 0}, {LM_PIECE_B, 1}, {sep, 1}}, 5);
}

/* <s> A </s>, and </s> B </s>, all of type 0. */
static lm_status
compile_roberta(lm_stage_compiler *c, lm_field field)
{
    int32_t cls, sep;
    bool trims, prefix;

    LM_TRY(read_ends(c, field, &cls, &sep));
    LM_TRY(lm_field_required_bool(c->ctx, field, "trim_offsets", &trims));
    LM_TRY(lm_field_required_bool(c->ctx, field, "add_prefix_space", &prefix));
    LM_TRY(add_trim(c, ROBERTA, trims, prefix));
    return put_templates(
        c,
        (const lm_piece[]){
            {cls, 0}, {LM_PIECE_A, 0}, {sep, 0}, {sep, 0}, {LM_PIECE_B, 0}, {sep, 0}},
        6);
}

/* {"id": "A", "type_id": 0} of a Sequence. */
static lm_status
read_text(lm_context *ctx, const lm_json *json, lm_buffer *pieces)
{
    lm_field field = {json, PATH ".Sequence"};
    const lm_json *id;
    int64_t type;

    LM_TRY(lm_field_string(ctx, field, "id", &id));
    LM_TRY(lm_field_integer(ctx, field, "type_id", 0, INT32_MAX, 0, &type));
    if (lm_json_is_string(id, "A"))
        return add_piece(pieces, LM_PIECE_A, (int32_t)type);
    if (lm_json_is_string(id, "B"))
        return add_piece(pieces, LM_PIECE_B, (int32_t)type);
    return lm_field_wrong(ctx, field, "id", id, "A or B");
}

/* {"id": "[CLS]", "type_id": 0} of a SpecialToken, whose ids are in special_tokens. */
static lm_status
read_special(lm_context *ctx, const lm_json *json, const lm_json *specials, const lm_vocab *vocab,
             lm_buffer *pieces)
{
    lm_field field = {json, PATH ".SpecialToken"};
    const lm_json *name, *special, *ids;
    int64_t type;

    LM_TRY(lm_field_string(ctx, field, "id", &name));
    LM_TRY(lm_field_integer(ctx, field, "type_id", 0, INT32_MAX, 0, &type));
    special = lm_json_get(specials, name->as.string.bytes);
    if (!special)
        return lm_field_wrong(ctx, field, "id", name, "a member of special_tokens");
    LM_TRY(lm_field_items(ctx, (lm_field){special, PATH ".special_tokens"}, "ids", LM_JSON_ARRAY,
                          &ids));
    for (const lm_json *id = ids->as.items.first; id; id = id->next) {
        int32_t number;

        LM_TRY(check_id(ctx, id, "special_tokens.ids", vocab, &number));
        LM_TRY(add_piece(pieces, number, (int32_t)type));
    }
    return LM_OK;
}

/* A list of pieces, each an object with one member. */
static lm_status
read_template(lm_context *ctx, lm_field field, const char *key, const lm_json *specials,
              const lm_vocab *vocab, lm_buffer *pieces)
{
    const lm_json *template;

    LM_TRY(lm_field_items(ctx, field, key, LM_JSON_ARRAY, &template));
    /* Pieces without ids count too: each is looked up among the special tokens. */
    if (template->as.items.count > MAX_PIECES)
        return too_long(ctx);
    for (const lm_json *piece = template->as.items.first; piece; piece = piece->next) {
        const lm_json *text = lm_json_get(piece, "Sequence");
        const lm_json *special = lm_json_get(piece, "SpecialToken");

        LM_TRY(lm_poll(ctx));
        if (text)
            LM_TRY(read_text(ctx, text, pieces));
        else if (special)
            LM_TRY(read_special(ctx, special, specials, vocab, pieces));
        else
            return lm_field_wrong(ctx, field, key, piece, "Sequence or SpecialToken");
    }
    return LM_OK;
}

/* Both templates draw on one table of special tokens. */
static lm_status
compile_template(lm_stage_compiler *c, lm_field field)
{
    const lm_json *specials;

    LM_TRY(check_first(c, field, "a second template"));
    c->has_template = true;
    LM_TRY(lm_field_items(c->ctx, field, "special_tokens", LM_JSON_OBJECT, &specials));
    LM_TRY(read_template(c->ctx, field, "single", specials, c->vocab, &c->single));
    return read_template(c->ctx, field, "pair", specials, c->vocab, &c->pair);
}
