"""Models of SentencePiece, written and drawn without that library: messages of sentencepiece_model.proto."""
import random
import struct

import charsmap

NORMAL, UNKNOWN, CONTROL, USER_DEFINED, UNUSED, BYTE = range(1, 7)
UNIGRAM, BPE = 1, 2


def varint(number):
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes(out) + bytes([number])


def number(field, value):
    return varint(field << 3) + varint(value)


def text(field, value):
    return varint(field << 3 | 2) + varint(len(value)) + value


def piece(content, score, kind):
    data = text(1, content.encode()) + varint(2 << 3 | 5) + struct.pack("<f", score)
    return text(1, data + (number(3, kind) if kind != NORMAL else b""))


def build(pieces, kind=UNIGRAM, unk_id=0, characters=None, byte_fallback=False):
    """Bytes of a model with pieces (text, score, type) and a map of characters."""
    trainer = number(3, kind) + number(35, int(byte_fallback)) + number(40, unk_id)
    normalizer = text(1, b"user_defined") + (text(2, charsmap.build(characters)) if characters else b"")
    normalizer += number(3, 1) + number(4, 1) + number(5, 1)
    return b"".join(piece(*p) for p in pieces) + text(2, trainer) + text(3, normalizer)


CHARACTERS = {"A": "a", "\ufb01": "fi", "\u3000": " ", "\n": " ", "\t": " ", "\u00ad": "", "e\u0301": "\u00e9", "\u00bd": "1/2"}


def draw(rng, words, first, kind=UNIGRAM):
    """(bytes of a model, its pieces' texts): pieces of the words, behind the `first` ones, which have types."""
    texts = dict.fromkeys(["\u2581", *"abcdefghijklmnopqrstuvwxyz0123456789.,!?\u00e9"])
    for word in words:
        for start in range(0, len(word), 2):
            texts[word[start:start + rng.randrange(1, 5)]] = None
        texts["\u2581" + word[:rng.randrange(1, 6)]] = None
    pieces = list(first)
    known = {p[0] for p in pieces}
    pieces += [(t, -2 - 8 * rng.random(), NORMAL) for t in texts if t and t not in known and rng.random() < 0.9]
    for extra, what in (("<user>", USER_DEFINED), ("ab", USER_DEFINED), ("<ctl>", CONTROL), ("<0x41>", BYTE), ("zz", UNUSED)):
        if rng.random() < 0.3 and extra not in {p[0] for p in pieces}:
            pieces.insert(rng.randrange(len(first), len(pieces) + 1), (extra, -3.5, what))
    unk = [p[2] for p in pieces].index(UNKNOWN) if rng.random() < 0.8 else 0
    data = build(pieces, kind, unk, rng.choice([None, CHARACTERS]), byte_fallback=kind == BPE)
    return data, [p[0] for p in pieces]


if __name__ == "__main__":
    print(len(draw(random.Random(1), ["hello", "world"], [("<unk>", 0, UNKNOWN)])[0]))
