/*
 * module_kinds.c - what each module of a sentence-transformers pipeline reads of its config.json.
 */
#include "format/modules.h"

#include <string.h>

#include "format/late_interaction.h"
#include "format/sentence_keys.h"

/* Of a module's vectors. */
#define WIDEST (1 << 20)

/* ---- Pooling ---- */

/*
 * Both generations of the file end in a list of lm_pooling, whose vectors are concatenated. In the
 * order of the list in version 6; in the library's own where each is a boolean.
 */

/* A way of pooling, as version 6 names it and as the boolean of older versions. */
typedef struct pooling_name {
    const char *name;
    const char *flag;
    lm_pooling pooling;
} pooling_name;

static const pooling_name pooling_names[] = {
    {"cls", "pooling_mode_cls_token", LM_POOL_CLS},
    {"max", "pooling_mode_max_tokens", LM_POOL_MAX},
    {"mean", "pooling_mode_mean_tokens", LM_POOL_MEAN},
    {"mean_sqrt_len_tokens", "pooling_mode_mean_sqrt_len_tokens", LM_POOL_MEAN_SQRT},
    {"weightedmean", "pooling_mode_weightedmean_tokens", LM_POOL_WEIGHTED_MEAN},
    {"lasttoken", "pooling_mode_lasttoken", LM_POOL_LAST},
};

#define POOLING_COUNT (sizeof pooling_names / sizeof pooling_names[0])
#define POOLING_ALLOWED "one of cls, max, mean, mean_sqrt_len_tokens, weightedmean, lasttoken"

/* Behind those that are there; the caller knows that there is room. */
static void
add_pooling(lm_sentence_transformers *spec, lm_pooling pooling)
{
    if (spec->pooling == LM_POOL_NONE)
        spec->pooling = pooling;
    else
        spec->more_poolings[spec->more_count++] = pooling;
}

static lm_status
read_pooling_name(const lm_members *s, const lm_json *mode, lm_sentence_transformers *spec)
{
    for (size_t i = 0; i < POOLING_COUNT; i++)
        if (lm_json_is_string(mode, pooling_names[i].name)) {
            add_pooling(spec, pooling_names[i].pooling);
            return LM_OK;
        }
    return lm_members_refuse(s, LM_UNSUPPORTED, "pooling_mode", POOLING_ALLOWED);
}

/* Version 6: a name, or a list, which may have one several times. */
static lm_status
read_pooling_names(const lm_members *s, const lm_json *mode, lm_sentence_transformers *spec)
{
    if (mode->type != LM_JSON_ARRAY)
        return read_pooling_name(s, mode, spec);
    if (mode->as.items.count < 1 || mode->as.items.count > LM_POOLING_LIMIT)
        return lm_members_refuse(s, LM_UNSUPPORTED, "pooling_mode", "1 to 8 pooling modes");
    for (const lm_json *item = mode->as.items.first; item; item = item->next)
        LM_TRY(read_pooling_name(s, item, spec));
    return LM_OK;
}

/* Refuses a member of an older file that is a pooling flag, set, and unknown. */
static lm_status
check_pooling_flag(const lm_members *s, const lm_json *member)
{
    bool set = false;

    if (strncmp(member->key, "pooling_mode_", strlen("pooling_mode_")) != 0)
        return LM_OK;
    LM_TRY(lm_members_bool(s, member->key, &set));
    for (size_t i = 0; i < POOLING_COUNT; i++)
        if (!set || strcmp(member->key, pooling_names[i].flag) == 0)
            return LM_OK;
    return lm_members_refuse(s, LM_UNSUPPORTED, member->key, POOLING_ALLOWED);
}

static lm_status
read_pooling_flags(const lm_members *s, lm_sentence_transformers *spec)
{
    for (const lm_json *member = s->json->as.items.first; member; member = member->next)
        LM_TRY(check_pooling_flag(s, member));
    for (size_t i = 0; i < POOLING_COUNT; i++) {
        bool set = false;

        LM_TRY(lm_members_bool(s, pooling_names[i].flag, &set));
        if (set)
            add_pooling(spec, pooling_names[i].pooling);
    }
    return LM_OK;
}

