"""Files of sentence-transformers: pipelines, pooling, prompts that are wrong or not supported."""
from folder import (ACCEPTED, BAD_MODEL, CONFIG, DENIED, MISSING, NO_FILE, UNSUPPORTED, Case, dump)

OLD, NEW = "bert-st5-cls", "bert-st6-cls"
MODULES, POOLING = "modules.json", "1_Pooling/config.json"
SENTENCE, PROMPTS = "sentence_bert_config.json", "config_sentence_transformers.json"
NORMALIZE = "2_Normalize/config.json"
STEPS, DENSE = "bert-st6-steps", "3_Dense/config.json"
SPARSE, SPLADE = "bert-splade", "1_SpladePooling/config.json"
PATH = "sentence_transformers.models."


def module(kind, path="", **members):
    return {"idx": 0, "name": kind, "path": path, "type": PATH + kind, **members}


FIRST, SECOND, THIRD = module("Transformer"), module("Pooling", "1_Pooling"), module("Normalize", "2_Normalize")


def pipelines(models):
    for what, state, value, *said in (
            ("empty", UNSUPPORTED, []), ("no-pooling", UNSUPPORTED, [FIRST]),
            ("no-transformer", UNSUPPORTED, [SECOND]), ("reversed", UNSUPPORTED, [SECOND, FIRST]),
            ("two-transformers", UNSUPPORTED, [FIRST, FIRST, SECOND], "type"),
            ("two-poolings", UNSUPPORTED, [FIRST, SECOND, SECOND], "type"),
            ("two-normalizes", BAD_MODEL, [FIRST, SECOND, THIRD, THIRD], "path"),
            ("normalizes", ACCEPTED, [FIRST, SECOND, THIRD, module("Normalize", "x", name="3")]),
            ("normalize-first", UNSUPPORTED, [THIRD, FIRST, SECOND], "type"),
            ("dense", NO_FILE, [FIRST, SECOND, module("Dense", "2_Dense")]),
            ("dense-first", UNSUPPORTED, [FIRST, module("Dense", "2_Dense"), SECOND], "Dense"),
            ("cnn", UNSUPPORTED, [FIRST, SECOND, module("CNN", "2_CNN")], "CNN"),
            ("layer-norm", NO_FILE, [FIRST, SECOND, module("LayerNorm", "2_LayerNorm")]),
            ("clip", UNSUPPORTED, [module("CLIPModel")], "CLIPModel"),
            ("subfolder", NO_FILE, [module("Transformer", "0_Transformer"), SECOND]),
            ("subfolder-parent", DENIED, [module("Transformer", "../0_Transformer"), SECOND]),
            ("subfolder-shared", BAD_MODEL, [module("Transformer", "1_Pooling"), SECOND], "path"),
            ("class-elsewhere", UNSUPPORTED, [{**FIRST, "type": "custom_st.Transformer"}, SECOND], "custom_st"),
            ("class-bare", UNSUPPORTED, [{**FIRST, "type": "Transformer"}, SECOND], "type"),
            ("name-twice", BAD_MODEL, [FIRST, {**SECOND, "name": "Transformer"}], "name"),
            ("name-number", ACCEPTED, [FIRST, {**SECOND, "name": 5}]),
            ("class-code", UNSUPPORTED, [{**FIRST, "type": "__import__('os').system('id')"}, SECOND], "type"),
            ("class-nul", BAD_MODEL, [{**FIRST, "type": PATH + "Transformer\0"}, SECOND], "type"),
            ("class-null", BAD_MODEL, [{**FIRST, "type": None}, SECOND], "type"),
            ("class-number", BAD_MODEL, [{**FIRST, "type": 5}, SECOND], "type"),
            ("class-missing", BAD_MODEL, [{"path": ""}, SECOND], "type"),
            ("class-empty", UNSUPPORTED, [{**FIRST, "type": ""}, SECOND], "type"),
            ("entry-null", BAD_MODEL, [None], "type"), ("entry-text", BAD_MODEL, ["Transformer"], "type"),
            ("path-number", BAD_MODEL, [FIRST, module("Pooling", 5)], "path"),
            ("path-nul", BAD_MODEL, [FIRST, module("Pooling", "1_Pooling\0")], "path"),
            ("path-parent", DENIED, [FIRST, module("Pooling", "../1_Pooling")]),
            ("path-parent-inside", DENIED, [FIRST, module("Pooling", "x/../1_Pooling")]),
            ("path-absolute", DENIED, [FIRST, module("Pooling", "/etc")]),
            ("path-dot", ACCEPTED, [FIRST, module("Pooling", "./1_Pooling")]),
            ("path-slash", ACCEPTED, [FIRST, module("Pooling", "1_Pooling/")]),
            ("path-slashes", ACCEPTED, [module("Transformer", "./."), module("Pooling", "1_Pooling//.//")]),
            ("path-empty", BAD_MODEL, [FIRST, module("Pooling", "")], "path"),
            ("path-long", DENIED, [FIRST, module("Pooling", "x" * 60000)]),
            ("path-twice", BAD_MODEL, [FIRST, SECOND, module("Normalize", "1_Pooling")], "path"),
            ("path-elsewhere", NO_FILE, [FIRST, module("Pooling", "9_Pooling")]),
            ("thousand", UNSUPPORTED, [FIRST, SECOND] + [module("Normalize", str(n), name=str(n + 9)) for n in range(500)]),
            ("object", BAD_MODEL, {}, MODULES), ("null", BAD_MODEL, None, MODULES)):
        yield Case(f"modules-{what}", state, {MODULES: dump(value)}, (MODULES, *said) if said else (), OLD)


