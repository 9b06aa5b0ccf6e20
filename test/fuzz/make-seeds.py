#!/usr/bin/env python3
"""Write first inputs for the fuzz targets, made of the golden models and tokenizers of this tree.

usage: test/fuzz/make-seeds.py OUTPUT_DIR      (from the checkout's root)

What libFuzzer made of them is in test/fuzz/corpus; seeds are for a target that is new or that is to
begin anew. Those whose names begin with "known-" are attacks that must be refused: they are in the
corpora as they are. The formats of inputs stand at the top of each target.
"""
import glob
import io
import itertools
import json
import math
import os
import random
import struct
import sys
import zipfile

sys.path.insert(0, "scripts")
sys.path.insert(0, "test/hostile")
from tokenizer_patterns import PATTERNS as PUBLISHED, UNSUPPORTED  # noqa: E402
import coded  # noqa: E402
import spm_models  # noqa: E402
from tokenizer_texts import torture  # noqa: E402

TOKENIZERS = sorted(glob.glob("test/golden/tokenizer/*.tokenizer.json"))
FOLDERS = sorted(glob.glob("models/tiny/*"))
JSON = [b"[]", b"-0", b'{"a":[1,2.5e-7,"\\u00e9\\ud83d\\ude00",true,false,null]}', b"[" * 130 + b"]" * 130,
        b"[1e400]", b'{"a":1,"a":2}', b'"\\ud800"', b"9223372036854775808", b"-9223372036854775808",
        b"[0.1,1e22,1e23,123456789012345678901234567890,5e-324,1.7976931348623157e308]",
        b"{" + b",".join(b'"k%d":%d' % (i, i) for i in range(20)) + b"}",
        b"[" + b"3" * 900 + b"e-800]", b'"\\"\\\\\\/\\b\\f\\n\\r\\t\\u0000"', b'["\xe4\xb8\xad","\x7f"]']
# Shape, begin and end of each tensor of a header: all that may be wrong with ranges.
RANGES = {
    "gap": [([1], 0, 4), ([1], 8, 12)], "gap-first": [([1], 4, 8)], "overlap": [([2], 0, 8), ([2], 4, 12)],
    "same": [([1], 0, 4), ([1], 0, 4)], "inside": [([4], 0, 16), ([1], 4, 8)], "reversed": [([1], 8, 4)],
    "short-shape": [([1], 0, 8)], "long-shape": [([3], 0, 8)], "zero": [([0], 0, 0), ([1], 0, 4)],
    "wrap": [([2**32, 2**32], 0, 0)], "wrap-bytes": [([2**62], 0, 0)], "wrap-back": [([2**32, 2**32 + 1, 1], 0, 2**34)],
    "triple": [([5, 2**63 + 1, 1], 0, 20)], "negative": [([-1], 0, 4)], "end": [([1], 2**63 - 4, 2**63 - 1)],
    "rank": [([1] * 9, 0, 4)],
}
SIZES = [0, 1, 2**31, 2**32, 2**63, 2**64 - 8, 2**64 - 1, 100000001]
STRINGS = [b'"\\ud800\\ue000"', b'"\\ud800\\ud800"', b'"\\ud800x"', b'"\\udbff\\uffff"', b'"\xed\xa0\x80"', b'"\xc0\x80"',
           b'"\xf4\x90\x80\x80"', b'"\xe2\x82', b'"\x1f"', b"[01]", b"[1.]", b"[.5]", b"[+1]", b"[NaN]", b"[1,]",
           b'{"a":1,"\\u0061":2}', b'{"":1,"":2}', b"\xef\xbb\xbf1", b"1 2", b"[" * 129]
PATTERNS = ["((a|b)*)*c", "(" * 200]


def write(target, name, data):
    folder = os.path.join(sys.argv[1], target)
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, name), "wb") as file:
        file.write(data)


def read(path):
    with open(path, "rb") as file:
        return file.read()


def folder(parts):
    return b"\n".join(b"--- %s\n%s" % (name.encode(), data) for name, data in parts)


def header_of(data):
    size = struct.unpack("<Q", data[:8])[0]
    return data[8:8 + size].rstrip()


