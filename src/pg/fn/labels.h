/*
 * labels.h - labels of any type, as the bytes that the engine counts: values that the default
 * equality of their type holds equal have one key, others have others.
 *
 * This is the equality of `=`, GROUP BY and lmtext.accuracy: 1 and 1.0 are one numeric label, and a
 * nondeterministic collation or citext decides for text. A label is shown by the text of the value
 * that was seen first. Keys of text whose equality is that of bytes are these bytes.
 */
#ifndef LMTEXT_LABELS_H
#define LMTEXT_LABELS_H

#include "lib/stringinfo.h"

#include "pg/glue/glue.h"

typedef struct lmtext_labels lmtext_labels;

/* Labels of a type, which live in `memory`; 42883 where the type has no equality. */
lmtext_labels *lmtext_labels_new(MemoryContext memory, Oid type, Oid collation);
/* None yet, of the same type and collation. `like` shares what is known of these with the labels,
 * which outlive it, and takes little memory; it is the same labels where nothing is kept of them.
 */
lmtext_labels *lmtext_labels_like(MemoryContext memory, lmtext_labels *labels);
lmtext_labels *lmtext_labels_anew(MemoryContext memory, const lmtext_labels *labels);
/* The key of a value that is not null; it lives as long as the value and the labels do. */
lm_text lmtext_labels_key(lmtext_labels *labels, Datum value);
/* The part of a key that is shown, in the database's encoding. */
text *lmtext_labels_shown(const lmtext_labels *labels, const char *key, size_t length);

/*
 * Labels of another process or state: their keys are others for the same values. translate sees all
 * values of `from` and has, for each, its key in `into`; translated looks one up.
 */
lm_text *lmtext_labels_translate(lmtext_labels *into, const lmtext_labels *from);
lm_text lmtext_labels_translated(const lmtext_labels *from, const lm_text *keys, const char *key,
                                 size_t length);

/*
 * The place of each label in the order of its type, palloc'd; NULL where the order of keys is that
 * of labels, or their type has none. rank looks one up.
 */
uint32 *lmtext_labels_ranks(const lmtext_labels *labels);
uint32 lmtext_labels_rank(const uint32 *ranks, const char *key, size_t length);

/* To a process of the same server and back, values included. */
void lmtext_labels_send(const lmtext_labels *labels, StringInfo out);
lmtext_labels *lmtext_labels_receive(MemoryContext memory, StringInfo in);

#endif
