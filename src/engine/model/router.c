/*
 * router.c - the kind of model whose texts take different ways: a Router. Each way is a model of
 * its own with an image in this one's (model.c); here is what they have in common.
 */
#include <string.h>

#include "model/kinds.h"

static bool
claims(const lm_checkpoint *checkpoint)
{
    return checkpoint->route_count > 0;
}

static lm_status
begin(lm_planner *p)
{
    if (!lm_precisions[p->options->precision].coded)
        return LM_OK;
    lm_raise(p->ctx, LM_UNSUPPORTED, "a model with a Router is not quantized");
    lm_detail_key(p->ctx, "precision");
    lm_detail_found(p->ctx, "%s", lm_precision_name(p->options->precision));
    return lm_detail_allowed(p->ctx, "fp32, bf16");
}

/* How many numbers a vector of the way has; of a sparse one, zeros and all. */
static int
length_of(const lm_model_plan *way)
{
    const lm_weights_plan *weights = way->sections[LM_SECTION_WEIGHTS].state;

    if (strcmp(way->info.task, "sparse") != 0)
        return way->info.dimensions;
    return weights ? ((const lm_dims *)weights->config)->vocab : way->vocabulary;
}

/* Vectors of queries and of documents are compared. */
static lm_status
check_ways(lm_planner *p)
{
    const lm_model_plan *first = p->plan->routes[0];

    for (int i = 1; i < p->plan->checkpoint.route_count; i++) {
        const lm_model_plan *way = p->plan->routes[i];

        if (strcmp(way->info.task, first->info.task) == 0 && length_of(way) == length_of(first))
            continue;
        lm_raise(p->ctx, LM_UNSUPPORTED,
                 "the routes of the model give vectors that do not compare");
        lm_detail_file(p->ctx, "router_config.json");
        lm_detail_key(p->ctx, "structure");
        lm_detail_found(p->ctx, "%s of %d numbers, %s of %d", first->info.task, length_of(first),
                        way->info.task, length_of(way));
        return lm_detail_allowed(p->ctx, "routes of one task and length");
    }
    return LM_OK;
}

/* That of the way that texts take by default, or else documents, or queries. */
static const lm_model_plan *
main_way(const lm_model_plan *plan)
{
    const int *of = plan->checkpoint.route_of;
    const int document = of[LM_SIDE_DOCUMENT] >= 0 ? of[LM_SIDE_DOCUMENT] : of[LM_SIDE_QUERY];

    return plan->routes[of[LM_SIDE_NONE] >= 0 ? of[LM_SIDE_NONE] : document];
}

static lm_status
describe_ways(const lm_planner *p, lm_buffer *details)
{
    static const char *const names[LM_SIDE_COUNT] = {"default", "query", "document"};
    const char *separator = "{\"routes\": {";

    for (int side = 0; side < LM_SIDE_COUNT; side++) {
        const int way = p->plan->checkpoint.route_of[side];

        if (way < 0)
            continue;
        LM_TRY(lm_buffer_printf(details, "%s\"%s\": ", separator, names[side]));
        LM_TRY(lm_buffer_append_string(details, p->plan->routes[way]->info.details));
        separator = ", ";
    }
    return lm_buffer_append_string(details, "}}");
}

/* As its main way; parameters are those of all, the costliest way says what a token costs, and the
 * longest window counts, as in the library. */
static lm_status
describe(lm_planner *p, lm_buffer *details)
{
    lm_model_info *info = &p->plan->info;

    LM_TRY(check_ways(p));
    *info = main_way(p->plan)->info;
    info->parameters = 0;
    for (int i = 0; i < p->plan->checkpoint.route_count; i++) {
        const lm_model_info *way = &p->plan->routes[i]->info;

        info->parameters += way->parameters;
        if (way->flops_per_token > info->flops_per_token)
            info->flops_per_token = way->flops_per_token;
        if (way->max_tokens > info->max_tokens)
            info->max_tokens = way->max_tokens;
        if (way->precision != LM_PRECISION_F32)
            info->precision = way->precision;
    }
    for (int side = 0; side < LM_SIDE_COUNT; side++)
        info->routes[side] = p->plan->checkpoint.route_of[side] + 1;
    p->plan->checkpoint.sentence.normalize = main_way(p->plan)->checkpoint.sentence.normalize;
    p->plan->checkpoint.sentence.splade = main_way(p->plan)->checkpoint.sentence.splade;
    return describe_ways(p, details);
}

const lm_model_kind lm_kind_router = {
    .name = "router",
    .sections = {{&lm_section_settings, NULL}},
    .claims = claims,
    .begin = begin,
    .describe = describe,
};
