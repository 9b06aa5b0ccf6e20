/*
 * test_families.c - relations between the settings of a family: what config.json may not say
 * together, in which words it is refused, and what follows where it may.
 */
#include "family/rope_bert.h"
#include "golden.h"

/* Members of config.json that are put in the place of its own, or beside them. */
typedef struct relation {
    const char *folder; /* of models/tiny; NULL: the members are all that config.json has */
    const char *members;
    lm_status status;
    const char *key, *found, *allowed;
} relation;

typedef struct fixture {
    lm_context ctx;
    fake_memory memory;
    golden_folder folder;
    const lm_json *config;
    const lm_family *family;
    _Alignas(max_align_t) char settings[4096];
} fixture;

static lm_json *
changeable(const lm_json *json)
{
    return (lm_json *)(uintptr_t)json;
}

/* The value of one member, which keeps its place in the object. */
static void
put_member(lm_json *object, const lm_json *member)
{
    lm_json *old = changeable(lm_json_get(object, member->key));
    const lm_json *next = old ? old->next : object->as.items.first;
    lm_json *place = old ? old : changeable(member);

    *place = *member;
    place->next = next;
    if (!old) {
        object->as.items.first = place;
        object->as.items.count++;
    }
}

static const lm_json *
parse(fixture *f, const char *text, size_t size)
{
    const lm_json *json = NULL;

    CHECK_OK(&f->ctx, lm_json_parse(&f->ctx, &f->folder.arena, text, size, "config.json", &json));
    return json;
}

static void
open_fixture(fixture *f, const char *folder, const char *members)
{
    const lm_json *more, *next;
    const fake_file *file;

    memset(f, 0, sizeof *f);
    fake_context(&f->ctx, &f->memory);
    golden_open(&f->ctx, folder ? folder : "bert", &f->folder);
    more = parse(f, members, strlen(members));
    f->config = more;
    if (folder) {
        file = fake_find(&f->folder.files, "config.json");
        f->config = parse(f, file->data, file->size);
        for (const lm_json *member = more->as.items.first; member; member = next) {
            next = member->next;
            put_member(changeable(f->config), member);
        }
    }
    CHECK_OK(&f->ctx, lm_family_find(&f->ctx, f->config, &f->family));
    CHECK(f->family->config_size <= sizeof f->settings);
}

static lm_status
configure(fixture *f)
{
    const lm_head_kind *head = lm_family_head(f->family, f->config);

    return lm_family_configure(&f->ctx, f->family, head, f->config, f->settings);
}

static void
close_fixture(fixture *f)
{
    golden_close(&f->folder);
    CHECK_EQ_INT(f->memory.live, 0);
}

#define NO_DISTANCES "4 or more, and less than twice max_relative_positions"

/* Open, so that a row can go on. */
#define JINA                                                                                     \
    "\"auto_map\":{\"AutoModel\":\"jinaai/jina-bert-implementation--modeling_bert.JinaBertModel" \
    "\""

#define FLASH                                                                               \
    "\"auto_map\":{\"AutoModel\":\"jinaai/xlm-roberta-flash-implementation--modeling_lora." \
    "XLMRobertaLoRA\""

