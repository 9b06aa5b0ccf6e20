#!/usr/bin/env python3
"""Record attributions of the reference: test/golden/explain.json, from the models of models/tiny.

Integrated gradients by torch.autograd in float64: the output of the word embeddings is put in by a hook, so that every
family is treated alike. Models without a head get one of numbers that the test makes too. And scores with each word left
out of the text. Running this again with the pinned versions (make-golden.py) gives the same file.

    python3 scripts/make-explain.py
"""
import contextlib
import json
import math
import os
import shutil
import tempfile

import numpy
import sentence_transformers
import torch
import transformers

import jina_bert  # beside this file

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")
TINY = os.path.join(ROOT, "models", "tiny")
OUT = os.path.join(ROOT, "test", "golden", "explain.json")

STEPS = 12
LABELS = 3
TEXTS = ["the cat sat on mats", "Databases, 42 queries: indexing?"]
HEADED = ["bert-sequence", "bert-multi-label", "bert-regression", "distilbert-sequence", "roberta-sequence",
          "electra-sequence", "albert-sequence", "modernbert-sequence", "big_bird-sequence", "roformer-sequence",
          "ernie-sequence", "roberta-nli", "deberta-v2-sequence", "deberta-v2-nli",
          "mobilebert-sequence", "mobilebert-sequence-plain", "eurobert-sequence"]
EMBEDDING = ["bert-st6-lists", "bert-st6-steps", "bert-st6-max", "bert-st6-weighted", "bert-st6-last", "bert-st5-sqrt",
             "bert-st6-labse", "distilbert-st6-distiluse", "mpnet-st6", "t5-st6", "qwen3-st6", "roberta-xlm-st6",
             "deberta-v2-one-way", "umt5", "jina_bert-heads3", "mobilebert-st6", "bert-layers"]
# Texts of several windows, whose vectors are joined by their tokens, as lmtext has them.
WINDOWS = ["bert-sequence", "bert-st6-lists", "distilbert-st6", "mobilebert-st6"]
LONG = "the quick brown fox jumps over the lazy dog and runs on and on until the window is full, Databases query"


def shorten(values):
    return [float(f"{float(value):.7g}") for value in values]


def scoring(config):
    if config.problem_type == "regression":
        return lambda logits: logits
    if config.problem_type == "multi_label_classification" or config.num_labels == 1:
        return torch.sigmoid
    return lambda logits: torch.softmax(logits, -1)


@contextlib.contextmanager
def readable(folder):
    """The folder; of JinaBERT, which no version of transformers has, one that says our class."""
    path = os.path.join(folder, "config.json")
    with open(path, encoding="utf-8") as file:
        config = json.load(file)
    if "auto_map" not in config:
        yield folder
        return
    with tempfile.TemporaryDirectory() as copy:
        shutil.copytree(folder, copy, dirs_exist_ok=True)
        del config["auto_map"], config["attn_implementation"]
        config["model_type"] = jina_bert.JinaBertConfig.model_type
        with open(os.path.join(copy, "config.json"), "w", encoding="utf-8") as file:
            json.dump(config, file)
        yield copy


class Headed:
    """A checkpoint with a classification head."""

    def __init__(self, folder):
        self.tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
        self.model = transformers.AutoModelForSequenceClassification.from_pretrained(
            folder, attn_implementation="eager").double().eval()
        self.words = self.model.get_input_embeddings()
        self.function = scoring(self.model.config)

    def scores(self, text):
        inputs = self.tokenizer(text, truncation=True, return_tensors="pt")
        return self.function(self.model(**inputs).logits[0])

    def vector(self, ids):
        """What the head reads of a window: of BERT, the first token's hidden state."""
        return self.model.bert(torch.tensor([ids])).last_hidden_state[0, 0]

    def scores_of_vector(self, vector):
        return self.function(self.model.classifier(torch.tanh(self.model.bert.pooler.dense(vector))))