def pooling(models):
    old, new = models[OLD], models[NEW]
    for what, state, changes, *said in (
            ("two-ways", BAD_MODEL, {"pooling_mode_mean_tokens": True, "word_embedding_dimension": 40}, "embedding_dimension"),
            ("unknown-way", UNSUPPORTED, {"pooling_mode_cls_token": False, "pooling_mode_other": True}, "pooling_mode_other"),
            ("flag-number", BAD_MODEL, {"pooling_mode_cls_token": 1}, "pooling_mode_cls_token"),
            ("flag-text", BAD_MODEL, {"pooling_mode_cls_token": "true"}, "pooling_mode_cls_token"),
            ("width-0", BAD_MODEL, {"word_embedding_dimension": 0}, "word_embedding_dimension"),
            ("width-minus-1", BAD_MODEL, {"word_embedding_dimension": -1}, "word_embedding_dimension"),
            ("width-2e31", BAD_MODEL, {"word_embedding_dimension": 2**31}, "word_embedding_dimension"),
            ("width-2e63", BAD_MODEL, {"word_embedding_dimension": 2**63}, "word_embedding_dimension"),
            ("width-text", BAD_MODEL, {"word_embedding_dimension": "20"}, "word_embedding_dimension"),
            ("width-float", BAD_MODEL, {"word_embedding_dimension": 20.0}, "word_embedding_dimension"),
            ("width-other", BAD_MODEL, {"word_embedding_dimension": 21}, "embedding_dimension"),
            ("prompt-text", BAD_MODEL, {"include_prompt": "no"}, "include_prompt")):
        yield Case(f"pooling-{what}", state, {POOLING: old.edited(POOLING, lambda json: json.update(changes))},
                   tuple(said), OLD)
    for what, state, changes, *said in (
            ("mode-unknown", UNSUPPORTED, {"pooling_mode": "median"}, "median"),
            ("mode-nul", UNSUPPORTED, {"pooling_mode": "cls\0"}), ("mode-empty", UNSUPPORTED, {"pooling_mode": ""}),
            ("mode-nine", UNSUPPORTED, {"pooling_mode": ["cls"] * 9}, "pooling_mode"),
            ("mode-second", UNSUPPORTED, {"pooling_mode": ["cls", "sum"]}, "pooling_mode"),
            ("mode-none", UNSUPPORTED, {"pooling_mode": []}, "pooling_mode"),
            ("mode-nested", UNSUPPORTED, {"pooling_mode": [["cls"]]}, "pooling_mode"),
            ("mode-number", UNSUPPORTED, {"pooling_mode": 5}, "pooling_mode"),
            ("both-widths", BAD_MODEL, {"embedding_dimension": 19}, "embedding_dimension")):
        yield Case(f"pooling-{what}", state, {POOLING: new.edited(POOLING, lambda json: json.update(changes))},
                   tuple(said), NEW)
    for what, value in (("list", []), ("null", None), ("text", "cls")):
        yield Case(f"pooling-is-{what}", BAD_MODEL, {POOLING: dump(value)}, (POOLING,), OLD)
    yield Case("pooling-missing", NO_FILE, {POOLING: MISSING}, (POOLING,), OLD)
    yield Case("pooling-is-folder", DENIED, {POOLING: MISSING, POOLING + "/x": b""}, (POOLING,), OLD)
    for what, state, value in (("other-input", UNSUPPORTED, {"module_input_name": "token_embeddings"}),
                               ("input-number", BAD_MODEL, {"module_input_name": 5}), ("list", BAD_MODEL, [])):
        yield Case(f"normalize-{what}", state, {NORMALIZE: dump(value)}, (NORMALIZE,), NEW)


