#!/usr/bin/env python3
"""Write test/golden/tokenizer/: small tokenizers, and what the reference library makes of texts.

  NAME.tokenizer.json   small tokenizers of many kinds, made by the library
  minilm.golden.jsonl   {"text", "ids", "offsets"} of the real model, on the texts of tokenizer_texts.py
  NAME.crc              checksums of a small tokenizer's answers on the same texts, and of its options
  NAME.blocks           checksums of blocks of 256 scalar values: each alone, and inside a word
  decode.jsonl          {"ids", "text", "plain"}: decoding with and without special tokens

usage: make-golden-tokenizer.py MODEL_DIR OUTPUT_DIR      (in a venv with tokenizers==0.23.3)
"""
import json
import os
import random
import sys
import zlib

import tokenizers
from tokenizers import (AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers,
                        processors)

from tokenizer_texts import LETTERS, POINTS, SPECIALS, WORDS, fuzz, torture

BERT = dict(clean_text=True, handle_chinese_chars=True, strip_accents=None, lowercase=True)
SPECIAL_TOKENS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]


def vocabulary():
    """Characters, pieces and words, as they are and in lower case, small enough to be read."""
    words = WORDS + "unaffable un aff able token ization post gre sql new york cafe naive".split()
    items = dict.fromkeys(SPECIAL_TOKENS)
    for text in words + [w.lower() for w in words] + [s for s in SPECIALS if s.isalpha()]:
        items[text] = None
        for size in (2, 3):
            for at in range(0, len(text) - size, 2):
                items["##" + text[at:at + size]] = None
    for c in "abcdefghijklmnopqrstuvwxyzABC0123456789" + LETTERS + POINTS + "\u0301\u0305\u0323\u302a각힣":
        items[c] = None
        items["##" + c] = None
    for c in "\u1100\u1161\u11a8\u1112\u1175\u11c2йё":
        items[c] = None
        items["##" + c] = None
    items.update(dict.fromkeys(["##", "'s", "'m", "'re", "'ve", "n't", "do not", "' ", "not"]))
    return {token: i for i, token in enumerate(items)}


def template(vocab):
    ids = [("[CLS]", vocab["[CLS]"]), ("[SEP]", vocab["[SEP]"])]
    return processors.TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=ids,
                                         pair="[CLS] $A [SEP] $B:1 [SEP]:1")


def bert_processing(vocab):
    return processors.BertProcessing(("[SEP]", vocab["[SEP]"]), ("[CLS]", vocab["[CLS]"]))


def build(normalizer, pre_tokenizer=None, post=template, added=(), specials=True, cleanup=True,
          prefix="##", max_chars=100):
    vocab = vocabulary()
    tokenizer = Tokenizer(models.WordPiece(vocab, unk_token="[UNK]", continuing_subword_prefix=prefix,
                                           max_input_chars_per_word=max_chars))
    tokenizer.normalizer = normalizer
    if pre_tokenizer:
        tokenizer.pre_tokenizer = pre_tokenizer
    if post:
        tokenizer.post_processor = post(vocab)
    tokenizer.decoder = decoders.WordPiece(prefix="##", cleanup=cleanup)
    if specials:
        tokenizer.add_special_tokens([AddedToken(t, special=True, normalized=False)
                                      for t in SPECIAL_TOKENS])
    tokenizer.add_tokens([t for t in added if not t.special])
    tokenizer.add_special_tokens([t for t in added if t.special])
    return tokenizer


def all_flags():
    """Added tokens with every combination of the four flags, for each of two ways of matching."""
    tokens = []
    for bits in range(16):
        flags = {key: bool(bits >> i & 1)
                 for i, key in enumerate(("single_word", "lstrip", "rstrip", "special"))}
        tokens.append(AddedToken(f"<x{bits}>", normalized=False, **flags))
        tokens.append(AddedToken(f"Y{bits}é", normalized=True, **flags))
    return tokens


def named():
    return [AddedToken("<ent>", normalized=False), AddedToken("<left>", lstrip=True),
            AddedToken("<right>", rstrip=True, normalized=False), AddedToken("new york"),
            AddedToken("<both>", lstrip=True, rstrip=True), AddedToken("café", single_word=True),
            AddedToken("<word>", single_word=True, normalized=False), AddedToken("ab"),
            AddedToken("abb"), AddedToken("abba"), AddedToken("xaby", normalized=False),
            AddedToken("ab.", normalized=False), AddedToken("b.c", normalized=False),
            AddedToken("xb.cy", normalized=False), AddedToken(" lead"),
            AddedToken(" raw", normalized=False),
            AddedToken("<extra>", special=True, normalized=True)]


