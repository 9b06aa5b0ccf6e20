/*
 * test_explain.c - shares of words: those of torch's automatic gradients and of texts without a
 * word, recorded for many families, heads and modules; sums; options and what is refused; cancels
 * and shortage of memory.
 */
#include "golden.h"
#include "loaded.h"
#include "model/head.h"
#include "task/explain.h"
#include "task/integrated.h"

#define RECORDED "test/golden/explain.json"

#define MAX_WORDS 64
#define LABELS 3

/* A recorded model: an encoder with a head of its own, or one that has been put on it. */
typedef struct fixture {
    lm_context ctx;
    fake_memory memory;
    golden_folder folder;
    loaded_model loaded;
    lm_model top; /* of a head on an embedding */
    lm_head head; /* its */
    float *weights;
    const lm_model *model;
    lm_session *session;
} fixture;

static const char *const names[] = {"a", "b", "c"};

/* The head that make-explain.py puts on an embedding. */
static void
put_head(fixture *f)
{
    const int width = f->loaded.model.info.dimensions;
    float *bias;

    f->weights = malloc((size_t)(LABELS * (width + 1)) * sizeof(float));
    bias = f->weights + LABELS * width;
    for (int i = 0; i < LABELS * width; i++)
        f->weights[i] = (float)sin(1.0 + i);
    for (int i = 0; i < LABELS; i++)
        bias[i] = (float)(.1 * i);
    f->head = (lm_head){.labels = LABELS,
                        .width = width,
                        .inner = width,
                        .weight = f->weights,
                        .bias = bias,
                        .scoring = LM_SCORING_SOFTMAX,
                        .names = names};
    f->top = (lm_model){.base = &f->loaded.model, .kernels = f->loaded.model.kernels};
    f->top.info = (lm_model_info){.task = "classification", .label_count = LABELS, .labels = names};
    f->top.views[LM_SECTION_HEAD] = &f->head;
    f->model = &f->top;
}

static void
set_up(fixture *f, const char *folder, bool headed, const lm_kernels *kernels,
       lm_precision precision)
{
    memset(f, 0, sizeof *f);
    fake_context(&f->ctx, &f->memory);
    golden_open(&f->ctx, folder, &f->folder);
    CHECK_OK(&f->ctx, loaded_open_as(&f->ctx, &f->folder.source, kernels, precision, &f->loaded));
    f->model = &f->loaded.model;
    if (!headed)
        put_head(f);
    CHECK_OK(&f->ctx, lm_session_create(&f->ctx, &f->session));
}

static void
tear_down(fixture *f)
{
    lm_session_free(f->session);
    loaded_close(&f->ctx, &f->loaded);
    golden_close(&f->folder);
    free(f->weights);
    CHECK_EQ_INT(f->memory.live, 0);
}

typedef struct explained {
    lm_attribution words[MAX_WORDS];
    size_t count, texts;
} explained;

static lm_status
keep(void *opaque, size_t text, const lm_attribution *words, size_t count)
{
    explained *out = opaque;

    CHECK(count <= MAX_WORDS);
    CHECK_EQ_INT(text, out->texts);
    out->texts++;
    out->count = count;
    memcpy(out->words, words, count * sizeof *words);
    return LM_OK;
}

static lm_status
explain(fixture *f, lm_text text, const lm_explain_options *options, explained *out)
{
    const lm_embed_options embed = {.on_long = LM_LONG_TRUNCATE};
    lm_embed_counts counts = {0};
    lm_status status;

    memset(out, 0, sizeof *out);
    status =
        lm_explain(&f->ctx, f->session, f->model, &text, 1, &embed, options, keep, out, &counts);
    CHECK_EQ_INT(counts.texts, status == LM_OK);
    return status;
}

/* ---- The recorded file ---- */

typedef struct recorded {
    lm_context ctx;
    golden_folder file;
    const lm_json *root;
} recorded;

static void
open_recorded(recorded *r)
{
    lm_context_init(&r->ctx);
    memset(&r->file, 0, sizeof r->file);
    lm_arena_init(&r->file.arena, &r->ctx);
    golden_add_file(&r->file, RECORDED, "explain.json");
    CHECK_OK(&r->ctx, lm_json_parse(&r->ctx, &r->file.arena, r->file.files.files[0].data,
                                    r->file.files.files[0].size, "explain.json", &r->root));
}

