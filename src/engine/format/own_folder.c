/*
 * own_folder.c - the folder of a model that lmtext made itself: one file of settings, one of
 * tensors.
 */
#include "format/container.h"

/* What decides that a folder is Hugging Face's, whatever lies beside it. */
#define OTHER_FILE "config.json"

/* A kind of model that lmtext writes. */
typedef struct own_files {
    lm_known_file settings;
    const char *tensors;
} own_files;

static const own_files kinds[] = {
    {{LM_HEAD_JSON, 16 * LM_MB}, LM_HEAD_TENSORS},
    {{LM_NGRAM_JSON, 64 * LM_KB}, LM_NGRAM_TENSORS},
    {{LM_NGRAM_HEAD_JSON, 16 * LM_MB}, LM_NGRAM_HEAD_TENSORS},
};

#define KIND_COUNT (sizeof kinds / sizeof kinds[0])

static lm_status
probe(lm_reader *r, bool *found)
{
    bool other = false;

    *found = false;
    LM_TRY(lm_reader_exists(r, OTHER_FILE, &other));
    for (size_t i = 0; i < KIND_COUNT && !other; i++) {
        LM_TRY(lm_reader_exists(r, kinds[i].settings.name, found));
        r->row = &kinds[i];
        if (*found)
            break;
    }
    return LM_OK;
}

static lm_status
list_folder(lm_reader *r, lm_name_list *names)
{
    const own_files *kind = r->row;

    names->settings[names->setting_count++] = kind->settings.name;
    return lm_name_list_add(r, names, kind->tensors, true);
}

static lm_status
open_folder(lm_reader *r, lm_checkpoint *checkpoint)
{
    const own_files *kind = r->row;

    checkpoint->settings_file = kind->settings.name;
    LM_TRY(lm_reader_json(r, &kind->settings, true, LM_JSON_OBJECT, &checkpoint->settings));
    return lm_tensors_open_file(r->ctx, r->arena, r->source, kind->tensors, &checkpoint->tensors);
}

const lm_container lm_own_folder = {"lmtext folder", probe, list_folder, open_folder};
