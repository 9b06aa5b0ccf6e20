/*
 * test_older_files.c - tokenizers of folders without tokenizer.json: what their files make, what is
 * refused and which file is blamed, and failures at every place.
 */
#include "fake.h"
#include "tokenizer.h"
#include "token/older_merges.h"
#include "token/sentencepiece.h"

#define SPM_BYTES 2048

/* Texts of the files of a folder; NULL: it is not there. */
typedef struct folder {
    const char *config, *special_map, *added, *model_config, *lines, *vocab, *merges;
    lm_spm_name name;
    const char *pieces; /* of a model of SentencePiece: the digit of its type, and its text */
    int model_type;
} folder;

/* ---------------------------------------------------------------- reading */

static size_t
put_message(char *at, char tag, const char *bytes, size_t size)
{
    at[0] = tag;
    at[1] = (char)size;
    memcpy(at + 2, bytes, size);
    return size + 2;
}

/* The bytes of a model; all scores are 0. */
static size_t
make_model(const folder *from, char *bytes)
{
    const char trainer[] = {0x18, (char)(from->model_type ? from->model_type : LM_SPM_UNIGRAM)};
    size_t size = put_message(bytes, 0x12, trainer, sizeof trainer);

    for (const char *at = from->pieces; *at; at += strcspn(at, " ")) {
        char piece[120];
        size_t used;

        at += *at == ' ';
        used = put_message(piece, 0x0a, at + 1, strcspn(at + 1, " "));
        piece[used++] = 0x18;
        piece[used++] = (char)(*at - '0');
        size += put_message(bytes + size, 0x0a, piece, used);
    }
    CHECK(size < SPM_BYTES);
    return size;
}

static const lm_json *
parse(lm_context *ctx, lm_arena *arena, const char *text)
{
    const lm_json *json = NULL;

    if (text)
        CHECK_OK(ctx, lm_json_parse(ctx, arena, text, strlen(text), "a file", &json));
    return json;
}

/* A folder that was read, in a context of its own that does not fail. */
typedef struct given {
    lm_context ctx;
    lm_arena arena;
    lm_spm_file spm[LM_SPM_NAMES];
    char model[SPM_BYTES];
    lm_tokenizer_files files;
} given;

static void
open_given(given *g, const folder *from)
{
    memset(g, 0, sizeof *g);
    lm_context_init(&g->ctx);
    lm_arena_init(&g->arena, &g->ctx);
    g->files.config = parse(&g->ctx, &g->arena, from->config);
    g->files.special_map = parse(&g->ctx, &g->arena, from->special_map);
    g->files.added = parse(&g->ctx, &g->arena, from->added);
    g->files.model_config = parse(&g->ctx, &g->arena, from->model_config);
    g->files.vocab_lines = parse(&g->ctx, &g->arena, from->lines);
    g->files.vocab_json = parse(&g->ctx, &g->arena, from->vocab);
    g->files.merges = parse(&g->ctx, &g->arena, from->merges);
    if (from->pieces) {
        g->spm[from->name] = (lm_spm_file){"a.model", g->model, make_model(from, g->model)};
        g->files.spm = g->spm;
    }
}

static void
close_given(given *g)
{
    lm_arena_free(&g->arena);
}

/* ---------------------------------------------------------------- what is made */

#define CONTROL "3"
#define NORMAL "1"
#define SPACE "\xe2\x96\x81"

#define BERT_LINES "[\"[PAD]\",\"[UNK]\",\"[CLS]\",\"[SEP]\",\"[MASK]\",\"a \\u3000\",\"##b\\t\"]"
#define ROBERTA_VOCAB                                                                      \
    "{\"<s>\":0,\"</s>\":1,\"a\":2,\"b\":3,\"ab\":4,\"<unk>\":5,\"<pad>\":6,\"<mask>\":7," \
    "\"left out\":null}"
#define GPT2_VOCAB "{\"a\":0,\"b\":1,\"ab\":2,\"<|endoftext|>\":3}"
#define MERGES "[\"a b\"]"
#define XLM_PIECES \
    CONTROL "<unk> " CONTROL "<s> " CONTROL "</s> " NORMAL SPACE "a " NORMAL "b " NORMAL SPACE
#define T5_PIECES \
    CONTROL "<pad> " CONTROL "</s> " NORMAL "<unk> " NORMAL SPACE "a " NORMAL "b 4<user>"
#define ALBERT_PIECES                                                                       \
    CONTROL "<pad> " NORMAL "<unk> " CONTROL "[CLS] " CONTROL "[SEP] 4[MASK] " NORMAL SPACE \
            "a " NORMAL "b"