static double
number(const lm_json *list, int at)
{
    const lm_json *each = list->as.items.first;

    while (at-- > 0)
        each = each->next;
    return each->as.number;
}

static lm_text
text_of(const lm_json *node)
{
    return (lm_text){node->as.string.bytes, node->as.string.length};
}

/* The recorded values of a word's tokens. */
static double
tokens_sum(const lm_json *tokens, const lm_attribution *word)
{
    double sum = 0;

    for (const lm_json *each = tokens->as.items.first; each; each = each->next)
        if (number(each, 0) >= word->start && number(each, 1) <= word->stop)
            sum += number(each, 2);
    return sum;
}

static void
check_gradients(fixture *f, const lm_json *each, int32_t steps)
{
    const lm_explain_options options = {.label = (int32_t)lm_json_get(each, "label")->as.number,
                                        .steps = steps};
    explained out;
    double all = 0, wanted = 0;

    CHECK_OK(&f->ctx, explain(f, text_of(lm_json_get(each, "text")), &options, &out));
    for (size_t i = 0; i < out.count; i++) {
        CHECK_NEAR(out.words[i].value, tokens_sum(lm_json_get(each, "tokens"), &out.words[i]),
                   1e-4);
        all += (double)out.words[i].value;
    }
    for (const lm_json *token = lm_json_get(each, "tokens")->as.items.first; token;
         token = token->next)
        wanted += number(token, 2);
    CHECK_NEAR(all, wanted, 3e-4); /* no token is forgotten */
}

static void
check_left_out(fixture *f, const lm_json *each)
{
    const lm_explain_options options = {.method = LM_EXPLAIN_LEAVE_OUT, .label = -1};
    const lm_json *words = lm_json_get(each, "words");
    explained out;
    size_t i = 0;

    CHECK_OK(&f->ctx, explain(f, text_of(lm_json_get(each, "text")), &options, &out));
    CHECK_EQ_INT(out.count, words->as.items.count);
    for (const lm_json *word = words->as.items.first; word && i < out.count; word = word->next) {
        CHECK_EQ_INT(out.words[i].start, number(word, 0));
        CHECK_EQ_INT(out.words[i].stop, number(word, 1));
        CHECK_NEAR(out.words[i++].value, number(word, 2), 1e-4);
    }
}

static void
test_reference(void)
{
    recorded r;

    open_recorded(&r);
    for (const lm_json *model = lm_json_get(r.root, "models")->as.items.first; model;
         model = model->next) {
        const char *folder = lm_json_get(model, "folder")->as.string.bytes;
        fixture f;
        int before = unit_failures;

        set_up(&f, folder, lm_json_get(model, "headed")->boolean, lm_kernels_active(),
               LM_PRECISION_F32);
        for (const lm_json *each = lm_json_get(model, "cases")->as.items.first; each;
             each = each->next) {
            check_gradients(&f, each, (int32_t)lm_json_get(r.root, "steps")->as.number);
            check_left_out(&f, each);
        }
        tear_down(&f);
        if (unit_failures > before)
            UNIT_FAIL("above: %s", folder);
    }
    golden_close(&r.file);
}

/* ---- Sums ---- */

static double
score_of(fixture *f, const char *text, int label)
{
    const lm_embed_options options = {.on_long = LM_LONG_TRUNCATE};
    const lm_text one = {text, strlen(text)};
    float scores[8];

    CHECK(f->model->info.label_count <= 8);
    CHECK_OK(&f->ctx, lm_classify(&f->ctx, f->session, f->model, &one, 1, &options, scores, NULL));
    return (double)scores[label];
}

static double
sum_of(const explained *out)
{
    double sum = 0;

    for (size_t i = 0; i < out->count; i++)
        sum += (double)out->words[i].value;
    return sum;
}