def dense(models):
    """A chain of modules of other widths: what one says of itself, and its tensors."""
    base = models[STEPS]
    for what, state, changes, *said in (
            ("in-0", BAD_MODEL, {"in_features": 0}, "in_features"), ("in-61", BAD_MODEL, {"in_features": 61}, "in_features"),
            ("in-2e31", BAD_MODEL, {"in_features": 2**31}, "in_features"),
            ("in-2e20", BAD_MODEL, {"in_features": 2**20}, "in_features"),
            ("in-text", BAD_MODEL, {"in_features": "60"}, "in_features"), ("in-none", BAD_MODEL, {"in_features": None}, "in_features"),
            ("out-2e20", BAD_MODEL, {"out_features": 2**20}, "linear.weight"),
            ("out-13", BAD_MODEL, {"out_features": 13}, "linear.weight"), ("bias", BAD_MODEL, {"bias": True}, "linear.bias"),
            ("bias-1", BAD_MODEL, {"bias": 1}, "bias"),
            ("residual", BAD_MODEL, {"use_residual": True}, "residual.weight"),
            ("softmax", UNSUPPORTED, {"activation_function": "torch.nn.modules.activation.Softmax"}, "Softmax"),
            ("code", ACCEPTED, {"activation_function": "os.system"}), ("dot", UNSUPPORTED, {"activation_function": "torch."}),
            ("act-number", BAD_MODEL, {"activation_function": 5}, "activation_function"),
            ("act-long", UNSUPPORTED, {"activation_function": "torch." + "x" * 50_000}, "activation_function"),
            ("tokens", UNSUPPORTED, {"module_input_name": "token_embeddings"}, "module_input_name")):
        yield Case(f"dense-{what}", state, {DENSE: base.edited(DENSE, lambda json: json.update(changes))},
                   (DENSE.split("/")[0], *said) if state != ACCEPTED else (), STEPS)
    weights = "3_Dense/model.safetensors"
    yield Case("dense-no-weights", NO_FILE, {weights: MISSING}, (weights,), STEPS)
    yield Case("dense-empty-weights", BAD_MODEL, {weights: b""}, (weights,), STEPS)
    yield Case("dense-other-weights", BAD_MODEL, {weights: base.files["4_LayerNorm/model.safetensors"]}, (weights,), STEPS)


def sparse(models):
    """A sparse encoder: what its pooling says, what may stand around it, and what its transformer gives."""
    base = models[SPARSE]
    for what, state, changes, *said in (
            ("strategy-mean", UNSUPPORTED, {"pooling_strategy": "mean"}, "pooling_strategy"),
            ("strategy-number", BAD_MODEL, {"pooling_strategy": 5}, "pooling_strategy"),
            ("strategy-null", ACCEPTED, {"pooling_strategy": None}),
            ("activation-tanh", UNSUPPORTED, {"activation_function": "tanh"}, "activation_function"),
            ("activation-list", BAD_MODEL, {"activation_function": ["relu"]}, "activation_function"),
            ("width", ACCEPTED, {"embedding_dimension": 2**63})):
        yield Case(f"splade-{what}", state, {SPLADE: base.edited(SPLADE, lambda json: json.update(changes))},
                   (SPLADE, *said) if said else (), SPARSE)
    masked, splade = module("MLMTransformer"), module("SpladePooling", "1_SpladePooling")
    for what, state, value in (
            ("normalize", UNSUPPORTED, [masked, splade, THIRD]), ("dense", UNSUPPORTED, [masked, splade, module("Dense", "2_Dense")]),
            ("first", UNSUPPORTED, [splade, masked]), ("alone", UNSUPPORTED, [splade]), ("masked-alone", UNSUPPORTED, [masked]),
            ("twice", UNSUPPORTED, [masked, splade, module("SpladePooling", "2_SpladePooling")])):
        yield Case(f"splade-modules-{what}", state, {MODULES: dump(value)}, (MODULES,), SPARSE)
    for what, value in (("missing", MISSING), ("null", dump(None))):
        yield Case(f"splade-pooling-{what}", NO_FILE if value is MISSING else BAD_MODEL, {SPLADE: value}, (SPLADE,), SPARSE)
    yield Case("splade-hidden-states", UNSUPPORTED,
               {SENTENCE: base.edited(SENTENCE, lambda json: json.update(transformer_task="feature-extraction"))},
               (SENTENCE, "transformer_task"), SPARSE)
    yield Case("splade-no-settings", UNSUPPORTED, {SENTENCE: MISSING, MODULES: dump([FIRST, splade])}, (MODULES, "type"), SPARSE)


