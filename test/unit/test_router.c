/*
 * test_router.c - models whose texts take different ways, and the rarer modules: which way a side
 * takes, what routers are refused, what ways share, windows and widths, weights of tokens and of
 * layers, shortage of memory.
 */
#define _GNU_SOURCE /* memmem */

#include "golden.h"
#include "loaded.h"
#include "model/image.h"
#include "model/vectors.h"
#include "task/golden.h"
#include "task/sparse.h"
#include "task/tasks.h"

#define ROUTER "router_config.json"
#define MAX_WIDTH 64

typedef struct fixture {
    lm_context ctx;
    fake_memory memory;
    golden_folder folder;
    loaded_model loaded;
    lm_session *session;
} fixture;

static void
open_folder(fixture *f, const char *folder)
{
    memset(f, 0, sizeof *f);
    fake_context(&f->ctx, &f->memory);
    golden_open(&f->ctx, folder, &f->folder);
}

static void
set_up(fixture *f, const char *folder)
{
    open_folder(f, folder);
    CHECK_OK(&f->ctx, loaded_open(&f->ctx, &f->folder.source, lm_kernels_active(), &f->loaded));
    CHECK_OK(&f->ctx, lm_session_create(&f->ctx, &f->session));
}

static void
tear_down(fixture *f)
{
    lm_session_free(f->session);
    loaded_close(&f->ctx, &f->loaded);
    golden_close(&f->folder);
    CHECK_EQ_INT(f->memory.live, 0);
}

/* Put text in the place of other text of a file. */
static void
change(fixture *f, const char *name, const char *from, const char *to)
{
    fake_file *file = fake_find(&f->folder.files, name);
    const char *hit = strstr(file->data, from);
    const char *head;

    if (!hit) {
        UNIT_FAIL("%s has no %s", name, from);
        return;
    }
    head = lm_arena_copy(&f->folder.arena, file->data, (size_t)(hit - file->data));
    file->data = golden_join(&f->folder, head, to, hit + strlen(from));
    file->size = strlen(file->data);
}

/* ---- Refusals: a change of a file, and what is said of it ---- */

typedef struct refusal {
    const char *folder, *file, *from, *to;
    lm_status status;
    const char *key;
} refusal;

