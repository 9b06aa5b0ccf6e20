/*
 * pytorch_files.c - a source that shows files of torch.save as safetensors files.
 *
 * Which file stands behind a name is a row of `names`. A file is read when it is first asked for;
 * its directory stays, its values are read from where they are. safetensors files that are there
 * win, as in transformers.
 */
#include "format/pytorch.h"

#include <stdio.h>
#include <string.h>

#include "base/buffer.h"
#include "format/json.h"
#include "format/looks.h"

#define SHOWN ".safetensors"
#define REAL ".bin"
#define SHARD "pytorch_model-"
#define INDEX_LIMIT ((size_t)100000000)
#define NAME_ROOM 256 /* no source takes longer names */

static lm_status read_index(lm_context *ctx, lm_arena *arena, const lm_source *source,
                            lm_shown_file *file);

/* What is shown instead of what. `unless` is a file beside it, with which nothing is shown. */
static const struct {
    const char *shown, *real, *unless;
    lm_status (*read)(lm_context *ctx, lm_arena *arena, const lm_source *source,
                      lm_shown_file *file);
} names[] = {
    {"model.safetensors", "pytorch_model.bin", "model.safetensors.index.json", lm_pytorch_read},
    {"model.safetensors.index.json", "pytorch_model.bin.index.json", NULL, read_index},
};

/* --- names ------------------------------------------------------------------------------------ */

/* `text` with `from` at its end replaced by `to`; false where it does not end so. No text that
 * comes here is shorter than `from`: it ends so, or begins with SHARD, which is longer. */
static bool
replace_end(const char *text, const char *from, const char *to, char *out)
{
    size_t length = strlen(text), suffix = strlen(from);

    if (strcmp(text + length - suffix, from) != 0)
        return false;
    return snprintf(out, NAME_ROOM, "%.*s%s", (int)(length - suffix), text, to) < NAME_ROOM;
}

/* The part of a name behind its folder. */
static const char *
base_of(const char *name)
{
    const char *slash = strrchr(name, '/');

    return slash ? slash + 1 : name;
}

/* A shard of an index: what transformers calls pytorch_model-00001-of-00002.bin. */
static bool
shard_name(const char *name, const char *from, const char *to, char *out)
{
    return strncmp(base_of(name), SHARD, strlen(SHARD)) == 0 && replace_end(name, from, to, out);
}

/* --- the index over shards -------------------------------------------------------------------- */

static lm_status
bad_index(lm_context *ctx, const lm_shown_file *file, lm_status status, const char *message)
{
    lm_raise(ctx, status, "%s", message);
    return lm_detail_file(ctx, file->real);
}

/* The weight map, with the names of the files that are shown. */
static lm_status
write_map(lm_context *ctx, const lm_shown_file *file, const lm_json *map, lm_buffer *out)
{
    char shown[NAME_ROOM];

    LM_TRY(lm_buffer_append_string(out, "{\"weight_map\":{"));
    for (const lm_json *value = map->as.items.first; value; value = value->next) {
        LM_TRY(lm_poll(ctx));
        if (value->type != LM_JSON_STRING ||
            strlen(value->as.string.bytes) != value->as.string.length ||
            strchr(value->as.string.bytes, '/') ||
            !shard_name(value->as.string.bytes, REAL, SHOWN, shown)) {
            bad_index(ctx, file, LM_DENIED, "the index names a file that is not a shard");
            lm_detail_key(ctx, "%s", value->key);
            return lm_detail_allowed(ctx, "%sNAME%s", SHARD, REAL);
        }
        LM_TRY(lm_json_write_string(out, value->key, value->key_length));
        LM_TRY(lm_buffer_append_byte(out, ':'));
        LM_TRY(lm_json_write_string(out, shown, strlen(shown)));
        LM_TRY(lm_buffer_append_string(out, value->next ? "," : ""));
    }
    return lm_buffer_append_string(out, "}}");
}

static lm_status
convert_index(lm_context *ctx, lm_arena *scratch, const lm_source *source,
              const lm_shown_file *file, lm_buffer *out)
{
    const lm_json *index, *map;
    size_t length;
    char *text;

    LM_TRY(lm_source_slurp(ctx, source, scratch, file->real, INDEX_LIMIT, true, &text, &length));
    LM_TRY(lm_looks_check(ctx, LM_BAD_JSON, file->real, text, length));
    LM_TRY(lm_json_parse(ctx, scratch, text, length, file->real, &index));
    map = lm_json_get(index, "weight_map");
    if (!map || map->type != LM_JSON_OBJECT || map->as.items.count == 0)
        return bad_index(ctx, file, LM_BAD_MODEL, "the index has no weight map");
    return write_map(ctx, file, map, out);
}

