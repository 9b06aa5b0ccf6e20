/*
 * test_finetune_written.c - the model that is written has the scores of the training; a CRF's
 * version has its tags.
 */
#include "finetune_case.h"
#include "task/tag.h"

static void
compare_scores(trained *t, const lm_train_outcome *outcome, const lm_json *each)
{
    const lm_json *text = lm_json_get(each, "texts")->as.items.first;
    const lm_embed_options options = {.on_long = LM_LONG_TRUNCATE};
    fake_source files = {.count = 0};
    const lm_source source = fake_open(&files);
    lm_session *session;
    loaded_model loaded;

    for (int i = 0; i < outcome->file_count; i++)
        fake_add_bytes(&files, outcome->files[i].name, outcome->files[i].bytes.data,
                       outcome->files[i].bytes.size);
    CHECK_OK(t->ctx, loaded_open(t->ctx, &source, lm_kernels_active(), &loaded));
    CHECK_OK(t->ctx, lm_session_create(t->ctx, &session));
    CHECK_STR(loaded.info.task, "classification");
    CHECK_EQ_INT(loaded.info.label_count, t->name_count);
    for (size_t row = 0; text; text = text->next, row++) {
        const lm_text body = {text->as.string.bytes, text->as.string.length};
        float scores[8], own[8];

        own_scores(t, row, own);
        CHECK_OK(t->ctx,
                 lm_classify(t->ctx, session, &loaded.model, &body, 1, &options, scores, NULL));
        for (size_t i = 0; i < t->name_count; i++)
            CHECK_NEAR((double)scores[i], (double)own[i], 1e-5);
    }
    lm_session_free(session);
    loaded_close(t->ctx, &loaded);
}

static void
test_written(void)
{
    const lm_tuned_settings settings = plain_settings();
    lm_context ctx;
    recorded r;

    lm_context_init(&ctx);
    open_recorded(&r, &ctx);
    for (const lm_json *each = lm_json_get(r.root, "cases")->as.items.first;
         each && !is_tagging(each); each = each->next) {
        lm_train_outcome outcome = {.file_count = 0};
        curve c = {.count = 0};
        trained t;

        CHECK_OK(&ctx, start_case(&t, &ctx, each, &settings));
        CHECK_OK(&ctx, run_steps(&t, &c));
        CHECK_OK(&ctx, lm_tuned_write(t.tuned, &outcome));
        compare_scores(&t, &outcome, each);
        free_files(&outcome);
        close_trained(&t);
    }
    lm_arena_free(&r.file.arena);
}

/* ---- Tags of a CRF ---- */

/* A text's tags. */
typedef struct tags_kept {
    lm_tag items[MOST_TOKENS];
    size_t count;
} tags_kept;

static lm_status
keep_tags(void *opaque, size_t text, const lm_tag *tags, size_t count)
{
    tags_kept *kept = opaque;

    CHECK(count <= MOST_TOKENS);
    kept->count = count;
    memcpy(kept->items, tags, count * sizeof *tags);
    return LM_OK;
}

/* Of one text there are many, of one none. */
static lm_status
count_tags(void *opaque, size_t text, const lm_tag *tags, size_t count)
{
    CHECK(text == 1 ? count == 0 : count > 0);
    return LM_OK;
}

/* Whether a token is not the first of its word. */
static bool
is_inside(const lm_tag *tag, const char *body)
{
    return tag->start > 0 && body[tag->start] != ' ' && body[tag->start - 1] != ' ';
}

/* Tags of words are those of the training, and a word's other tokens have B- as I-. */
static void
compare_tags(const trained *t, const tags_kept *kept, const char *body)
{
    size_t word = 0;

    for (size_t i = 0; i < kept->count; i++) {
        const char *tag = t->names[kept->items[i].label];
        const char *of_word;

        word += !is_inside(&kept->items[i], body);
        of_word = t->names[t->tuned->found[word - 1]];
        if (is_inside(&kept->items[i], body) && of_word[0] == 'B') {
            CHECK_EQ_INT(tag[0], 'I');
            CHECK_STR(tag + 1, of_word + 1);
        } else
            CHECK_STR(tag, of_word);
        CHECK(kept->items[i].score > 0 && kept->items[i].score <= 1.00001f);
    }
    CHECK_EQ_INT(word, t->tuned->picked_count);
}

