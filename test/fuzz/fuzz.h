/*
 * fuzz.h - what the fuzz targets share. A target is one C file with fuzz_target(); driver.c calls
 * it, under libFuzzer or over the files of a corpus, and checks what holds for every target: all
 * that was allocated is freed, on every way out, also when the n-th allocation fails, and memory
 * stays within fuzz_limit of the input's size. README.md has the rest.
 */
#ifndef FUZZ_H
#define FUZZ_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/context.h"
#include "base/rng.h"
#include "format/source.h"

/*
 * Check one input. Returns the status of the first engine call that failed, which is
 * LM_NO_MEMORY, and nothing is checked after it, when the context runs out of memory.
 */
lm_status fuzz_target(lm_context *ctx, const char *data, size_t size);

/* Bytes that may be allocated at once for an input of so many bytes. */
size_t fuzz_limit(size_t size);

/* Called once, before the first input. */
void fuzz_prepare(void);

#define REQUIRE(condition) \
    ((condition) ? (void)0 : fuzz_broken(__FILE__, __LINE__, #condition, NULL))

/* A call that may fail for want of memory only. */
#define REQUIRE_OK(ctx, call)                                             \
    do {                                                                  \
        lm_status fuzz_status = (call);                                   \
        if (fuzz_status == LM_NO_MEMORY)                                  \
            return fuzz_status;                                           \
        if (fuzz_status != LM_OK)                                         \
            fuzz_broken(__FILE__, __LINE__, #call, (ctx)->error.message); \
    } while (0)

/* The property does not hold: say where, and stop the process as a crash does. */
_Noreturn void fuzz_broken(const char *file, int line, const char *what, const char *detail);

/* The record of a failure is one that a user can be shown: terminated, UTF-8, with a message. */
void fuzz_check_error(const lm_context *ctx, lm_status status);

/* A file on disk, or the process ends. From malloc; terminated. */
char *fuzz_read_file(const char *path, size_t *size);

/* ---- A model folder in an input: parts that each begin with a line "--- NAME". ---- */

#define FUZZ_FILES 16

/*
 * A file of a folder. A safetensors file that begins with '{' is a header alone: its size is put
 * before it, and data as long as its ranges say behind it, which no memory is taken for. So a
 * change of the header need not be made in three places at once to get past the first check.
 */
typedef struct fuzz_file {
    char name[128];
    const char *data;
    uint64_t size;
    uint64_t header;  /* of a header alone: its bytes; else 0 */
    uint64_t read_to; /* reads begin here or later */
} fuzz_file;

typedef struct fuzz_folder {
    fuzz_file files[FUZZ_FILES];
    int count;
} fuzz_folder;

void fuzz_folder_read(fuzz_folder *folder, const char *data, size_t size);
fuzz_file *fuzz_folder_find(fuzz_folder *folder, const char *name);
void fuzz_folder_add(fuzz_folder *folder, const char *name, const char *data, size_t size);
/* A source that insists that every file is read front to back, once. */
lm_source fuzz_folder_source(fuzz_folder *folder);
/* A safetensors header that fits config.json, where the folder has none; freed by the caller. */
char *fuzz_folder_add_weights(fuzz_folder *folder);
/* Read an input as a folder, with weights where it has none, and hand it to a property. */
typedef lm_status (*fuzz_folder_property)(lm_context *ctx, lm_arena *arena, const lm_source *source,
                                          fuzz_folder *folder);
lm_status fuzz_folder_run(lm_context *ctx, const char *data, size_t size,
                          fuzz_folder_property property);

#endif