#define UNKNOWN "2"
#define LLAMA_PIECES                                                                    \
    UNKNOWN "<unk> " CONTROL "<s> " CONTROL "</s> " NORMAL SPACE " " NORMAL "a " NORMAL \
            "b " NORMAL "ab " NORMAL SPACE "ab 4<user>"
#define DEBERTA_PIECES                                                                           \
    CONTROL "[PAD] " CONTROL "[CLS] " CONTROL "[SEP] " UNKNOWN "[UNK] " NORMAL SPACE "a " NORMAL \
            "b " NORMAL SPACE " " NORMAL ","

static const struct {
    folder folder;
    const char *text;
    int32_t ids[10];
    size_t count;
} good[] = {
    /* New tokens in the order of their numbers; white space at the end of a line is no part of it.
     */
    {{.model_config = "{\"model_type\":\"bert\"}",
      .lines = BERT_LINES,
      .special_map = "{\"unk_token\":{\"content\":\"[UNK]\"},"
                     "\"additional_special_tokens\":[\"<x>\",{\"content\":\"<y>\"},7]}",
      .added = "{\"<new>\":9,\"<x>\":8}"},
     "ab <new><x><y>",
     {2, 5, 6, 8, 7, 9, 3},
     7},
    /* Lines that come twice: the last one counts. No unknown token is the text "None". */
    {{.config = "{\"tokenizer_class\":\"BertTokenizer\",\"unk_token\":null,\"mask_token\":\"\","
                "\"extra_special_tokens\":[],\"additional_special_tokens\":[\"a\"]}",
      .special_map = "{\"unk_token\":null,\"extra_special_tokens\":[\"##b\"]}",
      .lines = "[\"[PAD]\",\"None\",\"[CLS]\",\"[SEP]\",\"a\",\"##b\",\"c\",\"c\"]"},
     "c z ##b",
     {2, 7, 1, 5, 3},
     5},
    {{.config = "{\"tokenizer_class\":\"RobertaTokenizerFast\",\"added_tokens_decoder\":{"
                "\"9\":{\"content\":\"<y>\",\"special\":true},"
                "\"7\":{\"content\":\"<mask>\",\"lstrip\":true,\"special\":true},"
                "\"8\":{\"content\":\"<x>\",\"normalized\":false}},\"mask_token\":\"<mask>\"}",
      .special_map = "{\"mask_token\":7,\"additional_special_tokens\":[\"<none>\"]}",
      .added = "{\"<none>\":8}",
      .vocab = ROBERTA_VOCAB,
      .merges = MERGES},
     "ab <mask><x><y>",
     {0, 4, 7, 8, 9, 1},
     6},
    {{.model_config = "{\"model_type\":\"gpt2\"}", .vocab = GPT2_VOCAB, .merges = MERGES},
     "ab<|endoftext|>",
     {2, 3},
     2},
    {{.config = "{\"tokenizer_class\":\"GPT2Tokenizer\",\"add_bos_token\":true,"
                "\"add_eos_token\":true}",
      .vocab = "{\"a\":0,\"b\":1,\"ab\":2,\"<|endoftext|>\":3,\"aba\":4}",
      .merges = "[\"a b\",\"ab a\"]"},
     "b",
     {3, 1, 3},
     3},
    {{.config = "{\"tokenizer_class\":\"GPT2Tokenizer\",\"add_bos_token\":true,"
                "\"add_eos_token\":true,\"eos_token\":\"<end>\",\"pad_token\":\"<p>\"}",
      .vocab = GPT2_VOCAB,
      .merges = MERGES},
     "b",
     {3, 1, 4},
     3},
    {{.config = "{\"tokenizer_class\":\"GPT2Tokenizer\",\"add_bos_token\":true,"
                "\"add_eos_token\":true,\"bos_token\":null}",
      .vocab = GPT2_VOCAB,
      .merges = MERGES},
     "b",
     {1, 3},
     2},
    {{.model_config = "{\"model_type\":\"xlm-roberta\"}",
      .name = LM_SPM_SENTENCEPIECE_BPE,
      .pieces = XLM_PIECES},
     "ab",
     {0, 4, 5, 2},
     4},
    /* A name that no class has a token for is a new token. */
    {{.config = "{\"tokenizer_class\":\"CamembertTokenizer\",\"extra_special_tokens\":[\"<x>\"]}",
      .name = LM_SPM_SENTENCEPIECE_BPE,
      .pieces = XLM_PIECES},
     "b<x>",
     {5, 9, 8, 11, 6},
     5},
    {{.config = "{\"tokenizer_class\":\"CamembertTokenizer\",\"unk_token\":\"</s>NOTUSED\","
                "\"mask_token\":{\"content\":\"<m>\"}}",
      .name = LM_SPM_SENTENCEPIECE_BPE,
      .pieces = XLM_PIECES},
     "a<m>",
     {5, 7, 10, 6},
     4},
    {{.config = "{\"tokenizer_class\":\"CamembertTokenizer\",\"unk_token\":null}",
      .name = LM_SPM_SENTENCEPIECE_BPE,
      .pieces = XLM_PIECES},
     "a",
     {5, 7, 6},
     3},
    {{.model_config = "{\"model_type\":\"t5\"}", .name = LM_SPM_SPIECE, .pieces = T5_PIECES},
     "ab<user><extra_id_99>",
     {3, 4, 5, 6, 1},
     5},
    {{.model_config = "{\"model_type\":\"albert\"}",
      .name = LM_SPM_SPIECE,
      .pieces = ALBERT_PIECES},
     "\xc3\x81"
     "b",
     {2, 5, 6, 3},
     4},
    {{.config = "{\"tokenizer_class\":\"AlbertTokenizer\",\"do_lower_case\":false,"
                "\"keep_accents\":true,\"add_prefix_space\":false}",
      .name = LM_SPM_SPIECE,
      .pieces = ALBERT_PIECES},
     "Ab",
     {2, 1, 6, 3},
     4},
    /* ▁ stands before the text, before each stretch of it, or nowhere. */
    {{.config = "{\"tokenizer_class\":\"LlamaTokenizer\",\"add_bos_token\":true,"
                "\"add_eos_token\":true,\"legacy\":null}",
      .name = LM_SPM_TOKENIZER,
      .pieces = LLAMA_PIECES,
      .model_type = LM_SPM_BPE},
     "ab<user>b",
     {1, 7, 8, 5, 2},
     5},
    {{.config = "{\"tokenizer_class\":\"LlamaTokenizerFast\",\"legacy\":true}",
      .model_config = "{\"model_type\":\"llama\"}",
      .name = LM_SPM_TOKENIZER,
      .pieces = LLAMA_PIECES,
      .model_type = LM_SPM_BPE},
     "ab<user>b",
     {7, 8, 3, 5},
     4},
    {{.config = "{\"tokenizer_class\":\"LlamaTokenizer\",\"add_prefix_space\":false}",
      .name = LM_SPM_TOKENIZER,
      .pieces = LLAMA_PIECES " " NORMAL "a",
      .model_type = LM_SPM_BPE},
     "ab<user>a",
     {6, 8, 9},
     3},
    /* What has no piece is its bytes, if these have; other tokens are new. */
    {{.model_config = "{\"model_type\":\"gemma2\"}",
      .name = LM_SPM_TOKENIZER,
      .pieces = LLAMA_PIECES " 6<0x21>",
      .model_type = LM_SPM_BPE},
     "ab b!?<pad>",
     {6, 3, 5, 9, 0, 12},
     6},
    /* White space becomes one space; the unknown token has a text and the score 0. */
    {{.model_config = "{\"model_type\":\"deberta-v2\"}",
      .name = LM_SPM_SPM,
      .pieces = DEBERTA_PIECES},
     "a \nz,[SEP] ",
     {1, 4, 6, 3, 7, 2, 2},
     7},
    {{.config = "{\"tokenizer_class\":\"DebertaV2Tokenizer\",\"do_lower_case\":true,"
                "\"split_by_punct\":true,\"unk_token\":\"<none>\"}",
      .name = LM_SPM_SPM,
      .pieces = DEBERTA_PIECES},
     "Az,",
     {1, 4, 0, 6, 7, 2},
     6},
};