def compact(value):
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def small(path, tokens=48):
    """A tokenizer with few tokens of each kind, so that an input stays short."""
    tokenizer = json.loads(read(path))
    vocab = tokenizer["model"]["vocab"]
    if isinstance(vocab, list):
        tokenizer["model"]["vocab"] = vocab[:5] + vocab[5::max(1, len(vocab) // tokens)]
        tokenizer["added_tokens"] = [t for t in tokenizer["added_tokens"] if t["id"] < 4]
        return tokenizer
    vocab = list(vocab)
    added = tokenizer["added_tokens"]
    keep = vocab[:5] + vocab[5::max(1, len(vocab) // tokens)]
    ids = {token: i for i, token in enumerate(dict.fromkeys(keep))}
    tokenizer["model"]["vocab"] = ids
    next_id = len(ids)
    for token in added:
        if token["content"] in ids:
            token["id"] = ids[token["content"]]
        else:
            token["id"] = next_id
            next_id += 1
    return tokenizer


def files_of(path):
    for name in sorted(glob.glob(path + "/**", recursive=True)):
        if os.path.isfile(name) and not name.endswith("golden.json"):
            yield os.path.relpath(name, path), read(name)


def ngram_head(bits, names):
    """A classifier on n-grams with two features and two labels, with words or with buckets."""
    settings = (f'{{"format":1,"task":"classification","labels":["a","b"],"ngrams":"word","words":"unicode","low":1,"high":2,'
                f'"lowercase":true,"hash_bits":{bits},"hash_seed":0,"binary":false,"sublinear":true,"norm":"l2","dimensions":0}}')
    header = ('{"weight":{"dtype":"F32","shape":[2,2],"data_offsets":[0,16]},"bias":{"dtype":"F32","shape":[2],"data_offsets":[16,24]},'
              f'"idf":{{"dtype":"F32","shape":[2],"data_offsets":[24,32]}},{names}}}')
    return [("ngram_head.json", settings.encode()), ("ngram_head.safetensors", header.encode())]


def ranked_head():
    """One of rank 2 as "fasttext" stores it: rows of int8 with a step each, and a tree of its two labels."""
    settings = ('{"format":2,"task":"classification","rank":2,"tree":true,"labels":["a","b"],"ngrams":"word","words":"unicode","low":1,'
                '"high":2,"lowercase":true,"hash_bits":8,"hash_seed":0,"binary":false,"sublinear":false,"norm":"l1","dimensions":0}')
    header = ('{"step":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"bias":{"dtype":"F32","shape":[2],"data_offsets":[8,16]},'
              '"output":{"dtype":"F32","shape":[2,2],"data_offsets":[16,32]},"tree":{"dtype":"U32","shape":[1,2],"data_offsets":[32,40]},'
              '"idf":{"dtype":"F32","shape":[2],"data_offsets":[40,48]},"buckets":{"dtype":"U32","shape":[2],"data_offsets":[48,56]},'
              '"weight":{"dtype":"I8","shape":[2,2],"data_offsets":[56,60]}}')
    return [("ngram_head.json", settings.encode()), ("ngram_head.safetensors", header.encode())]


def recurrent(place, gates, units, width, both, biases=2):
    """Parameters of a recurrent layer as torch names them."""
    for way in ["", "_reverse"][:1 + both]:
        yield f"{place}.weight_ih_l0{way}", [gates * units, width]
        yield f"{place}.weight_hh_l0{way}", [gates * units, units]
        yield f"{place}.bias_ih_l0{way}", [gates * units]
        if biases == 2:
            yield f"{place}.bias_hh_l0{way}", [gates * units]


def linear(place, out, width):
    return [(f"{place}.weight", [out, width]), (f"{place}.bias", [out])]


# Task, layers, and what these have besides the embedding of 4 numbers at the beginning.
NETS = {
    "language": ("language_model", [{"bilstm": 4, "separate": True, "residual": True}],
                 [*recurrent(1, 4, 4, 4, True), ("2.weight", [5, 4]), ("2.bias", [5]), ("2.start", [2, 4])]),
    "characters": ("language_model", [{"lstm": 2}],
                   [*recurrent(1, 4, 2, 4, False), ("2.weight", [5, 2]), ("2.bias", [5]), ("2.start", [1, 2])]),
    "elmo": ("tagging", [{"bilstm": 4, "separate": True, "mix": True, "trainable": False}, {"linear": 2}],
             [*recurrent(1, 4, 4, 4, True), ("1.mix.weight", [2]), ("1.mix.gamma", [1]), *linear(2, 2, 8)]),
    "bilstm": ("classification", [{"bilstm": 3, "dropout": 0.5}, {"linear": 2}],
               [*recurrent(1, 4, 3, 4, True), *linear(2, 2, 6)]),
    "gru": ("regression", [{"gru": 2, "biases": 1, "keras_order": True, "reset_after": False}, {"pool": "attention"}, {"linear": 1}],
            [*recurrent(1, 3, 2, 4, False, 1), *linear("2.project", 2, 2), ("2.context.weight", [1, 2]), *linear(3, 1, 2)]),
    "crf": ("tagging", [{"birnn": 2, "activation": "relu"}, {"linear": 3}, {"crf": True}],
            [*recurrent(1, 1, 2, 4, True), *linear(2, 3, 4), ("3.start_transitions", [3]), ("3.end_transitions", [3]),
             ("3.transitions", [3, 3])]),
    "attention": ("tagging", [{"conv": 4, "kernel": 2, "activation": "gelu"}, {"attention": 2}, {"layer_norm": True}, {"linear": 2}],
                  [("1.weight", [4, 4, 2]), ("1.bias", [4]), ("2.in_proj_weight", [12, 4]), ("2.in_proj_bias", [12]),
                   *linear("2.out_proj", 4, 4), *linear(3, 4, 4)[1:], ("3.weight", [4]), *linear(4, 2, 4)]),
    "transformer": ("classification", [{"transformer": 2, "inner": 5}, {"pool": "max"}, {"linear": 2}],
                    [("1.self_attn.in_proj_weight", [12, 4]), ("1.self_attn.in_proj_bias", [12]), *linear("1.self_attn.out_proj", 4, 4),
                     *linear("1.linear1", 5, 4), *linear("1.linear2", 4, 5), ("1.norm1.weight", [4]), ("1.norm1.bias", [4]),
                     ("1.norm2.weight", [4]), ("1.norm2.bias", [4]), *linear(3, 2, 4)]),
}


def seeds_of_nets():
    for name, (task, layers, params) in NETS.items():
        words = ["<pad>", "<unk>", "Hello,", "World!", "token"]
        labels = 1 if task == "regression" else params[-1][1][0]
        config = {"model_type": "lmtext_layers", "task": task, "layers": [{"embedding": 4}, *layers],
                  "labels": ["a", "b", "c"][:labels], "words": "whitespace", "max_length": 9}
        if task == "language_model":
            del config["labels"]
        header, end = {}, 0
        first = [("0.weight", [len(words), 4])]
        if name == "characters":
            config["layers"][0] = {"characters": 3, "filters": 2, "kernel": 2}
            first = [("0.embedding.weight", [258, 3]), ("0.conv1.weight", [2, 3, 1]), ("0.conv1.bias", [2]),
                     ("0.conv2.weight", [2, 3, 2]), ("0.conv2.bias", [2])]
        for tensor, shape in [*first, *params]:
            size = 4 * math.prod(shape)
            header[tensor] = {"dtype": "F32", "shape": shape, "data_offsets": [end, end + size]}
            end += size
        parts = [("config.json", compact(config)), ("vocab.txt", "\n".join(words).encode()), ("model.safetensors", compact(header))]
        write("model", "net-" + name, folder(parts))
        write("config", "net-" + name, folder(parts))


def seeds_of_models():
    for path in FOLDERS:
        name = os.path.basename(path)
        parts = []
        for file, data in files_of(path):
            if file.endswith(".bin"):
                continue
            if file.endswith(".safetensors"):
                write("tensors", f"{name}-{file}".replace("/", "-"), header_of(data))
                data = header_of(data)
            elif file.endswith(".json"):
                write("json", f"{name}-{file.replace('/', '-')}", data)
                data = compact(json.loads(data))
            parts.append((file, data))
        settings = [p for p in parts if not p[0].startswith(("model", "pytorch_model")) and p[0] != "tokenizer.json"]
        write("config", name, folder(settings))
        write("config", name + "-weights", folder([p for p in parts if p[0] != "tokenizer.json"]))
        if "config.json" not in dict(parts):  # no transformer: the weights cannot be made to fit
            continue
        config = json.loads(dict(parts)["config.json"])
        config.update(hidden_size=8, num_hidden_layers=1, num_attention_heads=2, intermediate_size=9)
        pooling = {"word_embedding_dimension", "embedding_dimension"}
        tiny = []
        for file, data in parts:
            value = config if file == "config.json" else json.loads(data)
            if file.endswith("config.json") and pooling & set(value):
                value.update({key: 8 for key in pooling & set(value)})
            if not file.startswith(("model", "pytorch_model")):
                tiny.append((file, compact(value)))
        write("model", name, folder(tiny))
    head = ('{"weight":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]},'
            '"bias":{"dtype":"F32","shape":[2],"data_offsets":[24,32]}}').encode()
    parts = [("head.json", b'{"format":1,"task":"classification","dimensions":3,"labels":["a","b"]}'),
             ("head.safetensors", head)]
    write("config", "head", folder(parts))
    write("model", "head", folder(parts))
    write("model", "ngram_head", folder(ngram_head(0, '"ends":{"dtype":"U32","shape":[2],"data_offsets":[32,40]},'
                                                      '"names":{"dtype":"U8","shape":[3],"data_offsets":[40,43]}')))
    write("model", "ngram_head-buckets", folder(ngram_head(8, '"buckets":{"dtype":"U32","shape":[2],"data_offsets":[32,40]}')))
    write("model", "ngram_head-int8", folder(ranked_head()))
    write("tensors", "empty", struct.pack("<Q", 2) + b"{}")
    write("tensors", "raw", struct.pack("<Q", len(head)) + head + bytes(range(32)))
    for dtype, size in [("F64", 8), ("F16", 2), ("BF16", 2), ("I64", 8), ("U8", 1), ("BOOL", 1), ("F8_E4M3", 1)]:
        write("tensors", dtype, b'{"__metadata__":{"format":"pt"},"x":{"dtype":"%s","shape":[3,2],"data_offsets":[0,%d]}}'
              % (dtype.encode(), 6 * size))


def seeds_of_tokenizers():
    for path in TOKENIZERS:
        name = os.path.basename(path).split(".")[0]
        tokenizer = small(path)
        write("tokenizer", name, compact(tokenizer))
        write("json", "tokenizer-" + name, compact(tokenizer)[:3000])
    config = b'{"tokenizer_class":"BertTokenizerFast","do_lower_case":false,"strip_accents":true}'
    write("tokenizer", "override", folder([("tokenizer.json", compact(tokenizer)),
                                           ("tokenizer_config.json", config)]))
    bad_ids = {"same-id": 0, "negative": -1, "huge": 2**31, "beyond": 4000, "wrap": 2**32, "fraction": 1.5}
    for name, number in bad_ids.items():
        vocab = tokenizer["model"]["vocab"]
        changed = {**tokenizer, "model": {**tokenizer["model"], "vocab": {**vocab, "zzz": number}}}
        write("tokenizer", "known-vocab-" + name, compact(changed))
        added = [{"id": number, "content": "zzz", "special": True}]
        write("tokenizer", "known-added-" + name, compact({**tokenizer, "added_tokens": added}))
    for content in ["", "x" * 513]:
        added = [{"id": len(tokenizer["model"]["vocab"]), "content": content, "special": False}]
        write("tokenizer", f"known-content-{len(content)}", compact({**tokenizer, "added_tokens": added}))
    for i, pattern in enumerate(PATTERNS):
        tokenizer["pre_tokenizer"] = {"type": "Split", "pattern": {"Regex": pattern},
                                      "behavior": "Isolated", "invert": False}
        write("tokenizer", f"known-pattern{i}", compact(tokenizer))


def seeds_of_patterns():
    """Of the target regex: 0 (a regular expression) or 1 (a literal), the pattern, U+0000, a text."""
    text = "It's a TEXT of 1234 words,\n\n  naïve\r\n(and  more) 中文aaab Ab1!?  ".encode()
    names = [*PUBLISHED, *(f"unsupported{i}" for i in range(len(UNSUPPORTED)))]
    for name, pattern in zip(names, [*PUBLISHED.values(), *UNSUPPORTED]):
        write("regex", name, b"\0" + pattern.encode() + b"\0" + text)
    for i, pattern in enumerate([" ", "a.b", "é", "aa"]):
        write("regex", f"literal{i}", b"\1" + pattern.encode() + b"\0" + text + b"a.baaaaa")
    for i, pattern in enumerate(["a*b|a", "(?:a|ab)(?:c|bcd)?", "a??b{1,2}?c*?$", "^a|\\bb|\\B.", "[a-c&&[^b]]++(?!c)|(?<=b)."]):
        write("regex", f"small{i}", b"\0" + pattern.encode() + b"\0" + b"abcaab bcd\nabbcc aaaaaaaabc")


def seeds_of_spm():
    for kind in range(4):
        for i in range(3):
            rng = random.Random(f"{kind}/{i}")
            first = [("<pad>", 0, 3), ("<unk>", 0, 2), ("[CLS]", 0, 3), ("[SEP]", 0, 3), ("<s>", 0, 3), ("</s>", 0, 3)]
            write("spm", f"{kind}-{i}", bytes([kind]) + spm_models.draw(rng, ["hello", "caf\u00e9"], first)[0])
    write("spm", "known-cut", b"\0\x0a\xff\x01a")
    write("spm", "known-group", b"\0\x0b\x0c")
    write("spm", "known-bpe", b"\0" + spm_models.build([("<unk>", 0, 2)], kind=spm_models.BPE))


def archive(pickle, storage=bytes(24), method=zipfile.ZIP_STORED):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as file:
        for name, data in (("m/data.pkl", pickle), ("m/byteorder", b"little"), ("m/data/0", storage)):
            file.writestr(zipfile.ZipInfo(name), data, compress_type=method)
    return out.getvalue()


def seeds_of_pickles():
    """Of the target pickle: the pickles of the golden models, and archives of one small tensor."""
    for path in sorted(glob.glob("models/tiny/*/pytorch_model*.bin")):
        with zipfile.ZipFile(path) as file:
            pickle = next(file.read(name) for name in file.namelist() if name.endswith("/data.pkl"))
        write("pickle", "-".join(path[:-4].split("/")[2:]), pickle)

    def tensor(cls=b"Float", count=6, sizes=b"K\2K\3\x86K\3K\1\x86"):
        return (b"\x80\2ccollections\nOrderedDict\nq\0)Rq\1(X\1\0\0\0wctorch._utils\n_rebuild_tensor_v2\nq\2((X\7\0\0\0storage"
                b"ctorch\n" + cls + b"Storage\nX\1\0\0\0" b"0X\3\0\0\0cpuK" + bytes([count]) + b"tQK\0" + sizes
                + b"\x89h\0)RtRq\3X\1\0\0\0vh\3u}X\t\0\0\0_metadata}sb.")

    sound = archive(tensor())
    write("pickle", "small", tensor())
    write("pickle", "archive", sound)
    write("pickle", "half", archive(tensor(b"Half", 12, b"K\x0c\x85K\1\x85")))
    write("pickle", "known-strides", archive(tensor(sizes=b"K\2K\3\x86K\1K\2\x86")))
    write("pickle", "known-past", archive(tensor(sizes=b"K\7\x85K\1\x85")))
    write("pickle", "known-short", archive(tensor(), bytes(20)))
    write("pickle", "known-name", sound.replace(b"m/data/0", b"m/\xff\xfe\xffa/0"))
    write("pickle", "known-deflated", archive(tensor(), method=zipfile.ZIP_DEFLATED))
    write("pickle", "known-system", b"\x80\2cos\nsystem\nX\4\0\0\0true\x85R.")
    write("pickle", "known-memo", b"\x80\2}r\xff\xff\xff\xff.")
    write("pickle", "known-bomb", b"\x80\2)q\0" + b"".join(
        b"h%ch%c\x86q%c" % (n, n, n + 1) for n in range(60)) + b".")
    for i, at in enumerate((sound.rindex(b"PK\5\6") + 16, sound.index(b"PK\1\2") + 42, sound.index(b"PK\1\2") + 20)):
        write("pickle", f"known-offset{i}", sound[:at] + b"\xff\xff\xff\x7f" + sound[at + 4:])


def seeds_of_codes():
    """Of the target coded: small files of each form, planes, files to be coded, and what is refused."""
    parts = [(bytes(range(64)), 1), (b"abcd" * 16, 4), (bytes(range(256)) * 4, 2)]
    sound = coded.coded(parts)
    write("coded", "small", sound)
    write("coded", "blocks", coded.coded([(bytes(coded.BLOCK + 8), 8), (b"x" * 9, 1)]))
    write("coded", "left-out", coded.coded([parts[0], (bytes(8), 0)]))
    for what, file in (*coded.directories(sound, parts[:2]), *coded.blocks(parts)):
        write("coded", f"known-{what}", file)
    two = bytes([0x11]) + bytes(127)
    for what, plane in (("raw", b"\0abcdefgh"), ("one", b"\1a"), ("two", b"\2" + two + struct.pack("<4H", 1, 1, 1, 1) + bytes(4)),
                        ("eight", coded.plane(bytes(range(256)), b"\x88" * 128))):
        write("coded", f"plane-{what}", b"H\x08\0" + plane)
    write("coded", "plane-eight", b"H\0\1" + coded.plane(bytes(range(256)), b"\x88" * 128))
    for stride in range(4):
        write("coded", f"plain{stride}", bytes([stride]) + b"to be or not to be, that is the question " * (1 + 40 * (stride == 2)))


def seeds_of_words():
    """Of the target words: the golden files, small ones of each form, and what is refused."""
    for path in sorted(glob.glob("models/words/*/*.*")):
        if not path.endswith(".json"):
            with open(path, "rb") as file:
                write("words", path.split("/")[2].replace(".", "-"), b"\0\2" + file.read())
    cut = struct.pack("<2f", 1, 2)
    for name, data in {
            "glove": b"a 1 2\nb 3 4\n", "header": b"2 2\na 1 2 \nb 3 4 \n", "crlf": b"a 1\r\nb 2\r\n", "mark": b"\xef\xbb\xbfa 1\n",
            "repeated": b"a 1\na 2\n[UNK] 3\n", "spaces": b"a 1 2\n. . . 3 4\n", "numbers": b"a -1.5e-3 +.25 7.\n",
            "binary": b"2 2\na " + cut + b"\nb " + cut + b"\n", "joined": b"2 2\na " + cut + b"b " + cut,
            "known-columns": b"a 1 2\nb 1\n", "known-nan": b"a 1\nb nan\n", "known-more": b"1 1\na 1\nb 1\n", "known-fewer": b"3 1\na 1\nb 1\n",
            "known-cut": b"2 2\na " + cut + b"\nb " + cut[:3], "known-wide": b"1 99999\na 1\n", "known-latin": b"\xe4 1\n",
            "known-fasttext": b"\xba\x16\x4f\x2f" + bytes(8), "known-float": b"1 2\na " + struct.pack("<2f", 1, float("inf")),
            "known-long": b"x" * 3000 + b" 1 2\n" + b"y" * 3000 + b" 1\n", "known-count": b"99999999999999999999 2\na " + cut}.items():
        write("words", name, b"\0\2" + data)
    write("words", "limit", b"\1\3a 1\nb x\n")
    write("words", "known-nothing", b"")


def seeds_of_texts():
    for i, (text, kind) in enumerate(zip(torture(), itertools.cycle(range(15)))):
        write("text", f"{i}", bytes([kind, i % 256, i * 37 % 256]) + text.encode()[:400])


def known_attacks():
    for i, text in enumerate(STRINGS):
        write("json", f"known-{i}", text)
        if text.startswith(b'"'):
            write("json", f"known-key-{i}", b"{" + text + b":0}")
    many = b",".join(b'"k%d":%d' % (i, i) for i in range(30))
    write("json", "known-many-keys", b"{" + many + b',"k7":0}')
    for name, tensors in RANGES.items():
        entries = {f"t{i}": {"dtype": "F32", "shape": shape, "data_offsets": [begin, end]}
                   for i, (shape, begin, end) in enumerate(tensors)}
        write("tensors", "known-" + name, compact(entries))
    sound = b'{"t":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}'
    for i, size in enumerate(SIZES):
        write("tensors", f"known-size{i}", struct.pack("<Q", size) + sound + bytes(4))
    for name, data in [("trailing", bytes(5)), ("cut", bytes(3)), ("bare", b"")]:
        write("tensors", "known-" + name, struct.pack("<Q", len(sound)) + sound + data)
    write("tensors", "nan", struct.pack("<Q", len(sound)) + sound + struct.pack("<f", float("nan")))
    write("tensors", "known-twice", sound[:-1] + b"," + sound[1:])
    files = {name: data for name, data in files_of("models/tiny/bert-st5-cls") if name.endswith("config.json")}
    modules = [{"path": path, "type": kind} for path, kind in
               [("", "Transformer"), ("1_Pooling", "Pooling"), ("1_Pooling", "Normalize")]]
    write("config", "known-module-twice", folder({**files, "modules.json": compact(modules)}.items()))
    write("config", "splade", folder((name, data) for name, data in files_of("models/tiny/bert-splade")
                                     if name.endswith(".json") and name not in ("golden.json", "tokenizer.json")))


known_attacks()
for i, text in enumerate(JSON):
    write("json", f"{i}", text)
seeds_of_models()
seeds_of_nets()
seeds_of_tokenizers()
seeds_of_patterns()
seeds_of_spm()
seeds_of_pickles()
seeds_of_codes()
seeds_of_words()
seeds_of_texts()
