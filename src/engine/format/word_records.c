/*
 * word_records.c - a window over a file of word vectors, and the records in it.
 */
#include "format/word_records.h"

#include <math.h>
#include <string.h>

#include "base/utf8.h"
#include "format/decimal.h"
#include "format/looks.h"

#define WINDOW ((size_t)4 << 20)
#define PIECE ((size_t)1 << 20) /* bytes between two polls */

_Static_assert(LM_WORD_LONGEST + 2 + LM_WORD_WIDTH * sizeof(float) <= WINDOW,
               "a binary record has no room in the window");

/* Bytes that can be taken. */
static size_t
left_in(const lm_word_records *r)
{
    return r->end - r->begin;
}

/* Of the file, where reading is. */
static uint64_t
offset_of(const lm_word_records *r)
{
    return r->next - left_in(r);
}

/* ---- Failures ---- */

/* At the line that was taken last, or in the record that comes next. */
static lm_status
refuse(lm_context *ctx, const lm_word_records *r, lm_status status, const char *what)
{
    if (r->binary)
        lm_raise(ctx, status, "%s in vector %llu of the file", what,
                 (unsigned long long)r->taken + 1);
    else
        lm_raise(ctx, status, "%s in line %llu of the file", what, (unsigned long long)r->line);
    lm_detail_file(ctx, r->file);
    if (r->binary)
        lm_detail_offset(ctx, offset_of(r));
    return status;
}

static lm_status
wrong_count(lm_context *ctx, const lm_word_records *r, const char *found)
{
    lm_raise(ctx, LM_BAD_MODEL,
             "a file of word vectors has another number of words than its first line says");
    lm_detail_file(ctx, r->file);
    lm_detail_found(ctx, "%s", found);
    return lm_detail_allowed(ctx, "%llu words", (unsigned long long)r->count);
}

/* ---- The window ---- */

/* What was taken makes room for what follows. */
static lm_status
fill(lm_context *ctx, lm_word_records *r)
{
    size_t kept = left_in(r), room = WINDOW - kept;

    memmove(r->window, r->window + r->begin, kept);
    r->begin = 0;
    r->end = kept;
    if (room > r->size - r->next)
        room = (size_t)(r->size - r->next);
    while (room > 0) {
        size_t piece = room < PIECE ? room : PIECE;

        LM_TRY(lm_poll(ctx));
        LM_TRY(
            r->source->read(ctx, r->source->opaque, r->file, r->next, r->window + r->end, piece));
        r->next += piece;
        r->end += piece;
        room -= piece;
    }
    return LM_OK;
}

/* As many bytes in the window, or all that there are. */
static lm_status
want(lm_context *ctx, lm_word_records *r, size_t bytes)
{
    return left_in(r) < bytes && r->next < r->size ? fill(ctx, r) : LM_OK;
}

/* The next line without its end; NULL behind the last. */
static lm_status
take_line(lm_context *ctx, lm_word_records *r, const char **line, size_t *length)
{
    const char *end = memchr(r->window + r->begin, '\n', left_in(r));

    if (!end && r->next < r->size) {
        size_t seen = left_in(r);

        LM_TRY(fill(ctx, r));
        end = memchr(r->window + seen, '\n', r->end - seen);
    }
    *line = left_in(r) > 0 ? r->window + r->begin : NULL;
    *length = end ? (size_t)(end - *line) : left_in(r);
    r->line += *line != NULL;
    if (!end && r->next < r->size) {
        refuse(ctx, r, LM_TOO_LARGE, "too many bytes");
        return lm_detail_allowed(ctx, "%zu bytes", WINDOW - 1);
    }
    r->begin += *length + (end != NULL);
    return LM_OK;
}

/* ---- Columns ---- */

