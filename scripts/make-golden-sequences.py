#!/usr/bin/env python3
"""Values for sql/features.sql: the rules of Keras' Tokenizer and pad_sequences (keras-preprocessing 1.1.2), written down here from their
documentation, since the library does not install beside current ones. Prints rows of SQL."""
import json
from collections import Counter

FILTERS = '!"#$%&()*+,-./:;<=>?@[\\]^_`{|}~\t\n'
TEXTS = ["The cat sat on the mat, the cat!", "A dog sat on the log.", "don't stop; Don't_stop", "the dog's ÄRGER\u00a0war\rgroß", "?!", "mat on log\tcat"]


def words(text):
    text = text.lower().translate({ord(c): " " for c in FILTERS})
    return [w for w in text.split(" ") if w]


def fit(texts, oov):
    counts = Counter(w for t in texts for w in words(t))  # most_common keeps the order of first sight among equals
    listed = ([oov] if oov else []) + [w for w, _ in counts.most_common()]
    return {w: i + 1 for i, w in enumerate(listed)}


def sequences(index, texts, num_words, oov):
    for text in texts:
        ids = []
        for w in words(text):
            i = index.get(w)
            if i is not None and not (num_words and i >= num_words):
                ids.append(i)
            elif oov:
                ids.append(index[oov])
        yield ids


def pad(seq, maxlen, padding, truncating, value):
    kept = seq[-maxlen:] if truncating == "pre" else seq[:maxlen]
    filler = [value] * (maxlen - len(kept))
    return filler + kept if padding == "pre" else kept + filler


def array(ids):
    return "'{" + ",".join(map(str, ids)) + "}'"


for num_words in (None, 5):
    for oov in (None, "<oov>"):
        fitted = list(sequences(fit(TEXTS, oov), TEXTS, num_words, oov))
        later = list(sequences(fit(TEXTS[:2], oov), TEXTS, num_words, oov))
        options = json.dumps({k: v for k, v in (("num_words", num_words), ("oov_token", oov)) if v})
        for i, (a, b) in enumerate(zip(fitted, later)):
            print(f"    ('{options}', {i + 1}, {array(a)}, {array(b)}),")
for padding in ("pre", "post"):
    for truncating in ("pre", "post"):
        print(f"    ('{padding}', '{truncating}', " + ", ".join(array(pad(list(range(1, n + 1)), 4, padding, truncating, 0)) for n in (0, 2, 4, 6)) + "),")