static const refusal refusals[] = {
    {"router-static", ROUTER, "\"types\"", "\"kinds\"", LM_BAD_MODEL, "types"},
    {"router-static", ROUTER, "\"structure\"", "\"struct\"", LM_BAD_MODEL, "structure"},
    {"router-static", ROUTER, "\"query\": [\n            \"query_0_StaticEmbedding\"\n        ]",
     "\"query\": 1", LM_BAD_MODEL, "structure"},
    {"router-static", ROUTER, "\"query\": [\n            \"query_0_StaticEmbedding\"",
     "\"query\": [\"other\"", LM_BAD_MODEL, "other"},
    {"router-static", ROUTER, "\"query\": [\n            \"query_0_StaticEmbedding\"",
     "\"query\": [5", LM_BAD_MODEL, "structure"},
    {"router-static", ROUTER, "\"default_route\": \"document\"", "\"default_route\": \"none\"",
     LM_BAD_MODEL, "default_route"},
    {"router-static", ROUTER, "\"default_route\": \"document\"", "\"default_route\": 4",
     LM_BAD_MODEL, "default_route"},
    {"router-static", ROUTER, "\"allow_empty_key\": true", "\"allow_empty_key\": 1", LM_BAD_MODEL,
     "allow_empty_key"},
    {"router-static", ROUTER, "\"route_mappings\": {}", "\"route_mappings\": 1", LM_BAD_MODEL,
     "route_mappings"},
    {"router-static", ROUTER, "\"route_mappings\": {}",
     "\"route_mappings\": {\"query\": \"query\"}", LM_UNSUPPORTED, "route_mappings"},
    {"router-static", ROUTER, "\"route_mappings\": {}",
     "\"route_mappings\": {\"(None, None)\": \"far\"}", LM_BAD_MODEL, "route_mappings"},
    {"router-static", ROUTER, "\"route_mappings\": {}",
     "\"route_mappings\": {\"(None, None)\": null}", LM_BAD_MODEL, "route_mappings"},
    {"router-static", ROUTER, "\"route_mappings\": {}", "\"more\": {\"a\": 1}, \"x\": null", LM_OK,
     NULL},
    {"router-static", ROUTER, "\"route_mappings\": {}", "\"route_mappings\": {\"(None, None)\": 5}",
     LM_BAD_MODEL, "(None, None)"},
    {"router-static", ROUTER, "\"route_mappings\": {}",
     "\"route_mappings\": {\"(query\": \"query\"}", LM_UNSUPPORTED, "route_mappings"},
    /* Longer than any key that can be meant. */
    {"router-static", ROUTER, "\"route_mappings\": {}",
     "\"route_mappings\": {\"('query', 'a modality of a name that goes on, and on, and on, and on, "
     "and on, and on, and on')\": "
     "\"far\"}",
     LM_OK, NULL},
    {"router-static", ROUTER, "\"types\": {", "\"types\": 1, \"more\": {", LM_BAD_MODEL, "types"},
    {"router-static", ROUTER, "\"structure\": {", "\"structure\": 1, \"more\": {", LM_BAD_MODEL,
     "structure"},
    {"router-static", ROUTER, "\"structure\": {", "\"structure\": {}, \"more\": {", LM_BAD_MODEL,
     "structure"},
    {"router-static", ROUTER, "\"parameters\": {", "\"parameters\": 1, \"more\": {", LM_BAD_MODEL,
     "parameters"},
    {"router-static", ROUTER, "\"parameters\": {", "\"more\": {", LM_OK, NULL},
    {"router-static", ROUTER, "\"query_0_StaticEmbedding\": \"sentence",
     "\"query_0_StaticEmbedding\": 1, \"more\": \"sentence", LM_BAD_MODEL,
     "query_0_StaticEmbedding"},
    /* Routes that begin alike, and one whose module has no name. */
    {"router-static", ROUTER, "\"query_0_StaticEmbedding\"\n        ]",
     "\"document_0_Transformer\"]", LM_UNSUPPORTED, NULL},
    {"router-static", ROUTER,
     "\"query_0_StaticEmbedding\"\n        ],\n        \"document\": [\n            "
     "\"document_0_Transformer\",\n            \"document_1_Pooling\"\n        ]",
     "\"document_0_Transformer\", \"document_1_Pooling\"], \"document\": "
     "[\"document_0_Transformer\"]",
     LM_UNSUPPORTED, NULL},
    {"router-static", ROUTER,
     "\"document_0_Transformer\",\n            \"document_1_Pooling\"\n        ]",
     "\"query_0_StaticEmbedding\", \"document_1_Pooling\"], \"default\": []", LM_UNSUPPORTED,
     "document_1_Pooling"},
    {"router-static", ROUTER,
     "\"query_0_StaticEmbedding\"\n        ],\n        \"document\": [\n            "
     "\"document_0_Transformer\"",
     "\"query_0_StaticEmbedding\"], \"document\": [7", LM_BAD_MODEL, "structure"},
    {"router-mapped", ROUTER, "\"('query', 'text')\"", "\"(\\\"query\\\", \\\"text\\\")\"", LM_OK,
     NULL},
    {"router-mapped", ROUTER,
     "\"default_route\": \"net\",\n        \"allow_empty_key\": true,\n        "
     "\"route_mappings\": {",
     "\"allow_empty_key\": false, \"more\": {", LM_UNSUPPORTED, "structure"},
    {"router-static", "modules.json", "router.Router\"", "router.Router\\u0000\"", LM_BAD_MODEL,
     "type"},
    {"router-shared", "modules.json", "\"path\": \"2_Router\"", "\"path\": 2", LM_BAD_MODEL,
     "path"},
    {"router-static", ROUTER, "sentence_transformers.sentence_transformer.modules.pooling.Pooling",
     "sentence_transformers.sentence_transformer.modules.LSTM", LM_UNSUPPORTED,
     "document_1_Pooling"},
    {"router-static", ROUTER, "sentence_transformers.sentence_transformer.modules.pooling.Pooling",
     "other.Pooling", LM_UNSUPPORTED, "document_1_Pooling"},
    {"router-static", ROUTER, "\"query_0_StaticEmbedding\": \"sentence", "\"../out\": \"sentence",
     LM_BAD_MODEL, "query_0_StaticEmbedding"},
    {"router-static", "modules.json", "sentence_transformers.base.modules.normalize.Normalize",
     "sentence_transformers.models.Asym", LM_UNSUPPORTED, "type"},
    {"router-static", "modules.json", "sentence_transformers.base.modules.router.Router",
     "mine.Router", LM_UNSUPPORTED, "type"},
    {"router-shared", ROUTER, "\"query\": [", "\"first\": [", LM_NO_FILE, NULL},
    {"router-shared", "2_Router/" ROUTER, "\"query\": [", "\"first\": [", LM_OK, NULL},
    {"router-shared", "2_Router/query_0_Dense/config.json", "\"out_features\": 7",
     "\"out_features\": 8", LM_BAD_MODEL, "linear.weight"},
    {"sparse-static", "config.json", "\"frozen\": true", "\"path\": \"idf.json\"", LM_UNSUPPORTED,
     "path"},
    {"bert-layers", "1_WeightedLayerPooling/config.json", "\"layer_start\": 0",
     "\"layer_start\": -1", LM_UNSUPPORTED, "layer_start"},
    {"bert-layers", "1_WeightedLayerPooling/config.json", "\"layer_start\": 0",
     "\"layer_start\": 9", LM_BAD_MODEL, "layer_start"},
    {"bert-layers", "1_WeightedLayerPooling/config.json", "\"layer_start\": 0",
     "\"layer_start\": 1", LM_BAD_MODEL, "layer_weights"},
    {"bert-layers", "1_WeightedLayerPooling/config.json", "\"layer_start\": 0,", "", LM_BAD_MODEL,
     "layer_start"},
    {"bert-layers", "1_WeightedLayerPooling/config.json", "\"layer_start\": 0",
     "\"layer_start\": \"0\"", LM_UNSUPPORTED, "layer_start"},
    {"bert-layers", "1_WeightedLayerPooling/config.json", "\"layer_start\": 0",
     "\"layer_start\": 0.5", LM_UNSUPPORTED, "layer_start"},
    {"bert-layers", "1_WeightedLayerPooling/config.json", "\"layer_start\": 0",
     "\"layer_start\": 2000000", LM_UNSUPPORTED, "layer_start"},
    {"bert-layers", "1_WeightedLayerPooling/config.json", "\"embedding_dimension\": 20,", "", LM_OK,
     NULL},
    {"bert-layers", "1_WeightedLayerPooling/config.json", "\"embedding_dimension\": 20",
     "\"embedding_dimension\": 21", LM_BAD_MODEL, "embedding_dimension"},
    {"bert-layers", "1_WeightedLayerPooling/config.json", "\"num_hidden_layers\": 1",
     "\"num_hidden_layers\": 2", LM_BAD_MODEL, "num_hidden_layers"},
    {"bert-layers", "1_WeightedLayerPooling/config.json", "\"num_hidden_layers\": 1",
     "\"num_hidden_layers\": 0", LM_BAD_MODEL, "num_hidden_layers"},
    {"bert-layers", "1_WeightedLayerPooling/config.json", "\"embedding_dimension\": 20",
     "\"embedding_dimension\": 0", LM_BAD_MODEL, "embedding_dimension"},
    {"bert-layers", "1_WeightedLayerPooling/config.json", "\"embedding_dimension\": 20",
     "\"word_embedding_dimension\": \"20\"", LM_BAD_MODEL, "word_embedding_dimension"},
};

