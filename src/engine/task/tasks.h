/*
 * tasks.h - what models are used for: a table with one row for each task. What a model may be asked
 * for, how its default is called and what is kept of it as golden values follow from its row; no
 * other file compares names of tasks.
 *
 * A member stands here once something reads it. What the rows to come bring along: a task whose
 * results are no row of numbers a text (tags of tokens, a log probability) still fills in golden(),
 * with numbers of its choice; language_model is LOG_PROBABILITY in needs.
 */
#ifndef LM_TASKS_H
#define LM_TASKS_H

#include "task/embed.h"

typedef struct lm_task {
    const char *name;   /* in manifests and options; the setting is lmtext.<name>_model */
    const char *does;   /* after "model … cannot": "compute embeddings" */
    const char *yields; /* what golden values are called: "embeddings" */
    uint32_t needs;     /* LM_CAP_… of the family whose encoder runs */
    const char *head;   /* task of the head that the family needs besides; NULL: none */
    bool labelled;      /* golden values are scores of labels */
    bool borrowed;      /* no model has it: those of other tasks serve it */
    /* How many golden numbers a text has; and these (count, width), as the model's files say: its
     * default prompt, cut at its window. */
    int (*width)(const lm_model *model);
    lm_status (*golden)(lm_context *ctx, lm_session *session, const lm_model *model,
                        const lm_text *texts, size_t count, float *out);
    bool (*serves)(const lm_model *model); /* whether a model of another task can do this as well;
                                              NULL: none can */
} lm_task;

typedef enum lm_task_id {
    LM_TASK_EMBEDDING,
    LM_TASK_CLASSIFICATION,
    LM_TASK_TOKEN_CLASSIFICATION,
    LM_TASK_LANGUAGE_MODEL,
    LM_TASK_RERANK,
    LM_TASK_ENTAILMENT,
    LM_TASK_NEXT_SENTENCE,
    LM_TASK_ANSWER,
    LM_TASK_FILL_MASK,
    LM_TASK_SPARSE,
    LM_TASK_LATE_INTERACTION,
    LM_TASK_COUNT
} lm_task_id;

extern const lm_task lm_tasks[LM_TASK_COUNT];

/* By name; NULL: there is none. */
const lm_task *lm_task_find(const char *name);
/* Whether a model can do what a task is. */
bool lm_task_serves(const lm_task *task, const lm_model *model);
/* Whether a family's models can. */
bool lm_task_of_family(const lm_task *task, const lm_family *family);
/* That of a model, which always has one. */
const lm_task *lm_task_of(const lm_model *model);

#endif
