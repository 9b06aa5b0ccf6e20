"""Rows 12 and 13: tokenizer.json with ids that name no row, tokens that contradict, hostile patterns."""
import base64
import json

from folder import (ACCEPTED, BAD_JSON, BAD_MODEL, TOKENIZER, TOKENIZER_CONFIG, TOO_LARGE, UNSUPPORTED, Case,
                    MISSING)

SPECIAL_MAP, ADDED_TOKENS = "special_tokens_map.json", "added_tokens.json"


def changed(model, path, value):
    """tokenizer.json with the member at a path ("model", "vocab", "a") set, or taken out."""
    def change(root):
        place = root
        for step in path[:-1]:
            place = place[step]
        if value is MISSING:
            del place[path[-1]]
        elif isinstance(place, list) and path[-1] == len(place):
            place.append(value)
        else:
            place[path[-1]] = value
    return model.edited(TOKENIZER, change)


def table(model, prefix, rows):
    for what, state, path, value, *said in rows:
        yield Case(f"{prefix}-{what}", state, {TOKENIZER: changed(model, path, value)},
                   (TOKENIZER, *said) if state != ACCEPTED else ())


def added(**members):
    return {"id": 5, "content": "a", "single_word": False, "lstrip": False, "rstrip": False,
            "normalized": False, "special": False, **members}


def vocabulary(model):
    """Row 12: model.vocab."""
    vocab, entry = ("model", "vocab"), ("model", "vocab", "cat")
    yield from table(model, "vocab", (
        ("minus-1", BAD_MODEL, entry, -1, "cat", "-1"), ("rows", BAD_MODEL, entry, 83, "cat", "83"),
        ("2e31-1", BAD_MODEL, entry, 2**31 - 1, "cat"), ("2e31", BAD_MODEL, entry, 2**31, "cat"),
        ("2e32", BAD_MODEL, entry, 2**32 + 75, "cat"), ("2e63", BAD_MODEL, entry, 2**63, "cat"),
        ("2e64", BAD_MODEL, entry, 2**64 + 75, "cat"), ("minus-2e63", BAD_MODEL, entry, -2**63, "cat"),
        ("half", BAD_MODEL, entry, 75.5, "cat"), ("float", BAD_MODEL, entry, 75.0, "cat"),
        ("text", BAD_MODEL, entry, "75", "cat"), ("null", BAD_MODEL, entry, None, "cat"),
        ("true", BAD_MODEL, entry, True, "cat"), ("list", BAD_MODEL, entry, [75], "cat"),
        ("repeated", BAD_MODEL, entry, 76, "76"), ("repeats-special", BAD_MODEL, entry, 0, "0"),
        ("is-list", BAD_MODEL, vocab, [["a", 0]], "vocab"), ("is-null", BAD_MODEL, vocab, None, "vocab"),
        ("is-empty", BAD_MODEL, vocab, {}), ("is-text", BAD_MODEL, vocab, "a", "vocab"),
        ("missing", BAD_MODEL, vocab, MISSING, "vocab"),
        ("too-many", BAD_MODEL, vocab, {**model.json(TOKENIZER)["model"]["vocab"],
                                        **{f"w{n}": 83 + n for n in range(100_000)}}, "w0"),
        ("nul-token", ACCEPTED, ("model", "vocab"), {("a\0b" if k == "cat" else k): v for k, v in
                                                   model.json(TOKENIZER)["model"]["vocab"].items()}),
        ("empty-token", ACCEPTED, ("model", "vocab"), {("" if k == "cat" else k): v for k, v in
                                                     model.json(TOKENIZER)["model"]["vocab"].items()}),
        ("long-token", ACCEPTED, ("model", "vocab"), {("x" * 1_000_000 if k == "cat" else k): v for k, v in
                                                    model.json(TOKENIZER)["model"]["vocab"].items()})))