static const relation relations[] = {
    {"albert", "{\"num_attention_heads\":5}", LM_BAD_MODEL, "num_attention_heads", "5", NULL},
    {"rembert", "{\"num_attention_heads\":3}", LM_BAD_MODEL, "num_attention_heads", "3", NULL},
    {"roformer", "{\"num_attention_heads\":5}", LM_BAD_MODEL, "num_attention_heads", "5", NULL},

    {"longformer", "{\"num_attention_heads\":5}", LM_BAD_MODEL, "num_attention_heads", "5", NULL},
    {"longformer", "{\"attention_window\":5}", LM_BAD_MODEL, "attention_window", "5",
     "an even number, or a list of 2"},
    {"longformer", "{\"attention_window\":[4,4,4]}", LM_BAD_MODEL, "attention_window", "4",
     "an even number, or a list of 2"},
    {"longformer", "{\"attention_window\":6}", LM_OK, "", "", ""},
    {NULL, "{\"model_type\":\"longformer\"}", LM_OK, "", "", ""},

    {"deberta-v2", "{\"hidden_size\":37}", LM_BAD_MODEL, "num_attention_heads", "3", NULL},
    {"deberta-v2", "{\"embedding_size\":12}", LM_UNSUPPORTED, "embedding_size", "12", "36"},
    {"deberta-v2", "{\"embedding_size\":36,\"attention_head_size\":12}", LM_OK, "", "", ""},
    {"deberta-v2", "{\"attention_head_size\":18}", LM_UNSUPPORTED, "attention_head_size", "18",
     "12"},
    {"deberta-v2-sequence", "{\"pooler_hidden_size\":7}", LM_UNSUPPORTED, "pooler_hidden_size", "7",
     NULL},
    {"deberta-v2", "{\"pos_att_type\":7}", LM_UNSUPPORTED, "pos_att_type", "7",
     "a string, or an array of strings"},
    {"deberta-v2", "{\"share_att_key\":false}", LM_UNSUPPORTED, "share_att_key", "false", "true"},
    {"deberta-v2", "{\"share_att_key\":1}", LM_UNSUPPORTED, "share_att_key", "false", "true"},
    {"deberta-v2", "{\"share_att_key\":false,\"relative_attention\":false}", LM_OK, "", "", ""},
    {"deberta-v2", "{\"share_att_key\":false,\"pos_att_type\":\"p2p\"}", LM_OK, "", "", ""},
    {NULL, "{\"model_type\":\"deberta-v2\",\"relative_attention\":true,\"pos_att_type\":\"c2p\"}",
     LM_UNSUPPORTED, "share_att_key", "nothing", "true"},
    {NULL, "{\"model_type\":\"deberta-v2\"}", LM_OK, "", "", ""},
    {"deberta-v2", "{\"position_buckets\":3}", LM_UNSUPPORTED, "position_buckets", "3",
     NO_DISTANCES},
    {"deberta-v2", "{\"position_buckets\":24,\"max_relative_positions\":13}", LM_UNSUPPORTED,
     "position_buckets", "24", NO_DISTANCES},
    {"deberta-v2", "{\"position_buckets\":24,\"max_relative_positions\":14}", LM_OK, "", "", ""},
    {"deberta-v2", "{\"relative_attention\":false,\"position_buckets\":3}", LM_OK, "", "", ""},

    {"modernbert", "{\"hidden_size\":25}", LM_BAD_MODEL, "num_attention_heads", "3", NULL},
    {"modernbert", "{\"num_attention_heads\":8}", LM_BAD_MODEL, "num_attention_heads",
     "3 numbers in each head", "an even number"},
    {"modernbert", "{\"layer_types\":[\"sliding_attention\",\"sliding_attention\"]}", LM_BAD_MODEL,
     "layer_types", "an array of 2", "an array of 4 strings"},
    {"modernbert", "{\"layer_types\":{}}", LM_BAD_MODEL, "layer_types", "an object",
     "an array of 4 strings"},
    {"modernbert",
     "{\"num_hidden_layers\":2,\"layer_types\":[\"sliding_attention\",\"full_attention\"]}",
     LM_UNSUPPORTED, "layer_types", "full layers at other distances",
     "a full layer first, and then one in so many"},
    {"modernbert",
     "{\"num_hidden_layers\":3,\"layer_types\":"
     "[\"full_attention\",\"full_attention\",\"sliding_attention\"]}",
     LM_UNSUPPORTED, "layer_types", "full layers at other distances",
     "a full layer first, and then one in so many"},
    {"modernbert", "{\"num_hidden_layers\":1,\"layer_types\":[\"full_attention\"]}", LM_OK, "", "",
     ""},

    {"gemma3", "{\"head_dim\":9}", LM_BAD_MODEL, "head_dim", "9 numbers in each head",
     "an even number"},
    {"gemma3", "{\"num_key_value_heads\":3}", LM_BAD_MODEL, "num_key_value_heads", "3",
     "a divisor of num_attention_heads, which is 4"},
    {"gemma3", "{\"layer_types\":[\"full_attention\",\"full_attention\",\"sliding_attention\"]}",
     LM_UNSUPPORTED, "layer_types", "full layers at other distances",
     "one full layer behind so many others"},
    {"gemma3", "{\"layer_types\":[\"sliding_attention\",\"linear_attention\",\"full_attention\"]}",
     LM_UNSUPPORTED, "layer_types", "\"linear_attention\"",
     "\"full_attention\" or \"sliding_attention\""},
    {"gemma3", "{\"layer_types\":null}", LM_OK, "", "", ""},

    {"llama", "{\"head_dim\":null,\"hidden_size\":21}", LM_BAD_MODEL, "num_attention_heads", "5",
     NULL},
    {"llama", "{\"head_dim\":5}", LM_BAD_MODEL, "head_dim", "5 numbers in each head",
     "an even number"},
    {"qwen3", "{\"num_key_value_heads\":4}", LM_BAD_MODEL, "num_key_value_heads", "4",
     "a divisor of num_attention_heads, which is 6"},
    {"qwen3", "{\"layer_types\":[\"full_attention\",\"sliding_attention\"]}", LM_UNSUPPORTED,
     "layer_types", "\"sliding_attention\"", "\"full_attention\""},
    {NULL, "{\"model_type\":\"llama\"}", LM_OK, "", "", ""},

    {"mobilebert", "{\"num_attention_heads\":5}", LM_BAD_MODEL, "num_attention_heads", "5",
     "a divisor of intra_bottleneck_size, which is 12"},
    {"mobilebert", "{\"num_feedforward_networks\":5}", LM_BAD_MODEL, "num_feedforward_networks",
     "5", "an integer from 1 to 4"},
    {"mobilebert", "{\"normalization_type\":\"layer_norm\"}", LM_UNSUPPORTED, "normalization_type",
     "\"layer_norm\"", "no_norm"},
    {"mobilebert", "{\"use_bottleneck\":false}", LM_UNSUPPORTED, "use_bottleneck", "false", "true"},
    {NULL, "{\"model_type\":\"mobilebert\"}", LM_OK, "", "", ""},

    {"jina_bert", "{\"num_attention_heads\":5}", LM_BAD_MODEL, "num_attention_heads", "5", NULL},
    {"jina_bert", "{\"feed_forward_type\":\"original\"}", LM_UNSUPPORTED, "feed_forward_type",
     "\"original\"", "geglu, reglu"},
    {"jina_bert", "{\"position_embedding_type\":\"absolute\"}", LM_UNSUPPORTED,
     "position_embedding_type", "\"absolute\"", "alibi"},
    {NULL, "{\"model_type\":\"bert\"," JINA "}}", LM_BAD_MODEL, "feed_forward_type", "nothing", ""},
    {NULL, "{\"model_type\":\"bert\",\"feed_forward_type\":\"geglu\"," JINA "}}", LM_BAD_MODEL,
     "position_embedding_type", "nothing", ""},
    /* Code that is of others too, or is not known, makes it no JinaBERT: BERT refuses its words. */
    {"jina_bert", "{" JINA ",\"AutoConfig\":\"configuration_bert.JinaBertConfig\"}}",
     LM_UNSUPPORTED, "position_embedding_type", "\"alibi\"", "absolute"},
    {"jina_bert", "{" JINA ",\"AutoConfig\":7}}", LM_UNSUPPORTED, "position_embedding_type",
     "\"alibi\"", "absolute"},
    {"jina_bert", "{\"auto_map\":{}}", LM_UNSUPPORTED, "position_embedding_type", "\"alibi\"",
     "absolute"},
    {"jina_bert", "{\"auto_map\":7}", LM_UNSUPPORTED, "position_embedding_type", "\"alibi\"",
     "absolute"},

    /* Nor need it say its model_type. */
    {NULL, "{" JINA "},\"feed_forward_type\":\"geglu\",\"position_embedding_type\":\"alibi\"}",
     LM_OK, "", "", ""},
    {"jina_v3-published", "{\"position_embedding_type\":\"absolute\"}", LM_UNSUPPORTED,
     "position_embedding_type", "\"absolute\"", "rotary"},
    {NULL, "{" FLASH "},\"rotary_emb_base\":10000}", LM_BAD_MODEL, "position_embedding_type",
     "nothing", ""},
    {"xlm_roberta_flash", "{\"position_embedding_type\":\"rotary\"}", LM_UNSUPPORTED,
     "position_embedding_type", "\"rotary\"", "absolute"},
    {"xlm_roberta_flash", "{\"num_attention_heads\":3}", LM_BAD_MODEL, "num_attention_heads", "3",
     NULL},

    {"gte", "{\"num_attention_heads\":5}", LM_BAD_MODEL, "num_attention_heads", "5", NULL},
    {"gte", "{\"num_attention_heads\":4}", LM_BAD_MODEL, "head_dim", "9 numbers in each head",
     "an even number"},
    {"gte", "{\"logn_attention_scale\":true}", LM_UNSUPPORTED, "logn_attention_scale", "true",
     "false"},

    {"gte_new", "{\"rope_scaling\":{\"type\":\"yarn\",\"factor\":2}}", LM_UNSUPPORTED,
     "rope_scaling.type", "\"yarn\"", "ntk"},
    {"gte_new", "{\"rope_scaling\":{\"type\":\"ntk\",\"factor\":0.5}}", LM_BAD_MODEL,
     "rope_scaling.factor", "0.5", "a number from 1 to 1000"},
    {"gte_new", "{\"rope_scaling\":{\"type\":\"ntk\",\"factor\":2,\"mixed_b\":0.25}}",
     LM_UNSUPPORTED, "rope_scaling.mixed_b", "0.25", "null"},
    {"gte_new", "{\"rope_scaling\":null}", LM_OK, "", "", ""},
    {"gte_new", "{\"position_embedding_type\":\"absolute\"}", LM_UNSUPPORTED,
     "position_embedding_type", "\"absolute\"", "rope"},
    {"gte_new", "{\"layer_norm_type\":\"rms_norm\"}", LM_UNSUPPORTED, "layer_norm_type",
     "\"rms_norm\"", "layer_norm"},

    {"nomic_bert-published", "{\"rotary_emb_fraction\":0.5}", LM_UNSUPPORTED, "rotary_emb_fraction",
     "0.5", "1"},
    {"nomic_bert-published", "{\"rotary_emb_scale_base\":512}", LM_UNSUPPORTED,
     "rotary_emb_scale_base", "512", "0"},
    {"nomic_bert-published", "{\"rotary_emb_interleaved\":true}", LM_UNSUPPORTED,
     "rotary_emb_interleaved", "true", "false"},
    {"nomic_bert-published", "{\"activation_function\":\"gelu\"}", LM_UNSUPPORTED,
     "activation_function", "\"gelu\"", "swiglu, geglu"},
    {"nomic_bert-published", "{\"qkv_proj_bias\":true}", LM_UNSUPPORTED, "qkv_proj_bias", "true",
     "false"},
    {"nomic_bert-published", "{\"prenorm\":true}", LM_UNSUPPORTED, "prenorm", "true", "false"},
    {"nomic_bert-published", "{\"use_rms_norm\":true}", LM_UNSUPPORTED, "use_rms_norm", "true",
     "false"},
    {"nomic_bert-published", "{\"causal\":true}", LM_UNSUPPORTED, "causal", "true", "false"},
    {"nomic_bert-published", "{\"num_heads_kv\":1}", LM_UNSUPPORTED, "num_heads_kv", "1", "0"},
    {"nomic_bert-published", "{\"moe_every_n_layers\":2}", LM_UNSUPPORTED, "moe_every_n_layers",
     "2", "0"},
    {"nomic_bert-published", "{\"n_head\":5}", LM_BAD_MODEL, "n_head", "5",
     "a divisor of n_embd, which is 12"},
    {"nomic_bert-published", "{\"n_head\":4}", LM_BAD_MODEL, "n_head", "3 numbers in each head",
     "an even number"},
    {NULL, "{\"model_type\":\"nomic_bert\",\"n_embd\":12}", LM_BAD_MODEL, "activation_function",
     "nothing", ""},
    {NULL, "{\"model_type\":\"nomic_bert\",\"n_embd\":12,\"activation_function\":\"swiglu\"}",
     LM_BAD_MODEL, "rotary_emb_fraction", "nothing", ""},

    {"t5", "{\"relative_attention_max_distance\":2}", LM_BAD_MODEL,
     "relative_attention_max_distance", "2",
     "more than 2, a quarter of relative_attention_num_buckets"},
    {"t5", "{\"relative_attention_max_distance\":3}", LM_OK, "", "", ""},
};

