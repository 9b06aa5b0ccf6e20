/*
 * pointwise.c - activations of torch.nn with its default arguments, in double and then rounded, so
 * that they are the same at every level.
 */
#include "nn/pointwise.h"

#include <math.h>
#include <string.h>

#define PI 3.14159265358979323846
#define SELU_ALPHA 1.6732632423543772848170429916717
#define SELU_SCALE 1.0507009873554804934193349852946

/* In evaluation: the mean of its bounds, 1/8 and 1/3. */
#define RRELU_SLOPE ((1.0 / 8 + 1.0 / 3) / 2)

/* Where torch takes x for softplus of x. */
#define SOFTPLUS_LINEAR 20

static float
identity(float x)
{
    return x;
}

static float
relu(float x)
{
    return x > 0 ? x : 0;
}

static float
relu6(float x)
{
    return x > 6 ? 6 : relu(x);
}

static float
leaky_relu(float x)
{
    return x > 0 ? x : (float)(0.01 * (double)x);
}

static float
rrelu(float x)
{
    return x > 0 ? x : (float)(RRELU_SLOPE * (double)x);
}

static float
elu(float x)
{
    return x > 0 ? x : (float)expm1((double)x);
}

static float
selu(float x)
{
    return (float)(SELU_SCALE * (x > 0 ? (double)x : SELU_ALPHA * expm1((double)x)));
}

static float
gelu(float x)
{
    return (float)(0.5 * (double)x * (1 + erf((double)x / sqrt(2.0))));
}

static double
logistic(double x)
{
    return 1 / (1 + exp(-x));
}

static float
sigmoid(float x)
{
    return (float)logistic((double)x);
}

static float
log_sigmoid(float x)
{
    return (float)(fmin((double)x, 0) - log1p(exp(-fabs((double)x))));
}

static float
silu(float x)
{
    return (float)((double)x * logistic((double)x));
}

static double
soft_plus(double x)
{
    return x > SOFTPLUS_LINEAR ? x : log1p(exp(x));
}

static float
softplus(float x)
{
    return (float)soft_plus((double)x);
}

static float
mish(float x)
{
    return (float)((double)x * tanh(soft_plus((double)x)));
}

static float
softsign(float x)
{
    return (float)((double)x / (1 + fabs((double)x)));
}

static float
hyperbolic_tangent(float x)
{
    return (float)tanh((double)x);
}

static float
tanh_shrink(float x)
{
    return (float)((double)x - tanh((double)x));
}

static float
hard_tanh(float x)
{
    return x > 1 ? 1 : x < -1 ? -1 : x;
}

static float
hard_sigmoid(float x)
{
    return (float)fmin(fmax((double)x + 3, 0), 6) / 6;
}

static float
hard_swish(float x)
{
    return (float)((double)x * fmin(fmax((double)x + 3, 0), 6) / 6);
}

static float
hard_shrink(float x)
{
    return x > .5f || x < -.5f ? x : 0;
}

static float
soft_shrink(float x)
{
    return x > .5f ? x - .5f : x < -.5f ? x + .5f : 0;
}

/* ---- Derivatives ---- */

static float
one(float x)
{
    return 1;
}

static float
relu_slope(float x)
{
    return x > 0 ? 1 : 0;
}

static float
relu6_slope(float x)
{
    return x > 0 && x < 6 ? 1 : 0;
}

static float
leaky_relu_slope(float x)
{
    return x > 0 ? 1 : .01f;
}

static float
rrelu_slope(float x)
{
    return x > 0 ? 1 : (float)RRELU_SLOPE;
}

static float
elu_slope(float x)
{
    return x > 0 ? 1 : (float)exp((double)x);
}

static float
selu_slope(float x)
{
    return (float)(SELU_SCALE * (x > 0 ? 1 : SELU_ALPHA * exp((double)x)));
}

static float
gelu_slope(float x)
{
    double density = exp(-(double)x * (double)x / 2) / sqrt(2 * PI);

    return (float)(0.5 * (1 + erf((double)x / sqrt(2.0))) + (double)x * density);
}

static float
sigmoid_slope(float x)
{
    double s = logistic((double)x);

    return (float)(s * (1 - s));
}

static float
log_sigmoid_slope(float x)
{
    return (float)logistic(-(double)x);
}

static float
silu_slope(float x)
{
    double s = logistic((double)x);

    return (float)(s + (double)x * s * (1 - s));
}

static float
softplus_slope(float x)
{
    return x > SOFTPLUS_LINEAR ? 1 : sigmoid(x);
}

static double
tanh_slope_at(double x)
{
    return 1 - tanh(x) * tanh(x);
}

static float
mish_slope(float x)
{
    double inner = soft_plus((double)x);

    return (float)(tanh(inner) + (double)x * tanh_slope_at(inner) * (double)softplus_slope(x));
}

static float
softsign_slope(float x)
{
    double d = 1 + fabs((double)x);

    return (float)(1 / (d * d));
}

static float
tanh_slope(float x)
{
    return (float)tanh_slope_at((double)x);
}

static float
tanh_shrink_slope(float x)
{
    return (float)(1 - tanh_slope_at((double)x));
}

static float
hard_tanh_slope(float x)
{
    return x > -1 && x < 1 ? 1 : 0;
}

static float
hard_sigmoid_slope(float x)
{
    return x > -3 && x < 3 ? 1.0f / 6 : 0;
}

static float
hard_swish_slope(float x)
{
    return x >= 3 ? 1 : x <= -3 ? 0 : x / 3 + .5f;
}

static float
shrink_slope(float x)
{
    return x > .5f || x < -.5f ? 1 : 0;
}

const lm_pointwise lm_pointwises[] = {
    {"Identity", identity, one},
    {"Tanh", hyperbolic_tangent, tanh_slope},
    {"ReLU", relu, relu_slope},
    {"GELU", gelu, gelu_slope},
    {"Sigmoid", sigmoid, sigmoid_slope},
    {"SiLU", silu, silu_slope},
    {"ELU", elu, elu_slope},
    {"CELU", elu, elu_slope},
    {"SELU", selu, selu_slope},
    {"ReLU6", relu6, relu6_slope},
    {"LeakyReLU", leaky_relu, leaky_relu_slope},
    {"RReLU", rrelu, rrelu_slope},
    {"Softplus", softplus, softplus_slope},
    {"Softsign", softsign, softsign_slope},
    {"Mish", mish, mish_slope},
    {"LogSigmoid", log_sigmoid, log_sigmoid_slope},
    {"Tanhshrink", tanh_shrink, tanh_shrink_slope},
    {"Hardtanh", hard_tanh, hard_tanh_slope},
    {"Hardsigmoid", hard_sigmoid, hard_sigmoid_slope},
    {"Hardswish", hard_swish, hard_swish_slope},
    {"Hardshrink", hard_shrink, shrink_slope},
    {"Softshrink", soft_shrink, shrink_slope},
    {0},
};

int
lm_pointwise_find(const char *name)
{
    for (int i = 0; lm_pointwises[i].name; i++)
        if (strcmp(lm_pointwises[i].name, name) == 0)
            return i;
    return -1;
}
