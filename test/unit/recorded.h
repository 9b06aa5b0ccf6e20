/*
 * recorded.h - numbers that a reference library gave, from one JSON file of test/golden: objects
 * with a "name", and arrays of numbers by key.
 */
#ifndef RECORDED_H
#define RECORDED_H

#include "golden.h"

enum { MOST = 256 };

typedef struct recorded {
    lm_context ctx;
    golden_folder file;
    const lm_json *root;
} recorded;

/* golden_close frees r->file. */
static inline void
recorded_open(recorded *r, const char *path)
{
    lm_context_init(&r->ctx);
    memset(&r->file, 0, sizeof r->file);
    lm_arena_init(&r->file.arena, &r->ctx);
    golden_add_file(&r->file, path, path);
    CHECK_OK(&r->ctx, lm_json_parse(&r->ctx, &r->file.arena, r->file.files.files[0].data,
                                    r->file.files.files[0].size, path, &r->root));
}

/* The numbers of a case under a key; returns how many. */
static inline size_t
numbers(const lm_json *each, const char *key, float *out)
{
    const lm_json *list = lm_json_get(each, key);
    size_t count = 0;

    for (const lm_json *item = list ? list->as.items.first : NULL; item; item = item->next)
        out[count++] = (float)item->as.number;
    CHECK(count <= MOST);
    return count;
}

static inline void
same(const lm_json *each, const char *key, const float *got)
{
    float wanted[MOST];
    size_t count = numbers(each, key, wanted);

    CHECK(count > 0);
    for (size_t i = 0; i < count; i++)
        if (!(fabsf(got[i] - wanted[i]) <= 1e-5f * fmaxf(1, fabsf(wanted[i]))))
            UNIT_FAIL("%s, %s %zu: %g, wanted %g", lm_json_get(each, "name")->as.string.bytes, key,
                      i, (double)got[i], (double)wanted[i]);
}

/* The case of that name in an array under `list`. */
static inline const lm_json *
recorded_find(const recorded *r, const char *list, const char *name)
{
    for (const lm_json *each = lm_json_get(r->root, list)->as.items.first; each; each = each->next)
        if (lm_json_is_string(lm_json_get(each, "name"), name))
            return each;
    UNIT_FAIL("no case %s", name);
    return NULL;
}

#endif
