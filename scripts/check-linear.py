#!/usr/bin/env python3
"""Texts that are made to be slow: time grows as the text does.

Each kind of text is tokenized at a sixteenth of a size and at the whole of it, by every tokenizer. Sixteen times the
text may take 48 times as long, since what leaves the caches is slower (a quadratic loop takes 256 times), and a
megabyte at most a second. A machine that is busy makes a measurement slow, so the processor's time is measured, again
where the ratio is too high, and what counts is the fastest.

usage: check-linear.py --program build/unit/tools/tokenize_lines --model DIR [--megabytes N] [--share K/N]
"""
import argparse
import glob
import os
import struct
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
TRIES, PART, RATIO, SECONDS_PER_MB = 4, 16, 48.0, 1.0
LEAST = 0.0005  # seconds that are too few to have a ratio

# One unit of each text, repeated; {} stands for nothing.
KINDS = {
    "one-word": "a", "one-long-word": "q", "pieces": "ing", "failing-pieces": "unaffab", "prefixes": "##",
    "spaces": " ", "newlines": "\n", "alternating": "a ", "letters-and-marks": "a\u0301", "marks": "\u0301",
    "marks-in-wrong-order": "\u0301\u0323", "marks-of-many-classes": "\u0345\u0323\u0301\u05b0\u0591",
    "joiners": "\u200d", "emoji-joined": "\U0001f468\u200d\U0001f469\u200d\U0001f467\u200d", "ideographs": "\u65e5",
    "hangul": "\ud55c", "jamo": "\u1112\u1161\u11ab", "expanding": "\ufdfa", "dotted": "\u0130", "sharp": "\u1e9e",
    "punctuation": "!", "controls": "\x01", "special": "[SEP]", "nearly-special": "[SE", "brackets": "[",
    "mask-in-words": "a[MASK]a", "beyond": "\U0010ffff", "mathematical": "\U0001d400", "mixed": "x\u0301\u65e5! \u200d",
}


def measure(program, tokenizer, text):
    """Seconds of the fastest of three rounds, with offsets."""
    data = text.encode()
    out = subprocess.run([program, "--cpu", "3", tokenizer], input=struct.pack("<I", len(data)) + data, check=True,
                         stdout=subprocess.PIPE).stdout
    return float(out)


def of_size(unit, size):
    return unit * (size // len(unit.encode()))


def check(program, tokenizer, unit, size):
    """(fine, seconds of a part, of the whole): the best of some tries."""
    part = whole = float("inf")
    for _ in range(TRIES):
        part = min(part, measure(program, tokenizer, of_size(unit, size // PART)))
        whole = min(whole, measure(program, tokenizer, of_size(unit, size)))
        fine = whole <= RATIO * max(part, LEAST) and whole <= SECONDS_PER_MB * size / 1e6
        if fine:
            break
    return fine, part, whole


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", required=True, help="test/tools/tokenize_lines, built")
    parser.add_argument("--model", required=True, help="folder with tokenizer.json")
    parser.add_argument("--fixtures", default=os.path.join(HERE, "../test/golden/tokenizer"))
    parser.add_argument("--megabytes", type=float, default=1)
    parser.add_argument("--share", default="0/1", help="K/N: each kind of text by each N-th tokenizer, others by others")
    args = parser.parse_args()
    size = int(args.megabytes * (1 << 20))
    tokenizers = [os.path.join(args.model, "tokenizer.json")]
    tokenizers += sorted(glob.glob(os.path.join(args.fixtures, "*.tokenizer.json")))
    first, step = map(int, args.share.split("/"))
    good = True
    for number, (kind, unit) in enumerate(KINDS.items()):
        worst = (0, 0, "")
        failed = []
        for tokenizer in tokenizers[(first + number) % step::step]:
            fine, part, whole = check(args.program, tokenizer, unit, size)
            worst = max(worst, (whole, part, os.path.basename(tokenizer)))
            if not fine:
                failed.append(f"{os.path.basename(tokenizer)} {part:.4f} s and {whole:.3f} s")
        good &= not failed
        print(f"{'not ok' if failed else 'ok'} {kind}: slowest {worst[0] * 1000:.0f} ms ({worst[2]})"
              f"{'; ' if failed else ''}{'; '.join(failed)}", flush=True)
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