def added_tokens(model):
    """Row 12: added_tokens."""
    last = len(model.json(TOKENIZER)["added_tokens"])
    new = ("added_tokens", last)
    yield from table(model, "added", (
        ("minus-1", BAD_MODEL, new, added(id=-1)), ("2e31", BAD_MODEL, new, added(id=2**31)),
        ("2e63", BAD_MODEL, new, added(id=2**63)), ("text", BAD_MODEL, new, added(id="5")),
        ("no-id", BAD_MODEL, new, {"content": "a"}), ("no-content", BAD_MODEL, new, {"id": 5}),
        ("other-id", BAD_MODEL, new, added(id=6), "added_tokens"),
        ("beyond-rows", BAD_MODEL, new, added(id=83, content="new")),
        ("gap", BAD_MODEL, new, added(id=500, content="new")),
        ("repeated", BAD_MODEL, new, added(id=0, content="[PAD]")),
        ("content-twice", BAD_MODEL, ("added_tokens", 1), added(id=0, content="[PAD]")),
        ("empty", BAD_MODEL, new, added(content="")), ("content-null", BAD_MODEL, new, added(content=None)),
        ("content-number", BAD_MODEL, new, added(content=5)),
        ("513-bytes", BAD_MODEL, new, added(id=83, content="x" * 513)),
        ("megabyte", BAD_MODEL, new, added(id=83, content="x" * 1_000_000)),
        ("flag-number", BAD_MODEL, new, added(lstrip=1), "lstrip"),
        ("flag-text", BAD_MODEL, new, added(special="true"), "special"),
        ("normalized-away", BAD_MODEL, ("added_tokens", last),
         added(id=83, content="\u200b", normalized=True)),
        ("is-object", BAD_MODEL, ("added_tokens",), {}, "added_tokens"),
        ("is-text", BAD_MODEL, ("added_tokens",), "x", "added_tokens"),
        ("holds-null", BAD_MODEL, new, None), ("holds-text", BAD_MODEL, new, "[PAD]"),
        ("many", BAD_MODEL, ("added_tokens",),
         [added(id=n, content=f"<{n}>") for n in range(50_000)]),
        ("in-vocabulary", ACCEPTED, new, added()),
        ("single-word", ACCEPTED, new, added(single_word=True, lstrip=True, rstrip=True))))