/* NULL for words that are another test's. */
static void
check_relation(const relation *r)
{
    lm_status status;
    fixture f;

    open_fixture(&f, r->folder, r->members);
    status = configure(&f);
    if (status != r->status)
        UNIT_FAIL("%s: status %d (%s)", r->members, status, f.ctx.error.message);
    CHECK_STR(f.ctx.error.file, status == LM_OK ? "" : "config.json");
    CHECK_STR(f.ctx.error.key, r->key);
    CHECK_STR(f.ctx.error.found, r->found);
    if (r->allowed)
        CHECK_STR(f.ctx.error.allowed, r->allowed);
    close_fixture(&f);
}

static void
refused_relations(void)
{
    for (size_t i = 0; i < sizeof relations / sizeof *relations; i++)
        check_relation(&relations[i]);
}

/* What NomicBERT's authors' class makes of numbers: rounded up, or of others; and where positions
 * would be stretched the window ends. */
static void
rounded_numbers(void)
{
    static const struct {
        const char *members;
        int vocab, inner, window;
    } cases[] = {
        {"{}", 84, 256, 24},
        {"{\"vocab_size\":84,\"n_inner\":256}", 84, 256, 24},
        {"{\"n_inner\":257,\"pad_vocab_size_multiple\":64}", 128, 512, 24},
        {"{\"n_inner\":null,\"n_embd\":768}", 84, 2048, 24},
        {"{\"n_positions\":8192}", 84, 256, 8192},
        {"{\"n_positions\":8192,\"rotary_scaling_factor\":2}", 84, 256, 2048},
        {"{\"rotary_scaling_factor\":2,\"max_trained_positions\":7}", 84, 256, 7},
        {"{\"rotary_scaling_factor\":2,\"max_trained_positions\":25}", 84, 256, 24},
        {"{\"rotary_scaling_factor\":0,\"max_trained_positions\":7}", 84, 256, 24},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const lm_rope_bert *c;
        fixture f;

        open_fixture(&f, "nomic_bert-published", cases[i].members);
        CHECK_OK(&f.ctx, configure(&f));
        c = (const lm_rope_bert *)f.settings;
        CHECK_EQ_INT(c->dims.vocab, cases[i].vocab);
        CHECK_EQ_INT(c->inner, cases[i].inner);
        CHECK_EQ_INT(c->dims.window, cases[i].window);
        close_fixture(&f);
    }
}

