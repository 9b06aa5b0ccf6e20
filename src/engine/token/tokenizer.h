/*
 * tokenizer.h - a Hugging Face tokenizer: the five stages of tokenizer.json (normalizer,
 * pre-tokenizer, model, post-processor, decoder), added tokens and truncation.
 *
 * A tokenizer is compiled once from JSON into a relocatable image (offsets only), which may lie in
 * shared memory at another address in each process, and is read through a small private view.
 * Reading never writes to the image. Ids and offsets equal those of the `tokenizers` library.
 */
#ifndef LM_TOKENIZER_H
#define LM_TOKENIZER_H

#include "base/arena.h"
#include "base/buffer.h"
#include "base/notes.h"
#include "format/json.h"
#include "format/spm_files.h"

/* A view of an image; valid while the image is mapped. Opaque outside token/. */
typedef struct lm_tokenizer {
    const void *image;
    size_t size;
    int32_t vocab_size; /* highest id + 1, added tokens included */
    uint64_t serial;    /* no other view of this process has it; not 0 */
} lm_tokenizer;

/*
 * Compile tokenizer.json, with the overrides that tokenizer_config.json (may be NULL) has for Bert
 * classes, and append the image to `image` (aligned). Ids must be below max_vocab (rows of the
 * embedding). LM_UNSUPPORTED names a stage that is not there. Notes (may be NULL) name conflicts
 * between the files.
 */
lm_status lm_tokenizer_compile(lm_context *ctx, const lm_json *tokenizer,
                               const lm_json *tokenizer_config, int32_t max_vocab, lm_buffer *image,
                               lm_notes *notes);

/* The files of a model folder that describe its tokenizer; each but the first may be NULL. */
typedef struct lm_tokenizer_files {
    const lm_json *tokenizer;    /* tokenizer.json */
    const lm_json *config;       /* tokenizer_config.json */
    const lm_json *special_map;  /* special_tokens_map.json */
    const lm_json *added;        /* added_tokens.json */
    const lm_json *model_config; /* config.json, which may tell the class */
    /* Of folders without tokenizer.json. */
    const lm_json *vocab_lines; /* vocab.txt: an array of strings */
    const lm_json *vocab_json;  /* vocab.json */
    const lm_json *merges;      /* merges.txt: an array of strings */
    const lm_spm_file *spm;     /* LM_SPM_NAMES of them; NULL: none */
    bool older;                 /* tokenizer is what lm_tokenizer_from_older made of these */
} lm_tokenizer_files;

/*
 * Where tokenizer.json is missing, make it in the arena of the other files, as the class would
 * (older_files.c). It stays NULL where they do not tell.
 */
lm_status lm_tokenizer_from_older(lm_context *ctx, lm_arena *arena, lm_tokenizer_files *files);

/*
 * The tokenizer.json of a WhitespaceTokenizer of sentence-transformers, made of its settings: an
 * array of words `vocab`, and where these are there `stop_words` and `do_lower_case`. Of equal
 * words the last one is found. `unique`: it is a bag's, where the first one is, and the others are
 * not counted. `file` is the settings', for messages.
 */
lm_status lm_whitespace_tokenizer(lm_context *ctx, lm_arena *arena, const lm_json *settings,
                                  const char *file, bool unique, const lm_json **tokenizer);

/* The vocabulary of a net of layers: an array of words, whose places are their ids. */
typedef struct lm_listed_words {
    const char *file; /* for messages */
    const lm_json *words;
    const char *style; /* "whitespace", "unicode" */
    bool lower_case;
    uint32_t unknown; /* place of the word that stands for others */
} lm_listed_words;

bool lm_word_style_is_known(const char *name);
/* Its tokenizer.json. A word that occurs twice is LM_BAD_JSON. */
lm_status lm_listed_words_tokenizer(lm_context *ctx, lm_arena *arena, const lm_listed_words *list,
                                    const lm_json **tokenizer);

/* Does config.json tell the class, and does that set stages of the tokenizer? */
bool lm_tokenizer_class_implied(const lm_tokenizer_files *files);

/*
 * The same with all files. With notes, what the other files ask for and lmtext does not do is
 * refused (LM_UNSUPPORTED), and notes tell where transformers would make other ids of them.
 */
lm_status lm_tokenizer_compile_files(lm_context *ctx, const lm_tokenizer_files *files,
                                     int32_t max_vocab, lm_buffer *image, lm_notes *notes);

/* Make a view of an image; checks magic and size only (the image is our own). */
lm_status lm_tokenizer_bind(lm_context *ctx, const void *image, size_t size,
                            lm_tokenizer *tokenizer);

typedef struct lm_token_options {
    bool add_special;   /* put the special tokens of the post-processor around the text */
    bool parse_special; /* "[SEP]" written in the text becomes the special token */
    bool offsets;       /* fill start and stop */
    bool words;         /* with offsets: fill begins too, which takes the staged way */
    /* Keep this many, special tokens included, on the side that the tokenizer says; 0: all. */
    int max_tokens;
} lm_token_options;

/* What an offset would keep of the white space that it leaves out, if its token came first. */
typedef struct lm_spared {
    uint8_t start, stop;
} lm_spared;

/* Growable result; reusable from text to text without allocation. Offsets count characters. */
typedef struct lm_encoding {
    lm_context *ctx;
    size_t count;
    size_t capacity;
    int32_t *ids;
    int32_t *type_ids;
    int32_t *start; /* character offsets in the text given; 0,0 for special tokens */
    int32_t *stop;
    uint8_t *special;  /* 1 for tokens that the post-processor added */
    uint8_t *begins;   /* 1 for the first token of a word, as the pre-tokenizer cuts them */
    lm_spared *spared; /* of tokenizers that trim offsets (trim.h) */
    bool truncated;    /* more tokens were there than max_tokens */
} lm_encoding;