def stages(model):
    """Row 13: a stage or a pattern that is not known is refused; nothing of it is ever run."""
    hostile = "(a*)*b"
    split = {"type": "Split", "pattern": {"Regex": hostile}, "behavior": "Isolated", "invert": False}
    replace = {"type": "Replace", "pattern": {"Regex": hostile}, "content": ""}
    for stage in ("normalizer", "pre_tokenizer", "post_processor", "decoder"):
        place = (stage,)
        for what, state, value in (
                ("unknown", UNSUPPORTED, {"type": "Nothing"}), ("empty-type", UNSUPPORTED, {"type": ""}),
                ("nul-type", UNSUPPORTED, {"type": "Bert\0"}), ("long-type", UNSUPPORTED, {"type": "x" * 100_000}),
                ("no-type", BAD_MODEL, {}), ("number", BAD_MODEL, 5), ("list", BAD_MODEL, []),
                ("text", BAD_MODEL, "BertNormalizer"), ("type-null", BAD_MODEL, {"type": None}),
                ("type-list", BAD_MODEL, {"type": ["BertNormalizer"]})):
            yield Case(f"{stage}-{what}", state, {TOKENIZER: changed(model, place, value)}, (TOKENIZER, stage))
    for what, state, value in (("split", UNSUPPORTED, split), ("digits", BAD_MODEL, {"type": "Digits"}),
                               ("nested", UNSUPPORTED, {"type": "Sequence", "pretokenizers": [
                                   {"type": "Sequence", "pretokenizers": [split]}]})):
        yield Case(f"pattern-{what}", state, {TOKENIZER: changed(model, ("pre_tokenizer",), value)},
                   (TOKENIZER, "pre_tokenizer"))
    for what, pattern in (("evil", hostile), ("look-behind", "(?<=ab)b"), ("nested", "((((a*)*)*)*)*b"),
                          ("megabyte", "(a|a)*" * 170_000), ("unclosed", "(")):
        value = {**replace, "pattern": {"Regex": pattern}}
        yield Case(f"replace-{what}", UNSUPPORTED, {TOKENIZER: changed(model, ("normalizer",), value)},
                   (TOKENIZER, "normalizer.pattern", "regular expression"))
    yield from edits(model, replace)
    bert = {"type": "BertNormalizer"}
    yield from table(model, "stages", (
        ("17-normalizers", TOO_LARGE, ("normalizer",), {"type": "Sequence", "normalizers": [{"type": "NFC"}] * 17}),
        ("100000-normalizers", TOO_LARGE, ("normalizer",),
         {"type": "Sequence", "normalizers": [{"type": "Lowercase"}] * 100_000}),
        ("17-pretokenizers", TOO_LARGE, ("pre_tokenizer",),
         {"type": "Sequence", "pretokenizers": [{"type": "Whitespace"}] * 17}),
        ("sequence-of-null", BAD_MODEL, ("normalizer",), {"type": "Sequence", "normalizers": [None]}),
        ("sequence-without", BAD_MODEL, ("normalizer",), {"type": "Sequence"}),
        ("sequence-object", BAD_MODEL, ("pre_tokenizer",), {"type": "Sequence", "pretokenizers": {}}),
        ("lowercase-text", BAD_MODEL, ("normalizer",), {**bert, "lowercase": "yes"}, "lowercase"),
        ("strip-number", BAD_MODEL, ("normalizer",), {**bert, "strip_accents": 1}, "strip_accents"),
        ("repeats", ACCEPTED, ("pre_tokenizer",), {**split, "pattern": {"Regex": "(a+)+$"}}),
        ("behavior", BAD_MODEL, ("pre_tokenizer",), {"type": "Punctuation", "behavior": "removed"}, "behavior"),
        ("back-reference", UNSUPPORTED, ("pre_tokenizer",),
         {"type": "Split", "pattern": {"Regex": r"(a)\1"}, "behavior": "Isolated", "invert": False}, "pre_tokenizer.pattern"),
        ("no-prefix", BAD_MODEL, ("decoder", "prefix"), MISSING, "prefix"),
        ("prefix-number", BAD_MODEL, ("decoder", "prefix"), 5, "prefix")))