/* As many steps as it takes: the sum is the difference to a text of padding, or of masks. */
static void
test_sums(void)
{
    static const struct {
        const char *folder;
        bool headed;
        lm_precision precision;
        int32_t baseline;
        const char *empty;
        double bound;
    } rows[] = {
        {"bert-sequence", true, LM_PRECISION_F32, LM_BASELINE_DEFAULT, "[PAD][PAD][PAD]", 3e-3},
        {"bert-sequence", true, LM_PRECISION_F32, LM_BASELINE_PAD, "[PAD][PAD][PAD]", 3e-3},
        {"bert-sequence", true, LM_PRECISION_F32, LM_BASELINE_MASK, "[MASK][MASK][MASK]", 3e-3},
        {"bert-multi-label", true, LM_PRECISION_BF16, LM_BASELINE_PAD, "[PAD][PAD][PAD]", 2e-2},
        {"modernbert-sequence", true, LM_PRECISION_F32, LM_BASELINE_PAD, "[PAD][PAD][PAD]", 3e-3},
        {"bert-st5-prompt", false, LM_PRECISION_F32, LM_BASELINE_PAD, "[PAD][PAD][PAD]", 3e-3},
        {"mobilebert-sequence", true, LM_PRECISION_F32, LM_BASELINE_PAD, "[PAD][PAD][PAD]", 3e-3},
        {"eurobert-sequence", true, LM_PRECISION_F32, LM_BASELINE_PAD, "[PAD][PAD][PAD]", 3e-3},
        {"gemma3", false, LM_PRECISION_F32, LM_BASELINE_PAD, "[PAD][PAD][PAD]", 3e-3},
        {"bert-st5-flags", false, LM_PRECISION_F32, LM_BASELINE_PAD, "[PAD][PAD][PAD]", 3e-3},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const lm_explain_options options = {.label = 1, .baseline = rows[i].baseline};
        const lm_text text = {"the cat sat", 11};
        explained out;
        fixture f;
        double difference;

        set_up(&f, rows[i].folder, rows[i].headed, lm_kernels_active(), rows[i].precision);
        CHECK_OK(&f.ctx, explain(&f, text, &options, &out));
        CHECK_EQ_INT(out.count, 3);
        CHECK_EQ_INT(out.words[1].start, 4);
        difference = score_of(&f, "the cat sat", 1) - score_of(&f, rows[i].empty, 1);
        CHECK_NEAR(sum_of(&out), difference, rows[i].bound);
        CHECK(fabs(difference) > 0);
        tear_down(&f);
    }
}

/* What no text is the baseline of: the encoder's own score of zeros is not seen, but words are. */
static void
test_zeros(void)
{
    static const char *const folders[] = {"qwen3-st6", "bert-st6-steps"};
    const lm_explain_options options = {.label = 0, .baseline = LM_BASELINE_ZERO};

    for (int i = 0; i < 2; i++) {
        explained out;
        fixture f;

        set_up(&f, folders[i], false, lm_kernels_active(), LM_PRECISION_F32);
        CHECK_OK(&f.ctx, explain(&f, (lm_text){"cat sat", 7}, &options, &out));
        CHECK(out.count >= 2 && out.words[0].value != 0); /* it adds up, or it were an error */
        tear_down(&f);
    }
}

/* An embedding that is cut: what the head does not read has no gradient. */
static void
test_cut(void)
{
    const lm_explain_options options = {.label = 1};
    explained out;
    fixture f;

    set_up(&f, "bert-st6-lists", true, lm_kernels_active(), LM_PRECISION_F32);
    lm_model_set_dimensions(&f.loaded.model, 5);
    put_head(&f);
    CHECK_EQ_INT(f.head.width, 5);
    CHECK_OK(&f.ctx, explain(&f, (lm_text){"the cat sat", 11}, &options, &out));
    CHECK_NEAR(sum_of(&out), score_of(&f, "the cat sat", 1) - score_of(&f, "[PAD][PAD][PAD]", 1),
               3e-3);
    tear_down(&f);
}

/* ---- Leaving words out ---- */

static void
test_spaces(void)
{
    static const struct {
        const char *text;
        const char *without[3];
    } rows[] = {
        {"the cat sat", {"cat sat", "the sat", "the cat"}},
        {"the\ncat\t sat", {"cat\t sat", "the\t sat", "the\ncat\t"}},
        {"a,b", {",b", "ab", "a,"}},
        {" the cat sat", {" cat sat", " the sat", " the cat"}},
    };
    const lm_explain_options options = {.method = LM_EXPLAIN_LEAVE_OUT, .label = 0};
    explained out;
    fixture f;

    set_up(&f, "bert-sequence", true, lm_kernels_active(), LM_PRECISION_F32);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const double whole = score_of(&f, rows[i].text, 0);

        CHECK_OK(&f.ctx,
                 explain(&f, (lm_text){rows[i].text, strlen(rows[i].text)}, &options, &out));
        CHECK_EQ_INT(out.count, 3);
        for (size_t j = 0; j < out.count; j++)
            CHECK_NEAR(out.words[j].value, whole - score_of(&f, rows[i].without[j], 0), 1e-6);
    }
    CHECK_OK(&f.ctx, explain(&f, (lm_text){"cat", 3}, &options, &out));
    CHECK_NEAR(out.words[0].value, score_of(&f, "cat", 0) - score_of(&f, "", 0), 1e-6);
    CHECK_OK(&f.ctx, explain(&f, (lm_text){"", 0}, &options, &out));
    CHECK_EQ_INT(out.count, 0);
    tear_down(&f);
}

