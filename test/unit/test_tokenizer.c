/*
 * test_tokenizer.c - the tokenizer against what the reference library recorded
 * (scripts/make-golden-tokenizer.py), the fast path against the staged one, hostile texts and
 * calls. Files are test_tokenizer_files.c's.
 *
 * Cases named minilm need LMTEXT_MINILM, a folder with the real model's tokenizer.json, which
 * scripts/test.sh sets.
 */
#include <time.h>

#include "tokenizer.h"
#include "base/utf8.h"
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

static bool
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
static bool
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

static line_reader
open_lines(const char *name, const char *ending)
{
    char path[4096];
    size_t size;
    line_reader lines;

    snprintf(path, sizeof path, FOLDER "%s.%s", name, ending);
    lines.data = lines.next = read_file(path, &size);
    return lines;
}

static char *
next_line(line_reader *lines)
{
    char *line = lines->next, *end = line ? strchr(line, '\n') : NULL;

    if (!end)
        return NULL;
    *end = '\0';
    lines->next = end + 1;
    return line;
}

/* ---------------------------------------------------------------- recorded texts */

typedef struct recorded {
    const lm_json *text, *ids, *offsets;
} recorded;

/* All recorded texts; they live in the arena. */
static recorded *
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

static uint32_t
crc_add(uint32_t crc, const char *bytes, size_t length)
{
    crc = ~crc;
    for (size_t i = 0; i < length; i++) {
        crc ^= (unsigned char)bytes[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? UINT32_C(0xedb88320) : 0);
    }
    return ~crc;
}

/* Add the line that the recorder makes of an encoding: ids with offsets, or with type ids. */
static uint32_t
crc_encoding(uint32_t crc, const lm_encoding *out, bool types)
{
    char item[64];

    for (size_t i = 0; i < out->count; i++) {
        int length = types ? snprintf(item, sizeof item, "%d:%d;", out->ids[i], out->type_ids[i])
                           : snprintf(item, sizeof item, "%d:%d-%d;", out->ids[i], out->start[i],
                                      out->stop[i]);

        crc = crc_add(crc, item, (size_t)length);
    }
    return crc_add(crc, "\n", 1);
}

static void
test_minilm_golden(void)
{
    fixture f;
    recorded *items;
    size_t count;

    if (!open_named(&f, "minilm"))
        return;
    items = read_recorded(&f.ctx, &f.arena, &count);
    for (size_t i = 0; i < count; i++) {
        const lm_json *id = items[i].ids->as.items.first;
        const lm_json *offset = items[i].offsets->as.items.first;
        bool same = true;

        encode(&f, items[i].text->as.string.bytes, items[i].text->as.string.length, &everything);
        same = f.out.count == items[i].ids->as.items.count;
        for (size_t k = 0; same && k < f.out.count; k++) {
            same = f.out.ids[k] == id->integer && f.out.start[k] == offset->integer &&
                   f.out.stop[k] == offset->next->integer;
            id = id->next;
            offset = offset->next->next;
        }
        if (!same)
            UNIT_FAIL("text %zu differs: %.200s", i, items[i].text->as.string.bytes);
    }
    close_fixture(&f);
}

#define CUT                                                                          \
    {                                                                                \
        .add_special = true, .parse_special = true, .offsets = true, .max_tokens = 8 \
    }

/* Pairs, too long ones lose their beginning, places in place of types. */
enum { PAIR = 1, LEFT = 2, PLACES = 4 };

/* The option lines at the end of a .crc file. */
static const struct {
    const char *name;
    lm_token_options options;
    unsigned how;
} recorded_options[] = {
    {.name = "bare ", .options = {.parse_special = true, .offsets = true}},
    {"pair ", {.add_special = true, .parse_special = true, .offsets = true}, PAIR},
    {.name = "cut ", .options = CUT},
    {"pair-cut ", CUT, PAIR},
    {"pair-cut-places ", CUT, PAIR | PLACES},
    {"cut-left ", CUT, LEFT},
    {"pair-cut-left ", CUT, PAIR | LEFT},
    {"pair-cut-left-places ", CUT, PAIR | LEFT | PLACES},
    {.name = "plain ", .options = {.add_special = true, .offsets = true}},
};

/* What `f` holds of the text comes out of a stream too, in parts as small as may be. */
static void
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

static uint32_t
crc_of_option(fixture *f, const recorded *items, size_t count, size_t option)
{
    const lm_token_options *options = &recorded_options[option].options;
    uint32_t crc = 0;

    ((lm_token_image *)f->image.data)->cuts_left = (recorded_options[option].how & LEFT) != 0;
    for (size_t i = 0; i < count; i += recorded_options[option].how & PAIR ? 2 : 1) {
        const lm_json *a = items[i].text, *b = i + 1 < count ? items[i + 1].text : NULL;

        if (!(recorded_options[option].how & PAIR)) {
            encode(f, a->as.string.bytes, a->as.string.length, options);
            crc = crc_encoding(crc, &f->out, false);
            check_parts(f, &f->tokenizer, a->as.string.bytes, a->as.string.length, options);
        } else if (b) {
            CHECK_OK(&f->ctx,
                     lm_tokenize_pair(&f->ctx, &f->tokenizer, f->scratch, a->as.string.bytes,
                                      a->as.string.length, b->as.string.bytes, b->as.string.length,
                                      options, &f->out));
            crc = crc_encoding(crc, &f->out, !(recorded_options[option].how & PLACES));
        }
    }
    return crc;
}