def edits(model, replace):
    """Stages that put other text into a text, and those that take it out when tokens are decoded."""
    level = {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True}
    space = {"type": "Metaspace", "replacement": "▁"}
    strip = {"type": "Strip", "content": " ", "start": 1, "stop": 0}
    ends = {"type": "RobertaProcessing", "sep": ["[SEP]", 3], "cls": ["[CLS]", 2], "trim_offsets": True,
            "add_prefix_space": True}
    normalizer, words, decoder, ends_place = ("normalizer",), ("pre_tokenizer",), ("decoder",), ("post_processor",)
    yield from table(model, "edits", (
        ("replace", ACCEPTED, normalizer, {**replace, "pattern": {"String": "a"}, "content": "b"}),
        ("replace-empty", UNSUPPORTED, normalizer, {**replace, "pattern": {"String": ""}}, "pattern"),
        ("replace-513", UNSUPPORTED, normalizer, {**replace, "pattern": {"String": "x" * 513}}, "pattern"),
        ("replace-with-megabyte", UNSUPPORTED, normalizer,
         {**replace, "pattern": {"String": "x"}, "content": "x" * 1_000_000}, "content"),
        ("replace-text", BAD_MODEL, normalizer, {**replace, "pattern": "a"}, "pattern"),
        ("replace-nothing", BAD_MODEL, normalizer, {**replace, "pattern": {"Strings": "a"}}, "pattern"),
        ("prepend-megabyte", UNSUPPORTED, normalizer, {"type": "Prepend", "prepend": "x" * 1_000_000}, "prepend"),
        ("prepend-null", BAD_MODEL, normalizer, {"type": "Prepend", "prepend": None}, "prepend"),
        ("strip-number", BAD_MODEL, normalizer, {"type": "Strip", "strip_left": 1, "strip_right": True}, "strip_left"),
        ("byte-level", ACCEPTED, words, level), ("byte-level-empty", BAD_MODEL, words, {"type": "ByteLevel"}),
        ("byte-level-regex", BAD_MODEL, words, {**level, "use_regex": "(a+)+$"}, "use_regex"),
        ("17-byte-levels", TOO_LARGE, words, {"type": "Sequence", "pretokenizers": [level] * 17}),
        ("metaspace", ACCEPTED, words, space), ("metaspace-empty", BAD_MODEL, words, {"type": "Metaspace"}),
        ("metaspace-nul", ACCEPTED, words, {**space, "replacement": "\0"}),
        ("metaspace-two", BAD_MODEL, words, {**space, "replacement": "▁▁"}, "replacement"),
        ("metaspace-scheme", BAD_MODEL, words, {**space, "prepend_scheme": "last"}, "prepend_scheme"),
        ("metaspace-conflict", BAD_MODEL, words, {**space, "add_prefix_space": False}, "add_prefix_space"),
        ("strip", ACCEPTED, decoder, strip), ("strip-minus-1", BAD_MODEL, decoder, {**strip, "start": -1}, "start"),
        ("strip-2e63-1", ACCEPTED, decoder, {**strip, "start": 2**63 - 1, "stop": 2**63 - 1}),
        ("strip-2e64", BAD_MODEL, decoder, {**strip, "stop": 2**64}, "stop"),
        ("decoder-17", TOO_LARGE, decoder, {"type": "Sequence", "decoders": [{"type": "Fuse"}] * 17}),
        ("decoder-of-none", ACCEPTED, decoder, {"type": "Sequence", "decoders": []}),
        ("ctc-empty", UNSUPPORTED, decoder,
         {"type": "CTC", "pad_token": "", "word_delimiter_token": "|", "cleanup": True}, "pad_token"),
        ("suffix-empty", UNSUPPORTED, decoder, {"type": "BPEDecoder", "suffix": ""}, "suffix"),
        ("roberta", ACCEPTED, ends_place, ends), ("roberta-id", BAD_MODEL, ends_place, {**ends, "cls": ["[CLS]", 83]}, "cls"),
        ("roberta-trim", BAD_MODEL, ends_place, {**ends, "trim_offsets": None}, "trim_offsets"),
        ("two-templates", UNSUPPORTED, ends_place, {"type": "Sequence", "processors": [ends, ends]}, "processors"),
        ("level-behind-template", UNSUPPORTED, ends_place, {"type": "Sequence", "processors": [ends, level]}, "processors"),
        ("17-levels", TOO_LARGE, ends_place, {"type": "Sequence", "processors": [level] * 17})))


