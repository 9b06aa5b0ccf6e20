/*
 * fused.c - builds and runs the table of the fast path.
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
#include "token/staged.h"
#include "token/wordpiece.h"

enum { DROP, LETTER, ALONE, SPACE, LIST, HANGUL, SLOW };

#define KIND_BITS 3
#define KIND(entry) ((entry) & ((1u << KIND_BITS) - 1))
#define VALUE(entry) ((entry) >> KIND_BITS)
#define ENTRY(kind, value) ((uint32_t)(kind) | (uint32_t)(value) << KIND_BITS)

/*
 * The value of a letter or a word of its own is how far it is from the character it comes from, so
 * that scripts without case are equal blocks.
 */
#define MOVED(entry, c) (((c) + VALUE(entry)) & UINT32_MAX >> KIND_BITS)

/*
 * What stands in a list for the character that it comes from, so that characters which are alike
 * have one list as well: no scalar value.
 */
#define ITSELF UINT32_MAX

#define BLOCK (1u << LM_FUSED_SHIFT)
#define BLOCKS (LM_FUSED_LIMIT >> LM_FUSED_SHIFT)

/* A cancel is looked for after this many bytes of text. */
#define POLL_BYTES ((size_t)1 << 16)

/* ---------------------------------------------------------------- building */