/* The index as a file that is shown: a header and nothing behind it. */
static lm_status
read_index(lm_context *ctx, lm_arena *arena, const lm_source *source, lm_shown_file *file)
{
    lm_arena scratch;
    lm_buffer out;
    lm_status status;

    lm_arena_init(&scratch, ctx);
    lm_buffer_init(&out, ctx);
    status = convert_index(ctx, &scratch, source, file, &out);
    if (status == LM_OK) {
        file->header = lm_arena_copy(arena, out.data, out.size);
        file->size = file->header_size = out.size;
        status = file->header ? LM_OK : LM_NO_MEMORY;
    }
    lm_buffer_free(&out);
    lm_arena_free(&scratch);
    return status;
}

/* --- files that are shown --------------------------------------------------------------------- */

static lm_status
stat_below(lm_context *ctx, const lm_pytorch_files *files, const char *name, bool *found,
           uint64_t *size)
{
    return files->below->stat(ctx, files->below->opaque, name, found, size);
}

/* Keep what stands behind `name`, if `real` is there. */
static lm_status
show(lm_context *ctx, lm_pytorch_files *files, const char *name, const char *real,
     lm_status (*read)(lm_context *, lm_arena *, const lm_source *, lm_shown_file *))
{
    lm_shown_file *file;
    uint64_t size;
    bool found;

    LM_TRY(stat_below(ctx, files, real, &found, &size));
    if (!found)
        return LM_OK;
    file = lm_arena_zero(files->arena, sizeof *file);
    if (!file)
        return LM_NO_MEMORY;
    file->name = lm_arena_copy(files->arena, name, strlen(name));
    file->real = lm_arena_copy(files->arena, real, strlen(real));
    if (!file->name || !file->real)
        return LM_NO_MEMORY;
    file->real_size = size;
    LM_TRY(read(ctx, files->arena, files->below, file));
    file->next = files->first;
    files->first = file;
    return LM_OK;
}

/* A name of the table, in any folder. */
static lm_status
show_named(lm_context *ctx, lm_pytorch_files *files, const char *name, size_t row)
{
    char real[NAME_ROOM];
    bool found = false;
    uint64_t size;

    if (names[row].unless && replace_end(name, names[row].shown, names[row].unless, real))
        LM_TRY(stat_below(ctx, files, real, &found, &size));
    if (found || !replace_end(name, names[row].shown, names[row].real, real))
        return LM_OK;
    return show(ctx, files, name, real, names[row].read);
}

/* `name` is not below. */
static lm_status
look_behind(lm_context *ctx, lm_pytorch_files *files, const char *name)
{
    char real[NAME_ROOM];

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strcmp(base_of(name), names[i].shown) == 0)
            return show_named(ctx, files, name, i);
    if (shard_name(name, SHOWN, REAL, real))
        return show(ctx, files, name, real, lm_pytorch_read);
    return LM_OK;
}

/* --- the source ------------------------------------------------------------------------------- */

static lm_status
files_stat(lm_context *ctx, void *opaque, const char *name, bool *found, uint64_t *size)
{
    lm_pytorch_files *files = opaque;
    const lm_shown_file *file = lm_shown_find(files->first, name);

    if (file)
        return lm_shown_stat(ctx, files->below, file, found, size);
    LM_TRY(stat_below(ctx, files, name, found, size));
    if (*found)
        return LM_OK;
    LM_TRY(lm_arena_tell(ctx, files->arena, look_behind(ctx, files, name)));
    file = lm_shown_find(files->first, name);
    *found = file != NULL;
    *size = file ? file->size : 0;
    return LM_OK;
}

static lm_status
files_read(lm_context *ctx, void *opaque, const char *name, uint64_t offset, void *dest,
           size_t length)
{
    const lm_pytorch_files *files = opaque;
    const lm_shown_file *file = lm_shown_find(files->first, name);

    if (file)
        return lm_shown_read(ctx, files->below, file, offset, dest, length);
    return files->below->read(ctx, files->below->opaque, name, offset, dest, length);
}

lm_source
lm_pytorch_source(lm_pytorch_files *files, lm_arena *arena, const lm_source *below)
{
    *files = (lm_pytorch_files){.below = below, .arena = arena};
    return (lm_source){files, files_stat, files_read};
}
