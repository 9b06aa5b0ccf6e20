/*
 * loss.h - losses with their gradients, as torch.nn.functional and sentence-transformers define
 * them. Each adds Σ of its rows' terms / weight to *loss, and sets the gradient of its input (NULL:
 * not wanted); `weight` is what lm_network's comment calls so.
 */
#ifndef LM_OPTIM_LOSS_H
#define LM_OPTIM_LOSS_H

#include "base/context.h"
#include "kernels/kernels.h"

typedef struct lm_cross_entropy_options {
    const float *class_weights; /* (classes), or NULL */
    double label_smoothing;
} lm_cross_entropy_options;

#define LM_IGNORED (-100) /* a target that counts for nothing */

/* The denominator of torch's mean: Σ of the weights of targets that are not ignored. */
double lm_cross_entropy_weight(const lm_cross_entropy_options *options, const int32_t *targets,
                               size_t rows);
/* scores (rows, classes); dscores may be scores. */
lm_status lm_cross_entropy_loss(lm_context *ctx, const lm_kernels *kernels,
                                const lm_cross_entropy_options *options, size_t rows,
                                size_t classes, const float *scores, const int32_t *targets,
                                double weight, double *loss, float *dscores);
/* Of logits against 0 … 1, by element; the mean is over rows · columns. */
void lm_binary_cross_entropy_loss(size_t count, const float *scores, const float *targets,
                                  double weight, double *loss, float *dscores);
void lm_squared_loss(size_t count, const float *values, const float *targets, double weight,
                     double *loss, float *dvalues);
/* KL(softmax(teacher / T) ‖ softmax(scores / T)) · T², summed by row. */
lm_status lm_distillation_loss(lm_context *ctx, const lm_kernels *kernels, size_t rows,
                               size_t classes, double temperature, const float *scores,
                               const float *teacher, double weight, double *loss, float *dscores);
/* CosineSimilarityLoss: (cos(a, b) − target)² by row of `width`. */
void lm_cosine_loss(size_t rows, size_t width, const float *a, const float *b, const float *targets,
                    double weight, double *loss, float *da, float *db);
/* TripletLoss by Euclidean distance: max(0, |a − p| − |a − n| + margin). */
void lm_triplet_loss(size_t rows, size_t width, double margin, const float *anchor,
                     const float *positive, const float *negative, double weight, double *loss,
                     float *danchor, float *dpositive, float *dnegative);
/*
 * MultipleNegativesRankingLoss: cross-entropy of scale · cos(anchor i, candidate j) with target i.
 * candidates (candidates, width) are the positives, then any further negatives. Allocates
 * (anchors, candidates) from the context.
 */
lm_status lm_ranking_loss(lm_context *ctx, const lm_kernels *kernels, size_t anchors,
                          size_t candidates, size_t width, double scale, const float *a,
                          const float *b, double weight, double *loss, float *da, float *db);

#endif
