#!/usr/bin/env python3
"""Small BPE tokenizers of every option, trained by the library on package descriptions (debian-corpus.py).

usage: bpe_tokenizers.py CORPUS.JSONL OUTPUT_DIR      writes NAME.tokenizer.json (in a venv with tokenizers==0.23.3)

make-golden-tokenizer.py records what the library makes of texts with them; compare-random-tokenizers.py draws models
with draw_bpe.
"""
import itertools
import json
import os
import sys

os.environ["TOKENIZERS_PARALLELISM"] = "false"
from tokenizers import (AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers,  # noqa: E402
                        processors, trainers)

UNK = "<unk>"
SPECIALS = ["<s>", "</s>", UNK, "<pad>", "<mask>"]
FOLDED = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|"
REST = r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
CL100K, QWEN2 = FOLDED + r"\p{N}{1,3}" + REST, FOLDED + r"\p{N}" + REST

# Names of the tokenizers over words, and of those over bytes.
WORDS = ["bpe-words", "bpe-fused", "bpe-bytes", "bpe-some-bytes", "bpe-affixes", "bpe-suffix", "bpe-dropping",
         "bpe-whole", "bpe-unsplit"]
BYTES = ["bytes-roberta", "bytes-gpt2", "bytes-cl100k", "bytes-qwen2", "bytes-added"]


def trained(texts, pre_tokenizer, size=400, alphabet=(), **options):
    """A BPE with the options of a trainer and of the model."""
    affixes = {key: options[key] for key in ("continuing_subword_prefix", "end_of_word_suffix") if key in options}
    tokenizer = Tokenizer(models.BPE(unk_token=UNK, **affixes))
    tokenizer.pre_tokenizer = pre_tokenizer
    tokenizer.train_from_iterator(texts, trainers.BpeTrainer(
        vocab_size=size, special_tokens=[UNK], initial_alphabet=list(alphabet), show_progress=False,
        limit_alphabet=256 if alphabet else 100, **affixes))
    return tokenizer


def changed(tokenizer, **members):
    """The same tokenizer with other members of its model."""
    root = json.loads(tokenizer.to_str())
    root["model"].update(members)
    return Tokenizer.from_str(json.dumps(root, ensure_ascii=False))


def with_tokens(tokenizer, tokens, **members):
    """More tokens in the vocabulary, at its end."""
    vocab = json.loads(tokenizer.to_str())["model"]["vocab"]
    for token in tokens:
        vocab.setdefault(token, len(vocab))
    return changed(tokenizer, vocab=vocab, **members)


def byte_tokens(values):
    return [f"<0x{value:02X}>" for value in values]


def words(texts):
    p = pre_tokenizers
    plain = trained(texts, p.Whitespace())
    text = trained(texts, p.WhitespaceSplit(), 300)
    affixes = trained(texts, p.Whitespace(), 500, continuing_subword_prefix="##", end_of_word_suffix="</w>")
    unsplit = trained(texts, p.WhitespaceSplit(), 300)
    unsplit.pre_tokenizer = None
    unsplit.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Lowercase()])
    return {
        "bpe-words": plain,
        "bpe-fused": changed(text, fuse_unk=True),
        "bpe-bytes": with_tokens(plain, byte_tokens(range(256)), byte_fallback=True, fuse_unk=True),
        "bpe-some-bytes": with_tokens(plain, byte_tokens([*range(128), 0xC3, 0xA9, 0xB8, 0xE4, 0xAD]), byte_fallback=True),
        "bpe-affixes": affixes,
        "bpe-suffix": changed(trained(texts, p.WhitespaceSplit(), end_of_word_suffix="</w>"), fuse_unk=True),
        "bpe-dropping": changed(plain, unk_token=None),
        "bpe-whole": with_tokens(plain, ["hello", "world", "Привет", "x86_64", "你好", "!?", "cafe"], ignore_merges=True),
        "bpe-unsplit": unsplit,
    }


def over_bytes(texts):
    p, level = pre_tokenizers, pre_tokenizers.ByteLevel
    alphabet = level.alphabet()
    roberta = trained(texts, level(add_prefix_space=True), 600, alphabet)
    roberta.add_special_tokens([AddedToken(t, special=True, normalized=False, lstrip=t == "<mask>") for t in SPECIALS])
    ids = {t: roberta.token_to_id(t) for t in SPECIALS}
    roberta.post_processor = processors.RobertaProcessing(("</s>", ids["</s>"]), ("<s>", ids["<s>"]), True, True)
    gpt2 = trained(texts, level(add_prefix_space=False), 600, alphabet)
    gpt2.post_processor = processors.ByteLevel(trim_offsets=False)
    split = [p.Split(Regex(pattern), "isolated", False) for pattern in (CL100K, QWEN2)]
    cl100k = changed(trained(texts, p.Sequence([split[0], level(False, use_regex=False)]), 600, alphabet),
                     ignore_merges=True)
    qwen2 = trained(texts, p.Sequence([split[1], level(False, use_regex=False)]), 600, alphabet)
    qwen2.normalizer = normalizers.NFC()
    added = changed(gpt2)
    added.add_tokens([AddedToken("new york"), AddedToken("ab", single_word=True), AddedToken("<ent>", normalized=False),
                      AddedToken("<left>", lstrip=True, normalized=False), AddedToken("<right>", rstrip=True)])
    return dict(zip(BYTES, (roberta, gpt2, cl100k, qwen2, added)))


