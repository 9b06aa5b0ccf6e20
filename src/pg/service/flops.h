/*
 * flops.h - what a model version computes for a token, for the planner: cheap, waiting for no lock,
 * and never an error.
 */
#ifndef LMTEXT_FLOPS_H
#define LMTEXT_FLOPS_H

#include "postgres.h"

/* Floating-point operations for a token; 0: it cannot be told now. */
double lmtext_flops(Oid version);
/* Of the version that a name means. */
double lmtext_flops_named(const char *name);

#endif
