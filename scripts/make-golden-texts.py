#!/usr/bin/env python3
"""Write test/unit/golden_texts.h: some texts, and what sacrebleu, jiwer, rouge-score, nltk and the rules of SQuAD 1.1 say of them.

Texts are those that compare-text-measures.py draws, and settings those that it compares. Needs its venv.

usage: make-golden-texts.py >test/unit/golden_texts.h
"""
import importlib
import random
import re

from nltk.stem import porter

compare = importlib.import_module("compare-text-measures")

ROWS, SEED = 24, 6
ROW = 0  # for functions of one row: some orders have no match


def c_string(text):
    """Octal escapes, so that no digit behind one is taken for a part of it."""
    return '"' + "".join(chr(b) if 32 <= b < 127 and chr(b) not in '"\\?' else f"\\{b:03o}" for b in text.encode()) + '"'


def setting(word):
    if word in ("True", "False", "true", "false"):
        return f"{{NULL, {int(word.lower() == 'true')}}}"
    if word.isdigit():
        return f"{{NULL, {word}}}"
    return "{" + c_string(word.strip("E'").replace("\\n", "\n")) + ", 0}"


def golden(call, value):
    name, arguments = re.fullmatch(r"(\w+)\((.*)\)", call).groups()
    columns = 1 if name == "distinct_n" else 2
    words = re.findall(r"E?'[^']*'|[^, ]+", arguments)
    settings = ", ".join(setting(word) for word in words[columns:])
    return f'    {{"{name}", {{{settings}}}, {len(words) - columns}, {int("refs" in words)}, {value!r}}},'


SUFFIXES = """ s es ies sses ss ed eed ing ied ational tional enci anci izer bli abli alli entli eli ousli ization ation ator alism iveness
fulness ousness aliti iviti biliti fulli logi icate ative alize iciti ical ful ness al ance ence er ic able ible ant ement ment ent ion sion
tion ou ism ate iti ous ive ize y e ll l ated bled ized tted zzed lled ly""".split(" ")
STEMS = "a b tr oat ivy troubl privat crepit hop fil fizz rat ceas contr roll yy say spl ow box relat condit archeo ge oper w\u00e9 \u6f22\u5b57".split()


def stems():
    draw = random.Random(SEED)
    words = {"", "sky", "skies", "dying", "news", "innings", "howe", "succeed", "agreed", "feed", "bled", "dies", "died", "ties", "spied"}
    words |= {draw.choice(STEMS) + "".join(draw.choices(SUFFIXES, k=draw.choice([1, 1, 2]))) for _ in range(600)}
    stemmer = porter.PorterStemmer()
    return [(word.replace("\n", ""), stemmer.stem(word.replace("\n", ""))) for word in sorted(words)]


TYPES = """/* Of all rows; with one reference, or all of each row. */
typedef struct golden_setting {
    const char *text; /* NULL: a number */
    int whole;
} golden_setting;

typedef struct golden_measure {
    const char *metric;
    golden_setting settings[3];
    int given, all;
    double value;
} golden_measure;

"""


def main():
    rows = compare.draw_rows(ROWS, SEED)
    print("/*\n * golden_texts.h - texts, and the measures that the reference libraries give them; made by\n"
          " * scripts/make-golden-texts.py.\n */\n#ifndef GOLDEN_TEXTS_H\n#define GOLDEN_TEXTS_H\n\n#include <stddef.h>\n")
    print("/* clang-format off */\nstatic const struct {\n    const char *hypothesis, *references[3];\n} golden_texts[] = {")
    for hypothesis, references in rows:
        print(f"    {{{c_string(hypothesis)},\n     {{{', '.join(map(c_string, references))}}}}},")
    print("};\n\n" + TYPES + "static const golden_measure golden_measures[] = {")
    for _, call, of, *_ in compare.measures():
        print(golden(call, float(of(rows))))
    print(f"}};\n\n#define GOLDEN_ROW {ROW}\n\n/* Of that row alone. */\nstatic const golden_measure golden_sentences[] = {{")
    for _, _, _, call, of, _ in compare.measures():
        if call:
            print(golden(call, float(of(rows[ROW:ROW + 1]))))
    print("};\n\n/* Words and their stems. */\nstatic const char *const golden_stems[][2] = {")
    for word, stem in stems():
        print(f"    {{{c_string(word)}, {c_string(stem)}}},")
    print("};\n/* clang-format on */\n\n#endif")


if __name__ == "__main__":
    main()