static void
check_refusal(const refusal *r)
{
    lm_model_plan *made;
    lm_notes notes;
    fixture f;

    open_folder(&f, r->folder);
    lm_notes_init(&notes, false);
    if (fake_find(&f.folder.files, r->file)) {
        change(&f, r->file, r->from, r->to);
        CHECK_EQ_INT(lm_model_plan_make(&f.ctx, &f.folder.arena, &f.folder.source, NULL,
                                        lm_kernels_active(), &made, NULL, &notes),
                     r->status);
        if (r->key)
            CHECK_STR(f.ctx.error.key, r->key);
    } else
        CHECK_EQ_INT(r->status, LM_NO_FILE);
    golden_close(&f.folder);
    CHECK_EQ_INT(f.memory.live, 0);
}

static void
refused(void)
{
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++)
        check_refusal(&refusals[i]);
}

/* ---- Ways ---- */

static lm_status
embed(fixture *f, const char *text, lm_side side, float *out)
{
    const lm_text one = {text, strlen(text)};
    const lm_embed_options options = {.side = side};

    return lm_embed(&f->ctx, f->session, &f->loaded.model, &one, 1, &options, out, NULL);
}

/* A side that has no way, and none by default. */
static void
missing(void)
{
    float out[MAX_WIDTH];
    fixture f;

    set_up(&f, "router-shared");
    CHECK_EQ_INT(embed(&f, "cat", LM_SIDE_NONE, out), LM_UNSUPPORTED);
    CHECK_OK(&f.ctx, embed(&f, "cat", LM_SIDE_QUERY, out));
    tear_down(&f);
    open_folder(&f, "router-shared");
    change(&f, "2_Router/" ROUTER, "\"query\": [", "\"first\": [");
    CHECK_OK(&f.ctx, loaded_open(&f.ctx, &f.folder.source, lm_kernels_active(), &f.loaded));
    CHECK_OK(&f.ctx, lm_session_create(&f.ctx, &f.session));
    CHECK_EQ_INT(f.loaded.model.route_count, 1);
    CHECK_EQ_INT(embed(&f, "cat", LM_SIDE_QUERY, out), LM_UNSUPPORTED);
    CHECK_STR(f.ctx.error.message, "the model has no route for queries");
    CHECK_OK(&f.ctx, embed(&f, "cat", LM_SIDE_DOCUMENT, out));
    tear_down(&f);
}

/* Queries alone, and none by default: what asks for no side gets theirs. */
static void
queries_alone(void)
{
    lm_golden golden;
    lm_arena arena;
    fixture f;

    open_folder(&f, "router-shared");
    change(&f, "2_Router/" ROUTER, "\"document\": [", "\"other\": [");
    CHECK_OK(&f.ctx, loaded_open(&f.ctx, &f.folder.source, lm_kernels_active(), &f.loaded));
    CHECK_OK(&f.ctx, lm_session_create(&f.ctx, &f.session));
    CHECK(lm_model_main(&f.loaded.model) == &f.loaded.model.routes[0]);
    CHECK(lm_model_of_documents(&f.loaded.model) == &f.loaded.model.routes[0]);
    lm_arena_init(&arena, &f.ctx);
    CHECK_OK(&f.ctx, lm_golden_run(&f.ctx, &arena, f.session, &f.loaded.model, true, &golden));
    CHECK_EQ_INT(golden.width, 14);
    lm_arena_free(&arena);
    tear_down(&f);
}

