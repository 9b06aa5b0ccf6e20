/*
 * area.c - areas of shared memory, and the directory that finds them.
 *
 * The directory and what is marked `main` lie in main shared memory on 15 and 16: memory that was
 * set aside where the library is preloaded, else the slack behind the server's own, first come
 * first served, which the lock table grows into. So they are small, and taken by the first use of
 * anything. From 17 on they are segments that the server names itself. All other areas are pinned
 * segments whose handles stand in the directory, and live as long as the server. After a crash of a
 * backend the server starts over without any.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "storage/dsm.h"
#include "storage/ipc.h"
#include "storage/lwlock.h"
#include "storage/shmem.h"

#include "pg/compat.h"
#include "pg/glue/fault.h"
#include "pg/glue/init_once.h"
#include "pg/glue/try.h"
#include "pg/shmem/area.h"

#if LMTEXT_NAMED_DSM
#include "storage/dsm_registry.h"
#endif

typedef struct directory_entry {
    char name[LMTEXT_AREA_NAME];
    int layout;
    size_t size;
    dsm_handle handle;
} directory_entry;

typedef struct directory {
    LWLock lock; /* guards all that follows but the tranche; held for a look, or for one entry */
    int tranche; /* of all locks of lmtext */
    int count;
    directory_entry entries[LMTEXT_AREAS];
} directory;

static void directory_make(void *memory, int unused);
static lmtext_area areas = {
    .name = "areas", .layout = 1, .size = sizeof(directory), .main = true, .make = directory_make};

static void attach(void *area);
static void attach_main(lmtext_area *area);
static void attach_segment(lmtext_area *area);
static void *find_main(lmtext_area *area);
static void fill(lmtext_area *area, void *memory);
static bool find_entry(const lmtext_area *area, dsm_handle *handle);
static void make_segment(lmtext_area *area);
static bool add_entry(lmtext_area *area, dsm_segment *segment);

#if !LMTEXT_NAMED_DSM
#define RESERVED 8
static lmtext_area *reserved[RESERVED];
static int reserved_count;
static shmem_request_hook_type next_request_hook;
static shmem_startup_hook_type next_startup_hook;
static void request_memory(void);
static void take_reserved(void);
#endif

void
lmtext_shmem_init(void)
{
#if !LMTEXT_NAMED_DSM
    if (process_shared_preload_libraries_in_progress) {
        LMTEXT_HOOK(shmem_request_hook, next_request_hook, request_memory);
        LMTEXT_HOOK(shmem_startup_hook, next_startup_hook, take_reserved);
    }
#endif
    lmtext_area_reserve(&areas);
}

/* Only a preloaded library can have memory set aside; from 17 on there is no need to. */
void
lmtext_area_reserve(lmtext_area *area)
{
#if !LMTEXT_NAMED_DSM
    for (int i = 0; i < reserved_count; i++)
        if (reserved[i] == area)
            return;
    if (reserved_count == RESERVED)
        elog(ERROR, "lmtext: too many areas in main shared memory");
    reserved[reserved_count++] = area;
#endif
}

#if !LMTEXT_NAMED_DSM
/* Hooks are chained: other libraries may have set theirs before. */
static void
request_memory(void)
{
    if (next_request_hook)
        next_request_hook();
    for (int i = 0; i < reserved_count; i++)
        RequestAddinShmemSpace(CACHELINEALIGN(reserved[i]->size));
}

/*
 * Take what was set aside before the lock table can grow into it. The directory comes first. Also
 * after a crash, when the addresses that this process knows are of memory that is gone.
 */
static void
take_reserved(void)
{
    if (next_startup_hook)
        next_startup_hook();
    for (int i = 0; i < reserved_count; i++)
        attach_main(reserved[i]);
}
#endif

void *
lmtext_area_get(lmtext_area *area, const char **why)
{
    ErrorData *error;

    if (area->address != NULL)
        return area->address;
    error = lmtext_try(attach, area);
    if (error == NULL)
        return area->address;
    area->address = NULL;
    if (why != NULL)
        *why = pstrdup(error->message);
    FreeErrorData(error);
    return NULL;
}

/* The directory first: locks of an area are of its tranche. */
static void
attach(void *argument)
{
    lmtext_area *area = argument;

    if (areas.address == NULL)
        attach_main(&areas);
    if (area->main)
        attach_main(area);
    else
        attach_segment(area);
}

