/*
 * image.c - attaching to shared images, loading them from model tables, private copies.
 *
 * A load plans first (settings and headers are read, the size is known), then takes room under
 * lmtext.cache_size and a segment, fills it in the same pass over the table's chunks, and publishes
 * it only when the hashes of all files have been compared. Whatever stands in the way of sharing
 * turns the same load into a private one, with a warning, or into an error where
 * lmtext.private_models is off.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "portability/instr_time.h"
#include "storage/ipc.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "base/size.h"
#include "kernels/kernels.h"
#include "pg/cache/image.h"
#include "pg/cache/loader.h"
#include "pg/glue/backend.h"
#include "pg/glue/try.h"

/* Why a model is not shared. */
typedef enum obstacle {
    OBSTACLE_NONE,
    OBSTACLE_REGISTRY,
    OBSTACLE_SLOTS,
    OBSTACLE_CACHE_SIZE,
    OBSTACLE_SEGMENT
} obstacle;

static const char *const obstacle_hints[] = {
    [OBSTACLE_REGISTRY] = "Add lmtext to shared_preload_libraries and restart the server, so that "
                          "memory is reserved for its registry of models.",
    [OBSTACLE_SLOTS] = "Use fewer models at the same time.",
    [OBSTACLE_CACHE_SIZE] = "Raise lmtext.cache_size.",
    [OBSTACLE_SEGMENT] = "Enlarge /dev/shm (in Docker: --shm-size), or reserve memory with "
                         "min_dynamic_shared_memory.",
};

/* One load under way; lives on the stack of lmtext_image_open. */
typedef struct image_load {
    Oid relid;
    const lmtext_manifest *manifest;
    lmtext_image *image;
    lmtext_loader loader;
    instr_time start;
    obstacle obstacle;
    const char *detail;
} image_load;

typedef struct segment_request {
    Size size;
    dsm_segment *segment;
} segment_request;

int64 lmtext_images_loaded, lmtext_images_attached;
bool lmtext_private_models = true;

static dlist_head images = DLIST_STATIC_INIT(images);
static void (*drop_private_copies)(void);

static lmtext_image *find_image(const lmtext_cache_key *key);
static lmtext_image *image_new(const lmtext_cache_key *key);
static void image_set(lmtext_image *image, void *memory, size_t size);
static void image_close(lmtext_image *image);
static void image_load_new(lmtext_image *image, Oid relid, const lmtext_manifest *manifest,
                           obstacle known, const char *detail);
static void load_run(image_load *load);
static void load_shared(image_load *load);
static void load_abandon(int code, Datum argument);
static void load_plan(image_load *load);
static dsm_segment *load_segment(image_load *load);
static void segment_create(void *argument);
static void load_private(image_load *load);
static void report_obstacle(const image_load *load);
static int64 load_elapsed(const image_load *load);
static void process_exits(void);

void
lmtext_images_init(void (*drop_private)(void))
{
    drop_private_copies = drop_private;
}

/*
 * Three ways, cheapest first: mapped here already (by another table with the same contents), loaded
 * by another backend, to be loaded by this one.
 */
lmtext_image *
lmtext_image_open(const lmtext_cache_key *key, Oid relid, const lmtext_manifest *manifest)
{
    lmtext_image *image = find_image(key);
    lmtext_registry *registry;
    const char *why = NULL;

    if (image != NULL && lmtext_image_pin(image)) {
        image->references++;
        return image;
    }
    lmtext_at_exit(process_exits);
    image = image_new(key);
    LMTEXT_FAULT_POINT("image_listed");
    registry = lmtext_registry_get(&why);
    if (registry == NULL)
        image_load_new(image, relid, manifest, OBSTACLE_REGISTRY, why);
    else {
        lmtext_claim claim = lmtext_registry_claim(registry, key, &image->slot, &image->segment);

        if (claim == LMTEXT_CLAIM_ATTACHED) {
            image->pins = 1;
            image_set(image, dsm_segment_address(image->segment), 0);
            lmtext_images_attached++;
        } else
            image_load_new(image, relid, manifest,
                           claim == LMTEXT_CLAIM_FULL ? OBSTACLE_SLOTS : OBSTACLE_NONE,
                           "Every entry of the registry is taken by a model that is in use.");
    }
    image->references = 1;
    return image;
}

