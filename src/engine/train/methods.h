/*
 * methods.h - ways of learning from the rows of a query: a table with one row for each. What
 * lmtext.train reads, which options it takes and what it stores follow from a method's row.
 *
 * Rows come in batches, in the order of the query, and only what a method keeps of them stays in
 * memory. The same rows, options and CPU level give the same bits.
 */
#ifndef LM_METHODS_H
#define LM_METHODS_H

#include "base/buffer.h"
#include "base/option.h"
#include "base/text.h"
#include "format/source.h"
#include "optim/team.h"

/* What a column of the query holds. */
typedef enum lm_train_kind {
    LM_TRAIN_INPUT,  /* texts, of which the base makes vectors, or these vectors */
    LM_TRAIN_LABEL,  /* a word */
    LM_TRAIN_TEXT,   /* texts as they are */
    LM_TRAIN_BOTH,   /* texts as they are, and the vectors that the base makes of them */
    LM_TRAIN_VECTOR, /* these vectors, stored already; as the last column it may be missing */
    LM_TRAIN_WORDS,  /* an array of texts, none of them null; it may be empty */
    LM_TRAIN_NUMBER  /* a number that is finite */
} lm_train_kind;

typedef struct lm_train_column {
    const char *role; /* for messages: "text", "label" */
    lm_train_kind kind;
    bool optional; /* with all that follow it may be missing */
} lm_train_column;

#define LM_TRAIN_COLUMNS_MAX 4

/* An array of a row. */
typedef struct lm_train_words {
    const lm_text *words;
    size_t count;
} lm_train_words;

/* A batch: rows in which no column is null. */
typedef struct lm_train_rows {
    size_t count;
    int columns;          /* that the query has: optional ones may be missing */
    const float *vectors; /* (count, width) of the input */
    /* (count) of each column of such a kind; NULL for the others. */
    const lm_text *texts[LM_TRAIN_COLUMNS_MAX];
    const lm_train_words *words[LM_TRAIN_COLUMNS_MAX];
    const double *numbers[LM_TRAIN_COLUMNS_MAX];
} lm_train_rows;

/* The version that a training starts from, as its files. */
typedef struct lm_train_base {
    const char *name;         /* for messages: "minilm@1" */
    const lm_source *source;  /* each file is read front to back, once */
    const char *const *files; /* their names, settings first */
    int file_count;
    const struct lm_model *model; /* the same, loaded; it stays until the fit begins */
} lm_train_base;

/* A figure by its name: NaN where it is not known. */
typedef struct lm_train_value {
    const char *name;
    double value;
    bool is_bool; /* shown as true or false */
} lm_train_value;

/* How far a fit is: told after each step. */
typedef struct lm_train_progress {
    int step, steps; /* of at most */
    const lm_train_value *values;
    int value_count;
} lm_train_progress;

/* A training as helpers must know it (shared.h). */
typedef struct lm_train_shared {
    size_t workers;             /* that are wanted */
    const lm_buffer *bytes;     /* for each of them */
    size_t values, grads, rows; /* numbers of each, and rows of a batch at most */
} lm_train_shared;

/* What a fit is given. Called from inside the engine: nothing of it may throw. */
typedef struct lm_train_watch {
    void (*report)(void *opaque, const lm_train_progress *progress);
    void *opaque;
    size_t memory; /* bytes that numbers of a batch may take; 0: no bound */
    /* Keep a checkpoint; NULL: there are none. `resume` is the last one of an earlier run, or NULL.
     */
    lm_status (*checkpoint)(void *opaque, lm_context *ctx, int64_t step, const lm_buffer *bytes);
    const lm_buffer *resume;
    /*
     * Start processes that help, as many as can be had: `helpers` but for its base, and memory that
     * all of them see for the values, which stay there until the fit ends. NULL: there are none.
     */
    lm_status (*share)(void *opaque, lm_context *ctx, const lm_train_shared *shared, float **values,
                       lm_team_helpers *helpers);
} lm_train_watch;

#define LM_TRAIN_VALUES_MAX 24
#define LM_TRAIN_TRIALS_MAX 16
#define LM_TRAIN_SETTINGS_MAX 6
#define LM_TRAIN_FILES_MAX 32

/* An option of a way that was tried: a word, or where that is NULL a number. */
typedef struct lm_train_setting {
    const char *name, *word;
    double number;
} lm_train_setting;