typedef struct counted {
    size_t words, texts;
} counted;

static lm_status
count_words(void *opaque, size_t text, const lm_attribution *words, size_t count)
{
    ((counted *)opaque)->words += count;
    ((counted *)opaque)->texts++;
    return LM_OK;
}

static lm_status
refuse(void *opaque, size_t text, const lm_attribution *words, size_t count)
{
    return LM_NO_MEMORY;
}

/* More words than are computed together, and more bytes. */
static void
test_blocks(void)
{
    const lm_explain_options options = {.method = LM_EXPLAIN_LEAVE_OUT};
    const lm_embed_options mean = {.on_long = LM_LONG_MEAN}, cut = {.on_long = LM_LONG_TRUNCATE};
    enum { WORDS = 70, LONG = 1200000 };
    char *words = calloc(1, WORDS * 2 + 1), *spaces = malloc(LONG);
    lm_text texts[2];
    counted out = {0, 0};
    lm_embed_counts counts = {0};
    fixture f;

    for (int i = 0; i < WORDS; i++)
        memcpy(words + 2 * i, "a ", 2);
    memset(spaces, ' ', LONG);
    memcpy(spaces, "a b", 3);
    texts[0] = (lm_text){words, WORDS * 2};
    texts[1] = (lm_text){spaces, LONG};
    set_up(&f, "bert-sequence", true, lm_kernels_active(), LM_PRECISION_F32);
    CHECK_OK(&f.ctx, lm_explain(&f.ctx, f.session, f.model, texts, 1, &mean, &options, count_words,
                                &out, &counts));
    CHECK_EQ_INT(out.words, WORDS);
    CHECK_EQ_INT(counts.texts, 1);
    CHECK_EQ_INT(counts.truncated, 1);
    CHECK_OK(&f.ctx, lm_explain(&f.ctx, f.session, f.model, texts + 1, 1, &cut, &options,
                                count_words, &out, NULL));
    CHECK_EQ_INT(out.words, WORDS + 2);
    CHECK_EQ_INT(
        lm_explain(&f.ctx, f.session, f.model, texts, 2, &cut, &options, refuse, &out, NULL),
        LM_NO_MEMORY);
    tear_down(&f);
    free(words), free(spaces);
}

/* ---- What is refused ---- */

static void
refused(const char *folder, bool headed, lm_precision precision, const lm_explain_options *options,
        lm_status wanted, const char *part)
{
    explained out;
    fixture f;

    set_up(&f, folder, headed, lm_kernels_active(), precision);
    CHECK_EQ_INT(explain(&f, (lm_text){"the cat", 7}, options, &out), wanted);
    if (!strstr(f.ctx.error.message, part) && !strstr(f.ctx.error.found, part))
        UNIT_FAIL("%s: %s (%s)", folder, f.ctx.error.message, f.ctx.error.found);
    tear_down(&f);
}

static void
test_refusals(void)
{
    const lm_explain_options plain = {.label = -1};
    const lm_explain_options left_out = {.method = LM_EXPLAIN_LEAVE_OUT, .label = -1};
    const lm_explain_options label = {.label = 3}, few = {.steps = -1}, many = {.steps = 1025};
    const lm_explain_options zero = {.baseline = LM_BASELINE_ZERO};
    const lm_precision f32 = LM_PRECISION_F32;

    refused("longformer-sequence", true, f32, &left_out, LM_OK, "");
    refused("longformer-sequence", true, f32, &plain, LM_UNSUPPORTED, "tokens that see all");
    refused("bert-sequence", true, LM_PRECISION_INT8, &plain, LM_UNSUPPORTED, "int8");
    refused("bert-sequence", true, LM_PRECISION_INT8, &left_out, LM_OK, "");
    refused("static-st-folder", false, f32, &plain, LM_UNSUPPORTED, "layers");
    refused("static-st-folder", false, f32, &left_out, LM_OK, "");
    refused("bert-st6-lists", true, f32, &plain, LM_UNSUPPORTED, "head");
    refused("bert-sequence", true, f32, &label, LM_BAD_ARGUMENT, "label");
    refused("bert-sequence", true, f32, &few, LM_BAD_ARGUMENT, "steps");
    refused("bert-sequence", true, f32, &many, LM_BAD_ARGUMENT, "steps");
    refused("gemma3", false, f32, &zero, LM_UNSUPPORTED, "add up"); /* a norm's corner at zero */
}