/* Kinds of scores, as a list or as one string; the reference passes over others. */
static void
kinds_of_scores(void)
{
    static const struct {
        const char *members;
        bool places, content_to_place, place_to_content;
    } kinds[] = {
        {"{}", true, true, true},
        {"{\"pos_att_type\":\"c2p\"}", true, true, false},
        {"{\"pos_att_type\":\"p2c|c2p\"}", true, true, true},
        {"{\"pos_att_type\":\"c2c|p2p|p2c\"}", true, false, true},
        {"{\"pos_att_type\":[\"p2c\",7,\"c2\"]}", true, false, true},
        {"{\"pos_att_type\":\"p2p|\"}", false, false, false},
        {"{\"pos_att_type\":null}", false, false, false},
        {"{\"relative_attention\":false}", false, false, false},
    };

    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        lm_encoder encoder = {0};
        fixture f;

        open_fixture(&f, "deberta-v2", kinds[i].members);
        CHECK_OK(&f.ctx, configure(&f));
        f.family->describe(f.settings, &encoder);
        CHECK_EQ_INT(encoder.stack.places, kinds[i].places);
        CHECK_EQ_INT(encoder.stack.content_to_place, kinds[i].content_to_place);
        CHECK_EQ_INT(encoder.stack.place_to_content, kinds[i].place_to_content);
        close_fixture(&f);
    }
}

