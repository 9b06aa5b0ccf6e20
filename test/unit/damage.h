/*
 * damage.h - a folder whose bytes are changed by chance: it is refused, or what is made of it
 * answers. Under valgrind and the sanitizers nothing is read beyond a file or a section.
 */
#ifndef DAMAGE_H
#define DAMAGE_H

#include "base/rng.h"
#include "fake.h"
#include "loaded.h"

#define DAMAGE_MOST 8192 /* bytes of a damaged file */

static const char *const damage_words[] = {
    "0",    "-1",   "65537", "2147483648", "18446744073709551616",
    "1e30", "0.5",  "null",  "\"\"",       "[]",
    "{}",   "true", "\n",    "\"a\"",      "\\u0000",
    "\xff"};

/* A place of the file; of tensors nearly always one of the header. */
static inline size_t
damage_place(lm_rng *rng, const char *bytes, size_t size)
{
    uint64_t header = 0;

    if (size > 8 && bytes[8] == '{' && lm_rng_below(rng, 8) > 0)
        memcpy(&header, bytes, sizeof header);
    return header > 0 && header < size ? 8 + (size_t)lm_rng_below(rng, header)
                                       : (size_t)lm_rng_below(rng, size);
}

/* A byte, or a run of digits and the like replaced, or a stretch left out. */
static inline size_t
damage_once(lm_rng *rng, char *bytes, size_t size)
{
    const size_t at = damage_place(rng, bytes, size);
    const char *word = damage_words[lm_rng_below(rng, sizeof damage_words / sizeof *damage_words)];
    const size_t left = size - at, length = strlen(word);
    size_t gone = lm_rng_below(rng, 2) ? strcspn(bytes + at, ",]}:\n") : lm_rng_below(rng, 12);

    if (lm_rng_below(rng, 3) == 0) {
        bytes[at] = (char)lm_rng_below(rng, 256);
        return size;
    }
    gone = gone < left ? gone : left;
    if (size - gone + length + 1 > DAMAGE_MOST)
        return size;
    memmove(bytes + at + length, bytes + at + gone, left - gone);
    memcpy(bytes + at, word, length);
    return size - gone + length;
}

/* A header is as long as it says, that more than its length is looked at. */
static inline void
damage_mend_length(const fake_file *whole, char *bytes, size_t size)
{
    uint64_t header;

    if (whole->size <= 8 || whole->data[8] != '{')
        return;
    memcpy(&header, whole->data, sizeof header);
    header += size - whole->size;
    if (header < size)
        memcpy(bytes, &header, sizeof header);
}

/* `use` asks a model that was accepted. Some are refused. */
static inline void
damage_files(const fake_source *whole, int rounds, uint64_t seed,
             lm_status (*use)(lm_context *ctx, const lm_model *model))
{
    int refused = 0;
    lm_rng rng;

    lm_rng_seed(&rng, seed);
    for (int round = 0; round < rounds; round++) {
        char bytes[DAMAGE_MOST] = {0}, *exact;
        fake_memory memory = {0};
        fake_source fake = *whole;
        fake_file *file = &fake.files[lm_rng_below(&rng, (uint64_t)fake.count)];
        const lm_source source = fake_open(&fake);
        size_t size = file->size;
        loaded_model loaded;
        lm_context ctx;

        CHECK(size > 0 && size < DAMAGE_MOST);
        memcpy(bytes, file->data, size);
        for (uint64_t i = 0; i <= lm_rng_below(&rng, 3) && size > 0; i++)
            size = damage_once(&rng, bytes, size);
        damage_mend_length(file, bytes, size);
        exact = malloc(size + (size == 0));
        memcpy(exact, bytes, size);
        file->data = exact;
        file->size = size;
        fake_context(&ctx, &memory);
        if (loaded_open(&ctx, &source, lm_kernels_active(), &loaded) == LM_OK) {
            (void)use(&ctx, &loaded.model);
            loaded_close(&ctx, &loaded);
        } else
            refused++;
        CHECK_EQ_INT(memory.live, 0);
        free(exact);
    }
    CHECK(refused > rounds / 10 && refused < rounds);
}

#endif
