/*
 * normalize.c - lmtext.normalize_text: a text made even (token/text_form.h).
 */
#include "postgres.h"

#include "token/text_form.h"
#include "pg/glue/glue.h"
#include "pg/glue/options.h"

PG_FUNCTION_INFO_V1(lmtext_normalize_text);

typedef struct form_options {
    char *form;
    bool html, accents, controls, whitespace;
} form_options;

static const lm_option option_table[] = {
    LM_OPTION(form_options, form, TEXT, 0, 0, "\"nfc\", \"nfd\", \"nfkc\", \"nfkd\" or \"none\""),
    LM_OPTION(form_options, html, BOOL, 0, 0, "true or false"),
    LM_OPTION(form_options, accents, BOOL, 0, 0, "true or false"),
    LM_OPTION(form_options, controls, BOOL, 0, 0, "true or false"),
    LM_OPTION(form_options, whitespace, BOOL, 0, 0, "true or false"),
};

static lm_text_form
read_form(Jsonb *json)
{
    form_options options = {.form = "nfc"};
    lm_text_form form;

    lmtext_options_read(json, &(lmtext_option_set){option_table, lengthof(option_table), &options},
                        1);
    form = (lm_text_form){lm_normal_form_find(options.form), options.html, options.accents,
                          options.controls, options.whitespace};
    if (form.form == LM_FORM_COUNT)
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                        errmsg("invalid value for form: \"%s\"", lmtext_clip(options.form)),
                        errhint("Allowed values: nfc, nfd, nfkc, nfkd, none.")));
    return form;
}

/* normalize_text(text, options) */
Datum
lmtext_normalize_text(PG_FUNCTION_ARGS)
{
    const lm_text_form form = read_form(PG_GETARG_JSONB_P(1));
    const lm_text source = lmtext_utf8_from_text(PG_GETARG_TEXT_PP(0));
    lmtext_call call;
    lm_buffer made;

    lmtext_call_init(&call, CurrentMemoryContext);
    lm_buffer_init(&made, &call.ctx);
    lmtext_check(&call, lm_text_form_make(&made, &form, source), NULL);
    PG_RETURN_TEXT_P(lmtext_text_from_utf8(made.size > 0 ? made.data : "", made.size));
}