#define GOOD (sizeof good / sizeof good[0])

static void
test_good_folders(void)
{
    for (size_t i = 0; i < GOOD; i++) {
        given g;
        fixture f;

        open_given(&g, &good[i].folder);
        open_empty(&f);
        CHECK_OK(&f.ctx, lm_tokenizer_from_older(&f.ctx, &f.arena, &g.files));
        CHECK(g.files.older);
        CHECK_OK(&f.ctx, lm_tokenizer_compile_files(&f.ctx, &g.files, 1000, &f.image, NULL));
        CHECK_OK(&f.ctx, lm_tokenizer_bind(&f.ctx, f.image.data, f.image.size, &f.tokenizer));
        encode(&f, good[i].text, strlen(good[i].text), &everything);
        if (f.out.count != good[i].count ||
            memcmp(f.out.ids, good[i].ids, f.out.count * sizeof good[i].ids[0]) != 0) {
            UNIT_FAIL("case %zu: %zu tokens", i, f.out.count);
            for (size_t k = 0; k < f.out.count; k++)
                fprintf(stderr, " %d", f.out.ids[k]);
            fputc('\n', stderr);
        }
        close_fixture(&f);
        close_given(&g);
    }
}

/* Without a class that is known, or one of its files, there is no tokenizer. */
static void
test_nothing_to_make(void)
{
    static const folder folders[] = {
        {.lines = BERT_LINES},
        {.model_config = "{\"model_type\":\"unheard\"}", .lines = BERT_LINES},
        {.config = "{\"tokenizer_class\":\"BertTokenizerSlow\"}", .lines = BERT_LINES},
        {.config = "{\"tokenizer_class\":\"GPT2TokenizerSlow\"}",
         .vocab = GPT2_VOCAB,
         .merges = MERGES},
        {.model_config = "{\"model_type\":\"bert\"}", .vocab = GPT2_VOCAB, .merges = MERGES},
        {.model_config = "{\"model_type\":\"gpt2\"}", .vocab = GPT2_VOCAB},
        {.model_config = "{\"model_type\":\"gpt2\"}", .merges = MERGES},
        {.model_config = "{\"model_type\":\"t5\"}", .lines = BERT_LINES},
        {.model_config = "{\"model_type\":\"t5\"}", .name = LM_SPM_SPM, .pieces = T5_PIECES},
        /* transformers makes other classes of these. */
        {.model_config = "{\"model_type\":\"llama\"}",
         .name = LM_SPM_TOKENIZER,
         .pieces = LLAMA_PIECES},
        {.config = "{\"tokenizer_class\":\"LlamaTokenizer\"}",
         .model_config = "{\"model_type\":\"mistral\"}",
         .name = LM_SPM_TOKENIZER,
         .pieces = LLAMA_PIECES},
    };

    for (size_t i = 0; i < sizeof folders / sizeof folders[0]; i++) {
        given g;

        open_given(&g, &folders[i]);
        CHECK_OK(&g.ctx, lm_tokenizer_from_older(&g.ctx, &g.arena, &g.files));
        CHECK(!g.files.tokenizer && !g.files.older);
        close_given(&g);
    }
}