class Embedding:
    """An embedding model, and a head of softmax over it."""

    def __init__(self, folder):
        with readable(folder) as path:
            self.model = sentence_transformers.SentenceTransformer(path, device="cpu").double().eval()
        self.tokenizer = self.model.tokenizer
        inner = self.model[0].model  # T5's encoder has a module of its own over the shared table
        if isinstance(inner, jina_bert.JinaBertModel):
            self.words = inner.embeddings["word_embeddings"]
        else:
            self.words = getattr(getattr(inner, "encoder", None), "embed_tokens", None) or inner.get_input_embeddings()

    def scores(self, text):
        inputs = self.model.preprocess([text])
        return self.scores_of_unit(self.model(inputs)["sentence_embedding"][0])

    def vector(self, ids):
        ids = torch.tensor([ids])
        return self.model({"input_ids": ids, "attention_mask": torch.ones_like(ids)})["sentence_embedding"][0]

    def scores_of_vector(self, vector):
        normed = isinstance(self.model[-1], sentence_transformers.sentence_transformer.modules.Normalize)
        return self.scores_of_unit(torch.nn.functional.normalize(vector, dim=0) if normed else vector)

    def scores_of_unit(self, vector):
        width = vector.shape[0]
        weight = torch.tensor([[math.sin(1 + c * width + i) for i in range(width)] for c in range(LABELS)]).double()
        return torch.softmax(weight @ vector + torch.tensor([0.1 * c for c in range(LABELS)]).double(), -1)


def tokens_of(each, text):
    """Ids, and which are the text's own: (start, stop) or None."""
    encoding = each.tokenizer(text, truncation=True, return_offsets_mapping=True, return_special_tokens_mask=True)
    return encoding["input_ids"], [None if special else tuple(at) for at, special in
                                   zip(encoding["offset_mapping"], encoding["special_tokens_mask"])]


def pad_row(each, words):
    vocabulary = each.tokenizer.get_vocab()
    for name in ("[PAD]", "<pad>"):
        if name in vocabulary:
            return words[vocabulary[name]]
    return torch.zeros_like(words[0])


def integrated(each, text, label):
    """A value for each of the text's tokens."""
    ids, ranges = tokens_of(each, text)
    held = {}

    def replace(module, inputs, output):
        return held["input"].reshape(output.shape)

    with torch.no_grad():
        everything = each.words(torch.arange(each.words.weight.shape[0]))
        actual = everything[torch.tensor(ids)]
        base = actual.clone()
        for i, at in enumerate(ranges):
            if at is not None:
                base[i] = pad_row(each, everything)
    hook = each.words.register_forward_hook(replace)
    nodes, weights = numpy.polynomial.legendre.leggauss(STEPS)
    values = torch.zeros(len(ids)).double()
    for node, weight in zip((nodes + 1) / 2, weights / 2):
        held["input"] = (base + node * (actual - base)).requires_grad_(True)
        gradient, = torch.autograd.grad(each.scores(text)[label], held["input"])
        values += weight * ((actual - base) * gradient).sum(-1)
    hook.remove()
    return [[*at, float(f"{value:.7g}")] for at, value in zip(ranges, values.tolist()) if at is not None]


def windows_of(each, text, limit):
    """Ids of each window with its special tokens, and which are the text's own."""
    encoding = each.tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
    ids, places = encoding["input_ids"], [tuple(at) for at in encoding["offset_mapping"]]
    for first in range(0, len(ids), limit - 2):
        yield ([each.tokenizer.cls_token_id, *ids[first:first + limit - 2], each.tokenizer.sep_token_id],
               [None, *places[first:first + limit - 2], None])


