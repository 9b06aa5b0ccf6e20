/*
 * tokenize_lines.c - drives the tokenizer for scripts/compare-tokenizers.py.
 *
 *   tokenize_lines [OPTION …] TOKENIZER_JSON [TOKENIZER_CONFIG_JSON]
 *   tokenize_lines --many | --older
 *   tokenize_lines --keys
 *
 * Reads texts from standard input, each a 32-bit length and so many bytes (--pair: two of them make
 * one call). Writes for each call a 32-bit count and as many ids, starts, stops and type ids, all
 * 32-bit. With --time ROUNDS nothing is written but the seconds that the fastest round took, with
 * --cpu ROUNDS those that the processor spent on it.
 *
 * With --many the input is a row of jobs: five files (tokenizer.json, tokenizer_config.json,
 * special_tokens_map.json, added_tokens.json, config.json), each with its length before it, which
 * is 0 where there is none; three 32-bit numbers (the options, as `option_bits` has them; the most
 * tokens or 0; the number of texts), and the texts. The answer to each is 0, the number of its
 * notes, each a line with its length before it, and its calls as above; or the length of a line
 * that says what is refused, and the line. With DECODE a text is ids, each of 32 bits, and its
 * answer is a text with its length before it (with special tokens where the options add them).
 *
 * --older is --many with seven files more: vocab.txt and merges.txt as arrays of lines, between
 * them vocab.json, and behind them models of SentencePiece in the order of lm_spm_name.
 *
 * --keys prints the tables of keys: file, key, use.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "token/reference.h"

/* Of a job. */
enum option_bits { ADD_SPECIAL = 1, PARSE_SPECIAL = 2, OFFSETS = 4, PAIR = 8, DECODE = 16 };

typedef struct settings {
    lm_token_options options;
    bool pair, many, older, keys, decode;
    int rounds;
    clockid_t clock;
    const char *files[2];
} settings;

typedef struct texts {
    char *bytes;
    size_t *starts; /* count + 1 */
    size_t count;
} texts;

static void
fail(const lm_context *ctx, const char *what)
{
    fprintf(stderr, "%s: %s [key %s, found %s, allowed %s]\n", what, ctx->error.message,
            ctx->error.key, ctx->error.found, ctx->error.allowed);
    exit(1);
}

static char *
read_all(FILE *file, size_t *size)
{
    size_t capacity = 1 << 20;
    char *data = malloc(capacity);

    *size = 0;
    for (;;) {
        size_t got = data ? fread(data + *size, 1, capacity - *size, file) : 0;

        *size += got;
        if (got == 0)
            return data;
        if (*size == capacity)
            data = realloc(data, capacity *= 2);
    }
}

static void
parse_arguments(int argc, char **argv, settings *set)
{
    int files = 0;

    *set = (settings){.options = {.add_special = true, .parse_special = true, .offsets = true},
                      .clock = CLOCK_MONOTONIC};
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--no-special") == 0)
            set->options.add_special = false;
        else if (strcmp(argv[i], "--plain") == 0)
            set->options.parse_special = false;
        else if (strcmp(argv[i], "--ids-only") == 0)
            set->options.offsets = false;
        else if (strcmp(argv[i], "--pair") == 0)
            set->pair = true;
        else if (strcmp(argv[i], "--many") == 0)
            set->many = true;
        else if (strcmp(argv[i], "--older") == 0)
            set->many = set->older = true;
        else if (strcmp(argv[i], "--keys") == 0)
            set->keys = true;
        else if (strcmp(argv[i], "--max-tokens") == 0 && i + 1 < argc)
            set->options.max_tokens = atoi(argv[++i]);
        else if (strcmp(argv[i], "--time") == 0 && i + 1 < argc)
            set->rounds = atoi(argv[++i]);
        else if (strcmp(argv[i], "--cpu") == 0 && i + 1 < argc) {
            set->rounds = atoi(argv[++i]);
            set->clock = CLOCK_PROCESS_CPUTIME_ID;
        } else if (files < 2)
            set->files[files++] = argv[i];
    }
}

