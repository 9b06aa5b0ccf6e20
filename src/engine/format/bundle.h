/*
 * bundle.h - a Hugging Face model folder as read: config.json, tokenizer.json, the files of
 * sentence-transformers (both generations), and the directory of tensors. Knows no family.
 *
 * A source without config.json but with head.json is a head: a classifier trained on another
 * model's embedding, in head.json and head.safetensors.
 */
#ifndef LM_BUNDLE_H
#define LM_BUNDLE_H

#include "format/keys.h"
#include "format/tensors.h"

typedef enum lm_pooling {
    LM_POOL_NONE, /* not a sentence-transformers folder: mean is used, as that library does */
    LM_POOL_MEAN,
    LM_POOL_CLS,
    LM_POOL_MAX,
    LM_POOL_MEAN_SQRT,
    LM_POOL_WEIGHTED_MEAN,
    LM_POOL_LAST
} lm_pooling;

typedef struct lm_prompt {
    const char *name;
    const char *text;
} lm_prompt;

/* What sentence-transformers' files say. */
typedef struct lm_sentence_spec {
    bool present; /* modules.json is there, and counts */
    /* Of config_sentence_transformers.json, where it is not SentenceTransformer; NULL: none. */
    const char *model_type;
    lm_pooling pooling;
    bool include_prompt; /* prompt tokens take part in pooling */
    bool normalize;
    bool lower_case;             /* do_lower_case of sentence_bert_config.json */
    int max_seq_length;          /* 0: not said */
    int embedding_dimension;     /* width that pooling expects; 0: not said */
    const lm_json *truncate_dim; /* the embedding is cut to so many; NULL: not said */
    const lm_prompt *prompts;
    int prompt_count;
    const char *default_prompt; /* name or NULL */
} lm_sentence_spec;

typedef struct lm_bundle {
    /* Where config, tokenizer and weights are; "": the source itself, as all but old models have.
     */
    const char *folder;
    const char *config_file;         /* the name of config.json there */
    const lm_json *config;           /* config.json, NULL for a head */
    const lm_json *head;             /* head.json, NULL for a model folder */
    const lm_json *tokenizer;        /* tokenizer.json, NULL when absent */
    const lm_json *tokenizer_config; /* NULL when absent */
    const lm_json *special_map;      /* special_tokens_map.json, NULL when absent */
    const lm_json *added_tokens;     /* added_tokens.json, NULL when absent */
    lm_sentence_spec sentence;
    lm_tensors tensors;
    lm_tensors quantized; /* lm_bundle_open_quantized; file_count 0: none */
} lm_bundle;

/*
 * What a calibrated int8 version has beyond the files of its model: the matrices in int8. The
 * metadata says what it is. docs/internals/quantize.md has the format.
 */
#define LM_QUANTIZED_FILE "quantized.safetensors"
#define LM_QUANTIZED_FORMAT "lmtext.int8"
#define LM_QUANTIZED_VERSION "1"

/* Names of the files that make the model, in reading order: settings first, then weights. */
typedef struct lm_file_list {
    const char *const *names;
    size_t count;
} lm_file_list;

/* Which files of a source belong to the model. Missing required files are LM_NO_FILE here. */
lm_status lm_bundle_list(lm_context *ctx, lm_arena *arena, const lm_source *source,
                         lm_file_list *list);

/*
 * Read everything but the tensors' data. notes is NULL where a stored version is loaded: keys of
 * the settings are checked at import only.
 */
lm_status lm_bundle_open(lm_context *ctx, lm_arena *arena, const lm_source *source, lm_notes *notes,
                         lm_bundle *bundle);

/* The failure of a model without tokenizer.json; says what is there in its place. */
lm_status lm_bundle_no_tokenizer(lm_context *ctx, lm_arena *arena, const lm_source *source,
                                 const lm_bundle *bundle);

/* The directory of LM_QUANTIZED_FILE, where the source has one: for precision int8 only. */
lm_status lm_bundle_open_quantized(lm_context *ctx, lm_arena *arena, const lm_source *source,
                                   lm_bundle *bundle);

/* max_seq_length, else model_max_length, capped by `positions`; DESIGN §10 has the order. */
int lm_bundle_window(const lm_bundle *bundle, int positions);

#endif
