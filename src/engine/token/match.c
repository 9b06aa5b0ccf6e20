/*
 * match.c - an Aho-Corasick automaton over a double array.
 */
#include "token/match.h"

#include <string.h>

#define ROOT 1u

/* Bytes without a match after which a search pauses; far above the depth of any node. */
#define PAUSE_BYTES ((size_t)1 << 20)

/* Failure links by depth: that of the parent is known, and leads to lesser depths. */
static void
link_nodes(const lm_trie *trie, lm_match_node *nodes)
{
    for (size_t i = 0; i < trie->nodes; i++) {
        uint32_t node = trie->order[i], parent = trie->parents[node], fail, child = 0;
        unsigned char byte;

        nodes[node].value = trie->values[node];
        if (node == ROOT)
            continue;
        byte = (unsigned char)((trie->cells[node] & LM_CELL_LABEL) - 1);
        nodes[node].depth = nodes[parent].depth + 1;
        for (fail = nodes[parent].fail; fail != 0; fail = nodes[fail].fail)
            if ((child = lm_trie_child(trie->cells, fail, byte)) != 0)
                break;
        fail = child != 0 ? child : ROOT;
        nodes[node].fail = fail;
        nodes[node].out = nodes[fail].value >= 0 ? fail : nodes[fail].out;
    }
}

/* What the root does with each byte: lets a search skip what starts no pattern. */
static void
list_first_bytes(const lm_trie *trie, lm_matcher *matcher)
{
    int found = 0;

    matcher->only_first = -1;
    for (int byte = 0; byte < 256; byte++) {
        matcher->first[byte] = lm_trie_child(trie->cells, ROOT, (unsigned char)byte) != 0;
        if (matcher->first[byte]) {
            matcher->only_first = byte;
            found++;
        }
    }
    if (found != 1)
        matcher->only_first = -1;
}

/* No patterns leave an empty matcher, which callers ask about before they search. */
lm_status
lm_matcher_compile(lm_context *ctx, lm_trie_key *keys, size_t count, size_t start, lm_buffer *out,
                   lm_matcher *matcher)
{
    lm_trie trie;
    lm_match_node *nodes = NULL;
    lm_status status;

    memset(matcher, 0, sizeof *matcher);
    if (count == 0)
        return LM_OK;
    matcher->root = ROOT;
    status = lm_trie_build(ctx, keys, count, ROOT, &trie);
    if (status == LM_OK && !(nodes = lm_alloc_zero(ctx, trie.count * sizeof *nodes)))
        status = LM_NO_MEMORY;
    if (status == LM_OK) {
        link_nodes(&trie, nodes);
        list_first_bytes(&trie, matcher);
        status = lm_image_append(out, start, trie.cells, trie.count, sizeof *trie.cells,
                                 &matcher->cells);
    }
    if (status == LM_OK)
        status = lm_image_append(out, start, nodes, trie.count, sizeof *nodes, &matcher->nodes);
    lm_free(ctx, nodes);
    lm_trie_free(&trie);
    return status;
}

/* The first place at or after `from` where a pattern may start. */
static size_t
skip(const lm_matcher *matcher, const char *text, size_t from, size_t length)
{
    if (matcher->only_first >= 0) {
        const char *found = memchr(text + from, matcher->only_first, length - from);

        return found ? (size_t)(found - text) : length;
    }
    while (from < length && !matcher->first[(unsigned char)text[from]])
        from++;
    return from;
}

/* A match stands until no pattern that is still being read could start as early. */
lm_match
lm_matcher_find(const lm_token_image *image, const lm_matcher *matcher, const char *text,
                size_t from, size_t length)
{
    const lm_cell *cells = lm_image_at(image, matcher->cells);
    const lm_match_node *nodes = lm_image_at(image, matcher->nodes);
    size_t pause = length - from > PAUSE_BYTES ? from + PAUSE_BYTES : length;
    lm_match match = {length, length, -1};
    uint32_t node = matcher->root;

    for (size_t at = from; at < length; at++) {
        uint32_t child, end;

        if (node == matcher->root && (at = skip(matcher, text, at, pause)) == length)
            break;
        while ((child = lm_trie_child(cells, node, (unsigned char)text[at])) == 0 &&
               node != matcher->root)
            node = nodes[node].fail;
        node = child != 0 ? child : matcher->root;
        /* What may be the start of a match is read again by the next search. */
        if (match.value < 0 && at >= pause)
            return (lm_match){at + 1 - nodes[node].depth, at + 1 - nodes[node].depth, -1};
        /* Whatever is still to be found starts where this node's text does, or later. */
        if (match.value >= 0 && at + 1 - nodes[node].depth > match.start)
            break;
        end = nodes[node].value >= 0 ? node : nodes[node].out;
        if (end != 0 && (match.value < 0 || at + 1 - nodes[end].depth <= match.start))
            match = (lm_match){at + 1 - nodes[end].depth, at + 1, nodes[end].value};
    }
    return match;
}