static const lm_json *
parse_file(lm_context *ctx, lm_arena *arena, const char *name)
{
    FILE *file = fopen(name, "rb");
    const lm_json *root;
    size_t size;
    char *data;

    if (!file) {
        perror(name);
        exit(1);
    }
    data = read_all(file, &size);
    fclose(file);
    if (lm_json_parse(ctx, arena, data, size, name, &root) != LM_OK)
        fail(ctx, name);
    free(data);
    return root;
}

static void
load(lm_context *ctx, const settings *set, lm_buffer *image, lm_tokenizer *tokenizer)
{
    const lm_json *json, *config = NULL;
    lm_arena arena;

    lm_arena_init(&arena, ctx);
    json = parse_file(ctx, &arena, set->files[0]);
    if (set->files[1])
        config = parse_file(ctx, &arena, set->files[1]);
    lm_buffer_init(image, ctx);
    if (lm_tokenizer_compile(ctx, json, config, 1 << 24, image, NULL) != LM_OK ||
        lm_tokenizer_bind(ctx, image->data, image->size, tokenizer) != LM_OK)
        fail(ctx, set->files[0]);
    lm_arena_free(&arena);
}

static texts
read_texts(void)
{
    texts all = {0};
    size_t size, at = 0;

    all.bytes = read_all(stdin, &size);
    all.starts = malloc((size / 4 + 2) * sizeof *all.starts);
    while (at + 4 <= size) {
        uint32_t length;

        memcpy(&length, all.bytes + at, 4);
        at += 4;
        all.starts[all.count++] = at;
        at += length;
    }
    all.starts[all.count] = at + 4;
    return all;
}

static size_t
length_of(const texts *all, size_t i)
{
    return all->starts[i + 1] - 4 - all->starts[i];
}

static void
tokenize(lm_context *ctx, const lm_tokenizer *tokenizer, lm_token_scratch *scratch,
         const settings *set, const texts *all, size_t i, lm_encoding *out)
{
    const char *text = all->bytes + all->starts[i];
    lm_status status;

    if (set->pair)
        status = lm_tokenize_pair(ctx, tokenizer, scratch, text, length_of(all, i),
                                  all->bytes + all->starts[i + 1], length_of(all, i + 1),
                                  &set->options, out);
    else
        status = lm_tokenize(ctx, tokenizer, scratch, text, length_of(all, i), &set->options, out);
    if (status != LM_OK)
        fail(ctx, "tokenize");
}

static void
write_encoding(const lm_encoding *out, bool offsets)
{
    uint32_t count = (uint32_t)out->count;

    fwrite(&count, 4, 1, stdout);
    fwrite(out->ids, 4, count, stdout);
    if (offsets) {
        fwrite(out->start, 4, count, stdout);
        fwrite(out->stop, 4, count, stdout);
    }
    fwrite(out->type_ids, 4, count, stdout);
}

