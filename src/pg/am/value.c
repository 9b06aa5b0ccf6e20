/*
 * value.c - what is indexed, as vectors: texts by the index's model, real[] as they are, other
 * types as their cast to real[] has them.
 *
 * Rows are embedded as the owner of the index, who was allowed to use the model when it was made:
 * who may insert into a table need not know of its indexes. The words of a query are the current
 * user's, as they are the operator's. Long texts are cut, whatever lmtext.on_long says: an index is
 * pinned.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/array.h"

#include "pg/am/index.h"
#include "pg/service/entry.h"
#include "pg/service/tasks.h"

/* For statistics alone: there is no such function, so it is none of a task's. */
static const lmtext_entry index_entry = {.symbol = "lmtext_index", .name = "index"};
static const lmtext_entry *const index_listed __attribute__((used, section(LMTEXT_ENTRY_SECTION))) =
    &index_entry;

int
lmtext_index_stats_begin(void)
{
    static int32 number = 0;

    if (number == 0)
        number = lmtext_entry_number(index_entry.name);
    return lmtext_stats_begin(number);
}

/* As the operator chooses sides (fn/embed.c): a model that has no ways of its own has none. */
static lm_side
side_of(const lmtext_model *model, lm_side side)
{
    return model->model.routes != NULL ? side : LM_SIDE_NONE;
}

static void
begin(lmtext_embedder *embedder, Relation index, lm_side side)
{
    Oid version = lmtext_index_version(index, &embedder->resolver);
    lmtext_model *model = lmtext_resolver_use(&embedder->resolver, version);

    lmtext_task_check(model, "embedding");
    lmtext_embed_defaults(&embedder->inference.options, LM_LONG_TRUNCATE);
    embedder->inference.options.side = side_of(model, side);
    lmtext_infer_init(&embedder->inference, &lmtext_vectors, model);
}

void
lmtext_embedder_rows(lmtext_embedder *embedder, Relation index)
{
    Oid user;
    int context;

    GetUserIdAndSecContext(&user, &context);
    PG_TRY();
    {
        SetUserIdAndSecContext(index->rd_rel->relowner, context | SECURITY_LOCAL_USERID_CHANGE);
        begin(embedder, index, LM_SIDE_DOCUMENT);
    }
    PG_FINALLY();
    {
        SetUserIdAndSecContext(user, context);
    }
    PG_END_TRY();
}

void
lmtext_embedder_words(lmtext_embedder *embedder, Relation index)
{
    begin(embedder, index, LM_SIDE_QUERY);
}

void
lmtext_embedder_check(const lmtext_embedder *embedder, Relation index, const lmtext_meta *meta)
{
    const lmtext_model *model = embedder->inference.model;

    if (meta->width == 0)
        return;
    if (memcmp(&model->identity.digest, &meta->digest, sizeof meta->digest) == 0) {
        if (lmtext_embed_width(embedder->inference.model, &embedder->inference.options) !=
            meta->width)
            lmtext_index_damaged(index, 0, "The meta page has another width than its model.");
        return;
    }
    ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                    errmsg("index \"%s\" was made by another model than \"%s\" is now",
                           RelationGetRelationName(index), model->name),
                    errdetail("Numbers that compare vectors of two versions mean nothing."),
                    errhint("REINDEX INDEX %s.", RelationGetRelationName(index))));
}

/* What fails in a batch is tried alone, for its own error, or because it may be left out. */
void
lmtext_embedder_texts(lmtext_embedder *embedder, const lm_text *texts, int count, bool left_out,
                      lmtext_embedded done, void *argument)
{
    const lmtext_inference *inference = &embedder->inference;
    int width = lmtext_embed_width(inference->model, &inference->options), at = 0;
    float *vectors = palloc((size_t)count * width * sizeof(float));

    while (at < count) {
        int some = (int)lmtext_infer_some(inference, texts + at, count - at, vectors, NULL);

        for (int i = 0; i < some; i++)
            done(argument, at + i, vectors + (size_t)i * width, width);
        at += some;
        if (at < count &&
            (left_out ? lmtext_infer_has_token(inference, texts[at], vectors)
                      : lmtext_infer_text(inference, texts[at], vectors, &embedder->empty)))
            done(argument, at, vectors, width);
        at++;
        CHECK_FOR_INTERRUPTS();
    }
    pfree(vectors);
}

lm_hash128
lmtext_value_hash(const lmtext_meta *meta, const void *bytes, size_t length)
{
    lm_siphash hash;

    lm_siphash_begin(&hash, meta->hash_key);
    lm_siphash_add(&hash, bytes, length);
    return lm_siphash_end(&hash);
}

/* As a cast to real[] does, that somebody has written. */
static Datum
converted(const lmtext_kind *kind, Datum value)
{
    return kind->convert == NULL
               ? value
               : FunctionCall3(kind->convert, value, Int32GetDatum(-1), BoolGetDatum(true));
}

const float *
lmtext_value_floats(const lmtext_kind *kind, Datum value, int width, int *found)
{
    const float *floats =
        lmtext_floats_from_array(DatumGetArrayTypeP(converted(kind, value)), found);

    lmtext_check_finite(floats, *found);
    if (*found > (int)LM_SPACE_WIDEST)
        ereport(ERROR,
                (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
                 errmsg("vector has %d dimensions", *found),
                 errdetail("An index of method lmtext takes at most %d.", (int)LM_SPACE_WIDEST)));
    if (width != 0 && *found != width)
        ereport(ERROR, (errcode(ERRCODE_DATA_EXCEPTION),
                        errmsg("vectors have different dimensions: %d and %d", width, *found),
                        errdetail("All vectors of an index have as many as its first.")));
    return floats;
}
