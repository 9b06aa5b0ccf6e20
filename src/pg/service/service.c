/*
 * service.c - the room's beginning.
 */
#include "postgres.h"

#include "pg/service/infer.h"
#include "pg/service/predictions.h"
#include "pg/service/service.h"
#include "pg/service/tasks.h"

void
lmtext_service_init(void)
{
    lmtext_task_settings();
    lmtext_infer_settings();
    lmtext_predictions_settings();
}
