#!/usr/bin/env python3
"""Make the golden models: models/tiny/* and, with --minilm FOLDER, test/golden/minilm.

Every model in models/tiny has random weights, drawn so that each of them shows in the results
(the reference library's own initialisation is nearly blind: zero biases, unit gains). The reference
runs in float64; `noise` is how far its own float32 run is away. Running this again with the pinned
versions gives the same files.

    python3 scripts/make-golden.py                       models/tiny
    python3 scripts/make-golden.py --minilm FOLDER       test/golden/minilm, from the real model
"""

import argparse
import json
import os
import shutil
import sys

import numpy
import safetensors.torch
import sentence_transformers
import tokenizers
import torch
import transformers

PINNED = {
    sentence_transformers: "6.2.0",
    tokenizers: "0.23.3",
    transformers: "5.23.0",
    torch: "2.13.0",
}

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")
TINY = os.path.join(ROOT, "models", "tiny")
MINILM = os.path.join(ROOT, "test", "golden", "minilm")

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
LETTERS = "abcdefghijklmnopqrstuvwxyz"
WORDS = ["the", "query", "cat", "sat", "on", "mat", "data", "base", "##base", "##s", "##ing"]
VOCABULARY = list(dict.fromkeys(
    SPECIAL + list(LETTERS) + ["##" + c for c in LETTERS] + list("0123456789.,:!?-") + WORDS))

TEXTS = [
    "",
    "cat",
    "The cat sat on the mat.",
    "Databases, 42 queries: indexing?",
    "the quick brown fox jumps over the lazy dog and runs on and on until the window is full",
    "\u00c9t\u00e9 na\u00efve \u65e5\u672c",
]

# What each folder has that the others have not. `naming`, `dtype`, `shards` and `st` say how its
# files are written; the rest goes into config.json.
FOLDERS = {
    "bert": dict(hidden_size=36, num_attention_heads=3, num_hidden_layers=2, intermediate_size=7),
    "bert-head5": dict(hidden_size=20, num_attention_heads=4, num_hidden_layers=1,
                       intermediate_size=13, type_vocab_size=1, hidden_act="gelu_new",
                       layer_norm_eps=1e-5, embedding_scale=0.05),
    "bert-types3": dict(hidden_size=48, num_attention_heads=3, num_hidden_layers=1,
                        intermediate_size=33, type_vocab_size=3, hidden_act="relu", pooler=False),
    "bert-silu": dict(hidden_size=20, num_attention_heads=1, num_hidden_layers=2,
                      intermediate_size=20, hidden_act="silu", layer_norm_eps=1e-3),
    "bert-tanh": dict(hidden_size=20, num_attention_heads=5, num_hidden_layers=1,
                      intermediate_size=12, hidden_act="gelu_pytorch_tanh", spare_rows=9),
    "bert-gamma": dict(hidden_size=36, num_attention_heads=3, num_hidden_layers=1,
                       intermediate_size=7, naming="gamma", spare_rows=5),
    "bert-fused": dict(hidden_size=36, num_attention_heads=9, num_hidden_layers=1,
                       intermediate_size=7, naming="fused"),
    "bert-prefix": dict(hidden_size=20, num_attention_heads=2, num_hidden_layers=1,
                        intermediate_size=8, naming="auto_model"),
    "bert-f16": dict(hidden_size=36, num_attention_heads=3, num_hidden_layers=1,
                     intermediate_size=7, dtype=torch.float16),
    "bert-bf16": dict(hidden_size=36, num_attention_heads=3, num_hidden_layers=1,
                      intermediate_size=7, dtype=torch.bfloat16),
    "bert-sharded": dict(hidden_size=20, num_attention_heads=4, num_hidden_layers=2,
                         intermediate_size=9, shards=3),
    "bert-st5-cls": dict(hidden_size=20, num_attention_heads=4, num_hidden_layers=1,
                         intermediate_size=9, st=5, pooling="cls", normalize=True,
                         prompts={"query": "query: ", "passage": "the data "}),
    "bert-st5-prompt": dict(hidden_size=20, num_attention_heads=4, num_hidden_layers=1,
                            intermediate_size=9, st=5, pooling="mean", normalize=True,
                            include_prompt=False, default="query",
                            prompts={"query": "query: ", "none": ""}),
    "bert-st5-sqrt": dict(hidden_size=20, num_attention_heads=4, num_hidden_layers=1,
                          intermediate_size=9, st=5, pooling="mean_sqrt_len_tokens",
                          normalize=False),
    "bert-st6-max": dict(hidden_size=20, num_attention_heads=4, num_hidden_layers=1,
                         intermediate_size=9, st=6, pooling="max", normalize=False,
                         include_prompt=False, prompts={"query": "query: "}),
    "bert-st6-weighted": dict(hidden_size=20, num_attention_heads=4, num_hidden_layers=1,
                              intermediate_size=9, st=6, pooling="weightedmean", normalize=True,
                              include_prompt=False, prompts={"query": "query: "}),
    "bert-st6-last": dict(hidden_size=20, num_attention_heads=4, num_hidden_layers=1,
                          intermediate_size=9, st=6, pooling="lasttoken", normalize=True),
    "bert-st6-cls": dict(hidden_size=20, num_attention_heads=4, num_hidden_layers=1,
                         intermediate_size=9, st=6, pooling="cls", normalize=True,
                         include_prompt=False, prompts={"query": "query: "}),
}
OWN = {"naming", "dtype", "shards", "st", "pooling", "normalize", "include_prompt", "default",
       "prompts", "pooler", "spare_rows", "embedding_scale"}