def words(models):
    """Words between white space: their list, stop words, weights, and counts of them."""
    listed, bag = "whitespacetokenizer_config.json", "0_BoW/config.json"
    for what, state, changes, *said in (
            ("no-words", BAD_MODEL, {"vocab": []}, "vocab"), ("null", BAD_MODEL, {"vocab": None}, "vocab"),
            ("number", BAD_MODEL, {"vocab": ["a", 5]}, "vocab"), ("object", BAD_MODEL, {"vocab": {"a": 0}}, "vocab"),
            ("repeated", ACCEPTED, {"vocab": ["the", "cat", "the"]}), ("empty-word", ACCEPTED, {"vocab": ["", "the", "cat", "a"]}),
            ("nul", ACCEPTED, {"vocab": ["a\0b", "the", "cat"]}), ("long-word", ACCEPTED, {"vocab": ["x" * 900_000, "the", "cat"]}),
            ("more-words", BAD_MODEL, {"vocab": [f"w{i}" for i in range(26)]}, "vocab"),
            ("many-words", BAD_MODEL, {"vocab": [f"w{i}" for i in range(70_000)]}, "vocab"),
            ("stop-null", BAD_MODEL, {"stop_words": None}, "stop_words"), ("stop-number", BAD_MODEL, {"stop_words": [1]}, "stop_words"),
            ("stop-all", ACCEPTED, {"stop_words": ["the", "the", "cat", ""]}),
            ("lower-text", BAD_MODEL, {"do_lower_case": "yes"}, "do_lower_case"), ("unknown-key", ACCEPTED, {"x": [[[]]]})):
        yield Case(f"whitespace-{what}", state, {listed: models["words-lower"].edited(listed, lambda json: json.update(changes))},
                   (listed, *said) if state != ACCEPTED else (), "words-lower")
    for what, state, changes, *said in (
            ("no-words", BAD_MODEL, {"vocab": []}, "vocab"), ("number", BAD_MODEL, {"vocab": [5]}, "vocab"),
            ("wide", UNSUPPORTED, {"vocab": [f"w{i}" for i in range(70_000)]}, "70000"),
            ("weights-list", BAD_MODEL, {"word_weights": [1]}, "word_weights"), ("weight-text", BAD_MODEL, {"word_weights": {"a": "b"}}, "a"),
            ("weight-huge", BAD_MODEL, {"word_weights": {"a": 1e39}}, "a"), ("weight-null", BAD_MODEL, {"word_weights": {"a": None}}, "a"),
            ("other-text", BAD_MODEL, {"unknown_word_weight": "1"}, "unknown_word_weight")):
        yield Case(f"bag-{what}", state, {bag: models["words-bag"].edited(bag, lambda json: json.update(changes))}, (bag, *said), "words-bag")
    yield Case("bag-missing", NO_FILE, {bag: MISSING}, (bag,), "words-bag")
    yield Case("whitespace-missing", NO_FILE, {listed: MISSING}, (listed,), "words-lower")