def models_and_templates(model):
    """The model's settings and the post-processor."""
    inside = ("model",)
    special = ("post_processor", "special_tokens", "[CLS]", "ids")
    single = ("post_processor", "single")
    text = {"Sequence": {"id": "A", "type_id": 0}}
    cls = {"SpecialToken": {"id": "[CLS]", "type_id": 0}}
    yield from table(model, "model", (
        ("bpe-without-merges", BAD_MODEL, (*inside, "type"), "BPE", "merges"),
        ("unigram", BAD_MODEL, (*inside, "type"), "Unigram", "vocab"),
        ("type-null", BAD_MODEL, (*inside, "type"), None, "type"),
        ("is-missing", BAD_MODEL, inside, MISSING, "model"), ("is-null", BAD_MODEL, inside, None, "model"),
        ("is-list", BAD_MODEL, inside, [], "model"),
        ("unk-absent", BAD_MODEL, (*inside, "unk_token"), "[NOPE]", "unk_token"),
        ("unk-missing", BAD_MODEL, (*inside, "unk_token"), MISSING, "unk_token"),
        ("unk-number", BAD_MODEL, (*inside, "unk_token"), 1, "unk_token"),
        ("prefix-missing", BAD_MODEL, (*inside, "continuing_subword_prefix"), MISSING, "continuing_subword_prefix"),
        ("chars-minus-1", BAD_MODEL, (*inside, "max_input_chars_per_word"), -1, "max_input_chars_per_word"),
        ("chars-2e63", BAD_MODEL, (*inside, "max_input_chars_per_word"), 2**63, "max_input_chars_per_word"),
        ("chars-text", BAD_MODEL, (*inside, "max_input_chars_per_word"), "100", "max_input_chars_per_word"),
        ("chars-0", ACCEPTED, (*inside, "max_input_chars_per_word"), 0),
        ("prefix-empty", ACCEPTED, (*inside, "continuing_subword_prefix"), "")))
    yield from table(model, "template", (
        ("id-minus-1", BAD_MODEL, special, [-1]), ("id-rows", BAD_MODEL, special, [83]),
        ("id-2e31", BAD_MODEL, special, [2**31]), ("id-2e32", BAD_MODEL, special, [2**32 + 2]),
        ("id-text", BAD_MODEL, special, ["2"]), ("ids-null", BAD_MODEL, special, None),
        ("type-minus-1", BAD_MODEL, single, [{"SpecialToken": {"id": "[CLS]", "type_id": -1}}, text]),
        ("type-2e31", BAD_MODEL, single, [{"SpecialToken": {"id": "[CLS]", "type_id": 2**31}}, text]),
        ("type-beyond-rows", BAD_MODEL, single, [{"Sequence": {"id": "A", "type_id": 2}}], "single", "2"),
        ("special-type-beyond-rows", BAD_MODEL, single, [{"SpecialToken": {"id": "[CLS]", "type_id": 7}}, text],
         "single", "7"),
        ("no-text", UNSUPPORTED, single, [cls], "single"),
        ("text-twice", UNSUPPORTED, single, [text, text], "single"),
        ("text-b", UNSUPPORTED, single, [{"Sequence": {"id": "B", "type_id": 0}}], "single"),
        ("text-c", BAD_MODEL, single, [{"Sequence": {"id": "C", "type_id": 0}}]),
        ("unknown-special", BAD_MODEL, single, [{"SpecialToken": {"id": "[X]", "type_id": 0}}, text]),
        ("piece-empty", BAD_MODEL, single, [{}]), ("piece-null", BAD_MODEL, single, [None]),
        ("is-object", BAD_MODEL, single, {}), ("is-missing", BAD_MODEL, single, MISSING),
        ("2000-specials", TOO_LARGE, single, [cls] * 2000 + [text]),
        ("ids-times-pieces", TOO_LARGE, special, [2] * 100_000)))
    # 24 positions: room for 23 special tokens and a text of one.
    for count, state in ((23, ACCEPTED), (24, BAD_MODEL)):
        yield Case(f"template-of-{count}-specials", state,
                   {TOKENIZER: changed(model, single, [cls] * count + [text])})
    yield Case("bert-processing-ids", BAD_MODEL, {TOKENIZER: changed(
        model, ("post_processor",), {"type": "BertProcessing", "sep": ["[SEP]", 83], "cls": ["[CLS]", 2]})}, (TOKENIZER,))
    for what, data in (("list", b"[]"), ("string", b'"x"'), ("null", b"null"), ("number", b"5")):
        yield Case(f"tokenizer-is-{what}", BAD_MODEL, {TOKENIZER: data}, (TOKENIZER,))
        yield Case(f"tokenizer-config-is-{what}", BAD_MODEL, {TOKENIZER_CONFIG: data}, (TOKENIZER_CONFIG,))
    yield Case("tokenizer-is-vocab-txt", BAD_JSON, {TOKENIZER: b"[PAD]\n[UNK]\n"}, (TOKENIZER,))
    yield Case("tokenizer-empty-object", BAD_MODEL, {TOKENIZER: b"{}"}, (TOKENIZER,))


