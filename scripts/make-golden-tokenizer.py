#!/usr/bin/env python3
"""Write test/golden/tokenizer/: small tokenizers, and what the reference library makes of texts.

  NAME.tokenizer.json   small tokenizers of many kinds, made by the library
  minilm.golden.jsonl   {"text", "ids", "offsets"} of the real model, on the texts of tokenizer_texts.py
  NAME.crc              checksums of a small tokenizer's answers on the same texts, and of its options
  NAME.blocks           checksums of blocks of 256 scalar values: each alone, and inside a word
  spm-CLASS.crc         the same of what transformers makes of spm.model and spm-albert.model (with --spm: these alone)
  decode.jsonl          {"ids", "text", "plain"}: decoding with and without special tokens

usage: make-golden-tokenizer.py MODEL_DIR|--spm OUTPUT_DIR      (in a venv with tokenizers==0.23.3)
"""
import json
import os
import random
import shutil
import sys
import tempfile
import zlib

import charsmap
import tokenizers
from tokenizers import (AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers,
                        processors, trainers)

import bpe_tokenizers
from tokenizer_patterns import PATTERNS
from tokenizer_texts import LETTERS, PARAGRAPHS, POINTS, SPECIALS, WORDS, fuzz, torture

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


def build_wordlevel(normalizer, pre_tokenizer, post=template, added=()):
    """Words of the same vocabulary, as a whole; words of many bytes and of many marks among them."""
    vocab = {token: i for i, token in enumerate(t for t in vocabulary() if not t.startswith("##"))}
    tokenizer = Tokenizer(models.WordLevel(vocab, unk_token="[UNK]"))
    tokenizer.normalizer = normalizer
    tokenizer.pre_tokenizer = pre_tokenizer
    if post:
        tokenizer.post_processor = post(vocab)
    tokenizer.add_special_tokens([AddedToken(t, special=True, normalized=False) for t in SPECIAL_TOKENS])
    tokenizer.add_tokens([t for t in added if not t.special])
    return tokenizer


def small_map():
    """A map of characters with all that such maps do: case, several characters for one and one for several, white space,
    nothing at all, keys of clusters of two and more characters, and a key that is not a whole character."""
    keys = {chr(c): chr(c + 32) for c in range(65, 91)}
    keys.update({"\ufb01": "fi", "\u3314": "\u30ad\u30ed", "\u00bd": "1/2", "\u3000": " ", "\u00a0": " ", "\t": " ",
                 "\n": " ", "\r": " ", "\u200b": " ", "\x01": "", "\u00ad": "", "\ufeff": "", "\u00b4": " \u0301",
                 "e\u0301": "\u00e9", "a\u0308": "\u00e4", "\u0308": "x", "\u00e7": "c\u0327", "\u0130": "i\u0307",
                 "\u4e2d": "", "\uac01": "\u1100\u1161\u11a8", "\u0600": "", "o\u0323\u0301": "o", "\u00a9": "(c)"})
    keys["\u30ab\u3099"] = "\u30ac"
    return charsmap.build({**keys, "\u0390".encode()[:1]: "?"})


