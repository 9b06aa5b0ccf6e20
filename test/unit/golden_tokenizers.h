/*
 * golden_tokenizers.h - the recorded tokenizers by their names, and what was recorded of them, for
 * the tests of the tokenizer. "minilm" needs LMTEXT_MINILM, a folder with the real model's
 * tokenizer.json, which scripts/test.sh sets.
 */
#ifndef GOLDEN_TOKENIZERS_H
#define GOLDEN_TOKENIZERS_H

#include "tokenizer.h"
#include "token/image.h"

/* Folders with a model of SentencePiece: what lies there, and the class that is named. */
static const struct {
    const char *name, *config; /* the latter as config.json */
    lm_spm_name file;
    const char *model;
} spm_folders[] = {
    {"spm-xlm-roberta", "{\"model_type\":\"xlm-roberta\"}", LM_SPM_SENTENCEPIECE_BPE, "spm.model"},
    {"spm-camembert", "{\"model_type\":\"camembert\"}", LM_SPM_SENTENCEPIECE_BPE, "spm.model"},
    {"spm-t5", "{\"model_type\":\"t5\"}", LM_SPM_SPIECE, "spm.model"},
    {"spm-albert", "{\"model_type\":\"albert\"}", LM_SPM_SPIECE, "spm-albert.model"},
    {"spm-deberta-v2", "{\"model_type\":\"deberta-v2\"}", LM_SPM_SPM, "spm-albert.model"},
    {"spm-llama", "{\"tokenizer_class\":\"LlamaTokenizer\"}", LM_SPM_TOKENIZER, "spm-bpe.model"},
    {"spm-gemma", "{\"model_type\":\"gemma\"}", LM_SPM_TOKENIZER, "spm-bpe.model"},
};

static inline bool
open_spm(fixture *f, const char *name)
{
    lm_spm_file spm[LM_SPM_NAMES] = {{0}};
    lm_tokenizer_files files = {.spm = spm};
    const char *config;
    lm_spm_file *file;
    char path[80], *bytes;
    size_t row = 0;
    bool good;

    while (strcmp(spm_folders[row].name, name) != 0)
        row++;
    config = spm_folders[row].config;
    file = &spm[spm_folders[row].file];
    snprintf(path, sizeof path, FOLDER "%s", spm_folders[row].model);
    bytes = read_file(path, &file->size);
    open_empty(f);
    file->name = "spm";
    file->bytes = bytes;
    good = lm_json_parse(&f->ctx, &f->arena, config, strlen(config), "config.json",
                         &files.model_config) == LM_OK &&
           lm_tokenizer_from_older(&f->ctx, &f->arena, &files) == LM_OK && files.tokenizer &&
           lm_tokenizer_compile_files(&f->ctx, &files, MAX_VOCAB, &f->image, &f->notes) == LM_OK &&
           lm_tokenizer_bind(&f->ctx, f->image.data, f->image.size, &f->tokenizer) == LM_OK;
    if (!good)
        UNIT_FAIL("%s: %s [%s]", name, f->ctx.error.message, f->ctx.error.key);
    free(bytes);
    return good;
}

/* The tokenizer called name; false when it is the real model and that is not there. */
static inline bool
open_named(fixture *f, const char *name)
{
    const char *folder = getenv("LMTEXT_MINILM");
    char path[4096];

    if (strncmp(name, "spm-", 4) == 0)
        return open_spm(f, name);
    if (strcmp(name, "minilm") != 0) {
        snprintf(path, sizeof path, FOLDER "%s.tokenizer.json", name);
        return open_path(f, path, NULL);
    }
    if (!folder) {
        UNIT_FAIL("LMTEXT_MINILM is not set");
        return false;
    }
    snprintf(path, sizeof path, "%s/tokenizer.json", folder);
    return open_path(f, path, NULL);
}

/* The lines of a file; each call of next_line returns one, terminated, until NULL. */
typedef struct line_reader {
    char *data, *next;
} line_reader;

static inline line_reader
open_lines(const char *name, const char *ending)
{
    char path[4096];
    size_t size;
    line_reader lines;

    snprintf(path, sizeof path, FOLDER "%s.%s", name, ending);
    lines.data = lines.next = read_file(path, &size);
    return lines;
}

