/*
 * progress.h - trainings as other sessions see them: what each does now, and the curve of its
 * losses. A short shared list; where it has no place left a training is simply not seen.
 */
#ifndef LMTEXT_PROGRESS_H
#define LMTEXT_PROGRESS_H

#include "postgres.h"

#include "datatype/timestamp.h"

#define LMTEXT_MAX_TRAININGS 8
#define LMTEXT_PROGRESS_POINTS 128
#define LMTEXT_PROGRESS_MEASURES 8

/* One report. */
typedef struct lmtext_progress {
    char model[NAMEDATALEN];
    char phase[32];    /* "reading", "embedding", "training", "storing", "done", "failed" */
    int64 done, total; /* rows */
    int step, max_steps;
    double loss, held_out_loss, held_out_accuracy; /* NaN: not known */
    int epoch;                                     /* counted from 1; 0: it has none */
    double learning_rate, gradient_norm;
    int measure_count; /* of the held-out rows, by their names */
    char measure_names[LMTEXT_PROGRESS_MEASURES][NAMEDATALEN];
    double measures[LMTEXT_PROGRESS_MEASURES];
} lmtext_progress;

/* The training's number; 0: it is not seen, as a training in another's query is not. */
int64 lmtext_progress_begin(const char *model);
void lmtext_progress_update(int64 training,
                            const lmtext_progress *progress); /* keeps a log of steps */
void lmtext_progress_end(int64 training); /* well; failures are seen by the transaction's abort */

typedef enum lmtext_training_state {
    LMTEXT_TRAINING_NONE,
    LMTEXT_TRAINING_ACTIVE,
    LMTEXT_TRAINING_DONE,
    LMTEXT_TRAINING_FAILED
} lmtext_training_state;

/* One point of a training's curve. */
typedef struct lmtext_progress_point {
    TimestampTz at;
    int32 step;
    float loss, held_out_loss, held_out_accuracy; /* NaN: not known */
    int32 epoch;
    double learning_rate; /* as it was set */
    float gradient_norm;
    float measures[LMTEXT_PROGRESS_MEASURES]; /* in the order of the last report's names */
} lmtext_progress_point;

typedef struct lmtext_training {
    lmtext_training_state state;
    int64 id;
    int pid;
    Oid database, role;
    TimestampTz started_at, updated_at, finished_at;
    lmtext_progress progress;
    int32 points, stride; /* least distance of steps that are kept */
    lmtext_progress_point log[LMTEXT_PROGRESS_POINTS];
} lmtext_training;

/* palloc'd copies of the trainings that are known. */
lmtext_training *lmtext_progress_snapshot(int *count);
const char *lmtext_training_state_name(lmtext_training_state state);

void lmtext_progress_init(void); /* from lmtext_watch_init */

#endif
