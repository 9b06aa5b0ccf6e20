/*
 * limits.c - caps on the texts, arrays and batches of a call.
 */
#include "postgres.h"

#include <limits.h>

#include "utils/guc.h"

#include "pg/glue/init_once.h"
#include "pg/glue/limits.h"

#define BATCH_TOKENS_MAX 65536

/* 0: no cap. */
static int max_text_size, max_array_texts, max_batch_tokens = BATCH_TOKENS_MAX;

static void
refuse(const char *what, const char *setting, int64 found, int allowed)
{
    ereport(ERROR, (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED), errmsg("%s exceeds %s", what, setting),
                    errdetail("Found " INT64_FORMAT ", allowed: at most %d.", found, allowed),
                    errhint("A superuser can raise %s for a database or a role.", setting)));
}

void
lmtext_limit_text(size_t bytes)
{
    if (max_text_size > 0 && unlikely(bytes > (size_t)max_text_size))
        refuse("the number of bytes of a text", "lmtext.max_text_size", (int64)bytes,
               max_text_size);
}

void
lmtext_limit_texts(int count)
{
    if (max_array_texts > 0 && unlikely(count > max_array_texts))
        refuse("the number of texts of an array", "lmtext.max_array_texts", count, max_array_texts);
}

int
lmtext_limit_batch(int tokens)
{
    return Min(tokens, max_batch_tokens);
}

void
lmtext_limits_init(void)
{
    LMTEXT_SETTING(Int, "lmtext.max_text_size",
                   "Sets the most bytes that a text of a call may have.",
                   "0 means no limit but PostgreSQL's own.", &max_text_size, 0, 0, INT_MAX,
                   PGC_SUSET, GUC_UNIT_BYTE, NULL, NULL, NULL);
    LMTEXT_SETTING(Int, "lmtext.max_array_texts",
                   "Sets the most texts that an array of a call may have.",
                   "0 means no limit but PostgreSQL's own.", &max_array_texts, 0, 0, INT_MAX,
                   PGC_SUSET, 0, NULL, NULL, NULL);
    LMTEXT_SETTING(Int, "lmtext.max_batch_tokens",
                   "Sets the most tokens that lmtext.batch_tokens has an effect up to.", NULL,
                   &max_batch_tokens, BATCH_TOKENS_MAX, 16, BATCH_TOKENS_MAX, PGC_SUSET, 0, NULL,
                   NULL, NULL);
}