static void
check_answers(const char *name)
{
    line_reader lines = open_lines(name, "crc");
    fixture f;
    recorded *items;
    size_t count;

    if (!open_named(&f, name)) {
        free(lines.data);
        return;
    }
    items = read_recorded(&f.ctx, &f.arena, &count);
    for (size_t i = 0; i < count; i++) {
        const char *line = next_line(&lines);
        const lm_json *text = items[i].text;

        encode(&f, text->as.string.bytes, text->as.string.length, &everything);
        if (!line || crc_encoding(0, &f.out, false) != strtoul(line, NULL, 16))
            UNIT_FAIL("%s: text %zu differs: %.200s", name, i, text->as.string.bytes);
        check_parts(&f, &f.tokenizer, text->as.string.bytes, text->as.string.length, &everything);
    }
    for (size_t i = 0; i < sizeof recorded_options / sizeof recorded_options[0]; i++) {
        const char *line = next_line(&lines);
        size_t length = strlen(recorded_options[i].name);

        if (!line || strncmp(line, recorded_options[i].name, length) != 0 ||
            crc_of_option(&f, items, count, i) != strtoul(line + length, NULL, 16))
            UNIT_FAIL("%s: option %s differs", name, recorded_options[i].name);
    }
    CHECK(next_line(&lines) == NULL);
    free(lines.data);
    close_fixture(&f);
}

/* Of a long text that is read in many parts, the last tokens are kept, in memory for some of them.
 */
static void
test_long_left(void)
{
    static const char word[] = "databases and na\xc3\xafve [SEP] 12345 ";
    const size_t length = sizeof word - 1, words = 30000;
    const lm_token_options cut = {
        .add_special = true, .parse_special = true, .offsets = true, .max_tokens = 300};
    char *text = malloc(length * words);
    lm_encoding whole;
    fixture f;

    if (!open_named(&f, "uncased"))
        return;
    for (size_t i = 0; i < words; i++)
        memcpy(text + i * length, word, length);
    lm_encoding_init(&whole, &f.ctx);
    CHECK_OK(&f.ctx, lm_tokenize(&f.ctx, &f.tokenizer, f.scratch, text, length * words, &everything,
                                 &whole));
    ((lm_token_image *)f.image.data)->cuts_left = 1;
    encode(&f, text, length * words, &cut);
    CHECK_EQ_INT(f.out.count, 300);
    CHECK(f.out.truncated && !whole.truncated);
    CHECK(f.out.capacity <= 4 * LM_PART_TOKENS && whole.capacity > 16 * LM_PART_TOKENS);
    CHECK_EQ_INT(f.out.ids[0], whole.ids[0]);
    for (size_t i = 1, k = whole.count - 299; i < 300; i++, k++) {
        CHECK_EQ_INT(f.out.ids[i], whole.ids[k]);
        CHECK_EQ_INT(f.out.start[i], whole.start[k]);
        CHECK_EQ_INT(f.out.special[i], whole.special[k]);
    }
    lm_encoding_free(&whole);
    free(text);
    close_fixture(&f);
}

/* Nothing but special tokens has room. */
static void
test_left_of_nothing(void)
{
    const lm_token_options cut = {.add_special = true, .offsets = true, .max_tokens = 2};
    fixture f;

    if (!open_named(&f, "uncased"))
        return;
    ((lm_token_image *)f.image.data)->cuts_left = 1;
    encode(&f, "a database", 10, &cut);
    CHECK_EQ_INT(f.out.count, 2);
    CHECK(f.out.truncated);
    encode(&f, "", 0, &cut);
    CHECK(f.out.count == 2 && !f.out.truncated);
    close_fixture(&f);
}

static int polls_left;

static bool
no_poll_left(void *opaque)
{
    return polls_left-- == 0;
}