/* ---------------------------------------------------------------- refusals */

#define BERT(setting)                                                                        \
    {                                                                                        \
        .config = "{\"tokenizer_class\":\"BertTokenizer\"," setting "}", .lines = BERT_LINES \
    }
#define BYTES(class, setting)                                                                \
    {                                                                                        \
        .config = "{\"tokenizer_class\":\"" class "\"," setting "}", .vocab = ROBERTA_VOCAB, \
        .merges = MERGES                                                                     \
    }
#define SPIECE(class, setting, list)                                                        \
    {                                                                                       \
        .config = "{\"tokenizer_class\":\"" class "\"," setting "}", .name = LM_SPM_SPIECE, \
        .pieces = list                                                                      \
    }

#define TOKENIZER(class, setting, list)                                                        \
    {                                                                                          \
        .config = "{\"tokenizer_class\":\"" class "\"," setting "}", .name = LM_SPM_TOKENIZER, \
        .pieces = list                                                                         \
    }

static const struct {
    folder folder;
    lm_status status;
    const char *file, *key;
} bad[] = {
    {BERT("\"unk_token\":7"), LM_BAD_MODEL, "tokenizer_config.json", "unk_token"},
    {BERT("\"unk_token\":{}"), LM_BAD_MODEL, "tokenizer_config.json", "unk_token"},
    {BERT("\"unk_token\":{\"content\":1}"), LM_BAD_MODEL, "tokenizer_config.json", "unk_token"},
    {BERT("\"sep_token\":null"), LM_BAD_MODEL, "tokenizer_config.json", "sep_token"},
    {BERT("\"cls_token\":\"\""), LM_BAD_MODEL, "tokenizer_config.json", "cls_token"},
    {BERT("\"do_lower_case\":1"), LM_BAD_MODEL, "tokenizer_config.json",
     "tokenizer_config.do_lower_case"},
    {BERT("\"added_tokens_decoder\":{\"7\":{}}"), LM_BAD_MODEL, "tokenizer_config.json",
     "added_tokens_decoder.7"},
    {BERT("\"added_tokens_decoder\":{\"7\":{\"content\":7}}"), LM_BAD_MODEL,
     "tokenizer_config.json", "added_tokens_decoder.7"},
    {BERT("\"added_tokens_decoder\":[],\"unk_token\":\"<none>\""), LM_BAD_MODEL, "vocab.txt",
     "model.unk_token"},
    {BYTES("RobertaTokenizer", "\"add_prefix_space\":1"), LM_BAD_MODEL, "tokenizer_config.json",
     "tokenizer_config.add_prefix_space"},
    {BYTES("RobertaTokenizer", "\"trim_offsets\":1"), LM_BAD_MODEL, "tokenizer_config.json",
     "tokenizer_config.trim_offsets"},
    {BYTES("RobertaTokenizer", "\"sep_token\":null"), LM_BAD_MODEL, "tokenizer_config.json",
     "sep_token"},
    {BYTES("RobertaTokenizer", "\"cls_token\":null"), LM_BAD_MODEL, "tokenizer_config.json",
     "cls_token"},
    {BYTES("GPT2Tokenizer", "\"add_prefix_space\":1"), LM_BAD_MODEL, "tokenizer_config.json",
     "tokenizer_config.add_prefix_space"},
    {BYTES("GPT2Tokenizer", "\"add_bos_token\":1"), LM_BAD_MODEL, "tokenizer_config.json",
     "tokenizer_config.add_bos_token"},
    {BYTES("GPT2Tokenizer", "\"add_eos_token\":1"), LM_BAD_MODEL, "tokenizer_config.json",
     "tokenizer_config.add_eos_token"},
    {{.model_config = "{\"model_type\":\"gpt2\"}", .vocab = "{\"a\":1.5}", .merges = "[]"},
     LM_BAD_MODEL,
     "vocab.json",
     "model.vocab.a"},
    {{.model_config = "{\"model_type\":\"gpt2\"}", .vocab = "{\"a\":-1}", .merges = "[]"},
     LM_BAD_MODEL,
     "vocab.json",
     "model.vocab.a"},
    {{.model_config = "{\"model_type\":\"gpt2\"}", .vocab = "{\"a\":2147483648}", .merges = "[]"},
     LM_BAD_MODEL,
     "vocab.json",
     "model.vocab.a"},
    {{.model_config = "{\"model_type\":\"gpt2\"}", .vocab = "{\"a\":0}", .merges = "[\"a b\"]"},
     LM_BAD_MODEL,
     "merges.txt",
     "model.merges.0"},
    {SPIECE("T5Tokenizer", "\"eos_token\":null", T5_PIECES), LM_BAD_MODEL, "tokenizer_config.json",
     "eos_token"},
    {SPIECE("T5Tokenizer", "\"eos_token\":\"\"", T5_PIECES), LM_BAD_MODEL, "tokenizer_config.json",
     "eos_token"},
    {SPIECE("T5Tokenizer", "\"add_prefix_space\":1", T5_PIECES), LM_BAD_MODEL,
     "tokenizer_config.json", "tokenizer_config.add_prefix_space"},
    {SPIECE("AlbertTokenizer", "\"keep_accents\":1", ALBERT_PIECES), LM_BAD_MODEL,
     "tokenizer_config.json", "tokenizer_config.keep_accents"},
    {SPIECE("AlbertTokenizer", "\"do_lower_case\":1", ALBERT_PIECES), LM_BAD_MODEL,
     "tokenizer_config.json", "tokenizer_config.do_lower_case"},
    {SPIECE("AlbertTokenizer", "\"add_eos_token\":true", ALBERT_PIECES), LM_UNSUPPORTED,
     "tokenizer_config.json", "tokenizer_config.add_eos_token"},
    {{.model_config = "{\"model_type\":\"t5\"}",
      .name = LM_SPM_SPIECE,
      .pieces = T5_PIECES,
      .model_type = LM_SPM_BPE},
     LM_UNSUPPORTED,
     "a.model",
     "trainer_spec.model_type"},
    {{.model_config = "{\"model_type\":\"t5\"}", .name = LM_SPM_SPIECE, .pieces = NORMAL "\xff"},
     LM_BAD_MODEL,
     "a.model",
     ""},
    {TOKENIZER("LlamaTokenizer", "\"legacy\":1", LLAMA_PIECES), LM_BAD_MODEL,
     "tokenizer_config.json", "tokenizer_config.legacy"},
    {TOKENIZER("LlamaTokenizer", "\"add_prefix_space\":1", LLAMA_PIECES), LM_BAD_MODEL,
     "tokenizer_config.json", "tokenizer_config.add_prefix_space"},
    {TOKENIZER("LlamaTokenizer", "\"add_bos_token\":1", LLAMA_PIECES), LM_BAD_MODEL,
     "tokenizer_config.json", "tokenizer_config.add_bos_token"},
    {TOKENIZER("GemmaTokenizer", "\"unk_token\":null", LLAMA_PIECES), LM_BAD_MODEL, "a.model",
     "model.unk_token"},
    {{.config = "{\"tokenizer_class\":\"DebertaV2Tokenizer\",\"split_by_punct\":1}",
      .name = LM_SPM_SPM,
      .pieces = DEBERTA_PIECES},
     LM_BAD_MODEL,
     "tokenizer_config.json",
     "tokenizer_config.split_by_punct"},
    /* More pieces than rows. */
    {{.model_config = "{\"model_type\":\"t5\"}", .name = LM_SPM_SPIECE, .pieces = T5_PIECES},
     LM_BAD_MODEL,
     "a.model",
     "model.vocab"},
};

