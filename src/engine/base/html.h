/*
 * html.h - character references of HTML (&amp; &#169; &eacute) become what they stand for, as
 * Python's html.unescape has it: by the rules of the WHATWG, which also know names without a
 * semicolon and numbers of Windows-1252.
 */
#ifndef LM_HTML_H
#define LM_HTML_H

#include "base/buffer.h"

/* Append valid UTF-8 without references and U+0000. Polls. */
lm_status lm_html_unescape(lm_buffer *to, const char *text, size_t length);

#endif