def older(model):
    """Row 12: vocab.txt in place of tokenizer.json."""
    vocab = model.json(TOKENIZER)["model"]["vocab"]
    lines = "\n".join(sorted(vocab, key=vocab.get)).encode()
    for what, state, data in (
            ("sound", ACCEPTED, lines), ("last-line-ends", ACCEPTED, lines + b"\r\n"), ("empty", BAD_MODEL, b""),
            ("one-row-more", BAD_MODEL, lines + b"\nw"), ("not-utf-8", BAD_MODEL, lines + b"\n\xff"),
            ("too-many", BAD_MODEL, lines + b"".join(b"\nw%d" % n for n in range(100_000))),
            ("empty-lines", BAD_MODEL, lines + b"\n" * 1_000_000), ("page", BAD_MODEL, b"<!DOCTYPE html><html>Sign in</html>")):
        yield Case(f"vocab-txt-{what}", state, {TOKENIZER: MISSING, "vocab.txt": data},
                   ("vocab.txt",) if state != ACCEPTED else ())


def unigrams(model):
    """The model Unigram, and maps of characters."""
    vocab = [[token, -float(i)] for i, token in enumerate(model.json(TOKENIZER)["model"]["vocab"])]
    sound = {"type": "Unigram", "unk_id": 1, "vocab": vocab}

    def huge(size):
        return base64.b64encode((4 * size).to_bytes(4, "little") + bytes(4 * 256)).decode()

    yield from table(model, "unigram", (
        ("sound", ACCEPTED, ("model",), sound), ("unk-rows", BAD_MODEL, ("model",), {**sound, "unk_id": 83}, "unk_id"),
        ("unk-minus-1", BAD_MODEL, ("model",), {**sound, "unk_id": -1}, "unk_id"),
        ("unk-2e64", BAD_MODEL, ("model",), {**sound, "unk_id": 2**64 + 1}, "unk_id"),
        ("unk-null", BAD_MODEL, ("model",), {**sound, "unk_id": None}, "unk_id"),
        ("bytes-text", BAD_MODEL, ("model",), {**sound, "byte_fallback": "no"}, "byte_fallback"),
        ("rows", BAD_MODEL, ("model",), {**sound, "vocab": vocab + [["zzz", 0]]}, "vocab"),
        ("piece-null", BAD_MODEL, ("model",), {**sound, "vocab": vocab[:-1] + [None]}, "vocab"),
        ("piece-of-one", BAD_MODEL, ("model",), {**sound, "vocab": vocab[:-1] + [["a"]]}, "vocab"),
        ("piece-of-three", BAD_MODEL, ("model",), {**sound, "vocab": vocab[:-1] + [["a", 1, 2]]}, "vocab"),
        ("score-text", BAD_MODEL, ("model",), {**sound, "vocab": vocab[:-1] + [["a", "1"]]}, "vocab"),
        ("long-piece", TOO_LARGE, ("model",), {**sound, "vocab": vocab[:-1] + [["x" * 100_000, 0]]}, "vocab"),
        ("twice", ACCEPTED, ("model",), {**sound, "vocab": vocab[:-1] + [vocab[-2]]})))
    for what, value in (("none", ""), ("short", "AAA="), ("no-base64", "%"), ("number", 5), ("cut", huge(300)),
                        ("wrap", huge(2**30 - 1)), ("empty", huge(0)), ("leads-out", base64.b64encode(
                            (4).to_bytes(4, "little") + (2**31 - 1).to_bytes(4, "little")).decode()),
                        ("megabytes", "A" * 8_000_000)):
        yield Case(f"charsmap-{what}", BAD_MODEL, {TOKENIZER: changed(
            model, ("normalizer",), {"type": "Precompiled", "precompiled_charsmap": value})}, (TOKENIZER, "precompiled_charsmap"))


