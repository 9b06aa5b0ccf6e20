/*
 * pointwise.h - the activations that a Dense module of sentence-transformers names: classes of
 * torch.nn that need no arguments and see each number alone. They run once a text, so plain
 * functions do.
 */
#ifndef LM_POINTWISE_H
#define LM_POINTWISE_H

typedef struct lm_pointwise {
    const char *name; /* of the class */
    float (*of)(float x);
    float (*slope)(float x); /* its derivative; at a corner, torch's */
} lm_pointwise;

extern const lm_pointwise lm_pointwises[]; /* ends with a name of NULL */

/* The place of a class in the table, or -1. */
int lm_pointwise_find(const char *name);

#endif
