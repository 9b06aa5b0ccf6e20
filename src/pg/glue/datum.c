/*
 * datum.c - texts and float arrays, between PostgreSQL's form and the engine's.
 *
 * Laws: what goes to the engine is valid UTF-8, also where the database is SQL_ASCII and PostgreSQL
 * checks nothing; sizes of arrays are checked before anything is allocated.
 */
#include "postgres.h"

#include <math.h>

#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "base/size.h"
#include "base/utf8.h"
#include "pg/glue/glue.h"
#include "pg/glue/limits.h"

/* Of a word in a message: a name, quoted and qualified, fits. */
#define SHOWN_BYTES 140

/* Conversion takes lengths as int, and no text is longer. */
static int
checked_length(size_t length)
{
    if (length > MaxAllocSize - VARHDRSZ)
        ereport(ERROR, (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED), errmsg("text is too long"),
                        errdetail("It has %zu bytes; at most %zu are allowed.", length,
                                  (size_t)(MaxAllocSize - VARHDRSZ))));
    return (int)length;
}

/* Throws 22021 with the offending bytes, in PostgreSQL's words. */
static void
verify_utf8(const char *bytes, size_t length)
{
    size_t valid = lm_utf8_valid_prefix(bytes, length);

    if (valid < length)
        report_invalid_encoding(PG_UTF8, bytes + valid, checked_length(length - valid));
}

/* ---- Texts ---- */
/*
 * Tokenizers are defined on Unicode, so ids and vectors must not depend on the database's encoding.
 * PostgreSQL's conversions are used where the encoding is known. SQL_ASCII has none: its bytes are
 * taken for UTF-8, which is what such databases mostly hold, and refused where they are not.
 */

/* Short headers are read in place; a compressed or external value must have been detoasted. */
lm_text
lmtext_utf8_from_text(const text *value)
{
    return lmtext_utf8_from_bytes(VARDATA_ANY(value), VARSIZE_ANY_EXHDR(value));
}

/* False: a character has no counterpart, or the bytes are malformed in the encoding. */
static bool
convert_to_utf8(int encoding, lm_text *text)
{
    Oid conversion = FindDefaultConversionProc(encoding, PG_UTF8);
    Size space = text->length * MAX_CONVERSION_GROWTH + 1;
    unsigned char *out;

    if (!OidIsValid(conversion) || text->length > MaxAllocSize / MAX_CONVERSION_GROWTH - 1)
        return false;
    out = palloc(space);
    if (pg_do_encoding_conversion_buf(conversion, encoding, PG_UTF8, (unsigned char *)text->bytes,
                                      (int)text->length, out, (int)space,
                                      true) != (int)text->length)
        return false;
    *text = (lm_text){(char *)out, strlen((char *)out)};
    return true;
}

/*
 * Also verifies what a UTF-8 database holds: invalid bytes got into such databases before (by
 * backslash escapes, by bugs), and the engine decodes without looking twice.
 */
lm_text
lmtext_utf8_from_bytes(const char *bytes, size_t length)
{
    lm_text result = {bytes, length};
    char *converted;

    lmtext_limit_text(length);
    if (GetDatabaseEncoding() != PG_UTF8 && GetDatabaseEncoding() != PG_SQL_ASCII) {
        converted = pg_server_to_any(bytes, checked_length(length), PG_UTF8);
        if (converted != bytes) {
            result.bytes = converted;
            result.length = strlen(converted);
        }
    }
    verify_utf8(result.bytes, result.length);
    return result;
}

/* As lmtext_utf8_from_bytes, but for what it would throw. */
bool
lmtext_utf8_try(const char *bytes, size_t length, lm_text *text)
{
    int encoding = GetDatabaseEncoding();

    *text = (lm_text){bytes, length};
    if (encoding != PG_UTF8 && encoding != PG_SQL_ASCII && !convert_to_utf8(encoding, text))
        return false;
    return lm_utf8_valid_prefix(text->bytes, text->length) == text->length;
}

/* Convert from UTF-8, verified; *length is the result's, which may be `bytes` itself. */
static char *
to_server(const char *bytes, size_t *length)
{
    char *converted = pg_any_to_server(bytes, checked_length(*length), PG_UTF8);

    if (converted != bytes)
        *length = strlen(converted);
    return converted;
}

/* The conversion verifies, and refuses U+0000, which no text of PostgreSQL may hold. */
text *
lmtext_text_from_utf8(const char *bytes, size_t length)
{
    const char *converted = to_server(bytes, &length);

    return cstring_to_text_with_len(converted, checked_length(length));
}

/* Always a copy of its own, terminated. */
char *
lmtext_cstring_from_utf8(const char *bytes, size_t length)
{
    char *converted = to_server(bytes, &length);

    return converted == bytes ? pnstrdup(bytes, length) : converted;
}

