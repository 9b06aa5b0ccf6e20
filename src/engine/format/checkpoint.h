/*
 * checkpoint.h - a model's files as read: settings, tokenizer, the directory of tensors. Which
 * files these are and what they are called is the container's business (containers.c): a Hugging
 * Face folder, or lmtext's own folder. Knows no family.
 */
#ifndef LM_CHECKPOINT_H
#define LM_CHECKPOINT_H

#include "format/keys.h"
#include "format/spm_files.h"
#include "format/tensors.h"

typedef enum lm_pooling {
    LM_POOL_NONE, /* not a sentence-transformers folder: mean is used, as that library does */
    LM_POOL_MEAN,
    LM_POOL_CLS,
    LM_POOL_MAX,
    LM_POOL_MEAN_SQRT,
    LM_POOL_WEIGHTED_MEAN,
    LM_POOL_LAST,
    LM_POOL_LATE, /* of a head alone: the mean of what its first layer makes of each token */
    LM_POOL_COUNT
} lm_pooling;

/* As sentence-transformers names it; of LM_POOL_NONE, the mean. */
const char *lm_pooling_name(lm_pooling pooling);

/*
 * Which side of a search a text is on: queries and documents may have prompts, and modules, of
 * their own.
 */
typedef enum lm_side { LM_SIDE_NONE, LM_SIDE_QUERY, LM_SIDE_DOCUMENT, LM_SIDE_COUNT } lm_side;

typedef struct lm_prompt {
    const char *name;
    const char *text;
} lm_prompt;

/* Behind pooling, a module makes a vector of a vector. */
typedef enum lm_step_kind {
    LM_STEP_DENSE,
    LM_STEP_LAYER_NORM,
    LM_STEP_NORMALIZE, /* to length 1 */
    LM_STEP_KINDS
} lm_step_kind;

typedef struct lm_step_spec {
    lm_step_kind kind;
    const char *file;   /* its config.json */
    const char *folder; /* of its tensors */
    int in, out;        /* widths; 0: any, as NORMALIZE has it */
    bool bias;          /* of DENSE: it has one */
    bool residual;      /* of DENSE: what goes in is added to what comes out */
    const char *act;    /* of DENSE: a class of torch.nn */
    lm_tensors tensors;
} lm_step_spec;

/* Which library's files say that a model is for late interaction. */
typedef enum lm_late_writer {
    LM_LATE_NONE, /* none: it is not */
    LM_LATE_PYLATE,
    LM_LATE_SENTENCE_TRANSFORMERS
} lm_late_writer;

/* Of a model for late interaction: a vector for each token, of queries and documents. */
typedef struct lm_late_spec {
    lm_late_writer writer;
    int query_length, document_length; /* tokens at most; 0: the window */
    bool expanded;                     /* queries are filled up to their length */
    bool attended;                     /* what fills them is attended to */
    const char *filler;                /* the token; NULL: the mask */
    const char *markers[2];            /* pylate's, of queries and documents; NULL: none */
    const char *const *skip;           /* tokens that have no vector */
    int skip_count;
    bool skip_queries, skip_documents; /* on which side that counts */
    bool masked;                       /* a module says so */
} lm_late_spec;

/* WeightedLayerPooling: hidden states are the weighted mean of those behind several layers. */
typedef struct lm_mix_spec {
    bool present;
    const char *file;   /* its config.json */
    const char *folder; /* of its tensor */
    int width;          /* that it expects; 0: not said */
    int first, layers;  /* from 0, the embeddings; of the transformer */
    lm_tensors tensors;
} lm_mix_spec;

/* Of models whose tokens are words, without a transformer. */
typedef struct lm_word_spec {
    const lm_json *weights; /* config.json of WordWeights; NULL: words count alike */
    const char *file;       /* its name */
} lm_word_spec;

#define LM_STEP_LIMIT 12
#define LM_POOLING_LIMIT 8

/*
 * How outputs of a head on the vocabulary become a learned sparse vector (SPLADE): flags, since
 * they are stored; 0: the model makes none. Without the others the greatest of log(1 + max(0, x))
 * counts.
 */
typedef enum lm_splade {
    LM_SPLADE = 1,
    LM_SPLADE_SUM = 2,  /* tokens are added */
    LM_SPLADE_TWICE = 4 /* log(1 + x) of that once more */
} lm_splade;
#define LM_SPLADE_ALL (LM_SPLADE | LM_SPLADE_SUM | LM_SPLADE_TWICE)

/* What sentence-transformers' files say. */
typedef struct lm_sentence_transformers {
    bool present; /* modules.json is there, and counts */
    /* Of config_sentence_transformers.json, where it is not SentenceTransformer; NULL: none. */
    const char *model_type;
    lm_pooling pooling;
    lm_pooling more_poolings[LM_POOLING_LIMIT - 1]; /* whose vectors stand behind it */
    int more_count;
    bool include_prompt; /* prompt tokens take part in pooling */
    bool masked;         /* its transformer is one with a head on the vocabulary by its class */
    uint32_t splade;     /* lm_splade */
    lm_mix_spec mix;
    lm_step_spec *steps; /* up to LM_STEP_LIMIT, in the pipeline's order */
    int step_count;
    bool normalize;              /* behind these */
    bool lower_case;             /* do_lower_case of sentence_bert_config.json */
    int max_seq_length;          /* 0: not said */
    int embedding_dimension;     /* width that pooling expects; 0: not said */
    const lm_json *truncate_dim; /* the embedding is cut to so many; NULL: not said */
    const char *activation;      /* of a cross-encoder's number, by its name; NULL: not said */
    const lm_prompt *prompts;
    int prompt_count;
    const char *default_prompt; /* name or NULL */
    lm_late_spec late;
    lm_word_spec words;
} lm_sentence_transformers;