static bool
separates(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

/* From `at` on, where the next column begins. */
static const char *
next_column(const char *at, const char *end)
{
    while (at < end && separates(*at))
        at++;
    return at;
}

static const char *
end_of_column(const char *at, const char *end)
{
    while (at < end && !separates(*at))
        at++;
    return at;
}

static size_t
count_columns(const char *line, size_t length)
{
    const char *end = line + length, *at = next_column(line, end);
    size_t count = 0;

    for (; at < end; count++)
        at = next_column(end_of_column(at, end), end);
    return count;
}

/* The last columns, `count` of them; NULL where there are not as many. */
static const char *
last_columns(const char *line, size_t length, int count)
{
    const char *at = line + length;

    for (int i = 0; i < count; i++) {
        while (at > line && separates(at[-1]))
            at--;
        if (at == line)
            return NULL;
        while (at > line && !separates(at[-1]))
            at--;
    }
    return at;
}

/*
 * Words of some files of GloVe have spaces in them (". . .", "at name@domain.com"). A number among
 * them is one too many.
 */
static bool
is_word(const char *word, size_t length)
{
    const char *end = word + length, *at = end_of_column(word, end);
    double value;

    while ((at = next_column(at, end)) < end) {
        const char *stop = end_of_column(at, end);

        if (lm_decimal_read(at, (size_t)(stop - at), &value))
            return false;
        at = stop;
    }
    return length > 0;
}

/* ---- Words ---- */

#define TO_UTF8                                                                            \
    "Convert the file to UTF-8 (iconv -f LATIN1 -t UTF-8), or write it anew with gensim: " \
    "KeyedVectors.load_word2vec_format(file, unicode_errors='replace')."

static lm_status
check_word(lm_context *ctx, const lm_word_records *r, const lm_word_record *record)
{
    size_t valid;

    if (record->length > LM_WORD_LONGEST) {
        refuse(ctx, r, LM_TOO_LARGE, "a word is too long");
        lm_detail_found(ctx, "%zu bytes", record->length);
        return lm_detail_allowed(ctx, "%d bytes", LM_WORD_LONGEST);
    }
    valid = lm_utf8_valid_prefix(record->word, record->length);
    if (valid < record->length) {
        refuse(ctx, r, LM_BAD_MODEL, "a word is not UTF-8");
        lm_detail_found(ctx, "byte 0x%02x", (unsigned char)record->word[valid]);
        return lm_detail_hint(ctx, TO_UTF8);
    }
    if (!memchr(record->word, '\0', record->length))
        return LM_OK;
    refuse(ctx, r, LM_BAD_MODEL, "a word has the character U+0000");
    return lm_detail_hint(ctx, "The file is perhaps damaged, or UTF-16: convert it to UTF-8.");
}

/* ---- Opening ---- */

/* A column of digits alone; the greatest number stands for all beyond it. */
static bool
read_count(const char *at, const char *end, uint64_t *count)
{
    *count = 0;
    for (; at < end; at++) {
        if (*at < '0' || *at > '9')
            return false;
        *count = *count < UINT64_MAX / 10 ? *count * 10 + (uint64_t)(*at - '0') : UINT64_MAX;
    }
    return true;
}

/* Two whole numbers: how many words, and of what width. */
static bool
read_header(lm_word_records *r, const char *line, size_t length, uint64_t *width)
{
    const char *end = line + length, *first = next_column(line, end);
    const char *second = next_column(end_of_column(first, end), end);

    return count_columns(line, length) == 2 &&
           read_count(first, end_of_column(first, end), &r->count) &&
           read_count(second, end_of_column(second, end), width);
}

static lm_status
check_width(lm_context *ctx, lm_word_records *r, uint64_t width)
{
    r->width = (int)(width <= LM_WORD_WIDTH ? width : 0);
    if (r->width > 0)
        return LM_OK;
    refuse(ctx, r, width == 0 ? LM_BAD_MODEL : LM_TOO_LARGE,
           "the number of dimensions is out of range");
    lm_detail_found(ctx, "%llu", (unsigned long long)width);
    return lm_detail_allowed(ctx, "1 to %d", LM_WORD_WIDTH);
}

static bool
is_text(const char *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if (bytes[i] != '\t' && (bytes[i] < 0x20 || bytes[i] > 0x7e))
            return false;
    return true;
}

/* Nothing that only binary values have; words of the next lines may be of any script. */
static bool
has_no_controls(const char *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if ((unsigned char)bytes[i] < 0x20 && bytes[i] != '\t' && bytes[i] != '\r' &&
            bytes[i] != '\n')
            return false;
    return true;
}

/* Whether a line of text that is too short for its numbers is text all the same. */
static bool
is_short_text(const lm_word_records *r, const char *values)
{
    const size_t there = (size_t)(r->window + r->end - values), most = 2 * (size_t)r->width;

    return r->width >= 16 && has_no_controls(values, there < most ? there : most);
}

/*
 * Behind the header: numbers as text are printable up to the line's end, and take two bytes each.
 * Values of float32 that look so are as good as impossible.
 */
static lm_status
find_form(lm_context *ctx, lm_word_records *r)
{
    const char *space, *values, *end;
    size_t length;

    LM_TRY(want(ctx, r, WINDOW));
    space = memchr(r->window + r->begin, ' ', left_in(r));
    if (!space)
        return LM_OK; /* text or nothing: words end at tabs, or it is wrong */
    values = space + 1;
    length = (size_t)(r->window + r->end - values);
    end = memchr(values, '\n', length);
    length = end ? (size_t)(end - values) : length;
    length -= length > 0 && values[length - 1] == '\r';
    r->binary = !is_text(values, length) ||
                (length + 1 < 2 * (size_t)r->width && !is_short_text(r, values));
    return LM_OK;
}

/* fastText's own form has parts of words and a softmax, too. */
static lm_status
check_kind(lm_context *ctx, const lm_word_records *r)
{
    static const char fasttext[] = {(char)0xba, 0x16, 0x4f, 0x2f};

    LM_TRY(lm_looks_check(ctx, LM_UNSUPPORTED, r->file, r->window, left_in(r)));
    if (left_in(r) < sizeof fasttext || memcmp(r->window, fasttext, sizeof fasttext) != 0)
        return LM_OK;
    lm_raise(ctx, LM_UNSUPPORTED, "models in fastText's binary form are not supported");
    lm_detail_file(ctx, r->file);
    lm_detail_allowed(ctx, "word vectors as text (.vec), or word2vec's binary form");
    return lm_detail_hint(ctx, "Import the .vec file that fastText writes beside it.");
}

/* By the first line, which is a header or the first record. */
static lm_status
read_start(lm_context *ctx, lm_word_records *r)
{
    const char *line;
    size_t length;
    uint64_t width;

    LM_TRY(fill(ctx, r));
    LM_TRY(check_kind(ctx, r));
    if (left_in(r) >= 3 && memcmp(r->window, "\xef\xbb\xbf", 3) == 0)
        r->begin = 3; /* a byte order mark is no part of a word */
    r->first = offset_of(r);
    LM_TRY(take_line(ctx, r, &line, &length));
    if (!line) {
        lm_raise(ctx, LM_BAD_MODEL, "a file of word vectors is empty");
        return lm_detail_file(ctx, r->file);
    }
    r->has_header = read_header(r, line, length, &width);
    if (r->has_header)
        r->first = offset_of(r);
    else
        width = count_columns(line, length);
    LM_TRY(check_width(ctx, r, r->has_header || width == 0 ? width : width - 1));
    return r->has_header ? find_form(ctx, r) : LM_OK;
}

lm_status
lm_word_records_open(lm_context *ctx, lm_arena *arena, const lm_source *source, const char *file,
                     lm_word_records *records)
{
    bool found = false;

    *records = (lm_word_records){.source = source, .file = file};
    LM_TRY(source->stat(ctx, source->opaque, file, &found, &records->size));
    if (!found) {
        lm_raise(ctx, LM_NO_FILE, "a file of the model is missing");
        return lm_detail_file(ctx, file);
    }
    records->window = lm_arena_alloc(arena, WINDOW);
    if (!records->window)
        return LM_NO_MEMORY;
    LM_TRY(read_start(ctx, records));
    lm_word_records_rewind(records);
    return LM_OK;
}

void
lm_word_records_rewind(lm_word_records *records)
{
    records->begin = records->end = 0;
    records->next = records->first;
    records->line = records->has_header;
    records->taken = 0;
}

/* ---- Records of text ---- */

static lm_status
wrong_columns(lm_context *ctx, const lm_word_records *r, const char *line, size_t length)
{
    refuse(ctx, r, LM_BAD_MODEL, "a wrong number of columns");
    lm_detail_found(ctx, "%zu columns", count_columns(line, length));
    return lm_detail_allowed(ctx, "a word and %d numbers", r->width);
}

/* The numbers are the last columns, the word is what stands before them. */
static lm_status
split_line(lm_context *ctx, const lm_word_records *r, const char *line, size_t length,
           lm_word_record *record)
{
    const char *values = last_columns(line, length, r->width);
    const char *word = next_column(line, line + length), *end = values;

    while (values && end > word && separates(end[-1]))
        end--;
    if (!values || !is_word(word, (size_t)(end - word)))
        return wrong_columns(ctx, r, line, length);
    *record =
        (lm_word_record){word, (size_t)(end - word), values, (size_t)(line + length - values)};
    return check_word(ctx, r, record);
}

static lm_status
next_of_text(lm_context *ctx, lm_word_records *r, lm_word_record *record, bool *found)
{
    const char *line;
    size_t length;

    do
        LM_TRY(take_line(ctx, r, &line, &length));
    while (line && next_column(line, line + length) == line + length);
    *found = line != NULL;
    if (r->has_header && *found != (r->taken < r->count))
        return wrong_count(ctx, r, *found ? "more words" : "fewer words");
    if (!*found)
        return LM_OK;
    LM_TRY(split_line(ctx, r, line, length, record));
    r->taken++;
    return LM_OK;
}

static lm_status
refuse_value(lm_context *ctx, const lm_word_records *r, const char *text, size_t length,
             bool finite)
{
    char shown[64];
    size_t valid = lm_utf8_valid_prefix(text, length < sizeof shown ? length : sizeof shown - 1);

    memcpy(shown, text, valid);
    shown[valid] = '\0';
    refuse(ctx, r, LM_BAD_MODEL, finite ? "no number" : "a number beyond float32");
    lm_detail_found(ctx, "%s", shown);
    return lm_detail_allowed(ctx, "numbers as 0.25, -1e-3; no NaN, no infinity");
}

static lm_status
values_of_text(lm_context *ctx, const lm_word_records *r, const lm_word_record *record,
               float *values)
{
    const char *at = record->values, *end = at + record->values_length;

    for (int i = 0; i < r->width; i++) {
        const char *column = next_column(at, end);
        double value;

        at = end_of_column(column, end);
        if (!lm_decimal_read(column, (size_t)(at - column), &value))
            return refuse_value(ctx, r, column, (size_t)(at - column), true);
        values[i] = (float)value;
        if (!isfinite(values[i]))
            return refuse_value(ctx, r, column, (size_t)(at - column), false);
    }
    return LM_OK;
}

/* ---- Binary records ---- */

static lm_status
truncated(lm_context *ctx, const lm_word_records *r, size_t missing)
{
    lm_raise(ctx, LM_BAD_MODEL, "a file of word vectors is truncated");
    lm_detail_file(ctx, r->file);
    lm_detail_offset(ctx, r->size);
    lm_detail_found(ctx, "the end of the file in vector %llu", (unsigned long long)r->taken + 1);
    return lm_detail_allowed(ctx, "%llu words, %zu more bytes for this one",
                             (unsigned long long)r->count, missing);
}

/* Line ends stand behind vectors as word2vec writes them, and not as gensim does. */
static lm_status
skip_ends(lm_context *ctx, lm_word_records *r)
{
    do {
        LM_TRY(want(ctx, r, 1));
        while (left_in(r) > 0 && r->window[r->begin] == '\n')
            r->begin++;
    } while (left_in(r) == 0 && r->next < r->size);
    return LM_OK;
}

static lm_status
take_binary(lm_context *ctx, lm_word_records *r, lm_word_record *record)
{
    const size_t bytes = (size_t)r->width * sizeof(float);
    const char *word, *space;
    size_t most;

    LM_TRY(want(ctx, r, LM_WORD_LONGEST + 1 + bytes));
    word = r->window + r->begin;
    most = left_in(r) < LM_WORD_LONGEST + 1 ? left_in(r) : LM_WORD_LONGEST + 1;
    space = memchr(word, ' ', most);
    if (!space && most <= LM_WORD_LONGEST)
        return truncated(ctx, r, bytes + 1);
    *record = (lm_word_record){word, space ? (size_t)(space - word) : most, NULL, bytes};
    LM_TRY(check_word(ctx, r, record));
    if (record->length == 0)
        return refuse(ctx, r, LM_BAD_MODEL, "no word");
    if (left_in(r) < record->length + 1 + bytes)
        return truncated(ctx, r, record->length + 1 + bytes - left_in(r));
    record->values = word + record->length + 1;
    r->begin += record->length + 1 + bytes;
    return LM_OK;
}

static lm_status
next_of_binary(lm_context *ctx, lm_word_records *r, lm_word_record *record, bool *found)
{
    LM_TRY(skip_ends(ctx, r));
    *found = r->taken < r->count;
    if (!*found)
        return left_in(r) > 0 ? wrong_count(ctx, r, "more bytes") : LM_OK;
    LM_TRY(take_binary(ctx, r, record));
    r->taken++;
    return LM_OK;
}

/* Files and machines are little-endian alike. */
static lm_status
values_of_binary(lm_context *ctx, const lm_word_records *r, const lm_word_record *record,
                 float *values)
{
    memcpy(values, record->values, record->values_length);
    for (int i = 0; i < r->width; i++)
        if (!isfinite(values[i])) {
            lm_raise(ctx, LM_BAD_MODEL, "a value is not finite in vector %llu of the file",
                     (unsigned long long)r->taken);
            lm_detail_file(ctx, r->file);
            lm_detail_found(ctx, "%g in dimension %d", values[i], i + 1);
            return lm_detail_allowed(ctx, "no NaN, no infinity");
        }
    return LM_OK;
}

/* ---- Either ---- */

lm_status
lm_word_records_next(lm_context *ctx, lm_word_records *records, lm_word_record *record, bool *found)
{
    return records->binary ? next_of_binary(ctx, records, record, found)
                           : next_of_text(ctx, records, record, found);
}

lm_status
lm_word_records_values(lm_context *ctx, const lm_word_records *records,
                       const lm_word_record *record, float *values)
{
    return records->binary ? values_of_binary(ctx, records, record, values)
                           : values_of_text(ctx, records, record, values);
}
