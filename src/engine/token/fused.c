/*
 * fused.c - builds the table of the fast path; fused_loop.h runs it.
 *
 * An entry says what becomes of one scalar value: a letter of a word, a word of its own, white
 * space, nothing, several letters, or SLOW. SLOW is a mark that survives normalization that puts
 * marks into canonical order: what it becomes depends on its neighbours. The word in which it
 * stands, and all up to the next white space, then goes through the stages one by one (staged.c).
 * Nothing to the left of the word can matter: its first character is no mark, or stands right after
 * what is no mark.
 */
#include "token/fused.h"

#include <string.h>

#include "base/unicode.h"
#include "base/utf8.h"
#include "token/match.h"
#include "token/normalize.h"
#include "token/pretokenize.h"
#include "token/fused_table.h"

#define BLOCKS (LM_FUSED_LIMIT >> LM_FUSED_SHIFT)

typedef struct fuser {
    lm_context *ctx;
    lm_token_scratch *scratch;
    const lm_token_image *image; /* until the table is appended to it */
    bool reorders;
    lm_buffer lists;  /* uint32_t: a count, and as many characters or ITSELF; and so on */
    size_t last_list; /* where the last one starts */
} fuser;

static lm_status build_tables(fuser *f, size_t start, lm_buffer *out, lm_fused *fused);
static lm_status make_block(fuser *f, uint32_t first, uint32_t *block);
static lm_status make_entry(fuser *f, uint32_t c, uint32_t *entry);
static lm_status make_list(fuser *f, uint32_t c, uint32_t *entry);
static lm_status add_list(fuser *f, uint32_t c, uint32_t *entry);

/* Stages that look at neighbours have no table: texts then take the staged way. */
lm_status
lm_fused_compile(lm_context *ctx, lm_token_scratch *scratch, size_t start, lm_buffer *out)
{
    const lm_token_image *image = (const lm_token_image *)(out->data + start);
    fuser f = {.ctx = ctx, .scratch = scratch, .image = image};
    lm_fused fused = {.present = 1};
    lm_status status;

    if (!lm_matcher_is_empty(&image->normalized) || !lm_normalizer_all(image, LM_OP_LOCAL) ||
        !lm_pretokenizer_is_local(image))
        return LM_OK;
    f.reorders = lm_normalizer_any(image, LM_OP_REORDERS);
    lm_buffer_init(&f.lists, ctx);
    status = build_tables(&f, start, out, &fused);
    if (status == LM_OK)
        status = lm_image_append(out, start, f.lists.data, f.lists.size / sizeof(uint32_t),
                                 sizeof(uint32_t), &fused.lists);
    lm_buffer_free(&f.lists);
    if (status == LM_OK)
        ((lm_token_image *)(out->data + start))->fused = fused;
    return status;
}

/* The number of an equal block among the first `count`, or count. */
static size_t
find_block(const uint32_t *values, size_t count)
{
    const uint32_t *block = values + count * BLOCK;
    size_t i = 0;

    while (i < count && memcmp(block, values + i * BLOCK, BLOCK * sizeof *block) != 0)
        i++;
    return i;
}

/* The table of ASCII holds bytes in place of distances. */
static void
fill_ascii(const uint16_t *numbers, const uint32_t *values, lm_fused *fused)
{
    for (uint32_t c = 0; c < 128; c++) {
        uint32_t entry = values[numbers[c / BLOCK] * BLOCK + c % BLOCK], byte = MOVED(entry, c);

        if (KIND(entry) == LIST || KIND(entry) == SLOW || byte >= 128)
            fused->present = 0;
        fused->ascii[c] = (uint16_t)(KIND(entry) << 8 | (byte & 0x7f));
    }
}

static lm_status
fill_blocks(fuser *f, uint16_t *numbers, uint32_t *values, size_t *count)
{
    for (uint32_t i = 0; i < BLOCKS; i++) {
        LM_TRY(lm_poll(f->ctx));
        LM_TRY(make_block(f, i << LM_FUSED_SHIFT, values + *count * BLOCK));
        numbers[i] = (uint16_t)find_block(values, *count);
        if (numbers[i] == *count)
            ++*count;
    }
    return LM_OK;
}

/* The blocks are made in full first, since equal ones are only known then. */
static lm_status
build_tables(fuser *f, size_t start, lm_buffer *out, lm_fused *fused)
{
    uint16_t *numbers = lm_alloc_array(f->ctx, BLOCKS, sizeof *numbers);
    uint32_t *values = lm_alloc_array(f->ctx, LM_FUSED_LIMIT, sizeof *values);
    size_t count = 0;
    lm_status status = numbers && values ? LM_OK : LM_NO_MEMORY;

    if (status == LM_OK)
        status = fill_blocks(f, numbers, values, &count);
    if (status == LM_OK) {
        fill_ascii(numbers, values, fused);
        status = lm_image_append(out, start, numbers, BLOCKS, sizeof *numbers, &fused->block);
    }
    if (status == LM_OK)
        status = lm_image_append(out, start, values, count * BLOCK, sizeof *values, &fused->value);
    lm_free(f->ctx, numbers);
    lm_free(f->ctx, values);
    return status;
}

/* A role may tell characters apart that are alike to normalizers: digits. */
static bool
block_is_alike(const fuser *f, uint32_t first)
{
    const lm_char_role role = lm_pretokenizer_role(f->image, first);

    if (!lm_unicode_are_alike(first, BLOCK))
        return false;
    for (uint32_t i = 1; i < BLOCK; i++)
        if (lm_pretokenizer_role(f->image, first + i) != role)
            return false;
    return true;
}