/* Another name for a token, of the same length, wherever the folder has it. */
static void
rename_token(golden_folder *folder, const char *name, const char *other)
{
    for (int i = 0; i < folder->files.count; i++) {
        char *data = (char *)(uintptr_t)folder->files.files[i].data, *at = data;

        while (strstr(folder->files.files[i].name, ".json") && (at = strstr(at, name)) != NULL)
            memcpy(at, other, strlen(other));
    }
}

/* A vocabulary without the tokens: zeros by default, an error where one is asked for. */
static void
test_no_baseline(void)
{
    lm_explain_options options = {.label = 1, .steps = 4};
    explained zeros, out;
    fixture f;

    memset(&f, 0, sizeof f);
    fake_context(&f.ctx, &f.memory);
    golden_open(&f.ctx, "bert-sequence", &f.folder);
    rename_token(&f.folder, "[MASK]", "[MUSK]");
    rename_token(&f.folder, "[PAD]", "[PUD]");
    CHECK_OK(&f.ctx, loaded_open(&f.ctx, &f.folder.source, lm_kernels_active(), &f.loaded));
    f.model = &f.loaded.model;
    CHECK_OK(&f.ctx, lm_session_create(&f.ctx, &f.session));
    CHECK_OK(&f.ctx, explain(&f, (lm_text){"cat", 3}, &options, &out));
    options.baseline = LM_BASELINE_ZERO;
    CHECK_OK(&f.ctx, explain(&f, (lm_text){"cat", 3}, &options, &zeros));
    CHECK(memcmp(&out.words, &zeros.words, sizeof out.words) == 0);
    for (options.baseline = LM_BASELINE_PAD; options.baseline <= LM_BASELINE_MASK;
         options.baseline++)
        CHECK_EQ_INT(explain(&f, (lm_text){"cat", 3}, &options, &out), LM_BAD_ARGUMENT);
    CHECK_STR(f.ctx.error.found, "mask");
    tear_down(&f);
}

/* Of several windows: each token's share along one path of all, whose vectors are joined as
 * lm_classify joins them. */
static void
check_windows(const lm_json *each, int32_t steps)
{
    const lm_json *tokens = lm_json_get(each, "tokens");
    const lm_embed_options options = {.on_long = LM_LONG_MEAN};
    const lm_explain_options gradients = {.label = (int32_t)lm_json_get(each, "label")->as.number,
                                          .steps = steps};
    const lm_text text = text_of(lm_json_get(each, "text"));
    lm_embed_counts counts = {0};
    explained out = {.count = 0};
    fixture f;

    set_up(&f, lm_json_get(each, "folder")->as.string.bytes, lm_json_get(each, "headed")->boolean,
           lm_kernels_active(), LM_PRECISION_F32);
    CHECK_OK(&f.ctx, lm_explain(&f.ctx, f.session, f.model, &text, 1, &options, &gradients, keep,
                                &out, &counts));
    CHECK(out.count > 1);
    for (size_t i = 0; i < out.count; i++)
        CHECK_NEAR(out.words[i].value, tokens_sum(tokens, &out.words[i]), 1e-4);
    CHECK_NEAR(sum_of(&out), lm_json_get(each, "difference")->as.number, 1e-2);
    tear_down(&f);
}

static void
test_windows(void)
{
    recorded r;

    open_recorded(&r);
    for (const lm_json *each = lm_json_get(r.root, "windows")->as.items.first; each;
         each = each->next)
        check_windows(each, (int32_t)lm_json_get(r.root, "steps")->as.number);
    golden_close(&r.file);
}