void lm_encoding_init(lm_encoding *encoding, lm_context *ctx);
void lm_encoding_free(lm_encoding *encoding);
size_t lm_encoding_bytes(const lm_encoding *encoding); /* that it has allocated */

/* Scratch of the stages, reusable from text to text without allocation. */
typedef struct lm_token_scratch lm_token_scratch;
lm_status lm_token_scratch_create(lm_context *ctx, lm_token_scratch **scratch);
void lm_token_scratch_free(lm_token_scratch *scratch); /* may be NULL */
size_t lm_token_scratch_bytes(const lm_token_scratch *scratch);
void lm_token_scratch_clear(lm_token_scratch *scratch); /* frees them; it can be used again */

/*
 * Tokenize valid UTF-8 (checked: LM_BAD_TEXT). Replaces the contents of `out`. Linear in length;
 * stops early once max_tokens are certain, unless the end of a text is what is kept; polls cancel.
 */
lm_status lm_tokenize(lm_context *ctx, const lm_tokenizer *tokenizer, lm_token_scratch *scratch,
                      const char *text, size_t length, const lm_token_options *options,
                      lm_encoding *out);

/* The count that lm_tokenize would give, in memory that does not grow with the text. */
lm_status lm_count_tokens(lm_context *ctx, const lm_tokenizer *tokenizer, lm_token_scratch *scratch,
                          const char *text, size_t length, const lm_token_options *options,
                          size_t *count);

/*
 * A pair of texts (A and B) as the post-processor joins them; truncation longest first. For
 * cross-encoders and sentence pairs.
 */
lm_status lm_tokenize_pair(lm_context *ctx, const lm_tokenizer *tokenizer,
                           lm_token_scratch *scratch, const char *a, size_t a_length, const char *b,
                           size_t b_length, const lm_token_options *options, lm_encoding *out);

/*
 * The same by parts, for a pair whose second text is read through windows, or cut by another rule:
 * tokenize both texts whole into the scratch, which then holds them until it is used again, and
 * join some tokens of each. `counts` receives how many tokens each has without special ones. Of the
 * options add_special and offsets count.
 */
lm_status lm_tokenize_both(lm_context *ctx, const lm_tokenizer *tokenizer,
                           lm_token_scratch *scratch, const char *a, size_t a_length, const char *b,
                           size_t b_length, const lm_token_options *options, size_t counts[2]);

/* Some tokens of a text, next to each other. */
typedef struct lm_token_part {
    size_t first, count;
} lm_token_part;

/* `count` of all tokens of a text, from the side that is kept. */
lm_token_part lm_tokenizer_keep(const lm_tokenizer *tokenizer, size_t all, size_t count);

/* Whether a text that is too long loses its beginning. */
bool lm_tokenizer_cuts_left(const lm_tokenizer *tokenizer);

lm_status lm_tokenize_join(lm_context *ctx, const lm_tokenizer *tokenizer,
                           lm_token_scratch *scratch, const lm_token_part parts[2],
                           const lm_token_options *options, lm_encoding *out);

/*
 * Cut the longer text first, as the reference's longest_first does: it keeps the shorter one whole
 * where it takes at most half of the room, and else halves the room.
 */
void lm_tokenizer_cut_pair(size_t counts[2], size_t room);

/* Which token of a pair is the second text's first one, where the first text has so many. */
size_t lm_tokenizer_second_starts(const lm_tokenizer *tokenizer, size_t a_count);

/* Whether a token goes on with the word of the token before it. */
bool lm_token_continues(const lm_tokenizer *tokenizer, int32_t id);

/* Text of a token (UTF-8, not terminated), or NULL when the id names none. */
const char *lm_token_text(const lm_tokenizer *tokenizer, int32_t id, size_t *length);
bool lm_token_is_special(const lm_tokenizer *tokenizer, int32_t id);
/* Id of a word that the vocabulary does not have; -1: there is no such token. */
int32_t lm_token_unknown(const lm_tokenizer *tokenizer);
/* Whether pieces that go on with a word are written with a mark: model.continuing_subword_prefix.
 */
bool lm_tokenizer_marks_pieces(const lm_tokenizer *tokenizer);
/* -1 when absent. */
int32_t lm_token_id(const lm_tokenizer *tokenizer, const char *token, size_t length);

/* Number of special tokens that surround one text. */
int lm_tokenizer_special_count(const lm_tokenizer *tokenizer, bool pair);

/* Those of them that stand before a single text. */
size_t lm_tokenizer_special_before(const lm_tokenizer *tokenizer);

/* Highest type id that a single text's tokens may have. */
int32_t lm_tokenizer_highest_type(const lm_tokenizer *tokenizer);

/*
 * Surround a run of plain ids (from lm_tokenize without add_special) with the special tokens, as
 * the post-processor would. out_ids and out_types have room for count + lm_tokenizer_special_count.
 * Returns the number written.
 */
size_t lm_tokenizer_surround(const lm_tokenizer *tokenizer, const int32_t *ids, size_t count,
                             int32_t *out_ids, int32_t *out_types);

/* Ids to text by the decoder. Unknown ids are LM_BAD_ARGUMENT naming id and range. Appends to out.
 */
lm_status lm_detokenize(lm_context *ctx, const lm_tokenizer *tokenizer, const int32_t *ids,
                        size_t count, bool skip_special, lm_buffer *out);

#endif
