#!/usr/bin/env python3
"""Write src/engine/base/unicode_sets_data.c: the sets of characters that the reference tokenizer library has names for.

Its regular expressions (Oniguruma) and its pre-tokenizers Digits and UnicodeScripts have tables of their own, so each is asked
about every scalar value. Names of scripts and categories to ask for come from the module `regex`; one that Oniguruma does not
know is left out.

usage: make-unicode-sets.py OUTPUT        (in a venv with tokenizers==0.23.3 and regex)
       make-unicode-sets.py --check OUTPUT    compares instead of writing
"""
import sys

import tokenizers
from regex import _regex_core
from tokenizers import Regex, pre_tokenizers

VERSION = "0.23.3"
SCALARS = [c for c in range(0x110000) if not 0xD800 <= c < 0xE000]
ALL = "".join(map(chr, SCALARS))
# Beside scripts and categories: classes of POSIX, which are properties too, and what means everything.
POSIX = ["alnum", "alpha", "blank", "cntrl", "digit", "graph", "lower", "print", "punct", "space", "upper", "word", "xdigit"]
OTHERS = [*POSIX, "alphabetic", "whitespace", "uppercase", "lowercase", "any", "assigned", "ascii", "cased", "emoji", "ideographic"]


def ask(pattern, text, scalars):
    """Ranges (first, last) of the scalar values of a text that a pattern matches; what lies between them is no scalar value."""
    try:
        split = pre_tokenizers.Split(Regex(pattern + "+"), "removed", True)
    except Exception as error:  # the library raises no narrower type
        assert "invalid character property" in str(error), error
        return None
    return [(scalars[start], scalars[stop - 1]) for _, (start, stop) in split.pre_tokenize_str(text)]


def ask_sets():
    """{name: ranges}. Names of equal meaning are asked one by one."""
    names = {kind: sorted(n.lower() for n in _regex_core.PROPERTIES[kind][1] if n.isalnum())
             for kind in ("GENERALCATEGORY", "SCRIPT")}
    sets = {name: ask(r"\p{%s}" % name, ALL, SCALARS) for name in names["GENERALCATEGORY"] + OTHERS}
    unassigned = {c for first, last in sets["cn"] for c in range(first, last + 1)}
    scalars = [c for c in SCALARS if c not in unassigned]
    text = "".join(map(chr, scalars))
    scripts = {name: asked for name in names["SCRIPT"] if (asked := ask(r"\p{%s}" % name, text, scalars))}
    # The ranges of a set go on over what is not assigned only where all of a set's is; so they are made of runs of values.
    for name, ranges in scripts.items():
        scripts[name] = split_at(ranges, unassigned)
    known = [name for name in scripts if name not in ("unknown", "zzzz")]
    assert not set(values(ask("[%s]" % "".join(r"\p{%s}" % n for n in known), ALL, SCALARS))) & unassigned
    scripts.update({name: ask(r"\p{%s}" % name, ALL, SCALARS) for name in ("unknown", "zzzz") if name in scripts})
    sets.update(scripts)
    sets.update(ask_classes(sets))
    return {name: ranges for name, ranges in sets.items() if ranges is not None}


def ask_classes(sets):
    """Sets that are others inside a class: [\\w] lacks ², [[:punct:]] has the symbols. Their names begin with "[" and ":"."""
    own = {}
    for name in sets:
        for mark, pattern in (("[", r"[\p{%s}]"), (":", "[[:%s:]]")):
            if mark == ":" and name not in POSIX:
                continue
            # Oniguruma treats values below 256 apart in classes; symbols differ among the first too.
            if ask(pattern % name, ALL[:0x3000], SCALARS) != ask(r"\p{%s}" % name, ALL[:0x3000], SCALARS):
                own[mark + name] = ask(pattern % name, ALL, SCALARS)
    assert own["[word"] == ask(r"[\w]", ALL, SCALARS) == own[":word"]
    assert sets["word"] == ask(r"\w", ALL, SCALARS) and sets["nd"] == ask(r"\d", ALL, SCALARS)
    assert sets["space"] == ask(r"\s", ALL, SCALARS) and sets["xdigit"] == ask(r"\h", ALL, SCALARS)
    return own


