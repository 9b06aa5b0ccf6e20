"""Row 9: config.json says what cannot be, or what the weights do not hold."""
from folder import (ACCEPTED, BAD_JSON, BAD_MODEL, CONFIG, MISSING, NO_FILE, TOKENIZER, UNSUPPORTED,
                    WEIGHTS, Case, dump, join, pack)

COUNTS = ("vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size",
          "max_position_embeddings", "type_vocab_size")

# As they stand in the file. 1e400 is no double, NaN is no JSON.
VALUES = (("minus1", b"-1"), ("0", b"0"), ("minus0", b"-0"), ("1", b"1"), ("2e31", b"2147483648"),
          ("2e31-1", b"2147483647"), ("2e32", b"4294967296"), ("2e63", b"9223372036854775808"),
          ("2e64", b"18446744073709551616"), ("1e30", b"1e30"), ("1e400", b"1e400"), ("nan", b"NaN"),
          ("infinity", b"-Infinity"), ("text", b'"x"'), ("digits", b'"36"'), ("null", b"null"),
          ("half", b"1.5"), ("float", b"36.0"), ("true", b"true"), ("list", b"[36]"), ("object", b"{}"))
NO_JSON = {"1e400", "nan", "infinity"}

# What is another model and still a model: the first layers, one head.
FINE = {("num_hidden_layers", "1"), ("num_attention_heads", "1"), ("layer_norm_eps", "1")}

# Numbers for training that no import reads.
PASSED_OVER = ("attention_probs_dropout_prob", "hidden_dropout_prob", "initializer_range", "pad_token_id")


def with_value(model, key, value):
    """config.json with the bytes of one value replaced."""
    mark = b"a mark that stands nowhere else"
    text = model.edited(CONFIG, lambda config: config.update({key: mark.decode()}))
    return text.replace(b'"' + mark + b'"', value)


def numbers(model):
    for key in COUNTS + ("layer_norm_eps",):
        for what, value in VALUES:
            state = BAD_JSON if what in NO_JSON else ACCEPTED if (key, what) in FINE else BAD_MODEL
            # A value in range is contradicted by a tensor or by another key, which is then named.
            said = (key,) if state == BAD_MODEL and what != "1" else ()
            yield Case(f"config-{key}-{what}", state, {CONFIG: with_value(model, key, value)},
                       said + (() if state == ACCEPTED else (CONFIG,) if what != "1" else ()))
    for key in PASSED_OVER:
        for what, value in VALUES:
            state = BAD_JSON if what in NO_JSON else ACCEPTED
            if what in ("minus1", "nan", "text", "2e63"):
                yield Case(f"config-{key}-{what}", state, {CONFIG: with_value(model, key, value)})


