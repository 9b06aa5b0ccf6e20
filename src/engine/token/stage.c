/*
 * stage.c - compiles stages by their tables.
 */
#include "token/stage.h"

#include <string.h>

static lm_status compile_kind(lm_stage_compiler *c, lm_field field);

lm_status
lm_stage_compile(lm_stage_compiler *c, const lm_stage_table *table, const lm_json *stage)
{
    c->table = table;
    c->count = 0;
    if (!stage || stage->type == LM_JSON_NULL)
        return LM_OK;
    return compile_kind(c, (lm_field){stage, table->stage});
}

/* No file can ask for a row without a name. */
static lm_status
compile_kind(lm_stage_compiler *c, lm_field field)
{
    const lm_stage_table *table = c->table;
    const lm_json *type;

    LM_TRY(lm_field_type(c->ctx, field, &type));
    for (unsigned i = 0; i < table->count; i++) {
        const lm_stage_kind *kind = &table->kinds[i];

        if (kind->name && lm_json_is_string(type, kind->name))
            return kind->compile ? kind->compile(c, field) : lm_stage_add(c, i);
    }
    return lm_field_no_stage(c->ctx, table->stage, type->as.string.bytes, &table->kinds[0].name,
                             sizeof table->kinds[0], table->count);
}

/* Members run in order; nesting is limited by the JSON reader. */
lm_status
lm_stage_sequence(lm_stage_compiler *c, lm_field field)
{
    const lm_json *members;

    LM_TRY(lm_field_items(c->ctx, field, c->table->members, LM_JSON_ARRAY, &members));
    for (const lm_json *member = members->as.items.first; member; member = member->next)
        LM_TRY(compile_kind(c, (lm_field){member, c->table->members_path}));
    return LM_OK;
}

lm_status
lm_stage_add(lm_stage_compiler *c, unsigned kind)
{
    if (c->count == LM_MAX_STAGE_OPS)
        return lm_field_many_steps(c->ctx, c->table->stage, LM_MAX_STAGE_OPS);
    c->ops[c->count++] = (lm_stage_op){.kind = (uint16_t)kind};
    return LM_OK;
}

lm_status
lm_stage_add_flags(lm_stage_compiler *c, unsigned kind, unsigned flags)
{
    LM_TRY(lm_stage_add(c, kind));
    c->ops[c->count - 1].flags = (uint16_t)flags;
    return LM_OK;
}

lm_status
lm_stage_add_args(lm_stage_compiler *c, unsigned kind, unsigned flags, const void *args,
                  size_t count, size_t size)
{
    lm_span span;

    LM_TRY(lm_image_append(c->image, c->start, args, count, size, &span));
    LM_TRY(lm_stage_add_flags(c, kind, flags));
    c->ops[c->count - 1].args = span;
    return LM_OK;
}

lm_status
lm_stage_add_chars(lm_stage_compiler *c, unsigned kind, unsigned flags, const lm_json *text)
{
    lm_buffer chars;
    lm_status status;

    lm_buffer_init(&chars, c->ctx);
    status = lm_buffer_append_chars(&chars, text->as.string.bytes, text->as.string.length);
    if (status == LM_OK)
        status = lm_stage_add_args(c, kind, flags, chars.data, chars.size / sizeof(uint32_t),
                                   sizeof(uint32_t));
    lm_buffer_free(&chars);
    return status;
}

lm_status
lm_stage_write(lm_stage_compiler *c, lm_span *list)
{
    return lm_image_append(c->image, c->start, c->ops, c->count, sizeof c->ops[0], list);
}

bool
lm_stage_equals(const lm_stage_compiler *c, const lm_token_image *image, lm_span list)
{
    return list.count == c->count &&
           memcmp(lm_image_at(image, list), c->ops, c->count * sizeof c->ops[0]) == 0;
}

bool
lm_stage_all(const lm_stage_table *table, const lm_token_image *image, lm_span list, unsigned known)
{
    const lm_stage_op *ops = lm_image_at(image, list);

    for (uint64_t i = 0; i < list.count; i++)
        if ((table->kinds[ops[i].kind].known & known) != known)
            return false;
    return true;
}

bool
lm_stage_any(const lm_stage_table *table, const lm_token_image *image, lm_span list, unsigned known)
{
    const lm_stage_op *ops = lm_image_at(image, list);

    for (uint64_t i = 0; i < list.count; i++)
        if (table->kinds[ops[i].kind].known & known)
            return true;
    return false;
}
