/*
 * check_folders.c - opens every folder of the corpus that test/hostile/make.py wrote as an import
 * does, without a server: for sanitizers, and with a small stack.
 *
 *   check_folders CORPUS
 *
 * Each folder must give its SQLSTATE with its words in the message, leave no memory behind, and
 * must not make the engine allocate more at once than its files hold. What is accepted must embed
 * a text into numbers. Prints "ok ROOM" or "not ok ROOM: …" for scripts/test.sh.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/size.h"
#include "format/colbert.h"
#include "format/pytorch.h"
#include "format/word_files.h"
#include "format/word_vectors.h"
#include "task/embed.h"
#include "task/tasks.h"

/* What may be allocated at once whatever a folder holds: blocks of arenas, pieces of files. */
#define FREE_BYTES ((size_t)5 << 20)

static const struct {
    const char *sqlstate;
    lm_status status;
} states[] = {
    {"00000", LM_OK},          {"22P03", LM_BAD_MODEL}, {"22P02", LM_BAD_JSON},
    {"0A000", LM_UNSUPPORTED}, {"54001", LM_TOO_DEEP},  {"54000", LM_TOO_LARGE},
    {"42501", LM_DENIED},      {"58P01", LM_NO_FILE},
};

/* An allocator that knows what it gave. */
typedef struct meter {
    long live;
    size_t largest;
} meter;

typedef struct corpus_case {
    char folder[4096];
    const char *room, *name, *state;
    char *said; /* words separated by U+001F */
} corpus_case;

static void *
metered_alloc(void *opaque, size_t size)
{
    meter *m = opaque;
    void *pointer = malloc(size);

    m->live += pointer != NULL;
    m->largest = size > m->largest ? size : m->largest;
    return pointer;
}

static void *
metered_realloc(void *opaque, void *pointer, size_t size)
{
    meter *m = opaque;

    m->largest = size > m->largest ? size : m->largest;
    return realloc(pointer, size);
}

static void
metered_free(void *opaque, void *pointer)
{
    ((meter *)opaque)->live--;
    free(pointer);
}

/* What the model's own task makes of a text must be numbers. */
static lm_status
use_model(lm_context *ctx, const lm_model *model, const char **complaint)
{
    static const lm_text text = {"The cat sat on the mat: 42 queries!", 35};
    const lm_task *task = lm_task_of(model);
    const int width = task->width(model);
    lm_session *session;
    float *values;
    lm_status status;

    LM_TRY(lm_session_create(ctx, &session));
    values = lm_alloc_zero(ctx, (size_t)width * sizeof *values);
    status = values ? task->golden(ctx, session, model, &text, 1, values) : LM_NO_MEMORY;
    for (int i = 0; status == LM_OK && i < width; i++)
        if (!isfinite(values[i]))
            *complaint = "a result is not finite";
    lm_free(ctx, values);
    lm_session_free(session);
    return status;
}

/* Fill and bind an image of what was planned, and use it. */
static lm_status
load_and_use(lm_context *ctx, lm_model_plan *plan, const char **complaint)
{
    size_t size = lm_model_plan_size(plan);
    void *image = aligned_alloc(LM_ALIGNMENT, size);
    lm_model model;
    lm_status status;

    if (!image)
        return lm_raise(ctx, LM_NO_MEMORY, "out of memory");
    status = lm_model_fill(ctx, plan, image);
    if (status == LM_OK)
        status = lm_model_bind(ctx, image, size, &model);
    if (status == LM_OK) {
        status = use_model(ctx, &model, complaint);
        lm_model_unbind(ctx, &model);
    }
    free(image);
    return status;
}

/* Who has int8 matrices at hand asks for int8. */
static lm_status
wanted_options(lm_context *ctx, const lm_source *source, lm_model_options *options)
{
    bool found = false;
    uint64_t size;

    LM_TRY(source->stat(ctx, source->opaque, LM_QUANTIZED_FILE, &found, &size));
    options->precision = found ? LM_PRECISION_INT8 : LM_PRECISION_F32;
    return LM_OK;
}

/* What is put over a folder's own files. */
typedef struct shown_files {
    lm_pytorch_files pytorch;
    lm_source weights;
    lm_colbert_files colbert;
    lm_word_vectors words;
} shown_files;

/* Word vectors where there are no settings of a model; else weights of torch.save. */
static lm_status
show_files(lm_context *ctx, lm_arena *arena, lm_source_dir *dir, const lm_source *below,
           shown_files *files, lm_source *source)
{
    static const lm_word_options options = {.lowercase = LM_LOWERCASE_AS_FILE};
    lm_word_find find = {.count = 0};
    const char *name;
    bool is_folder;

    LM_TRY(lm_source_dir_names(ctx, dir, "", lm_word_find_take, &find, &is_folder));
    LM_TRY(lm_word_find_end(ctx, &find, &name));
    if (name)
        name = lm_arena_copy(arena, name, strlen(name));
    files->weights = lm_pytorch_source(&files->pytorch, arena, below);
    *source = name ? lm_word_vectors_source(&files->words, arena, below, name, &options)
                   : lm_colbert_source(&files->colbert, arena, &files->weights);
    return LM_OK;
}

