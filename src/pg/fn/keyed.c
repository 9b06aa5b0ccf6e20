/*
 * keyed.c - keys and vectors of a query's rows; the contract is in keyed.h.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/memutils.h"

#include "base/size.h"
#include "pg/fn/embedders.h"
#include "pg/fn/keyed.h"

#define BATCH_ROWS 1024

/* Embedding in progress: what the model and the options are is asked once there is a text. */
typedef struct keyed_model {
    FunctionCallInfo fcinfo;
    lmtext_model *model; /* NULL: no text yet */
    lm_embed_options options;
} keyed_model;

/* ---- Room ---- */

static void *
grow(MemoryContext memory, void *array, size_t bytes)
{
    return array == NULL ? MemoryContextAllocHuge(memory, bytes) : repalloc_huge(array, bytes);
}

static float *
grow_values(const lmtext_keyed *k, size_t bytes)
{
    float *values;

    if (k->kept == NULL)
        return grow(k->memory, k->values, bytes);
    values = lm_keep(&k->kept->ctx, k->values, bytes);
    lmtext_check(k->kept, values != NULL ? LM_OK : LM_NO_MEMORY, NULL);
    return values;
}

static void
make_key_room(lmtext_keyed *k, int64 rows)
{
    if (k->count + rows <= k->room)
        return;
    k->room = Max(2 * k->room, k->count + rows);
    k->keys = grow(k->memory, k->keys, mul_size(k->room, sizeof(char *)));
}

static void
write_out(lmtext_keyed *k)
{
    MemoryContext outer = MemoryContextSwitchTo(k->memory);

    if (k->file == NULL)
        k->file = BufFileCreateTemp(false);
    BufFileWrite(k->file, k->values, (size_t)k->unwritten * k->width * sizeof(float));
    k->unwritten = 0;
    MemoryContextSwitchTo(outer);
}

/* For `rows` more vectors; what is over the limit goes to the file before. */
static float *
make_value_room(lmtext_keyed *k, int64 rows)
{
    const size_t row = mul_size(k->width, sizeof(float));

    if (k->unwritten > 0 && k->limit > 0 && (size_t)(k->unwritten + rows) * row > k->limit)
        write_out(k);
    if (k->unwritten + rows > k->value_room) {
        int64 room = Max(2 * k->value_room, k->unwritten + rows);

        if (k->limit > 0)
            room = Max(Min(room, (int64)(k->limit / row)), k->unwritten + rows);
        else if (k->kept != NULL)
            room = (int64)lm_grown_room(k->value_room, k->unwritten + rows);
        k->values = grow_values(k, mul_size(room, row));
        k->value_room = room;
    }
    return k->values + k->unwritten * k->width;
}

/* ---- Rows ---- */

static void
set_width(lmtext_keyed *k, int width)
{
    if (k->width == 0)
        k->width = width;
    if (k->width != width)
        ereport(ERROR, (errcode(ERRCODE_DATA_EXCEPTION),
                        errmsg("vectors have different dimensions: %d and %d", k->width, width)));
}

static void
take_vectors(lmtext_keyed *k, const lmtext_query_row *rows, int count)
{
    for (int i = 0; i < count; i++) {
        int width;
        const float *values = lmtext_floats_from_array(rows[i].fields[1].vector, &width);

        lmtext_check_finite(values, width);
        set_width(k, width);
        memcpy(make_value_room(k, 1), values, width * sizeof(float));
        k->unwritten++;
    }
}

static void
open_model(const lmtext_keyed *k, keyed_model *m)
{
    m->model = k->model != NULL ? k->model : lmtext_arg_model(m->fcinfo);
    lmtext_embed_defaults(&m->options, lmtext_on_long());
}

static void
embed_texts(lmtext_keyed *k, keyed_model *m, const lmtext_query_row *rows, int count)
{
    lm_text *texts = palloc(count * sizeof *texts);

    if (m->model == NULL)
        open_model(k, m);
    set_width(k, lmtext_embed_width(m->model, &m->options));
    for (int i = 0; i < count; i++)
        texts[i] = lmtext_utf8_from_bytes(rows[i].fields[1].text, strlen(rows[i].fields[1].text));
    lmtext_embed_together(m->model, texts, count, &m->options, k->workers,
                          make_value_room(k, count));
    k->unwritten += count;
}

/* Rows with a null go, the others move up. */
static int
drop_nulls(lmtext_query_row *rows, int count)
{
    int kept = 0;

    for (int i = 0; i < count; i++)
        if (rows[i].fields[0].text != NULL &&
            (rows[i].fields[1].text != NULL || rows[i].fields[1].vector != NULL))
            rows[kept++] = rows[i];
    return kept;
}

static void
take_rows(lmtext_keyed *k, keyed_model *m, lmtext_query_row *rows, int count)
{
    count = drop_nulls(rows, count);
    if (count == 0)
        return;
    if (rows[0].fields[1].vector != NULL)
        take_vectors(k, rows, count);
    else
        embed_texts(k, m, rows, count);
    make_key_room(k, count);
    for (int i = 0; i < count; i++)
        k->keys[k->count++] = MemoryContextStrdup(k->memory, rows[i].fields[0].text);
}

void
lmtext_keyed_read(lmtext_keyed *keyed, FunctionCallInfo fcinfo, const char *query)
{
    static const lmtext_column columns[] = {{"key", LMTEXT_COLUMN_KEY},
                                            {"text", LMTEXT_COLUMN_INPUT}};
    MemoryContext outer = CurrentMemoryContext;
    MemoryContext memory = AllocSetContextCreate(outer, "lmtext batch", ALLOCSET_DEFAULT_SIZES);
    lmtext_query_row *rows = palloc(BATCH_ROWS * sizeof *rows);
    keyed_model model = {.fcinfo = fcinfo};
    lmtext_query reader;
    int count;

    lmtext_query_open(&reader, keyed->function, query, columns, lengthof(columns));
    MemoryContextSwitchTo(memory);
    while ((count = lmtext_query_fetch(&reader, BATCH_ROWS, rows)) > 0) {
        CHECK_FOR_INTERRUPTS();
        take_rows(keyed, &model, rows, count);
        MemoryContextReset(memory);
    }
    MemoryContextSwitchTo(outer);
    lmtext_query_close(&reader);
    MemoryContextDelete(memory);
    if (keyed->file != NULL)
        write_out(keyed);
}

const float *
lmtext_keyed_rows(const lmtext_keyed *keyed, int64 first, int64 rows, float *buffer)
{
    const size_t row = (size_t)keyed->width * sizeof(float);

    if (keyed->file == NULL)
        return keyed->values + first * keyed->width;
    if (BufFileSeek(keyed->file, 0, (off_t)(first * row), SEEK_SET) != 0 ||
        BufFileRead(keyed->file, buffer, rows * row) != rows * row)
        ereport(ERROR, (errcode_for_file_access(),
                        errmsg("could not read vectors from a temporary file: %m")));
    return buffer;
}

void
lmtext_keyed_close(lmtext_keyed *keyed)
{
    if (keyed->file != NULL)
        BufFileClose(keyed->file);
    keyed->file = NULL;
    if (keyed->kept != NULL)
        lm_free(&keyed->kept->ctx, keyed->values);
}
