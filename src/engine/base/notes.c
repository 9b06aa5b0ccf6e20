/*
 * notes.c - the list of notes.
 */
#include "base/notes.h"

#include <stdarg.h>
#include <string.h>

void
lm_notes_init(lm_notes *notes, bool stored)
{
    memset(notes, 0, sizeof *notes);
    notes->stored = stored;
}

/* The next free note, or NULL. */
static lm_note *
take_note(lm_notes *notes)
{
    if (!notes)
        return NULL;
    if (notes->count < LM_NOTES_MAX)
        return &notes->items[notes->count++];
    notes->dropped++;
    return NULL;
}

void
lm_notes_add(lm_notes *notes, const char *file, const char *key, const char *format, ...)
{
    lm_note *note = take_note(notes);
    va_list args;

    if (!note)
        return;
    va_start(args, format);
    lm_format(note->message, sizeof note->message, format, args);
    va_end(args);
    lm_copy_text(note->file, sizeof note->file, file ? file : "");
    lm_copy_text(note->key, sizeof note->key, key ? key : "");
}

lm_status
lm_notes_refuse(lm_context *ctx, lm_notes *notes)
{
    const lm_error *error = &ctx->error;
    lm_status status = error->status;

    if (notes && !notes->stored)
        return status;
    lm_notes_add(notes, error->file, error->key, "%s and is ignored: found %s", error->message,
                 error->found);
    memset(&ctx->error, 0, sizeof ctx->error);
    return LM_OK;
}
