/*
 * sentencepiece.c - reads the .model file of SentencePiece. Of a field that comes twice the last
 * one counts, and messages that come twice are one: so Protocol Buffers have it.
 */
#include "token/sentencepiece.h"

#include <math.h>

#include "base/utf8.h"
#include "format/protobuf.h"

/* Numbers of fields in sentencepiece_model.proto. */
enum {
    MODEL_PIECES = 1,
    MODEL_TRAINER = 2,
    MODEL_NORMALIZER = 3,
    PIECE_TEXT = 1,
    PIECE_SCORE = 2,
    PIECE_TYPE = 3,
    TRAINER_MODEL_TYPE = 3,
    TRAINER_BYTE_FALLBACK = 35,
    TRAINER_UNK_ID = 40,
    NORMALIZER_CHARSMAP = 2
};

typedef struct spm_reader {
    lm_context *ctx;
    const char *file;
    const uint8_t *start;
    lm_spm_model *model;
} spm_reader;

static lm_status
wrong(const spm_reader *r, const uint8_t *at, const char *found, const char *allowed)
{
    lm_raise(r->ctx, LM_BAD_MODEL, "malformed tokenizer");
    lm_detail_file(r->ctx, r->file);
    lm_detail_found(r->ctx, "%s", found);
    lm_detail_allowed(r->ctx, "%s", allowed);
    return lm_detail_offset(r->ctx, (uint64_t)(at - r->start));
}

/* The end of a message: it is good, or it was bad. */
static lm_status
end_message(const spm_reader *r, const lm_protobuf *message)
{
    if (message->bad)
        return wrong(r, message->at, "bytes that are none", "a message of Protocol Buffers");
    return LM_OK;
}

/* Types that are not known are no types, as for the library. */
static void
take_piece_field(const lm_protobuf_field *field, lm_spm_piece *piece)
{
    if (field->number == PIECE_TEXT && field->wire == LM_WIRE_BYTES) {
        piece->text = (const char *)field->bytes;
        piece->length = field->size;
    } else if (field->number == PIECE_SCORE && field->wire == LM_WIRE_FIXED32) {
        piece->score = lm_protobuf_float(field);
    } else if (field->number == PIECE_TYPE && field->wire == LM_WIRE_VARINT && field->value >= 1 &&
               field->value <= 6) {
        piece->type = (int)field->value;
    }
}

static lm_status
read_piece(const spm_reader *r, const lm_protobuf_field *message)
{
    lm_protobuf fields = {message->bytes, message->bytes + message->size, false};
    lm_spm_piece *piece = &r->model->pieces[r->model->count++];
    lm_protobuf_field field;

    *piece = (lm_spm_piece){.text = "", .type = LM_SPM_NORMAL};
    while (lm_protobuf_next(&fields, &field))
        take_piece_field(&field, piece);
    LM_TRY(end_message(r, &fields));
    if (lm_utf8_valid_prefix(piece->text, piece->length) != piece->length)
        return wrong(r, message->bytes, "a piece of other bytes", "UTF-8");
    if (!isfinite(piece->score))
        return wrong(r, message->bytes, "a score that is no number", "a number");
    return LM_OK;
}

static lm_status
read_trainer(const spm_reader *r, const lm_protobuf_field *message)
{
    lm_protobuf fields = {message->bytes, message->bytes + message->size, false};
    lm_protobuf_field field;

    while (lm_protobuf_next(&fields, &field)) {
        if (field.wire != LM_WIRE_VARINT)
            continue;
        if (field.number == TRAINER_MODEL_TYPE && field.value >= 1 && field.value <= 4)
            r->model->model_type = (int)field.value;
        else if (field.number == TRAINER_BYTE_FALLBACK)
            r->model->byte_fallback = field.value != 0;
        else if (field.number == TRAINER_UNK_ID)
            r->model->unk_id = (int32_t)(uint32_t)field.value;
    }
    return end_message(r, &fields);
}

static lm_status
read_normalizer(const spm_reader *r, const lm_protobuf_field *message)
{
    lm_protobuf fields = {message->bytes, message->bytes + message->size, false};
    lm_protobuf_field field;

    while (lm_protobuf_next(&fields, &field))
        if (field.number == NORMALIZER_CHARSMAP && field.wire == LM_WIRE_BYTES) {
            r->model->charsmap = field.bytes;
            r->model->charsmap_size = field.size;
        }
    return end_message(r, &fields);
}

static lm_status
read_part(const spm_reader *r, const lm_protobuf_field *field)
{
    if (field->wire != LM_WIRE_BYTES)
        return LM_OK;
    switch (field->number) {
    case MODEL_PIECES:
        return read_piece(r, field);
    case MODEL_TRAINER:
        return read_trainer(r, field);
    case MODEL_NORMALIZER:
        return read_normalizer(r, field);
    default:
        return LM_OK;
    }
}

/* Pieces are counted first, so that they take the room that they need. */
static lm_status
make_room(const spm_reader *r, lm_arena *arena, lm_protobuf fields)
{
    lm_protobuf_field field;
    size_t count = 0, steps = 0;

    while (lm_protobuf_next(&fields, &field)) {
        count += field.number == MODEL_PIECES && field.wire == LM_WIRE_BYTES;
        if (++steps % 65536 == 0)
            LM_TRY(lm_poll(r->ctx));
    }
    LM_TRY(end_message(r, &fields));
    if (count == 0)
        return wrong(r, r->start, "no pieces", "a model of SentencePiece");
    r->model->pieces = lm_arena_array(arena, count, sizeof *r->model->pieces);
    return r->model->pieces ? LM_OK : LM_NO_MEMORY;
}

lm_status
lm_spm_read(lm_context *ctx, lm_arena *arena, const char *file, const char *bytes, size_t size,
            lm_spm_model *model)
{
    const uint8_t *start = (const uint8_t *)bytes;
    const spm_reader r = {ctx, file, start, model};
    lm_protobuf fields = {start, start + size, false};
    lm_protobuf_field field;
    size_t steps = 0;

    *model = (lm_spm_model){.model_type = LM_SPM_UNIGRAM};
    LM_TRY(make_room(&r, arena, fields));
    while (lm_protobuf_next(&fields, &field)) {
        if (++steps % 4096 == 0)
            LM_TRY(lm_poll(ctx));
        LM_TRY(read_part(&r, &field));
    }
    return end_message(&r, &fields);
}
