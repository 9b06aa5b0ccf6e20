/*
 * container.h - a way in which a model's files lie together (private to format/). A new one is a
 * file with a row, and that row's line in containers.c.
 */
#ifndef LM_CONTAINER_H
#define LM_CONTAINER_H

#include "format/checkpoint.h"
#include "format/reader.h"

/* A list of files under construction. */
#define LM_NAME_LIMIT 120 /* more than the settings files that one model can have */

typedef struct lm_name_list {
    const char *settings[LM_NAME_LIMIT];
    size_t setting_count;
    const char *const *weights;
    size_t weight_count;
    const char
        *steps[LM_SIDE_COUNT * LM_MODULE_LIMIT]; /* weights of modules, before the encoder's */
    size_t step_count;
    bool quantized; /* LM_QUANTIZED_FILE is there */
} lm_name_list;

typedef struct lm_container {
    const char *name;
    /* Whether the source is one of these, by the names of files alone; NULL: any is. */
    lm_status (*probe)(lm_reader *r, bool *found);
    /* Files in the order in which open reads them. */
    lm_status (*list)(lm_reader *r, lm_name_list *list);
    lm_status (*open)(lm_reader *r, lm_checkpoint *checkpoint);
} lm_container;

extern const lm_container lm_hf_folder, lm_other_folder, lm_own_folder;

/*
 * Add a settings file, or, unless it is required, leave it out where it is missing. A file that is
 * there already, since ways of a model share it, is not added again; nor by the others.
 */
lm_status lm_name_list_add(const lm_reader *r, lm_name_list *list, const char *name, bool required);

/* Add the weights of a module, and of an encoder. */
void lm_name_list_step(lm_name_list *list, const char *name);
lm_status lm_name_list_weights(const lm_reader *r, lm_name_list *list, const char *const *names,
                               size_t count);

/* LM_NO_FILE naming it. */
lm_status lm_name_missing(const lm_reader *r, const char *name);

#endif