/*
 * The new spelling wins where both are there; no pooling named at all means the mean. Both as the
 * library does it.
 */
static lm_status
read_pooling(const lm_members *s, lm_sentence_transformers *spec)
{
    const lm_json *mode = lm_members_get(s, "pooling_mode");

    LM_TRY(lm_members_bool(s, "include_prompt", &spec->include_prompt));
    LM_TRY(lm_members_positive(s, "word_embedding_dimension", &spec->embedding_dimension));
    LM_TRY(lm_members_positive(s, "embedding_dimension", &spec->embedding_dimension));
    if (mode)
        return read_pooling_names(s, mode, spec);
    LM_TRY(read_pooling_flags(s, spec));
    if (spec->pooling == LM_POOL_NONE)
        spec->pooling = LM_POOL_MEAN;
    return LM_OK;
}

/* ---- Steps behind it ---- */

/* The next step; there are fewer than modules. */
static lm_step_spec *
add_step(lm_sentence_transformers *spec, lm_step_kind kind)
{
    lm_step_spec *step = &spec->steps[spec->step_count++];

    step->kind = kind;
    return step;
}

/* Version 6 can also work on other features; older versions of Normalize have no file at all. */
static lm_status
expect_embedding(const lm_members *s)
{
    LM_TRY(lm_members_expect(s, "module_input_name", "sentence_embedding"));
    return lm_members_expect(s, "module_output_name", "sentence_embedding");
}

/* A name left out means the embedding of the text, which late interaction has none of. */
static lm_status
expect_tokens(const lm_members *s)
{
    LM_TRY(lm_members_expect(s, "module_input_name", "token_embeddings"));
    return lm_members_expect(s, "module_output_name", "token_embeddings");
}

static lm_status
read_token_normalize(const lm_members *s, lm_sentence_transformers *spec)
{
    if (!lm_members_get(s, "module_input_name"))
        return lm_members_refuse(s, LM_UNSUPPORTED, "module_input_name", "\"token_embeddings\"");
    LM_TRY(expect_tokens(s));
    add_step(spec, LM_STEP_NORMALIZE);
    return LM_OK;
}

static lm_status
read_normalize(const lm_members *s, lm_sentence_transformers *spec)
{
    LM_TRY(expect_embedding(s));
    add_step(spec, LM_STEP_NORMALIZE);
    return LM_OK;
}

/* A width, which must be there. */
static lm_status
read_width(const lm_members *s, const char *key, int *width)
{
    *width = 0;
    LM_TRY(lm_members_positive(s, key, width));
    if (*width > 0 && *width <= WIDEST)
        return LM_OK;
    return lm_members_refuse(s, LM_BAD_MODEL, key, "an integer from 1 to 1048576");
}

/*
 * The class behind the last dot. The library runs classes of torch alone, and takes tanh in place
 * of others, as where none is named.
 */
static lm_status
read_activation(const lm_members *s, const char **act)
{
    static const char torch[] = "torch.";
    const char *path = NULL;

    LM_TRY(lm_members_string(s, "activation_function", &path));
    *act = "Tanh";
    if (path && strncmp(path, torch, sizeof torch - 1) == 0)
        *act = strrchr(path, '.') + 1;
    else if (path && s->reader->notes)
        lm_notes_add(s->reader->notes, s->file, "activation_function",
                     "%.80s is no class of torch: Tanh is used, as by sentence-transformers", path);
    return LM_OK;
}

/* What it is, whatever it reads. */
static lm_status
read_linear(const lm_members *s, lm_sentence_transformers *spec)
{
    lm_step_spec *step = add_step(spec, LM_STEP_DENSE);

    step->bias = true;
    LM_TRY(read_width(s, "in_features", &step->in));
    LM_TRY(read_width(s, "out_features", &step->out));
    LM_TRY(lm_members_bool(s, "bias", &step->bias));
    LM_TRY(lm_members_bool(s, "use_residual", &step->residual));
    return read_activation(s, &step->act);
}

static lm_status
read_dense(const lm_members *s, lm_sentence_transformers *spec)
{
    LM_TRY(expect_embedding(s));
    return read_linear(s, spec);
}

