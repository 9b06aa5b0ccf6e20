"""Weights held as codes (docs/internals/compress.md), which an int8 version that was compressed has."""
import struct

from folder import ACCEPTED, BAD_MODEL, MISSING, UNSUPPORTED, WEIGHTS, Case
from truncation import cuts

CODED = WEIGHTS + ".coded"
BLOCK, HEAD, ENTRY = 65536, 24, 16
WORD = 2**64 - 1


def fold(a, b):
    product = a * b
    return (product & WORD) ^ (product >> 64)


def checked(data):
    """lm_hash_bytes with seed 0, of which a block has 32 bits."""
    mixed = 0x9e3779b97f4a7c15
    whole = len(data) // 8 * 8
    for word in struct.unpack(f"<{whole // 8}Q", data[:whole]):
        mixed = fold(mixed ^ word, 0xd1b54a32d192ed03)
    last = int.from_bytes(data[whole:], "little")
    mixed = fold(mixed ^ last, 0x8cb92ba72f3d8dd7 ^ len(data))
    return fold(mixed ^ 0xd1b54a32d192ed03, 0x9e3779b97f4a7c15) & 0xffffffff


def plane(data, lengths=None):
    """One byte that all are, codes of eight bits (or of other lengths, that fit nothing), or the bytes as they are."""
    if len(set(data)) == 1:
        return b"\1" + data[:1]
    if len(data) < 512 and not lengths:
        return b"\0" + data
    quarters = [len(data) // 4 + (i < len(data) % 4) for i in range(4)]
    return b"\2" + (lengths or b"\x88" * 128) + struct.pack("<4H", *quarters) + data


def coded(stretches, size=None, count=None, **changed):
    """A file of (bytes, stride) stretches, and what is changed of its entries and blocks."""
    blocks, entries = [], b""
    for data, stride in stretches:
        entries += struct.pack("<QQ", len(data), stride)
        for at in range(0, len(data) if stride else 0, BLOCK):
            piece = data[at:at + BLOCK]
            planes = changed.get("planes", plane)
            blocks.append((b"".join(planes(piece[i::stride]) for i in range(stride)), checked(piece)))
    size = sum(len(data) for data, _ in stretches) if size is None else size
    head = changed.get("magic", b"LMCODED1") + struct.pack("<QQ", size, len(stretches) if count is None else count)
    sizes = b"".join(struct.pack("<II", len(block), check) for block, check in blocks)
    return head + entries + sizes + b"".join(block for block, _ in blocks)


def at(file, offset, raw):
    return file[:offset] + raw + file[offset + len(raw):]


def directories(sound, parts):
    """Everything in front of the blocks that may be wrong."""
    size, block = sum(len(data) for data, _ in parts), HEAD + ENTRY * len(parts)
    yield "magic", coded(parts, magic=b"LMCODED2")
    for what, wrong in (("less", size - 1), ("more", size + 1), ("zero", 0), ("most", WORD)):
        yield f"size-{what}", coded(parts, size=wrong)
    for what, wrong in (("none", 0), ("less", len(parts) - 1), ("more", len(parts) + 1), ("most", WORD), ("wrap", 2**60 + 2)):
        yield f"count-{what}", coded(parts, count=wrong)
    for what, wrong in (("zero", 0), ("most", WORD), ("wrap", 2**63), ("less", len(parts[0][0]) - 1)):
        yield f"stretch-{what}", at(sound, HEAD, struct.pack("<Q", wrong))
    for wrong in (3, 16, 2**32, 2**63):
        yield f"stride-{wrong}", at(sound, HEAD + 8, struct.pack("<Q", wrong))
    odd = parts[0][0] + b" " * (len(parts[0][0]) % 8 == 0)
    yield "stride-divides", coded([(odd, 8), *parts[1:]])
    for what, wrong in (("zero", 0), ("long", BLOCK + 9), ("most", 2**32 - 1), ("more", struct.unpack_from("<I", sound, block)[0] + 1)):
        yield f"block-{what}", at(sound, block, struct.pack("<I", wrong))
    yield "block-check", at(sound, block + 4, bytes([sound[block + 4] ^ 1]))
    yield "behind", sound + b"\0"


def blocks(parts):
    """Planes that no writer makes."""
    for what, lengths in (("incomplete", b"\x99" * 128), ("overfull", b"\x77" * 128), ("thirteen", b"\xdd" * 128),
                          ("none", bytes(128)), ("one", b"\1" + bytes(127))):
        yield f"lengths-{what}", coded(parts, planes=lambda data, lengths=lengths: plane(data, lengths))
    yield "mode", coded(parts, planes=lambda data: b"\3" + data)
    yield "plane-short", coded(parts, planes=lambda data: b"\0" + data[:-1])
    yield "plane-long", coded(parts, planes=lambda data: b"\0" + data + b"\0")
    yield "plane-empty", coded(parts, planes=lambda data: b"\0")
    yield "streams-long", coded(parts, planes=lambda data: plane(data, b"\x88" * 128)[:129] + b"\xff" * 8 + data)
    yield "streams-none", coded(parts, planes=lambda data: plane(data, b"\x88" * 128)[:129] + bytes(8) + data)
    yield "one-byte", coded(parts, planes=lambda data: b"\1")


def cases(models, effort):
    model = models["bert"]
    whole = model.files[WEIGHTS]
    header = 8 + struct.unpack("<Q", whole[:8])[0]
    # Half blocks: codes of eight bits and their tables are longer than what they code.
    parts = [(whole[:header], 1), *((whole[i:i + BLOCK // 2], 4) for i in range(header, len(whole), BLOCK // 2))]
    sound = coded(parts)

    def case(what, state, file, *said):
        return Case(f"coded-{what}", state, {WEIGHTS: MISSING, CODED: file}, said or ((CODED,) if state != ACCEPTED else ()))

    yield case("sound", ACCEPTED, sound)
    yield case("raw", ACCEPTED, coded([(whole, 1)], planes=lambda data: b"\0" + data))
    yield case("many", ACCEPTED, coded([(whole[i:i + 8], 8 if i + 8 <= len(whole) else 1) for i in range(0, len(whole), 8)]))
    for what, file in (*directories(sound, parts), *blocks(parts)):
        yield case(what, BAD_MODEL, file)
    for i in range(2):
        yield case(f"left-out-{i}", UNSUPPORTED, coded([(data, 0 if i == j else stride) for j, (data, stride) in enumerate(parts)]),
                   CODED, "int8 codes alone")
    for cut in cuts(len(sound), {"quick": 10, "all": 50, "long": 500}[effort]):
        yield case(f"cut-{cut}", BAD_MODEL, sound[:cut])
