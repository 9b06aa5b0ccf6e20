/*
 * read_file.h - a whole file in memory, for the benchmark programs.
 */
#ifndef BENCH_READ_FILE_H
#define BENCH_READ_FILE_H

#include <stdio.h>
#include <stdlib.h>

/* Its bytes, terminated by a NUL that *size does not count; NULL where it cannot be read. */
static inline void *
read_file(const char *path, size_t *size)
{
    FILE *file = fopen(path, "rb");
    char *bytes;
    long length;

    if (!file || fseek(file, 0, SEEK_END) != 0 || (length = ftell(file)) < 0)
        return NULL;
    rewind(file);
    bytes = malloc((size_t)length + 1);
    *size = bytes ? fread(bytes, 1, (size_t)length, file) : 0;
    fclose(file);
    if (bytes)
        bytes[*size] = '\0';
    return bytes;
}

#endif
