/*
 * entry.c - all entries of the library; the contract is in entry.h.
 */
#include "postgres.h"

#include "common/hashfn.h"

#include "pg/service/entry.h"

/* The linker sets these at the ends of the section. */
extern const lmtext_entry *const __start_lmtext_entries[] __attribute__((visibility("hidden")));
extern const lmtext_entry *const __stop_lmtext_entries[] __attribute__((visibility("hidden")));

const lmtext_entry *
lmtext_entry_find(const char *symbol)
{
    const lmtext_entry *const *at;

    for (at = __start_lmtext_entries; at < __stop_lmtext_entries; at++)
        if (strcmp((*at)->symbol, symbol) == 0)
            return *at;
    return NULL;
}

static int
compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Those that use any model are no task's own. */
static bool
serves(const lmtext_entry *entry, const char *task)
{
    return entry->task != NULL && strcmp(entry->task, task) == 0 && !entry->any_task &&
           !entry->any_encoder;
}

const char **
lmtext_entry_names(const char *task)
{
    const lmtext_entry *const *at;
    const char **names =
        palloc((__stop_lmtext_entries - __start_lmtext_entries + 1) * sizeof(*names));
    size_t count = 0, kept = 0;

    for (at = __start_lmtext_entries; at < __stop_lmtext_entries; at++)
        if (serves(*at, task))
            names[count++] = (*at)->name;
    qsort(names, count, sizeof(*names), compare_names);
    for (size_t i = 0; i < count; i++)
        if (kept == 0 || strcmp(names[i], names[kept - 1]) != 0)
            names[kept++] = names[i];
    names[kept] = NULL;
    return names;
}

/* A hash: sums in shared memory may be shared by processes of two builds. */
int32
lmtext_entry_number(const char *name)
{
    return (int32)hash_bytes((const unsigned char *)name, (int)strlen(name));
}

const char *
lmtext_entry_name(int32 number)
{
    const lmtext_entry *const *at;

    for (at = __start_lmtext_entries; at < __stop_lmtext_entries; at++)
        if (lmtext_entry_number((*at)->name) == number)
            return (*at)->name;
    return NULL;
}
