/*
 * classification.h - counts of (actual, predicted) pairs of labels and what follows from them:
 * accuracy, precision, recall and F1 per label, and their micro, macro and weighted means, as
 * scikit-learn defines them (a quotient with denominator 0 is 0).
 */
#ifndef LM_CLASSIFICATION_H
#define LM_CLASSIFICATION_H

#include "base/context.h"

typedef struct lm_confusion lm_confusion;

lm_status lm_confusion_create(lm_context *ctx, lm_confusion **confusion);
void lm_confusion_free(lm_confusion *confusion); /* may be NULL */
/* Count one pair; labels are bytes of any length. */
lm_status lm_confusion_add(lm_confusion *confusion, const char *actual, size_t actual_length,
                           const char *predicted, size_t predicted_length, uint64_t count);
lm_status lm_confusion_merge(lm_confusion *into, const lm_confusion *from);

typedef struct lm_label_score {
    const char *label;
    size_t length;
    double precision, recall, f1;
    uint64_t support; /* rows whose actual label it is */
} lm_label_score;

typedef struct lm_average {
    double precision, recall, f1;
    uint64_t support;
} lm_average;

double lm_confusion_accuracy(const lm_confusion *confusion);
uint64_t lm_confusion_total(const lm_confusion *confusion);
/* Scores of every label seen, sorted by bytes; allocated from the context, strings inside
 * confusion. */
lm_status lm_confusion_scores(lm_confusion *confusion, lm_label_score **scores, size_t *count);
void lm_confusion_averages(const lm_confusion *confusion, const lm_label_score *scores,
                           size_t count, lm_average *micro, lm_average *macro,
                           lm_average *weighted);
/* Visit every pair that was counted, in the order of (actual, predicted) labels. */
lm_status lm_confusion_visit(lm_confusion *confusion,
                             void (*visit)(void *opaque, const char *actual, size_t actual_length,
                                           const char *predicted, size_t predicted_length,
                                           uint64_t count),
                             void *opaque);

#endif