def fixtures():
    """Every small tokenizer by its name."""
    n, p = normalizers, pre_tokenizers
    bert = p.BertPreTokenizer
    variant = lambda **changes: n.BertNormalizer(**{**BERT, **changes})  # noqa: E731
    return {
        "uncased": build(variant(), bert()),
        "cased": build(variant(lowercase=False), bert(), bert_processing),
        "cased-stripped": build(variant(lowercase=False, strip_accents=True), bert(), cleanup=False),
        "uncased-accents": build(variant(strip_accents=False), bert(), bert_processing),
        "unclean": build(variant(clean_text=False, handle_chinese_chars=False), bert()),
        "added": build(variant(), bert(), added=named()),
        "added-flags": build(variant(), bert(), added=all_flags()),
        "added-raw": build(variant(), bert(), added=[t for t in all_flags() if not t.normalized]),
        "sequence": build(n.Sequence([n.NFD(), n.Lowercase(), n.StripAccents()]),
                          p.Sequence([p.WhitespaceSplit(), p.Punctuation()])),
        "compatible": build(n.Sequence([n.NFKD(), n.Lowercase()]), p.Whitespace(), None),
        "plain": build(n.Lowercase(), None, None, max_chars=12, specials=False),
        "decomposed": build(n.NFD(), p.WhitespaceSplit(), prefix="", max_chars=20),
        "composed": build(n.Sequence([n.NFC(), n.Lowercase()]), bert()),
        "compatible-composed": build(n.NFKC(), p.WhitespaceSplit()),
        "unnormalized": build(None, p.Punctuation(), added=named()),
    }


def line(encoding):
    return "".join(f"{i}:{a}-{b};" for i, (a, b) in zip(encoding.ids, encoding.offsets)) + "\n"


def types(encoding):
    return "".join(f"{i}:{t};" for i, t in zip(encoding.ids, encoding.type_ids)) + "\n"


def crc(lines):
    return f"{zlib.crc32(''.join(lines).encode()):08x}"


def blocks(tokenizer):
    """One line for each 256 scalar values: number, checksum alone, checksum inside a word."""
    out = []
    for start in range(0, 0x110000, 256):
        if 0xD800 <= start < 0xE000:
            continue
        chars = [chr(c) for c in range(start, start + 256)]
        alone = crc(map(line, tokenizer.encode_batch(chars)))
        inside = crc(map(line, tokenizer.encode_batch([f"a{c}b" for c in chars])))
        out.append(f"{start >> 8:x} {alone} {inside}")
    return out


def answers(tokenizer, texts):
    """Checksums: a line for each text, then named ones over all texts for each option."""
    tokenizer.no_truncation()
    out = [crc([line(e)]) for e in tokenizer.encode_batch(texts)]
    out.append("bare " + crc(map(line, tokenizer.encode_batch(texts, add_special_tokens=False))))
    pairs = list(zip(texts[::2], texts[1::2]))
    out.append("pair " + crc(map(types, tokenizer.encode_batch(pairs))))
    tokenizer.enable_truncation(8)
    out.append("cut " + crc(map(line, tokenizer.encode_batch(texts))))
    out.append("pair-cut " + crc(map(types, tokenizer.encode_batch(pairs))))
    tokenizer.no_truncation()
    tokenizer.encode_special_tokens = True
    out.append("plain " + crc(map(line, tokenizer.encode_batch(texts))))
    tokenizer.encode_special_tokens = False
    return out


def write(folder, name, lines):
    path = os.path.join(folder, name)
    with open(path, "w", encoding="utf-8") as file:
        file.write("\n".join(lines) + "\n")
    assert os.path.getsize(path) < 1_000_000, path


def decodings(tokenizer, texts, rng):
    """What texts became, then ids at random."""
    lists = [tokenizer.encode(text).ids for text in texts]
    size = tokenizer.get_vocab_size()
    lists += [[rng.randrange(size) for _ in range(rng.randrange(1, 12))] for _ in range(300)]
    for ids in lists:
        yield json.dumps({"ids": ids, "text": tokenizer.decode(ids, skip_special_tokens=True),
                          "plain": tokenizer.decode(ids, skip_special_tokens=False)},
                         ensure_ascii=False)


def main():
    assert tokenizers.__version__ == "0.23.3"
    model, folder = sys.argv[1:]
    os.makedirs(folder, exist_ok=True)
    texts = torture() + fuzz(random.Random(5), 300) + flag_texts(random.Random(6))
    real = Tokenizer.from_file(os.path.join(model, "tokenizer.json"))
    real.no_padding()
    real.no_truncation()
    write(folder, "minilm.golden.jsonl", [
        json.dumps({"text": t, "ids": e.ids, "offsets": [x for pair in e.offsets for x in pair]},
                   separators=(",", ":"))
        for t, e in zip(texts, real.encode_batch(texts))])
    write(folder, "minilm.crc", answers(real, texts))
    write(folder, "minilm.blocks", blocks(real))
    for name, tokenizer in fixtures().items():
        write(folder, name + ".tokenizer.json", [tokenizer.to_str()])
        write(folder, name + ".crc", answers(tokenizer, texts))
    write(folder, "uncased.blocks", blocks(fixtures()["uncased"]))
    for name in ("uncased", "cased-stripped", "added"):
        write(folder, name + ".decode.jsonl", decodings(fixtures()[name], texts[:100], random.Random(8)))


def flag_texts(rng):
    """Texts full of the added tokens of all_flags()."""
    names = [t.content for t in all_flags()]
    names += [n.lower() for n in names] + [n.upper() for n in names]
    joints = ["", " ", "  ", "\t", "a", ".", "_", "\u0301", "\u3000", "é", "中", " x "]
    return ["".join(rng.choice(names) + rng.choice(joints) for _ in range(rng.randrange(1, 6)))
            for _ in range(300)]


if __name__ == "__main__":
    main()