static double
seconds(clockid_t clock)
{
    struct timespec now;

    clock_gettime(clock, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

/* What is left of the input of --many. */
typedef struct input {
    const char *at, *end;
} input;

static uint32_t
take_number(input *in)
{
    uint32_t number = 0;

    if (in->end - in->at < 4)
        exit(3);
    memcpy(&number, in->at, 4);
    in->at += 4;
    return number;
}

static const char *
take_bytes(input *in, size_t *length)
{
    const char *bytes;

    *length = take_number(in);
    if ((size_t)(in->end - in->at) < *length)
        exit(3);
    bytes = in->at;
    in->at += *length;
    return bytes;
}

/* A refusal as one line: status, key, found, allowed. */
static void
write_refusal(const lm_context *ctx, lm_status status)
{
    char line[1024];
    uint32_t length =
        (uint32_t)snprintf(line, sizeof line, "%d\t%s\t%s\t%s\t%s", status, ctx->error.key,
                           ctx->error.found, ctx->error.allowed, ctx->error.message);

    if (length >= sizeof line)
        length = sizeof line - 1;
    fwrite(&length, 4, 1, stdout);
    fwrite(line, 1, length, stdout);
}

static void
write_notes(const lm_notes *notes)
{
    const uint32_t head[] = {0, (uint32_t)notes->count};

    fwrite(head, 4, 2, stdout);
    for (int i = 0; i < notes->count; i++) {
        char line[1024];
        uint32_t length = (uint32_t)snprintf(line, sizeof line, "%s\t%s\t%s", notes->items[i].file,
                                             notes->items[i].key, notes->items[i].message);

        fwrite(&length, 4, 1, stdout);
        fwrite(line, 1, length, stdout);
    }
}

static void
run_texts(lm_context *ctx, const lm_tokenizer *tokenizer, const lm_notes *notes,
          const settings *set, input *in, uint32_t calls)
{
    lm_token_scratch *scratch;
    lm_encoding out;

    if (lm_token_scratch_create(ctx, &scratch) != LM_OK)
        fail(ctx, "scratch");
    lm_encoding_init(&out, ctx);
    write_notes(notes);
    for (uint32_t i = 0; i < calls; i++) {
        size_t a_length, b_length;
        const char *a = take_bytes(in, &a_length), *b = set->pair ? take_bytes(in, &b_length) : "";
        lm_status status =
            set->pair ? lm_tokenize_pair(ctx, tokenizer, scratch, a, a_length, b, b_length,
                                         &set->options, &out)
                      : lm_tokenize(ctx, tokenizer, scratch, a, a_length, &set->options, &out);

        if (status != LM_OK)
            fail(ctx, "tokenize");
        write_encoding(&out, set->options.offsets);
    }
    lm_encoding_free(&out);
    lm_token_scratch_free(scratch);
}

static void
run_ids(lm_context *ctx, const lm_tokenizer *tokenizer, const lm_notes *notes, const settings *set,
        input *in, uint32_t calls)
{
    lm_buffer out;

    lm_buffer_init(&out, ctx);
    write_notes(notes);
    for (uint32_t i = 0; i < calls; i++) {
        size_t length;
        const char *bytes = take_bytes(in, &length);
        int32_t *ids = malloc(length + 1);
        uint32_t size;

        memcpy(ids, bytes, length);
        out.size = 0;
        if (lm_detokenize(ctx, tokenizer, ids, length / 4, !set->options.add_special, &out) !=
            LM_OK)
            fail(ctx, "detokenize");
        size = (uint32_t)out.size;
        fwrite(&size, 4, 1, stdout);
        fwrite(out.data, 1, size, stdout);
        free(ids);
    }
    lm_buffer_free(&out);
}

static const lm_json *
take_file(lm_context *ctx, lm_arena *arena, input *in)
{
    size_t length;
    const char *text = take_bytes(in, &length);
    const lm_json *json = NULL;

    if (length > 0 && lm_json_parse(ctx, arena, text, length, "a file", &json) != LM_OK)
        fail(ctx, "a file");
    return json;
}

static void
take_files(lm_context *ctx, lm_arena *arena, input *in, lm_tokenizer_files *files)
{
    files->tokenizer = take_file(ctx, arena, in);
    files->config = take_file(ctx, arena, in);
    files->special_map = take_file(ctx, arena, in);
    files->added = take_file(ctx, arena, in);
    files->model_config = take_file(ctx, arena, in);
}

/* Behind these, the files of folders without tokenizer.json; lines are arrays of strings. */
static void
take_older(lm_context *ctx, lm_arena *arena, input *in, lm_tokenizer_files *files,
           lm_spm_file spm[LM_SPM_NAMES])
{
    files->vocab_lines = take_file(ctx, arena, in);
    files->vocab_json = take_file(ctx, arena, in);
    files->merges = take_file(ctx, arena, in);
    for (size_t i = 0; i < LM_SPM_NAMES; i++) {
        const char *bytes = take_bytes(in, &spm[i].size);

        spm[i].name = "spm";
        spm[i].bytes = spm[i].size > 0 ? bytes : NULL;
    }
    files->spm = spm;
}

/* The tokenizer of a folder: of tokenizer.json, or made of the older files. */
static lm_status
compile_files(lm_context *ctx, lm_arena *arena, lm_tokenizer_files *files, lm_buffer *image,
              lm_notes *notes)
{
    lm_status status = lm_tokenizer_from_older(ctx, arena, files);

    if (status == LM_OK && !files->tokenizer)
        status = lm_raise(ctx, LM_NO_FILE, "no file tells the tokenizer");
    if (status == LM_OK)
        status = lm_tokenizer_compile_files(ctx, files, 1 << 24, image, notes);
    return status;
}

/* One tokenizer and its texts. */
static void
run_job(lm_context *ctx, input *in, bool older)
{
    lm_tokenizer_files files = {0};
    lm_spm_file spm[LM_SPM_NAMES] = {{0}};
    settings set = {0};
    lm_tokenizer tokenizer;
    uint32_t bits, calls;
    lm_notes notes;
    lm_buffer image;
    lm_arena arena;
    lm_status status;
    size_t length;

    lm_arena_init(&arena, ctx);
    lm_buffer_init(&image, ctx);
    lm_notes_init(&notes, false);
    take_files(ctx, &arena, in, &files);
    if (older)
        take_older(ctx, &arena, in, &files, spm);
    bits = take_number(in);
    set.options = (lm_token_options){.add_special = bits & ADD_SPECIAL,
                                     .parse_special = bits & PARSE_SPECIAL,
                                     .offsets = bits & OFFSETS,
                                     .max_tokens = (int)take_number(in)};
    set.pair = bits & PAIR;
    set.decode = bits & DECODE;
    calls = take_number(in);
    status = compile_files(ctx, &arena, &files, &image, &notes);
    if (status == LM_OK)
        status = lm_tokenizer_bind(ctx, image.data, image.size, &tokenizer);
    if (status == LM_OK && set.decode)
        run_ids(ctx, &tokenizer, &notes, &set, in, calls);
    else if (status == LM_OK)
        run_texts(ctx, &tokenizer, &notes, &set, in, calls);
    else
        write_refusal(ctx, status);
    for (uint32_t i = 0; status != LM_OK && i < calls * (set.pair ? 2 : 1); i++)
        take_bytes(in, &length);
    lm_buffer_free(&image);
    lm_arena_free(&arena);
}

static int
print_keys(void)
{
    static const struct {
        const char *file;
        const lm_key_rule *rules;
    } tables[] = {{"tokenizer.json", lm_tokenizer_keys},
                  {"tokenizer_config.json", lm_tokenizer_config_keys},
                  {"special_tokens_map.json", lm_special_map_keys}};

    for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++)
        for (const lm_key_rule *rule = tables[i].rules; rule->key; rule++)
            printf("%s\t%s\t%d\n", tables[i].file, rule->key, (int)rule->use);
    return 0;
}

static int
run_many(lm_context *ctx, bool older)
{
    size_t size;
    char *data = read_all(stdin, &size);
    input in = {data, data + size};

    while (in.at < in.end)
        run_job(ctx, &in, older);
    free(data);
    return 0;
}

int
main(int argc, char **argv)
{
    settings set;
    lm_context ctx;
    lm_buffer image;
    lm_tokenizer tokenizer;
    lm_token_scratch *scratch;
    lm_encoding out;
    texts all;
    double best = 1e9;

    parse_arguments(argc, argv, &set);
    lm_context_init(&ctx);
    if (set.keys)
        return print_keys();
    if (set.many)
        return run_many(&ctx, set.older);
    if (!set.files[0]) {
        fprintf(stderr, "usage: tokenize_lines [OPTION ...] TOKENIZER_JSON [CONFIG_JSON]\n");
        return 2;
    }
    load(&ctx, &set, &image, &tokenizer);
    if (lm_token_scratch_create(&ctx, &scratch) != LM_OK)
        fail(&ctx, "scratch");
    lm_encoding_init(&out, &ctx);
    all = read_texts();
    for (int round = 0; round < (set.rounds ? set.rounds : 1); round++) {
        double start = seconds(set.clock);

        for (size_t i = 0; i < all.count; i += set.pair ? 2 : 1) {
            tokenize(&ctx, &tokenizer, scratch, &set, &all, i, &out);
            if (!set.rounds)
                write_encoding(&out, set.options.offsets);
        }
        if (seconds(set.clock) - start < best)
            best = seconds(set.clock) - start;
    }
    if (set.rounds)
        printf("%.6f\n", best);
    lm_encoding_free(&out);
    lm_token_scratch_free(scratch);
    lm_buffer_free(&image);
    free(all.bytes);
    free(all.starts);
    return 0;
}
