/*
 * notes.h - what the maker of a model version should know and what is no failure: each note becomes
 * one WARNING at import.
 *
 * A caller that gives no list (NULL) loads a version that an earlier import accepted, so nothing is
 * noted, and what only an import refuses is not refused.
 */
#ifndef LM_NOTES_H
#define LM_NOTES_H

#include "base/context.h"

/* More notes than these are counted and not kept: files are made by anybody. */
#define LM_NOTES_MAX 16

/* Strings are always terminated; file and key may be empty. */
typedef struct lm_note {
    char message[256]; /* lower case, no full stop */
    char file[256];    /* file inside the model */
    char key[256];     /* JSON path in it */
} lm_note;

typedef struct lm_notes {
    int count;   /* of items */
    int dropped; /* notes beyond LM_NOTES_MAX */
    /*
     * The files are those of a version that is there already: what an import refuses today and
     * accepted then is a note.
     */
    bool stored;
    lm_note items[LM_NOTES_MAX];
} lm_notes;

void lm_notes_init(lm_notes *notes, bool stored);

/* notes, file and key may be NULL. */
void lm_notes_add(lm_notes *notes, const char *file, const char *key, const char *format, ...)
    __attribute__((format(printf, 4, 5), cold));

/*
 * The failure in the context's record, just raised and detailed, stands only where a new model is
 * imported: its status then, else LM_OK, with a note where there is a list.
 */
lm_status lm_notes_refuse(lm_context *ctx, lm_notes *notes);

#endif
