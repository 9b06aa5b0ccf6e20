/*
 * net.h - a net as its description says it: a list of layers with their sizes, and its parameters.
 *
 *   [{"embedding": 100}, {"bilstm": 256, "layers": 2, "dropout": 0.5}, {"linear": 4}]
 *
 * A net for texts whose description has no pool gets one before the layers by row at its end:
 * "final" behind a recurrent layer, as torch and Keras take its last state, "mean" elsewhere.
 * The first layer is an embedding or characters. A language model is that, one recurrent layer of
 * one direction or of separate ones, and a softmax over the words, which is put behind them where
 * it is not said; dropout may lie between. Parameters are called <place in the
 * description>.<torch's name>.
 */
#ifndef LM_NET_H
#define LM_NET_H

#include "base/arena.h"
#include "base/buffer.h"
#include "format/json.h"
#include "net/layer.h"

#define LM_NET_LAYERS_MAX 64
#define LM_NET_NUMBERS_MAX ((uint64_t)1 << 31) /* of all parameters */

typedef struct lm_net {
    const lm_layer *layers;
    size_t layer_count;
    const lm_net_param *params; /* named in full */
    size_t param_count;
    size_t vocabulary; /* V: rows of the embedding */
    size_t out;        /* numbers of a row of its output */
    bool by_text;      /* a row a text, not one a token */
    bool characters;   /* it reads the bytes of words, not their numbers */
    size_t crf;        /* its first parameter, where it ends in one; 0: it does not */
    size_t softmax;    /* the same of a language model, whose output is what that reads */
    uint64_t numbers;  /* of all parameters */
    uint64_t flops;    /* that a token costs */
} lm_net;

/* Where a description stands, and what it is for. */
typedef struct lm_net_source {
    const char *file;  /* for messages; NULL: in options */
    lm_status refused; /* LM_BAD_MODEL of a file, LM_BAD_ARGUMENT of options */
    size_t vocabulary;
    bool by_text;
    bool language; /* a language model: each direction sees its own alone; a softmax ends it */
} lm_net_source;

/* Everything that is wrong with a description is named: the layer, its option, what is allowed. */
lm_status lm_net_make(lm_context *ctx, lm_arena *arena, const lm_json *layers,
                      const lm_net_source *source, lm_net *net);
/* Append the description as JSON. */
lm_status lm_net_write(const lm_net *net, lm_buffer *out);

/* Values of a parameter before training, from the seed and the parameter's number. Polls. */
lm_status lm_net_init(lm_context *ctx, const lm_net *net, size_t param, uint64_t seed,
                      float *values);

#endif
