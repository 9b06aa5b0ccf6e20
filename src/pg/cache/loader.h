/*
 * loader.h - from files to an image: plan, room, fill, verify. Every model is loaded this way; the
 * caller gives the room: a shared segment, private memory, or memory that is freed at once.
 */
#ifndef LMTEXT_LOADER_H
#define LMTEXT_LOADER_H

#include "pg/catalog/catalog.h"

typedef struct lmtext_loader {
    const char *name; /* for messages */
    lmtext_call call;
    lm_arena arena; /* of the plan, and of what its info points to */
    lm_source source;
    lmtext_chunks *chunks; /* NULL: the files are no version's, and nothing tells their hashes */
    lm_model_plan *plan;
    size_t size; /* of the image */
    size_t room; /* that lets it be aligned wherever it lies */
} lmtext_loader;

/* A version's rows, or files that are not stored. All of it lies in the current memory context. */
void lmtext_loader_open(lmtext_loader *loader, Oid relid, const lmtext_manifest *manifest,
                        const char *name);
void lmtext_loader_open_source(lmtext_loader *loader, const lm_source *source, const char *name);

/*
 * Reads settings and headers: what is no model, or none that can be loaded, is refused before
 * anybody asks for its memory. info and notes may be NULL.
 */
void lmtext_loader_plan(lmtext_loader *loader, const lm_model_options *options,
                        const lm_kernels *kernels, lm_model_info *info, lm_notes *notes);

/*
 * Fills memory of `room` bytes and returns where in it the image lies. Hashes are compared after
 * the last byte and before anybody sees the image: what was changed in a version's table since it
 * was made is never served, not even once.
 */
void *lmtext_loader_fill(lmtext_loader *loader, void *memory);

/* A model for whoever loads it alone, in the current memory context; a head without its base. */
typedef struct lmtext_copy {
    lmtext_call call;
    lm_model model;
    lm_session *session;
} lmtext_copy;
/* Of what was planned. */
lmtext_copy *lmtext_loader_copy(lmtext_loader *loader);
/* All steps in one; neither the shared image nor lmtext.isa have a part in it. */
lmtext_copy *lmtext_copy_read(const lm_source *source, const lm_model_options *options,
                              const lm_kernels *kernels, const char *name);
lmtext_copy *lmtext_copy_load(Oid relid, const lmtext_manifest *manifest,
                              const lm_kernels *kernels);

#endif