def unigram_pieces():
    """Pieces of the same vocabulary with and without a space before, some at equal scores; two have one text."""
    texts = [t.removeprefix("##") for t in vocabulary() if t not in SPECIAL_TOKENS and t != "##"]
    texts += ["\u2581", "\u2581the", "\u2581a", "\u2581na", "ive", "\u2581post", "gres", "\u1100\u1161", "xx", "c\u0327"]
    pieces = [("<s>", 0.0), ("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0)]
    pieces += [(t, -1.5 - (i * 7919 % 40) / 8 + len(t) / 4) for i, t in enumerate(dict.fromkeys(texts))]
    return pieces + [("ab", -0.25), ("\u2581new", -3.4635426998138428), ("ab", -2.0)]


def build_unigram(normalizer, pre_tokenizer, pieces=None, post=None, added=(), bytes_too=False):
    pieces = pieces or unigram_pieces()
    pieces = pieces + [(f"<0x{b:02X}>", -20.0 - b) for b in range(256)] * bytes_too
    tokenizer = Tokenizer(models.Unigram(pieces, 3, bytes_too))
    tokenizer.normalizer = normalizer
    if pre_tokenizer:
        tokenizer.pre_tokenizer = pre_tokenizer
    if post:
        tokenizer.post_processor = post({"[CLS]": 0, "[SEP]": 2})
    tokenizer.add_special_tokens([AddedToken(t, special=True, normalized=False)
                                  for t in ("<s>", "<pad>", "</s>", "<unk>")])
    tokenizer.add_tokens([t for t in added if not t.special])
    return tokenizer


def train_unigram(path, normalizer, pre_tokenizer):
    """One that the library trained on the texts here. Trainings differ from run to run, so it stays once it is there."""
    if os.path.exists(path):
        return Tokenizer.from_file(path)
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer, tokenizer.pre_tokenizer = normalizer, pre_tokenizer
    trainer = trainers.UnigramTrainer(vocab_size=700, unk_token="<unk>", show_progress=False,
                                      special_tokens=["<s>", "<pad>", "</s>", "<unk>"])
    tokenizer.train_from_iterator(PARAGRAPHS + torture(), trainer)
    return tokenizer
def build_pieces(normalizer, pre_tokenizer, post, decoder, added=(), spaces="▁Ġ"):
    """Every byte's character, every letter of the texts and pieces with a space before them, so that each character's
    place shows. Enough for what BPE and Unigram models have around them."""
    vocab = dict.fromkeys(["<s>", "</s>", "[UNK]"] + sorted(pre_tokenizers.ByteLevel.alphabet()))
    texts = WORDS + [w.lower() for w in WORDS] + "he llo 's 're Ã© ĊĊ , .".split()
    for text in texts:
        vocab.update(dict.fromkeys([text, text[:2], *(space + text for space in spaces)]))
    vocab.update(dict.fromkeys(LETTERS + POINTS + "▁ " + "\u0301\u302a\u3000\u2003\n\t"))
    vocab.update(dict.fromkeys(["<0x41>", "<0xC3>", "<0xA9>", "<0x+f>", "▁▁", "ĠĠ", "a</w>", "b</w>", "|", "a|", "<pad>",
                                " .", " n't"]))
    vocab = {token: i for i, token in enumerate(vocab)}
    tokenizer = Tokenizer(models.WordPiece(vocab, unk_token="[UNK]", continuing_subword_prefix="",
                                           max_input_chars_per_word=60))
    tokenizer.normalizer = normalizer
    tokenizer.pre_tokenizer = pre_tokenizer
    tokenizer.post_processor = post
    tokenizer.decoder = decoder
    tokenizer.add_special_tokens(["<s>", "</s>"])
    tokenizer.add_tokens([t for t in added if not t.special])
    tokenizer.add_special_tokens([t for t in added if t.special])
    return tokenizer


def roberta(**settings):
    return processors.RobertaProcessing(("</s>", 1), ("<s>", 0), **settings)


def pieces():
    """Stages that change characters."""
    n, p, d = normalizers, pre_tokenizers, decoders
    ends = processors.TemplateProcessing(single="<s> $A", pair="<s> $A <s>:1 $B:1", special_tokens=[("<s>", 0)])
    llama = d.Sequence([d.Replace("▁", " "), d.ByteFallback(), d.Fuse(), d.Strip(" ", 1, 0)])
    return {
        "byte-level": build_pieces(None, p.ByteLevel(add_prefix_space=False),
                                   roberta(trim_offsets=True, add_prefix_space=False), d.ByteLevel(), named()),
        "byte-level-prefix": build_pieces(n.NFC(), p.ByteLevel(add_prefix_space=True),
                                          roberta(trim_offsets=True, add_prefix_space=True),
                                          d.CTC(pad_token="<pad>", word_delimiter_token="|", cleanup=True)),
        "byte-level-sequence": build_pieces(
            n.Sequence([n.Replace("ab", "xyz"), n.Replace("  ", " "), n.Strip(left=True, right=False)]),
            p.Sequence([p.Punctuation(), p.ByteLevel(add_prefix_space=True, use_regex=False)]),
            processors.Sequence([processors.ByteLevel(trim_offsets=True, add_prefix_space=True), ends]), d.BPEDecoder()),
        "metaspace": build_pieces(n.Sequence([n.Nmt(), n.Strip()]), p.Metaspace(), ends, d.Metaspace()),
        "metaspace-first": build_pieces(n.Lowercase(), p.Metaspace(prepend_scheme="first", split=False), ends, llama,
                                        named()),
        "metaspace-words": build_pieces(None, p.Sequence([p.WhitespaceSplit(), p.Metaspace()]),
                                        roberta(trim_offsets=False), d.Metaspace(prepend_scheme="never")),
        "prepended": build_pieces(n.Sequence([n.Prepend("▁"), n.Replace(" ", "▁")]), None, ends, llama, named()),
        "bytes-normalized": build_pieces(n.Sequence([n.Strip(left=False), n.ByteLevel()]), None,
                                         processors.ByteLevel(trim_offsets=True, add_prefix_space=False),
                                         d.Sequence([d.ByteLevel(), d.Replace(" ", "··")])),
    }


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


def fixtures(folder):
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
        "split-cased": build(n.NFC(), p.Sequence([p.Split(Regex(PATTERNS["o200k"]), "isolated"), p.Digits(True)]), None),
        "split-merged": build(variant(), p.Sequence([p.Split(" ", "merged_with_previous"), p.Punctuation("merged_with_next"),
                                                     p.Digits(False), p.UnicodeScripts(), p.FixedLength(7)])),
        "split-removed": build(None, p.Sequence([p.Split(Regex(PATTERNS["clip"]), "removed", invert=True),
                                                 p.CharDelimiterSplit("e"), p.Punctuation("contiguous")]), added=named()),
        "wordlevel": build_wordlevel(variant(), bert()),
        "wordlevel-words": build_wordlevel(n.NFC(), p.Whitespace(), None, added=named()),
        "unigram": build_unigram(n.Precompiled(small_map()), p.WhitespaceSplit(), post=template),
        "unigram-bytes": build_unigram(n.Sequence([n.Precompiled(small_map()), n.NFC()]), p.Whitespace(), post=template,
                                       bytes_too=True),
        "unigram-whole": build_unigram(n.Precompiled(small_map()), None, added=named()),
        "unigram-plain": build_unigram(None, p.WhitespaceSplit(), bytes_too=True),
        "unigram-trained": train_unigram(os.path.join(folder, "unigram-trained.tokenizer.json"), n.NFKC(),
                                         p.WhitespaceSplit()),
        **pieces(),
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
    for name, side in (("cut", "right"), ("cut-left", "left")):
        tokenizer.enable_truncation(8, direction=side)
        out.append(f"{name} " + crc(map(line, tokenizer.encode_batch(texts))))
        out.append(f"pair-{name} " + crc(map(types, tokenizer.encode_batch(pairs))))
        out.append(f"pair-{name}-places " + crc(map(line, tokenizer.encode_batch(pairs))))
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


def decodings(tokenizer, texts, rng, drawn=300):
    """What texts became, then ids at random."""
    lists = [tokenizer.encode(text).ids for text in texts]
    size = tokenizer.get_vocab_size()
    lists += [[rng.randrange(size) for _ in range(rng.randrange(1, 12))] for _ in range(drawn)]
    for ids in lists:
        yield json.dumps({"ids": ids, "text": tokenizer.decode(ids, skip_special_tokens=True),
                          "plain": tokenizer.decode(ids, skip_special_tokens=False)},
                         ensure_ascii=False)


def main():
    assert tokenizers.__version__ == "0.23.3"
    model, folder = sys.argv[1:]
    os.makedirs(folder, exist_ok=True)
    texts = torture() + fuzz(random.Random(5), 300) + flag_texts(random.Random(6))
    if model == "--spm":
        spm_answers(folder, texts)
        return
    real = Tokenizer.from_file(os.path.join(model, "tokenizer.json"))
    real.no_padding()
    real.no_truncation()
    write(folder, "minilm.golden.jsonl", [
        json.dumps({"text": t, "ids": e.ids, "offsets": [x for pair in e.offsets for x in pair]},
                   separators=(",", ":"))
        for t, e in zip(texts, real.encode_batch(texts))])
    write(folder, "minilm.crc", answers(real, texts))
    write(folder, "minilm.blocks", blocks(real))
    for name, tokenizer in fixtures(folder).items():
        write(folder, name + ".tokenizer.json", [tokenizer.to_str()])
        write(folder, name + ".crc", answers(tokenizer, texts))
    for name in bpe_tokenizers.WORDS + bpe_tokenizers.BYTES:
        # Trained before: bpe_tokenizers.py.
        tokenizer = Tokenizer.from_file(os.path.join(folder, name + ".tokenizer.json"))
        write(folder, name + ".crc", answers(tokenizer, texts))
    for name in ("uncased", "unigram-bytes"):
        write(folder, name + ".blocks", blocks(fixtures(folder)[name]))
    for name in ("uncased", "cased-stripped", "added", "wordlevel"):
        write(folder, name + ".decode.jsonl", decodings(fixtures(folder)[name], texts[:100], random.Random(8)))
    for name in pieces():
        write(folder, name + ".decode.jsonl", decodings(fixtures(folder)[name], texts[:100:5], random.Random(9), 130))


SPM_CLASSES = {"xlm-roberta": "sentencepiece.bpe.model", "camembert": "sentencepiece.bpe.model", "t5": "spiece.model",
               "albert": "spiece.model", "deberta-v2": "spm.model", "llama": "tokenizer.model", "gemma": "tokenizer.model"}
SPM_MODELS = {"albert": "spm-albert.model", "deberta-v2": "spm-albert.model", "llama": "spm-bpe.model", "gemma": "spm-bpe.model"}


def spm_answers(folder, texts):
    """What the classes of transformers make of spm.model, spm-albert.model and (type bpe, with bytes) spm-bpe.model, which
    SentencePiece trained on the texts of tokenizer_texts.py: they differ from run to run and are not made again. Needs transformers, sentencepiece and protobuf."""
    from transformers import AutoTokenizer
    for kind, name in SPM_CLASSES.items():
        model = os.path.join(folder, SPM_MODELS.get(kind, "spm.model"))
        with tempfile.TemporaryDirectory() as made:
            shutil.copy(model, os.path.join(made, name))
            with open(os.path.join(made, "config.json"), "w", encoding="utf-8") as file:
                json.dump({"tokenizer_class": "LlamaTokenizer"} if kind == "llama" else {"model_type": kind}, file)
            tokenizer = AutoTokenizer.from_pretrained(made).backend_tokenizer
        write(folder, f"spm-{kind}.crc", answers(tokenizer, texts))


def flag_texts(rng):
    """Texts full of the added tokens of all_flags()."""
    names = [t.content for t in all_flags()]
    names += [n.lower() for n in names] + [n.upper() for n in names]
    joints = ["", " ", "  ", "\t", "a", ".", "_", "\u0301", "\u3000", "é", "中", " x "]
    return ["".join(rng.choice(names) + rng.choice(joints) for _ in range(rng.randrange(1, 6)))
            for _ in range(300)]


if __name__ == "__main__":
    main()
