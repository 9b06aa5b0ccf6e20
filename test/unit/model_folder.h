/*
 * model_folder.h - folders of models as the two generations of sentence-transformers write them, in
 * memory, for the tests of what reads them.
 */
#ifndef MODEL_FOLDER_H
#define MODEL_FOLDER_H

#include "format/checkpoint.h"

#include "base/buffer.h"
#include "fake.h"
#include "unit.h"

#define CONFIG "{\"model_type\":\"bert\",\"hidden_size\":8}"
#define WEIGHTS "\x02\0\0\0\0\0\0\0{}"

/* A file of one tensor, "t", of one float. */
static const char tensor_file[] =
    "\x36\0\0\0\0\0\0\0{\"t\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}"
    "\0\0\0\0";

#define MODULE(type, path) \
    "{\"idx\":0,\"name\":\"" type "\",\"path\":\"" path "\",\"type\":\"" type "\"}"
#define OLD "sentence_transformers.models."
#define OLD_MODULES                                                                      \
    "[" MODULE(OLD "Transformer", "") "," MODULE(OLD "Pooling", "1_Pooling") "," MODULE( \
        OLD "Normalize", "2_Normalize") "]"
#define NEW_MODULES                                                                          \
    "[" MODULE("sentence_transformers.base.modules.transformer.Transformer", "") "," MODULE( \
        "sentence_transformers.sentence_transformer.modules.pooling.Pooling",                \
        "1_Pooling") "," MODULE("sentence_transformers.base.modules.normalize.Normalize",    \
                                "2_Normalize") "]"
#define NEW_NORMALIZE \
    "{\"module_input_name\":\"sentence_embedding\",\"module_output_name\":\"sentence_embedding\"}"

#define POOL "1_Pooling/config.json"
#define TRANSFORMER MODULE(OLD "Transformer", "")
#define POOLING MODULE(OLD "Pooling", "1_Pooling")
#define NORMALIZE MODULE(OLD "Normalize", "2_Normalize")

/* One file of a folder; an array of them ends with a name of NULL. */
typedef struct file {
    const char *name, *text;
} file;

/* Fill a source with the base files that every folder has, and these; text NULL takes one away. */
static inline void
fill(fake_source *fake, const file *files)
{
    fake_add(fake, "config.json", CONFIG);
    fake_add(fake, "tokenizer.json", "{\"version\":\"1.0\"}");
    fake_add_bytes(fake, "model.safetensors", WEIGHTS, sizeof WEIGHTS - 1);
    for (; files && files->name; files++) {
        fake_file *old = fake_find(fake, files->name);

        if (files->text == tensor_file)
            fake_add_bytes(fake, files->name, files->text, sizeof tensor_file - 1);
        else if (!old && files->text)
            fake_add(fake, files->name, files->text);
        else if (old && files->text)
            *old = (fake_file){files->name, files->text, strlen(files->text), 0};
        else if (old)
            old->name = "";
    }
}

static const file old_folder[] = {
    {"modules.json", OLD_MODULES},
    {"sentence_bert_config.json", "{\"max_seq_length\":256,\"do_lower_case\":true}"},
    {"1_Pooling/config.json",
     "{\"word_embedding_dimension\":8,\"pooling_mode_cls_token\":false,\"pooling_mode_mean_"
     "tokens\":"
     "true,\"pooling_mode_max_tokens\":false,\"pooling_mode_mean_sqrt_len_tokens\":false}"},
    {"config_sentence_transformers.json",
     "{\"__version__\":{\"sentence_transformers\":\"2.0.0\"}}"},
    {"tokenizer_config.json", "{\"model_max_length\":512}"},
    {NULL, NULL},
};

static const file new_folder[] = {
    {"modules.json", NEW_MODULES},
    {"sentence_bert_config.json",
     "{\"transformer_task\":\"feature-extraction\",\"modality_config\":{\"text\":{\"method\":"
     "\"forward\",\"method_output_name\":\"last_hidden_state\"}},\"module_output_name\":"
     "\"token_embeddings\"}"},
    {"1_Pooling/config.json",
     "{\"embedding_dimension\":8,\"pooling_mode\":\"cls\",\"include_prompt\":false}"},
    {"2_Normalize/config.json", NEW_NORMALIZE},
    {"config_sentence_transformers.json",
     "{\"default_prompt_name\":\"query\",\"prompts\":{\"document\":null,\"passage\":\"passage: \","
     "\"query\":\"query: \"},\"similarity_fn_name\":\"cosine\"}"},
    {"tokenizer_config.json", "{\"model_max_length\":32}"},
    {NULL, NULL},
};

/* Old models have the transformer in a folder of its own. */
static const file old_layout[] = {
    {"config.json", NULL},
    {"tokenizer.json", NULL},
    {"model.safetensors", NULL},
    {"modules.json", "[" MODULE(OLD "Transformer", "0_BERT/") "," POOLING "]"},
    {POOL, "{}"},
    {"0_BERT/config.json", CONFIG},
    {"0_BERT/tokenizer.json", "{}"},
    {"0_BERT/tokenizer_config.json", "{}"},
    {"0_BERT/sentence_bert_config.json", "{\"max_seq_length\":77}"},
    {"0_BERT/model.safetensors.index.json", "{\"weight_map\":{\"t\":\"b.safetensors\"}}"},
    {"0_BERT/b.safetensors", tensor_file},
    {"sentence_bert_config.json", "{\"max_seq_length\":78}"},
    {NULL, NULL},
};

/* A folder with the files of older tokenizers. */
static const file slow_folder[] = {
    {"tokenizer.json", NULL},    {"vocab.txt", "[PAD]\r\n\n\r\nthe\rcat\nlast"},
    {"vocab.json", "{\"a\":0}"}, {"merges.txt", "a b\n"},
    {"spiece.model", "x"},       {NULL, NULL},
};

/* A folder read by lm_checkpoint_open; released by close_folder. */
typedef struct folder {
    fake_source fake;
    lm_context ctx;
    lm_arena arena;
    lm_checkpoint checkpoint;
} folder;

static inline lm_status
open_with_notes(folder *f, const file *files, lm_notes *notes)
{
    lm_source source = fake_open(&f->fake);

    memset(&f->fake, 0, sizeof f->fake);
    fill(&f->fake, files);
    lm_context_init(&f->ctx);
    lm_arena_init(&f->arena, &f->ctx);
    return lm_checkpoint_open(&f->ctx, &f->arena, &source, notes, &f->checkpoint);
}

/* As a stored version is opened. */
static inline lm_status
open_folder(folder *f, const file *files)
{
    return open_with_notes(f, files, NULL);
}

static inline void
close_folder(folder *f)
{
    lm_arena_free(&f->arena);
}

/* Compare a list with names joined by spaces. */
static inline void
check_list(fake_source *fake, const char *wanted)
{
    lm_source source = fake_open(fake);
    lm_context ctx;
    lm_arena arena;
    lm_file_list list = {0};
    lm_buffer names;

    lm_context_init(&ctx);
    lm_arena_init(&arena, &ctx);
    lm_buffer_init(&names, &ctx);
    CHECK_OK(&ctx, lm_checkpoint_list(&ctx, &arena, &source, &list));
    for (size_t i = 0; i < list.count; i++)
        lm_buffer_printf(&names, "%s%s", i ? " " : "", list.names[i]);
    lm_buffer_append_byte(&names, '\0');
    CHECK_STR(names.data, wanted);
    lm_buffer_free(&names);
    lm_arena_free(&arena);
}

#endif
