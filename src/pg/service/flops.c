/*
 * flops.c - operations for a token, by version; the contract is in flops.h.
 *
 * A statement is planned by asking several times, so answers are kept: a version's until its
 * relation is invalidated, a name's while nothing can have changed what it means.
 */
#include "postgres.h"

#include "utils/inval.h"
#include "utils/memutils.h"

#include "format/json.h"
#include "pg/cache/cache.h"
#include "pg/glue/try.h"
#include "pg/service/flops.h"
#include "pg/service/resolver.h"

#define KNOWN_VERSIONS 64 /* a power of two: a version's place follows from its Oid */
#define KNOWN_NAMES 4
#define NAME_CHARS (2 * NAMEDATALEN + 2) /* longer ones are looked up each time */

static struct known_version {
    Oid version;
    double flops;
} known_versions[KNOWN_VERSIONS];
static uint64 times_forgotten = 0;

static struct known_name {
    lmtext_guard guard;
    char name[NAME_CHARS];
    Oid version;
} known_names[KNOWN_NAMES];
static int next_name = 0;

/* What is looked up, with whatever error. */
typedef struct inquiry {
    const char *name;
    Oid version;
    double flops;
} inquiry;

/* ---- One version ---- */

/*
 * A manifest that does not say it tells it about: two operations for each weight but those of the
 * embedding tables, which are taken for 31,000 rows (BERT's vocabulary and positions), and for half
 * of the weights at most, as in the smallest encoders.
 */
static double
flops_of(const lmtext_manifest *manifest)
{
    const lm_json *said = lm_json_get(manifest->root, "flops_per_token");
    double weights = (double)manifest->parameters, tables = 31000.0 * manifest->dimensions;

    if (said != NULL && said->type == LM_JSON_NUMBER && said->as.number > 0.0)
        return said->as.number;
    return 2.0 * Max(weights - tables, weights / 2.0);
}

/* A head's few weights run on what its base computes. */
static void
read_version(void *argument)
{
    inquiry *asked = argument;
    lmtext_manifest *manifest;
    lmtext_peek outcome;
    Oid base = InvalidOid;

    manifest = lmtext_manifest_peek(asked->version, &base, &outcome);
    if (manifest != NULL && OidIsValid(base))
        manifest = lmtext_manifest_peek(base, NULL, &outcome);
    if (manifest != NULL)
        asked->flops = flops_of(manifest);
}

static void
find_name(void *argument)
{
    inquiry *asked = argument;

    asked->version = lmtext_catalog_peek(asked->name);
}

/* What fails here fails again when the call is made, and is reported then. */
static void
ask(void (*look)(void *argument), inquiry *asked)
{
    MemoryContext caller = CurrentMemoryContext;
    MemoryContext memory = AllocSetContextCreate(caller, "lmtext flops", ALLOCSET_DEFAULT_SIZES);
    ErrorData *error;

    MemoryContextSwitchTo(memory);
    error = lmtext_try(look, asked);
    MemoryContextSwitchTo(caller);
    if (error != NULL)
        *asked = (inquiry){.name = asked->name};
    MemoryContextDelete(memory);
}

/* InvalidOid: all of them. */
static void
forget_version(Datum unused, Oid relation)
{
    struct known_version *known = &known_versions[relation & (KNOWN_VERSIONS - 1)];

    times_forgotten++;
    if (!OidIsValid(relation))
        memset(known_versions, 0, sizeof known_versions);
    else if (known->version == relation)
        known->version = InvalidOid;
}

static void
watch_versions(void)
{
    static bool watched = false;

    if (!watched)
        CacheRegisterRelcacheCallback(forget_version, (Datum)0);
    watched = true;
}

/* What is looked up may change while it is: then it is not kept. */
double
lmtext_flops(Oid version)
{
    struct known_version *known = &known_versions[version & (KNOWN_VERSIONS - 1)];
    inquiry asked = {.version = version};
    uint64 before;

    if (!OidIsValid(version))
        return 0.0;
    if (known->version == version)
        return known->flops;
    watch_versions();
    before = times_forgotten;
    ask(read_version, &asked);
    if (asked.flops > 0.0 && before == times_forgotten)
        *known = (struct known_version){version, asked.flops};
    return asked.flops;
}

/* ---- One name ---- */

static const struct known_name *
known_name(const char *name)
{
    for (int i = 0; i < KNOWN_NAMES; i++)
        if (strcmp(known_names[i].name, name) == 0 && lmtext_guard_holds(&known_names[i].guard))
            return &known_names[i];
    return NULL;
}

static void
keep_name(const char *name, Oid version)
{
    struct known_name *known = &known_names[next_name];

    if (strlen(name) >= NAME_CHARS)
        return;
    next_name = (next_name + 1) % KNOWN_NAMES;
    strlcpy(known->name, name, NAME_CHARS);
    known->guard = lmtext_guard_now();
    known->version = version;
}

double
lmtext_flops_named(const char *name)
{
    const struct known_name *known = known_name(name);
    inquiry asked = {.name = name};

    if (known != NULL)
        return lmtext_flops(known->version);
    ask(find_name, &asked);
    keep_name(name, asked.version);
    return lmtext_flops(asked.version);
}