/* The text's type is another than 0; each poll cancels in turn. */
static void
test_left_of_type(void)
{
    const lm_token_options cut = {.add_special = true, .max_tokens = 4};
    lm_status status = LM_CANCELLED;
    lm_token_image *image;
    fixture f;

    if (!open_named(&f, "uncased"))
        return;
    image = (lm_token_image *)(void *)f.image.data;
    image->cuts_left = 1;
    for (uint32_t i = 0; i < image->single.count; i++)
        ((lm_piece *)(uintptr_t)lm_image_at(image, image->single))[i].type = 3;
    f.ctx.cancelled = no_poll_left;
    for (int polls = 0; status == LM_CANCELLED; polls++) {
        polls_left = polls;
        status =
            lm_tokenize(&f.ctx, &f.tokenizer, f.scratch, "a database of text", 18, &cut, &f.out);
        CHECK(polls > 0 || status == LM_CANCELLED);
    }
    CHECK_EQ_INT(status, LM_OK);
    CHECK_EQ_INT(f.out.count, 4);
    for (int i = 0; i < 4; i++)
        CHECK_EQ_INT(f.out.type_ids[i], 3);
    f.ctx.cancelled = NULL;
    close_fixture(&f);
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

static void
test_fixtures(void)
{
    for (size_t i = 0; i < FIXTURE_COUNT; i++)
        check_answers(fixtures[i]);
}

static void
test_minilm_options(void)
{
    check_answers("minilm");
}

/* Every scalar value, alone and between two letters, in blocks of 256. */
static void
check_blocks(const char *name)
{
    line_reader lines = open_lines(name, "blocks");
    size_t blocks = 0;
    fixture f;

    if (!open_named(&f, name)) {
        free(lines.data);
        return;
    }
    for (char *line; (line = next_line(&lines)) != NULL; blocks++) {
        unsigned long block, alone, inside;
        uint32_t got_alone = 0, got_inside = 0;

        CHECK(sscanf(line, "%lx %lx %lx", &block, &alone, &inside) == 3);
        if ((blocks + unit_turn()) % unit_stride() != 0)
            continue;
        for (uint32_t c = (uint32_t)block << 8; c < (uint32_t)(block + 1) << 8; c++) {
            char text[8] = "a";
            int length = lm_utf8_encode(c, text + 1);

            text[1 + length] = 'b';
            encode(&f, text + 1, (size_t)length, &everything);
            got_alone = crc_encoding(got_alone, &f.out, false);
            encode(&f, text, (size_t)length + 2, &everything);
            got_inside = crc_encoding(got_inside, &f.out, false);
        }
        if (got_alone != alone || got_inside != inside)
            UNIT_FAIL("%s: U+%lX00 to U+%lXFF differ", name, block, block);
    }
    CHECK_EQ_INT(blocks, 0x1100 - 8);
    free(lines.data);
    close_fixture(&f);
}

static void
test_blocks(void)
{
    check_blocks("uncased");
    check_blocks("unigram-bytes");
}

static void
test_minilm_blocks(void)
{
    check_blocks("minilm");
}

/* ---------------------------------------------------------------- paths that must agree */

static bool
same_encoding(const lm_encoding *a, const lm_encoding *b, bool offsets)
{
    size_t bytes = a->count * sizeof *a->ids;

    return a->count == b->count && memcmp(a->ids, b->ids, bytes) == 0 &&
           memcmp(a->type_ids, b->type_ids, bytes) == 0 &&
           (!offsets ||
            (memcmp(a->start, b->start, bytes) == 0 && memcmp(a->stop, b->stop, bytes) == 0));
}

/* With and without the fast path, with and without offsets, cut and whole. */
static void
check_agreement(fixture *f, const lm_tokenizer *staged, const char *text, size_t length)
{
    static const lm_token_options ids_only = {.add_special = true, .parse_special = true};
    lm_encoding other;

    lm_encoding_init(&other, &f->ctx);
    encode(f, text, length, &everything);
    CHECK_OK(&f->ctx, lm_tokenize(&f->ctx, staged, f->scratch, text, length, &everything, &other));
    CHECK(same_encoding(&f->out, &other, true));
    check_parts(f, staged, text, length, &everything);
    CHECK_OK(&f->ctx,
             lm_tokenize(&f->ctx, &f->tokenizer, f->scratch, text, length, &ids_only, &other));
    CHECK(same_encoding(&f->out, &other, false));
    for (int limit = 2; limit < 40; limit += 9) {
        lm_token_options cut = {.add_special = true, .parse_special = true, .max_tokens = limit};
        size_t wanted = f->out.count < (size_t)limit ? f->out.count : (size_t)limit;

        CHECK_OK(&f->ctx,
                 lm_tokenize(&f->ctx, &f->tokenizer, f->scratch, text, length, &cut, &other));
        CHECK_EQ_INT(other.count, wanted);
        CHECK_EQ_INT(other.truncated, f->out.count > (size_t)limit);
        CHECK(memcmp(other.ids, f->out.ids, (wanted > 0 ? wanted - 1 : 0) * sizeof *other.ids) ==
              0);
    }
    lm_encoding_free(&other);
}

/* A copy of the image at another address, without the fast path or the way of words. */
static void *
staged_copy(fixture *f, lm_tokenizer *staged)
{
    void *copy = aligned_alloc(LM_ALIGNMENT, lm_align_up(f->image.size));

    memcpy(copy, f->image.data, f->image.size);
    CHECK(((lm_token_image *)copy)->fused.present +
              (((lm_token_image *)copy)->byte_words.rule != 0) +
              (((lm_token_image *)copy)->words != 0) ==
          1);
    ((lm_token_image *)copy)->fused.present = 0;
    ((lm_token_image *)copy)->byte_words.rule = 0;
    ((lm_token_image *)copy)->words = 0;
    CHECK_OK(&f->ctx, lm_tokenizer_bind(&f->ctx, copy, f->image.size, staged));
    return copy;
}

static const char *const with_fast_path[] = {
    "uncased",       "cased",      "unclean",      "sequence", "wordlevel",     "decomposed",
    "bytes-roberta", "bytes-gpt2", "bytes-cl100k", "unigram",  "unigram-bytes", "bytes-qwen2",
};

static void
test_paths_agree(void)
{
    for (size_t n = 0; n < sizeof with_fast_path / sizeof with_fast_path[0]; n++) {
        lm_tokenizer staged;
        fixture f;
        recorded *items;
        size_t count;
        void *copy;

        if (!open_named(&f, with_fast_path[n]))
            return;
        copy = staged_copy(&f, &staged);
        items = read_recorded(&f.ctx, &f.arena, &count);
        for (size_t i = 0; i < count; i++)
            check_agreement(&f, &staged, items[i].text->as.string.bytes,
                            items[i].text->as.string.length);
        free(copy);
        close_fixture(&f);
    }
}

/* Each scalar value inside a word and as a word, 64 of either in a text. */
static void
test_scalars_agree(void)
{
    for (size_t n = 0; n < sizeof with_fast_path / sizeof with_fast_path[0]; n++) {
        lm_tokenizer staged;
        fixture f;
        void *copy;

        if (!open_named(&f, with_fast_path[n]))
            return;
        copy = staged_copy(&f, &staged);
        for (uint32_t first = 64 * (uint32_t)(unit_turn() % unit_stride()); first < 0x110000;
             first += 64 * (uint32_t)unit_stride()) {
            char text[64 * 12], *end = text;

            for (uint32_t c = first; c < first + 64; c++)
                if (c - 0xd800 >= 0x800) {
                    *end++ = 'a';
                    end += lm_utf8_encode(c, end);
                    *end++ = 'b';
                    *end++ = ' ';
                    end += lm_utf8_encode(c, end);
                    *end++ = ' ';
                }
            check_agreement(&f, &staged, text, (size_t)(end - text));
        }
        free(copy);
        close_fixture(&f);
    }
}

/* Half a million of what would be slow in a tokenizer of quadratic cost. */
static void
test_hostile_texts(void)
{
    static const char *const units[] = {
        "a",
        "\xcc\x81",
        "a\xcc\x81",
        "\xcc\xa3\xcc\x81",
        "\xe2\x80\x8d",
        "[",
        "[SEP]",
        "[SE",
        "\xe3\x80\xaa\xcc\x81",
        "\xe4\xb8\xad",
        "\xea\xb0\x81",
        " ",
        "\xef\xb7\xba",
        "<left> ",
        "\xc4\xb0",
    };
    static const char *const names[] = {"uncased",           "cased",     "decomposed", "plain",
                                        "byte-level-prefix", "metaspace", "prepended"};
    double start = (double)clock();

    for (size_t n = 0; n < sizeof names / sizeof names[0]; n++) {
        fixture f;

        if (!open_named(&f, names[n]))
            return;
        for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
            size_t unit = strlen(units[i]), length = (size_t)500000 / unit * unit;
            char *text = malloc(length);

            for (size_t at = 0; at < length; at += unit)
                memcpy(text + at, units[i], unit);
            encode(&f, text, length, &everything);
            CHECK(f.out.count >= 2 || strcmp(names[n], "uncased") != 0);
            free(text);
        }
        close_fixture(&f);
    }
    /* Linear cost is well below a second; quadratic cost is hours. */
    CHECK(((double)clock() - start) / CLOCKS_PER_SEC < 60);
}