/* A short list: one image per model that this backend has used and not let go. */
static lmtext_image *
find_image(const lmtext_cache_key *key)
{
    dlist_iter iter;

    dlist_foreach(iter, &images)
    {
        lmtext_image *image = dlist_container(lmtext_image, node, iter.cur);

        if (image->references > 0 && memcmp(&image->key, key, sizeof *key) == 0 &&
            lmtext_image_is_current(image))
            return image;
    }
    return NULL;
}

/* Listed at once: what an error leaves half done is closed by the next sweep. */
static lmtext_image *
image_new(const lmtext_cache_key *key)
{
    lmtext_image *image = MemoryContextAllocZero(lmtext_memory(), sizeof *image);

    image->key = *key;
    image->slot.index = -1;
    dlist_push_tail(&images, &image->node);
    return image;
}

/* Segments are mapped at page boundaries, so the aligned place is the same in every backend. */
static void
image_set(lmtext_image *image, void *memory, size_t size)
{
    image->address = (void *)TYPEALIGN(LM_ALIGNMENT, memory);
    if (image->segment != NULL)
        size = dsm_segment_map_length(image->segment) -
               ((const char *)image->address - (const char *)memory);
    image->size = size;
    image->loaded_at = GetCurrentTimestamp();
    image->last_used = image->loaded_at;
}

/*
 * A slot that was claimed is given up on any error, FATAL ones included, so that a waiter takes
 * over; nothing may fail between the claim and here.
 */
static void
image_load_new(lmtext_image *image, Oid relid, const lmtext_manifest *manifest, obstacle known,
               const char *detail)
{
    image_load load = {.relid = relid, .manifest = manifest, .image = image};

    load.obstacle = known;
    load.detail = detail;
    PG_ENSURE_ERROR_CLEANUP(load_abandon, PointerGetDatum(&image->slot));
    {
        load_run(&load);
    }
    PG_END_ENSURE_ERROR_CLEANUP(load_abandon, PointerGetDatum(&image->slot));
    lmtext_images_loaded++;
}

/*
 * Everything that a load allocates besides the image lies in one context, which an error leaves to
 * the transaction's end.
 */
static void
load_run(image_load *load)
{
    MemoryContext scratch =
        AllocSetContextCreate(CurrentMemoryContext, "lmtext load", ALLOCSET_DEFAULT_SIZES);
    MemoryContext old = MemoryContextSwitchTo(scratch);

    INSTR_TIME_SET_CURRENT(load->start);
    LMTEXT_FAULT_POINT("after_claim");
    load_plan(load);
    LMTEXT_FAULT_POINT("after_plan");
    if (load->obstacle == OBSTACLE_NONE)
        load_shared(load);
    if (load->obstacle != OBSTACLE_NONE)
        load_private(load);
    MemoryContextSwitchTo(old);
    MemoryContextDelete(scratch);
}

/* Into a segment; the slot is free again where none can be had. */
static void
load_shared(image_load *load)
{
    lmtext_image *image = load->image;
    dsm_segment *segment = load_segment(load);

    if (segment == NULL) {
        lmtext_registry_abandon(&image->slot);
        image->slot.index = -1;
        return;
    }
    lmtext_loader_fill(&load->loader, dsm_segment_address(segment));
    LMTEXT_FAULT_POINT("before_publish");
    lmtext_registry_publish(&image->slot, segment, load->relid, load_elapsed(load));
    image->pins = 1;
    image->segment = segment;
    image_set(image, dsm_segment_address(segment), 0);
}

