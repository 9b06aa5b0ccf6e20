/*
 * kept_rows.c - batches of rows, in memory and in a file; the contract is in kept_rows.h.
 *
 * A batch is one piece of bytes without pointers: what it has in common, its vectors, and column by
 * column what is kept of it; a text is its length and its bytes.
 */
#include "postgres.h"

#include "utils/memutils.h"

#include "pg/glue/fault.h"
#include "pg/fn/kept_rows.h"

/* Vectors follow it: it is a multiple of their alignment. */
typedef struct batch_head {
    size_t count;
    int64 columns;
} batch_head;

/* Bytes that grow, or that are read. */
typedef struct piece {
    MemoryContext memory;
    char *bytes;
    size_t size, room;
} piece;

/* ---- To bytes ---- */

static void
put(piece *p, const void *bytes, size_t size)
{
    const size_t need = add_size(p->size, size);

    if (need > p->room) {
        p->room = Max(2 * p->room, need);
        p->bytes = p->bytes == NULL ? MemoryContextAllocHuge(p->memory, p->room)
                                    : repalloc_huge(p->bytes, p->room);
    }
    if (size > 0)
        memcpy(p->bytes + p->size, bytes, size);
    p->size = need;
}

static void
put_texts(piece *p, const lm_text *texts, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        put(p, &texts[i].length, sizeof texts[i].length);
        put(p, texts[i].bytes, texts[i].length);
    }
}

static void
put_words(piece *p, const lm_train_words *words, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        put(p, &words[i].count, sizeof words[i].count);
        put_texts(p, words[i].words, words[i].count);
    }
}

/* Is it text? Columns of vectors lie in the rows' vectors by now. */
static bool
is_text(lm_train_kind kind)
{
    return kind == LM_TRAIN_LABEL || kind == LM_TRAIN_TEXT || kind == LM_TRAIN_BOTH;
}

static void
put_batch(const lmtext_kept_rows *kept, const lm_train_rows *rows, piece *p)
{
    const batch_head head = {rows->count, rows->columns};

    put(p, &head, sizeof head);
    if (kept->width > 0)
        put(p, rows->vectors, mul_size(mul_size(rows->count, kept->width), sizeof(float)));
    for (int c = 0; c < rows->columns; c++) {
        const lm_train_kind kind = kept->columns[c].kind;

        if (kind == LM_TRAIN_NUMBER)
            put(p, rows->numbers[c], rows->count * sizeof(double));
        else if (kind == LM_TRAIN_WORDS)
            put_words(p, rows->words[c], rows->count);
        else if (is_text(kind))
            put_texts(p, rows->texts[c], rows->count);
    }
}

/* ---- And back ---- */

static const char *
take(piece *p, size_t size)
{
    const char *bytes = p->bytes + p->size;

    p->size += size;
    return bytes;
}

static size_t
take_size(piece *p)
{
    size_t size;

    memcpy(&size, take(p, sizeof size), sizeof size);
    return size;
}

static const lm_text *
take_texts(piece *p, size_t count)
{
    lm_text *texts = MemoryContextAllocHuge(p->memory, mul_size(count + 1, sizeof *texts));

    for (size_t i = 0; i < count; i++) {
        texts[i].length = take_size(p);
        texts[i].bytes = take(p, texts[i].length);
    }
    return texts;
}

static const lm_train_words *
take_words(piece *p, size_t count)
{
    lm_train_words *words = MemoryContextAllocHuge(p->memory, mul_size(count + 1, sizeof *words));

    for (size_t i = 0; i < count; i++) {
        words[i].count = take_size(p);
        words[i].words = take_texts(p, words[i].count);
    }
    return words;
}

/* A copy, since they may begin anywhere. */
static const double *
take_numbers(piece *p, size_t count)
{
    double *numbers = MemoryContextAllocHuge(p->memory, mul_size(count + 1, sizeof *numbers));

    memcpy(numbers, take(p, count * sizeof *numbers), count * sizeof *numbers);
    return numbers;
}