/* Only UTF-8 databases get characters beyond ASCII: trying a conversion can fail. */
char *
lmtext_cstring_lossy(const char *bytes, size_t length)
{
    bool keep = GetDatabaseEncoding() == PG_UTF8;
    char *out = MemoryContextAllocHuge(CurrentMemoryContext, length + 1);
    size_t at = 0, used = 0;

    while (at < length) {
        size_t valid = lm_utf8_valid_prefix(bytes + at, Min(length - at, 4));
        int step = 1;

        if (valid > 0)
            lm_utf8_decode(bytes + at, &step);
        if (valid == 0 || (step > 1 && !keep) || bytes[at] == '\0')
            out[used++] = '?';
        else
            for (int i = 0; i < step; i++)
                out[used++] = bytes[at + i];
        at += step;
    }
    out[used] = '\0';
    return out;
}

char *
lmtext_clip(const char *word)
{
    int length = (int)strnlen(word, 10 * SHOWN_BYTES);

    if (length <= SHOWN_BYTES)
        return pstrdup(word);
    return psprintf("%.*s...", pg_mbcliplen(word, length, SHOWN_BYTES), word);
}

/* ---- Arrays ---- */
/*
 * Arrays are built by hand: construct_array would want a Datum of 8 bytes for every float, and a
 * copy.
 */

/* An empty-valued array of float4 of these dimensions, ready to be filled. */
static ArrayType *
float_array(int ndim, const int *dims)
{
    size_t header = ARR_OVERHEAD_NONULLS(ndim);
    size_t count = 1, size;
    ArrayType *array;

    for (int i = 0; i < ndim; i++)
        if (lm_mul_overflows(count, dims[i], &count))
            count = SIZE_MAX;
    if (count == 0)
        return construct_empty_array(FLOAT4OID);
    if (count > MaxArraySize) /* PostgreSQL's limit: 8 bytes an element, whatever its type */
        ereport(ERROR, (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED), errmsg("array is too large"),
                        errdetail("An array can have at most %zu elements.", (size_t)MaxArraySize),
                        errhint("Pass fewer texts in one call.")));
    size = header + count * sizeof(float4);
    array = palloc0(size);
    SET_VARSIZE(array, size);
    array->ndim = ndim;
    array->dataoffset = 0;
    array->elemtype = FLOAT4OID;
    for (int i = 0; i < ndim; i++) {
        ARR_DIMS(array)[i] = dims[i];
        ARR_LBOUND(array)[i] = 1;
    }
    return array;
}

/* The caller computes straight into the array: a vector is never copied. */
ArrayType *
lmtext_vector_new(int width, float **values)
{
    ArrayType *array = float_array(1, &width);

    *values = (float *)ARR_DATA_PTR(array);
    return array;
}

/* The engine's rows lie end to end, as PostgreSQL's do. */
ArrayType *
lmtext_matrix_new(int rows, int columns, float **values)
{
    int dims[2] = {rows, columns};
    ArrayType *array = float_array(2, dims);

    *values = (float *)ARR_DATA_PTR(array);
    return array;
}

/* In place: distances are computed millions of times a query, and alignment of 4 is enough. */
const float *
lmtext_floats_from_array(ArrayType *array, int *width)
{
    if (ARR_NDIM(array) != 1)
        ereport(ERROR, (errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
                        errmsg("vector must be a one-dimensional array"),
                        errdetail("The array has %d dimensions.", ARR_NDIM(array))));
    if (array_contains_nulls(array))
        ereport(ERROR,
                (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("vector must not contain nulls")));
    *width = ARR_DIMS(array)[0];
    return (const float *)ARR_DATA_PTR(array);
}

void
lmtext_check_finite(const float *values, int width)
{
    for (int i = 0; i < width; i++)
        if (unlikely(!isfinite(values[i])))
            ereport(ERROR, (errcode(ERRCODE_DATA_EXCEPTION),
                            errmsg("vector must not contain NaN or infinity"),
                            errdetail("Component %d is %s.", i + 1,
                                      isnan(values[i]) ? "NaN"
                                      : values[i] > 0  ? "Infinity"
                                                       : "-Infinity")));
}

/* Nulls keep their places, so that results can be put back in order. */
void
lmtext_texts_from_array(ArrayType *array, lm_text **texts, bool **nulls, int *count)
{
    Datum *values;

    if (ARR_NDIM(array) > 1)
        ereport(ERROR, (errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
                        errmsg("texts must be a one-dimensional array"),
                        errdetail("The array has %d dimensions.", ARR_NDIM(array))));
    lmtext_limit_texts(ArrayGetNItems(ARR_NDIM(array), ARR_DIMS(array)));
    deconstruct_array(array, TEXTOID, -1, false, TYPALIGN_INT, &values, nulls, count);
    *texts = MemoryContextAllocHuge(CurrentMemoryContext, (Size)*count * sizeof(lm_text));
    for (int i = 0; i < *count; i++) {
        lm_text none = {NULL, 0};

        (*texts)[i] =
            (*nulls)[i] ? none : lmtext_utf8_from_text((const text *)DatumGetPointer(values[i]));
    }
    pfree(values);
}