/* A score that jumps is no sum of a few gradients; a number of steps is taken as it is. */
static void
test_jumps(void)
{
    lm_explain_options options = {.label = 1};
    explained out;
    fixture f;

    set_up(&f, "bert-st6-lists", false, lm_kernels_active(), LM_PRECISION_F32);
    for (int i = 0; i < LABELS * f.head.width; i++)
        f.weights[i] *= 1e7f;
    options.label = lm_classify_best((const float[]){(float)score_of(&f, "the cat", 0),
                                                     (float)score_of(&f, "the cat", 1),
                                                     (float)score_of(&f, "the cat", 2)},
                                     LABELS);
    for (int i = 0; i < LABELS; i++) /* the baseline's label is another */
        f.weights[LABELS * f.head.width + i] = 0;
    if (explain(&f, (lm_text){"the cat", 7}, &options, &out) != LM_UNSUPPORTED)
        CHECK_NEAR(sum_of(&out),
                   score_of(&f, "the cat", options.label) -
                       score_of(&f, "[PAD][PAD]", options.label),
                   3e-3);
    options.steps = 2;
    CHECK_OK(&f.ctx, explain(&f, (lm_text){"the cat", 7}, &options, &out));
    tear_down(&f);
}

static void
test_not_finite(void)
{
    const lm_explain_options options = {.label = 1};
    explained out;
    fixture f;

    set_up(&f, "bert-st6-lists", false, lm_kernels_active(), LM_PRECISION_F32);
    f.head.scoring = LM_SCORING_RAW;
    f.weights[f.head.width] = INFINITY;
    CHECK_EQ_INT(explain(&f, (lm_text){"the cat", 7}, &options, &out), LM_BAD_MODEL);
    tear_down(&f);
}

/* ---- Faults ---- */

/* A session of its own, so that all it holds is allocated anew. */
static lm_status
explain_afresh(fixture *f, lm_text text, const lm_embed_options *embed,
               const lm_explain_options *options)
{
    counted out = {0, 0};
    lm_session *session = NULL;
    lm_status status = lm_session_create(&f->ctx, &session);

    if (status == LM_OK)
        status = lm_explain(&f->ctx, session, f->model, &text, 1, embed, options, count_words, &out,
                            NULL);
    lm_session_free(session);
    CHECK_EQ_INT(out.texts, status == LM_OK);
    return status;
}

/* Each allocation fails once, and each poll cancels. */
static void
starve(fixture *f, lm_text text, lm_on_long on_long, const lm_explain_options *options)
{
    const lm_embed_options embed = {.on_long = on_long};
    int calls, polls;

    f->memory.calls = f->memory.polls = 0;
    CHECK_OK(&f->ctx, explain_afresh(f, text, &embed, options));
    calls = f->memory.calls, polls = f->memory.polls;
    CHECK(calls > 0 && polls > 4);
    for (int at = 1; at <= calls; at++) {
        f->memory.calls = 0, f->memory.fail_at = at;
        CHECK_EQ_INT(explain_afresh(f, text, &embed, options), LM_NO_MEMORY);
    }
    f->memory.fail_at = 0;
    for (int at = 1; at <= polls; at += 1 + polls / 400) {
        f->memory.polls = 0, f->memory.stop_at = at;
        CHECK_EQ_INT(explain_afresh(f, text, &embed, options), LM_CANCELLED);
    }
    f->memory.stop_at = 0;
}

static void
test_faults(void)
{
    static const struct {
        const char *folder;
        bool headed;
        lm_explain_options options;
    } rows[] = {
        {"albert-sequence", true, {.label = -1, .steps = 1}},
        {"albert-sequence", true, {.label = -1}},
        {"modernbert-sequence", true, {.label = -1, .steps = 1}},
        {"roformer-sequence", true, {.label = -1, .steps = 1}},
        {"t5-st6", false, {.label = 0, .steps = 1}},
        {"bert-st6-steps", false, {.label = 0, .steps = 1}},
        {"bert-st5-prompt", false, {.label = 0, .steps = 1}},
        {"mobilebert-sequence", true, {.label = -1, .steps = 1}},
        {"eurobert-sequence", true, {.label = -1, .steps = 1}},
        {"bert-layers", false, {.label = 0, .steps = 1}},
        {"bert-sequence", true, {.method = LM_EXPLAIN_LEAVE_OUT, .label = -1}},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        fixture f;

        set_up(&f, rows[i].folder, rows[i].headed, lm_kernels_active(), LM_PRECISION_F32);
        starve(&f, (lm_text){"the cat", 7}, LM_LONG_TRUNCATE, &rows[i].options);
        tear_down(&f);
    }
}

