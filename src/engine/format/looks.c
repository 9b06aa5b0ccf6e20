/*
 * looks.c - kinds of files by their first bytes.
 */
#include "format/looks.h"

#include <string.h>

#include "format/other_weights.h"

#define CONVERT LM_OTHER_WEIGHTS_HINT
#define DOWNLOAD "The download stored a page instead of the file: download the file again."

static const struct {
    const char *start;
    size_t length;
    const char *name, *hint;
} looks[] = {
#define LOOK(start, name, hint)             \
    {                                       \
        start, sizeof start - 1, name, hint \
    }
    LOOK("version https://git-lfs", "a pointer of git-lfs, not the file itself",
         "Fetch the files themselves with \"git lfs pull\"."),
    LOOK("PK\3\4", "a zip archive, as PyTorch writes weights", CONVERT),
    LOOK("\x80\2", "a Python pickle, as PyTorch writes weights", CONVERT),
    LOOK("\x80\3", "a Python pickle", CONVERT),
    LOOK("\x80\4", "a Python pickle", CONVERT),
    LOOK("\x80\5", "a Python pickle", CONVERT),
    LOOK("\x89HDF", "an HDF5 file, as Keras writes weights", CONVERT),
    LOOK("GGUF", "a GGUF file", CONVERT),
    LOOK("\x1f\x8b", "a file compressed by gzip", "Unpack the file."),
    LOOK("<!DOCTYPE", "an HTML page", DOWNLOAD),
    LOOK("<!doctype", "an HTML page", DOWNLOAD),
    LOOK("<html", "an HTML page", DOWNLOAD),
    LOOK("<?xml", "an XML document", DOWNLOAD),
#undef LOOK
};

lm_status
lm_looks_check(lm_context *ctx, lm_status status, const char *file, const void *bytes,
               size_t length)
{
    for (size_t i = 0; i < sizeof looks / sizeof looks[0]; i++) {
        if (length < looks[i].length || memcmp(bytes, looks[i].start, looks[i].length) != 0)
            continue;
        lm_raise(ctx, status, "a file of the model is not of the kind that its name says");
        lm_detail_file(ctx, file);
        lm_detail_found(ctx, "%s", looks[i].name);
        return lm_detail_hint(ctx, "%s", looks[i].hint);
    }
    return LM_OK;
}
