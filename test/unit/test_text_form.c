/*
 * test_text_form.c - texts made even: character references of HTML, normal forms, accents, controls
 * and white space, as Python has them.
 */
#include "token/text_form.h"
#include "fake.h"
#include "text_forms.h"
#include "unit.h"

static const char *
make(lm_text_form form, const char *text)
{
    static char made[4096];
    lm_buffer to;
    lm_context ctx;

    lm_context_init(&ctx);
    lm_buffer_init(&to, &ctx);
    CHECK_OK(&ctx, lm_text_form_make(&to, &form, (lm_text){text, strlen(text)}));
    snprintf(made, sizeof made, "%.*s", (int)to.size, to.data ? to.data : "");
    lm_buffer_free(&to);
    return made;
}

static void
test_recorded(void)
{
    for (size_t i = 0; i < sizeof recorded / sizeof recorded[0]; i++)
        CHECK_STR(make(recorded[i].form, recorded[i].text), recorded[i].wanted);
}

static const char *
unescape(const char *text)
{
    return make((lm_text_form){.html = true}, text);
}

static void
test_references(void)
{
    CHECK_STR(unescape("Tom &amp; Jerry &lt;3 &#169; &eacute"), "Tom & Jerry <3 \302\251 \303\251");
    CHECK_STR(unescape("&notit; &notin; &NotEqualTilde;"),
              "\302\254it; \342\210\211 \342\211\202\314\270");
    CHECK_STR(unescape("&#128;&#x8D;&#0;&#55296;&#1114112;&#99999999999999999999;"),
              "\342\202\254\302\215\357\277\275\357\277\275\357\277\275\357\277\275");
    CHECK_STR(unescape("a&#1;b&#xFFFE;c&#11;d&#12;e&#xfdd0;f&#127;g"), "abcd\fefg");
    CHECK_STR(
        unescape(
            "& &# &#x &#; &; &&amp &amp;lt; &unknown; &aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa;"),
        "& &# &#x &#; &; && &lt; &unknown; &aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa;");
    CHECK_STR(unescape("&"), "&");
    CHECK_STR(unescape("&#"), "&#");
    CHECK_STR(unescape("&\303\251;&amp\303\251"), "&\303\251;&\303\251");
    CHECK_STR(unescape("no reference"), "no reference");
}

static void
test_forms(void)
{
    CHECK_STR(make((lm_text_form){.form = LM_FORM_NFC}, "e\314\201"), "\303\251");
    CHECK_STR(make((lm_text_form){.form = LM_FORM_NFKC}, "\357\254\201\302\262"), "fi2");
    CHECK_STR(
        make((lm_text_form){.accents = true}, "Cr\303\250me Br\303\273l\303\251e \355\225\234"),
        "Creme Brulee \355\225\234");
    CHECK_STR(make((lm_text_form){.accents = true}, "\314\201"), "");
    CHECK_STR(make((lm_text_form){.whitespace = true}, " \t a \n\302\240b  "), "a b");
    CHECK_STR(make((lm_text_form){.whitespace = true}, " \t"), "");
    CHECK_STR(make((lm_text_form){.controls = true}, "a\001\t\n\r\177\302\205b"), "a\t\n\rb");
    CHECK_STR(make((lm_text_form){.html = true}, "&#1;"), "");
    CHECK_STR(make((lm_text_form){.form = LM_FORM_NFC}, ""), "");
    CHECK(lm_normal_form_find("nfkd") == LM_FORM_NFKD &&
          lm_normal_form_find("none") == LM_FORM_NONE);
    CHECK(lm_normal_form_find("NFC") == LM_FORM_COUNT);
}

static lm_status
run(fake_memory *memory, lm_text text)
{
    const lm_text_form all = {LM_FORM_NFKC, true, true, true, true};
    lm_buffer to;
    lm_context ctx;
    lm_status status;

    fake_context(&ctx, memory);
    lm_buffer_init(&to, &ctx);
    status = lm_text_form_make(&to, &all, text);
    lm_buffer_free(&to);
    return status;
}

/* A text that is long enough to be asked between its parts. */
static void
test_failures(void)
{
    const size_t length = 300000;
    char *text = malloc(length);
    fake_memory whole = {0};

    for (size_t i = 0; i < length; i++)
        text[i] = "a &amp;b "[i % 9];
    CHECK(run(&whole, (lm_text){text, length}) == LM_OK);
    CHECK(whole.calls > 5 && whole.polls > 20);
    for (int n = 1; n <= whole.calls; n++) {
        fake_memory memory = {.fail_at = n};

        CHECK(run(&memory, (lm_text){text, length}) == LM_NO_MEMORY);
        CHECK_EQ_INT(memory.live, 0);
    }
    for (int n = 1; n <= whole.polls; n += n < whole.polls - 60 ? 4001 : 1) {
        fake_memory memory = {.stop_at = n};

        CHECK(run(&memory, (lm_text){text, length}) == LM_CANCELLED);
        CHECK_EQ_INT(memory.live, 0);
    }
    free(text);
}

static const unit_case cases[] = {
    {"recorded", test_recorded},
    {"references", test_references},
    {"forms", test_forms},
    {"failures", test_failures},
};

UNIT_MAIN(cases)
