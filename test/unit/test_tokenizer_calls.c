/*
 * test_tokenizer_calls.c - calls of the tokenizer that are wrong, that run out of memory or are
 * cancelled, and texts of many megabytes.
 */
#include "golden_tokenizers.h"

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
    {"bad_calls", test_bad_calls},
    {"sabotage", test_sabotage},
    {"long_texts_poll", test_long_texts_poll},
    {"far_tokens", test_far_tokens},
    {"long_texts_are_checked", test_long_texts_are_checked},
};

UNIT_MAIN(cases)
