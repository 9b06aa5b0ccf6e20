/*
 * folder.c - a model folder in an input, as a source.
 */
#include "base/buffer.h"
#include "base/size.h"
#include "family/family.h"
#include "format/checkpoint.h"
#include "fuzz.h"

#define MARK "--- "
#define WEIGHTS "model.safetensors"

/* Bytes of data that a header alone may claim: none of it is stored. */
#define DATA_LIMIT (UINT64_C(1) << 50)

/* The highest end that a header's data_offsets name, 0 when it cannot be read. */
static uint64_t
data_end(const char *header, size_t size)
{
    lm_context ctx;
    lm_arena arena;
    const lm_json *root;
    uint64_t end = 0;

    lm_context_init(&ctx);
    lm_arena_init(&arena, &ctx);
    if (lm_json_parse(&ctx, &arena, header, size, "", &root) == LM_OK &&
        root->type == LM_JSON_OBJECT)
        for (const lm_json *item = root->as.items.first; item; item = item->next) {
            const lm_json *range = lm_json_get(item, "data_offsets");
            const lm_json *last = NULL;

            if (range && range->type == LM_JSON_ARRAY)
                for (last = range->as.items.first; last && last->next; last = last->next)
                    ;
            if (last && last->type == LM_JSON_NUMBER && last->is_integer && last->integer > 0 &&
                (uint64_t)last->integer > end)
                end = (uint64_t)last->integer;
        }
    lm_arena_free(&arena);
    return end < DATA_LIMIT ? end : DATA_LIMIT;
}

void
fuzz_folder_add(fuzz_folder *folder, const char *name, const char *data, size_t size)
{
    fuzz_file *file = &folder->files[folder->count];
    size_t length = strlen(name);

    if (folder->count == FUZZ_FILES)
        return;
    memset(file, 0, sizeof *file);
    snprintf(file->name, sizeof file->name, "%s", name);
    file->data = data;
    file->size = size;
    if (length > 12 && strcmp(name + length - 12, ".safetensors") == 0 && size > 0 &&
        data[0] == '{') {
        file->header = size;
        file->size = 8 + size + data_end(data, size);
    }
    folder->count++;
}

/* The next line "--- NAME" at or after `at`; size when there is none. */
static size_t
next_mark(const char *data, size_t size, size_t at)
{
    for (; at + 4 <= size; at++)
        if ((at == 0 || data[at - 1] == '\n') && memcmp(data + at, MARK, 4) == 0)
            return at;
    return size;
}

/* Of two parts with one name the first is found; what stands before the first mark is nothing. */
void
fuzz_folder_read(fuzz_folder *folder, const char *data, size_t size)
{
    size_t at = next_mark(data, size, 0);

    folder->count = 0;
    while (at < size) {
        size_t start = at + 4, stop = next_mark(data, size, start), length = 0;
        char name[128] = "";

        while (start + length < stop && data[start + length] != '\n')
            length++;
        if (length < sizeof name)
            memcpy(name, data + start, length);
        start += length;
        start += start < stop;
        /* The line feed before the next mark is the mark's. */
        fuzz_folder_add(folder, name, data + start, stop - start - (stop < size && stop > start));
        at = stop;
    }
}

fuzz_file *
fuzz_folder_find(fuzz_folder *folder, const char *name)
{
    for (int i = 0; i < folder->count; i++)
        if (strcmp(folder->files[i].name, name) == 0)
            return &folder->files[i];
    return NULL;
}

/* What stands behind a header alone repeats after so many bytes. */
#define PERIOD (256u * 63)

/* Bytes of which any two, four or eight make a finite number below 2 in every format. */
static const char *
numbers(void)
{
    static char bytes[PERIOD];
    static bool made;

    for (uint32_t at = 0; !made && at < PERIOD; at++)
        bytes[at] = (char)((at * 37 + (at >> 8) * 11) % 0x3f | (at % 3 == 0 ? 0x80 : 0));
    made = true;
    return bytes;
}

/* Before a header alone stands its size; returns the bytes of both that were copied. */
static size_t
copy_header(const fuzz_file *file, uint64_t at, char *dest, size_t length)
{
    size_t count = 0;

    for (; count < length && at < 8 + file->header; count++, at++)
        dest[count] = at < 8 ? (char)(file->header >> 8 * at & 0xff) : file->data[at - 8];
    return count;
}

static void
copy_bytes(const fuzz_file *file, uint64_t at, char *dest, size_t length)
{
    size_t done = 0;

    if (file->header == 0)
        memcpy(dest, file->data + at, length);
    else
        done = copy_header(file, at, dest, length);
    while (file->header > 0 && done < length) {
        size_t from = (at + done) % PERIOD, count = length - done;

        if (count > PERIOD - from)
            count = PERIOD - from;
        memcpy(dest + done, numbers() + from, count);
        done += count;
    }
}

