/*
 * reader.h - files of settings, and members of the objects in them: what every container reads with
 * (private to format/).
 */
#ifndef LM_READER_H
#define LM_READER_H

#include "format/keys.h"
#include "format/source.h"

#define LM_KB ((size_t)1 << 10)
#define LM_MB ((size_t)1 << 20)

/* What the functions that read a model's files share. */
typedef struct lm_reader {
    lm_context *ctx;
    lm_arena *arena;
    const lm_source *source;
    lm_notes *notes;    /* NULL: a stored version is loaded */
    const char *folder; /* of configuration, tokenizer and weights; "": the source itself */
    const void *row;    /* what the container's probe found, where it has kinds of its own */
} lm_reader;

/* A settings file and the longest that is read of it. */
typedef struct lm_known_file {
    const char *name;
    size_t limit;
} lm_known_file;

/* Whether a file is there, whatever it holds. */
lm_status lm_reader_exists(const lm_reader *r, const char *name, bool *found);

/* A file of the reader's folder: its name in the source. */
lm_status lm_reader_locate(const lm_reader *r, const lm_known_file *file, lm_known_file *found);

/*
 * Parse a file whose root must be of `type`; *json is NULL when it is missing and not required. The
 * text goes as soon as it is parsed: the nodes hold their own strings.
 */
lm_status lm_reader_json(const lm_reader *r, const lm_known_file *file, bool required,
                         lm_json_type type, const lm_json **json);

/* The same for an object in the reader's folder. */
lm_status lm_reader_object(const lm_reader *r, const lm_known_file *file, bool required,
                           const lm_json **json);

/* The lines of a text file there, as an array of strings; NULL when it is missing. */
lm_status lm_reader_lines(const lm_reader *r, const lm_known_file *file, const lm_json **lines);

/* A JSON object under examination and the file that it came from. */
typedef struct lm_members {
    const lm_reader *reader;
    const char *file;
    const lm_json *json;
} lm_members;

/* A member that is wrong or asks for too much: names file and key, and shows the value. */
lm_status lm_members_refuse(const lm_members *s, lm_status status, const char *key,
                            const char *allowed);

/* A member that counts: absent and null are one. */
const lm_json *lm_members_get(const lm_members *s, const char *key);

/* These leave *value, the default, where the member is absent. A count is at least 1. */
lm_status lm_members_bool(const lm_members *s, const char *key, bool *value);
lm_status lm_members_positive(const lm_members *s, const char *key, int *value);
lm_status lm_members_string(const lm_members *s, const char *key, const char **value);
lm_status lm_members_string_of(const lm_members *s, const lm_json *member, const char **value);

/* A string that may only say what lmtext does anyway. */
lm_status lm_members_expect(const lm_members *s, const char *key, const char *only);

#endif