static void
test_relocation(void)
{
    fixture f;
    void *copy;
    lm_encoding first;

    if (!open_named(&f, "added-raw"))
        return;
    lm_encoding_init(&first, &f.ctx);
    CHECK_OK(&f.ctx, lm_tokenize(&f.ctx, &f.tokenizer, f.scratch, "x <x3> unaffable", 16,
                                 &everything, &first));
    copy = aligned_alloc(LM_ALIGNMENT, lm_align_up(f.image.size));
    memcpy(copy, f.image.data, f.image.size);
    memset(f.image.data, 0xff, f.image.size);
    CHECK_OK(&f.ctx, lm_tokenizer_bind(&f.ctx, copy, f.image.size, &f.tokenizer));
    encode(&f, "x <x3> unaffable", 16, &everything);
    CHECK(same_encoding(&first, &f.out, true));
    CHECK_EQ_INT(lm_tokenizer_bind(&f.ctx, f.image.data, f.image.size, &f.tokenizer), LM_CORRUPT);
    CHECK_EQ_INT(lm_tokenizer_bind(&f.ctx, copy, f.image.size - 1, &f.tokenizer), LM_CORRUPT);
    CHECK_EQ_INT(lm_tokenizer_bind(&f.ctx, copy, 3, &f.tokenizer), LM_CORRUPT);
    lm_encoding_free(&first);
    free(copy);
    close_fixture(&f);
}

/* ---------------------------------------------------------------- vocabulary, template, decoder */

/* Ideographs are alike for all stages, but each is a letter of its own: none has the other's
 * pieces. */
static void
test_alike_characters(void)
{
    static const char vocabulary[] =
        "{\"normalizer\":{\"type\":\"BertNormalizer\",\"handle_chinese_chars\":true}%s,\"model\":"
        "{\"type\":\"WordPiece\",\"unk_token\":\"[UNK]\",\"continuing_subword_prefix\":\"##\","
        "\"vocab\":{\"[UNK]\":0,\" \":1,\"## \":2,\"##\xe4\xb8\x80\":3,\"##\xe4\xb8\x81\":4}}}";
    static const char *const pretokenizers[] = {"",
                                                ",\"pre_tokenizer\":{\"type\":\"Punctuation\"}"};
    static const struct {
        const char *text;
        int32_t ids[6];
        size_t count;
    } cases[] = {
        {"\xe4\xb8\x81", {1, 4, 2}, 3},                      /* U+4E01 */
        {"\xe4\xb8\x80\xe4\xb8\x81", {1, 3, 2, 2, 4, 2}, 6}, /* U+4E00 U+4E01 */
        {"\xe4\xb8\x82", {0}, 1},                            /* U+4E02: in no piece */
        {"\xe4\xba\x81", {0}, 1},                            /* U+4E81: of another block */
    };

    for (size_t k = 0; k < sizeof pretokenizers / sizeof pretokenizers[0]; k++) {
        char json[800];
        fixture f;

        snprintf(json, sizeof json, vocabulary, pretokenizers[k]);
        open_empty(&f);
        CHECK_OK(&f.ctx, compile_json(&f, json, strlen(json), NULL, 100));
        CHECK_OK(&f.ctx, lm_tokenizer_bind(&f.ctx, f.image.data, f.image.size, &f.tokenizer));
        CHECK(((const lm_token_image *)f.tokenizer.image)->fused.present);
        /* Blocks of ideographs have one list. */
        CHECK(((const lm_token_image *)f.tokenizer.image)->fused.lists.count < 10000);
        for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
            encode(&f, cases[i].text, strlen(cases[i].text), &everything);
            CHECK_EQ_INT(f.out.count, cases[i].count);
            CHECK(memcmp(f.out.ids, cases[i].ids, cases[i].count * sizeof *f.out.ids) == 0);
        }
        close_fixture(&f);
    }
}