/* A route named text serves every side that has none of its name; equal routes are one. */
static void
named_text(void)
{
    float query[MAX_WIDTH], none[MAX_WIDTH];
    fixture f;

    open_folder(&f, "router-static");
    change(&f, ROUTER, "\"query\": [\n            \"query_0_StaticEmbedding\"\n        ]",
           "\"text\": [\"document_0_Transformer\", \"document_1_Pooling\"]");
    CHECK_OK(&f.ctx, loaded_open(&f.ctx, &f.folder.source, lm_kernels_active(), &f.loaded));
    CHECK_OK(&f.ctx, lm_session_create(&f.ctx, &f.session));
    CHECK_EQ_INT(f.loaded.model.route_count, 1);
    CHECK_OK(&f.ctx, embed(&f, "query: cat", LM_SIDE_NONE, none));
    CHECK_OK(&f.ctx, embed(&f, "cat", LM_SIDE_QUERY, query));
    CHECK(memcmp(none, query, 20 * sizeof *none) == 0);
    tear_down(&f);
}

/* Tokenizer and weights are there once, and so much smaller is the image. */
static void
shared(void)
{
    const lm_model *ways;
    size_t size;
    fixture f;

    set_up(&f, "router-shared");
    ways = f.loaded.model.routes;
    size = f.loaded.size;
    CHECK_EQ_INT(f.loaded.model.route_count, 2);
    CHECK(lm_model_weights(&ways[0]) == lm_model_weights(&ways[1]));
    CHECK(lm_model_tokenizer(&f.loaded.model) == lm_model_tokenizer(&ways[1]));
    CHECK(lm_model_steps(&ways[0]) != lm_model_steps(&ways[1]));
    tear_down(&f);
    set_up(&f, "bert-sides");
    CHECK(size < 2 * f.loaded.size);
    tear_down(&f);
}

/* The longest way's window is the model's; a shorter one cuts all ways, and a longer one none. */
static void
windows(void)
{
    const lm_model_options options = {.max_tokens = 100};
    fixture f;

    set_up(&f, "router-static");
    CHECK_EQ_INT(f.loaded.model.info.max_tokens, 1 << 20);
    CHECK_OK(&f.ctx, lm_model_set_window(&f.ctx, &f.loaded.model, 100));
    CHECK(lm_model_of_documents(&f.loaded.model)->info.max_tokens < 100);
    CHECK_OK(&f.ctx, lm_model_set_window(&f.ctx, &f.loaded.model, 5));
    CHECK_EQ_INT(lm_model_of_documents(&f.loaded.model)->info.max_tokens, 5);
    CHECK_EQ_INT(lm_model_route(&f.loaded.model, LM_SIDE_QUERY)->info.max_tokens, 5);
    CHECK_EQ_INT(lm_model_set_window(&f.ctx, &f.loaded.model, 1), LM_BAD_ARGUMENT);
    lm_model_set_dimensions(&f.loaded.model, 6);
    CHECK_EQ_INT(lm_model_route(&f.loaded.model, LM_SIDE_QUERY)->info.dimensions, 6);
    CHECK_EQ_INT(f.loaded.model.info.dimensions, 6);
    tear_down(&f);
    open_folder(&f, "router-static");
    CHECK_OK(&f.ctx,
             loaded_open_with(&f.ctx, &f.folder.source, &options, lm_kernels_active(), &f.loaded));
    CHECK_EQ_INT(f.loaded.model.info.max_tokens, 100);
    CHECK(lm_model_of_documents(&f.loaded.model)->info.max_tokens < 100);
    tear_down(&f);
    open_folder(&f, "sparse-static");
    CHECK_EQ_INT(loaded_open_with(&f.ctx, &f.folder.source,
                                  &(lm_model_options){.max_tokens = 1 << 21}, lm_kernels_active(),
                                  &f.loaded),
                 LM_BAD_ARGUMENT);
    golden_close(&f.folder);
}

static void
precisions(void)
{
    fixture f;

    open_folder(&f, "router-static");
    CHECK_EQ_INT(
        loaded_open_as(&f.ctx, &f.folder.source, lm_kernels_active(), LM_PRECISION_INT8, &f.loaded),
        LM_UNSUPPORTED);
    CHECK_STR(f.ctx.error.key, "precision");
    CHECK_OK(&f.ctx, loaded_open_as(&f.ctx, &f.folder.source, lm_kernels_active(),
                                    LM_PRECISION_BF16, &f.loaded));
    CHECK_EQ_INT(f.loaded.model.info.precision, LM_PRECISION_BF16);
    tear_down(&f);
}