static void
take_batch(const lmtext_kept_rows *kept, char *bytes, lm_train_rows *rows)
{
    piece p = {kept->batch, bytes, 0, 0};
    batch_head head;

    memcpy(&head, take(&p, sizeof head), sizeof head);
    *rows = (lm_train_rows){.count = head.count, .columns = (int)head.columns};
    rows->vectors = (const float *)(const void *)take(&p, head.count * kept->width * sizeof(float));
    for (int c = 0; c < rows->columns; c++) {
        const lm_train_kind kind = kept->columns[c].kind;

        if (kind == LM_TRAIN_NUMBER)
            rows->numbers[c] = take_numbers(&p, head.count);
        else if (kind == LM_TRAIN_WORDS)
            rows->words[c] = take_words(&p, head.count);
        else if (is_text(kind))
            rows->texts[c] = take_texts(&p, head.count);
    }
}

/* ---- Memory and file ---- */

static void
add_to_memory(lmtext_kept_rows *kept, const piece *p)
{
    lmtext_kept_batch *batch = MemoryContextAlloc(kept->memory, sizeof *batch);

    *batch = (lmtext_kept_batch){.bytes = repalloc_huge(p->bytes, p->size), .size = p->size};
    if (kept->last != NULL)
        kept->last->next = batch;
    else
        kept->first = batch;
    kept->last = batch;
    kept->used += p->size;
}

static void
add_to_file(lmtext_kept_rows *kept, const piece *p)
{
    MemoryContext caller = MemoryContextSwitchTo(kept->memory);

    if (kept->file == NULL)
        kept->file = BufFileCreateTemp(false);
    BufFileWrite(kept->file, unconstify(size_t *, &p->size), sizeof p->size);
    BufFileWrite(kept->file, p->bytes, p->size);
    kept->in_file++;
    pfree(p->bytes);
    MemoryContextSwitchTo(caller);
}

void
lmtext_kept_rows_add(lmtext_kept_rows *kept, const lm_train_rows *rows)
{
    piece p = {.memory = kept->memory};

    put_batch(kept, rows, &p);
    if (kept->file == NULL && p.size <= kept->limit - Min(kept->used, kept->limit))
        add_to_memory(kept, &p);
    else
        add_to_file(kept, &p);
}

static void
refuse_file(void)
{
    ereport(ERROR,
            (errcode_for_file_access(), errmsg("could not read rows from a temporary file: %m")));
}

void
lmtext_kept_rows_rewind(lmtext_kept_rows *kept)
{
    if (kept->batch == NULL)
        kept->batch =
            AllocSetContextCreate(kept->memory, "lmtext kept batch", ALLOCSET_DEFAULT_SIZES);
    if (kept->file != NULL && BufFileSeek(kept->file, 0, 0, SEEK_SET) != 0)
        refuse_file();
    kept->next = kept->first;
    kept->left = kept->in_file;
}

static char *
read_batch(const lmtext_kept_rows *kept)
{
    size_t size;
    char *bytes;

    if (BufFileRead(kept->file, &size, sizeof size) != sizeof size)
        refuse_file();
    bytes = MemoryContextAllocHuge(kept->batch, size);
    if (BufFileRead(kept->file, bytes, size) != size)
        refuse_file();
    return bytes;
}

bool
lmtext_kept_rows_next(lmtext_kept_rows *kept, lm_train_rows *rows)
{
    MemoryContextReset(kept->batch);
    if (kept->next != NULL) {
        take_batch(kept, kept->next->bytes, rows);
        kept->next = kept->next->next;
        return true;
    }
    if (kept->left == 0)
        return false;
    kept->left--;
    take_batch(kept, read_batch(kept), rows);
    return true;
}

void
lmtext_kept_rows_close(lmtext_kept_rows *kept)
{
    if (kept->file != NULL)
        BufFileClose(kept->file);
    kept->file = NULL;
}