/* An added token of white space: what the first one took is no token again. */
static void
test_added_space(void)
{
    static const char json[] =
        "{\"added_tokens\":[{\"id\":2,\"content\":\" \",\"special\":true,\"normalized\":false,"
        "\"lstrip\":true,\"rstrip\":true}],\"model\":{\"type\":\"WordPiece\",\"unk_token\":\"u\","
        "\"continuing_subword_prefix\":\"##\",\"vocab\":{\"u\":0,\"a\":1}}}";
    static const int32_t ids[] = {1, 2, 1}, starts[] = {0, 1, 4}, stops[] = {1, 4, 5};
    fixture f;

    open_empty(&f);
    CHECK_OK(&f.ctx, compile_json(&f, json, strlen(json), NULL, 100));
    CHECK_OK(&f.ctx, lm_tokenizer_bind(&f.ctx, f.image.data, f.image.size, &f.tokenizer));
    encode(&f, "a   a", 5, &everything);
    CHECK_EQ_INT(f.out.count, 3);
    CHECK(memcmp(f.out.ids, ids, sizeof ids) == 0);
    CHECK(memcmp(f.out.start, starts, sizeof starts) == 0);
    CHECK(memcmp(f.out.stop, stops, sizeof stops) == 0);
    close_fixture(&f);
}

static void
test_vocabulary(void)
{
    fixture f;
    size_t length;
    int32_t id;

    if (!open_named(&f, "added"))
        return;
    id = lm_token_id(&f.tokenizer, "new york", 8);
    CHECK(id > 0);
    CHECK(strncmp(lm_token_text(&f.tokenizer, id, &length), "new york", 8) == 0);
    CHECK_EQ_INT(length, 8);
    CHECK(!lm_token_is_special(&f.tokenizer, id));
    CHECK(lm_token_is_special(&f.tokenizer, lm_token_id(&f.tokenizer, "[SEP]", 5)));
    CHECK_EQ_INT(lm_token_id(&f.tokenizer, "no such token", 13), -1);
    /* A normalized added token is looked up as it is written, and shown as it is looked for. */
    id = lm_token_id(&f.tokenizer, "caf\xc3\xa9", 5);
    CHECK(id >= 0 && id != lm_token_id(&f.tokenizer, "cafe", 4));
    CHECK(strncmp(lm_token_text(&f.tokenizer, id, &length), "cafe", 4) == 0 && length == 4);
    CHECK(lm_token_text(&f.tokenizer, -1, &length) == NULL);
    CHECK(lm_token_text(&f.tokenizer, f.tokenizer.vocab_size, &length) == NULL);
    CHECK(lm_token_text(&f.tokenizer, f.tokenizer.vocab_size - 1, &length) != NULL);
    CHECK(!lm_token_is_special(&f.tokenizer, INT32_MAX));
    CHECK(!lm_token_is_special(&f.tokenizer, -1));
    close_fixture(&f);
}

static void
test_unknown(void)
{
    static const char *const names[] = {"added", "wordlevel"};

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        fixture f;

        if (!open_named(&f, names[i]))
            return;
        CHECK(lm_token_unknown(&f.tokenizer) >= 0);
        CHECK_EQ_INT(lm_token_unknown(&f.tokenizer), lm_token_id(&f.tokenizer, "[UNK]", 5));
        close_fixture(&f);
    }
}

static void
test_surround(void)
{
    static const lm_token_options bare = {.parse_special = true, .offsets = true};
    lm_encoding plain;
    int32_t ids[64], types[64];
    fixture f;

    if (!open_named(&f, "cased"))
        return;
    lm_encoding_init(&plain, &f.ctx);
    CHECK_OK(&f.ctx,
             lm_tokenize(&f.ctx, &f.tokenizer, f.scratch, "hello world", 11, &bare, &plain));
    encode(&f, "hello world", 11, &everything);
    CHECK_EQ_INT(lm_tokenizer_special_count(&f.tokenizer, false), 2);
    CHECK_EQ_INT(lm_tokenizer_special_count(&f.tokenizer, true), 3);
    CHECK_EQ_INT(lm_tokenizer_special_before(&f.tokenizer), 1);
    CHECK_EQ_INT(lm_tokenizer_surround(&f.tokenizer, plain.ids, plain.count, ids, types),
                 plain.count + 2);
    CHECK(memcmp(ids, f.out.ids, f.out.count * sizeof *ids) == 0);
    CHECK(memcmp(types, f.out.type_ids, f.out.count * sizeof *types) == 0);
    CHECK(f.out.special[0] == 1 && f.out.special[1] == 0 && f.out.special[f.out.count - 1] == 1);
    CHECK(!f.out.truncated);
    lm_encoding_free(&plain);
    close_fixture(&f);
}

static size_t
read_ids(const lm_json *array, int32_t *ids, size_t room)
{
    size_t count = 0;

    for (const lm_json *id = array->as.items.first; id && count < room; id = id->next)
        ids[count++] = (int32_t)id->integer;
    return count;
}