/* ---- Main shared memory ---- */

static void
attach_main(lmtext_area *area)
{
    void *memory = find_main(area);

    if (area == &areas)
        LWLockRegisterTranche(((directory *)memory)->tranche, "lmtext");
    area->address = memory;
}

static void
main_name(const lmtext_area *area, char *name, size_t size)
{
    snprintf(name, size, "lmtext %s %d", area->name, area->layout);
}

#if LMTEXT_NAMED_DSM
static lmtext_area *being_made;

static void
fill_named(void *memory)
{
    fill(being_made, memory);
}

/* A failure inside leaves locks of the server's own directory of segments to lmtext_try. */
static void *
find_main(lmtext_area *area)
{
    char name[64];
    bool found;

    main_name(area, name, sizeof name);
    being_made = area;
    return GetNamedDSMSegment(name, area->size, fill_named, &found);
}
#else
static void *
find_main(lmtext_area *area)
{
    char name[64];
    void *memory;
    bool found;

    main_name(area, name, sizeof name);
    LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
    LMTEXT_FAULT_POINT("area_locked");
    memory = ShmemInitStruct(name, area->size, &found);
    if (!found)
        fill(area, memory);
    LWLockRelease(AddinShmemInitLock);
    return memory;
}
#endif

/* The first process does it, under the server's lock for new structs. */
static void
fill(lmtext_area *area, void *memory)
{
    const directory *all = areas.address;

    memset(memory, 0, area->size);
    area->make(memory, area == &areas ? 0 : all->tranche);
}

/*
 * A tranche's number is given out once and kept: every process registers its name for the same one.
 */
static void
directory_make(void *memory, int unused)
{
    directory *made = memory;

    made->tranche = LWLockNewTrancheId();
    LWLockInitialize(&made->lock, made->tranche);
}

/* ---- Segments ---- */

static void
attach_segment(lmtext_area *area)
{
    dsm_handle handle = DSM_HANDLE_INVALID;
    dsm_segment *segment;

    if (!find_entry(area, &handle)) {
        make_segment(area);
        if (area->address != NULL)
            return;
        (void)find_entry(area, &handle); /* another process was first */
    }
    segment = dsm_attach(handle);
    if (segment == NULL)
        elog(ERROR, "lmtext: the segment of %s is gone", area->name);
    dsm_pin_mapping(segment);
    area->address = dsm_segment_address(segment);
}

static const directory_entry *
entry_of(const directory *all, const lmtext_area *area)
{
    for (int i = 0; i < all->count; i++) {
        const directory_entry *entry = &all->entries[i];

        if (entry->layout == area->layout && entry->size == area->size &&
            strcmp(entry->name, area->name) == 0)
            return entry;
    }
    return NULL;
}

static bool
find_entry(const lmtext_area *area, dsm_handle *handle)
{
    directory *all = areas.address;
    const directory_entry *entry;

    LWLockAcquire(&all->lock, LW_SHARED);
    entry = entry_of(all, area);
    if (entry != NULL)
        *handle = entry->handle;
    LWLockRelease(&all->lock);
    return entry != NULL;
}

/*
 * Made without the directory's lock, since a segment takes its time; of several that are made at
 * once the first stays. A segment that is not listed goes with the resource owner.
 */
static void
make_segment(lmtext_area *area)
{
    dsm_segment *segment = dsm_create(area->size, 0);

    fill(area, dsm_segment_address(segment));
    if (!add_entry(area, segment))
        dsm_detach(segment);
}

/* From pinning to listing nothing can fail: else the segment would stay, known to nobody. */
static bool
add_entry(lmtext_area *area, dsm_segment *segment)
{
    directory *all = areas.address;
    bool first;

    LWLockAcquire(&all->lock, LW_EXCLUSIVE);
    first = entry_of(all, area) == NULL;
    if (first && all->count == LMTEXT_AREAS)
        elog(ERROR, "lmtext: the directory of shared memory is full");
    if (first) {
        directory_entry *entry = &all->entries[all->count];

        dsm_pin_mapping(segment);
        dsm_pin_segment(segment);
        strlcpy(entry->name, area->name, sizeof entry->name);
        entry->layout = area->layout;
        entry->size = area->size;
        entry->handle = dsm_segment_handle(segment);
        all->count++;
        area->address = dsm_segment_address(segment);
    }
    LWLockRelease(&all->lock);
    return first;
}
