"""The peers in their best form: one thread, texts sorted by length, batches of 32.

A cap of the instruction level (LMTEXT_LEVEL=avx2) reaches torch and OpenVINO by oneDNN's variable, which run.sh sets;
ONNX Runtime has no such setting: on a machine with AVX-512 it runs uncapped.
"""
import inspect
import os
import pathlib

import numpy
import onnx
import onnxruntime
import openvino
import torch
import transformers

import common

BATCH = 32
WINDOW = 256


class Peer:
    """Texts → normalised mean-pooled embeddings, in the order given."""

    def __init__(self, model):
        self.tokenizer = transformers.AutoTokenizer.from_pretrained(model)
        self.width = transformers.AutoConfig.from_pretrained(model).hidden_size

    def embed(self, texts, sort=True):
        order = sorted(range(len(texts)), key=lambda i: len(texts[i])) if sort else range(len(texts))
        order = list(order)
        out = numpy.empty((len(texts), self.width), numpy.float32)
        for first in range(0, len(order), BATCH):
            part = order[first:first + BATCH]
            tokens = self.tokenizer([texts[i] for i in part], padding=True, truncation=True,
                                    max_length=WINDOW, return_tensors="np")
            hidden = self.forward(tokens)
            mask = tokens["attention_mask"][:, :, None].astype(numpy.float32)
            mean = (hidden * mask).sum(1) / mask.sum(1)
            out[part] = mean / numpy.linalg.norm(mean, axis=1, keepdims=True)
        return out

    def tokens(self, texts):
        return sum(len(ids) for ids in
                   self.tokenizer(texts, truncation=True, max_length=WINDOW)["input_ids"])


class Torch(Peer):
    def __init__(self, precision="fp32", model=common.MODEL):
        super().__init__(model)
        self.precision, self.name = precision, f"torch {precision}"
        torch.set_num_threads(1)
        dtype = {"fp32": torch.float32, "bf16": torch.bfloat16}[precision]
        self.model = transformers.AutoModel.from_pretrained(model, dtype=dtype).eval()
        self.takes = inspect.signature(self.model.forward).parameters

    def forward(self, tokens):
        with torch.inference_mode():
            inputs = {key: torch.from_numpy(value) for key, value in tokens.items() if key in self.takes}
            return self.model(**inputs).last_hidden_state.float().numpy()


class OpenVino(Peer):
    """Its own graph of the exported model; fuses by itself."""

    def __init__(self, precision="fp32", model=common.MODEL):
        super().__init__(model)
        self.precision, self.name = precision, f"OpenVINO {precision}"
        kind = {"fp32": openvino.Type.f32, "bf16": openvino.Type.bf16}[precision]
        core = openvino.Core()
        self.model = core.compile_model(core.read_model(onnx_file(model, ".raw.onnx")), "CPU", {
            "INFERENCE_NUM_THREADS": 1, "NUM_STREAMS": 1, "INFERENCE_PRECISION_HINT": kind})
        self.inputs = [value.any_name for value in self.model.inputs]

    def forward(self, tokens):
        return next(iter(self.model({key: tokens[key].astype(numpy.int64) for key in self.inputs}).values()))


class OnnxRuntime(Peer):
    """int8: its own dynamic quantisation, by channel."""

    def __init__(self, precision="fp32", model=common.MODEL):
        super().__init__(model)
        self.precision, self.name = precision, f"ONNX Runtime {precision}"
        path = onnx_file(model, ".onnx" if precision == "fp32" else ".int8.onnx")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
        self.session = onnxruntime.InferenceSession(str(path), options,
                                                    providers=["CPUExecutionProvider"])
        self.inputs = {value.name for value in self.session.get_inputs()}

    def forward(self, tokens):
        feed = {key: value.astype(numpy.int64) for key, value in tokens.items() if key in self.inputs}
        return self.session.run(None, feed)[0]


def all_but_torch(model=common.MODEL):
    """Those that the machine computes natively: bfloat16 without instructions for it takes many times as long."""
    flags = pathlib.Path("/proc/cpuinfo").read_text()
    found = [OnnxRuntime("fp32", model), OpenVino("fp32", model), OnnxRuntime("int8", model)]
    if "avx512_bf16" in flags and not os.environ.get("LMTEXT_LEVEL"):
        found += [OpenVino("bf16", model), Torch("bf16", model)]
    return found


def onnx_file(model, suffix):
    """The exported model: .raw.onnx as it is, .onnx fused, .int8.onnx fused and quantised."""
    path = common.BUILD / f"bench-{model.name}{suffix}"
    if not path.exists():
        export(model, common.BUILD / f"bench-{model.name}.onnx")
    return path


class Wrapped(torch.nn.Module):
    """What the model takes of a tokenizer's output, by place."""

    def __init__(self, model):
        super().__init__()
        self.model = model
        taken = inspect.signature(model.forward).parameters
        self.names = [name for name in ("input_ids", "attention_mask", "token_type_ids") if name in taken]

    def forward(self, *values):
        return self.model(**dict(zip(self.names, values))).last_hidden_state


def export(folder, path):
    """Export to ONNX, then fuse attention, GELU and layer norm as ONNX Runtime's own tool does, and quantise that."""
    from onnxruntime.quantization import quantize_dynamic
    from onnxruntime.transformers import optimizer
    model = transformers.AutoModel.from_pretrained(folder, dtype=torch.float32,
                                                   attn_implementation="eager").eval()
    ones = torch.ones(2, 16, dtype=torch.int64)
    axes = {0: "batch", 1: "length"}
    wrapped = Wrapped(model)
    values = {"token_type_ids": ones * 0}
    raw = path.with_suffix(".raw.onnx")
    torch.onnx.export(wrapped, tuple(values.get(name, ones) for name in wrapped.names), str(raw),
                      input_names=wrapped.names, output_names=["hidden"], opset_version=17, dynamo=False,
                      dynamic_axes={name: axes for name in wrapped.names + ["hidden"]})
    fused = optimizer.optimize_model(str(raw), model_type="bert", num_heads=model.config.num_attention_heads,
                                     hidden_size=model.config.hidden_size)
    print("fused operators:", fused.get_fused_operator_statistics())
    fused.save_model_to_file(str(path))
    # Shapes are not inferred through the fused operators.
    quantize_dynamic(str(path), str(path.with_suffix(".int8.onnx")), per_channel=True,
                     extra_options={"DefaultTensorType": onnx.TensorProto.FLOAT})
