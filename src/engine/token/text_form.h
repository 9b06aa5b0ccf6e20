/*
 * text_form.h - a text made even: character references, normal form, accents, controls and white
 * space, in this order.
 */
#ifndef LM_TEXT_FORM_H
#define LM_TEXT_FORM_H

#include "base/buffer.h"
#include "base/text.h"

typedef enum lm_normal_form {
    LM_FORM_NONE,
    LM_FORM_NFC,
    LM_FORM_NFD,
    LM_FORM_NFKC,
    LM_FORM_NFKD,
    LM_FORM_COUNT
} lm_normal_form;

typedef struct lm_text_form {
    lm_normal_form form; /* of Unicode 9.0; what came later stays */
    bool html;           /* references become what they stand for (base/html.h) */
    bool accents;        /* marks go that have a combining class; then the form is NFC at least */
    bool controls;       /* Cc go, but tab, line feed and carriage return */
    bool whitespace;     /* runs become a space, none at the ends; as Python's " ".join(split()) */
} lm_text_form;

/* By its name, "nfc", or "none"; LM_FORM_COUNT where it is none of these. */
lm_normal_form lm_normal_form_find(const char *name);

/* What becomes of a text, which is valid UTF-8, in place of what `to` held. Polls. */
lm_status lm_text_form_make(lm_buffer *to, const lm_text_form *form, lm_text text);

#endif