typedef struct fuser {
    lm_context *ctx;
    lm_token_scratch *scratch;
    lm_stage_list normalizer, pretokenizer;
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
    fuser f = {.ctx = ctx,
               .scratch = scratch,
               .normalizer = image->normalizer,
               .pretokenizer = image->pretokenizer};
    lm_fused fused = {.present = 1};
    lm_status status;

    if (!lm_matcher_is_empty(&image->normalized) || !lm_normalizer_is_local(&f.normalizer) ||
        !lm_pretokenizer_is_local(&f.pretokenizer))
        return LM_OK;
    f.reorders = lm_normalizer_reorders(&f.normalizer);
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

/*
 * Surrogates never occur in valid text; their entries are there to fill the block. Most blocks hold
 * characters that are all alike: one is asked for. No entry holds the character itself (letters are
 * distances, lists have ITSELF), so that it is right for all of them.
 */
static lm_status
make_block(fuser *f, uint32_t first, uint32_t *block)
{
    if (lm_unicode_are_alike(first, BLOCK) && (first < 0xd800 || first > 0xdfff)) {
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
    return kind_of_role[lm_pretokenizer_role(&f->pretokenizer, c)];
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
    LM_TRY(lm_normalizer_run(f->ctx, &f->normalizer, chars, &f->scratch->spare));
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

/* ---------------------------------------------------------------- running */

/* A place in the stretch, as lm_place. */
typedef struct cursor {
    const unsigned char *p;
    int32_t at; /* the character's place in the text; follows only when offsets are asked for */
} cursor;

typedef struct reader {
    lm_run *run;
    lm_walk walk;
    const lm_fused *fused;
    const uint16_t *block;
    const uint32_t *value, *lists;
    const unsigned char *end;
    cursor now;
    cursor word;   /* where the current word starts */
    cursor resume; /* after the last character that was not dropped, when no word is open */
    bool in_word;
    int32_t last_at; /* of the current word */
} reader;

#define ALWAYS_INLINE static inline __attribute__((always_inline))

static lm_status read_stretch(reader *r, bool offsets);
static void take_other(reader *r, bool offsets);
static lm_status take_slow(reader *r);

/* Two copies of the loop: the one without offsets carries no places along. */
lm_status
lm_fused_run(lm_run *run, const char *text, size_t stop, lm_place *place)
{
    const lm_token_image *image = run->image;
    reader r = {.run = run,
                .fused = &image->fused,
                .block = lm_image_at(image, image->fused.block),
                .value = lm_image_at(image, image->fused.value),
                .lists = lm_image_at(image, image->fused.lists),
                .end = (const unsigned char *)text + stop,
                .now = {(const unsigned char *)text + place->byte, place->at}};

    r.resume = r.now;
    lm_walk_init(&r.walk, image);
    LM_TRY(run->offsets ? read_stretch(&r, true) : read_stretch(&r, false));
    place->byte = (size_t)(r.resume.p - (const unsigned char *)text);
    place->at = r.resume.at;
    return LM_OK;
}

/*
 * The walk reads places from the scratch, which may move when it grows. Without room for a place
 * the word is given up: its tokens would read places that are not there.
 */
static void
remember_place(reader *r)
{
    lm_buffer *at = &r->run->scratch->at;

    if (lm_buffer_append(at, &r->now.at, sizeof r->now.at) != LM_OK) {
        r->run->status = LM_NO_MEMORY;
        r->walk.bad = true;
    }
    r->walk.at = (const int32_t *)at->data;
    r->last_at = r->now.at;
}

/* A word opens at the current character. */
ALWAYS_INLINE void
begin_word(reader *r, bool offsets)
{
    lm_walk_begin(&r->walk, r->run);
    r->word = r->now;
    r->in_word = true;
    if (offsets)
        r->run->scratch->at.size = 0;
}

/* A word closes before the current character; nothing happens when none is open. */
ALWAYS_INLINE void
end_word(reader *r, bool offsets)
{
    if (!r->in_word)
        return;
    lm_walk_end(&r->walk, r->run, r->word.at, r->last_at + 1, offsets);
    r->in_word = false;
    r->resume = r->now;
}

/* Count one character of the word, whose bytes follow; false: the word is unknown. */
ALWAYS_INLINE bool
open_char(reader *r, bool offsets)
{
    if (offsets)
        r->last_at = r->now.at;
    if (r->walk.bad)
        return false;
    r->walk.bad = r->walk.chars >= r->walk.model->max_chars;
    if (offsets && !r->walk.bad)
        remember_place(r);
    return !r->walk.bad;
}

/* One byte is one character here: the shortest way through. */
ALWAYS_INLINE void
put_ascii(reader *r, unsigned char byte, bool offsets)
{
    if (!r->in_word)
        begin_word(r, offsets);
    if (!open_char(r, offsets))
        return;
    r->walk.bad = !lm_walk_byte(&r->walk, r->run, byte, offsets);
    r->walk.chars++;
}

/* A letter of any script, fed to the walk as UTF-8. */
static inline void
put_letter(reader *r, uint32_t c, bool offsets)
{
    char bytes[4];
    int length = lm_utf8_encode(c, bytes);

    if (!r->in_word)
        begin_word(r, offsets);
    if (!open_char(r, offsets))
        return;
    for (int i = 0; i < length && !r->walk.bad; i++)
        r->walk.bad = !lm_walk_byte(&r->walk, r->run, (unsigned char)bytes[i], offsets);
    r->walk.chars++;
}

/* A character that is a word of its own. */
static inline void
put_alone(reader *r, uint32_t c, bool offsets)
{
    end_word(r, offsets);
    put_letter(r, c, offsets);
    end_word(r, offsets);
}

/*
 * ASCII goes by a table of its own. Limits and failures are looked at between words, a cancel
 * also within them.
 */
static lm_status
read_stretch(reader *r, bool offsets)
{
    const unsigned char *poll = r->now.p + POLL_BYTES;

    while (r->now.p < r->end) {
        unsigned entry;

        if (*r->now.p >= 0x80) {
            take_other(r, offsets);
        } else {
            entry = r->fused->ascii[*r->now.p];
            if (entry >> 8 == LETTER)
                put_ascii(r, (unsigned char)entry, offsets);
            else if (entry >> 8 == SPACE)
                end_word(r, offsets);
            else if (entry >> 8 == ALONE)
                put_alone(r, entry & 0xff, offsets);
            r->now.p++;
            r->now.at++;
            if (!r->in_word && entry >> 8 != DROP)
                r->resume = r->now;
        }
        if (r->in_word && r->now.p < poll)
            continue;
        LM_TRY(r->run->status);
        if (!r->in_word && lm_run_pauses(r->run))
            return LM_OK;
        if (r->now.p >= poll) {
            LM_TRY(lm_poll(r->run->ctx));
            poll = r->now.p + POLL_BYTES;
        }
    }
    end_word(r, offsets);
    r->resume = r->now;
    return r->run->status;
}

/* Letter, alone or space. */
static void
put_entry(reader *r, uint32_t c, uint32_t entry, bool offsets)
{
    if (KIND(entry) == LETTER)
        put_letter(r, MOVED(entry, c), offsets);
    else if (KIND(entry) == ALONE)
        put_alone(r, MOVED(entry, c), offsets);
    else
        end_word(r, offsets);
}

/* The jamo of a syllable all take its place. */
static void
put_hangul(reader *r, uint32_t c, bool offsets)
{
    uint32_t jamo[LM_UNICODE_MAX_MAPPING];
    size_t count = lm_unicode_nfd(c, jamo);

    for (size_t i = 0; i < count; i++)
        put_letter(r, jamo[i], offsets);
}

/* Every letter of the list takes the place of the one character. */
static void
put_list(reader *r, const uint32_t *list, uint32_t c, bool offsets)
{
    for (uint32_t i = 0; i < list[0]; i++)
        put_letter(r, list[1 + i] == ITSELF ? c : list[1 + i], offsets);
}

/* Scalar values beyond the table are rare; the stages know what becomes of them. */
static uint32_t
look_up(const reader *r, uint32_t c)
{
    if (c >= LM_FUSED_LIMIT)
        return ENTRY(SLOW, 0);
    return r->value[(uint32_t)r->block[c >> LM_FUSED_SHIFT] << LM_FUSED_SHIFT | (c & (BLOCK - 1))];
}

/* One character that is not ASCII. */
static void
take_other(reader *r, bool offsets)
{
    int bytes;
    uint32_t c = lm_utf8_decode((const char *)r->now.p, &bytes);
    uint32_t entry = look_up(r, c);

    if (KIND(entry) == SLOW) {
        lm_status status = take_slow(r);

        if (r->run->status == LM_OK)
            r->run->status = status;
        return;
    }
    if (KIND(entry) == LIST)
        put_list(r, r->lists + VALUE(entry), c, offsets);
    else if (KIND(entry) == HANGUL)
        put_hangul(r, c, offsets);
    else if (KIND(entry) != DROP)
        put_entry(r, c, entry, offsets);
    r->now.p += bytes;
    r->now.at++;
    if (!r->in_word && KIND(entry) != DROP)
        r->resume = r->now;
}

/* Move the place to the next white space, or to the end. */
static lm_status
find_space(const reader *r, cursor *place)
{
    while (place->p < r->end) {
        int bytes;
        uint32_t c = lm_utf8_decode((const char *)place->p, &bytes);

        if (KIND(look_up(r, c)) == SPACE)
            break;
        LM_TRY(lm_run_poll(r->run->ctx, (size_t)place->at));
        place->p += bytes;
        place->at++;
    }
    return LM_OK;
}

/* Take back the current word, and send all up to the next white space through the stages. */
static lm_status
take_slow(reader *r)
{
    cursor from = r->in_word ? r->word : r->resume;

    if (r->in_word)
        r->run->out->count = r->walk.mark;
    r->in_word = false;
    r->now = from;
    LM_TRY(find_space(r, &r->now));
    r->resume = r->now;
    return lm_staged_run(r->run, (const char *)from.p, (size_t)(r->now.p - from.p), from.at);
}