static lm_status
read_token_dense(const lm_members *s, lm_sentence_transformers *spec)
{
    LM_TRY(expect_tokens(s));
    return read_linear(s, spec);
}

static lm_status
read_layer_norm(const lm_members *s, lm_sentence_transformers *spec)
{
    lm_step_spec *step = add_step(spec, LM_STEP_LAYER_NORM);

    LM_TRY(read_width(s, "dimension", &step->in));
    step->out = step->in;
    return LM_OK;
}

/* ---- Sparse vectors ---- */

/* One of two words, the first where the file is silent; *second says which it is. */
static lm_status
read_choice(const lm_members *s, const char *key, const char *const words[2], const char *allowed,
            bool *second)
{
    const char *word = words[0];

    LM_TRY(lm_members_string(s, key, &word));
    *second = strcmp(word, words[1]) == 0;
    if (*second || strcmp(word, words[0]) == 0)
        return LM_OK;
    return lm_members_refuse(s, LM_UNSUPPORTED, key, allowed);
}

static lm_status
read_splade(const lm_members *s, lm_sentence_transformers *spec)
{
    static const char *const strategies[] = {"max", "sum"};
    static const char *const activations[] = {"relu", "log1p_relu"};
    bool sum, twice;

    LM_TRY(read_choice(s, "pooling_strategy", strategies, "max or sum", &sum));
    LM_TRY(read_choice(s, "activation_function", activations, "relu or log1p_relu", &twice));
    spec->splade = LM_SPLADE | (sum ? LM_SPLADE_SUM : 0) | (twice ? LM_SPLADE_TWICE : 0);
    return LM_OK;
}

const char *
lm_pooling_name(lm_pooling pooling)
{
    for (size_t i = 0; i < POOLING_COUNT; i++)
        if (pooling_names[i].pooling == pooling)
            return pooling_names[i].name;
    return "mean";
}

/* ---- Hidden states of several layers ---- */

#define MIX_LAYERS 12 /* where the file does not say it, as the next */
#define MIX_FIRST 4

/* From 0. */
static lm_status
read_first_layer(const lm_members *s, int *first)
{
    const lm_json *member = lm_members_get(s, "layer_start");

    *first = MIX_FIRST;
    if (!member)
        return LM_OK;
    if (member->type != LM_JSON_NUMBER || !member->is_integer || member->integer < 0 ||
        member->integer > WIDEST)
        return lm_members_refuse(s, LM_UNSUPPORTED, "layer_start", "an integer of at least 0");
    *first = (int)member->integer;
    return LM_OK;
}

/* Of two such modules the last counts: both begin with the same layers. */
static lm_status
read_mix(const lm_members *s, lm_sentence_transformers *spec)
{
    spec->mix = (lm_mix_spec){.present = true, .layers = MIX_LAYERS};
    LM_TRY(lm_members_positive(s, "word_embedding_dimension", &spec->mix.width));
    LM_TRY(lm_members_positive(s, "embedding_dimension", &spec->mix.width));
    LM_TRY(lm_members_positive(s, "num_hidden_layers", &spec->mix.layers));
    return read_first_layer(s, &spec->mix.first);
}

/* ---- Words ---- */

#define WORD_FILE "wordembedding_config.json"

/* Words, and a number for each: in sentences of JSON some 30 bytes. */
#define WORDS_LIMIT (128 * LM_MB)

/* The words of PhraseTokenizer are those of the package NLTK. */
static lm_status
read_word_embeddings(const lm_members *s, lm_sentence_transformers *spec)
{
    static const char package[] = "sentence_transformers.", name[] = "WhitespaceTokenizer";
    const char *path = "", *dot;

    LM_TRY(lm_members_string(s, "tokenizer_class", &path));
    dot = strrchr(path, '.');
    if (strncmp(path, package, sizeof package - 1) != 0 || strcmp(dot + 1, name) != 0)
        return lm_members_refuse(s, LM_UNSUPPORTED, "tokenizer_class",
                                 "sentence_transformers' WhitespaceTokenizer");
    return lm_members_positive(s, "max_seq_length", &spec->max_seq_length);
}

