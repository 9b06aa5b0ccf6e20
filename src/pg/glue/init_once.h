/*
 * init_once.h - what a room's init may do again. An error in _PG_init (memory is short) leaves the
 * library in the process with all that was done, and PostgreSQL starts it again at the next use.
 */
#ifndef LMTEXT_INIT_ONCE_H
#define LMTEXT_INIT_ONCE_H

#include "postgres.h"

#include "access/xact.h"
#include "utils/guc.h"

/* Not defined yet; a value that was given to it before is kept in a placeholder. */
static inline bool
lmtext_setting_is_new(const char *name)
{
    return GetConfigOption(name, true, false) == NULL ||
           (GetConfigOptionFlags(name, true) & GUC_CUSTOM_PLACEHOLDER) != 0;
}

/* DefineCustom…Variable, unless it is defined already: PostgreSQL refuses a second definition. */
#define LMTEXT_SETTING(type, name, ...)                      \
    do {                                                     \
        if (lmtext_setting_is_new(name))                     \
            DefineCustom##type##Variable(name, __VA_ARGS__); \
    } while (0)

/*
 * Put a hook in front of those that are there. Once: what comes after it in a room may fail, and a
 * hook that is its own predecessor never returns.
 */
#define LMTEXT_HOOK(hook, previous, ours) \
    do {                                  \
        static bool set = false;          \
                                          \
        if (!set) {                       \
            previous = hook;              \
            hook = ours;                  \
            set = true;                   \
        }                                 \
    } while (0)

/* Calls both once at each end of a transaction, however often this was tried. */
static inline void
lmtext_at_xact_end(XactCallback xact, SubXactCallback subxact)
{
    UnregisterXactCallback(xact, NULL);
    UnregisterSubXactCallback(subxact, NULL);
    RegisterXactCallback(xact, NULL);
    RegisterSubXactCallback(subxact, NULL);
}

#endif