static void
test_refusals(void)
{
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        given g;
        fixture f;
        lm_status status;

        open_given(&g, &bad[i].folder);
        open_empty(&f);
        status = lm_tokenizer_from_older(&f.ctx, &f.arena, &g.files);
        if (status == LM_OK)
            status = lm_tokenizer_compile_files(&f.ctx, &g.files, 50, &f.image, NULL);
        if (status != bad[i].status || strcmp(f.ctx.error.file, bad[i].file) != 0 ||
            strcmp(f.ctx.error.key, bad[i].key) != 0)
            UNIT_FAIL("case %zu: status %d, file %s, key %s: %s", i, status, f.ctx.error.file,
                      f.ctx.error.key, f.ctx.error.message);
        CHECK(f.ctx.error.found[0] && f.ctx.error.allowed[0]);
        close_fixture(&f);
        close_given(&g);
    }
}

/* ---------------------------------------------------------------- faults */

/* Make the tokenizer in a context where `memory` says what fails; nothing may stay. */
static lm_status
make_with(const lm_tokenizer_files *given, fake_memory *memory)
{
    lm_tokenizer_files files = *given;
    lm_context ctx;
    lm_arena arena;
    lm_status status;

    fake_context(&ctx, memory);
    lm_arena_init(&arena, &ctx);
    status = lm_tokenizer_from_older(&ctx, &arena, &files);
    CHECK((status == LM_OK) == (files.tokenizer != NULL));
    lm_arena_free(&arena);
    CHECK_EQ_INT(memory->live, 0);
    return status;
}

