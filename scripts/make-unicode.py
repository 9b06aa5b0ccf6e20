#!/usr/bin/env python3
"""Write src/engine/base/unicode_data.c: what the reference tokenizer library knows of Unicode.

`tokenizers` mixes several Unicode versions (docs: src/engine/base/unicode.h), so no published
table fits. Every property is derived by asking that library about every scalar value.

usage: make-unicode.py OUTPUT        (in a venv with tokenizers==0.23.3)
"""
import sys
import unicodedata

import tokenizers
from tokenizers import AddedToken, Tokenizer, models, normalizers, pre_tokenizers

VERSION = "0.23.3"
SCALARS = [c for c in range(0x110000) if not 0xD800 <= c < 0xE000]
HANGUL = range(0xAC00, 0xAC00 + 11172)

# The bits of lm_unicode_flags, in the order of base/unicode.h.
SPACE, DROPPED, NONSPACING, MARK, PUNCTUATION, WORD, CJK, LETTER, NUMBER = (1 << i for i in range(9))


def ask_flags():
    """Flags of every scalar value."""
    clean = normalizers.BertNormalizer(
        clean_text=True, handle_chinese_chars=False, strip_accents=False, lowercase=False)
    cjk = normalizers.BertNormalizer(
        clean_text=False, handle_chinese_chars=True, strip_accents=False, lowercase=False)
    accents = normalizers.BertNormalizer(
        clean_text=False, handle_chinese_chars=False, strip_accents=True, lowercase=False)
    marks = normalizers.StripAccents()
    bert = pre_tokenizers.BertPreTokenizer()
    split = pre_tokenizers.WhitespaceSplit()
    words = pre_tokenizers.Whitespace()
    level = pre_tokenizers.ByteLevel(add_prefix_space=False)
    single = single_word_tokenizer()
    flags = {}
    for c in SCALARS:
        s, f = chr(c), 0
        cleaned = clean.normalize_str(s)
        pieces = len(bert.pre_tokenize_str("a" + s + "b"))
        space = len(split.pre_tokenize_str("a" + s + "b")) == 2
        word = len(words.pre_tokenize_str("a" + s)) == 1 and not space
        letter, number, other = (len(level.pre_tokenize_str(kind + s)) == 1 for kind in "a1!")
        # One flag stands for several questions of the library: they must agree.
        assert (pieces == 2) == space, hex(c)
        assert space == (cleaned == " ") or cleaned == "", hex(c)
        assert word == (single.encode(s + "|x|").ids[-1] != 1), hex(c)
        assert letter + number + other + space == 1, hex(c)
        f |= SPACE * space | PUNCTUATION * (pieces == 3) | WORD * word
        f |= LETTER * letter | NUMBER * number
        f |= DROPPED * (cleaned == "") | CJK * (cjk.normalize_str(s) != s)
        f |= NONSPACING * (accents.normalize_str(s) == "") | MARK * (marks.normalize_str(s) == "")
        flags[c] = f
    return flags


def single_word_tokenizer():
    """Gives id 1 to "|x|" only where it stands as a word of its own."""
    tokenizer = Tokenizer(models.WordPiece({"[UNK]": 0, "|x|": 1}, unk_token="[UNK]"))
    tokenizer.add_tokens([AddedToken("|x|", single_word=True, normalized=False)])
    return tokenizer


def ask_mapping(ask):
    """{scalar value: tuple of scalar values} where the answer is not the value itself."""
    answers = ((c, ask(chr(c))) for c in SCALARS if c not in HANGUL)
    return {c: tuple(map(ord, s)) for c, s in answers if s != chr(c)}


def ask_classes(nfd):
    """Canonical combining classes, from the order into which the library sorts pairs of marks."""
    def moves(first, second):
        text = chr(first) + chr(second)
        return nfd("a" + text) == "a" + text[::-1] != "a" + text

    # A mark of each class that the library knows as one; U+0345 has the highest class.
    known = {}
    for c in SCALARS:
        if c == 0x345 or moves(0x345, c):
            known.setdefault(unicodedata.combining(chr(c)), c)
    steps = [known[k] for k in sorted(known)]
    values = [unicodedata.combining(chr(s)) for s in steps]
    for a, b in zip(steps, steps[1:]):
        assert moves(b, a) and not moves(a, b)
    classes = {}
    for c in SCALARS:
        if nfd(chr(c)) != chr(c) or not (moves(0x345, c) or moves(c, steps[0]) or c == steps[0]):
            continue
        low = sum(moves(c, s) for s in steps)
        same = [i for i, s in enumerate(steps) if not moves(c, s) and not moves(s, c)]
        assert same == [low], hex(c)
        classes[c] = values[low]
    return classes


