/*
 * colbert.c - what a folder of ColBERT's authors says, written as pylate's files.
 */
#include "format/colbert.h"

#include <stdio.h>
#include <string.h>

#include "base/buffer.h"
#include "base/sort.h"
#include "format/reader.h"
#include "format/tensors.h"

#define CONFIG "config.json"
#define WEIGHTS "model.safetensors"
#define PROJECTION "linear.weight"

static const lm_known_file config_file = {CONFIG, 16 * LM_MB};
static const lm_known_file metadata_file = {"artifact.metadata", LM_MB};

/* What artifact.metadata says, with the defaults of the reference. */
typedef struct metadata {
    const char *markers[2]; /* of queries and documents */
    int query_length, document_length;
    bool attended, skips_punctuation;
} metadata;

/* ---- What the folder says ---- */

/* Absent, null and "" are the default. */
static lm_status
read_marker(const lm_members *s, const char *key, const char **marker)
{
    const char *text = "";

    LM_TRY(lm_members_string(s, key, &text));
    if (text[0] != '\0')
        *marker = text;
    return LM_OK;
}

static lm_status
read_metadata(const lm_reader *r, metadata *m)
{
    lm_members s = {r, metadata_file.name, NULL};

    *m = (metadata){{"[unused0]", "[unused1]"}, 32, 0, false, true};
    LM_TRY(lm_reader_json(r, &metadata_file, false, LM_JSON_OBJECT, &s.json));
    if (!s.json)
        return LM_OK;
    LM_TRY(read_marker(&s, "query_token_id", &m->markers[0]));
    LM_TRY(read_marker(&s, "doc_token_id", &m->markers[1]));
    LM_TRY(lm_members_positive(&s, "query_maxlen", &m->query_length));
    LM_TRY(lm_members_positive(&s, "doc_maxlen", &m->document_length));
    LM_TRY(lm_members_bool(&s, "attend_to_mask_tokens", &m->attended));
    return lm_members_bool(&s, "mask_punctuation", &m->skips_punctuation);
}

static bool
names_colbert(const lm_json *config)
{
    const lm_json *names = lm_json_get(config, "architectures");

    if (!names || names->type != LM_JSON_ARRAY)
        return false;
    for (const lm_json *name = names->as.items.first; name; name = name->next)
        if (lm_json_is_string(name, "HF_ColBERT"))
            return true;
    return false;
}

static lm_status
is_colbert(const lm_reader *r, bool *is)
{
    const lm_json *config;

    LM_TRY(lm_reader_exists(r, "modules.json", is));
    if (*is) {
        *is = false;
        return LM_OK;
    }
    LM_TRY(lm_reader_json(r, &config_file, false, LM_JSON_OBJECT, &config));
    *is = names_colbert(config);
    return LM_OK;
}

/* ---- What is shown of it ---- */

/* A file made of `header` and what stands behind it of the file `real`. */
static lm_status
show(lm_context *ctx, lm_colbert_files *files, const char *name, const char *real,
     const lm_buffer *header, lm_shown_file **shown)
{
    lm_shown_file *file = lm_arena_zero(files->arena, sizeof *file);
    bool found;

    if (!file)
        return LM_NO_MEMORY;
    LM_TRY(files->below->stat(ctx, files->below->opaque, real, &found, &file->real_size));
    file->name = name;
    file->real = real;
    file->header = lm_arena_copy(files->arena, header->data, header->size);
    if (!file->header)
        return LM_NO_MEMORY;
    file->size = file->header_size = header->size;
    file->next = files->first;
    files->first = file;
    *shown = file;
    return LM_OK;
}

static lm_status
write_marker(lm_buffer *out, const char *key, const char *marker)
{
    char text[256];

    LM_TRY(lm_buffer_printf(out, ", \"%s\": ", key));
    if (strlen(marker) + 2 > sizeof text) {
        lm_raise(out->ctx, LM_UNSUPPORTED, "a marker is too long");
        lm_detail_file(out->ctx, metadata_file.name);
        return lm_detail_allowed(out->ctx, "at most %zu bytes", sizeof text - 2);
    }
    snprintf(text, sizeof text, "%s ", marker);
    return lm_json_write_string(out, text, strlen(text));
}

static lm_status
write_settings(const metadata *m, lm_buffer *out)
{
    LM_TRY(lm_buffer_append_string(out, "{\"model_type\": \"ColBERT\""));
    LM_TRY(write_marker(out, "query_prefix", m->markers[0]));
    LM_TRY(write_marker(out, "document_prefix", m->markers[1]));
    LM_TRY(lm_buffer_printf(out, ", \"query_length\": %d", m->query_length));
    if (m->document_length > 0)
        LM_TRY(lm_buffer_printf(out, ", \"document_length\": %d", m->document_length));
    LM_TRY(lm_buffer_printf(out, ", \"attend_to_mask_tokens\": %s%s}\n",
                            m->attended ? "true" : "false",
                            m->skips_punctuation ? "" : ", \"skiplist_words\": []"));
    return LM_OK;
}

static lm_status
write_modules(lm_buffer *out)
{
    return lm_buffer_append_string(out, "[{\"idx\": 0, \"name\": \"0\", \"path\": \"\", "
                                        "\"type\": \"sentence_transformers.models.Transformer\"}, "
                                        "{\"idx\": 1, \"name\": \"1\", \"path\": \"1_Dense\", "
                                        "\"type\": \"pylate.models.Dense.Dense\"}]\n");
}

static lm_status
write_dense(const lm_tensor *projection, lm_buffer *out)
{
    return lm_buffer_printf(out,
                            "{\"in_features\": %llu, \"out_features\": %llu, \"bias\": false, "
                            "\"activation_function\": \"torch.nn.modules.linear.Identity\"}\n",
                            (unsigned long long)projection->shape[1],
                            (unsigned long long)projection->shape[0]);
}