/* The list has all files of the folder, each once. */
static void
listed(void)
{
    static const char *const folders[] = {"router-static", "router-asym", "router-shared",
                                          "router-layers", "router-splade"};

    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
        lm_file_list list;
        fixture f;

        open_folder(&f, folders[i]);
        CHECK_OK(&f.ctx, lm_checkpoint_list(&f.ctx, &f.folder.arena, &f.folder.source, &list));
        CHECK_EQ_INT(list.count + 1, f.folder.files.count); /* golden.json */
        for (size_t n = 0; n < list.count; n++) {
            CHECK(fake_find(&f.folder.files, list.names[n]) != NULL);
            for (size_t m = 0; m < n; m++)
                CHECK(strcmp(list.names[n], list.names[m]) != 0);
        }
        golden_close(&f.folder);
    }
}

/* ---- Images that are not sound ---- */

static lm_image_header *
header_of(void *image, int way)
{
    lm_image_header *header = image;

    return way < 0 ? header
                   : (lm_image_header *)(void *)((char *)image + header->sections[way + 1].offset);
}

static void
too_many(void *image)
{
    lm_image_header *header = header_of(image, -1);

    for (; header->count < 5; header->count++)
        header->sections[header->count] = header->sections[1];
}

static void
within_itself(void *image)
{
    lm_image_header *header = header_of(image, -1);

    header->sections[1].offset = 0;
    header->sections[1].size = header->size;
}

static void
one_too_few(void *image)
{
    header_of(image, -1)->count--;
}

static void
shared_alone(void *image)
{
    header_of(image, -1)->sections[0].shared = 1;
}

static void
shared_with_none(void *image)
{
    header_of(image, 1)->sections[1].shared = 2;
}

/* The settings' bytes of sides, behind 16 numbers and flags. */
static void
no_side(void *image)
{
    memset((char *)image + header_of(image, -1)->sections[0].offset + 60, 0, 3);
}

static void
images(void)
{
    static void (*const damages[])(void *image) = {
        too_many, within_itself, one_too_few, shared_alone, shared_with_none, no_side,
    };

    for (size_t i = 0; i < sizeof damages / sizeof *damages; i++) {
        lm_model model;
        void *image;
        fixture f;
        int live;

        set_up(&f, "router-shared");
        image = aligned_alloc(LM_ALIGNMENT, f.loaded.size);
        memcpy(image, f.loaded.image, f.loaded.size);
        damages[i](image);
        live = f.memory.live;
        CHECK_EQ_INT(lm_model_bind(&f.ctx, image, f.loaded.size, &model), LM_INTERNAL);
        CHECK_EQ_INT(f.memory.live, live);
        free(image);
        tear_down(&f);
    }
}

/* Ways of one length only: a Dense for queries that is narrower than that for documents. */
static void
lengths(void)
{
    fixture f;

    open_folder(&f, "router-mapped");
    change(&f, "net_1_Pooling/config.json", "\"cls\"", "[\"cls\", \"mean\"]");
    CHECK_EQ_INT(loaded_open(&f.ctx, &f.folder.source, lm_kernels_active(), &f.loaded),
                 LM_UNSUPPORTED);
    CHECK_STR(f.ctx.error.key, "structure");
    golden_close(&f.folder);
    /* A weight for each word, and a vector. */
    open_folder(&f, "router-splade");
    change(&f, "document_0_Transformer/sentence_bert_config.json", "fill-mask",
           "feature-extraction");
    change(&f, ROUTER, "sentence_transformers.sparse_encoder.modules.splade_pooling.SpladePooling",
           "sentence_transformers.models.Pooling");
    CHECK_EQ_INT(loaded_open(&f.ctx, &f.folder.source, lm_kernels_active(), &f.loaded),
                 LM_UNSUPPORTED);
    CHECK_STR(f.ctx.error.key, "structure");
    golden_close(&f.folder);
}

/* ---- Golden values: of both sides, and alone as together ---- */

static void
values(void)
{
    static const char *const folders[] = {"router-static", "router-shared", "router-splade",
                                          "sparse-static", "bert-layers"};

    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
        lm_golden together, alone;
        lm_arena arena;
        fixture f;

        set_up(&f, folders[i]);
        lm_arena_init(&arena, &f.ctx);
        CHECK_OK(&f.ctx,
                 lm_golden_run(&f.ctx, &arena, f.session, &f.loaded.model, false, &together));
        CHECK_OK(&f.ctx, lm_golden_run(&f.ctx, &arena, f.session, &f.loaded.model, true, &alone));
        CHECK(lm_golden_same_bits(&together, &alone));
        CHECK(lm_golden_same_ids(&together, &alone));
        lm_arena_free(&arena);
        tear_down(&f);
    }
}

