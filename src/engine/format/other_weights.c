/*
 * other_weights.c - files of weights that are not read, by their usual names: a source has no list
 * of its files.
 */
#include "format/other_weights.h"

#include <string.h>

#define CONVERT LM_OTHER_WEIGHTS_HINT
#define ORIGINAL                                                                                 \
    "Import the folder that the file was made from: its config.json, tokenizer and safetensors " \
    "files."

/* A kind of file. */
typedef struct other_kind {
    const char *name, *end, *hint;
} other_kind;

static const other_kind gguf = {"GGUF", ".gguf", ORIGINAL};
static const other_kind ggml = {"GGML", ".ggml", ORIGINAL};
static const other_kind onnx = {"ONNX", ".onnx", ORIGINAL};
static const other_kind openvino = {"OpenVINO", ".xml", ORIGINAL};
static const other_kind keras = {"Keras", ".h5", CONVERT};
static const other_kind flax = {"Flax", ".msgpack", CONVERT};
static const other_kind tflite = {"TensorFlow Lite", ".tflite", ORIGINAL};

static const other_kind *const kinds[] = {&gguf, &ggml, &onnx, &openvino, &keras, &flax, &tflite};

static const struct {
    const char *file;
    const other_kind *kind;
} files[] = {
    {"model.gguf", &gguf},
    {"ggml-model.gguf", &gguf},
    {"ggml-model-f16.gguf", &gguf},
    {"ggml-model-f32.gguf", &gguf},
    {"ggml-model-q4_0.gguf", &gguf},
    {"ggml-model-q8_0.gguf", &gguf},
    {"model.onnx", &onnx},
    {"onnx/model.onnx", &onnx},
    {"model_quantized.onnx", &onnx},
    {"onnx/model_quantized.onnx", &onnx},
    {"openvino_model.xml", &openvino},
    {"openvino/openvino_model.xml", &openvino},
    {"tf_model.h5", &keras},
    {"flax_model.msgpack", &flax},
};

static lm_status
refuse(lm_context *ctx, const char *file, const other_kind *kind)
{
    lm_raise(ctx, LM_UNSUPPORTED, "weights in the format %s are not supported", kind->name);
    lm_detail_file(ctx, file);
    lm_detail_allowed(ctx, "model.safetensors, pytorch_model.bin");
    return lm_detail_hint(ctx, "%s", kind->hint);
}

lm_status
lm_other_weights_check(lm_context *ctx, lm_arena *arena, const lm_source *source,
                       const char *folder)
{
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        const char *name;
        bool found = false;
        uint64_t size;

        LM_TRY(lm_source_join(ctx, arena, folder, files[i].file, &name));
        LM_TRY(source->stat(ctx, source->opaque, name, &found, &size));
        if (found)
            return refuse(ctx, name, files[i].kind);
    }
    return LM_OK;
}

lm_status
lm_other_weights_check_path(lm_context *ctx, const char *path)
{
    size_t length = strlen(path);

    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        size_t end = strlen(kinds[i]->end);

        if (length > end && strcmp(path + length - end, kinds[i]->end) == 0)
            return refuse(ctx, path, kinds[i]);
    }
    return LM_OK;
}