/* Each allocation fails in turn, then each poll cancels. */
static void
fail_everywhere(const lm_tokenizer_files *files)
{
    lm_status status = LM_NO_MEMORY;
    int n;

    for (n = 1; status == LM_NO_MEMORY; n++) {
        fake_memory memory = {.fail_at = n};

        status = make_with(files, &memory);
    }
    CHECK_EQ_INT(status, LM_OK);
    CHECK(n > 8);
    for (n = 0, status = LM_CANCELLED; status == LM_CANCELLED; n++) {
        fake_memory memory = {.stop_at = n + 1};

        status = make_with(files, &memory);
    }
    CHECK_EQ_INT(status, LM_OK);
    CHECK(n > 2);
}

static void
test_faults(void)
{
    for (size_t i = 0; i < GOOD; i++) {
        given g;

        open_given(&g, &good[i].folder);
        fail_everywhere(&g.files);
        close_given(&g);
    }
}

/* Buffers that may not grow beyond so many bytes. */
static size_t most;

static void *
refuse_large(void *opaque, void *pointer, size_t size)
{
    return size > most ? NULL : realloc(pointer, size);
}

/* The files with one token more, which comes early in the text. */
typedef struct padded {
    lm_json list, token;
    lm_tokenizer_files files;
} padded;

static const lm_json *
put_first(padded *p, const lm_json *list)
{
    p->list = list ? *list : (lm_json){.type = LM_JSON_OBJECT};
    p->token.next = p->list.as.items.first;
    p->list.as.items.first = &p->token;
    p->list.as.items.count++;
    return &p->list;
}

static void
pad(padded *p, const lm_tokenizer_files *files, const char *text, size_t length)
{
    p->files = *files;
    p->token = (lm_json){.type = LM_JSON_STRING, .as.string = {text, length}};
    if (files->vocab_lines) {
        p->files.vocab_lines = put_first(p, files->vocab_lines);
    } else if (files->vocab_json) {
        p->token = (lm_json){.type = LM_JSON_NUMBER,
                             .is_integer = true,
                             .integer = 90,
                             .key = text,
                             .key_length = (uint32_t)length};
        p->files.vocab_json = put_first(p, files->vocab_json);
    } else {
        p->token.key = "pad_token";
        p->token.key_length = 9;
        p->files.config = put_first(p, files->config);
    }
}

