/*
 * args.h - what every SQL entry does with its arguments: which model version is meant, options,
 * defaults, and results remembered for arguments that do not change within a statement.
 *
 * Everything here hangs on the FmgrInfo (fn_extra, in fn_mcxt). An expression of PL/pgSQL keeps its
 * FmgrInfo longer than a statement and calls with other values, so nothing is trusted for its age:
 * a name is resolved anew when transaction, command, user or search_path are other ones, and a
 * remembered result is used only where all bytes that it was made from are the same.
 *
 * Laws: fn_extra of an entry belongs to this file. A function has at most one model argument, of
 * type text (a name; NULL: the task's default) or regclass (one version, pinned: obeys no GUC).
 */
#ifndef LMTEXT_ARGS_H
#define LMTEXT_ARGS_H

#include "pg/cache/cache.h"
#include "pg/cache/stats.h"

/*
 * A SQL entry whose calls count in lmtext.stats under `function`; the static NAME_call that
 * follows does the work.
 */
#define LMTEXT_COUNTED(name, function)           \
    static Datum name##_call(PG_FUNCTION_ARGS);  \
    PG_FUNCTION_INFO_V1(name);                   \
    Datum name(PG_FUNCTION_ARGS)                 \
    {                                            \
        int call = lmtext_stats_begin(function); \
        Datum result = name##_call(fcinfo);      \
                                                 \
        lmtext_stats_end(call);                  \
        return result;                           \
    }                                            \
    extern int no_such_variable

/* Which setting stands for a model argument that is NULL or left out. */
typedef enum lmtext_default {
    LMTEXT_DEFAULT_EMBEDDING,     /* lmtext.embedding_model */
    LMTEXT_DEFAULT_CLASSIFICATION /* lmtext.classification_model */
} lmtext_default;

/*
 * The model that argument `argno` means, loaded, pinned and checked for the current user. argno −1:
 * the function has no such argument, the default is meant.
 */
lmtext_model *lmtext_arg_model(FunctionCallInfo fcinfo, int argno, lmtext_default which);

/* The same for a name from elsewhere (a trigger's argument); resolved once while it is the same. */
lmtext_model *lmtext_named_model(FunctionCallInfo fcinfo, const char *name);
/* And for a trigger's, which means the same whoever fires it. */
lmtext_model *lmtext_trigger_model(FunctionCallInfo fcinfo, const char *name, Oid table);

/* Is argument `argno` of type regclass? */
bool lmtext_arg_pinned(FunctionCallInfo fcinfo, int argno);

/*
 * What to do with a text beyond the window. A pinned call takes it from argument `argno`
 * ("truncate", "error" or "mean"; NULL or no such argument: truncate), others from
 * lmtext.on_long.
 */
lm_on_long lmtext_arg_on_long(FunctionCallInfo fcinfo, int model_argno, int argno);

/* Options of a plain embedding: no prompt but the model's own, all dimensions. */
void lmtext_embed_defaults(lm_embed_options *options, lm_on_long on_long);

/* Width of a vector by these options; what is out of range is an error, and so is a classifier. */
int lmtext_embed_width(lmtext_model *model, const lm_embed_options *options);
/* Embed into out (count, width), and count the work in the backend's statistics. */
void lmtext_embed_texts(lmtext_model *model, const lm_text *texts, size_t count,
                        const lm_embed_options *options, float *out);
/* The same as far as it goes: how many texts, from the first on, were embedded before one failed.
 */
size_t lmtext_embed_some(lmtext_model *model, const lm_text *texts, size_t count,
                         const lm_embed_options *options, float *out);

/* A text argument in UTF-8; the datum is detoasted and lives as long as the call. */
lm_text lmtext_arg_text(FunctionCallInfo fcinfo, int argno);
/* Where its bytes lie, as a row holds them (glue/ahead.h); none where they lie out of line. */
lm_text lmtext_arg_bytes(FunctionCallInfo fcinfo, int argno);
/* The same as a C string, or NULL where the argument is NULL or the function has fewer. */
char *lmtext_arg_cstring(FunctionCallInfo fcinfo, int argno);
bool lmtext_arg_is_null(FunctionCallInfo fcinfo, int argno); /* or not there */
bool lmtext_arg_bool(FunctionCallInfo fcinfo, int argno, bool fallback);
/* In [low, high]; 22023 names the argument and the range. NULL or not there: fallback. */
int lmtext_arg_int(FunctionCallInfo fcinfo, int argno, const char *name, int fallback, int low,
                   int high);

/*
 * Memo: a result is not computed again while its argument stays the same, wherever that comes from:
 * a constant, a parameter, a subquery, a join with one row, a column whose neighbours are equal.
 * The last result of each call is kept, and calls of one function in one statement share the
 * latest. A comparison of lengths most often tells texts apart, and keeping a vector takes less
 * than a thousandth of computing it.
 *
 *     lm_text parts[] = { { (char *) &key, sizeof key }, text };
 *     value = lmtext_memo_find(fcinfo, 0, parts, 2, NULL);
 *     if (value == NULL)
 *         value = lmtext_memo_keep(fcinfo, 0, parts, 2, computed, size);
 *
 * The slot is the number of the argument that the text is. The first part is a struct with the
 * model's build and options, zeroed before it is filled (padding is compared as well). A found
 * value lives until the slot is kept anew: where lmtext_args_stable says that all arguments stay
 * the same, it may be returned, else a copy of it. What is kept may be `computed` itself, where it
 * is too large.
 */
#define LMTEXT_MEMO_SLOTS 2
const void *lmtext_memo_find(FunctionCallInfo fcinfo, int slot, const lm_text *parts, int count,
                             size_t *size);
const void *lmtext_memo_keep(FunctionCallInfo fcinfo, int slot, const lm_text *parts, int count,
                             const void *value, size_t size);

/* Are arguments `first` to `last` the same while the statement runs (glue/expr.h)? */
bool lmtext_args_stable(FunctionCallInfo fcinfo, int first, int last);

/* Space of `size` bytes per FmgrInfo, zeroed when first asked for; one per function. */
void *lmtext_arg_space(FunctionCallInfo fcinfo, size_t size);

/* Settings: lmtext.embedding_model, .classification_model, .on_long, .batch_tokens. */
extern int lmtext_batch_tokens;
void lmtext_fn_init(void); /* from _PG_init */

#endif
