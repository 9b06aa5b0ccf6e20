/*
 * word_files.c - names of files that may hold word vectors, and of those that may not.
 */
#include "format/word_files.h"

#include <stdio.h>
#include <string.h>

#define COUNT(table) (sizeof table / sizeof table[0])

/* .gz: refused by what it is when it is read. */
static const char *const ends[] = {".txt", ".vec", ".bin", ".w2v", ".gz"};

/* With one of these a folder is another model's, or what is left of one. */
static const char *const others[] = {
    "config.json", "modules.json",      "head.json",         "ngram.json", "tokenizer.json",
    "vocab.txt",   "model.safetensors", "pytorch_model.bin", "merges.txt",
};

/* They lie beside models of all kinds. */
static const char *const passed[] = {
    "README.txt", "readme.txt", "LICENSE.txt", "LICENCE.txt", "license.txt", "requirements.txt",
};

static bool
is_among(const char *name, const char *const *table, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(name, table[i]) == 0)
            return true;
    return false;
}

bool
lm_word_file_name(const char *name)
{
    size_t length = strlen(name);

    for (size_t i = 0; i < COUNT(ends); i++) {
        size_t end = strlen(ends[i]);

        if (length > end && strcmp(name + length - end, ends[i]) == 0)
            return !is_among(name, others, COUNT(others)) && !is_among(name, passed, COUNT(passed));
    }
    return false;
}

/* The lesser names are kept, so that a message does not depend on the file system. */
lm_status
lm_word_find_take(lm_context *ctx, void *find, const char *name)
{
    lm_word_find *found = find;
    char *last = found->names[1];

    found->other = found->other || is_among(name, others, COUNT(others));
    if (!lm_word_file_name(name) || strlen(name) >= sizeof found->names[0])
        return LM_OK;
    if (found->count < 2)
        last = found->names[found->count++];
    else if (strcmp(name, last) > 0)
        return LM_OK;
    strcpy(last, name);
    if (found->count == 2 && strcmp(found->names[0], found->names[1]) > 0) {
        char greater[sizeof found->names[0]];

        strcpy(greater, found->names[0]);
        strcpy(found->names[0], found->names[1]);
        strcpy(found->names[1], greater);
    }
    return LM_OK;
}

lm_status
lm_word_find_end(lm_context *ctx, const lm_word_find *find, const char **name)
{
    *name = find->count > 0 && !find->other ? find->names[0] : NULL;
    if (!*name || find->count == 1)
        return LM_OK;
    lm_raise(ctx, LM_UNSUPPORTED, "the folder has several files that may be word vectors");
    lm_detail_found(ctx, "%.70s, %.70s", find->names[0], find->names[1]);
    lm_detail_allowed(ctx, "one");
    return lm_detail_hint(ctx, "Give the path of the file itself.");
}
