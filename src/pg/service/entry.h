/*
 * entry.h - what is known of each SQL entry that uses a model, said once, where the entry is:
 *
 *     LMTEXT_ENTRY(lmtext_answer, .name = "answer", .task = "answer", .texts = 2);
 *
 * (fn/args.h has the macro.) Statistics count under the name; a call that names no model gets the
 * default of the task, and one with a model of another task fails with a message that says so; the
 * planner prices and batches the texts. Declarations register by being linked: they lie side by
 * side in a section of the library, so that a new entry is known everywhere without a list.
 */
#ifndef LMTEXT_ENTRY_H
#define LMTEXT_ENTRY_H

#include "pg/glue/glue.h"

typedef struct lmtext_entry {
    const char *symbol; /* of the function in C, which pg_proc has */
    const char *name;   /* in lmtext.stats; forms of one function share it */
    const char *task;   /* of the model; NULL: the entry finds its model by itself */
    int texts;          /* first arguments that are computed; of 0 the planner knows no cost */
    bool pair;          /* they are computed together */
    int each;           /* an array, for each of whose elements they are; 0: none */
    int times;          /* a text goes through the model, about; 0: once */
    int model;          /* argument; 0: that which follows the texts */
    bool brief;         /* a bounded piece of work on numbers: it is not timed each time */
    bool any_task;      /* the model's tokenizer is all that is used, whatever its task */
    bool any_encoder;   /* its encoder is, whatever its head is for; one text at a time */
} lmtext_entry;

#define LMTEXT_ENTRY_SECTION "lmtext_entries" /* a name in C, so that the linker knows its ends */

/* The argument that is the model: else it follows the texts, or whatever stands in their place. */
static inline int
lmtext_entry_model(const lmtext_entry *entry)
{
    return entry->model > 0 ? entry->model : Max(entry->texts, 1);
}

/* By the function in C; NULL: it is no entry. */
const lmtext_entry *lmtext_entry_find(const char *symbol);

/* Names of the entries that serve a task, each once and in order, which end with NULL. */
const char **lmtext_entry_names(const char *task);

/* What statistics count a name under; it does not change from one build to the next. */
int32 lmtext_entry_number(const char *name);
const char *lmtext_entry_name(int32 number); /* NULL: another build's */

#endif