def relations(model):
    """Settings that are possible, but not together or not with these weights."""
    for what, state, changes, *said in (
            ("heads-5", BAD_MODEL, {"num_attention_heads": 5}, "num_attention_heads", "hidden_size"),
            ("heads-72", BAD_MODEL, {"num_attention_heads": 72}, "num_attention_heads"),
            ("hidden-37", BAD_MODEL, {"hidden_size": 37}, "num_attention_heads"),
            ("hidden-48", BAD_MODEL, {"hidden_size": 48}, "embeddings.word_embeddings.weight"),
            ("layers-3", BAD_MODEL, {"num_hidden_layers": 3}, "encoder.layer.2."),
            ("layers-1024", BAD_MODEL, {"num_hidden_layers": 1024}, "encoder.layer.2."),
            ("layers-1025", BAD_MODEL, {"num_hidden_layers": 1025}, "num_hidden_layers"),
            ("inner-8", BAD_MODEL, {"intermediate_size": 8}, "intermediate.dense.weight"),
            ("vocab-84", BAD_MODEL, {"vocab_size": 84}, "embeddings.word_embeddings.weight"),
            ("vocab-82", BAD_MODEL, {"vocab_size": 82}, "embeddings.word_embeddings.weight"),
            ("positions-25", BAD_MODEL, {"max_position_embeddings": 25}, "position_embeddings.weight"),
            ("types-3", BAD_MODEL, {"type_vocab_size": 3}, "token_type_embeddings.weight"),
            ("eps-huge", BAD_MODEL, {"layer_norm_eps": 1e300}, "layer_norm_eps"),
            ("eps-tiny", BAD_MODEL, {"layer_norm_eps": 1e-300}, "layer_norm_eps"),
            ("no-type", BAD_MODEL, {"model_type": MISSING}, "model_type"),
            ("type-number", BAD_MODEL, {"model_type": 5}, "model_type"),
            ("type-null", BAD_MODEL, {"model_type": None}, "model_type"),
            ("type-other", UNSUPPORTED, {"model_type": "mamba"}, "model_type", "mamba"),
            ("type-case", UNSUPPORTED, {"model_type": "BERT"}, "model_type"),
            ("type-nul", UNSUPPORTED, {"model_type": "bert\0"}, "model_type"),
            ("type-long", UNSUPPORTED, {"model_type": "x" * 100000}, "model_type"),
            ("act-other", UNSUPPORTED, {"hidden_act": "gelu_10"}, "hidden_act"),
            ("act-number", BAD_MODEL, {"hidden_act": 5}, "hidden_act"),
            ("act-null", BAD_MODEL, {"hidden_act": None}, "hidden_act"),
            ("quantized", UNSUPPORTED, {"quantization_config": {"bits": 4}}, "quantization_config"),
            ("code", UNSUPPORTED, {"auto_map": {"AutoModel": "x.Y"}}, "auto_map"),
            ("classifier", BAD_MODEL, {"architectures": ["BertForSequenceClassification"]}, "classifier.weight"),
            ("labels-none", BAD_MODEL, {"architectures": ["BertForSequenceClassification"], "id2label": {}}, "id2label"),
            ("labels-number", BAD_MODEL, {"architectures": ["BertForSequenceClassification"], "num_labels": 1 << 40}, "num_labels"),
            ("answers", BAD_MODEL, {"architectures": ["BertForQuestionAnswering"]}, "qa_outputs.weight"),
            ("next-sentence", BAD_MODEL, {"architectures": ["BertForNextSentencePrediction"]}, "cls.seq_relationship.weight"),
            ("other-head", UNSUPPORTED, {"architectures": ["BertForMultipleChoice"]}, "architectures"),
            ("architecture-long", UNSUPPORTED, {"architectures": ["x" * 100000]}, "architectures"),
            ("architecture-number", UNSUPPORTED, {"architectures": [5]}, "architectures"),
            ("decoder", UNSUPPORTED, {"is_decoder": True}, "is_decoder"),
            ("decoder-number", BAD_MODEL, {"is_decoder": 1}, "is_decoder"),
            ("relative", UNSUPPORTED, {"position_embedding_type": "relative_key"}, "position_embedding_type"),
            ("position-null", UNSUPPORTED, {"position_embedding_type": None}, "position_embedding_type")):
        def change(config, changes=changes):
            return {key: value for key, value in {**config, **changes}.items() if value is not MISSING}

        yield Case(f"config-{what}", state, {CONFIG: model.edited(CONFIG, change)}, tuple(said))
    for what, text in (("list", b"[]"), ("string", b'"bert"'), ("number", b"5"), ("null", b"null")):
        yield Case(f"config-is-{what}", BAD_MODEL, {CONFIG: text}, (CONFIG,))
    yield Case("config-empty-object", BAD_MODEL, {CONFIG: b"{}"}, (CONFIG, "model_type"))


def tensors(model):
    """Every tensor that the family needs, missing or twice under names that mean the same."""
    weights = model.weights()
    for name in weights.names():
        left = [tensor for tensor in weights.tensors() if tensor[0] != name]
        if not name.startswith("pooler."):
            yield Case(f"without-{name}", BAD_MODEL, {WEIGHTS: pack(left)}, (name,))
    name = "encoder.layer.1.output.dense.weight"
    tensor = next(tensor for tensor in weights.tensors() if tensor[0] == name)
    for prefix in ("bert.", "model.", "0.auto_model.", "module.bert."):
        both = weights.tensors() + [(prefix + name, *tensor[1:])]
        yield Case(f"also-as-{prefix}", BAD_MODEL, {WEIGHTS: pack(both)}, (name,))
    yield Case("no-tensors", BAD_MODEL, {WEIGHTS: join({}, b"")}, ("word_embeddings",))
    yield Case("spare-rows-too-few", BAD_MODEL, {
        TOKENIZER: model.replaced(TOKENIZER, b'"##ing": 82', b'"##ing": 83')}, (TOKENIZER, "##ing", "82"))
    for file in (CONFIG, TOKENIZER, WEIGHTS):
        yield Case(f"no-{file}", NO_FILE, {file: MISSING}, (file,))
    yield Case("pickled", UNSUPPORTED, {WEIGHTS: MISSING, "pytorch_model.bin": b"\x80\x02"}, ("pytorch_model.bin",))
    yield Case("slow-tokenizer", NO_FILE, {TOKENIZER: MISSING, "vocab.json": b"{}"}, (TOKENIZER, "vocab.json"))
    yield Case("adapter", UNSUPPORTED, {"adapter_config.json": b"{}"}, ("adapter_config.json",))
    yield Case("weights-in-subfolder", NO_FILE,
               {WEIGHTS: MISSING, "0_Transformer/" + WEIGHTS: model.files[WEIGHTS]}, (WEIGHTS,))


def cases(models, effort):
    model = models["bert"]
    for part in (numbers, relations, tensors):
        yield from part(model)
