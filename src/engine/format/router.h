/*
 * router.h - Router of sentence-transformers (Asym before version 5): which modules a text passes,
 * by the side of a search that it is on (private to format/).
 */
#ifndef LM_ROUTER_H
#define LM_ROUTER_H

#include "format/checkpoint.h"
#include "format/reader.h"

typedef struct lm_router {
    const char *file;      /* its settings */
    const char *folder;    /* in which its modules' folders are */
    const lm_json *types;  /* class paths by module */
    const lm_json *routes; /* modules by route */
    /* The different routes that texts take, and which of them each side takes (-1: none). */
    const lm_json *taken[LM_SIDE_COUNT];
    int count;
    int of_side[LM_SIDE_COUNT];
} lm_router;

/* Whether a class path is that of a Router. */
bool lm_router_is(const lm_json *type);

/* Its settings in `folder`. */
lm_status lm_router_read(const lm_reader *r, const char *folder, lm_router *router);

/* The class path of a module of a route, and its folder. */
lm_status lm_router_module(const lm_reader *r, const lm_router *router, const lm_json *id,
                           const lm_json **type, const char **folder);

/* The file that lm_router_read reads. */
lm_status lm_router_find(const lm_reader *r, const char *folder, const char **file);

#endif
