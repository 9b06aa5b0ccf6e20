"""Folders that are unusual and sound: they must be accepted."""
import json

from folder import ACCEPTED, CONFIG, MISSING, TOKENIZER, TOKENIZER_CONFIG, WEIGHTS, Case, dump, join, pack


def tensors(model):
    weights = model.weights()
    sound = weights.tensors()
    for what, extra in (
            ("position-ids", ("embeddings.position_ids", "I64", [1, 24], b"\0" * 192)),
            ("position-ids-I32", ("embeddings.position_ids", "I32", [1, 24], b"\0" * 96)),
            ("tied-decoder", ("cls.predictions.decoder.weight", "F32", [83, 36], b"\0" * 83 * 36 * 4)),
            ("poisoned-but-unused", ("cls.seq_relationship.bias", "F32", [2], b"\xff" * 8)),
            ("scalar", ("num_batches_tracked", "I64", [], b"\0" * 8)), ("bool", ("mask", "BOOL", [8], b"\1" * 8)),
            ("rank-8", ("deep", "U8", [1] * 8, b"\0")),
            ("odd-name", ("\u00e9 \U0001f600 %s\n", "U8", [1], b"\0"))):
        yield Case(f"odd-{what}", ACCEPTED, {WEIGHTS: pack(sound + [extra])})
        yield Case(f"odd-{what}-first", ACCEPTED, {WEIGHTS: pack([extra] + sound)})
    yield Case("odd-tensors-reversed", ACCEPTED, {WEIGHTS: pack(sound[::-1])})
    yield Case("odd-header-reversed", ACCEPTED,
               {WEIGHTS: join(dict(reversed(weights.header.items())), weights.data)})
    yield Case("odd-header-padded", ACCEPTED, {WEIGHTS: join(dump(weights.header) + b" " * 5000, weights.data)})
    yield Case("odd-header-unaligned", ACCEPTED,
               {WEIGHTS: join(json.dumps(weights.header, indent=1).encode() + b"\n ", weights.data)})
    yield Case("odd-header-escaped", ACCEPTED,
               {WEIGHTS: join(dump(weights.header).replace(b"embeddings", b"\\u0065mbeddings"), weights.data)})
    for what, value in (("null", None), ("empty", {}), ("strings", {"format": "pt", "x": "\u0000"})):
        yield Case(f"odd-metadata-{what}", ACCEPTED, {WEIGHTS: pack(sound, metadata=value)})
    for prefix in ("bert.", "model.", "module.bert.", "0.auto_model."):
        yield Case(f"odd-prefix-{prefix}", ACCEPTED,
                   {WEIGHTS: pack([(prefix + name, *rest) for name, *rest in sound])})
    yield Case("odd-no-pooler", ACCEPTED,
               {WEIGHTS: pack([tensor for tensor in sound if not tensor[0].startswith("pooler.")])})
    # One dtype for each tensor: what is read is converted by itself.
    mixed = [(name, "F64", shape, b"\0" * 2 * len(raw)) if name.endswith("bias") else (name, dtype, shape, raw)
             for name, dtype, shape, raw in sound]
    yield Case("odd-mixed-dtypes", ACCEPTED, {WEIGHTS: pack(mixed)})


def settings(model):
    rows = [(name, dtype, [90, 36], raw + b"\0" * 7 * 36 * 4)
            if name == "embeddings.word_embeddings.weight" else (name, dtype, shape, raw)
            for name, dtype, shape, raw in model.weights().tensors()]
    yield Case("odd-spare-rows", ACCEPTED, {
        WEIGHTS: pack(rows), CONFIG: model.edited(CONFIG, lambda config: config.update(vocab_size=90))})
    for what, changes in (("unknown-keys", {"x": [1, {"y": None}], "auto_map": {}}),
                          ("one-head", {"num_attention_heads": 1}), ("36-heads", {"num_attention_heads": 36}),
                          ("dtype", {"torch_dtype": "float16", "dtype": "bfloat16"}),
                          ("absolute", {"position_embedding_type": "absolute"})):
        yield Case(f"odd-config-{what}", ACCEPTED, {CONFIG: model.edited(CONFIG, lambda config: config.update(changes))})
    yield Case("odd-config-eps-left-out", ACCEPTED, {CONFIG: model.edited(
        CONFIG, lambda config: {key: config[key] for key in config if key != "layer_norm_eps"})})
    yield Case("odd-config-deep", ACCEPTED, {CONFIG: model.files[CONFIG].strip()[:-1] + b', "x": ' + b"[" * 127 + b"]" * 127 + b"}"})
    yield Case("odd-no-tokenizer-config", ACCEPTED, {TOKENIZER_CONFIG: MISSING})
    yield Case("odd-code-in-folder", ACCEPTED, {"modeling_evil.py": b"import os; os.abort()", "pytorch_model.bin": b"x"})
    for what, key, value in (("no-added", "added_tokens", []), ("no-normalizer", "normalizer", None),
                             ("no-pre-tokenizer", "pre_tokenizer", None), ("no-decoder", "decoder", None),
                             ("no-post-processor", "post_processor", None),
                             ("truncation", "truncation", {"max_length": 1, "strategy": "?"}),
                             ("no-version", "version", None)):
        yield Case(f"odd-tokenizer-{what}", ACCEPTED,
                   {TOKENIZER: model.edited(TOKENIZER, lambda root: root.update({key: value}))})


def cases(models, effort):
    yield from tensors(models["bert"])
    yield from settings(models["bert"])
    for name in sorted(models):
        yield Case(f"odd-sound-{name}", ACCEPTED, {}, (), name)