static lm_status
read_word_weights(const lm_members *s, lm_sentence_transformers *spec)
{
    if (spec->words.weights)
        return lm_members_refuse(s, LM_UNSUPPORTED, "word_weights", "one WordWeights");
    spec->words = (lm_word_spec){s->json, s->file};
    return LM_OK;
}

/* There is no vector of a first token: the library fails. */
static lm_status
read_word_pooling(const lm_members *s, lm_sentence_transformers *spec)
{
    bool first;

    LM_TRY(read_pooling(s, spec));
    first = spec->pooling == LM_POOL_CLS;
    for (int i = 0; i < spec->more_count; i++)
        first |= spec->more_poolings[i] == LM_POOL_CLS;
    return first ? lm_members_refuse(s, LM_UNSUPPORTED, "pooling_mode",
                                     "another pooling than cls, behind WordEmbeddings")
                 : LM_OK;
}

/* ---- Kinds ---- */

const lm_module_kind lm_module_kinds[] = {
    {"Transformer", LM_STAGE_START, LM_STAGE_TOKENS, NULL, false, NULL, false, NULL, 0},
    {"MLMTransformer", LM_STAGE_START, LM_STAGE_TOKENS, NULL, false, NULL, false, NULL, 0},
    {"SpladePooling", LM_STAGE_TOKENS, LM_STAGE_SPARSE, lm_splade_keys, true, read_splade, false,
     NULL, 0},
    {"WeightedLayerPooling", LM_STAGE_TOKENS, LM_STAGE_TOKENS, lm_mix_keys, true, read_mix, true,
     NULL, 0},
    {"Pooling", LM_STAGE_TOKENS, LM_STAGE_POOLED, lm_pooling_keys, true, read_pooling, false, NULL,
     0},
    {"StaticEmbedding", LM_STAGE_START, LM_STAGE_POOLED, NULL, false, NULL, false, NULL, 0},
    {"SparseStaticEmbedding", LM_STAGE_START, LM_STAGE_SPARSE, NULL, false, NULL, false, NULL, 0},
    {"BoW", LM_STAGE_START, LM_STAGE_POOLED, NULL, false, NULL, false, NULL, 0},
    {"WordEmbeddings", LM_STAGE_START, LM_STAGE_WORDS, lm_word_embeddings_keys, true,
     read_word_embeddings, false, WORD_FILE, 0},
    {"WordWeights", LM_STAGE_WORDS, LM_STAGE_WORDS, lm_word_weights_keys, true, read_word_weights,
     false, NULL, WORDS_LIMIT},
    {"Pooling", LM_STAGE_WORDS, LM_STAGE_POOLED, lm_pooling_keys, true, read_word_pooling, false,
     NULL, 0},
    {"Dense", LM_STAGE_POOLED, LM_STAGE_POOLED, lm_dense_keys, true, read_dense, true, NULL, 0},
    {"LayerNorm", LM_STAGE_POOLED, LM_STAGE_POOLED, lm_layer_norm_keys, true, read_layer_norm, true,
     NULL, 0},
    /* Does nothing but in training. */
    {"Dropout", LM_STAGE_POOLED, LM_STAGE_POOLED, lm_dropout_keys, false, NULL, false, NULL, 0},
    {"Normalize", LM_STAGE_POOLED, LM_STAGE_POOLED, lm_normalize_keys, false, read_normalize, false,
     NULL, 0},
    /* Of late interaction: each works on the vectors of all tokens. */
    {"Transformer", LM_STAGE_LATE, LM_STAGE_TOKEN_VECTORS, NULL, false, NULL, false, NULL, 0},
    {"Dense", LM_STAGE_TOKEN_VECTORS, LM_STAGE_TOKEN_VECTORS, lm_dense_keys, true, read_token_dense,
     true, NULL, 0},
    {"MultiVectorMask", LM_STAGE_TOKEN_VECTORS, LM_STAGE_TOKEN_VECTORS, lm_mask_keys, true,
     lm_late_read_mask, false, NULL, 0},
    {"Normalize", LM_STAGE_TOKEN_VECTORS, LM_STAGE_TOKEN_VECTORS, lm_normalize_keys, true,
     read_token_normalize, false, NULL, 0},
    {0},
};
