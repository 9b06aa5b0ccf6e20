/*
 * test_token_kinds.c - the list of what tokenizer.json may name: stage by stage, each name once.
 */
#include <string.h>

#include "token/kinds.h"
#include "unit.h"

#define MOST 128

typedef struct kind_list {
    const char *stages[MOST], *names[MOST];
    int count;
} kind_list;

static void
note_kind(void *opaque, const char *stage, const char *name)
{
    kind_list *list = opaque;

    CHECK(list->count < MOST);
    list->stages[list->count] = stage;
    list->names[list->count++] = name;
}

/* How often a stage has a name. */
static int
times(const kind_list *list, const char *stage, const char *name)
{
    int found = 0;

    for (int i = 0; i < list->count; i++)
        found += strcmp(list->stages[i], stage) == 0 && strcmp(list->names[i], name) == 0;
    return found;
}

static void
test_kinds(void)
{
    static const char *const some[][2] = {
        {"normalizer", "Lowercase"},
        {"pre_tokenizer", "BertPreTokenizer"},
        {"model", "WordPiece"},
        {"model", "Unigram"},
        {"post_processor", "TemplateProcessing"},
        {"decoder", "ByteLevel"},
    };
    kind_list list = {.count = 0};
    int turns = 0;

    lm_token_kinds(note_kind, &list);
    for (size_t i = 0; i < sizeof some / sizeof some[0]; i++)
        CHECK_EQ_INT(times(&list, some[i][0], some[i][1]), 1);
    for (int i = 0; i < list.count; i++) {
        CHECK_EQ_INT(times(&list, list.stages[i], list.names[i]), 1);
        turns += i > 0 && strcmp(list.stages[i], list.stages[i - 1]) != 0;
    }
    CHECK_EQ_INT(turns, 4);
    CHECK_EQ_INT(times(&list, "model", "Lowercase"), 0);
}

static const unit_case cases[] = {
    {"kinds", test_kinds},
};

UNIT_MAIN(cases)
