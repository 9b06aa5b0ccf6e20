/*
 * build_texts.c - texts of a table, embedded in batches as an index is built.
 */
#include "postgres.h"

#include "utils/builtins.h"
#include "utils/memutils.h"

#include "pg/am/build.h"

#define BATCH_BYTES ((size_t)1024 * 1024)

void
lmtext_build_texts_init(lmtext_build_texts *texts, Relation index, const lmtext_meta *meta,
                        MemoryContext memory)
{
    memset(texts, 0, sizeof(*texts));
    texts->index = index;
    texts->meta = meta;
    texts->embedder.resolver.memory = memory;
    texts->batch = AllocSetContextCreate(memory, "lmtext batch", ALLOCSET_DEFAULT_SIZES);
}

/* A text of the batch has its vector. */
static void
text_embedded(void *argument, int number, const float *vector, int width)
{
    lmtext_build_texts *texts = argument;
    const lm_text *text = &texts->texts[number];
    lmtext_build_row row = {.tid = texts->tids[number]};

    row.hash = lmtext_value_hash(texts->meta, text->bytes, text->length);
    texts->done(texts->argument, &row, vector, width);
}

void
lmtext_build_texts_flush(lmtext_build_texts *texts)
{
    MemoryContext caller;

    if (texts->waiting == 0)
        return;
    caller = MemoryContextSwitchTo(texts->batch);
    lmtext_embedder_rows(&texts->embedder, texts->index);
    lmtext_embedder_texts(&texts->embedder, texts->texts, texts->waiting, false, text_embedded,
                          texts);
    texts->waiting = 0;
    texts->bytes = 0;
    MemoryContextSwitchTo(caller);
    MemoryContextReset(texts->batch);
}

void
lmtext_build_texts_add(lmtext_build_texts *texts, Datum value, ItemPointer tid)
{
    MemoryContext caller = MemoryContextSwitchTo(texts->batch);
    lm_text copy = lmtext_utf8_from_text(DatumGetTextPCopy(value));

    MemoryContextSwitchTo(caller);
    texts->texts[texts->waiting] = copy;
    texts->tids[texts->waiting++] = *tid;
    texts->bytes += copy.length;
    if (texts->waiting == LMTEXT_BATCH_ROWS || texts->bytes >= BATCH_BYTES)
        lmtext_build_texts_flush(texts);
}
