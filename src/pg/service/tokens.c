/*
 * tokens.c - tokens of texts, part by part; the contract is in tokens.h.
 */
#include "postgres.h"

#include <limits.h>

#include "miscadmin.h"
#include "utils/memutils.h"

#include "pg/service/tokens.h"

/* More memory than this is not kept between calls. */
#define KEEP_BYTES ((Size)16 * 1024 * 1024)

static lmtext_token_work work;

static void
release(void)
{
    MemoryContextDelete(work.call.memory);
    memset(&work, 0, sizeof(work));
}

static void
prepare(const char *model)
{
    if (work.call.memory != NULL && MemoryContextMemAllocated(work.call.memory, false) > KEEP_BYTES)
        release();
    if (work.call.memory == NULL) {
        lmtext_call_init(&work.call, AllocSetContextCreate(TopMemoryContext, "lmtext tokens",
                                                           ALLOCSET_DEFAULT_SIZES));
        lm_encoding_init(&work.part, &work.call.ctx);
        lm_chunker_init(&work.chunker, &work.call.ctx);
    }
    if (work.scratch == NULL)
        lmtext_check(&work.call, lm_token_scratch_create(&work.call.ctx, &work.scratch), model);
}

/* Not every kind of model has one. */
static const lm_tokenizer *
tokenizer_of(const lmtext_model *model)
{
    const lm_tokenizer *tokenizer = lm_model_tokenizer(&model->model);

    if (tokenizer == NULL)
        ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                        errmsg("model \"%s\" has no tokenizer", model->name),
                        errdetail("Its task is %s.", model->model.info.task)));
    return tokenizer;
}

void
lmtext_tokens_begin(lmtext_token_call *call, const lmtext_model *model)
{
    memset(call, 0, sizeof(*call));
    call->model = model;
    call->tokenizer = tokenizer_of(model);
    prepare(model->name);
    call->work = &work;
}

void
lmtext_tokens_check_count(size_t count)
{
    if (count > INT_MAX)
        ereport(ERROR, (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
                        errmsg("text has too many tokens: %zu", count),
                        errdetail("At most %d are allowed.", INT_MAX)));
}

void
lmtext_tokens_open(const lmtext_token_call *call, lm_text text)
{
    lmtext_check(&work.call,
                 lm_token_stream_open(&work.stream, &work.call.ctx, call->tokenizer, work.scratch,
                                      text.bytes, text.length, &call->options),
                 call->model->name);
    work.seen = 0;
    lmtext_stats_tokenized(1, 0);
}

bool
lmtext_tokens_next(const lmtext_token_call *call)
{
    lmtext_check(&work.call, lm_token_stream_next(&work.stream, &work.part), call->model->name);
    LMTEXT_FAULT_POINT("tokenized");
    work.seen += work.part.count;
    lmtext_tokens_check_count(work.seen);
    lmtext_stats_tokenized(0, work.part.count);
    return work.part.count > 0;
}
