"""Rows 5 and 6: JSON that repeats keys, nests without end, is too much, or is no UTF-8."""
import json

from folder import (BAD_JSON, BAD_MODEL, CONFIG, INDEX, TOKENIZER, TOKENIZER_CONFIG, TOO_DEEP,
                    TOO_LARGE, WEIGHTS, Case, Sparse, dump, join)

# Every JSON file that an import reads, with a folder that has it.
FILES = ((CONFIG, "bert"), (TOKENIZER, "bert"), (TOKENIZER_CONFIG, "bert"), (INDEX, "bert-sharded"),
         ("modules.json", "bert-st5-cls"), ("1_Pooling/config.json", "bert-st5-cls"),
         ("sentence_bert_config.json", "bert-st5-cls"),
         ("config_sentence_transformers.json", "bert-st5-cls"),
         ("2_Normalize/config.json", "bert-st6-cls"))


def slug(file):
    return file.replace("/", "-").replace(".", "-")


def duplicates(models):
    """Row 5."""
    for file, base in FILES:
        text = models[base].files[file].strip()
        if text.startswith(b"["):
            text = text.replace(b"{", b'{"idx": 0,', 1)
        else:
            parsed = json.loads(text)
            key = next(iter(parsed), "a")
            text = b"{" + dump(key) + b': 1, ' + dump(key) + b": 1, " + text[1:]
        yield Case(f"twice-{slug(file)}", BAD_JSON, {file: text}, (file,), base)
    bert = models["bert"]
    for what, file, old, new in (
            ("escaped", CONFIG, b'"hidden_size"', b'"hidden\\u005fsize": 36, "hidden_size"'),
            ("deep", TOKENIZER, b'"a": 5', b'"a": 5, "a": 5'),
            ("many", TOKENIZER, b'"##ing": 82', b'"##ing": 82, "\\u0061": 83'),
            ("in-entry", TOKENIZER, b'"content": "[PAD]"', b'"content": "[PAD]", "content": "[X]"')):
        yield Case(f"twice-{what}", BAD_JSON, {file: bert.replaced(file, old, new)}, (file,))
    weights = bert.weights()
    header = dump(weights.header)
    name = weights.names()[0]
    for what, old, new in (
            ("tensor", b"{", b"{" + dump(name) + b": " + dump(weights.header[name]) + b", "),
            ("dtype", b'"dtype"', b'"dtype": "F32", "dtype"'),
            ("shape", b'"shape"', b'"shape": [36], "shape"'),
            ("offsets", b'"data_offsets"', b'"data_offsets": [0, 144], "data_offsets"'),
            ("metadata", b"{", b'{"__metadata__": {}, "__metadata__": {}, '),
            ("metadata-key", b"{", b'{"__metadata__": {"a": "b", "a": "b"}, ')):
        yield Case(f"twice-header-{what}", BAD_MODEL,
                   {WEIGHTS: join(header.replace(old, new, 1), weights.data)}, (WEIGHTS,))


