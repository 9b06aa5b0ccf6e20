/*
 * hash.h - a fast non-cryptographic 64-bit hash of bytes, for hash tables inside the engine, and
 * for checks in coded files (format/coded.h): what it gives for seed 0 does not change.
 */
#ifndef LM_HASH_H
#define LM_HASH_H

#include <stddef.h>
#include <stdint.h>

/* Random, for tables of what a file may have made to collide; 0 without entropy: slower, never
 * wrong. */
uint64_t lm_hash_seed(void);

uint64_t lm_hash_bytes(const void *bytes, size_t length, uint64_t seed);

#endif
