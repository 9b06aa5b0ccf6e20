/*
 * session.c - life of a session, and growth of its buffers.
 */
#include "model/session.h"

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
    lm_letters_init(&made->letters, ctx);
    lm_ngram_head_room_init(&made->ngrams, ctx);
    *session = made;
    return LM_OK;
}

static void
release(lm_session *session, void *array, size_t *capacity)
{
    void *pointer, *none = NULL;

    memcpy(&pointer, array, sizeof pointer);
    lm_free(session->ctx, pointer);
    memcpy(array, &none, sizeof none);
    *capacity = 0;
}

/* All that grows but the embeddings. */
static void
release_buffers(lm_session *session)
{
    size_t types = session->token_capacity;

    lm_token_scratch_clear(session->scratch);
    lm_encoding_free(&session->encoding);
    lm_encoding_free(&session->prompt_encoding);
    lm_buffer_free(&session->text);
    lm_letters_free(&session->letters);
    lm_ngram_head_room_free(&session->ngrams);
    release(session, &session->types, &types);
    release(session, &session->ids, &session->token_capacity);
    release(session, &session->ranges, &session->range_capacity);
    release(session, &session->windows, &session->window_capacity);
    release(session, &session->offsets, &session->offset_capacity);
    release(session, &session->wanted, &session->wanted_capacity);
    release(session, &session->keys, &session->key_capacity);
    release(session, &session->workspace, &session->workspace_capacity);
    release(session, &session->vectors, &session->vector_capacity);
}

/* Everything came from the session's own context and goes back there. */
void
lm_session_free(lm_session *session)
{
    if (!session)
        return;
    release_buffers(session);
    lm_token_scratch_free(session->scratch);
    lm_free(session->ctx, session->embeddings);
    lm_free(session->ctx, session->scores);
    lm_free(session->ctx, session->pairs);
    lm_free(session->ctx, session);
}

size_t
lm_session_bytes(const lm_session *session)
{
    return lm_token_scratch_bytes(session->scratch) + lm_encoding_bytes(&session->encoding) +
           lm_encoding_bytes(&session->prompt_encoding) + session->text.capacity +
           session->letters.bytes.capacity + session->letters.ends.capacity +
           lm_ngram_head_room_bytes(&session->ngrams) +
           session->token_capacity * (sizeof *session->ids + sizeof *session->types) +
           session->range_capacity * sizeof *session->ranges +
           session->window_capacity * sizeof *session->windows +
           session->offset_capacity * sizeof *session->offsets +
           session->wanted_capacity * sizeof *session->wanted + session->workspace_capacity +
           session->vector_capacity * sizeof *session->vectors +
           session->embedding_capacity * sizeof *session->embeddings +
           session->score_capacity * sizeof *session->scores +
           session->pair_capacity * sizeof *session->pairs;
}

void
lm_session_trim(lm_session *session)
{
    if (lm_session_bytes(session) > LM_SESSION_KEEP)
        release_buffers(session);
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