static void
check_decoding(const char *name)
{
    line_reader lines = open_lines(name, "decode.jsonl");
    size_t count = 0;
    fixture f;
    lm_buffer out;

    if (!open_named(&f, name))
        return;
    lm_buffer_init(&out, &f.ctx);
    for (char *line; (line = next_line(&lines)) != NULL; count++) {
        const lm_json *root = NULL;
        int32_t ids[2048];
        size_t id_count;

        CHECK_OK(&f.ctx, lm_json_parse(&f.ctx, &f.arena, line, strlen(line), "golden", &root));
        id_count = read_ids(lm_json_get(root, "ids"), ids, 2048);
        for (int skip = 0; skip < 2; skip++) {
            const lm_json *wanted = lm_json_get(root, skip ? "text" : "plain");

            out.size = 0;
            CHECK_OK(&f.ctx, lm_detokenize(&f.ctx, &f.tokenizer, ids, id_count, skip, &out));
            if (out.size != wanted->as.string.length ||
                (out.size > 0 && memcmp(out.data, wanted->as.string.bytes, out.size) != 0))
                UNIT_FAIL("%s: line %zu decodes to %.*s, wanted %s", name, count, (int)out.size,
                          out.data, wanted->as.string.bytes);
        }
    }
    CHECK(count >= 150);
    lm_buffer_free(&out);
    free(lines.data);
    close_fixture(&f);
}

static void
test_decoding(void)
{
    check_decoding("uncased");
    check_decoding("cased-stripped");
    check_decoding("added");
    check_decoding("wordlevel");
    for (size_t i = 0; i < sizeof decoded / sizeof decoded[0]; i++)
        check_decoding(decoded[i]);
}

/* At most so many characters go on each side. */
static void
test_decoding_strip(void)
{
    static const char json[] =
        "{\"model\":{\"type\":\"WordLevel\",\"unk_token\":\"baaaa\",\"vocab\":{\"baaaa\":0,\"aab\":"
        "1,"
        "\"aaaaaab\":2,\"a\":3}},\"decoder\":{\"type\":\"Strip\",\"content\":\"a\",\"start\":3,"
        "\"stop\":2}}";
    static const int32_t ids[] = {0, 1, 2, 3};
    lm_buffer out;
    fixture f;

    open_empty(&f);
    lm_buffer_init(&out, &f.ctx);
    CHECK_OK(&f.ctx, compile_json(&f, json, strlen(json), NULL, 100));
    CHECK_OK(&f.ctx, lm_tokenizer_bind(&f.ctx, f.image.data, f.image.size, &f.tokenizer));
    /* In the reference the last one fails. */
    CHECK_OK(&f.ctx, lm_detokenize(&f.ctx, &f.tokenizer, ids, 4, false, &out));
    CHECK(out.size == 8 && memcmp(out.data, "baabaaab", 8) == 0);
    lm_buffer_free(&out);
    close_fixture(&f);
}

/* Where words of ByteLevel end; what the library says. */
static void
test_byte_level_words(void)
{
    static const struct {
        const char *text;
        int count;
        int stops[8];
    } rows[] = {
        {"it's we'll", 4, {2, 4, 7, 10}},
        {"'S 'sx", 4, {1, 2, 4, 6}},
        {"a  b   ", 4, {1, 2, 4, 7}},
        {"x \n 7a", 4, {1, 3, 5, 6}},
        {"\n\nb", 3, {1, 2, 3}},
        {"!'s 're", 4, {2, 3, 5, 7}},
        {"a\xc2\xa0 b", 3, {1, 2, 4}},
        {"\xc2\xbd"
         "2 \xe3\x80\x80",
         2,
         {2, 4}},
    };
    static const char json[] =
        "{\"model\":{\"type\":\"WordLevel\",\"unk_token\":\"u\",\"vocab\":{\"u\":0}},"
        "\"pre_tokenizer\":{\"type\":\"ByteLevel\",\"add_prefix_space\":false,"
        "\"trim_offsets\":false}}";
    fixture f;

    open_empty(&f);
    CHECK_OK(&f.ctx, compile_json(&f, json, strlen(json), NULL, 100));
    CHECK_OK(&f.ctx, lm_tokenizer_bind(&f.ctx, f.image.data, f.image.size, &f.tokenizer));
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        encode(&f, rows[i].text, strlen(rows[i].text), &everything);
        CHECK_EQ_INT(f.out.count, rows[i].count);
        for (int k = 0; k < rows[i].count; k++)
            if (f.out.stop[k] != rows[i].stops[k])
                UNIT_FAIL("%s: word %d ends at %d", rows[i].text, k, f.out.stop[k]);
    }
    close_fixture(&f);
}

static void
test_decoding_unknown_ids(void)
{
    int32_t ids[] = {3, -1};
    fixture f;
    lm_buffer out;

    if (!open_named(&f, "uncased"))
        return;
    lm_buffer_init(&out, &f.ctx);
    CHECK_EQ_INT(lm_detokenize(&f.ctx, &f.tokenizer, ids, 2, false, &out), LM_BAD_ARGUMENT);
    CHECK_STR(f.ctx.error.found, "-1");
    ids[1] = f.tokenizer.vocab_size;
    CHECK_EQ_INT(lm_detokenize(&f.ctx, &f.tokenizer, ids, 2, true, &out), LM_BAD_ARGUMENT);
    lm_buffer_free(&out);
    close_fixture(&f);
}

/* ---------------------------------------------------------------- calls */

static void
test_bad_calls(void)
{
    lm_token_options few = {
        .add_special = true, .parse_special = true, .offsets = true, .max_tokens = 1};
    fixture f;

    if (!open_named(&f, "uncased"))
        return;
    CHECK_EQ_INT(lm_tokenize(&f.ctx, &f.tokenizer, f.scratch, "ab\xff", 3, &everything, &f.out),
                 LM_BAD_TEXT);
    CHECK_EQ_INT(f.ctx.error.offset, 2);
    CHECK_EQ_INT(lm_tokenize(&f.ctx, &f.tokenizer, f.scratch, "ab", 2, &few, &f.out),
                 LM_BAD_ARGUMENT);
    CHECK_EQ_INT(lm_tokenize(&f.ctx, &f.tokenizer, f.scratch, "", (size_t)INT32_MAX + 1,
                             &everything, &f.out),
                 LM_TOO_LARGE);
    close_fixture(&f);
}