def settings(model):
    """tokenizer_config.json."""
    for what, state, key, value in (
            ("lower-text", BAD_MODEL, "do_lower_case", "yes"), ("lower-number", BAD_MODEL, "do_lower_case", 1),
            ("chinese-list", BAD_MODEL, "tokenize_chinese_chars", []),
            ("strip-text", BAD_MODEL, "strip_accents", "none"),
            ("length-2", BAD_MODEL, "model_max_length", 2), ("length-1", BAD_MODEL, "model_max_length", 1),
            ("length-0", ACCEPTED, "model_max_length", 0), ("length-minus-1", ACCEPTED, "model_max_length", -1),
            ("length-text", ACCEPTED, "model_max_length", "x"), ("length-null", ACCEPTED, "model_max_length", None),
            ("length-1e30", ACCEPTED, "model_max_length", 1e30), ("length-2e63", ACCEPTED, "model_max_length", 2**63),
            ("length-big", ACCEPTED, "model_max_length", 1000000000000000019884624838656),
            ("class-number", ACCEPTED, "tokenizer_class", 5)):
        yield Case(f"tokenizer-config-{what}", state,
                   {TOKENIZER_CONFIG: model.edited(TOKENIZER_CONFIG, lambda config: config.update({key: value}))},
                   (key,) if state != ACCEPTED and not what.startswith("length") else ())
    yield Case("tokenizer-version", UNSUPPORTED, {TOKENIZER: model.edited(TOKENIZER, lambda root: root.update(version=7))},
               (TOKENIZER, "version"))
    many = {"extra_special_tokens": [f"x{n}" for n in range(100_000)]}
    deep = {"additional_special_tokens": {"a": {"content": "[CLS]"}, "b": [[["[CLS]"]]], "c": 5, "d": None}}
    for what, state, name, value, *said in (
            ("map-list", BAD_MODEL, SPECIAL_MAP, []), ("map-text", BAD_MODEL, SPECIAL_MAP, "x"),
            ("added-list", BAD_MODEL, ADDED_TOKENS, [1]), ("added-odd-ids", ACCEPTED, ADDED_TOKENS, {"[CLS]": "x", "[SEP]": -1}),
            ("map-many", UNSUPPORTED, SPECIAL_MAP, many, "x0"), ("map-odd", ACCEPTED, SPECIAL_MAP, deep),
            ("map-numbers", UNSUPPORTED, SPECIAL_MAP, {"cls_token": 5, "extra_special_tokens": 7}, "cls_token"),
            ("added-long", UNSUPPORTED, ADDED_TOKENS, {"x" * 100_000: 1}, "xxx"),
            ("added-nul", UNSUPPORTED, ADDED_TOKENS, {"[CLS]\0": 2})):
        yield Case(f"tokenizer-{what}", state, {name: json.dumps(value).encode()}, (name, *said) if state != ACCEPTED else ())
    for what, decoder in (("list", []), ("text", "x"), ("numbers", {"0": 5, "x": None}), ("flags", {"2": {"content": "[CLS]", "lstrip": 7}})):
        yield Case(f"tokenizer-config-decoder-{what}", ACCEPTED, {TOKENIZER_CONFIG: model.edited(
            TOKENIZER_CONFIG, lambda config: config.update({"added_tokens_decoder": decoder}))}, ())


def cases(models, effort):
    model = models["bert"]
    for part in (vocabulary, added_tokens, stages, models_and_templates, unigrams, older, settings):
        yield from part(model)