static inline char *
next_line(line_reader *lines)
{
    char *line = lines->next, *end = line ? strchr(line, '\n') : NULL;

    if (!end)
        return NULL;
    *end = '\0';
    lines->next = end + 1;
    return line;
}

typedef struct recorded {
    const lm_json *text, *ids, *offsets;
} recorded;

/* All recorded texts; they live in the arena. */
static inline recorded *
read_recorded(lm_context *ctx, lm_arena *arena, size_t *count)
{
    line_reader lines = open_lines("minilm", "golden.jsonl");
    recorded *items = lm_arena_array(arena, 4096, sizeof *items);

    *count = 0;
    for (char *line; (line = next_line(&lines)) != NULL && *count < 4096; ++*count) {
        const lm_json *root = NULL;

        CHECK_OK(ctx, lm_json_parse(ctx, arena, line, strlen(line), "golden", &root));
        items[*count] = (recorded){lm_json_get(root, "text"), lm_json_get(root, "ids"),
                                   lm_json_get(root, "offsets")};
    }
    free(lines.data);
    CHECK(*count > 1000);
    return items;
}

/* What `f` holds of the text comes out of a stream too, in parts as small as may be. */
static inline void
check_parts(fixture *f, const lm_tokenizer *tokenizer, const char *text, size_t length,
            const lm_token_options *options)
{
    lm_token_stream stream;
    lm_encoding part;
    size_t seen = 0, count;
    bool truncated = false, same = true;

    lm_encoding_init(&part, &f->ctx);
    CHECK_OK(&f->ctx,
             lm_token_stream_open(&stream, &f->ctx, tokenizer, f->scratch, text, length, options));
    stream.part_tokens = stream.segment_bytes = 1;
    do {
        CHECK_OK(&f->ctx, lm_token_stream_next(&stream, &part));
        truncated |= part.truncated;
        for (size_t i = 0; i < part.count && same; i++, seen++)
            same = seen < f->out.count && part.ids[i] == f->out.ids[seen] &&
                   part.type_ids[i] == f->out.type_ids[seen] &&
                   part.special[i] == f->out.special[seen] &&
                   (!options->offsets ||
                    (part.start[i] == f->out.start[seen] && part.stop[i] == f->out.stop[seen]));
    } while (part.count > 0 && same);
    if (!same || seen != f->out.count || truncated != f->out.truncated)
        UNIT_FAIL("parts differ: %.200s", text);
    CHECK_OK(&f->ctx,
             lm_count_tokens(&f->ctx, tokenizer, f->scratch, text, length, options, &count));
    CHECK_EQ_INT(count, f->out.count);
    lm_encoding_free(&part);
}

static const char *const fixtures[] = {
    "uncased",
    "cased",
    "cased-stripped",
    "uncased-accents",
    "unclean",
    "added",
    "added-raw",
    "added-flags",
    "sequence",
    "compatible",
    "decomposed",
    "composed",
    "compatible-composed",
    "unnormalized",
    "plain",
    "wordlevel",
    "wordlevel-words",
    "split-cased",
    "split-merged",
    "split-removed",
    "byte-level",
    "byte-level-prefix",
    "byte-level-sequence",
    "metaspace",
    "metaspace-first",
    "metaspace-words",
    "prepended",
    "bytes-normalized",
    "bpe-words",
    "bpe-fused",
    "bpe-bytes",
    "bpe-some-bytes",
    "bpe-affixes",
    "bpe-suffix",
    "bpe-dropping",
    "bpe-whole",
    "bpe-unsplit",
    "bytes-roberta",
    "bytes-gpt2",
    "bytes-cl100k",
    "bytes-qwen2",
    "bytes-added",
    "unigram",
    "unigram-bytes",
    "unigram-whole",
    "unigram-plain",
    "unigram-trained",
    "spm-xlm-roberta",
    "spm-camembert",
    "spm-t5",
    "spm-albert",
    "spm-deberta-v2",
    "spm-llama",
    "spm-gemma",
};

#define FIXTURE_COUNT (sizeof fixtures / sizeof fixtures[0])

/* Those whose decoders were recorded with them: pieces() of scripts/make-golden-tokenizer.py. */
static const char *const decoded[] = {
    "byte-level",      "byte-level-prefix", "byte-level-sequence", "metaspace",
    "metaspace-first", "metaspace-words",   "prepended",           "bytes-normalized",
};

#endif