/* A long list of layers can be cancelled. */
static void
cancelled_layers(void)
{
    fixture f;

    open_fixture(&f, "gemma3", "{}");
    f.memory.polls = 0;
    f.memory.stop_at = 1;
    CHECK_EQ_INT(configure(&f), LM_CANCELLED);
    CHECK_EQ_INT(f.memory.polls, 1);
    close_fixture(&f);
}

/* A weight is named by the slot that the settings want: nets with a gate and without one. */
static void
names_of_weights(void)
{
    static const struct {
        const char *folder, *members, *wanted, *other;
    } nets[] = {
        {"t5", "{}", "encoder.block.0.layer.1.DenseReluDense.wi.weight",
         "encoder.block.0.layer.1.DenseReluDense.wi_0.weight"},
        {"t5", "{\"feed_forward_proj\":\"gated-gelu\"}",
         "encoder.block.0.layer.1.DenseReluDense.wi_0.weight",
         "encoder.block.0.layer.1.DenseReluDense.wi.weight"},
    };

    for (size_t i = 0; i < sizeof nets / sizeof *nets; i++) {
        bool found = false;
        fixture f;

        open_fixture(&f, nets[i].folder, nets[i].members);
        CHECK_OK(&f.ctx, configure(&f));
        for (size_t at = 0; at < (size_t)f.family->groups[0].targets +
                                     (size_t)f.family->groups[LM_GROUP_LAYERS].targets;
             at++) {
            char name[LM_WEIGHT_NAME_SIZE];

            lm_weight_name(f.family, f.settings, at, name);
            CHECK(strcmp(name, nets[i].other) != 0);
            found |= strcmp(name, nets[i].wanted) == 0;
        }
        CHECK(found);
        close_fixture(&f);
    }
}