/* A file of tensors that lie in the weights, one after the other in the order of `tensors`. */
static lm_status
show_tensors(lm_context *ctx, lm_colbert_files *files, const char *name, const lm_tensor *tensors,
             size_t count, lm_buffer *header)
{
    lm_shown_part *parts = lm_arena_array(files->arena, count + 1, sizeof *parts);
    lm_shown_file *file = NULL;
    uint64_t end = 0;

    if (!parts)
        return LM_NO_MEMORY;
    for (size_t i = 0; i < count; i++) {
        parts[i] = (lm_shown_part){end, tensors[i].offset};
        end += tensors[i].bytes;
    }
    header->size = 0;
    LM_TRY(lm_tensors_write_header(ctx, NULL, 0, tensors, count, header));
    LM_TRY(show(ctx, files, name, WEIGHTS, header, &file));
    file->parts = parts;
    file->part_count = count;
    file->size += end;
    return LM_OK;
}

static int
compare_orders(const void *a, const void *b)
{
    const uint32_t x = ((const lm_tensor *)a)->order, y = ((const lm_tensor *)b)->order;

    return (x > y) - (x < y);
}

/* All but the projection, in the order of their data. */
static lm_status
show_encoder(lm_context *ctx, lm_colbert_files *files, const lm_tensors *tensors,
             const lm_tensor *projection, lm_buffer *header)
{
    lm_tensor *rest = lm_arena_array(files->arena, tensors->count, sizeof *rest);
    size_t count = 0;

    if (!rest)
        return LM_NO_MEMORY;
    for (size_t i = 0; i < tensors->count; i++)
        if (&tensors->items[i] != projection)
            rest[count++] = tensors->items[i];
    LM_TRY(lm_sort(ctx, rest, count, sizeof *rest, compare_orders));
    return show_tensors(ctx, files, WEIGHTS, rest, count, header);
}

/* The matrix behind the encoder: rows are the dimensions of a token's vector. */
static lm_status
find_projection(lm_context *ctx, const lm_tensors *tensors, const lm_tensor **projection)
{
    *projection = lm_tensors_find(tensors, PROJECTION);
    if (*projection && (*projection)->rank == 2)
        return LM_OK;
    lm_raise(ctx, LM_BAD_MODEL, "a model of ColBERT lacks its projection");
    lm_detail_file(ctx, WEIGHTS);
    lm_detail_key(ctx, PROJECTION);
    return lm_detail_allowed(ctx, "a tensor of two dimensions");
}

static lm_status
show_weights(lm_context *ctx, lm_colbert_files *files, lm_buffer *text)
{
    const lm_tensor *projection;
    lm_shown_file *file;
    lm_tensors tensors;

    LM_TRY(lm_tensors_open_file(ctx, files->arena, files->below, WEIGHTS, &tensors));
    LM_TRY(find_projection(ctx, &tensors, &projection));
    LM_TRY(show_encoder(ctx, files, &tensors, projection, text));
    LM_TRY(show_tensors(ctx, files, "1_Dense/" WEIGHTS, projection, 1, text));
    text->size = 0;
    LM_TRY(write_dense(projection, text));
    return show(ctx, files, "1_Dense/" CONFIG, CONFIG, text, &file);
}

static lm_status
show_all(const lm_reader *r, lm_colbert_files *files, lm_buffer *text)
{
    lm_shown_file *file;
    metadata m;

    LM_TRY(read_metadata(r, &m));
    LM_TRY(write_modules(text));
    LM_TRY(show(r->ctx, files, "modules.json", CONFIG, text, &file));
    text->size = 0;
    LM_TRY(write_settings(&m, text));
    LM_TRY(show(r->ctx, files, "config_sentence_transformers.json", CONFIG, text, &file));
    return show_weights(r->ctx, files, text);
}

static lm_status
look(lm_context *ctx, lm_colbert_files *files)
{
    lm_arena scratch;
    lm_reader r = {ctx, &scratch, files->below, NULL, "", NULL};
    lm_buffer text;
    bool is = false;
    lm_status status;

    lm_arena_init(&scratch, ctx);
    lm_buffer_init(&text, ctx);
    status = is_colbert(&r, &is);
    if (status == LM_OK && is)
        status = show_all(&r, files, &text);
    lm_buffer_free(&text);
    lm_arena_free(&scratch);
    files->looked = status == LM_OK;
    if (status != LM_OK)
        files->first = NULL;
    return status;
}

/* ---- The source ---- */

static lm_status
colbert_stat(lm_context *ctx, void *opaque, const char *name, bool *found, uint64_t *size)
{
    lm_colbert_files *files = opaque;
    const lm_shown_file *file;

    if (!files->looked)
        LM_TRY(lm_arena_tell(ctx, files->arena, look(ctx, files)));
    file = lm_shown_find(files->first, name);
    if (file)
        return lm_shown_stat(ctx, files->below, file, found, size);
    return files->below->stat(ctx, files->below->opaque, name, found, size);
}

static lm_status
colbert_read(lm_context *ctx, void *opaque, const char *name, uint64_t offset, void *dest,
             size_t length)
{
    const lm_colbert_files *files = opaque;
    const lm_shown_file *file = lm_shown_find(files->first, name);

    if (file)
        return lm_shown_read(ctx, files->below, file, offset, dest, length);
    return files->below->read(ctx, files->below->opaque, name, offset, dest, length);
}

lm_source
lm_colbert_source(lm_colbert_files *files, lm_arena *arena, const lm_source *below)
{
    *files = (lm_colbert_files){.below = below, .arena = arena};
    return (lm_source){files, colbert_stat, colbert_read};
}
