/*
 * kinds.c - walks the tables of all stages.
 */
#include "token/kinds.h"

#include "token/decode.h"
#include "token/models.h"
#include "token/normalize.h"
#include "token/postprocess.h"
#include "token/pretokenize.h"

/* Rows without a name are parts of others. */
static void
list_stage(const lm_stage_table *table, lm_token_kind_sink *sink, void *opaque)
{
    for (size_t i = 0; i < table->count; i++)
        if (table->kinds[i].name)
            sink(opaque, table->stage, table->kinds[i].name);
}

void
lm_token_kinds(lm_token_kind_sink *sink, void *opaque)
{
    list_stage(&lm_normalizer_stage, sink, opaque);
    list_stage(&lm_pretokenizer_stage, sink, opaque);
    for (size_t i = 0; lm_token_models[i]; i++)
        sink(opaque, "model", lm_token_models[i]->name);
    list_stage(&lm_postprocess_stage, sink, opaque);
    list_stage(&lm_decoder_stage, sink, opaque);
}
