#!/usr/bin/env python3
"""Compare the engine's regular expressions, and the pre-tokenizers that cut by patterns and properties, with `tokenizers`.

Every published pattern of tokenizer_patterns.py, with a behaviour drawn for it, then patterns drawn from a small grammar and the
other pre-tokenizers; each on texts drawn from the characters that it treats in its own way. The only token is the unknown one, so
that offsets tell the words. Replace is compared as a normalizer before a cut into characters. Where the engine refuses a drawn
pattern the message must quote it. Prints "ok NAME" or "not ok NAME".

usage: compare-regex.py --program build/unit/tools/tokenize_lines [--seed N] [--count N] [--only NUMBER]
"""
import argparse
import collections
import importlib.util
import json
import os
import random
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
spec = importlib.util.spec_from_file_location("drawn", os.path.join(HERE, "compare-random-tokenizers.py"))
drawn = importlib.util.module_from_spec(spec)
spec.loader.exec_module(drawn)
import tokenizers  # noqa: E402
from tokenizers import Regex, Tokenizer  # noqa: E402
from tokenizer_patterns import PATTERNS  # noqa: E402
from tokenizer_texts import EMOJI, LETTERS, MARKS, PARAGRAPHS, POINTS, SCALARS, SPACES, WORDS  # noqa: E402

BEHAVIORS = ["Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous"]
MODEL = {"type": "WordLevel", "unk_token": "[UNK]", "vocab": {"[UNK]": 0}}
CONTRACTED = ["'s", "'S", "'t", "'re", "'Ve", "'LL", "'d", "'m", "'ſ", "'", "''s", "don't", "<|endoftext|>", "[CH3]", "Br"]
DIGITS = list("0123456789٣४𝟘²½Ⅷⅷ①一〇𐄇")
ATOMS = ["a", "b", "'", " ", r"\n", "é", ".", r"\s", r"\S", r"\w", r"\W", r"\d", r"\p{L}", r"\p{Lu}", r"\P{N}", r"\p{^Lu}", r"\p{Han}",
         "[ab]", "[^ab]", r"[^\s\p{L}]", r"[\w&&[^a]]", "[a-c]", r"[^(\s|[ab])]", r"(?i:s)", r"(?i:[sk])", r"[[:alpha:]1]", r"\x{e9}", r"[^\W]"]
LOOKS = [r"(?!\S)", r"(?=\s)", r"(?<=a)", r"(?<!\w)", "^", "$", r"\b", r"\B", r"(?=a|$)", r"(?!a|b)", r"\A", r"\z", r"(?=\w+)"]
# Sets of which some are compared on every scalar value; all of them have been when their tables were made.
SETS = ["L", "Lu", "Ll", "Lt", "Lm", "Lo", "M", "Mn", "Mc", "Me", "N", "Nd", "Nl", "No", "P", "Pc", "Pd", "Ps", "Pe", "Pi", "Pf", "Po", "S",
        "Sm", "Sc", "Sk", "So", "Z", "C", "Cn", "Han", "Hiragana", "Katakana", "Hangul", "Latin", "Cyrillic", "Arabic", "Thai", "Common",
        "Word", "Alnum", "Punct", "Space", "Upper", "Lower"]
ALONE = [r"\w", r"\d", r"\s", r"[\w]", r"[\W]", "[[:punct:]]", "[[:alpha:]]", "."] + [r"\p{%s}" % name for name in SETS]
WHOLE = 5  # comparisons on every scalar value
SIGNS = ["", "", "", "?", "*", "+", "{2}", "{1,3}", "{,2}", "{2,}", "??", "*?", "+?", "{1,2}?", "{2}?"]


def draw_pattern(rng):
    """A pattern that Oniguruma reads; some of them the engine refuses."""
    while True:
        pattern = draw_alternatives(rng, 0)
        try:
            Regex(pattern)
            return pattern
        except Exception as error:  # the library raises no narrower type
            assert "target of repeat operator is invalid" in str(error), (pattern, error)


def draw_alternatives(rng, depth):
    parts = []
    for _ in range(rng.choice([1, 1, 2, 2, 3, 4])):
        choice = rng.random()
        if choice < 0.12:
            parts.append(rng.choice(LOOKS))
        elif choice < 0.3 and depth < 2:
            parts.append(rng.choice(["(", "(?:"]) + draw_alternatives(rng, depth + 1) + ")" + rng.choice(SIGNS))
        elif choice < 0.4:
            parts.append(rng.choice(ATOMS) + rng.choice(["?+", "*+", "++"]))
        else:
            parts.append(rng.choice(ATOMS) + rng.choice(SIGNS))
    pattern = "".join(parts)
    return pattern + "|" + draw_alternatives(rng, depth + 1) if rng.random() < 0.35 and depth < 3 else pattern


def draw_texts(rng, count):
    pools = [list("ab c1'\n"), list("aAsSkKſK  \r\n'"), list(LETTERS), DIGITS, list(POINTS), list(SPACES), list(MARKS), EMOJI, CONTRACTED,
             WORDS, [" ", "  ", "\n", " \n ", "\t"], [chr(rng.randrange(0xD800)) for _ in range(20)],
             [chr(rng.randrange(0xE000, 0x110000)) for _ in range(10)], [chr(rng.randrange(0x3000, 0x9FFF)) for _ in range(20)]]
    texts = []
    for _ in range(count):
        chosen = rng.sample(pools, rng.choice([1, 2, 3, 6]))
        texts.append("".join(rng.choice(rng.choice(chosen)) for _ in range(rng.randrange(0, 30))))
    return texts + rng.sample(PARAGRAPHS, 2) + ["", "a", " ", "\n"]