def windows(models):
    old, new = models[OLD], models[NEW]
    for what, state, key, value in (
            ("0", BAD_MODEL, "max_seq_length", 0), ("minus-1", BAD_MODEL, "max_seq_length", -1),
            ("2e31", BAD_MODEL, "max_seq_length", 2**31), ("text", BAD_MODEL, "max_seq_length", "16"),
            ("half", BAD_MODEL, "max_seq_length", 16.5), ("2", BAD_MODEL, "max_seq_length", 2),
            ("3", ACCEPTED, "max_seq_length", 3), ("null", ACCEPTED, "max_seq_length", None),
            ("1000000", ACCEPTED, "max_seq_length", 10**6),
            ("lower-text", BAD_MODEL, "do_lower_case", "yes")):
        yield Case(f"window-{what}", state, {SENTENCE: old.edited(SENTENCE, lambda json: json.update({key: value}))},
                   (SENTENCE, key) if state != ACCEPTED and what != "2" else (), OLD)
    for what, state, key, value in (
            ("task", UNSUPPORTED, "transformer_task", "text-generation"), ("output", UNSUPPORTED, "module_output_name", "x"),
            ("task-number", BAD_MODEL, "transformer_task", 5)):
        yield Case(f"transformer-{what}", state, {SENTENCE: new.edited(SENTENCE, lambda json: json.update({key: value}))},
                   (SENTENCE, key), NEW)
    for key in ("tokenizer_args", "processor_kwargs", "processing_kwargs", "config_args", "config_kwargs", "model_args",
                "model_kwargs", "modality_config", "query_length", "query_expansion"):
        for what, state, value in (("number", UNSUPPORTED, 5), ("deep", UNSUPPORTED, {"a": [[[{"b": ["c" * 9000]}]]]}),
                                   ("empty", ACCEPTED, {})):
            yield Case(f"{key}-{what}", state, {SENTENCE: new.edited(SENTENCE, lambda json: json.update({key: value}))},
                       (SENTENCE, key) if state != ACCEPTED else (), NEW)
    for what, value in (("list", []), ("null", None)):
        yield Case(f"sentence-is-{what}", BAD_MODEL, {SENTENCE: dump(value)}, (SENTENCE,), OLD)


def prompts(models):
    base = "bert-st5-prompt"
    for what, state, value, *said in (
            ("default-unknown", BAD_MODEL, {"prompts": {"a": "b"}, "default_prompt_name": "c"}, "default_prompt_name"),
            ("default-number", BAD_MODEL, {"prompts": {}, "default_prompt_name": 5}, "default_prompt_name"),
            ("default-nul", BAD_MODEL, {"prompts": {"a": "b"}, "default_prompt_name": "a\0"}, "default_prompt_name"),
            ("default-alone", BAD_MODEL, {"default_prompt_name": "a"}, "default_prompt_name"),
            ("list", BAD_MODEL, {"prompts": ["a"]}, "prompts"), ("text", BAD_MODEL, {"prompts": "a"}, "prompts"),
            ("value-number", BAD_MODEL, {"prompts": {"a": 5}}, "a"), ("value-list", BAD_MODEL, {"prompts": {"a": []}}, "a"),
            ("value-nul", BAD_MODEL, {"prompts": {"a": "b\0c"}}, "a"), ("name-nul", BAD_MODEL, {"prompts": {"a\0": "b"}}),
            ("is-list", BAD_MODEL, []), ("is-null", BAD_MODEL, None),
            ("cut-0", BAD_MODEL, {"truncate_dim": 0}, "truncate_dim"),
            ("cut-minus-1", BAD_MODEL, {"truncate_dim": -1}, "truncate_dim"),
            ("cut-text", BAD_MODEL, {"truncate_dim": "8"}, "truncate_dim"),
            ("cut-list", BAD_MODEL, {"truncate_dim": [8]}, "truncate_dim"),
            ("cut-2e63", BAD_MODEL, {"truncate_dim": 2**63}, "truncate_dim"),
            ("cut-2e62", ACCEPTED, {"truncate_dim": 2**62}), ("cut-1", ACCEPTED, {"truncate_dim": 1}),
            ("cross-encoder", UNSUPPORTED, {"model_type": "CrossEncoder"}, "model_type", "CrossEncoder"),
            ("cross-encoder-prompt", UNSUPPORTED, {"model_type": "CrossEncoder", "prompts": {"q": "a"}, "default_prompt_name": "q"},
                "model_type"),
            ("cross-encoder-activation", BAD_MODEL, {"model_type": "CrossEncoder", "activation_fn": 3}, "activation_fn"),
            ("type-long", UNSUPPORTED, {"model_type": "x" * 100_000}, "model_type"),
            ("unknown-keys", ACCEPTED, {f"k{n}": n for n in range(20_000)}),
            ("none", ACCEPTED, {"prompts": None, "default_prompt_name": None}), ("empty", ACCEPTED, {}),
            ("null-text", ACCEPTED, {"prompts": {"a": None}}), ("empty-name", ACCEPTED, {"prompts": {"": "x"}}),
            ("many", ACCEPTED, {"prompts": {f"p{n}": "x" * 20 for n in range(20_000)}}),
            ("long", ACCEPTED, {"prompts": {"a": "x" * 1_000_000}})):
        yield Case(f"prompts-{what}", state, {PROMPTS: dump(value)}, (PROMPTS, *said) if state != ACCEPTED else (), base)


def cases(models, effort):
    for part in (pipelines, pooling, dense, sparse, words, windows, prompts):
        yield from part(models)