/* An allocator that fails after a number of calls, and a caller who cancels after a number of
 * polls. */
typedef struct saboteur {
    long left;
} saboteur;

static bool
spend(void *opaque)
{
    return ((saboteur *)opaque)->left-- <= 0;
}

static void *
failing_alloc(void *opaque, size_t size)
{
    return spend(opaque) ? NULL : malloc(size);
}

static void *
failing_realloc(void *opaque, void *pointer, size_t size)
{
    return spend(opaque) ? NULL : realloc(pointer, size);
}

/* Compile and use a tokenizer in a context that is being sabotaged. */
static lm_status
compile_and_use(lm_context *ctx, const lm_json *root)
{
    static const char text[] =
        "Unaffable <x3> \xea\xb0\x81 e\xcc\x81\xe3\x80\xaa hello world, caf\xc3\xa9";
    lm_buffer image;
    lm_tokenizer tokenizer;
    lm_token_scratch *scratch = NULL;
    lm_encoding out;
    lm_status status;

    lm_buffer_init(&image, ctx);
    lm_encoding_init(&out, ctx);
    status = lm_tokenizer_compile(ctx, root, NULL, MAX_VOCAB, &image, NULL);
    if (status == LM_OK)
        status = lm_tokenizer_bind(ctx, image.data, image.size, &tokenizer);
    if (status == LM_OK)
        status = lm_token_scratch_create(ctx, &scratch);
    if (status == LM_OK)
        status = lm_tokenize(ctx, &tokenizer, scratch, text, strlen(text), &everything, &out);
    lm_token_scratch_free(scratch);
    lm_encoding_free(&out);
    lm_buffer_free(&image);
    return status;
}

/* An allocator of which one call fails, and only that one. */
static void *
once_failing_alloc(void *opaque, size_t size)
{
    return ((saboteur *)opaque)->left-- == 0 ? NULL : malloc(size);
}

static void *
once_failing_realloc(void *opaque, void *pointer, size_t size)
{
    return ((saboteur *)opaque)->left-- == 0 ? NULL : realloc(pointer, size);
}

/*
 * Each allocation in turn fails, alone or with all that follow: the call fails as long as one did.
 * The number of tries.
 */
static long
starve(const lm_json *root, bool once)
{
    lm_status status = LM_NO_MEMORY;
    long calls;

    for (calls = 0; status == LM_NO_MEMORY; calls++) {
        saboteur opaque = {calls};
        lm_context ctx;

        lm_context_init(&ctx);
        ctx.alloc = once ? once_failing_alloc : failing_alloc;
        ctx.realloc = once ? once_failing_realloc : failing_realloc;
        ctx.opaque = &opaque;
        status = compile_and_use(&ctx, root);
        if (status == LM_OK && opaque.left < 0)
            UNIT_FAIL("allocation %ld failed, and nobody said so", calls);
    }
    CHECK_EQ_INT(status, LM_OK);
    return calls;
}

/*
 * Each allocation and each poll in turn fails; what is not freed, ASan reports. The second
 * tokenizer takes the fast way, the others the staged one.
 */
static void
test_sabotage(void)
{
    static const char *const names[] = {"added", "uncased", "byte-level", "metaspace-first"};

    for (size_t n = 0; n < sizeof names / sizeof names[0]; n++) {
        char path[256];
        const lm_json *root = NULL;
        lm_status status = LM_CANCELLED;
        size_t size;
        fixture f;
        char *json;
        long calls;

        snprintf(path, sizeof path, FOLDER "%s.tokenizer.json", names[n]);
        json = read_file(path, &size);
        open_empty(&f);
        CHECK_OK(&f.ctx, lm_json_parse(&f.ctx, &f.arena, json, size, "tokenizer.json", &root));
        CHECK(starve(root, false) > 50);
        CHECK(starve(root, true) > 50);
        for (calls = 0; status == LM_CANCELLED; calls += n != 1 ? 7 : 997) {
            saboteur opaque = {calls};
            lm_context ctx;

            lm_context_init(&ctx);
            ctx.cancelled = spend;
            ctx.opaque = &opaque;
            status = compile_and_use(&ctx, root);
        }
        CHECK_EQ_INT(status, LM_OK);
        CHECK(calls > 50);
        close_fixture(&f);
        free(json);
    }
}

static bool
count_poll(void *opaque)
{
    ++*(long *)opaque;
    return false;
}

