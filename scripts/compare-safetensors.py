#!/usr/bin/env python3
"""Compare the engine's reader of safetensors headers with the library `safetensors` on damaged files.

The law: what the library rejects, the engine rejects. The engine may be stricter (empty tensors, more
than 8 dimensions, dtypes that it cannot read); how often it is, is printed by reason.

usage: compare-safetensors.py --program build/unit/tools/check_headers [--count N] [--seed N]
"""
import argparse
import json
import random
import struct
import subprocess
import sys
import tempfile

from safetensors import SafetensorError, deserialize

DTYPES = ["F32", "F16", "BF16", "F64", "I8", "I16", "I32", "I64", "U8", "U16", "U32", "U64", "BOOL",
          "F8_E4M3", "F8_E5M2", "F4", "C64", "f32", "", "F31"]
NUMBERS = ["0", "1", "-1", "-0", "4", "8", "1.0", "1e0", "2147483648", "4294967296", "9223372036854775807",
           "9223372036854775808", "18446744073709551615", "18446744073709551616", "1e400", "NaN", "null",
           "true", '"1"', "[]", "{}", "01", "+1", " 7 ", "0.5"]
BYTES = [b'"', b"{", b"}", b"[", b"]", b",", b":", b" ", b"\0", b"\\", b"\\u0000", b"\xff", b"\xc3\xa9", b"\n",
         b"1", b"-", b"e", b"null", b"//"]


def sound(rng):
    """A small sound file as (entries in order, data): names, dtypes and shapes at random."""
    sizes = {"F32": 4, "F16": 2, "BF16": 2, "F64": 8, "U8": 1, "I64": 8, "BOOL": 1}
    entries, at = [], 0
    for n in range(rng.randrange(0, 6)):
        dtype = rng.choice(list(sizes))
        shape = [rng.randrange(1, 4) for _ in range(rng.randrange(0, 4))]
        size = sizes[dtype]
        for dim in shape:
            size *= dim
        entries.append([f"t{n}", dtype, shape, at, at + size])
        at += size
    return entries, bytes(at)


def spell(rng, entries, metadata):
    """The header's text: members and entries in any order, with any white space."""
    parts = []
    for name, dtype, shape, begin, end in entries:
        members = [f'"dtype":{json.dumps(dtype)}', f'"shape":{json.dumps(shape)}',
                   f'"data_offsets":[{begin},{end}]']
        rng.shuffle(members)
        parts.append(f"{json.dumps(name)}:{{{','.join(members)}}}")
    if metadata:
        parts.append(f'"__metadata__":{metadata}')
    rng.shuffle(parts)
    text = "{" + ("," + rng.choice(["", " ", "\n"])).join(parts) + "}"
    return text + " " * rng.choice([0, 0, 1, 7])


def change_entries(rng, entries):
    """One entry changed by its meaning: names, ranges and shapes that no longer fit."""
    if not entries:
        return
    entry = rng.choice(entries)
    kind = rng.randrange(8)
    if kind == 0:
        entry[0] = rng.choice([rng.choice(entries)[0], "", "__metadata__", "a\0b", "\U0001f600"])
    elif kind == 1:
        entry[1] = rng.choice(DTYPES)
    elif kind == 2:
        entry[2] = [rng.choice([0, 1, 2, 2**31, 2**32, 2**62, 2**63]) for _ in range(rng.randrange(0, 10))]
    elif kind == 3:
        entry[3 + rng.randrange(2)] += rng.choice([-8, -4, -1, 1, 4, 8, 2**32, 2**63])
    elif kind == 4:
        entry[3], entry[4] = entry[4], entry[3]
    elif kind == 5:
        other = rng.choice(entries)
        entry[3:], other[3:] = other[3:], entry[3:]
    elif kind == 6:
        entries.append([entry[0] + "x", *entry[1:]])
    else:
        entries.remove(entry)


def change_text(rng, text):
    """Bytes and numbers of the text replaced, put in, taken out."""
    data = text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass")
    for _ in range(rng.randrange(1, 3)):
        at = rng.randrange(len(data) + 1)
        kind = rng.randrange(5)
        if kind == 0:
            data = data[:at] + rng.choice(BYTES) + data[at:]
        elif kind == 1:
            data = data[:at] + data[at + 1:]
        elif kind == 2:
            data = data[:at] + bytes([rng.randrange(256)]) + data[at + 1:]
        elif kind == 3:
            digits = [i for i, c in enumerate(data) if 48 <= c <= 57]
            if digits:
                at = rng.choice(digits)
                data = data[:at] + rng.choice(NUMBERS).encode() + data[at + 1:]
        else:
            stop = min(len(data), at + rng.randrange(1, 40))
            data = data[:at] + data[at:stop] * 2 + data[stop:]
    return data


def damaged(rng):
    """A file that is sound, nearly sound, or not."""
    entries, data = sound(rng)
    metadata = rng.choice([None, None, "{}", '{"format":"pt"}', "null", '{"a":5}', "[]", '{"a":null}'])
    kind = rng.randrange(10)
    if kind < 5:
        change_entries(rng, entries)
    text = spell(rng, entries, metadata).encode("utf-8", "surrogatepass")
    if kind in (4, 5, 6, 7):
        text = change_text(rng, text)
    length = len(text)
    if kind == 8:
        length = rng.choice([length - 1, length + 1, 0, 1, 100_000_000, 100_000_001, 2**63, 2**64 - 8, 2**64 - 1])
    if rng.randrange(8) == 0:
        data = rng.choice([data[:-1], data + b"\0", b"", data + bytes(8)])
    file = struct.pack("<Q", length % 2**64) + text + data
    return file[:rng.randrange(len(file))] if rng.randrange(20) == 0 else file


def library_accepts(file):
    """Whether the reference reads the file, and why not. It panics at some files: no acceptance."""
    try:
        deserialize(file)
        return True, ""
    except SafetensorError as error:
        return False, str(error).split("(")[0][:60]
    except BaseException as error:  # pyo3's PanicException is no Exception
        if isinstance(error, (KeyboardInterrupt, SystemExit)):
            raise
        return False, type(error).__name__


def engine_accepts(program, files):
    with tempfile.TemporaryFile() as stream:
        for file in files:
            stream.write(struct.pack("<I", len(file)) + file)
        stream.seek(0)
        out = subprocess.run([program], stdin=stream, check=True, stdout=subprocess.PIPE).stdout
    assert len(out) == len(files)
    return [answer == ord("1") for answer in out]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", required=True, help="test/tools/check_headers, built")
    parser.add_argument("--count", type=int, default=5000)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    rng = random.Random(args.seed)
    files = [damaged(rng) for _ in range(args.count)]
    both = stricter = neither = 0
    laxer = []
    for file, ours in zip(files, engine_accepts(args.program, files)):
        theirs, why = library_accepts(file)
        both += ours and theirs
        neither += not ours and not theirs
        stricter += theirs and not ours
        if ours and not theirs:
            laxer.append((why, file))
    for why, file in laxer[:5]:
        print(f"  accepted, but the library says {why}: {file[:400]!r}")
    good = not laxer and both > args.count // 20 and neither > args.count // 20
    print(f"{'ok' if good else 'not ok'} headers: {args.count} files: {both} accepted by both, {neither} by none, "
          f"{stricter} by the library only, {len(laxer)} by the engine only")
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