/* Runs on errors and on the process's way out alike; see PG_ENSURE_ERROR_CLEANUP. */
static void
load_abandon(int code, Datum argument)
{
    const lmtext_slot_ref *slot = (const lmtext_slot_ref *)DatumGetPointer(argument);

    if (slot->index >= 0)
        lmtext_registry_abandon(slot);
}

/* The window and the precision were chosen at import. */
static void
load_plan(image_load *load)
{
    lm_model_options options = lmtext_manifest_options(load->manifest);

    options.precision = load->image->key.precision;
    lmtext_loader_open(&load->loader, load->relid, load->manifest,
                       lmtext_catalog_display_name(load->relid));
    lmtext_loader_plan(&load->loader, &options, lm_kernels_active(), NULL, NULL);
}

/* Room under lmtext.cache_size and a segment, owned by the resource owner, or NULL and why. */
static dsm_segment *
load_segment(image_load *load)
{
    segment_request request = {load->loader.room, NULL};
    ErrorData *error;

    lmtext_cache_retire_orphans();
    if (!lmtext_registry_reserve(&load->image->slot, load->loader.room)) {
        load->obstacle = OBSTACLE_CACHE_SIZE;
        load->detail = psprintf("It needs %zu kB of the %d kB of lmtext.cache_size, and models in "
                                "use cannot be evicted.",
                                load->loader.room / 1024, lmtext_cache_size);
        return NULL;
    }
    LMTEXT_FAULT_POINT("after_reserve");
    error = lmtext_try(segment_create, &request);
    if (request.segment != NULL) {
        dsm_unpin_mapping(request.segment); /* until published: an error releases it */
        LMTEXT_FAULT_POINT("after_segment");
        return request.segment;
    }
    load->obstacle = OBSTACLE_SEGMENT;
    load->detail =
        error != NULL ? error->message : "The server has no free dynamic shared memory segment.";
    return NULL;
}

/*
 * The pin survives the attempt's own resource owner. Too many segments give NULL, no memory an
 * error.
 */
static void
segment_create(void *argument)
{
    segment_request *request = argument;
    dsm_segment *segment = dsm_create(request->size, DSM_CREATE_NULL_IF_MAXSEGMENTS);

    LMTEXT_FAULT_POINT("segment_made");
    if (segment != NULL)
        dsm_pin_mapping(segment);
    request->segment = segment;
}

/*
 * Memory that is short is an error here and not the end of the backend: nothing is thrown while the
 * engine runs.
 */
static void
load_private(image_load *load)
{
    lmtext_image *image = load->image;
    void *memory;

    report_obstacle(load);
    drop_private_copies();
    image->memory =
        AllocSetContextCreate(lmtext_memory(), "lmtext private model", ALLOCSET_SMALL_SIZES);
    memory = MemoryContextAllocExtended(image->memory, load->loader.room,
                                        MCXT_ALLOC_HUGE | MCXT_ALLOC_NO_OOM);
    if (memory == NULL)
        ereport(ERROR, (errcode(ERRCODE_OUT_OF_MEMORY),
                        errmsg("out of memory for model \"%s\"", load->loader.name),
                        errdetail("A private copy takes %zu kB.", load->loader.room / 1024)));
    lmtext_loader_fill(&load->loader, memory);
    LMTEXT_FAULT_POINT("private_filled");
    image_set(image, memory, load->loader.size);
    image->pins = 1;
    image->load_us = load_elapsed(load);
}

/*
 * Same cause and cure in both forms. The warning comes once per load, hence once per session, since
 * the copy is kept.
 */
static void
report_obstacle(const image_load *load)
{
    ereport(lmtext_private_models ? WARNING : ERROR,
            (errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
             lmtext_private_models
                 ? errmsg("model \"%s\" is loaded into the private memory of this session",
                          load->loader.name)
                 : errmsg("model \"%s\" cannot be loaded into shared memory", load->loader.name),
             errdetail_internal("%s", load->detail),
             errhint("%s", obstacle_hints[load->obstacle])));
}

