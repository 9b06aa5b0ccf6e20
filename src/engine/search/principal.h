/*
 * principal.h - principal components: the directions in which rows differ most, and where each row
 * lies along them.
 */
#ifndef LM_PRINCIPAL_H
#define LM_PRINCIPAL_H

#include "search/clusters.h"

/*
 * Coordinates (rows, count) of rows less their mean along the first `count` components, as
 * scikit-learn's PCA has them; the component's number that is farthest from 0 is positive. 0 along
 * a component that rows do not have. Polls.
 */
lm_status lm_principal(lm_context *ctx, const lm_vector_rows *vectors, size_t count,
                       double *coordinates);

#endif