/* A module that the transformer gives no layers to is left out, which is noted. */
static void
no_layers(void)
{
    lm_model_plan *made;
    lm_notes notes;
    fixture f;

    open_folder(&f, "bert-layers");
    lm_notes_init(&notes, false);
    change(&f, "config.json", "\"output_hidden_states\": true", "\"output_hidden_states\": false");
    CHECK_OK(&f.ctx, lm_model_plan_make(&f.ctx, &f.folder.arena, &f.folder.source, NULL,
                                        lm_kernels_active(), &made, NULL, &notes));
    CHECK_EQ_INT(notes.count, 1);
    change(&f, "config.json", "\"output_hidden_states\": false", "\"output_hidden_states\": 1");
    CHECK_OK(&f.ctx, lm_model_plan_make(&f.ctx, &f.folder.arena, &f.folder.source, NULL,
                                        lm_kernels_active(), &made, NULL, NULL));
    change(&f, "config.json", "\"output_hidden_states\"", "\"output_past\"");
    CHECK_OK(&f.ctx, lm_model_plan_make(&f.ctx, &f.folder.arena, &f.folder.source, NULL,
                                        lm_kernels_active(), &made, NULL, NULL));
    golden_close(&f.folder);
}

/* ---- Sparse vectors of a table ---- */

typedef struct kept_items {
    lm_sparse_item items[MAX_WIDTH];
    size_t count;
} kept_items;

static lm_status
keep(void *opaque, size_t text, const lm_sparse_item *items, size_t count)
{
    kept_items *kept = opaque;

    memcpy(kept->items, items, count * sizeof *items);
    kept->count = count;
    return LM_OK;
}

static void
weights(void)
{
    const lm_text text = {"the cat the cat", 15}, none = {"", 0};
    const lm_embed_options options = {.side = LM_SIDE_QUERY};
    lm_embed_counts counts = {0};
    kept_items kept;
    float out[MAX_WIDTH];
    fixture f;

    set_up(&f, "sparse-static");
    CHECK_STR(f.loaded.model.info.kind, "sparse_static");
    CHECK_EQ_INT(lm_sparse_words(&f.loaded.model), 83);
    CHECK_OK(&f.ctx, lm_sparse(&f.ctx, f.session, &f.loaded.model, &text, 1, &options, keep, &kept,
                               &counts));
    CHECK_EQ_INT(counts.tokens, 4);
    CHECK(kept.count <= 2);
    CHECK_OK(&f.ctx,
             lm_sparse(&f.ctx, f.session, &f.loaded.model, &none, 1, &options, keep, &kept, NULL));
    CHECK_EQ_INT(kept.count, 0);
    CHECK_EQ_INT(embed(&f, "cat", LM_SIDE_NONE, out), LM_UNSUPPORTED);
    tear_down(&f);
}

/* "the cat " so many times, as one text. */
static char *
repeated(size_t times)
{
    static const char word[] = "the cat ";
    const size_t length = sizeof word - 1;
    char *text = malloc(times * length);

    for (size_t i = 0; text && i < times; i++)
        memcpy(text + i * length, word, length);
    return text;
}

/* All tokens of a long text, the same as of a short one. What takes as long as it is can be
 * cancelled at each poll, and has one for some thousands of tokens; memory that is refused leaves
 * nothing behind. */
static void
long_weights(void)
{
    enum { TIMES = 20000 };
    const lm_embed_options options = {.side = LM_SIDE_QUERY, .on_long = LM_LONG_MEAN};
    char *bytes = repeated(TIMES);
    const lm_text text = {bytes, 8 * TIMES}, little = {bytes, 8};
    lm_status status = LM_CANCELLED;
    lm_embed_counts counts = {0};
    kept_items kept, expected;
    fixture f;
    long live;

    set_up(&f, "sparse-static");
    CHECK_OK(&f.ctx, lm_sparse(&f.ctx, f.session, &f.loaded.model, &little, 1, &options, keep,
                               &expected, NULL));
    CHECK_OK(&f.ctx, lm_sparse(&f.ctx, f.session, &f.loaded.model, &text, 1, &options, keep, &kept,
                               &counts));
    CHECK_EQ_INT(counts.tokens, 2 * TIMES);
    CHECK(kept.count == expected.count && kept.count > 0);
    CHECK(memcmp(kept.items, expected.items, kept.count * sizeof *kept.items) == 0);
    live = f.memory.live;
    for (int at = 1; status == LM_CANCELLED; at++) {
        f.memory.polls = 0;
        f.memory.stop_at = at;
        status =
            lm_sparse(&f.ctx, f.session, &f.loaded.model, &text, 1, &options, keep, &kept, NULL);
        CHECK_EQ_INT(f.memory.live, live);
    }
    CHECK_EQ_INT(status, LM_OK);
    CHECK(f.memory.polls > TIMES / 1000);
    f.memory.stop_at = 0;
    f.memory.calls = 0;
    f.memory.fail_at = 1;
    CHECK_EQ_INT(
        lm_sparse(&f.ctx, f.session, &f.loaded.model, &text, 1, &options, keep, &kept, NULL),
        LM_NO_MEMORY);
    CHECK_EQ_INT(f.memory.live, live);
    tear_down(&f);
    free(bytes);
}

