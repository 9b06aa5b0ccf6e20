/*
 * rows.h - the words that families' tables are written in (private to the files of families, each
 * of which defines FIELD: the offset of a member of its config struct).
 */
#ifndef LM_ROWS_H
#define LM_ROWS_H

#include "family/family.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

/* Of slots: groups, the head's behind the encoder's layers; flags; uses. */
#define MODEL LM_GROUP_MODEL
#define LAYERS LM_GROUP_LAYERS
#define HEAD (LM_GROUP_LAYERS + 1)
#define NEEDED LM_SLOT_REQUIRED
#define SPARE LM_SLOT_SPARE
#define ROWS LM_SLOT_ROWS
#define TABLE LM_SLOT_TABLE
#define PACKED LM_SLOT_PACKED

/* A dimension that is one field. */
#define DIM(name)      \
    {                  \
        FIELD(name), 0 \
    }

/*
 * ---- Of lm_family ----
 *
 * What stands in tables of these names in the family's file.
 */
#define FAMILY_TABLES(config)                                                          \
    .model_types = model_types, .caps = LM_CAP_ENCODER, .config_size = sizeof(config), \
    .fields = fields, .field_count = COUNT(fields), .config_keys = config_keys,        \
    .architectures = architectures, .not_needed = not_needed, .groups = groups,        \
    .group_count = COUNT(groups), .slots = slots, .slot_count = COUNT(slots)
#define FAMILY_RENAMES .renames = renames, .rename_count = COUNT(renames)
#define FAMILY_HEADS .heads = heads, .head_count = COUNT(heads)

/*
 * ---- Slots of heads ----
 *
 * A file defines D, V and E, the width of word vectors, and TWO: LM_HEAD_UNNAMED.
 */

/* Of a head on the vocabulary: the layer before the words, and its norm. */
#define MASK_LAYER(dense, norm)                                                \
    {dense ".weight", HEAD, ROWS, NEEDED, 2, {E, D}, LM_HEAD_DENSE, 0, 1},     \
        {dense ".bias", HEAD, ROWS, NEEDED, 1, {E}, LM_HEAD_DENSE_BIAS, 0, 1}, \
        {norm ".weight", HEAD, ROWS, NEEDED, 1, {E}, LM_HEAD_NORM_GAIN, 0, 1}, \
    {                                                                          \
        norm ".bias", HEAD, ROWS, NEEDED, 1, {E}, LM_HEAD_NORM_BIAS, 0, 1      \
    }

/* Its matrix, unless it is the word table. */
#define MASK_WORDS(name)                                   \
    {                                                      \
        name, HEAD, TABLE, 0, 2, {V, E}, LM_HEAD_OUT, 0, 1 \
    }

/* A number for each word. Where a family has two rows of it a file may have either. */
#define MASK_BIAS(name)                                          \
    {                                                            \
        name, HEAD, ROWS, NEEDED, 1, {V}, LM_HEAD_OUT_BIAS, 0, 1 \
    }

/*
 * A conditional random field behind a head on tokens, which config.json says with "crf": lmtext's
 * own, named as pytorch-crf names them. The config struct has a field crf.
 */
#define CRF_FIELD(offset)                           \
    {                                               \
        "crf", LM_FIELD_BOOL, offset, 0, .flags = 0 \
    }
#define CRF_NEEDED (LM_SLOT_REQUIRED | LM_SLOT_WHEN(FIELD(crf)))
#define CRF_SLOTS                                                                           \
    {"crf.start_transitions", HEAD, ROWS, CRF_NEEDED, 1, {C}, LM_HEAD_CRF_START, 0, 1},     \
        {"crf.end_transitions", HEAD, ROWS, CRF_NEEDED, 1, {C}, LM_HEAD_CRF_END, 0, 1},     \
    {                                                                                       \
        "crf.transitions", HEAD, ROWS, CRF_NEEDED, 2, {C, C}, LM_HEAD_CRF_TRANSITIONS, 0, 1 \
    }

/* Where an answer begins and where it ends. */
#define SPAN_SLOTS(name)                                                   \
    {name ".weight", HEAD, ROWS, NEEDED, 2, {TWO, D}, LM_HEAD_OUT, 0, 1},  \
    {                                                                      \
        name ".bias", HEAD, ROWS, NEEDED, 1, {TWO}, LM_HEAD_OUT_BIAS, 0, 1 \
    }

#endif
