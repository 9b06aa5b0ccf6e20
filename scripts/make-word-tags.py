#!/usr/bin/env python3
"""Record tags of words that are cut already, by transformers: a word has the label of its first sub-word (word_ids), a word without
one has none. Cases of each tiny model for tokens, within its window, as {"folder": [{"words": […], "tags": […]}]}.

usage: make-word-tags.py models/tiny > test/golden/word-tags.json
"""
import json
import sys

import torch
import transformers

FOLDERS = ["bert-token", "bert-token-words", "distilbert-token", "electra-token", "roberta-camembert-token", "albert-token", "rembert-token"]
CASES = [
    ["the", "cat"],
    ["The", "databases", ",", "42", "queries", ":", "indexing", "?"],
    ["Été", "日本", "ελ", "🙂", "the"],
    ["don't", "U.S.", "mat-cat", "databases"],
    ["\u200d", "the", "\u0007", "cat"],
    ["the cat", "sat"],
    ["databases"] * 5,
    ["x"],
]


def tags(folder, words):
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    model = transformers.AutoModelForTokenClassification.from_pretrained(folder, dtype=torch.float64).eval()
    encoding = tokenizer(words, is_split_into_words=True, return_tensors="pt")
    if encoding["input_ids"].shape[1] > tokenizer.model_max_length:
        return None
    with torch.no_grad():
        best = model(**encoding).logits[0].argmax(-1).tolist()
    found = [None] * len(words)
    for place, word in reversed(list(enumerate(encoding.word_ids()))):
        if word is not None:
            found[word] = model.config.id2label[best[place]]
    return found


def main():
    recorded = {}
    for name in FOLDERS:
        cases = [{"words": words, "tags": tags(f"{sys.argv[1]}/{name}", words)} for words in CASES]
        recorded[name] = [case for case in cases if case["tags"] is not None]
    json.dump(recorded, sys.stdout, ensure_ascii=False, indent=None)
    print()


main()
