/*
 * args.h - what every SQL entry does with its arguments: fetching them, which model version is
 * meant, and results remembered for arguments that do not change within a statement.
 *
 * Everything here hangs on the FmgrInfo (fn_extra, in fn_mcxt); the rooms' own parts are in
 * pg/service (resolver.h, memo.h, lookahead.h, infer.h).
 *
 * Laws: fn_extra of an entry belongs to this file. A function has at most one model argument, of
 * type text (a name; NULL: the task's default) or regclass (one version, pinned: obeys no GUC).
 */
#ifndef LMTEXT_ARGS_H
#define LMTEXT_ARGS_H

#include "pg/service/entry.h"
#include "pg/service/infer.h"
#include "pg/service/memo.h"
#include "pg/watch/stats.h"

/*
 * A SQL entry and what is known of it (service/entry.h); the static NAME_call that follows does the
 * work.
 */
#define LMTEXT_ENTRY(function, ...)                                                  \
    static Datum function##_call(PG_FUNCTION_ARGS);                                  \
    static const lmtext_entry function##_entry = {.symbol = #function, __VA_ARGS__}; \
    static const lmtext_entry *const function##_listed                               \
        __attribute__((used, section(LMTEXT_ENTRY_SECTION))) = &function##_entry;    \
    PG_FUNCTION_INFO_V1(function);                                                   \
    Datum function(PG_FUNCTION_ARGS)                                                 \
    {                                                                                \
        return lmtext_entry_call(fcinfo, &function##_entry, function##_call);        \
    }                                                                                \
    extern int no_such_variable

/* The work, counted. */
Datum lmtext_entry_call(FunctionCallInfo fcinfo, const lmtext_entry *entry, PGFunction work);

/*
 * The model of the entry's argument, loaded, pinned and checked for the current user and the
 * entry's task. NULL, or no such argument: the task's default is meant.
 */
lmtext_model *lmtext_arg_model(FunctionCallInfo fcinfo);
/* The default model of a task, for an entry that finds its model by itself. */
lmtext_model *lmtext_default_model(FunctionCallInfo fcinfo, const char *task);

/* The same for a name from elsewhere (a trigger's argument); resolved once while it is the same. */
lmtext_model *lmtext_named_model(FunctionCallInfo fcinfo, const char *name);
/* And for a trigger's, which means the same whoever fires it. */
lmtext_model *lmtext_trigger_model(FunctionCallInfo fcinfo, const char *name, Oid table);

/* Is the model argument of type regclass? */
bool lmtext_arg_pinned(FunctionCallInfo fcinfo);

/*
 * What to do with a text beyond the window. A pinned call takes it from argument `argno`
 * ("truncate", "error" or "mean"; NULL or no such argument: truncate), others from
 * lmtext.on_long.
 */
lm_on_long lmtext_arg_on_long(FunctionCallInfo fcinfo, int argno);

/* A text argument in UTF-8; the datum is detoasted and lives as long as the call. */
lm_text lmtext_arg_text(FunctionCallInfo fcinfo, int argno);
/* The same as a C string, or NULL where the argument is NULL or the function has fewer. */
char *lmtext_arg_cstring(FunctionCallInfo fcinfo, int argno);
bool lmtext_arg_is_null(FunctionCallInfo fcinfo, int argno); /* or not there */
bool lmtext_arg_bool(FunctionCallInfo fcinfo, int argno, bool fallback);
/* The argument `role`: "query" or "document"; NULL or not there: document. */
lm_side lmtext_arg_side(FunctionCallInfo fcinfo, int argno);
/* In [low, high]; 22023 names the argument and the range. NULL or not there: fallback. */
int lmtext_arg_int(FunctionCallInfo fcinfo, int argno, const char *name, int fallback, int low,
                   int high);

/*
 * The result of text argument `argno`, one of the entry's: remembered, made with those of the
 * rows after it, or computed now. NULL: it has no token, and lmtext.on_empty says so. Valid until
 * the next row, or for the statement where lmtext_args_stable says that all arguments stay the
 * same. In `body <=> 'words'` the words are computed once for all rows.
 */
const void *lmtext_arg_result(FunctionCallInfo fcinfo, int argno,
                              const lmtext_inference *inference);

/* The same of a pair: text arguments 0 and 1, which are an entry's only ones. */
const void *lmtext_arg_pair(FunctionCallInfo fcinfo, const lmtext_inference *inference);

/* The same by parts, for results that are remembered in another form. */
#define LMTEXT_MEMO_SLOTS 2 /* a memo for each text argument */
lmtext_memo *lmtext_arg_memo(FunctionCallInfo fcinfo, int argno);
const void *lmtext_arg_ahead(FunctionCallInfo fcinfo, int argno, const lmtext_inference *inference,
                             size_t item_size);
bool lmtext_arg_infer(FunctionCallInfo fcinfo, const lmtext_inference *inference, lm_text text,
                      void *result);

/* Are arguments `first` to `last` the same while the statement runs (glue/expr.h)? */
bool lmtext_args_stable(FunctionCallInfo fcinfo, int first, int last);
bool lmtext_arg_steady(FunctionCallInfo fcinfo, int argno); /* does it read no column? */

/* Space of `size` bytes per FmgrInfo, zeroed when first asked for; one per function. */
void *lmtext_arg_space(FunctionCallInfo fcinfo, size_t size);

#endif