def integrated_windows(each, windows, label):
    """The same along one path of all windows."""
    total = sum(len(ids) - 2 for ids, _ in windows)
    held = {}
    with torch.no_grad():
        everything = each.words(torch.arange(each.words.weight.shape[0]))
        actual = [everything[torch.tensor(ids)] for ids, _ in windows]
        base = [rows.clone() for rows in actual]
        for rows, (_, ranges) in zip(base, windows):
            for i, at in enumerate(ranges):
                if at is not None:
                    rows[i] = pad_row(each, everything)

    def replace(module, inputs, output):
        return held["input"].reshape(output.shape)

    def scores(inputs):
        joined = 0
        for (ids, _), rows in zip(windows, inputs):
            held["input"] = rows
            joined = joined + (len(ids) - 2) / total * each.vector(ids)
        return each.scores_of_vector(joined)

    hook = each.words.register_forward_hook(replace)
    nodes, weights = numpy.polynomial.legendre.leggauss(STEPS)
    values = [torch.zeros(len(ids)).double() for ids, _ in windows]
    for node, weight in zip((nodes + 1) / 2, weights / 2):
        inputs = [(b + node * (a - b)).requires_grad_(True) for a, b in zip(actual, base)]
        gradients = torch.autograd.grad(scores(inputs)[label], inputs)
        for value, a, b, gradient in zip(values, actual, base, gradients):
            value += weight * ((a - b) * gradient).sum(-1)
    with torch.no_grad():
        difference = scores(actual)[label] - scores(base)[label]
    hook.remove()
    return [[*at, float(f"{value:.7g}")] for (_, ranges), row in zip(windows, values)
            for at, value in zip(ranges, row.tolist()) if at is not None], float(f"{difference:.7g}")


def record_windows(name):
    folder = os.path.join(TINY, name)
    with open(os.path.join(folder, "tokenizer_config.json"), encoding="utf-8") as file:
        limit = json.load(file)["model_max_length"]
    each = (Headed if name in HEADED else Embedding)(folder)
    windows = list(windows_of(each, LONG, limit))
    tokens, difference = integrated_windows(each, windows, 1)
    return {"folder": name, "headed": name in HEADED, "text": LONG, "label": 1, "windows": len(windows),
            "tokens": tokens, "difference": difference}


def words_of(each, text):
    """Characters of words, as lmtext joins tokens."""
    ids, ranges = tokens_of(each, text)
    prefix = json.loads(each.tokenizer.backend_tokenizer.to_str())["model"].get("continuing_subword_prefix")
    words = []
    for token, at in zip(each.tokenizer.convert_ids_to_tokens(ids), ranges):
        if at is None:
            continue
        if token == each.tokenizer.unk_token:
            piece = False
        elif prefix:
            piece = len(token) != at[1] - at[0]
        else:
            piece = at[0] > 0 and " " not in text[at[0] - 1:at[0] + 1]
        if piece and words:
            words[-1][1] = at[1]
        else:
            words.append(list(at))
    return words


def left_out(each, text, label):
    with torch.no_grad():
        whole = each.scores(text)[label]
        values = []
        for start, stop in words_of(each, text):
            begin, end = start, stop
            if start > 0 and text[start - 1] == " ":
                begin -= 1
            elif start == 0 and text[stop:stop + 1] == " ":
                end += 1
            rest = text[:begin] + text[end:]
            values.append([start, stop, float(f"{float(whole - each.scores(rest)[label]):.7g}")])
    return values


def record(name, kind):
    each = kind(os.path.join(TINY, name))
    cases = []
    for text in TEXTS:
        with torch.no_grad():
            scores = each.scores(text)
        label = int(scores.argmax())
        cases.append({"text": text, "label": label, "scores": shorten(scores),
                      "tokens": integrated(each, text, label), "words": left_out(each, text, label)})
    return {"folder": name, "headed": kind is Headed, "cases": cases}


def main():
    torch.set_num_threads(1)  # matrices are tiny
    models = [record(name, kind) for kind, names in ((Headed, HEADED), (Embedding, EMBEDDING)) for name in names]
    with open(OUT, "w", encoding="utf-8") as file:
        file.write('{"steps": %d, "labels": %d, "models": [\n' % (STEPS, LABELS))
        file.write(",\n".join(json.dumps(model) for model in models))
        file.write('\n], "windows": [\n')
        file.write(",\n".join(json.dumps(record_windows(name)) for name in WINDOWS))
        file.write("\n]}\n")


if __name__ == "__main__":
    main()