def nesting(models):
    """Row 6: depth, in lists and in objects. 129 levels are one too many."""
    million = 10**6
    for file, base in FILES:
        # Files that may hold 64 kB are refused for their size before they are parsed.
        large = file in (CONFIG, TOKENIZER, TOKENIZER_CONFIG, INDEX)
        count = million if large else 30000
        yield Case(f"deep-{slug(file)}", TOO_DEEP, {file: b"[" * count}, (file,), base)
        yield Case(f"deep-objects-{slug(file)}", TOO_DEEP, {file: b'{"":' * (count // 4)}, (file,), base)
    bert = models["bert"]
    text = bert.files[CONFIG].strip()
    yield Case("deep-129", TOO_DEEP,
               {CONFIG: text[:-1] + b', "x": ' + b"[" * 128 + b"]" * 128 + b"}"}, (CONFIG,))
    weights = bert.weights()
    for what, header in (("lists", b'{"a":' + b"[" * million), ("objects", b'{"a":' * (million // 5))):
        yield Case(f"deep-header-{what}", TOO_DEEP, {WEIGHTS: join(header, weights.data)}, (WEIGHTS,))
    yield Case("deep-header-list-first", BAD_MODEL, {WEIGHTS: join(b"[" * million, weights.data)},
               (WEIGHTS,))


def amounts(models, effort):
    """Row 6: too many values, files beyond their limits, headers of 100,000 tensors."""
    bert = models["bert"]
    for file, base, limit in (("modules.json", "bert-st5-cls", 1 << 16),
                              ("1_Pooling/config.json", "bert-st5-cls", 1 << 16),
                              ("sentence_bert_config.json", "bert-st5-cls", 1 << 16),
                              ("config_sentence_transformers.json", "bert-st5-cls", 1 << 20),
                              (CONFIG, "bert", 16 << 20), (TOKENIZER_CONFIG, "bert", 16 << 20),
                              (TOKENIZER, "bert", 128 << 20), (INDEX, "bert-sharded", 100_000_000)):
        yield Case(f"too-long-{slug(file)}", TOO_LARGE, {file: Sparse(b"{", limit + 1)}, (file,), base)
        yield Case(f"terabyte-{slug(file)}", TOO_LARGE, {file: Sparse(b"{", 1 << 40)}, (file,), base)
    yield Case("values-5000001", TOO_LARGE,
               {CONFIG: b'{"x":[' + b"1," * 4_999_998 + b"1]}"}, (CONFIG,))
    for count, state in ((100_000, BAD_MODEL), (100_001, TOO_LARGE)):
        header = {f"t{n}": {"dtype": "U8", "shape": [1], "data_offsets": [n, n + 1]}
                  for n in range(count)}
        yield Case(f"tensors-{count}", state, {WEIGHTS: join(header, b"\0" * count)})
    if effort != "quick":
        yield Case("header-100MB-of-spaces", BAD_MODEL,
                   {WEIGHTS: join(b"{" + b" " * 99_999_998 + b"}", b"")})
        yield Case("header-100MB-string", BAD_MODEL,
                   {WEIGHTS: join(b'{"__metadata__":{"a":"' + b"x" * 99_999_975 + b'"}}', b"")})
        yield Case("header-100MB-of-values", TOO_LARGE,
                   {WEIGHTS: join(b'{"a":[' + b"1," * 49_999_995 + b"1]}", b"")}, (WEIGHTS,))


def encodings(models):
    """Row 6: bytes that are no UTF-8 text, in strings and outside."""
    for file, base in FILES:
        text = models[base].files[file].strip()
        end = text[-1:]
        for what, data in (("latin1", b"\xe9"), ("overlong", b"\xc0\x80"), ("surrogate", b"\xed\xa0\x80"),
                           ("beyond", b"\xf4\x90\x80\x80"), ("cut", b"\xf0\x9f\x98")):
            if what == "latin1" or file == CONFIG:
                yield Case(f"utf8-{what}-{slug(file)}", BAD_JSON, {file: text[:-1] + b" " + data + end},
                           (file,), base)
    bert = models["bert"]
    text = bert.files[CONFIG]
    inside = b'"model_type": "bert'
    for what, data in (
            ("utf16", text.decode().encode("utf-16")), ("bom", b"\xef\xbb\xbf" + text),
            ("nul-first", b"\0" + text), ("nul-last", text + b"\0"),
            ("cut-at-end", text + b"\xf0\x9f"),
            ("in-string", bert.replaced(CONFIG, inside, inside + b"\xff")),
            ("control", bert.replaced(CONFIG, inside, inside + b"\n")),
            ("lone-high", bert.replaced(CONFIG, inside, inside + b"\\ud800")),
            ("lone-low", bert.replaced(CONFIG, inside, inside + b"\\udc00")),
            ("half-pair", bert.replaced(CONFIG, inside, inside + b"\\ud800\\u0041")),
            ("bad-escape", bert.replaced(CONFIG, inside, inside + b"\\x41")),
            ("comment", b"/* */" + text), ("single-quotes", text.replace(b'"', b"'")),
            ("empty", b""), ("spaces", b" \n\t "), ("html", b"<!DOCTYPE html><html>Not found</html>"),
            ("pointer", b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 612\n"),
            ("two", text + text), ("comma", text.rstrip()[:-1] + b",}")):
        said = {"html": ("HTML",), "pointer": ("git-lfs",)}.get(what, ())
        yield Case(f"json-{what}", BAD_JSON, {CONFIG: data}, (CONFIG, *said))
    # A control character that is escaped is a character: not bert, and not something worse.
    weights = bert.weights()
    header = dump(weights.header)
    for what, old, new in (("utf8", b'"F32"', b'"F32\xff"'), ("name", b'"embeddings', b'"embed\xed\xa0\x80dings'),
                           ("surrogate", b'"embeddings', b'"\\ud800embeddings')):
        yield Case(f"header-{what}", BAD_MODEL, {WEIGHTS: join(header.replace(old, new, 1), weights.data)},
                   (WEIGHTS,))


def cases(models, effort):
    yield from duplicates(models)
    yield from nesting(models)
    yield from amounts(models, effort)
    yield from encodings(models)