def values(ranges):
    return (c for first, last in ranges for c in range(first, last + 1) if not 0xD800 <= c < 0xE000)


def split_at(ranges, absent):
    out = []
    for first, last in ranges:
        start = first
        for c in range(first, last + 2):
            if c <= last and c not in absent:
                continue
            if c > start:
                out.append((start, c - 1))
            start = c + 1
    return out


def ask_numeric():
    digits = pre_tokenizers.Digits(individual_digits=True)
    found = [c for c in SCALARS if len(digits.pre_tokenize_str("a" + chr(c))) == 2]
    return runs(found)


def runs(found):
    out = []
    for c in found:
        if out and out[-1][1] == c - 1:
            out[-1][1] = c
        else:
            out.append([c, c])
    return [tuple(r) for r in out]


def ask_scripts(sets):
    """[(first value, number)] of UnicodeScripts; 0 is its Any. Numbers are given in order of sight."""
    cut = pre_tokenizers.UnicodeScripts().pre_tokenize_str
    some = [c for c in SCALARS if cut(chr(c))]
    hints = {c: name for name, ranges in sets.items() if len(name) == 4 and name.isalpha() for c, _ in ranges}
    examples, by_hint, numbers, last = [], {}, {}, 0
    for _, (start, stop) in cut("".join(map(chr, some))):
        example = chr(some[start])
        guess = by_hint.get(hints.get(some[start]))
        order = ([guess] if guess is not None else []) + list(range(len(examples)))
        number = next((k for k in order if len(cut(examples[k] + example)) == 1), None)
        if number is None:
            number = len(examples)
            examples.append(example)
            by_hint[hints.get(some[start])] = number
        for c in some[start:stop]:
            numbers[c] = number + 1
    assert len(examples) < 255
    out = []
    for c in SCALARS:
        number = numbers.get(c, 0)
        if number != last or not out:
            out.append((c, number))
        last = number
    return out


def emit(out, kind, name, items):
    """One array, at most 98 columns wide."""
    out.append(f"const {kind} {name}[{len(items)}] = {{")
    line = "   "
    for item in items:
        if len(line) + len(item) + 2 > 98:
            out.append(line)
            line = "   "
        line += f" {item},"
    out += [line, "};", ""]


def write(sets, numeric, scripts):
    bounds, places, rows = [], {}, []

    def place(ranges):
        key = tuple(ranges)
        if key not in places:
            places[key] = (len(bounds), 2 * len(key))
            bounds.extend(str(b) for r in key for b in r)
        return places[key]

    for name in sorted(sets):
        rows.append('{"%s", %d, %d}' % (name, *place(sets[name])))
    own = place(numeric)
    out = ["/*", " * unicode_sets_data.c - tables of base/unicode_sets.h, generated by scripts/make-unicode-sets.py from",
           f" * the answers of tokenizers {VERSION} about every scalar value. Do not edit.", " */",
           "/* clang-format off */", '#include "base/unicode_sets_data.h"', ""]
    emit(out, "uint32_t", "lm_unicode_set_bounds", bounds)
    emit(out, "lm_unicode_set", "lm_unicode_sets", rows)
    out += [f"const size_t lm_unicode_set_count = {len(rows)};", "",
            'const lm_unicode_set lm_unicode_numeric = {"", %d, %d};' % own, ""]
    emit(out, "uint32_t", "lm_unicode_script_runs", [str(c << 8 | number) for c, number in scripts])
    out.append(f"const size_t lm_unicode_script_run_count = {len(scripts)};")
    return "\n".join(out) + "\n"


def main():
    assert tokenizers.__version__ == VERSION, "tables are those of tokenizers " + VERSION
    sets = ask_sets()
    text = write(sets, ask_numeric(), ask_scripts(sets))
    if sys.argv[1] == "--check":
        with open(sys.argv[2], encoding="ascii") as file:
            same = file.read() == text
        print(("ok" if same else "not ok") + " unicode-sets")
        sys.exit(not same)
    with open(sys.argv[1], "w", encoding="ascii") as file:
        file.write(text)
    print(f"{sys.argv[1]}: {len(text)} bytes, {len(sets)} names")


if __name__ == "__main__":
    main()