/* The name of a tensor in a header, and spaces behind it. */
static void
rename_tensor(fixture *f, const char *file, const char *from, const char *to)
{
    fake_file *found = fake_find(&f->folder.files, file);
    char *hit = memmem(found->data, found->size, from, strlen(from));

    CHECK(hit && strlen(from) == strlen(to));
    if (hit)
        memcpy(hit, to, strlen(to));
}

static void
tensors(void)
{
    fixture f;

    open_folder(&f, "sparse-static");
    rename_tensor(&f, "model.safetensors", "\"weight\"", "\"weighs\"");
    CHECK_EQ_INT(loaded_open(&f.ctx, &f.folder.source, lm_kernels_active(), &f.loaded),
                 LM_BAD_MODEL);
    CHECK_STR(f.ctx.error.key, "weight");
    golden_close(&f.folder);
    open_folder(&f, "bert-layers");
    rename_tensor(&f, "1_WeightedLayerPooling/model.safetensors", "layer_weights", "layer_weighty");
    CHECK_EQ_INT(loaded_open(&f.ctx, &f.folder.source, lm_kernels_active(), &f.loaded),
                 LM_BAD_MODEL);
    CHECK_STR(f.ctx.error.key, "layer_weights");
    golden_close(&f.folder);
    open_folder(&f, "router-mapped");
    change(&f, ROUTER, "static_embedding.StaticEmbedding", "x.SparseStaticEmbedding");
    rename_tensor(&f, "table_0_StaticEmbedding/model.safetensors", "\"embedding.weight\"",
                  "\"weight\"          ");
    CHECK_EQ_INT(loaded_open(&f.ctx, &f.folder.source, lm_kernels_active(), &f.loaded),
                 LM_BAD_MODEL);
    CHECK_STR(f.ctx.error.key, "weight");
    golden_close(&f.folder);
}

static lm_status
refuse(void *opaque, size_t text, const lm_sparse_item *items, size_t count)
{
    return LM_IO_ERROR;
}

/* Of a model that has none, and where the caller fails. */
static void
no_weights(void)
{
    const lm_text text = {"cat", 3};
    const lm_embed_options options = {.side = LM_SIDE_QUERY};
    lm_embed_counts counts = {0};
    float out[LM_SPARSE_GOLDEN];
    fixture f;

    set_up(&f, "static-st");
    CHECK_EQ_INT(lm_sparse_words(&f.loaded.model), 0);
    CHECK_EQ_INT(lm_sparse_golden(&f.ctx, f.session, &f.loaded.model, &text, 1, out),
                 LM_UNSUPPORTED);
    tear_down(&f);
    set_up(&f, "sparse-static");
    CHECK_EQ_INT(
        lm_sparse(&f.ctx, f.session, &f.loaded.model, &text, 1, &options, refuse, NULL, &counts),
        LM_IO_ERROR);
    CHECK_EQ_INT(counts.forwards, 0);
    tear_down(&f);
}

/* ---- Shortage ---- */

static lm_status
whole(fixture *f)
{
    loaded_model loaded;
    lm_status status = loaded_open(&f->ctx, &f->folder.source, lm_kernels_active(), &loaded);

    if (status == LM_OK)
        loaded_close(&f->ctx, &loaded);
    return status;
}

/* Every allocation fails in turn, and each leaves nothing behind. */
static void
shortage(void)
{
    static const char *const folders[] = {"router-shared", "router-splade", "bert-layers"};

    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
        lm_status status = LM_NO_MEMORY;
        fixture f;
        int live;

        open_folder(&f, folders[i]);
        live = f.memory.live;
        for (int at = 1; status == LM_NO_MEMORY; at = unit_next_fault(at)) {
            f.memory.calls = 0;
            f.memory.fail_at = at;
            status = whole(&f);
            CHECK(status == LM_OK || status == LM_NO_MEMORY);
            CHECK_EQ_INT(f.memory.live, live);
        }
        CHECK_EQ_INT(status, LM_OK);
        golden_close(&f.folder);
    }
}

/* Plan a folder and list its files, in an arena of which only a first block can be had: of so many
 * bytes, after which its next object finds no room, while other arenas go on. */
static size_t no_second;

static void *
refuse_second(void *opaque, size_t size)
{
    return size == no_second ? NULL : fake_alloc(opaque, size);
}

static lm_status
plan_and_list(fixture *f, size_t room)
{
    lm_model_plan *made;
    lm_file_list list;
    lm_arena arena;
    lm_notes notes;
    lm_status status = LM_OK;

    lm_notes_init(&notes, false);
    lm_arena_init(&arena, &f->ctx);
    no_second = 0;
    if (room) {
        arena.first = room;
        CHECK(lm_arena_alloc(&arena, room) != NULL);
        no_second = arena.total + room;
        arena.used = 0;
    }
    if (room < 4096)
        status = lm_model_plan_make(&f->ctx, &arena, &f->folder.source, NULL, lm_kernels_active(),
                                    &made, NULL, &notes);
    lm_arena_free(&arena);
    arena.first = room > 0 ? room : arena.first;
    if (status == LM_OK || room > 0)
        status = lm_checkpoint_list(&f->ctx, &arena, &f->folder.source, &list);
    lm_arena_free(&arena);
    return status;
}