/*
 * Surrogates never occur in valid text; their entries are there to fill the block. Most blocks hold
 * characters that are all alike: one is asked for. No entry holds the character itself (letters are
 * distances, lists have ITSELF), so that it is right for all of them.
 */
static lm_status
make_block(fuser *f, uint32_t first, uint32_t *block)
{
    if (block_is_alike(f, first) && (first < 0xd800 || first > 0xdfff)) {
        LM_TRY(make_entry(f, first, &block[0]));
        for (uint32_t i = 1; i < BLOCK; i++)
            block[i] = block[0];
        return LM_OK;
    }
    for (uint32_t i = 0; i < BLOCK; i++) {
        block[i] = ENTRY(DROP, 0);
        if (first + i < 0xd800 || first + i > 0xdfff)
            LM_TRY(make_entry(f, first + i, &block[i]));
    }
    return LM_OK;
}

static const uint8_t kind_of_role[] = {
    [LM_ROLE_LETTER] = LETTER, [LM_ROLE_SPACE] = SPACE, [LM_ROLE_ALONE] = ALONE};

/* What a normalized character is, by its role. */
static uint32_t
kind_of(const fuser *f, uint32_t c)
{
    return kind_of_role[lm_pretokenizer_role(f->image, c)];
}

/* The entry for a character c that becomes `to`; of spaces only the kind counts. */
static uint32_t
entry_of(uint32_t kind, uint32_t to, uint32_t c)
{
    const uint32_t turn = UINT32_MAX >> KIND_BITS;

    return ENTRY(kind, kind == SPACE ? 0 : (to + turn + 1 - c) & turn);
}

/* Ask the stages what becomes of c alone. */
static lm_status
make_entry(fuser *f, uint32_t c, uint32_t *entry)
{
    lm_chars *chars = &f->scratch->chars;

    LM_TRY(lm_chars_reserve(f->ctx, chars, 1));
    chars->c[0] = c;
    chars->at[0] = 0;
    chars->count = 1;
    LM_TRY(lm_normalizer_run(f->ctx, f->image, chars, &f->scratch->spare));
    for (size_t i = 0; f->reorders && i < chars->count; i++)
        if (lm_unicode_class(chars->c[i]) != 0) {
            *entry = ENTRY(SLOW, 0);
            return LM_OK;
        }
    if (chars->count == 0)
        *entry = ENTRY(DROP, 0);
    else if (chars->count == 1)
        *entry = entry_of(kind_of(f, chars->c[0]), chars->c[0], c);
    else
        return make_list(f, c, entry);
    return LM_OK;
}

/* Syllables are 11,172 lists of two or three letters: they are computed, not stored. */
static bool
is_hangul(const fuser *f, const lm_chars *chars)
{
    uint32_t composed = lm_unicode_compose(chars->c[0], chars->c[1]);

    if (composed - 0xac00 >= 11172 || chars->count > 3)
        return false;
    for (size_t i = 0; i < chars->count; i++)
        if (kind_of(f, chars->c[i]) != LETTER)
            return false;
    return chars->count == 2 || lm_unicode_compose(composed, chars->c[2]) != 0;
}

/* What the stages make of one character when it is several. */
static lm_status
make_list(fuser *f, uint32_t c, uint32_t *entry)
{
    const lm_chars *chars = &f->scratch->chars;
    uint32_t count = (uint32_t)chars->count;

    if (is_hangul(f, chars)) {
        *entry = ENTRY(HANGUL, 0);
        return LM_OK;
    }
    /* A letter between spaces, as CJK becomes, is a word of its own. */
    if (count == 3 && kind_of(f, chars->c[0]) == SPACE && kind_of(f, chars->c[1]) == LETTER &&
        kind_of(f, chars->c[2]) == SPACE) {
        *entry = entry_of(ALONE, chars->c[1], c);
        return LM_OK;
    }
    /* A list that ends a word and begins another could not be taken back as a whole. */
    for (uint32_t i = 0; i < count; i++)
        if (kind_of(f, chars->c[i]) != LETTER) {
            *entry = ENTRY(SLOW, 0);
            return LM_OK;
        }
    return add_list(f, c, entry);
}

/*
 * Append the list of the letters in the scratch. One that equals the last one is not kept twice, so
 * that blocks of characters which are alike are equal.
 */
static lm_status
add_list(fuser *f, uint32_t c, uint32_t *entry)
{
    const lm_chars *chars = &f->scratch->chars;
    const size_t start = f->lists.size, size = (1 + chars->count) * sizeof c;
    const uint32_t count = (uint32_t)chars->count;

    LM_TRY(lm_buffer_append(&f->lists, &count, sizeof count));
    for (uint32_t i = 0; i < count; i++) {
        const uint32_t letter = chars->c[i] == c ? ITSELF : chars->c[i];

        LM_TRY(lm_buffer_append(&f->lists, &letter, sizeof letter));
    }
    if (start >= f->last_list + size &&
        memcmp(f->lists.data + f->last_list, f->lists.data + start, size) == 0)
        f->lists.size = start;
    else
        f->last_list = start;
    *entry = ENTRY(LIST, f->last_list / sizeof c);
    return LM_OK;
}
