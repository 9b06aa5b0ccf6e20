#!/usr/bin/env python3
"""Compare what the engine makes of folders without tokenizer.json with what transformers makes of them.

Folders have vocab.txt (of models/tiny/bert), or vocab.json and merges.txt (of test/golden/tokenizer/bytes-*), or a model of
SentencePiece (drawn; where the modules sentencepiece and protobuf are there, which transformers needs), with settings, special tokens and small files drawn at random. Ids, type ids and offsets must be equal, or the folder refused.

usage: compare-older-tokenizers.py --program build/unit/tools/tokenize_lines [--seed N] [--count N] [--only NUMBER]
"""
import argparse
import collections
import importlib.util
import json
import os
import random
import subprocess
import sys
import tempfile

os.environ["TOKENIZERS_PARALLELISM"] = "false"
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TRANSFORMERS_VERBOSITY"] = "error"
import transformers  # noqa: E402
from transformers import AutoTokenizer  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import spm_models  # noqa: E402

spec = importlib.util.spec_from_file_location("random_tokenizers", os.path.join(HERE, "compare-random-tokenizers.py"))
random_tokenizers = importlib.util.module_from_spec(spec)
spec.loader.exec_module(random_tokenizers)

SMALL = ["tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "config.json"]
CLASSES = {"bert": ["BertTokenizer", "BertTokenizerFast", "DistilBertTokenizer", "ElectraTokenizerFast", None],
           "roberta": ["RobertaTokenizer", "RobertaTokenizerFast", None],
           "gpt2": ["GPT2Tokenizer", "GPT2TokenizerFast", None]}
SPM = {"xlm-roberta": "sentencepiece.bpe.model", "camembert": "sentencepiece.bpe.model", "t5": "spiece.model", "albert": "spiece.model", "deberta-v2": "spm.model",
       "llama": "tokenizer.model", "gemma": "tokenizer.model"}
SPM_NAMES = ["sentencepiece.bpe.model", "spiece.model", "spm.model", "tokenizer.model"]
SPM_CLASSES = {"xlm-roberta": "XLMRoberta", "camembert": "Camembert", "t5": "T5", "albert": "Albert", "deberta-v2": "DebertaV2",
               "llama": "Llama", "gemma": "Gemma"}
for kind, name in SPM_CLASSES.items():
    CLASSES[kind] = [name + "Tokenizer", name + "TokenizerFast", None]
CLASSES["llama"].remove(None)  # transformers makes another tokenizer of such a folder
TYPES = {**{kind: [kind] for kind in SPM}, "gemma": ["gemma", "gemma2", "gemma3_text"],  "bert": ["bert", "distilbert", "electra"], "roberta": ["roberta", "longformer"], "gpt2": ["gpt2", "gpt_neo"]}


def load(path):
    with open(os.path.join(HERE, "..", path), encoding="utf-8") as file:
        return json.load(file)["model"]


def lines_of(path_vocab):
    return [token for token, _ in sorted(path_vocab.items(), key=lambda item: item[1])]


MODELS = {"bert": load("models/tiny/bert/tokenizer.json"), "roberta": load("test/golden/tokenizer/bytes-roberta.tokenizer.json"),
          "gpt2": load("test/golden/tokenizer/bytes-gpt2.tokenizer.json")}


def draw_vocabulary(rng, kind):
    """The files of a vocabulary, as texts."""
    model = MODELS[kind]
    if kind == "bert":
        lines = lines_of(model["vocab"])
        if rng.random() < 0.2:
            lines[rng.randrange(5, len(lines))] += rng.choice([" ", "\t", "\u3000"])
        if rng.random() < 0.2:
            lines[-1] = lines[-2]
        end = rng.choice(["\n", "\n", "\r\n"])
        return {"vocab.txt": end.join(lines) + rng.choice(["", end])}
    vocab = dict(model["vocab"])
    if kind == "gpt2" and rng.random() < 0.5:
        vocab["<|endoftext|>"] = len(vocab)
    merges = [" ".join(merge) if isinstance(merge, list) else merge for merge in model["merges"]]
    head = ["#version: 0.2"] if rng.random() < 0.8 else []
    return {"vocab.json": json.dumps(vocab, ensure_ascii=rng.random() < 0.5),
            "merges.txt": "\n".join(head + merges) + rng.choice(["", "\n"])}


def has_sentencepiece():
    return all(importlib.util.find_spec(name) for name in ("sentencepiece", "google.protobuf"))


def draw_spm(rng, kind):
    """A model of SentencePiece, as bytes; and its pieces."""
    m = spm_models
    first = [("<unk>", 0, m.UNKNOWN), ("<s>", 0, m.CONTROL), ("</s>", 0, m.CONTROL)]
    if kind in ("t5", "albert"):
        first = [("<pad>", 0, m.CONTROL), ("</s>", 0, m.CONTROL), ("<unk>", 0, m.UNKNOWN)]
    if kind == "albert":
        first = [("<pad>", 0, m.CONTROL), ("<unk>", 0, m.UNKNOWN), ("[CLS]", 0, m.CONTROL), ("[SEP]", 0, m.CONTROL),
                 ("[MASK]", 0, m.CONTROL)]
    if kind == "deberta-v2":
        first = [("[PAD]", 0, m.CONTROL), ("[CLS]", 0, m.CONTROL), ("[SEP]", 0, m.CONTROL),
                 ("[UNK]", rng.choice([0, -1]), m.UNKNOWN)]
    if kind == "gemma":
        first = [("<pad>", 0, m.CONTROL), ("<eos>", 0, m.CONTROL), ("<bos>", 0, m.CONTROL), ("<unk>", 0, m.UNKNOWN),
                 ("<mask>", 0, m.USER_DEFINED)]
    if kind not in ("llama", "gemma"):
        return m.draw(rng, [w.lower() for w in rng.choices(random_tokenizers.WORDS, k=40)], first)
    first += [(f"<0x{byte:02X}>", 0, m.BYTE) for byte in range(256) if rng.random() < 0.97]
    return m.draw(rng, [w.lower() for w in rng.choices(random_tokenizers.WORDS, k=90)], first, m.BPE)


def draw_token(rng, text, marked):
    token = {"content": text, "lstrip": rng.random() < 0.3, "rstrip": rng.random() < 0.2, "normalized": rng.random() < 0.3,
             "single_word": rng.random() < 0.2}
    if rng.random() < 0.5:
        return text
    return {**token, "__type": "AddedToken"} if marked else token


def draw_small(rng, kind):
    """tokenizer_config.json and what lies beside it."""
    files, config = {}, {}
    name = rng.choice(CLASSES[kind])
    if name:
        config["tokenizer_class"] = name
    files["config.json"] = {"model_type": rng.choice(TYPES[kind])} if not name or rng.random() < 0.7 else {}
    for key, chance in (("do_lower_case", 0.3), ("strip_accents", 0.2), ("tokenize_chinese_chars", 0.2),
                        ("add_prefix_space", 0.4), ("trim_offsets", 0.2), ("add_bos_token", 0.2), ("add_eos_token", 0.2)):
        if rng.random() < chance:
            config[key] = rng.random() < 0.6
    keys = [f"{name}_token" for name in ("bos", "eos", "unk", "sep", "pad", "cls", "mask")]
    vocab = list(MODELS[kind]["vocab"])
    for key in ("keep_accents", "do_lower_case") if kind == "albert" else ():
        config[key] = rng.random() < 0.5
    for key in {"deberta-v2": ["split_by_punct"], "llama": ["legacy", "add_prefix_space"]}.get(kind, []):
        config[key] = rng.choice([True, False, None])
    for key in rng.sample(keys, rng.choice([0, 0, 1, 2])):
        config[key] = draw_token(rng, rng.choice(["<new>", "<other>", rng.choice(vocab)]), True)
    if rng.random() < 0.3:
        config["additional_special_tokens"] = [draw_token(rng, t, True) for t in ("<extra>", rng.choice(vocab))]
    if rng.random() < 0.25:
        size = len(vocab)
        tokens = rng.sample(["<a>", "<b>", "<new>", rng.choice(vocab)], 2)
        config["added_tokens_decoder"] = {
            str(MODELS[kind]["vocab"].get(text, size + i)): {
                "content": text, "lstrip": rng.random() < 0.3, "rstrip": False, "normalized": rng.random() < 0.5,
                "single_word": False, "special": rng.random() < 0.5} for i, text in enumerate(tokens)}
    if rng.random() < 0.3:
        files["special_tokens_map.json"] = {key: draw_token(rng, rng.choice(["<map>", rng.choice(vocab)]), False)
                                            for key in rng.sample(keys, 2)}
    if rng.random() < 0.2:
        files["added_tokens.json"] = {"<file>": len(vocab), "<map>": len(vocab) + 1}
    if config or rng.random() < 0.5:
        files["tokenizer_config.json"] = config
    return files


KINDS = list(MODELS) + (list(SPM) if has_sentencepiece() else [])


def draw(seed, number):
    rng = random.Random(f"{seed}/{number}")
    kind = KINDS[number % len(KINDS)]
    if kind in SPM:
        data, pieces = draw_spm(rng, kind)
        MODELS[kind] = {"vocab": {piece: i for i, piece in enumerate(pieces)}}
    texts = rng.sample(random_tokenizers.TORTURE, 12) + random_tokenizers.fuzz(rng, 8)
    texts += rng.sample(random_tokenizers.PARAGRAPHS, 3)
    names = ["<new>", "<other>", "<extra>", "<a>", "<b>", "<map>", "<file>", "<s>", "[SEP]", "<mask>", "<|endoftext|>", "hello",
             "Ünï", " ", "  ", "\n", "don't", "x"]
    texts += ["".join(rng.choice(names) for _ in range(rng.randrange(1, 9))) for _ in range(15)]
    vocabulary = {SPM[kind]: data} if kind in SPM else draw_vocabulary(rng, kind)
    return kind, vocabulary, draw_small(rng, kind), texts


def reference(texts_of_files, small, texts):
    """(ids, starts, stops, types) of each text, or the failure."""
    with tempfile.TemporaryDirectory() as folder:
        for name, text in {**texts_of_files, **{n: json.dumps(v) for n, v in small.items()}}.items():
            with open(os.path.join(folder, name), "wb") as file:
                file.write(text if isinstance(text, bytes) else text.encode())
        try:
            library = AutoTokenizer.from_pretrained(folder)._tokenizer
            library.no_truncation()
            encodings = library.encode_batch(texts)
        except BaseException as error:  # also panics of the library beneath
            return f"{type(error).__name__}: {error}"
    return [(e.ids, [o[0] for o in e.offsets], [o[1] for o in e.offsets], e.type_ids) for e in encodings]


def lines(text):
    """As the reader of the engine has them (format/reader.c)."""
    parts = text.split("\n")
    parts = [part[:-1] if part.endswith("\r") and i + 1 < len(parts) else part for i, part in enumerate(parts)]
    return parts[:-1] if parts[-1] == "" else parts


def ask(program, drawn):
    """What the program says of each folder: (refusal, encodings)."""
    frame, data = random_tokenizers.frame, b""
    for _, vocabulary, small, texts in drawn:
        data += frame(b"")
        data += b"".join(frame(json.dumps(small[name]).encode() if name in small else b"") for name in SMALL)
        for name in ("vocab.txt", "vocab.json", "merges.txt"):
            text = vocabulary.get(name)
            data += frame(b"" if text is None else
                          (text if name == "vocab.json" else json.dumps(lines(text))).encode())
        data += b"".join(frame(vocabulary.get(name, b"")) for name in SPM_NAMES)
        bits = random_tokenizers.ADD_SPECIAL | random_tokenizers.PARSE_SPECIAL | random_tokenizers.OFFSETS
        data += random_tokenizers.struct.pack("<III", bits, 0, len(texts))
        data += b"".join(frame(text.encode()) for text in texts)
    run = subprocess.run([program, "--older"], input=data, stdout=subprocess.PIPE, check=True)
    answers = random_tokenizers.Answers(run.stdout)
    for _, _, _, texts in drawn:
        refusal = answers.refusal()
        if not refusal:
            answers.notes()
        yield refusal, [] if refusal else [answers.encoding(4) for _ in texts]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", required=True, help="test/tools/tokenize_lines, built")
    parser.add_argument("--seed", type=int, default=13)
    parser.add_argument("--count", type=int, default=300)
    parser.add_argument("--only", type=int, help="this number alone, with its files")
    args = parser.parse_args()
    assert transformers.__version__ == "5.23.0", "compare with transformers 5.23.0"
    numbers = list(range(args.count)) if args.only is None else [args.only]
    drawn = [draw(args.seed, number) for number in numbers]
    found, refused, good = collections.Counter(), collections.Counter(), True
    for number, (kind, vocabulary, small, texts), (refusal, got) in zip(numbers, drawn, ask(args.program, drawn)):
        if args.only is not None:
            print(kind, json.dumps(small, indent=1), refusal)
        wanted = reference(vocabulary, small, texts)
        if isinstance(wanted, str) or refusal:
            found["refused" if refusal else "the library fails"] += 1
            refused[refusal[1] if refusal else wanted[:100]] += 1
            continue
        different = [i for i in range(len(texts)) if tuple(map(list, got[i])) != tuple(map(list, wanted[i]))]
        found[f"{kind} differ" if different else f"{kind} equal"] += 1
        if different and good is True or different and args.only is not None:
            i = different[0]
            print(f"  folder {number} ({kind}): {json.dumps(small)}\n    {texts[i]!r:.200}\n    got    {got[i]}\n    wanted {wanted[i]}")
        good = good and not different
    print("  " + ", ".join(f"{count} {what}" for what, count in sorted(found.items())))
    print("  refused: " + ", ".join(f"{what} {count}" for what, count in sorted(refused.items())))
    # Most must be compared, or nothing is shown; and of many folders some of each kind.
    equal = [found[f"{kind} equal"] for kind in KINDS]
    shown = sum(equal) > len(numbers) / 2 and (len(numbers) < 100 or min(equal) > len(numbers) / 40)
    good = good and shown or args.only is not None
    print(f"{'ok' if good else 'not ok'} older-tokenizers: {len(numbers)} folders of seed {args.seed}")
    sys.exit(not good)


if __name__ == "__main__":
    main()