# Pooling modes as sentence-transformers before 6 wrote them.
OLD_FLAGS = {
    "cls": "pooling_mode_cls_token",
    "mean": "pooling_mode_mean_tokens",
    "max": "pooling_mode_max_tokens",
    "mean_sqrt_len_tokens": "pooling_mode_mean_sqrt_len_tokens",
    "weightedmean": "pooling_mode_weightedmean_tokens",
    "lasttoken": "pooling_mode_lasttoken",
}

WINDOW = 24


def check_versions():
    for module, wanted in PINNED.items():
        found = module.__version__.split("+")[0]
        if found != wanted:
            sys.exit(f"make-golden: {module.__name__} is {found}, wanted {wanted}")


def write_json(path, value):
    with open(path, "w", encoding="utf-8", newline="\n") as out:
        json.dump(value, out, indent=1, ensure_ascii=True)
        out.write("\n")


def make_tokenizer(folder):
    vocabulary = {token: i for i, token in enumerate(VOCABULARY)}
    tokenizer = tokenizers.Tokenizer(
        tokenizers.models.WordPiece(vocabulary, unk_token="[UNK]", max_input_chars_per_word=100))
    tokenizer.normalizer = tokenizers.normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = tokenizers.decoders.WordPiece()
    tokenizer.add_special_tokens(SPECIAL)
    tokenizer.post_processor = tokenizers.processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", 2), ("[SEP]", 3)])
    tokenizer.save(os.path.join(folder, "tokenizer.json"))
    write_json(os.path.join(folder, "tokenizer_config.json"), {
        "cls_token": "[CLS]", "do_lower_case": True, "mask_token": "[MASK]",
        "model_max_length": WINDOW, "pad_token": "[PAD]", "sep_token": "[SEP]",
        "strip_accents": None, "tokenize_chinese_chars": True,
        "tokenizer_class": "BertTokenizer", "unk_token": "[UNK]"})


def make_model(spec, seed):
    """A BertModel whose weights are N(0, .2), gains 1 + N(0, .2), as rounded by its dtype."""
    config = dict(vocab_size=len(VOCABULARY) + spec.get("spare_rows", 0),
                  max_position_embeddings=WINDOW, type_vocab_size=2,
                  attn_implementation="eager")
    config.update({key: value for key, value in spec.items() if key not in OWN})
    model = transformers.BertModel(transformers.BertConfig(**config),
                                   add_pooling_layer=spec.get("pooler", True))
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            value = torch.randn(weight.shape, generator=generator) * 0.2
            if name.endswith("LayerNorm.weight"):
                value += 1
            if name.startswith("embeddings.") and name.endswith("embeddings.weight"):
                value *= spec.get("embedding_scale", 1)
            weight.copy_(value.to(spec.get("dtype", torch.float32)))
    return model.eval()


def rename_tensors(state, naming):
    """The names that older files and other trainers use."""
    if naming == "gamma":
        return {"bert." + name.replace("LayerNorm.weight", "LayerNorm.gamma")
                .replace("LayerNorm.bias", "LayerNorm.beta"): value
                for name, value in state.items()}
    if naming == "auto_model":
        return {"0.auto_model." + name: value for name, value in state.items()}
    if naming == "fused":
        fused = {}
        for name, value in state.items():
            if ".self.query." in name:
                parts = [state[name.replace("query", part)] for part in ("query", "key", "value")]
                fused[name.replace("query", "qkv")] = torch.cat(parts)
            elif ".self." not in name:
                fused[name] = value
        return fused
    return state


