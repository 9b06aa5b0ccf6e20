/*
 * label_tree.h - labels as leaves of a binary tree whose nodes each say how likely their left side
 * is: hierarchical softmax (Morin and Bengio 2005). Learning a row takes the nodes above its label
 * alone, few above frequent labels (Huffman 1952).
 *
 * A tree of C labels has C − 1 nodes, of which the last is the root; tree (C − 1, 2) has the
 * children of each, left and right: a label, or C + a node with a smaller number.
 */
#ifndef LM_LABEL_TREE_H
#define LM_LABEL_TREE_H

#include "base/context.h"

/* Fill `tree` for at least two labels that occur so often. Polls cancel. */
lm_status lm_label_tree_build(lm_context *ctx, const uint64_t *counts, size_t labels,
                              uint32_t *tree);
/* Whether each label and each node but the root is a child once, and of a later node. */
lm_status lm_label_tree_check(lm_context *ctx, const uint32_t *tree, size_t labels, bool *sound);
/*
 * Logarithms of the labels' shares by numbers (labels − 1) of nodes, of which the sigmoid is the
 * share of the left side; `inner` has room for as many.
 */
void lm_label_tree_spread(const uint32_t *tree, size_t labels, const float *numbers, float *inner,
                          float *shares);

#endif