def split(pattern, rng, kind="Regex"):
    return {"type": "Split", "pattern": {kind: pattern}, "behavior": rng.choice(BEHAVIORS), "invert": rng.random() < 0.3}


def draw_other(rng):
    return rng.choice([
        {"type": "Digits", "individual_digits": rng.random() < 0.5},
        {"type": "Punctuation", "behavior": rng.choice(BEHAVIORS)},
        {"type": "CharDelimiterSplit", "delimiter": rng.choice(" aé一'")},
        {"type": "UnicodeScripts"},
        {"type": "FixedLength", "length": rng.randrange(1, 7)},
        {"type": "WhitespaceSplit"},
        split(rng.choice([" ", "a", "ab", "\n\n", "'s", "é", "aa"]), rng, "String"),
    ])


def draw(seed, number):
    """(normalizer, pre-tokenizer, texts): the published patterns come first."""
    rng = random.Random(f"{seed}/{number}")
    names = sorted(PATTERNS)
    if number < 2 * len(names):
        pattern = PATTERNS[names[number // 2]]
        own = split(pattern, rng)
        if number % 2 == 0:
            own.update(behavior="Isolated", invert=False)
        # One in five has a text that the engine reads in several stretches.
        long = [" ".join("".join(draw_texts(rng, 40)) for _ in range(80))] if rng.random() < 0.2 else []
        return None, own, draw_texts(rng, 60) + long
    whole = number - 2 * len(names)
    if whole < WHOLE:
        stages = [{"type": "UnicodeScripts"}, {"type": "Digits", "individual_digits": False}]
        alone = {"type": "Split", "pattern": {"Regex": rng.choice(ALONE) + "+"}, "behavior": "Isolated", "invert": False}
        return None, stages[whole] if whole < len(stages) else alone, ["".join(map(chr, SCALARS[i:i + 0x8000]))
                                                                       for i in range(0, len(SCALARS), 0x8000)]
    choice = rng.random()
    if choice < 0.25:
        return None, {"type": "Sequence", "pretokenizers": [draw_other(rng) for _ in range(rng.randrange(1, 4))]}, draw_texts(rng, 40)
    if choice < 0.35:
        replace = {"type": "Replace", "pattern": {"Regex": draw_pattern(rng)}, "content": rng.choice(["", "x", "é ", "abc"])}
        return replace, split(r"[^\n]|\n", rng) | {"behavior": "Isolated", "invert": False}, draw_texts(rng, 30)
    return None, split(draw_pattern(rng), rng), draw_texts(rng, 30)


def answers_of(library, texts):
    """What the library says to each text; None where it gives up, which it does after ten million steps back."""
    for text in texts:
        try:
            yield next(iter(drawn.reference(library, "right", drawn.OFFSETS, 0, [text])))
        except BaseException as error:  # a panic is no Exception
            if "retry-limit-in-match over" not in str(error):
                raise
            yield None


def pattern_of(stage):
    return (stage or {}).get("pattern", {}).get("Regex")


def compare(program, seed, numbers):
    """(texts compared, refusals, differences)."""
    jobs = []
    for number in numbers:
        normalizer, pre, texts = draw(seed, number)
        whole = dict(drawn.SKELETON, model=MODEL, normalizer=normalizer, pre_tokenizer=pre)
        jobs.append((number, whole, Tokenizer.from_str(json.dumps(whole)), texts))
    data = b"".join(drawn.job(whole, drawn.OFFSETS, 0, texts) for _, whole, _, texts in jobs)
    run = subprocess.run([program, "--many"], input=data, stdout=subprocess.PIPE, check=True)
    answers, compared, refusals, differences = drawn.Answers(run.stdout), 0, collections.Counter(), []
    for number, whole, library, texts in jobs:
        refusal = answers.refusal()
        if refusal:
            refusals[refusal[-1]] += 1
            published = number < 2 * len(PATTERNS)
            quoted = any(p and p.startswith(refusal[2]) for p in map(pattern_of, (whole["pre_tokenizer"], whole["normalizer"])))
            if published or not quoted:
                differences.append((number, f"refused: {refusal}"))
            continue
        answers.notes()
        for text, wanted in zip(texts, answers_of(library, texts)):
            got = answers.encoding(4)
            compared += wanted is not None
            if wanted is not None and got != tuple(wanted):
                differences.append((number, f"{whole['normalizer']} {whole['pre_tokenizer']} {text!r:.500}\n    got    "
                                    f"{list(zip(got[1], got[2]))!s:.400}\n    wanted {list(zip(wanted[1], wanted[2]))!s:.400}"))
    return compared, refusals, differences


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", required=True, help="test/tools/tokenize_lines, built")
    parser.add_argument("--seed", type=int, default=13)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--only", type=int, help="this number alone")
    args = parser.parse_args()
    assert tokenizers.__version__ == "0.23.3", "compare with tokenizers 0.23.3"
    # The published patterns are compared always, and so are some sets.
    count = args.count + 2 * len(PATTERNS) + WHOLE
    numbers = list(range(count)) if args.only is None else [args.only]
    compared, refusals, differences = compare(args.program, args.seed, numbers)
    wrong = collections.defaultdict(list)
    for number, what in differences:
        wrong[number].append(what)
    for number in list(wrong)[:10]:
        print(f"  {number}: {len(wrong[number])} differences, the first: {wrong[number][0]}")
    for what, times in refusals.most_common():
        print(f"  refused {times} times: {what}")
    # Most that are drawn must be compared, or nothing is shown.
    good = not wrong and sum(refusals.values()) < 0.35 * len(numbers)
    print(f"{'ok' if good else 'not ok'} regex: {len(numbers)} of seed {args.seed}, {compared} texts, {len(wrong)} with differences")
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