/* Lists of a long text are blocks of their own; a model without layers has them soon. */
static void
test_long_lists(void)
{
    const lm_explain_options options = {.method = LM_EXPLAIN_LEAVE_OUT, .label = 0};
    enum { WORDS = 600 };
    char words[2 * WORDS];
    fixture f;

    for (int i = 0; i < WORDS; i++)
        memcpy(words + 2 * i, "a ", 2);
    set_up(&f, "static-st-folder", false, lm_kernels_active(), LM_PRECISION_F32);
    starve(&f, (lm_text){words, sizeof words}, LM_LONG_MEAN, &options);
    tear_down(&f);
}

/* Points go through in batches of any size, with about the same numbers. */
static void
test_batches(void)
{
    static const size_t sizes[] = {1, 20, 4000};
    const lm_explain_options options = {.label = 0, .steps = 9};
    const lm_text text = {"the cat sat", 11};
    explained first;
    fixture f;

    set_up(&f, "bert-sequence", true, lm_kernels_active(), LM_PRECISION_F32);
    CHECK_OK(&f.ctx, explain(&f, text, &options, &first));
    for (int i = 0; i < 3; i++) {
        const lm_embed_options embed = {.batch_tokens = sizes[i]};
        explained out = {.count = 0};

        CHECK_OK(&f.ctx, lm_explain(&f.ctx, f.session, f.model, &text, 1, &embed, &options, keep,
                                    &out, NULL));
        for (size_t j = 0; j < first.count; j++)
            CHECK_NEAR(out.words[j].value, first.words[j].value, 1e-5);
    }
    tear_down(&f);
}

/* Images of every level and of both precisions are unpacked to the same model. */
static void
test_levels(void)
{
    static const char *const folders[] = {"bert-sequence", "modernbert-sequence",
                                          "roformer-sequence"};
    const lm_explain_options options = {.label = 1, .steps = 8};
    const lm_text text = {"the cat sat", 11};

    for (int i = 0; i < 3; i++)
        for (int p = LM_PRECISION_F32; p <= LM_PRECISION_BF16; p++) {
            explained first = {.count = 0}, out;

            for (int level = 0; level < LM_LEVEL_COUNT && lm_kernels_at((lm_level)level); level++) {
                fixture f;

                set_up(&f, folders[i], true, lm_kernels_at((lm_level)level), (lm_precision)p);
                CHECK_OK(&f.ctx, explain(&f, text, &options, level == 0 ? &first : &out));
                for (size_t j = 0; level > 0 && j < first.count; j++)
                    CHECK_NEAR(out.words[j].value, first.words[j].value, 2e-5);
                tear_down(&f);
            }
            CHECK_EQ_INT(first.count, 3);
        }
}

/* ---- Nodes ---- */

/* Exact for polynomials below twice the count. */
static void
test_nodes(void)
{
    double nodes[LM_EXPLAIN_MOST_STEPS], weights[LM_EXPLAIN_MOST_STEPS];

    for (size_t count = 1; count <= LM_EXPLAIN_MOST_STEPS; count *= 2)
        for (int power = 0; power < 2 * (int)count && power < 9; power++) {
            double sum = 0;

            lm_gauss_legendre(count, nodes, weights);
            for (size_t i = 0; i < count; i++)
                sum += weights[i] * pow(nodes[i], power);
            CHECK_NEAR(sum, 1.0 / (power + 1), 1e-12);
        }
}

static const unit_case cases[] = {
    {"shares of words are the reference's", test_reference},
    {"shares add up to the score's difference", test_sums},
    {"zeros for a baseline", test_zeros},
    {"embeddings that are cut", test_cut},
    {"a word goes with a space", test_spaces},
    {"blocks of words", test_blocks},
    {"what is refused", test_refusals},
    {"no token for a baseline", test_no_baseline},
    {"several windows", test_windows},
    {"scores that jump", test_jumps},
    {"scores that are not finite", test_not_finite},
    {"shortage of memory and cancels", test_faults},
    {"shortage of memory in long lists", test_long_lists},
    {"batches of any size", test_batches},
    {"the same at every level", test_levels},
    {"nodes integrate polynomials", test_nodes},
};

UNIT_MAIN(cases)
