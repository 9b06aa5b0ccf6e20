"""Texts of the Debian corpus for comparisons with the reference libraries: used by compare-*.py."""
import collections
import json


def by_language(path):
    """{language: texts}, in the order of the languages' names."""
    found = collections.defaultdict(list)
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            row = json.loads(line)
            found[row["lang"]].append(row["body"])
    return dict(sorted(found.items()))


def sample(path, each, share):
    """Up to `each` texts of every language, spread evenly. Of a share K/N, at least one: N times as far apart, and others
    for every K."""
    first, parts = map(int, share.split("/"))
    count = max(1, each // parts)
    found = {}
    for language, texts in by_language(path).items():
        step = max(1, len(texts) // count)
        found[language] = texts[first * step // parts::step][:count]
    return found