/* A way that was tried, where a method chooses among some. */
typedef struct lm_train_trial {
    const char *name; /* of a method, which has these options */
    lm_train_setting settings[LM_TRAIN_SETTINGS_MAX];
    int setting_count;
    size_t rows;     /* that it was tried on, held-out ones included */
    double accuracy; /* on held-out rows; NaN where there are none */
    double seconds;  /* of one that was left out: what it would take; NaN where that is not known */
    bool chosen;
    const char *reason; /* why it was left out, as a word; NULL: it was tried */
} lm_train_trial;

/* What came of it. */
typedef struct lm_train_outcome {
    struct {
        const char *name; /* with '/' between folders; it stays until the training is closed */
        lm_buffer bytes;
    } files[LM_TRAIN_FILES_MAX]; /* of the model */
    int file_count;
    lm_train_value values[LM_TRAIN_VALUES_MAX]; /* figures that are kept with it */
    int value_count;
    lm_train_trial trials[LM_TRAIN_TRIALS_MAX];
    int trial_count;
    lm_train_trial left_out[LM_TRAIN_TRIALS_MAX]; /* ways that were not tried */
    int left_out_count;
    const char *task;      /* that the files are to be read for; NULL: what they say themselves */
    bool without_base;     /* the base was only tried: the model does not need it */
    const char *precision; /* of products in training; NULL: of a method that has no choice */
    char summary[160];     /* after "trained on 10 rows ": "with 2 labels: accuracy …" */
} lm_train_outcome;

typedef struct lm_method {
    const char *name, *task;
    bool needs_base;    /* a model whose embeddings it learns from */
    bool base_files;    /* a base, of which it takes the files: read_base; not with needs_base */
    bool base_optional; /* with base_files: only if the option base names one */
    const lm_train_column *columns;
    int column_count;
    /* NULL, or the columns where they depend on the options. */
    const lm_train_column *(*columns_for)(const void *options, int *count);
    const lm_option *options;
    int option_count;
    size_t options_size;
    void (*defaults)(void *options);
    /*
     * `width` is that of the base's embedding (needs_base), else 0. What is opened must be closed.
     * Values of LM_OPTION_JSON are parsed here. Texts of options live as long as the training.
     */
    lm_status (*open)(lm_context *ctx, const void *options, size_t width, void **training);
    /* With base_files, before the first row; not called where there is no base. */
    lm_status (*read_base)(void *training, const lm_train_base *base);
    lm_status (*add_rows)(void *training, const lm_train_rows *rows);
    /*
     * Only of a method that may choose the rows whose vectors it wants; both or none. Then rows of
     * texts may come without vectors. Once all have come it says which ones it wants next:
     * ascending numbers, valid until the next call; *count is 0 at the end. `seconds`: what it took
     * to make the vectors so far. They are handed over in that order, in parts.
     */
    lm_status (*wanted_rows)(void *training, double seconds, const size_t **rows, size_t *count);
    lm_status (*add_vectors)(void *training, const float *vectors, size_t count);
    /* What is wrong with the rows, after "the query …", and a hint; NULL: they will do. */
    const char *(*lacking)(const void *training, const char **hint);
    lm_status (*fit)(void *training, const lm_train_watch *watch);
    /* Files are allocated from the context. */
    lm_status (*write)(void *training, lm_train_outcome *outcome);
    void (*close)(void *training); /* may be NULL */
    /*
     * Only of a method that has checkpoints: how often the options want one (0: never), and whether
     * it goes on from the last one.
     */
    int64_t (*checkpoints)(const void *options, bool *resume);
    /*
     * Only of a method that asks an oracle about rows before its fit; all three or none. The SQL
     * expression of the options, NULL where there is none; how many answers it may take.
     */
    const char *(*oracle)(const void *options, int64_t *budget);
    /* The next texts to ask about, valid until they are answered; *count is 0 at the end. */
    lm_status (*wanted)(void *training, const lm_text **texts, size_t *count);
    /* Their answers: 1 true, 0 false, -1 none. */
    void (*answered)(void *training, const signed char *answers);
} lm_method;

extern const lm_method *const lm_methods[]; /* ends with NULL */

/* The method of that name for a task, or its first where `name` is NULL; NULL: there is none. */
const lm_method *lm_method_find(const char *task, const char *name);

#endif
