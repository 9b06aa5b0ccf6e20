/*
 * cross_entropy.h - how many nats a language model needs for a token.
 */
#ifndef LM_CROSS_ENTROPY_H
#define LM_CROSS_ENTROPY_H

#include "metrics/metrics.h"

/* Columns log_probability of a text, natural, and the number of its tokens. */
extern const lm_metric_counts lm_token_losses;

/* The mean negative log probability of a token; undefined where there is no token. */
lm_status lm_cross_entropy_result(void *counts, const lm_metric_value *settings, double *value);
/* e to the power of it: between how many tokens the model wavers. */
lm_status lm_perplexity_result(void *counts, const lm_metric_value *settings, double *value);

#endif