static int64
load_elapsed(const image_load *load)
{
    instr_time now;

    INSTR_TIME_SET_CURRENT(now);
    INSTR_TIME_SUBTRACT(now, load->start);
    return (int64)INSTR_TIME_GET_MICROSEC(now);
}

bool
lmtext_image_is_private(const lmtext_image *image)
{
    return image->memory != NULL;
}

/*
 * The shared count counts backends, not pins: it rises with the first and falls with the last.
 */
bool
lmtext_image_pin(lmtext_image *image)
{
    if (image->pins == 0 && !lmtext_image_is_private(image) && !lmtext_registry_pin(&image->slot))
        return false;
    if (image->pins++ == 0 && lmtext_image_is_private(image)) {
        image->hits++;
        image->last_used = GetCurrentTimestamp();
    }
    return true;
}

/* Part of an abort, so it must not fail. */
void
lmtext_image_unpin(lmtext_image *image)
{
    if (image->pins == 0)
        return; /* given back at exit */
    if (--image->pins == 0 && !lmtext_image_is_private(image))
        lmtext_registry_unpin(&image->slot);
}

void
lmtext_image_count(lmtext_image *image, const lm_embed_counts *counts)
{
    if (!lmtext_image_is_private(image)) {
        lmtext_registry_count(&image->slot, counts);
        return;
    }
    image->texts += (int64)counts->texts;
    image->tokens += (int64)counts->tokens;
}

bool
lmtext_image_is_current(const lmtext_image *image)
{
    return lmtext_image_is_private(image) || lmtext_registry_is_current(&image->slot);
}

void
lmtext_image_release(lmtext_image *image)
{
    if (--image->references == 0)
        image_close(image);
}

/* Not while a load is under way: its image has no reference yet. */
void
lmtext_images_sweep(void)
{
    dlist_mutable_iter iter;

    dlist_foreach_modify(iter, &images)
    {
        lmtext_image *image = dlist_container(lmtext_image, node, iter.cur);

        if (image->references == 0)
            image_close(image);
    }
}

/* The last mapping of an evicted segment frees its memory. */
static void
image_close(lmtext_image *image)
{
    dlist_delete(&image->node);
    if (image->pins > 0 && !lmtext_image_is_private(image))
        lmtext_registry_unpin(&image->slot);
    if (image->segment != NULL)
        dsm_detach(image->segment);
    if (image->memory != NULL)
        MemoryContextDelete(image->memory);
    pfree(image);
}

/* Mappings are left to the process's end: the transaction's abort may still look at them. */
static void
process_exits(void)
{
    dlist_iter iter;

    dlist_foreach(iter, &images)
    {
        lmtext_image *image = dlist_container(lmtext_image, node, iter.cur);

        if (image->pins > 0 && !lmtext_image_is_private(image))
            lmtext_registry_unpin(&image->slot);
        image->pins = 0;
    }
}

/* Private copies are known to their own backend only. */
lmtext_slot_view *
lmtext_cache_snapshot(int *count)
{
    int private_copies = 0;
    lmtext_slot_view *views;
    dlist_iter iter;

    dlist_foreach(iter, &images) private_copies++;
    views = palloc0(sizeof *views * (LMTEXT_SLOTS + private_copies));
    *count = lmtext_registry_snapshot(views);
    dlist_foreach(iter, &images)
    {
        const lmtext_image *image = dlist_container(lmtext_image, node, iter.cur);

        if (image->references > 0 && lmtext_image_is_private(image))
            views[(*count)++] = (lmtext_slot_view){
                .key = image->key,
                .state = "private",
                .database = MyDatabaseId,
                .bytes = (int64)image->size,
                .pins = image->pins > 0,
                .hits = image->hits,
                .texts = image->texts,
                .tokens = image->tokens,
                .loads = 1,
                .load_ms = image->load_us / 1000.0,
                .loaded_at = image->loaded_at,
                .last_used = image->last_used,
            };
    }
    return views;
}