static void
check_tags(trained *t, const loaded_model *loaded, lm_session *session, size_t row,
           const char *body)
{
    const lm_text text = {body, strlen(body)};
    const size_t first = lm_tuned_texts_first(&t->tuned->texts, row) + 1;
    lm_embed_options options = {.on_long = LM_LONG_TRUNCATE};
    lm_measures measures;
    tags_kept kept = {.count = 0};

    for (int choice = LM_TAG_PIECES; choice <= LM_TAG_SPACED; choice++) {
        options.choice = choice;
        CHECK_OK(t->ctx, lm_tag_texts(t->ctx, session, &loaded->model, &text, 1, &options,
                                      keep_tags, &kept, NULL));
        for (size_t i = 0; i < kept.count; i++)
            if (is_inside(&kept.items[i], body))
                t->tuned->labels[first + i] = LM_IGNORED;
        CHECK_OK(t->ctx, t->network.measure(t->tuned, &row, 1, &measures));
        compare_tags(t, &kept, body);
    }
}

/*
 * With a text that has no word, and one of more windows than one: no failing allocation, and no
 * poll that cancels, leaves anything behind.
 */
static void
check_tag_faults(const loaded_model *loaded)
{
    static char longer[400];
    const lm_text texts[] = {{"the cat", 7}, {"", 0}, {longer, 399}};
    const lm_embed_options options = {.on_long = LM_LONG_MEAN};

    for (size_t i = 0; i < 399; i++)
        longer[i] = "the cat "[i % 8];
    for (int polls = 0; polls < 2; polls++) {
        const lm_status wanted = polls ? LM_CANCELLED : LM_NO_MEMORY;
        lm_status status = wanted;

        for (int at = 1; status == wanted && at < 10000; at++) {
            fake_memory memory = {.fail_at = polls ? 0 : at, .stop_at = polls ? at : 0};
            lm_session *session = NULL;
            lm_context ctx;

            fake_context(&ctx, &memory);
            status = lm_session_create(&ctx, &session);
            if (status == LM_OK)
                status = lm_tag_texts(&ctx, session, &loaded->model, texts, 3, &options, count_tags,
                                      NULL, NULL);
            lm_session_free(session);
            CHECK_EQ_INT(memory.live, 0);
        }
        CHECK_EQ_INT(status, LM_OK);
    }
}

/* A CRF's version says what the training says, by Viterbi. */
static void
test_crf_written(void)
{
    const lm_tuned_settings settings = plain_settings();
    lm_context ctx;
    recorded r;
    int cases = 0;

    lm_context_init(&ctx);
    open_recorded(&r, &ctx);
    for (const lm_json *each = lm_json_get(r.root, "cases")->as.items.first; each;
         each = each->next) {
        const lm_json *text = lm_json_get(each, "texts")->as.items.first;
        lm_train_outcome outcome = {.file_count = 0};
        fake_source files = {.count = 0};
        const lm_source source = fake_open(&files);
        lm_session *session;
        loaded_model loaded;
        trained t;

        if (!lm_json_get(each, "crf"))
            continue;
        cases++;
        CHECK_OK(&ctx, start_case(&t, &ctx, each, &settings));
        CHECK_OK(&ctx, lm_tuned_write(t.tuned, &outcome));
        for (int i = 0; i < outcome.file_count; i++)
            fake_add_bytes(&files, outcome.files[i].name, outcome.files[i].bytes.data,
                           outcome.files[i].bytes.size);
        CHECK_OK(&ctx, loaded_open(&ctx, &source, lm_kernels_active(), &loaded));
        CHECK_OK(&ctx, lm_session_create(&ctx, &session));
        for (size_t row = 0; text; text = text->next, row++)
            check_tags(&t, &loaded, session, row, text->as.string.bytes);
        check_tag_faults(&loaded);
        lm_session_free(session);
        loaded_close(&ctx, &loaded);
        free_files(&outcome);
        close_trained(&t);
    }
    CHECK_EQ_INT(cases, 2);
    lm_arena_free(&r.file.arena);
}

static const unit_case cases[] = {
    {"what is written has the training's scores", test_written},
    {"a CRF that is written has the training's tags", test_crf_written},
};

UNIT_MAIN(cases)
