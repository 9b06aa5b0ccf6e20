/*
 * source.h - where the files of a model come from: a directory, large objects, or the chunks of a
 * model table. Names are relative, with '/' between components, and never contain "..".
 *
 * A source need only serve reads whose offsets do not fall within one file (it may be a stream over
 * chunks that hashes what passes): every reader in the engine reads each file front to back, once.
 */
#ifndef LM_SOURCE_H
#define LM_SOURCE_H

#include "base/arena.h"

typedef struct lm_source {
    void *opaque;
    /*
     * Whether the file is there, and its size. A missing file is no failure. Asked again for a file
     * that was just read, a source whose files can change tells whether this one did (LM_IO_ERROR).
     */
    lm_status (*stat)(lm_context *ctx, void *opaque, const char *name, bool *found, uint64_t *size);
    /* Exactly length bytes from offset, or a failure. */
    lm_status (*read)(lm_context *ctx, void *opaque, const char *name, uint64_t offset, void *dest,
                      size_t length);
} lm_source;

/*
 * The whole of a file of at most `limit` bytes, terminated by a NUL that size does not count.
 * A missing file leaves *data NULL when `required` is false, and is LM_NO_FILE otherwise.
 */
lm_status lm_source_slurp(lm_context *ctx, const lm_source *source, lm_arena *arena,
                          const char *name, size_t limit, bool required, char **data, size_t *size);

/* LM_DENIED unless name is relative, free of "." and ".." components, and of sane length. */
lm_status lm_source_check_name(lm_context *ctx, const char *name);

/*
 * "folder/name" in the arena, checked as a name; the name itself where folder is "".
 */
lm_status lm_source_join(lm_context *ctx, lm_arena *arena, const char *folder, const char *name,
                         const char **joined);

/*
 * Another source with one file more, from memory, or without that file: whatever is below under
 * that name is not seen.
 */
typedef struct lm_source_with_file {
    const lm_source *below;
    const char *name;
    const char *data; /* NULL: there is no such file */
    size_t size;
} lm_source_with_file;
lm_source lm_source_with(const lm_source_with_file *with);

/*
 * A directory of the file system. Only regular files are read (a FIFO does not hang, a directory is
 * an error). With `beneath`, links must resolve inside the directory; without it they are followed.
 * Confined to a root, a folder's names begin with its path: links may then lead to other folders of
 * the root, as those of a hub's cache do.
 */
typedef struct lm_source_dir lm_source_dir;
lm_status lm_source_dir_open(lm_context *ctx, const char *path, bool beneath, lm_source_dir **dir,
                             lm_source *source);
/*
 * The names of files in a folder of it ("": itself) to `take`, in no order; *is_folder is false,
 * and there are none, where the path names no folder that can be read.
 */
typedef lm_status (*lm_source_take)(lm_context *ctx, void *state, const char *name);
lm_status lm_source_dir_names(lm_context *ctx, lm_source_dir *dir, const char *path,
                              lm_source_take take, void *state, bool *is_folder);
void lm_source_dir_close(lm_context *ctx, lm_source_dir *dir);

#endif
