/*
 * checkpoint.h - checkpoints of a training in the database: the table "NAME@checkpoint" in the
 * model's schema, which the caller owns; each is committed, so that it survives what becomes of the
 * training.
 */
#ifndef LMTEXT_CHECKPOINT_H
#define LMTEXT_CHECKPOINT_H

#include "base/buffer.h"
#include "pg/glue/glue.h"

typedef struct lmtext_checkpoints {
    char *schema, *name; /* of the table */
    char *table;         /* qualified and quoted */
} lmtext_checkpoints;

/* Of the model that is made. 42622 where the table's name would be too long. */
void lmtext_checkpoints_open(lmtext_checkpoints *checkpoints, const char *model);
/*
 * Write one in the place of the last, and commit: the caller is in a procedure that may. `rows` is
 * a hash of what is trained on, and how. SPI is connected, here and below.
 */
void lmtext_checkpoints_write(const lmtext_checkpoints *checkpoints, int64 step, uint64 rows,
                              const lm_buffer *bytes);
/* False: there is none. 22023 where its hash is another. `bytes` is initialized. */
bool lmtext_checkpoints_read(const lmtext_checkpoints *checkpoints, lmtext_call *call, uint64 rows,
                             int64 *step, lm_buffer *bytes);
/* The table goes with the transaction, where there is one. */
void lmtext_checkpoints_drop(const lmtext_checkpoints *checkpoints);

#endif
