/*
 * options.c - WITH (model = 'minilm@1', words = tokens, lists = 100, pending_limit = 0), and the
 * settings of scans.
 */
#include "postgres.h"

#include "access/reloptions.h"
#include "utils/builtins.h"
#include "utils/guc.h"

#include "pg/am/index.h"
#include "pg/glue/init_once.h"
#include "pg/catalog/names.h"
#include "search/index_plan.h"

#define EFFORT_DEFAULT 1.0
#define PENDING_DEFAULT 1024
#define PENDING_MOST 65536

double lmtext_search_effort = EFFORT_DEFAULT;
bool lmtext_ordering_strict = false;
int lmtext_max_scan_tuples = 0;
bool lmtext_reuse_vectors = true;

enum { ORDERING_RELAXED, ORDERING_STRICT };
static int ordering_setting = ORDERING_RELAXED;

static const struct config_enum_entry ordering_values[] = {
    {"relaxed", ORDERING_RELAXED, false},
    {"strict", ORDERING_STRICT, false},
    {NULL, 0, false},
};

static relopt_kind option_kind;

/* A bare name would mean another version in another database, and after the next deployment. */
static void
check_model(const char *name)
{
    lmtext_name parsed;

    if (name == NULL || name[0] == '\0')
        return;
    lmtext_name_parse(name, &parsed);
    if (parsed.version == 0)
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                        errmsg("model name \"%s\" has no version", lmtext_clip(name)),
                        errdetail("An index is of one version of a model: its vectors cannot be "
                                  "compared with those of another."),
                        errhint("Write a version: WITH (model = '%s@1').", lmtext_clip(name))));
}

/* `words`: a boolean, or whose tokens they are. False: neither. */
static bool
read_words(const char *value, bool *words, bool *tokens)
{
    *tokens = pg_strcasecmp(value, "tokens") == 0;
    *words = *tokens;
    return *tokens || parse_bool(value, words);
}

static void
check_words(const char *value)
{
    bool words, tokens;

    if (value != NULL && !read_words(value, &words, &tokens))
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                        errmsg("invalid value for option \"words\": \"%s\"", lmtext_clip(value)),
                        errdetail("It is true, false, or tokens: those of the index's model.")));
}

bytea *
lmtext_am_options(Datum reloptions, bool validate)
{
    static const relopt_parse_elt table[] = {
        {"model", RELOPT_TYPE_STRING, offsetof(lmtext_index_options, model)},
        {"lists", RELOPT_TYPE_INT, offsetof(lmtext_index_options, lists)},
        {"pending_limit", RELOPT_TYPE_INT, offsetof(lmtext_index_options, pending_limit)},
        {"words", RELOPT_TYPE_STRING, offsetof(lmtext_index_options, words)},
        {"words_config", RELOPT_TYPE_STRING, offsetof(lmtext_index_options, words_config)},
    };

    return (bytea *)build_reloptions(reloptions, validate, option_kind,
                                     sizeof(lmtext_index_options), table, lengthof(table));
}

/* A text among the options; '' where it is not set. */
static const char *
text_option(const lmtext_index_options *options, int offset)
{
    return offset != 0 ? (const char *)options + offset : "";
}

lmtext_makers
lmtext_options_makers(const bytea *bytes)
{
    const lmtext_index_options *options = (const lmtext_index_options *)bytes;
    lmtext_makers makers = {.model = "", .config = ""};

    if (options == NULL)
        return makers;
    makers.model = text_option(options, options->model);
    makers.config = text_option(options, options->words_config);
    (void)read_words(text_option(options, options->words), &makers.words, &makers.tokens);
    return makers;
}

lmtext_makers
lmtext_index_makers(Relation index)
{
    return lmtext_options_makers(index->rd_options);
}

const char *
lmtext_index_model_option(Relation index)
{
    const char *model = lmtext_index_makers(index).model;

    return model[0] != '\0' ? model : NULL;
}

int
lmtext_index_lists_option(Relation index)
{
    const lmtext_index_options *options = (const lmtext_index_options *)index->rd_options;

    return options != NULL ? options->lists : 0;
}

int
lmtext_index_pending_option(Relation index)
{
    const lmtext_index_options *options = (const lmtext_index_options *)index->rd_options;

    return options != NULL ? options->pending_limit : PENDING_DEFAULT;
}

bool
lmtext_index_words_option(Relation index)
{
    return lmtext_index_makers(index).words;
}

static void
assign_ordering(int value, void *extra)
{
    lmtext_ordering_strict = value == ORDERING_STRICT;
}

/* A kind of options cannot be given back: it is made once. */
static void
make_reloptions(void)
{
    static bool made = false;

    if (made)
        return;
    option_kind = add_reloption_kind();
    add_string_reloption(option_kind, "model", "Model version that rows are embedded by", NULL,
                         check_model, AccessExclusiveLock);
    add_int_reloption(option_kind, "lists", "Number of inverted lists; 0: by the number of rows", 0,
                      0, (int)LM_LISTS_MOST, AccessExclusiveLock);
    add_int_reloption(option_kind, "pending_limit",
                      "Rows of text that may wait for being embedded; 0: none does",
                      PENDING_DEFAULT, 0, PENDING_MOST, AccessExclusiveLock);
    add_string_reloption(option_kind, "words",
                         "Keep what BM25 needs of the words of each row; tokens: of the model's",
                         NULL, check_words, AccessExclusiveLock);
    add_string_reloption(option_kind, "words_config",
                         "Text search configuration that cuts texts into words", NULL, NULL,
                         AccessExclusiveLock);
    made = true;
}

void
lmtext_am_settings(void)
{
    make_reloptions();
    LMTEXT_SETTING(Real, "lmtext.search_effort",
                   "Sets how much of an index of method lmtext a search looks at.",
                   "2 looks at about twice as much as 1, and finds more of the nearest rows.",
                   &lmtext_search_effort, EFFORT_DEFAULT, LM_EFFORT_LEAST, LM_EFFORT_MOST,
                   PGC_USERSET, 0, NULL, NULL, NULL);
    LMTEXT_SETTING(Enum, "lmtext.ordering",
                   "Sets what becomes of a row that an index scan finds too late.",
                   "relaxed returns it when it is found, strict leaves it out.", &ordering_setting,
                   ORDERING_RELAXED, ordering_values, PGC_USERSET, 0, NULL, assign_ordering, NULL);
    LMTEXT_SETTING(Int, "lmtext.max_scan_tuples",
                   "Sets after how many rows an index scan looks for no more.",
                   "0 means that it goes on until it has returned all rows.",
                   &lmtext_max_scan_tuples, 0, 0, INT_MAX, PGC_USERSET, 0, NULL, NULL, NULL);
    LMTEXT_SETTING(Bool, "lmtext.reuse_vectors",
                   "Sets whether an index that is built takes vectors from the index before.",
                   "off has all texts embedded anew.", &lmtext_reuse_vectors, true, PGC_USERSET, 0,
                   NULL, NULL, NULL);
}
