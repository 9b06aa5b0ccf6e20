/*
 * build_texts.c - texts of a table, embedded in batches as an index is built; what has been
 * embedded before is taken over.
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

static lmtext_build_row
row_of(const lmtext_build_texts *texts, int number, int coded)
{
    const lm_text *text = &texts->texts[number];

    return (lmtext_build_row){.tid = texts->tids[number],
                              .coded = (uint16)coded,
                              .hash = lmtext_value_hash(texts->meta, text->bytes, text->length)};
}

/* Of those before this one, what was taken over: rows keep their order. */
static void
give_known(lmtext_build_texts *texts, int before, int width)
{
    for (; texts->given < before; texts->given++) {
        const void *bytes = texts->known[texts->given];
        lmtext_build_row row;

        if (bytes == NULL)
            continue;
        row = row_of(texts, texts->given, width);
        texts->done(texts->argument, &row, bytes,
                    (int)(lmtext_reuse_row_bytes(texts->reuse) / sizeof(float)));
    }
}

/* A text of the batch has its vector. */
static void
text_embedded(void *argument, int number, const float *vector, int width)
{
    lmtext_build_texts *texts = argument;
    int at = texts->numbers[number];
    lmtext_build_row row = row_of(texts, at, 0);

    give_known(texts, at, width);
    texts->done(texts->argument, &row, vector, width);
}

/* What another file or index has; returns how many texts are left to be embedded. */
static int
take_over(lmtext_build_texts *texts)
{
    int asked = 0;

    if (!texts->begun) {
        MemoryContext batch = MemoryContextSwitchTo(MemoryContextGetParent(texts->batch));

        texts->reuse = lmtext_reuse_begin(texts->index, &texts->embedder);
        texts->begun = true;
        MemoryContextSwitchTo(batch);
    }
    if (!lmtext_reuse_take(texts->reuse, texts->texts, texts->waiting, texts->known)) {
        lmtext_reuse_end(texts->reuse);
        texts->reuse = NULL;
    }
    for (int i = 0; i < texts->waiting; i++)
        if (texts->known[i] == NULL) {
            texts->asked[asked] = texts->texts[i];
            texts->numbers[asked++] = i;
        }
    return asked;
}

static void
flush(lmtext_build_texts *texts)
{
    const lmtext_inference *inference = &texts->embedder.inference;
    MemoryContext caller;
    int asked;

    if (texts->waiting == 0)
        return;
    caller = MemoryContextSwitchTo(texts->batch);
    lmtext_embedder_rows(&texts->embedder, texts->index);
    asked = take_over(texts);
    texts->given = 0;
    lmtext_embedder_texts(&texts->embedder, texts->asked, asked, false, text_embedded, texts);
    give_known(texts, texts->waiting, lmtext_embed_width(inference->model, &inference->options));
    texts->waiting = 0;
    texts->bytes = 0;
    MemoryContextSwitchTo(caller);
    MemoryContextReset(texts->batch);
}

void
lmtext_build_texts_end(lmtext_build_texts *texts)
{
    flush(texts);
    lmtext_reuse_end(texts->reuse);
    texts->reuse = NULL;
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
        flush(texts);
}
