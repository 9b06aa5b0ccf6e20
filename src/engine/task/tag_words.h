/*
 * tag_words.h - tags of words that are cut already: the words become a text, and a word has the
 * label of its first token, as word_ids of the reference's tokenizers has them.
 */
#ifndef LM_TAG_WORDS_H
#define LM_TAG_WORDS_H

#include "base/buffer.h"
#include "task/tag.h"

/*
 * The words with a space between them, behind what `text` has, and in `stops` (count) the character
 * of it that each ends before. Polls.
 */
lm_status lm_tag_words_join(lm_buffer *text, const lm_text *words, size_t count, int32_t *stops);

/*
 * The label of each word's first token into labels (count), from the tags of that text; −1: the
 * word has no token. The space before a word is its own: some tokenizers make a token of it.
 */
void lm_tag_words_labels(const lm_tag *tags, size_t tag_count, const int32_t *stops, size_t count,
                         int32_t *labels);

#endif
