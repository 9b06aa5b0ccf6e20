/*
 * training.h - the parts of a training that lmtext.train and lmtext.tune share (private to fn/).
 *
 * In this order: options, base, method, rows, their check, fit, version. All errors are thrown.
 */
#ifndef LMTEXT_FN_TRAINING_H
#define LMTEXT_FN_TRAINING_H

#include "utils/jsonb.h"
#include "utils/tuplestore.h"

#include "train/methods.h"
#include "pg/fn/args.h"
#include "pg/fn/checkpoint.h"
#include "pg/fn/curve.h"
#include "pg/fn/oracle.h"
#include "pg/fn/team.h"
#include "pg/watch/progress.h"

/* The JSON options that every method has; the others are the method's. */
typedef struct train_options {
    char *task;
    char *method; /* NULL: the task's first */
    char *base;   /* NULL: lmtext.embedding_model */
    int64 batch_rows;
    int64 workers; /* that embed texts beside this process */
} train_options;

/* Everything of one run; lives in the procedure's memory context. */
typedef struct training {
    const char *procedure; /* for messages: "lmtext.train" */
    const char *name;      /* of the model to be made */
    train_options options;
    const lm_method *method;
    void *method_options;
    void *state;        /* the method's */
    lmtext_model *base; /* NULL: the method needs none */
    lm_on_long on_long;
    int width; /* of the base's embedding; 0: the method does not want it */
    const lm_train_column *column_table;
    int column_count;      /* of the table */
    int columns;           /* that the query has */
    lmtext_oracle *oracle; /* NULL: the method asks none */
    int64 budget;          /* of its answers */
    lmtext_call call;
    MemoryContext memory; /* holds what outlives a batch */
    int64 rows, skipped;
    uint64 rows_hash;               /* of their bytes */
    bool keeps;                     /* checkpoints; then it commits on its way */
    bool resumes;                   /* if there is one */
    lmtext_checkpoints checkpoints; /* where it keeps or resumes */
    lmtext_team *team;              /* NULL: no other process helps */
    lm_buffer resume;               /* what it goes on from; empty: it starts anew */
    int64 run;                      /* in sight of other sessions */
    lmtext_progress progress;
    lmtext_curve curve;
    double read_seconds, ask_seconds, train_seconds;
    bool defers;            /* the method is to choose the rows that are embedded */
    Tuplestorestate *texts; /* of all rows, in UTF-8, where it defers */
    TupleDesc text_row;
    /* Takes rows as they were read; NULL: the method does. */
    void (*keep_rows)(struct training *t, const lm_train_rows *rows);
    void *keeper;
} training;

/* From the JSON of a call; `base` is looked up apart. */
void training_read_options(training *t, Jsonb *json);
/* Whether the options need a base: the method's default, or one that is named. */
bool training_wants_base(const training *t);
void training_choose_base(FunctionCallInfo fcinfo, training *t);
/* Needs t->memory, in which all lives. Opens the method's state. */
void training_start(training *t);
/* Gives a state that was opened the base's files, where the method takes them. */
void training_read_base(training *t);
void training_read_rows(training *t, const char *query);
void training_check_rows(training *t);
void training_report_phase(training *t, const char *phase);
/* Called from inside the engine: must not throw. */
void training_report_step(void *opaque, const lm_train_progress *step);
/* The new version's number. `more`: members of its metrics, after a comma; may be NULL. */
int training_store(training *t, lm_train_outcome *outcome, const char *more);
void training_notice(const training *t, int version, const lm_train_outcome *outcome);

#endif
