/*
 * board.h - what processes of a preloaded server tell the launcher: a ring of messages in shared
 * memory, and the launcher's latch. Where it is full messages are lost, and the launcher looks
 * everywhere.
 */
#ifndef LMTEXT_BOARD_H
#define LMTEXT_BOARD_H

#include "postgres.h"

#include "pg/jobs/workers.h"

typedef enum lmtext_word {
    LMTEXT_LOOK, /* something is new in a database: look there */
    LMTEXT_NEXT, /* a visit says when to look again (order.until; 0: nothing is due by itself) */
    LMTEXT_START /* a visit has an order for a worker */
} lmtext_word;

typedef struct lmtext_message {
    lmtext_word word;
    lmtext_order order;
} lmtext_message;

/* From the jobs' init: whether this server can have a launcher. */
void lmtext_board_init(void);

/* The launcher's, with its latch; false where there is no memory. It signs off when it exits. */
bool lmtext_board_sign_on(void);

/* The next message; false where there is none. *lost: some before it are lost. */
bool lmtext_board_take(lmtext_message *message, bool *lost);

/* Nothing where no launcher runs. lmtext_board_find comes before, and may fail; posting does not.
 */
bool lmtext_board_find(void);
void lmtext_board_post(const lmtext_message *message);

#endif