/* Texts of eight megabytes: every loop over one of them looks for a cancel, that over bytes too. */
static void
test_long_texts_poll(void)
{
    static const struct {
        const char *tokenizer, *unit;
        lm_token_options options;
        int per_megabyte; /* polls */
    } texts[] = {
        {"uncased",
         "hello ",
         {.add_special = true, .parse_special = true, .max_tokens = 16},
         1}, /* the check of UTF-8 */
        {"uncased", "[SEP]", {.add_special = true, .max_tokens = 16}, 1000},
        {"uncased",
         "[SE",
         {.add_special = true, .parse_special = true, .max_tokens = 16},
         2}, /* and the matcher */
        {"uncased",
         "a\xf0\xb0\x80\x80",
         {.add_special = true, .parse_special = true, .max_tokens = 16},
         40},
        {"composed", "hello ", {.add_special = true, .parse_special = true}, 40},
        {"composed",
         "hello ",
         {.add_special = true, .parse_special = true, .max_tokens = 16},
         1}, /* only the first words are read */
        {"added",
         "a\xe3\x80\xaa",
         {.add_special = true, .parse_special = true, .offsets = true},
         40},
        {"byte-level", "hello ", {.add_special = true, .parse_special = true, .offsets = true}, 40},
        {"byte-level-prefix", "a", {.add_special = true, .parse_special = true}, 40},
        {"byte-level-prefix", " ", {.add_special = true, .parse_special = true}, 40},
        {"byte-level-prefix",
         "hello ",
         {.add_special = true, .parse_special = true, .max_tokens = 16},
         1}, /* it stops before a space */
        {"metaspace", " a", {.add_special = true, .parse_special = true}, 40},
        {"prepended", "a ", {.add_special = true, .parse_special = true, .offsets = true}, 40},
        {"bytes-normalized",
         "\xe4\xb8\xad",
         {.add_special = true, .parse_special = true, .offsets = true},
         15},
    };
    const size_t size = (size_t)8 << 20;

    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        size_t unit = strlen(texts[i].unit), length = size / unit * unit;
        char *text = malloc(length);
        long polls = 0;
        fixture f;

        if (!open_named(&f, texts[i].tokenizer))
            return;
        for (size_t at = 0; at < length; at += unit)
            memcpy(text + at, texts[i].unit, unit);
        f.ctx.cancelled = count_poll;
        f.ctx.opaque = &polls;
        encode(&f, text, length, &texts[i].options);
        if (polls < 8L * texts[i].per_megabyte - 1)
            UNIT_FAIL("%s: %ld polls over 8 MB of \"%s\"", texts[i].tokenizer, polls,
                      texts[i].unit);
        polls = 0;
        if (texts[i].options.max_tokens == 16) {
            lm_token_options whole = texts[i].options;
            size_t count;

            whole.max_tokens = 0;
            CHECK_OK(&f.ctx, lm_count_tokens(&f.ctx, &f.tokenizer, f.scratch, text, length, &whole,
                                             &count));
            if (polls < 8L * 10)
                UNIT_FAIL("%s: %ld polls while 8 MB of \"%s\" are counted", texts[i].tokenizer,
                          polls, texts[i].unit);
        }
        free(text);
        close_fixture(&f);
    }
}

/* Added tokens are found wherever they stand, also where a search of many megabytes pauses. */
static void
test_far_tokens(void)
{
    static const lm_token_options ids_only = {.parse_special = true};
    const size_t size = ((size_t)2 << 20) + 64;
    char *text = malloc(size + 5);
    fixture f;

    if (!open_named(&f, "uncased"))
        return;
    for (size_t at = ((size_t)1 << 20) - 6; at < ((size_t)1 << 20) + 6; at++) {
        size_t found = 0;

        memset(text, '[', size + 5);
        memcpy(text + at, "[SEP]", 5);
        memcpy(text + size, "[SEP]", 5);
        encode(&f, text, size + 5, &ids_only);
        for (size_t i = 0; i < f.out.count; i++)
            found += f.out.ids[i] == lm_token_id(&f.tokenizer, "[SEP]", 5);
        CHECK_EQ_INT(found, 2);
        CHECK_EQ_INT(f.out.count, size - 5 + 2);
    }
    close_fixture(&f);
    free(text);
}

/* Invalid bytes are found where they are, also across the pieces in which a text is checked. */
static void
test_long_texts_are_checked(void)
{
    const size_t size = ((size_t)1 << 20) + 16, piece = (size_t)1 << 20;
    char *text = malloc(size);
    fixture f;

    if (!open_named(&f, "uncased"))
        return;
    for (size_t at = piece - 4; at <= size - 3; at++) {
        memset(text, ' ', size);
        memcpy(text + at, "\xe4\xb8\xad", 3);
        encode(&f, text, size, &everything);
        CHECK_EQ_INT(f.out.count, 3);
        text[at + 2] = ' ';
        CHECK_EQ_INT(lm_tokenize(&f.ctx, &f.tokenizer, f.scratch, text, size, &everything, &f.out),
                     LM_BAD_TEXT);
        CHECK_EQ_INT(f.ctx.error.offset, at);
    }
    CHECK_EQ_INT(lm_tokenize(&f.ctx, &f.tokenizer, f.scratch, text, size - 2, &everything, &f.out),
                 LM_BAD_TEXT);
    close_fixture(&f);
    free(text);
}

static const unit_case cases[] = {
    {"minilm_golden", test_minilm_golden},
    {"minilm_options", test_minilm_options},
    {"long_left", test_long_left},
    {"left_of_nothing", test_left_of_nothing},
    {"left_of_type", test_left_of_type},
    {"minilm_blocks", test_minilm_blocks},
    {"fixtures", test_fixtures},
    {"blocks", test_blocks},
    {"paths_agree", test_paths_agree},
    {"alike_characters", test_alike_characters},
    {"added_space", test_added_space},
    {"scalars_agree", test_scalars_agree},
    {"hostile_texts", test_hostile_texts},
    {"relocation", test_relocation},
    {"vocabulary", test_vocabulary},
    {"unknown", test_unknown},
    {"surround", test_surround},
    {"decoding", test_decoding},
    {"decoding_strip", test_decoding_strip},
    {"decoding_unknown_ids", test_decoding_unknown_ids},
    {"byte_level_words", test_byte_level_words},
    {"bad_calls", test_bad_calls},
    {"sabotage", test_sabotage},
    {"long_texts_poll", test_long_texts_poll},
    {"far_tokens", test_far_tokens},
    {"long_texts_are_checked", test_long_texts_are_checked},
};

UNIT_MAIN(cases)