def save_tensors(state, path):
    safetensors.torch.save_file(state, path)
    os.chmod(path, 0o644)  # it is written for the owner alone


def write_weights(model, spec, folder):
    state = {name: value.to(spec.get("dtype", torch.float32)).contiguous()
             for name, value in model.state_dict().items() if "position_ids" not in name}
    state = rename_tensors(state, spec.get("naming"))
    if spec.get("naming") == "gamma":  # a buffer that older files hold, to be ignored
        state["bert.embeddings.position_ids"] = torch.arange(WINDOW).unsqueeze(0)
    count = spec.get("shards", 1)
    if count == 1:
        save_tensors(state, os.path.join(folder, "model.safetensors"))
        return
    index = {}
    names = sorted(state)
    for shard in range(count):
        file = f"model-{shard + 1:05}-of-{count:05}.safetensors"
        part = {name: state[name] for name in names[shard::count]}
        save_tensors(part, os.path.join(folder, file))
        index.update({name: file for name in part})
    write_json(os.path.join(folder, "model.safetensors.index.json"), {
        "metadata": {"total_size": sum(v.numel() * v.element_size() for v in state.values())},
        "weight_map": dict(sorted(index.items()))})


def write_config(model, spec, folder):
    config = model.config.to_dict()
    if spec.get("naming") or spec.get("st") == 5:  # as transformers 4 writes it
        config = {key: config[key] for key in
                  ("hidden_act", "hidden_size", "initializer_range", "intermediate_size",
                   "layer_norm_eps", "max_position_embeddings", "model_type",
                   "num_attention_heads", "num_hidden_layers", "pad_token_id",
                   "type_vocab_size", "vocab_size")}
        config.update(architectures=["BertModel"], position_embedding_type="absolute",
                      torch_dtype="float32", transformers_version="4.41.0")
    else:
        config = json.loads(model.config.to_json_string())
        config["architectures"] = ["BertModel"]
    write_json(os.path.join(folder, "config.json"), config)


def write_st5(spec, folder):
    """What sentence-transformers 5 and older wrote, by hand: the installed one writes the other."""
    prefix = "sentence_transformers.models."
    modules = [{"idx": 0, "name": "0", "path": "", "type": prefix + "Transformer"},
               {"idx": 1, "name": "1", "path": "1_Pooling", "type": prefix + "Pooling"}]
    if spec["normalize"]:
        modules.append({"idx": 2, "name": "2", "path": "2_Normalize",
                        "type": prefix + "Normalize"})
    write_json(os.path.join(folder, "modules.json"), modules)
    write_json(os.path.join(folder, "sentence_bert_config.json"),
               {"max_seq_length": 16, "do_lower_case": False})
    pooling = {"word_embedding_dimension": spec["hidden_size"],
               "include_prompt": spec.get("include_prompt", True)}
    pooling.update({flag: mode == spec["pooling"] for mode, flag in OLD_FLAGS.items()})
    os.makedirs(os.path.join(folder, "1_Pooling"))
    write_json(os.path.join(folder, "1_Pooling", "config.json"), pooling)
    write_json(os.path.join(folder, "config_sentence_transformers.json"), {
        "__version__": {"sentence_transformers": "5.0.0", "transformers": "4.41.0",
                        "pytorch": "2.3.0"},
        "prompts": spec.get("prompts", {}), "default_prompt_name": spec.get("default"),
        "similarity_fn_name": "cosine"})


def write_st6(spec, folder):
    """What the installed sentence-transformers writes, by itself."""
    from sentence_transformers.sentence_transformer import modules as st
    from sentence_transformers.base.modules.normalize import Normalize
    transformer = st.Transformer(folder)
    transformer.max_seq_length = 16
    modules = [transformer, st.Pooling(spec["hidden_size"], spec["pooling"],
                                       include_prompt=spec.get("include_prompt", True))]
    if spec["normalize"]:
        modules.append(Normalize())
    model = sentence_transformers.SentenceTransformer(modules=modules, device="cpu",
                                                      prompts=spec.get("prompts"))
    model.save(folder, create_model_card=False)
    for name in os.listdir(folder):
        if name not in {"config.json", "tokenizer.json", "tokenizer_config.json", "modules.json",
                        "model.safetensors", "sentence_bert_config.json", "1_Pooling",
                        "2_Normalize", "config_sentence_transformers.json"}:
            path = os.path.join(folder, name)
            shutil.rmtree(path) if os.path.isdir(path) else os.remove(path)
    os.chmod(os.path.join(folder, "model.safetensors"), 0o644)