def ask_pairs(decompositions, nfc):
    """(first, second, composed) of canonical composition."""
    pairs = []
    for c, parts in decompositions.items():
        if len(parts) < 2 or nfc(chr(c)) != chr(c):
            continue
        first, second = nfc("".join(map(chr, parts[:-1]))), chr(parts[-1])
        assert len(first) == 1 and nfc(first + second) == chr(c), hex(c)
        pairs.append((ord(first), ord(second), c))
    return sorted(pairs)


class Pool:
    """Sequences of scalar values, each preceded by its length; 0 means no entry."""

    def __init__(self):
        self.values, self.places = [0], {}

    def place(self, sequence):
        if sequence not in self.places:
            self.places[sequence] = len(self.values)
            self.values += [len(sequence), *sequence]
        return self.places[sequence]


def smallest(values):
    """(shift, blocks, values): the two-stage table that takes the least text."""
    tables = [(shift, *two_stage(values, shift)) for shift in range(5, 11)]
    return min(tables, key=lambda table: sum(len(str(v)) + 2 for part in table[1:] for v in part))


def two_stage(values, shift):
    """(block number of each high part, the distinct blocks laid end to end)."""
    size, blocks, first, second = 1 << shift, {}, [], []
    for start in range(0, 0x110000, size):
        block = tuple(values.get(c, 0) for c in range(start, start + size))
        if block not in blocks:
            blocks[block] = len(blocks)
            second += block
        first.append(blocks[block])
    return first, second


def emit(out, kind, name, values):
    """One array, at most 98 columns wide."""
    out.append(f"const {kind} {name}[{len(values)}] = {{")
    line = "   "
    for value in values:
        item = f" {value},"
        if len(line) + len(item) > 98:
            out.append(line)
            line = "   "
        line += item
    out.append(line)
    out.append("};")
    out.append("")


def main():
    assert tokenizers.__version__ == VERSION, "tables are those of tokenizers " + VERSION
    nfd, nfc = normalizers.NFD().normalize_str, normalizers.NFC().normalize_str
    decomposed = ask_mapping(nfd)
    compatible = ask_mapping(normalizers.NFKD().normalize_str)
    lower = ask_mapping(normalizers.Lowercase().normalize_str)
    pool = Pool()
    tables = [
        ("flags", "uint16_t", ask_flags()),
        ("class", "uint8_t", ask_classes(nfd)),
        ("nfd", "uint16_t", {c: pool.place(s) for c, s in decomposed.items()}),
        ("nfkd", "uint16_t", {c: pool.place(s) for c, s in compatible.items()}),
        ("lower", "uint16_t", {c: pool.place(s) for c, s in lower.items()}),
    ]
    out = [
        "/*",
        " * unicode_data.c - tables of base/unicode.h, generated by scripts/make-unicode.py from the",
        f" * answers of tokenizers {VERSION} about every scalar value. Do not edit.",
        " */",
        "/* clang-format off */",
        '#include "base/unicode_data.h"',
        "",
    ]
    for name, kind, values in tables:
        shift, first, second = smallest(values)
        assert max(first) < 256 and max(second) < (256 if kind == "uint8_t" else 65536)
        emit(out, "uint8_t", f"lm_unicode_{name}_block", first)
        emit(out, kind, f"lm_unicode_{name}_value", second)
        out.append(f"const unsigned lm_unicode_{name}_shift = {shift};")
        out.append("")
    emit(out, "uint32_t", "lm_unicode_pool", pool.values)
    pairs = ask_pairs(decomposed, nfc)
    emit(out, "lm_unicode_pair", "lm_unicode_pairs",
         ["{%d, %d, %d}" % pair for pair in pairs])
    out.append(f"const size_t lm_unicode_pair_count = {len(pairs)};")
    with open(sys.argv[1], "w", encoding="ascii") as file:
        file.write("\n".join(out) + "\n")
    print(f"{sys.argv[1]}: {sum(map(len, out)) + len(out)} bytes, {len(pairs)} pairs")


if __name__ == "__main__":
    main()
