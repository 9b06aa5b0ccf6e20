/*
 * html_data.h - the generated table of named character references as base/html.c sees it: names in
 * the order of their bytes, most of them with their semicolon, and one or two scalar values each.
 */
#ifndef LM_HTML_DATA_H
#define LM_HTML_DATA_H

#include <stdint.h>

extern const unsigned lm_html_count;
extern const char lm_html_names[];
extern const uint16_t lm_html_name_at[];
extern const uint32_t lm_html_values[][2]; /* the second is 0 where there is one */

#endif