/* How many of the makings find no room. */
static int
fill_text(const lm_tokenizer_files *files, const char *text, size_t length)
{
    int refused = 0;

    for (most = 512; most <= 4096; most *= 2) {
        fake_memory memory = {0};
        lm_context ctx;
        lm_arena arena;
        padded p;
        lm_status status;

        pad(&p, files, text, length);
        fake_context(&ctx, &memory);
        ctx.realloc = refuse_large;
        lm_arena_init(&arena, &ctx);
        status = lm_tokenizer_from_older(&ctx, &arena, &p.files);
        CHECK(status == LM_OK || (status == LM_NO_MEMORY && !p.files.tokenizer));
        refused += status != LM_OK;
        lm_arena_free(&arena);
        CHECK_EQ_INT(memory.live, 0);
    }
    return refused;
}

/*
 * The text that is made grows by doubling. Behind a token that is longer and longer every append
 * meets the end of the room in turn.
 */
static void
test_full_text(void)
{
    static char text[1025];

    memset(text, 'x', sizeof text - 1);
    for (size_t i = 0; i < GOOD; i++) {
        int refused = 0;
        given g;

        open_given(&g, &good[i].folder);
        for (size_t length = 1; length < sizeof text; length += 3 * unit_stride())
            refused += fill_text(&g.files, text + sizeof text - 1 - length, length);
        CHECK((size_t)refused > 500 / unit_stride());
        close_given(&g);
    }
}

/* ---------------------------------------------------------------- large vocabularies */

enum { MANY = 5000 };

/* A list of so many texts, as JSON; members of an object have numbers. */
static const lm_json *
many_texts(given *g, const char *open, const char *form, const char *close)
{
    const lm_json *json = NULL;
    lm_buffer text;

    lm_buffer_init(&text, &g->ctx);
    lm_buffer_append_string(&text, open);
    for (int i = 0; i < MANY; i++)
        lm_buffer_printf(&text, form, i, i);
    lm_buffer_append_string(&text, close);
    CHECK_OK(&g->ctx, lm_json_parse(&g->ctx, &g->arena, text.data, text.size, "a file", &json));
    lm_buffer_free(&text);
    return json;
}

/* Every poll cancels in turn; returns how many there were. */
static int
cancel_everywhere(const lm_tokenizer_files *files)
{
    fake_memory memory = {0};
    int polls;

    CHECK_EQ_INT(make_with(files, &memory), LM_OK);
    polls = memory.polls;
    for (int n = 1; n <= polls; n++) {
        memory = (fake_memory){.stop_at = n};
        CHECK_EQ_INT(make_with(files, &memory), LM_CANCELLED);
        CHECK_EQ_INT(memory.polls, n);
    }
    return polls;
}

/* Every way in which a piece is two others is looked for, so there is a longest one. */
static void
test_long_piece(void)
{
    static const folder llama = {.config = "{\"tokenizer_class\":\"LlamaTokenizer\"}"};
    const size_t lengths[] = {1024, 1025};

    for (size_t i = 0; i < 2; i++) {
        const size_t length = lengths[i], message = length + 3;
        char bytes[1100] = {0x0a, (char)((message & 0x7f) | 0x80), (char)(message >> 7),
                            0x0a, (char)((length & 0x7f) | 0x80),  (char)(length >> 7)};
        given g;

        memset(bytes + 6, 'a', length);
        open_given(&g, &llama);
        g.spm[LM_SPM_TOKENIZER] = (lm_spm_file){"tokenizer.model", bytes, length + 6};
        g.files.spm = g.spm;
        CHECK_EQ_INT(lm_tokenizer_from_older(&g.ctx, &g.arena, &g.files),
                     length > 1024 ? LM_UNSUPPORTED : LM_OK);
        if (length > 1024) {
            CHECK_STR(g.ctx.error.file, "tokenizer.model");
            CHECK_STR(g.ctx.error.found, "1025 bytes");
        }
        close_given(&g);
    }
}

