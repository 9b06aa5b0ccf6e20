"""The peers in their best form: one thread, texts sorted by length, batches of 32."""
import numpy
import onnxruntime
import torch
import transformers

import common

BATCH = 32
WINDOW = 256


class Peer:
    """Texts → normalised mean-pooled embeddings, in the order given."""

    def __init__(self):
        self.tokenizer = transformers.AutoTokenizer.from_pretrained(common.MODEL)

    def embed(self, texts, sort=True):
        order = sorted(range(len(texts)), key=lambda i: len(texts[i])) if sort else range(len(texts))
        order = list(order)
        out = numpy.empty((len(texts), 384), numpy.float32)
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
    name = "torch fp32"

    def __init__(self):
        super().__init__()
        torch.set_num_threads(1)
        self.model = transformers.AutoModel.from_pretrained(common.MODEL, dtype=torch.float32).eval()

    def forward(self, tokens):
        with torch.inference_mode():
            inputs = {key: torch.from_numpy(value) for key, value in tokens.items()}
            return self.model(**inputs).last_hidden_state.numpy()


class OnnxRuntime(Peer):
    name = "ONNX Runtime fp32"

    def __init__(self):
        super().__init__()
        path = common.BUILD / "bench-minilm.onnx"
        if not path.exists():
            export(path)
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


class Wrapped(torch.nn.Module):
    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, input_ids, attention_mask, token_type_ids):
        return self.model(input_ids=input_ids, attention_mask=attention_mask,
                          token_type_ids=token_type_ids).last_hidden_state


def export(path):
    """Export to ONNX, then fuse attention, GELU and layer norm as ONNX Runtime's own tool does."""
    from onnxruntime.transformers import optimizer
    model = transformers.AutoModel.from_pretrained(common.MODEL, dtype=torch.float32,
                                                   attn_implementation="eager").eval()
    ones = torch.ones(2, 16, dtype=torch.int64)
    axes = {0: "batch", 1: "length"}
    names = ["input_ids", "attention_mask", "token_type_ids"]
    raw = path.with_suffix(".raw.onnx")
    torch.onnx.export(Wrapped(model), (ones, ones, ones * 0), str(raw), input_names=names,
                      output_names=["hidden"], opset_version=17, dynamo=False,
                      dynamic_axes={name: axes for name in names + ["hidden"]})
    fused = optimizer.optimize_model(str(raw), model_type="bert", num_heads=12, hidden_size=384)
    print("fused operators:", fused.get_fused_operator_statistics())
    fused.save_model_to_file(str(path))