/* Encoders for text that the reference has and nobody reads: by name, with those that are read. */
static void
unknown_types(void)
{
    static const char *const types[] = {
        "bart",        "bros",    "canine",   "convbert", "deberta",  "ernie_m",
        "flaubert",    "fnet",    "funnel",   "ibert",    "layoutlm", "led",
        "lilt",        "luke",    "mbart",    "markuplm", "mra",      "nystromformer",
        "perceiver",   "qdqbert", "reformer", "tapas",    "roc_bert", "splinter",
        "squeezebert", "xlm",     "xlnet",    "xmod",     "yoso"};

    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        const lm_family *family = NULL;
        const lm_json *config;
        char text[64], quoted[32];
        lm_context ctx;
        lm_arena arena;

        snprintf(quoted, sizeof quoted, "\"%s\"", types[i]);
        snprintf(text, sizeof text, "{\"model_type\":%s}", quoted);
        lm_context_init(&ctx);
        lm_arena_init(&arena, &ctx);
        CHECK_OK(&ctx, lm_json_parse(&ctx, &arena, text, strlen(text), "config.json", &config));
        CHECK_EQ_INT(lm_family_find(&ctx, config, &family), LM_UNSUPPORTED);
        CHECK_STR(ctx.error.key, "model_type");
        CHECK_STR(ctx.error.found, quoted);
        lm_arena_free(&arena);
    }
}

static const unit_case cases[] = {
    {"unknown types", unknown_types},       {"refused relations", refused_relations},
    {"rounded numbers", rounded_numbers},   {"kinds of scores", kinds_of_scores},
    {"cancelled layers", cancelled_layers}, {"names of weights", names_of_weights},
};

UNIT_MAIN(cases)
