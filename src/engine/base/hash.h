/*
 * hash.h - a fast non-cryptographic 64-bit hash of bytes, for hash tables inside the engine.
 */
#ifndef LM_HASH_H
#define LM_HASH_H

#include <stddef.h>
#include <stdint.h>

uint64_t lm_hash_bytes(const void *bytes, size_t length, uint64_t seed);

#endif
