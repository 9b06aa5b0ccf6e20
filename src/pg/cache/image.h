/*
 * image.h - images of models as this backend has them mapped: the shared segments that it is
 * attached to, and private copies where sharing is not possible. Private to this room.
 *
 * An image lives while something refers to it (entries of cache.c); it is pinned while a statement
 * computes with it. Only an unpinned image can be evicted by other backends, and an evicted one is
 * closed here at the next sweep: mappings stay valid until then.
 */
#ifndef LMTEXT_IMAGE_H
#define LMTEXT_IMAGE_H

#include "lib/ilist.h"

#include "pg/cache/registry.h"

typedef struct lmtext_image {
    dlist_node node;
    lmtext_cache_key key;
    lmtext_slot_ref slot; /* index -1: a private copy, or not loaded yet */
    dsm_segment *segment;
    MemoryContext memory; /* of a private copy */
    const void *address;  /* LM_ALIGNMENT-aligned */
    size_t size;
    int references;
    int pins;
    int64 hits, texts, tokens, load_us; /* of a private copy, for the view */
    TimestampTz loaded_at, last_used;
} lmtext_image;

/* The image of a version, attached or loaded if need be; referred to and pinned once. */
lmtext_image *lmtext_image_open(const lmtext_cache_key *key, Oid relid,
                                const lmtext_manifest *manifest);
bool lmtext_image_pin(lmtext_image *image); /* false: it has left the registry */
void lmtext_image_unpin(lmtext_image *image);
bool lmtext_image_is_current(const lmtext_image *image);
void lmtext_image_release(lmtext_image *image); /* a reference; closes with the last */
bool lmtext_image_is_private(const lmtext_image *image);

/* Add to what was computed with a pinned image. */
void lmtext_image_count(lmtext_image *image, const lm_embed_counts *counts);

void lmtext_images_sweep(void); /* close what failed loads have left */

/* How many images this backend has loaded and attached to so far. */
extern int64 lmtext_images_loaded, lmtext_images_attached;

/* What to do before a private copy is made: forget those that are not in use. */
void lmtext_images_init(void (*drop_private)(void));

extern bool lmtext_private_models;

#endif
