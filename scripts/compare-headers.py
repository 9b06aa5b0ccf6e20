#!/usr/bin/env python3
"""Mutated safetensors files: lmtext accepts none that the reference library refuses.

usage: compare-headers.py PROGRAM COUNT [SEED]     (in a venv with safetensors; from the checkout's root)

Files are made from the headers of models/tiny and from small ones: values of the JSON replaced by
values at limits, members repeated, removed or renamed, bytes changed, the data cut or lengthened.
Of what lmtext refuses and the reference accepts only a few kinds are meant: a key twice, a dtype that
holds no weights here, an empty tensor.
"""
import collections
import copy
import glob
import json
import random
import struct
import subprocess
import sys

from safetensors import SafetensorError, deserialize

LIMITS = [0, 1, 2, -1, 1.5, 1e0, 2**31, 2**32, 2**53 + 1, 2**63 - 1, 2**63, 2**64 - 1, 2**64, 1e400, None, True,
          "", "F32", [], {}, [0], [0, 0], [4, 0], {"dtype": "F32"}]
DTYPES = ["F32", "F16", "BF16", "F64", "I8", "I16", "I32", "I64", "U8", "U16", "U32", "U64", "BOOL", "F8_E4M3", "X"]
# What lmtext refuses on purpose and the reference does not, by the words of the message.
MEANT = ["duplicate key", "dtype is not supported", "describes a tensor wrongly"]


def seeds():
    """(header as a dict, bytes of data)"""
    for path in glob.glob("models/tiny/*/*.safetensors"):
        with open(path, "rb") as file:
            data = file.read()
        size = struct.unpack("<Q", data[:8])[0]
        header = json.loads(data[8:8 + size])
        names = sorted((n for n in header if n != "__metadata__"), key=lambda n: header[n]["data_offsets"])[:4]
        end = max(header[n]["data_offsets"][1] for n in names)
        yield {n: header[n] for n in names}, end
    yield {"a": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]},
           "b": {"dtype": "I8", "shape": [4], "data_offsets": [24, 28]},
           "c": {"dtype": "BF16", "shape": [], "data_offsets": [28, 30]}}, 30
    yield {"__metadata__": {"format": "pt"}, "x": {"dtype": "U8", "shape": [5], "data_offsets": [0, 5]}}, 5
    yield {}, 0


def places(value, path=()):
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, below in items:
        yield from places(below, path + (key,))


def change(rng, header):
    path = rng.choice(list(places(header)))
    if not path:
        return
    holder = header
    for key in path[:-1]:
        holder = holder[key]
    key, action = path[-1], rng.randrange(5)
    if action == 0:
        del holder[key]
    elif action == 1 and isinstance(holder[key], int):
        holder[key] += rng.choice([-1, 1, 2, 4, -4, 8])
    elif action == 2 and key == "dtype":
        holder[key] = rng.choice(DTYPES)
    elif action == 3 and isinstance(holder, dict):
        holder[rng.choice(["", "\0", "z", "a", "__metadata__", "shape"])] = copy.deepcopy(holder[key])
    else:
        holder[key] = copy.deepcopy(rng.choice(LIMITS))


def spelled(rng, header):
    """JSON text; sometimes with a member twice, white space, or some bytes changed."""
    text = json.dumps(header, separators=rng.choice([(",", ":"), (", ", ": ")])).replace("Infinity", "1e400")
    if rng.randrange(4) == 0 and header:
        name = rng.choice(list(header))
        text = text[:-1] + "," + json.dumps(name) + ":" + json.dumps(header[name]) + "}"
    if rng.randrange(8) == 0:
        text = text.replace('"shape"', '"shape":[1],"shape"', 1)
    text = bytearray(text.encode() + b" " * rng.choice([0, 0, 0, 1, 7]))
    for _ in range(rng.choice([0, 0, 0, 1, 2])):
        if text:
            text[rng.randrange(len(text))] = rng.choice(b'{}[]",:0123456789-.eE\\ \x00\x1f\x80\xff' + b"aF")
    return bytes(text)


def make(rng, header, data):
    header = copy.deepcopy(header)
    for _ in range(rng.choice([0, 1, 1, 1, 2, 3])):
        change(rng, header)
    text = spelled(rng, header)
    size = len(text) + rng.choice([0] * 20 + [1, -1, 8, 2**32, 2**63])
    data += rng.choice([0] * 12 + [1, -1, 4])
    return struct.pack("<Q", size % 2**64) + text + bytes(max(0, data))


def reference(data):
    try:
        deserialize(data)
        return True
    except (SafetensorError, ValueError, UnicodeDecodeError):
        return False


def main():
    program, count = sys.argv[1], int(sys.argv[2])
    rng = random.Random(int(sys.argv[3]) if len(sys.argv) > 3 else 1)
    sources = list(seeds())
    files = [make(rng, *rng.choice(sources)) for _ in range(count)]
    stream = b"".join(struct.pack("<I", len(f)) + f for f in files)
    answers = subprocess.run([program], input=stream, stdout=subprocess.PIPE, check=True).stdout.decode(
        errors="replace").splitlines()
    assert len(answers) == count, f"{len(answers)} answers for {count} files"
    both = wrong = 0
    stricter = collections.Counter()
    for data, answer in zip(files, answers):
        sound = reference(data)
        if answer == "accepted" and not sound:
            wrong += 1
            print("accepted, and the reference refuses:", data[:400])
        elif answer == "accepted":
            both += 1
        elif sound:
            stricter[answer] += 1
    unmeant = 0
    for answer, times in stricter.most_common():
        print(f"# refused by lmtext alone, {times} times: {answer}")
        unmeant += times * (not any(words in answer for words in MEANT))
    print(f"{'not ok' if wrong else 'ok'} none of {count} files is accepted that the reference refuses")
    print(f"{'not ok' if unmeant else 'ok'} what lmtext alone refuses is refused on purpose")
    print(f"{'ok' if both > count // 50 else 'not ok'} {both} of {count} files are accepted by both")


main()
