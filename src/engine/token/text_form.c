/*
 * text_form.c - a text made even; the contract is in text_form.h.
 */
#include "token/text_form.h"

#include <string.h>

#include "base/html.h"
#include "base/unicode.h"
#include "token/normalize.h"

static const struct {
    const char *name;
    lm_normalize_op *run;
    lm_normalize_op *open; /* to take accents away: the form that is decomposed */
} forms[LM_FORM_COUNT] = {
    [LM_FORM_NONE] = {"none", NULL, lm_normalize_nfd},
    [LM_FORM_NFC] = {"nfc", lm_normalize_nfc, lm_normalize_nfd},
    [LM_FORM_NFD] = {"nfd", lm_normalize_nfd, lm_normalize_nfd},
    [LM_FORM_NFKC] = {"nfkc", lm_normalize_nfkc, lm_normalize_nfkd},
    [LM_FORM_NFKD] = {"nfkd", lm_normalize_nfkd, lm_normalize_nfkd},
};

lm_normal_form
lm_normal_form_find(const char *name)
{
    int form = 0;

    while (form < LM_FORM_COUNT && strcmp(forms[form].name, name) != 0)
        form++;
    return (lm_normal_form)form;
}

/* Characters, and room for what becomes of them. */
typedef struct characters {
    lm_context *ctx;
    lm_chars now, next;
} characters;

static lm_status
apply(characters *c, lm_normalize_op *run)
{
    const lm_chars before = c->now;

    c->next.count = 0;
    LM_TRY(run(c->ctx, NULL, NULL, &c->now, &c->next));
    c->now = c->next;
    c->next = before;
    return LM_OK;
}

static bool
is_mark(uint32_t c)
{
    return lm_unicode_class(c) != 0;
}

static bool
is_control(uint32_t c)
{
    return (c < 0x20 && c != '\t' && c != '\n' && c != '\r') || (c >= 0x7f && c < 0xa0);
}

static lm_status
drop(characters *c, bool (*goes)(uint32_t c))
{
    size_t kept = 0;

    for (size_t i = 0; i < c->now.count; i++) {
        LM_TRY(lm_poll_step(c->ctx, i));
        if (!goes(c->now.c[i]))
            c->now.c[kept++] = c->now.c[i];
    }
    c->now.count = kept;
    return LM_OK;
}

static lm_status
join_words(characters *c)
{
    size_t kept = 0;
    bool waits = false; /* a space, for the next word */

    for (size_t i = 0; i < c->now.count; i++) {
        LM_TRY(lm_poll_step(c->ctx, i));
        if (lm_is_space(c->now.c[i])) {
            waits = kept > 0;
            continue;
        }
        if (waits)
            c->now.c[kept++] = ' ';
        c->now.c[kept++] = c->now.c[i];
        waits = false;
    }
    c->now.count = kept;
    return LM_OK;
}

static lm_status
change(characters *c, const lm_text_form *form)
{
    lm_normalize_op *const last =
        forms[form->accents && !forms[form->form].run ? LM_FORM_NFC : form->form].run;

    if (form->accents) {
        LM_TRY(apply(c, forms[form->form].open));
        LM_TRY(drop(c, is_mark));
    }
    if (last && c->now.count > 0)
        LM_TRY(apply(c, last));
    if (form->controls)
        LM_TRY(drop(c, is_control));
    return form->whitespace ? join_words(c) : LM_OK;
}

/* `plain` receives the text without references. */
static lm_status
make(characters *c, const lm_text_form *form, lm_text text, lm_buffer *plain, lm_buffer *to)
{
    if (form->html) {
        LM_TRY(lm_html_unescape(plain, text.bytes, text.length));
        text = (lm_text){plain->data, plain->size};
    }
    to->size = 0;
    if (text.length == 0)
        return LM_OK;
    LM_TRY(lm_chars_decode(c->ctx, &c->now, text.bytes, text.length, 0));
    LM_TRY(change(c, form));
    return lm_chars_encode(c->ctx, &c->now, to);
}

lm_status
lm_text_form_make(lm_buffer *to, const lm_text_form *form, lm_text text)
{
    characters c = {.ctx = to->ctx};
    lm_buffer plain;
    lm_status status;

    lm_buffer_init(&plain, to->ctx);
    status = make(&c, form, text, &plain, to);
    lm_buffer_free(&plain);
    lm_free(to->ctx, c.now.c);
    lm_free(to->ctx, c.now.at);
    lm_free(to->ctx, c.next.c);
    lm_free(to->ctx, c.next.at);
    return status;
}