/* An entry of modules.json. */
typedef struct lm_module {
    const struct lm_module_kind *kind;
    const char *name;      /* "": none */
    const char *folder;    /* "": the source itself */
    const char *file;      /* its config.json, or NULL */
    const lm_json *config; /* NULL: none was read */
} lm_module;

/* The most that a pipeline can have. */
#define LM_MODULE_LIMIT (2 + LM_STEP_LIMIT)

typedef struct lm_checkpoint {
    const struct lm_container *container;
    /* Where config, tokenizer and weights are; "": the source itself, as all but old models have.
     */
    const char *folder;
    const char *config_file;         /* the name of config.json there */
    const lm_json *config;           /* config.json, NULL in lmtext's own folder */
    const char *settings_file;       /* of lmtext's own folder: head.json; NULL elsewhere */
    const lm_json *settings;         /* what it holds */
    const lm_json *tokenizer;        /* tokenizer.json, NULL when absent */
    const lm_json *tokenizer_config; /* NULL when absent */
    const lm_json *special_map;      /* special_tokens_map.json, NULL when absent */
    const lm_json *added_tokens;     /* added_tokens.json, NULL when absent */
    const char *transformer_file;    /* sentence_bert_config.json or an older name; NULL: none */
    const lm_json *transformer;      /* what it holds */
    /* Read where tokenizer.json is absent; NULL when they are absent too. */
    const lm_json *vocab_lines; /* vocab.txt: its lines as an array of strings */
    const lm_json *vocab_json;  /* vocab.json */
    const lm_json *merges;      /* merges.txt, as vocab.txt */
    lm_spm_file spm[LM_SPM_NAMES];
    /* Of a WordEmbeddings: whitespacetokenizer_config.json; NULL when absent. */
    const lm_json *words;
    const char *words_file;
    lm_sentence_transformers sentence;
    lm_module modules[LM_MODULE_LIMIT]; /* in the pipeline's order */
    int module_count;
    /* Of a Router: a checkpoint for each way that texts take, and which each side takes (-1: none).
     * What is theirs is not here. */
    struct lm_checkpoint *routes;
    int route_count; /* 0: the model has one way */
    int route_of[LM_SIDE_COUNT];
    lm_tensors tensors;
    bool on_base;         /* these are of a head alone: the encoder is another model's */
    lm_tensors quantized; /* lm_checkpoint_open_quantized; file_count 0: none */
} lm_checkpoint;

/*
 * What a calibrated int8 version has beyond the files of its model: the matrices in int8. The
 * metadata says what it is. docs/internals/quantize.md has the format.
 */
#define LM_QUANTIZED_FILE "quantized.safetensors"
#define LM_QUANTIZED_FORMAT "lmtext.int8"
#define LM_QUANTIZED_VERSION "1"

/* A head that lmtext trained: its settings and its tensors. In a Hugging Face folder without
 * weights the latter are those of its model's head, whose encoder is another model's. */
#define LM_HEAD_JSON "head.json"
#define LM_HEAD_TENSORS "head.safetensors"

/* An n-gram language model that lmtext counted. */
#define LM_NGRAM_JSON "ngram.json"
#define LM_NGRAM_TENSORS "ngram.safetensors"

/* A classifier on n-grams that lmtext trained. */
#define LM_NGRAM_HEAD_JSON "ngram_head.json"
#define LM_NGRAM_HEAD_TENSORS "ngram_head.safetensors"

/* Names of the files that make the model, in reading order: settings first, then weights. */
typedef struct lm_file_list {
    const char *const *names;
    size_t count;
} lm_file_list;

/* Which files of a source belong to the model. Missing required files are LM_NO_FILE here. */
lm_status lm_checkpoint_list(lm_context *ctx, lm_arena *arena, const lm_source *source,
                             lm_file_list *list);

/*
 * Read everything but the tensors' data. notes is NULL where a stored version is loaded: keys of
 * the settings are checked at import only.
 */
lm_status lm_checkpoint_open(lm_context *ctx, lm_arena *arena, const lm_source *source,
                             lm_notes *notes, lm_checkpoint *checkpoint);

/* Whether its first module makes a vector of tokens at once: there is no transformer. */
bool lm_checkpoint_is_static(const lm_checkpoint *checkpoint);

/* Whether texts are counted words, of which there are no weights but those in config.json: BoW. */
bool lm_checkpoint_is_bag(const lm_checkpoint *checkpoint);
/* Whether words have vectors: WordEmbeddings. */
bool lm_checkpoint_has_words(const lm_checkpoint *checkpoint);

/* Whether its first module is of a class, by its name alone. */
bool lm_checkpoint_starts_with(const lm_checkpoint *checkpoint, const char *class_name);

/* The failure of a model without tokenizer.json; names what it found in its place. */
lm_status lm_checkpoint_no_tokenizer(lm_context *ctx, lm_arena *arena, const lm_source *source,
                                     const lm_checkpoint *checkpoint);

/* The directory of LM_QUANTIZED_FILE, where the source has one: for precision int8 only. */
lm_status lm_checkpoint_open_quantized(lm_context *ctx, lm_arena *arena, const lm_source *source,
                                       lm_checkpoint *checkpoint);

/* max_seq_length, else model_max_length, capped by `positions`; DESIGN §10 has the order. */
int lm_checkpoint_window(const lm_checkpoint *checkpoint, int positions);

#endif