static const char *const faulty[] = {"router-shared", "router-layers", "router-splade"};

static void
short_arenas(void)
{
    for (size_t i = 0; i < sizeof faulty / sizeof *faulty; i++) {
        fixture f;
        long live;

        open_folder(&f, faulty[i]);
        f.ctx.alloc = refuse_second;
        live = f.memory.live;
        for (int n = 1; n < 1024; n = unit_next_fault(n)) {
            lm_status status = plan_and_list(&f, (size_t)n * 16);

            CHECK(status == LM_OK || status == LM_NO_MEMORY);
            CHECK_EQ_INT(f.memory.live, live);
        }
        golden_close(&f.folder);
        CHECK_EQ_INT(f.memory.live, 0);
    }
}

/* Every call of the source fails in turn. */
static void
unread(void)
{
    for (size_t i = 0; i < sizeof faulty / sizeof *faulty; i++) {
        lm_status status = LM_IO_ERROR;
        fixture f;
        long live;

        open_folder(&f, faulty[i]);
        live = f.memory.live;
        for (int at = 1; status == LM_IO_ERROR; at = unit_next_fault(at)) {
            f.folder.files.calls = 0;
            f.folder.files.fail_at = at;
            status = plan_and_list(&f, 0);
            CHECK_EQ_INT(f.memory.live, live);
        }
        CHECK_EQ_INT(status, LM_OK);
        golden_close(&f.folder);
    }
}

/* Each of the first polls cancels: those while settings are read. */
static void
cancelled(void)
{
    for (size_t i = 0; i < sizeof faulty / sizeof *faulty; i++) {
        fixture f;
        long live;

        open_folder(&f, faulty[i]);
        live = f.memory.live;
        for (int at = 1; at < 160; at++) {
            f.memory.polls = 0;
            f.memory.stop_at = at;
            CHECK_EQ_INT(plan_and_list(&f, 0), LM_CANCELLED);
            CHECK_EQ_INT(f.memory.live, live);
        }
        golden_close(&f.folder);
    }
}

/* ---- Layers of a way's own ---- */

#define LAYERS "WeightedLayerPooling"

/* A module with the layers of bert-layers, which has other widths. */
static void
add_layers(fixture *f, const char *folder)
{
    static const char *const files[] = {"config.json", "model.safetensors"};

    for (int i = 0; i < 2; i++)
        golden_add_file(
            &f->folder,
            golden_join(&f->folder, GOLDEN_ROOT "/bert-layers/1_" LAYERS "/", files[i], ""),
            golden_join(&f->folder, folder, "/", files[i]));
}

static void
own_layers(void)
{
    static const char *const structures[] = {
        /* The way before it has none. */
        "\"query\": [\"query_0_StaticEmbedding\"], \"document\": "
        "[\"document_0_Transformer\", \"a_" LAYERS "\", \"document_1_Pooling\"]}, \"more\": {",
        /* The way before it has another's. */
        "\"query\": [\"document_0_Transformer\", \"a_" LAYERS "\", \"document_1_Pooling\"], "
        "\"document\": [\"document_0_Transformer\", \"b_" LAYERS "\", \"document_1_Pooling\"]}, "
        "\"more\": {",
    };

    for (int i = 0; i < 2; i++) {
        lm_model_plan *made;
        fixture f;

        open_folder(&f, "router-static");
        add_layers(&f, "a_" LAYERS);
        add_layers(&f, "b_" LAYERS);
        change(&f, ROUTER, "\"structure\": {",
               golden_join(&f.folder, "\"structure\": {", structures[i], ""));
        change(&f, ROUTER, "\"types\": {",
               "\"types\": {\"a_" LAYERS "\": \"sentence_transformers.models." LAYERS
               "\", \"b_" LAYERS "\": \"sentence_transformers.models." LAYERS "\",");
        change(&f, ROUTER, "\"default_route\": \"document\"", "\"default_route\": \"query\"");
        CHECK_OK(&f.ctx, lm_model_plan_make(&f.ctx, &f.folder.arena, &f.folder.source, NULL,
                                            lm_kernels_active(), &made, NULL, NULL));
        golden_close(&f.folder);
        CHECK_EQ_INT(f.memory.live, 0);
    }
}

static const unit_case cases[] = {
    {"refused", refused},
    {"missing", missing},
    {"named text", named_text},
    {"shared", shared},
    {"windows", windows},
    {"precisions", precisions},
    {"lengths", lengths},
    {"values", values},
    {"no layers", no_layers},
    {"weights", weights},
    {"long weights", long_weights},
    {"shortage", shortage},
    {"queries alone", queries_alone},
    {"listed", listed},
    {"images", images},
    {"tensors", tensors},
    {"no weights", no_weights},
    {"short arenas", short_arenas},
    {"unread", unread},
    {"cancelled", cancelled},
    {"own layers", own_layers},
};

UNIT_MAIN(cases)