static lm_status
folder_stat(lm_context *ctx, void *opaque, const char *name, bool *found, uint64_t *size)
{
    const fuzz_file *file = fuzz_folder_find(opaque, name);

    *found = file != NULL;
    *size = file ? file->size : 0;
    return LM_OK;
}

static lm_status
folder_read(lm_context *ctx, void *opaque, const char *name, uint64_t offset, void *dest,
            size_t length)
{
    fuzz_file *file = fuzz_folder_find(opaque, name);

    REQUIRE(file != NULL);
    REQUIRE(offset >= file->read_to);
    REQUIRE(offset <= file->size && length <= file->size - offset);
    file->read_to = offset + length;
    if (length > 0)
        copy_bytes(file, offset, dest, length);
    return LM_OK;
}

lm_source
fuzz_folder_source(fuzz_folder *folder)
{
    return (lm_source){folder, folder_stat, folder_read};
}

/* A dimension of a slot, from the config. */
static uint64_t
dimension(const void *config, lm_extent extent)
{
    int32_t value, times = 1;

    memcpy(&value, (const char *)config + extent.first, sizeof value);
    if (extent.second)
        memcpy(&times, (const char *)config + extent.second, sizeof times);
    return (uint64_t)value * (uint64_t)times;
}

/* All tensors that a family's slots ask for; parts are written one by one. */
static lm_status
write_weights(lm_context *ctx, const lm_family *family, const void *config, lm_buffer *out)
{
    static lm_tensor tensors[256];
    static char names[256][128];
    size_t count = 0;

    for (size_t s = 0; s < family->slot_count; s++) {
        const lm_weight_slot *slot = &family->slots[s];
        const lm_weight_group *group = &family->groups[slot->group];
        const char *prefix = group->prefix, *hole = strstr(prefix, "{i}");

        for (int layer = 0; layer < lm_group_layers(group, config) && count < 256; layer++) {
            lm_tensor *tensor = &tensors[count];

            if (slot->parts > 1 || dimension(config, slot->shape[0]) == 0)
                continue;
            if (hole)
                snprintf(names[count], sizeof names[count], "%.*s%d%s%s", (int)(hole - prefix),
                         prefix, layer, hole + 3, slot->pattern);
            else
                snprintf(names[count], sizeof names[count], "%s%s", prefix, slot->pattern);
            *tensor = (lm_tensor){.name = names[count], .dtype = LM_F32, .rank = slot->rank};
            for (int axis = 0; axis < slot->rank; axis++)
                tensor->shape[axis] = dimension(config, slot->shape[axis]);
            count++;
        }
    }
    return lm_tensors_write_header(ctx, NULL, 0, tensors, count, out);
}

/* Behind the 8 bytes of size that a written header begins with stands the header alone. */
char *
fuzz_folder_add_weights(fuzz_folder *folder)
{
    const fuzz_file *file = fuzz_folder_find(folder, "config.json");
    _Alignas(16) char config[1024];
    const lm_family *family;
    const lm_json *root;
    lm_context ctx;
    lm_arena arena;
    lm_buffer out;
    bool good;

    if (!file || fuzz_folder_find(folder, WEIGHTS) ||
        fuzz_folder_find(folder, WEIGHTS ".index.json"))
        return NULL;
    lm_context_init(&ctx);
    lm_arena_init(&arena, &ctx);
    lm_buffer_init(&out, &ctx);
    good = lm_json_parse(&ctx, &arena, file->data, file->size, "", &root) == LM_OK &&
           lm_family_find(&ctx, root, &family) == LM_OK && family->config_size <= sizeof config &&
           lm_family_configure(&ctx, family, NULL, root, config) == LM_OK &&
           write_weights(&ctx, family, config, &out) == LM_OK;
    lm_arena_free(&arena);
    if (good)
        fuzz_folder_add(folder, WEIGHTS, out.data + 8, out.size - 8);
    return out.data;
}

lm_status
fuzz_folder_run(lm_context *ctx, const char *data, size_t size, fuzz_folder_property property)
{
    fuzz_folder folder;
    lm_source source = fuzz_folder_source(&folder);
    lm_arena arena;
    lm_status status;
    char *weights;

    fuzz_folder_read(&folder, data, size);
    weights = fuzz_folder_add_weights(&folder);
    lm_arena_init(&arena, ctx);
    status = property(ctx, &arena, &source, &folder);
    lm_arena_free(&arena);
    free(weights);
    return status;
}
