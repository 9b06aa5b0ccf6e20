/*
 * tasks.h - tasks (engine/task/tasks.h) as SQL knows them: the setting that names the default model
 * of each, and what is said where a model of another task was given.
 *
 * Every task has its setting, lmtext.<task>_model; a row in tasks.c adds words for it.
 */
#ifndef LMTEXT_TASKS_H
#define LMTEXT_TASKS_H

#include "task/tasks.h"

#include "pg/cache/cache.h"

/* The name of the default model, as it is set; "": none. */
const char *lmtext_task_setting(const lm_task *task);
/* How that setting is called. */
const char *lmtext_task_setting_name(const lm_task *task);
/* The default model for embedding, of which a plan is made, "": none. The session's plans are made
 * anew when it changes. */
const char *lmtext_task_planned(void);
/* Its value, or 42704 where it is not set. */
const char *lmtext_task_default(const lm_task *task);

/* 0A000 where the model has another task; the hint names what suits it. */
void lmtext_task_check(const lmtext_model *model, const char *task);

void lmtext_task_settings(void);

#endif