/* Each append of the merges finds no room, behind a text that is longer and longer. */
static void
test_full_merges(void)
{
    static const char name[] = "\xc3\xa4"
                               "bab";
    lm_spm_piece pieces[] = {{.text = name, .length = 2},     {.text = name + 2, .length = 1},
                             {.text = name + 3, .length = 1}, {.text = name + 4, .length = 1},
                             {.text = name, .length = 3},     {.text = name + 2, .length = 2},
                             {.text = name, .length = 4},     {.text = name, .length = 5}};
    enum { COUNT = sizeof pieces / sizeof pieces[0] };
    const lm_spm_model spm = {.pieces = pieces, .count = COUNT};
    int refusals = 0;

    for (size_t used = 1; used < 256; used++) {
        int64_t ids[COUNT] = {0};
        fake_memory memory = {0};
        lm_buffer text;
        lm_intern words;
        lm_context ctx;
        lm_status status;

        fake_context(&ctx, &memory);
        lm_buffer_init(&text, &ctx);
        lm_intern_init(&words, &ctx, "pieces");
        for (size_t i = 0; i < COUNT; i++) {
            uint32_t number;

            CHECK_OK(&ctx, lm_intern_add(&words, pieces[i].text, pieces[i].length, &number));
            ids[number] = (int64_t)i;
        }
        for (size_t i = 0; i < used; i++)
            CHECK_OK(&ctx, lm_buffer_append_byte(&text, ' '));
        most = 256;
        ctx.realloc = refuse_large;
        status = lm_older_write_merges(&ctx, &words, ids, &spm, &text);
        CHECK(status == LM_OK || status == LM_NO_MEMORY);
        refusals += status != LM_OK;
        lm_intern_free(&words);
        lm_buffer_free(&text);
        CHECK_EQ_INT(memory.live, 0);
    }
    CHECK(refusals > 40 && refusals < 255);
}

/* A text that is as long as it may be; of its room next to nothing is written. */
static void
test_many_merges(void)
{
    const size_t size = (size_t)128 << 20, room = size + 64;
    lm_spm_piece piece = {.text = "a", .length = 1};
    const lm_spm_model spm = {.pieces = &piece, .count = 1};
    const int64_t id = 0;
    lm_buffer text;
    lm_intern words;
    lm_context ctx;
    uint32_t number;

    lm_context_init(&ctx);
    lm_buffer_init(&text, &ctx);
    lm_intern_init(&words, &ctx, "pieces");
    CHECK_OK(&ctx, lm_intern_add(&words, piece.text, piece.length, &number));
    text.data = lm_alloc(&ctx, room);
    text.capacity = room;
    text.size = size;
    CHECK_EQ_INT(lm_older_write_merges(&ctx, &words, &id, &spm, &text), LM_TOO_LARGE);
    CHECK_STR(ctx.error.key, "model.vocab");
    CHECK_STR(ctx.error.file, "tokenizer.json");
    CHECK_STR(ctx.error.allowed, "134217728 bytes of them");
    lm_intern_free(&words);
    lm_buffer_free(&text);
}

/* Lists that are long enough are left where someone cancels, wherever they are read or written. */
static void
test_large_vocabularies(void)
{
    static char bytes[16 * MANY];
    const folder bert = {.model_config = "{\"model_type\":\"bert\"}"},
                 gpt2 = {.model_config = "{\"model_type\":\"gpt2\"}"},
                 t5 = {.model_config = "{\"model_type\":\"t5\"}"},
                 gemma = {.model_config = "{\"model_type\":\"gemma\"}"};
    size_t size = 0;
    given g;

    open_given(&g, &bert);
    g.files.vocab_lines =
        many_texts(&g, "[", "\"n%d\",", "\"[UNK]\",\"[CLS]\",\"[SEP]\",\"[PAD]\",\"[MASK]\"]");
    CHECK(cancel_everywhere(&g.files) > 6);
    close_given(&g);

    open_given(&g, &gpt2);
    g.files.vocab_json = many_texts(&g, "{", "\"n%d\":%d,", "\"<|endoftext|>\":5000}");
    g.files.merges = many_texts(&g, "[", "\"n%d n%d\",", "\"n0 n1\"]");
    CHECK(cancel_everywhere(&g.files) > 6);
    close_given(&g);

    open_given(&g, &t5);
    for (int i = 0; i < MANY; i++) {
        char text[16], piece[16];
        size_t used = put_message(piece, 0x0a, text, (size_t)sprintf(text, "n%d", i));

        size += put_message(bytes + size, 0x0a, piece, used);
    }
    g.spm[LM_SPM_SPIECE] = (lm_spm_file){"spiece.model", bytes, size};
    g.files.spm = g.spm;
    CHECK(cancel_everywhere(&g.files) > 6);
    close_given(&g);

    open_given(&g, &gemma);
    g.spm[LM_SPM_TOKENIZER] = (lm_spm_file){"tokenizer.model", bytes, size};
    g.files.spm = g.spm;
    CHECK(cancel_everywhere(&g.files) > 20);
    close_given(&g);
}

static const unit_case cases[] = {
    {"good_folders", test_good_folders},
    {"nothing_to_make", test_nothing_to_make},
    {"refusals", test_refusals},
    {"faults", test_faults},
    {"long_piece", test_long_piece},
    {"full_text", test_full_text},
    {"full_merges", test_full_merges},
    {"many_merges", test_many_merges},
    {"large_vocabularies", test_large_vocabularies},
};

UNIT_MAIN(cases)
