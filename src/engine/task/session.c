/*
 * session.c - life of a session, and growth of its buffers.
 */
#include "task/session.h"

#include <string.h>

#include "base/size.h"

/* Buffers start empty; the first call sizes them. */
lm_status
lm_session_create(lm_context *ctx, lm_session **session)
{
    lm_session *made = lm_alloc_zero(ctx, sizeof *made);

    if (!made)
        return LM_NO_MEMORY;
    made->ctx = ctx;
    if (lm_token_scratch_create(ctx, &made->scratch) != LM_OK) {
        lm_free(ctx, made);
        return ctx->error.status;
    }
    lm_encoding_init(&made->encoding, ctx);
    lm_encoding_init(&made->prompt_encoding, ctx);
    lm_buffer_init(&made->text, ctx);
    *session = made;
    return LM_OK;
}

/* Everything came from the session's own context and goes back there. */
void
lm_session_free(lm_session *session)
{
    if (!session)
        return;
    lm_token_scratch_free(session->scratch);
    lm_encoding_free(&session->encoding);
    lm_encoding_free(&session->prompt_encoding);
    lm_buffer_free(&session->text);
    lm_free(session->ctx, session->ids);
    lm_free(session->ctx, session->wanted);
    lm_free(session->ctx, session->types);
    lm_free(session->ctx, session->windows);
    lm_free(session->ctx, session->offsets);
    lm_free(session->ctx, session->workspace);
    lm_free(session->ctx, session->vectors);
    lm_free(session->ctx, session->embeddings);
    lm_free(session->ctx, session);
}

/*
 * A quarter more than is needed, so that texts of growing length do not each cost a reallocation.
 */
lm_status
lm_session_grow(lm_context *ctx, lm_session *session, void *array, size_t *capacity, size_t need,
                size_t width)
{
    void *pointer, *grown = NULL;
    size_t room, bytes;

    if (need <= *capacity)
        return LM_OK;
    memcpy(&pointer, array, sizeof pointer);
    if (lm_add_overflows(need, need / 4, &room))
        room = need;
    if (!lm_mul_overflows(room, width, &bytes))
        grown = lm_realloc(session->ctx, pointer, bytes);
    if (!grown)
        return lm_raise(ctx, LM_NO_MEMORY, "out of memory");
    memcpy(array, &grown, sizeof grown);
    *capacity = room;
    return LM_OK;
}
