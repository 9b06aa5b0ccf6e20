/*
 * maps.h - maps between the vectors of two versions: tables "name@map" OF lmtext.vector_map with
 * one row, which lmtext.map_vectors makes. Owner, GRANT, dump and DROP are the table's.
 */
#ifndef LMTEXT_MAPS_H
#define LMTEXT_MAPS_H

#include "postgres.h"

typedef struct lmtext_map {
    Oid from, to; /* versions: of what is mapped, and of what comes of it */
    int from_width, to_width;
    const float *matrix; /* (to_width, from_width), finite */
} lmtext_map;

/*
 * The map of a name, by search_path, in the current memory context. 42704 where there is none,
 * 42501 where the current user may not SELECT it, 42602 where the name is malformed, XX001 where
 * its row is.
 */
lmtext_map *lmtext_map_read(const char *name);

/* What is asked while statements are planned; InvalidOid: it is not known. */
typedef struct lmtext_map_ends {
    Oid table;
    Oid from, to;
} lmtext_map_ends;

/*
 * Fails as lmtext_map_read does, except for the row. Waits for no lock and leaves none; of a map
 * that is locked only the table is known.
 */
lmtext_map_ends lmtext_map_peek(const char *name);

#endif