/* An import's steps: which files, what they say, the weights. */
static lm_status
import_folder(lm_context *ctx, const char *folder, const char **complaint)
{
    lm_source_dir *dir;
    lm_source below, source = {NULL, NULL, NULL};
    shown_files files;
    lm_file_list list;
    lm_model_options options = {.max_tokens = 0};
    lm_model_plan *plan;
    lm_notes notes;
    lm_arena arena;
    lm_status status;

    lm_notes_init(&notes, false);
    LM_TRY(lm_source_dir_open(ctx, folder, false, &dir, &below));
    lm_arena_init(&arena, ctx);
    status = show_files(ctx, &arena, dir, &below, &files, &source);
    if (status == LM_OK)
        status = lm_checkpoint_list(ctx, &arena, &source, &list);
    if (status == LM_OK)
        status = wanted_options(ctx, &source, &options);
    if (status == LM_OK)
        status = lm_model_plan_make(ctx, &arena, &source, &options, lm_kernels_active(), &plan,
                                    NULL, &notes);
    if (status == LM_OK)
        status = load_and_use(ctx, plan, complaint);
    lm_arena_free(&arena);
    lm_source_dir_close(ctx, dir);
    return status;
}

/* Bytes that a file takes on the disk: zeros that were never written are no reason for memory. */
static size_t
stored_bytes(const char *folder, const char *name)
{
    char path[8192];
    struct stat st;

    snprintf(path, sizeof path, "%s/%s", folder, name);
    return stat(path, &st) == 0 ? (size_t)st.st_blocks * 512 : 0;
}

static size_t
largest_file(const char *folder)
{
    static const char *const names[] = {"model.safetensors",
                                        "tokenizer.json",
                                        "config.json",
                                        "tokenizer_config.json",
                                        "model.safetensors.index.json",
                                        LM_QUANTIZED_FILE};
    size_t largest = 0;

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        size_t bytes = stored_bytes(folder, names[i]);

        largest = bytes > largest ? bytes : largest;
    }
    return largest;
}

static bool
says(const lm_error *error, const char *word)
{
    return strstr(error->message, word) || strstr(error->file, word) || strstr(error->key, word) ||
           strstr(error->found, word) || strstr(error->allowed, word);
}

static const char *
state_of(lm_status status)
{
    for (size_t i = 0; i < sizeof states / sizeof states[0]; i++)
        if (states[i].status == status)
            return states[i].sqlstate;
    return "none of the table";
}

/* Whether the case went as its line says; else a line that tells how. */
static bool
run_case(const corpus_case *c)
{
    meter m = {0};
    lm_context ctx = {
        .alloc = metered_alloc, .realloc = metered_realloc, .free = metered_free, .opaque = &m};
    const char *complaint = NULL;
    const char *state = state_of(import_folder(&ctx, c->folder, &complaint));

    if (strcmp(state, c->state) != 0)
        complaint = "another SQLSTATE";
    else if (m.live != 0)
        complaint = "memory is left";
    else if (strcmp(state, "00000") != 0 && m.largest > FREE_BYTES + 2 * largest_file(c->folder))
        complaint = "more was allocated than the files hold";
    for (char *word = strtok(c->said, "\x1f\n"); word && !complaint; word = strtok(NULL, "\x1f\n"))
        if (!says(&ctx.error, word))
            complaint = word;
    if (complaint)
        printf("not ok %s: %s: %s; wanted %s, is %s: %s [file %s, key %s, found %s, allowed %s, "
               "%zu bytes]\n",
               c->room, c->name, complaint, c->state, state, ctx.error.message, ctx.error.file,
               ctx.error.key, ctx.error.found, ctx.error.allowed, m.largest);
    return !complaint;
}

/* number, room, name, state, words: one line of the index into a case. */
static bool
parse_line(const char *corpus, char *line, corpus_case *c)
{
    const char *number = strsep(&line, "\t");

    c->room = strsep(&line, "\t");
    c->name = strsep(&line, "\t");
    c->state = strsep(&line, "\t");
    c->said = line;
    return line && (size_t)snprintf(c->folder, sizeof c->folder, "%s/%s", corpus, number) <
                       sizeof c->folder;
}

int
main(int argc, char **argv)
{
    char path[4096], line[8192], room[64] = "";
    int bad = 0, of_room = 0, bad_of_room = 0;
    FILE *index;

    snprintf(path, sizeof path, "%s/index.tsv", argc > 1 ? argv[1] : ".");
    if (argc != 2 || !(index = fopen(path, "r"))) {
        fprintf(stderr, "usage: check_folders CORPUS (which has index.tsv)\n");
        return 2;
    }
    for (;;) {
        corpus_case c = {.room = ""};
        bool more = fgets(line, sizeof line, index) && parse_line(argv[1], line, &c);

        if (strcmp(c.room, room) != 0) {
            if (of_room > 0 && bad_of_room == 0)
                printf("ok %s: %d folders\n", room, of_room);
            snprintf(room, sizeof room, "%s", c.room);
            of_room = bad_of_room = 0;
        }
        if (!more)
            break;
        of_room++;
        bad_of_room += !run_case(&c);
        bad += bad_of_room > 0;
    }
    fclose(index);
    return bad == 0 ? 0 : 1;
}
