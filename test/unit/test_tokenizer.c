/*
 * test_tokenizer.c - the tokenizer against what the reference library recorded
 * (scripts/make-golden-tokenizer.py). test_tokenizer_paths.c compares its paths with each other,
 * test_tokenizer_calls.c has hostile calls, test_tokenizer_files.c the files.
 */
#include "golden_tokenizers.h"
#include "base/utf8.h"

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

static const unit_case cases[] = {
    {"minilm_golden", test_minilm_golden}, {"minilm_options", test_minilm_options},
    {"long_left", test_long_left},         {"left_of_nothing", test_left_of_nothing},
    {"left_of_type", test_left_of_type},   {"minilm_blocks", test_minilm_blocks},
    {"fixtures", test_fixtures},           {"blocks", test_blocks},
};

UNIT_MAIN(cases)