def layers_of(model, ids, types):
    with torch.no_grad():
        out = model(input_ids=torch.tensor([ids]), token_type_ids=torch.tensor([types]),
                    output_hidden_states=True)
    return [layer[0].double() for layer in out.hidden_states]


def shorten(tensor):
    return [float(f"{value:.9g}") for value in tensor.flatten().tolist()]


def golden_hidden(model, spec, seed):
    """Hidden states of a few runs of ids; type ids as far as the model has them."""
    generator = torch.Generator().manual_seed(seed + 1000)
    cases, noise = [], 0.0
    types = spec.get("type_vocab_size", 2)
    for length in (1, 2, 11):
        ids = torch.randint(0, len(VOCABULARY), (length,), generator=generator).tolist()
        type_ids = torch.randint(0, types, (length,), generator=generator).tolist()
        if length == 11:
            type_ids[:types] = range(types)
        single = layers_of(model.float(), ids, type_ids)
        double = layers_of(model.double(), ids, type_ids)
        noise = max([noise] + [(a - b).abs().max().item() for a, b in zip(single, double)])
        cases.append({"ids": ids, "type_ids": type_ids,
                      "layers": [shorten(layer) for layer in double]})
    return {"noise": noise, "cases": cases}


def encode_case(model, text, name):
    options = dict(convert_to_numpy=True, show_progress_bar=False)
    if name is not None:
        options["prompt_name"] = name
    single = model.float().encode([text], **options)[0]
    double = model.double().encode([text], **options)[0]
    assert double.dtype == numpy.float64
    return single.astype(numpy.float64), double


def golden_texts(folder, spec):
    """Embeddings by sentence-transformers, which takes the mean of a folder that is not its own."""
    model = sentence_transformers.SentenceTransformer(folder, device="cpu")
    cases, noise = [], 0.0
    for text in TEXTS:
        for name in [None] + list(spec.get("prompts", {})):
            single, double = encode_case(model, text, name)
            noise = max(noise, numpy.abs(single - double).max())
            case = {"text": text, "embedding": shorten(torch.from_numpy(double))}
            if name is not None:
                case["prompt_name"] = name
            if name is None and not spec.get("default"):
                case["ids"] = model.preprocess([text])["input_ids"][0].tolist()
            cases.append(case)
    return {"noise": float(noise), "cases": cases}


def make_tiny(name, spec, seed):
    folder = os.path.join(TINY, name)
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    model = make_model(spec, seed)
    make_tokenizer(folder)
    write_config(model, spec, folder)
    # The reference reads today's names; files under other names are written once it is done.
    write_weights(model, {**spec, "naming": None, "shards": 1}, folder)
    if spec.get("st") == 5:
        write_st5(spec, folder)
    if spec.get("st") == 6:
        write_st6(spec, folder)
    golden = {"reference": {m.__name__: v for m, v in PINNED.items()},
              "hidden": golden_hidden(model, spec, seed), "texts": golden_texts(folder, spec)}
    if spec.get("naming") or spec.get("shards"):
        os.remove(os.path.join(folder, "model.safetensors"))
        write_weights(model.float(), spec, folder)
    with open(os.path.join(folder, "golden.json"), "w", encoding="utf-8", newline="\n") as out:
        json.dump(golden, out, separators=(",", ":"))
        out.write("\n")
    size = sum(os.path.getsize(os.path.join(base, file))
               for base, _, files in os.walk(folder) for file in files)
    print(f"{name}: {size} bytes, noise {golden['hidden']['noise']:.2e} hidden, "
          f"{golden['texts']['noise']:.2e} texts")
    assert size <= 200_000, name


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minilm", metavar="FOLDER", help="folder of all-MiniLM-L6-v2")
    arguments = parser.parse_args()
    check_versions()
    torch.set_num_threads(1)
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    if arguments.minilm:
        import minilm_texts  # beside this file
        minilm_texts.make(arguments.minilm, MINILM)
        return
    for seed, (name, spec) in enumerate(FOLDERS.items()):
        make_tiny(name, spec, seed)


if __name__ == "__main__":
    main()