def train(texts):
    """Every tokenizer by its name; decoders as such models have them."""
    made = {**words(texts), **over_bytes(texts)}
    for name, tokenizer in made.items():
        tokenizer.decoder = decoders.ByteLevel() if name in BYTES else None
    return made


def draw_bpe(rng, pieces):
    """A model with merges at random, so that ranks are in no order that a training would give."""
    prefix = rng.choice([None, None, None, "", "##", "é"])
    suffix = rng.choice([None, None, None, "", "</w>"])
    fallback = rng.random() < 0.3 and not prefix and not suffix
    vocab, merges = {UNK: 0, "[UNK]": 1, "[CLS]": 2, "[SEP]": 3}, []

    def put(text):
        vocab.setdefault(text, len(vocab))
        return text

    letters = sorted({c for piece in pieces for c in piece})
    for c in rng.sample(letters, int(len(letters) * rng.choice([0.5, 0.9, 1]))):
        for text in (c, (prefix or "") + c, c + (suffix or ""), (prefix or "") + c + (suffix or "")):
            if rng.random() < 0.9:
                put(text)
    for piece in rng.sample(pieces, min(len(pieces), 150)):
        for left, right in zip(itertools.accumulate(piece), piece[1:]):
            last = suffix if suffix and rng.random() < 0.5 else ""
            right = rng.choice([right, piece[len(left):len(left) + 2]])
            if left and right:
                merges.append([put(left), put((prefix or "") + right + last)])
                put(left + right + last)
    rng.shuffle(merges)
    for value in rng.sample(range(256), rng.choice([0, 100, 256])) if fallback else []:
        put(f"<0x{value:02X}>")
    strings = rng.random() < 0.5 and not any(" " in part for merge in merges for part in merge)
    return {"type": "BPE", "dropout": rng.choice([None, 0.0]), "unk_token": rng.choice([UNK, UNK, "[UNK]", None]),
            "continuing_subword_prefix": prefix, "end_of_word_suffix": suffix, "fuse_unk": rng.random() < 0.5,
            "byte_fallback": fallback, "ignore_merges": rng.random() < 0.3, "vocab": vocab,
            "merges": [" ".join(merge) for merge in merges] if strings else merges}


def draw_bytes(rng):
    """Model, pre-tokenizer and normalizer of a byte-level tokenizer, most of them such as have a fast path."""
    folder = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../test/golden/tokenizer")
    with open(os.path.join(folder, rng.choice(BYTES) + ".tokenizer.json"), encoding="utf-8") as file:
        model = json.load(file)["model"]
    for token in ("[UNK]", "[CLS]", "[SEP]"):
        model["vocab"].setdefault(token, len(model["vocab"]))
    if rng.random() < 0.5:
        rng.shuffle(model["merges"])
    model.update(unk_token=rng.choice([None, "[UNK]", "<nowhere>"]), ignore_merges=rng.random() < 0.5,
                 fuse_unk=rng.random() < 0.5)
    level = {"type": "ByteLevel", "add_prefix_space": rng.random() < 0.5, "trim_offsets": True, "use_regex": rng.random() < 0.9}
    if rng.random() < 0.5:
        inverted = rng.random() < 0.3
        split = {"type": "Split", "pattern": {"Regex": rng.choice([CL100K, QWEN2, CL100K, QWEN2, r"\s+|\S+"])},
                 "behavior": "Removed" if inverted else "Isolated", "invert": inverted}
        level.update(add_prefix_space=rng.random() < 0.1, use_regex=rng.random() < 0.1)
        level = {"type": "Sequence", "pretokenizers": [split, level]}
    return {"model": model, "pre_tokenizer": level, "normalizer": rng.choice([None, None, None, {"type": "NFC"}])}


def main():
    corpus, folder = sys.argv[1:]
    with open(corpus, encoding="utf-8") as file:
        texts = [json.loads(line)["body"] for line in itertools.islice(file, 0, 60000, 40)]
    for name, tokenizer in train(texts).items():
        with open(os.path.join(folder, name + ".tokenizer.json"), "w", encoding="utf-8") as file:
            file.write(tokenizer.to_str() + "\n")


if __name__ == "__main__":
    main()
