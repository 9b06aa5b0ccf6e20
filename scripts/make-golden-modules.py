#!/usr/bin/env python3
"""Make the golden models of sentence-transformers' rarer modules: models/tiny/router-*, sparse-static*, words*.

Random weights beside transformers of other golden models, in the folders that the library writes, with what it computes of
them. Needs make-golden.py beside it, and its versions.

    python3 scripts/make-golden-modules.py [--only NAME]
"""
import argparse
import importlib
import json
import os
import shutil
import sys

import numpy
import sentence_transformers
import tokenizers
import torch
import transformers
from sentence_transformers.base.modules import Dense, Normalize, Router, Transformer
from sentence_transformers.sentence_transformer.modules import (BoW, Pooling, StaticEmbedding, WeightedLayerPooling,
                                                               WordEmbeddings, WordWeights)
from sentence_transformers.sentence_transformer.modules.tokenizer import WhitespaceTokenizer
from sentence_transformers.sparse_encoder.modules import SparseStaticEmbedding, SpladePooling

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
golden = importlib.import_module("make-golden")

SEED = 440
ROUTER = {"default_route": None, "allow_empty_key": False}


def tiny(name):
    return os.path.join(golden.TINY, name)


def random(*shape, more=0):
    return torch.from_numpy(numpy.random.default_rng(SEED + len(shape) + shape[0] + 1000 * more).normal(0, 0.5, shape)).float()


def dense(rows, columns, more=0):
    module = Dense(columns, rows, activation_function=torch.nn.Tanh())
    module.linear.weight.data, module.linear.bias.data = random(rows, columns, more=more), random(rows, more=more)
    return module


def transformer(name="bert-sides", **more):
    return Transformer(tiny(name), **more)


def static(width):
    tokenizer = tokenizers.Tokenizer.from_file(os.path.join(tiny("static-st"), "tokenizer.json"))
    return StaticEmbedding(tokenizer, embedding_weights=random(tokenizer.get_vocab_size(), width))


def sparse_static(words):
    """Weights of both signs, some of them 0; a tokenizer whose window is 16 tokens."""
    tokenizer = transformers.AutoTokenizer.from_pretrained(tiny("bert-splade"), model_max_length=16)
    weight = random(words)
    weight[::5] = 0
    return SparseStaticEmbedding(tokenizer, weight=weight, frozen=True)


def router_static():
    """A table for queries, a transformer for documents, and what both have behind it."""
    encoder = transformer()
    width = encoder.get_embedding_dimension()
    return [Router.for_query_document([static(width)], [encoder, Pooling(width)]), Normalize()]


def router_shared():
    """One transformer, and a layer for either side; no default."""
    encoder = transformer()
    width = encoder.get_embedding_dimension()
    return [encoder, Pooling(width), Router({"query": [dense(7, width)], "document": [dense(7, width, 1)]}, **ROUTER)]


def router_layers():
    """Layers of one transformer before the routes, and a layer of both behind them."""
    more = layers("bert-sides", 0)
    return [*more, Router({"query": [dense(7, 20)], "document": [dense(7, 20, 1)]}), dense(5, 7)]


def static_dense():
    """A layer behind the mean of tokens' vectors."""
    return [static(20), dense(9, 20), Normalize()]


def router_mapped():
    """Names of routes that only the mapping knows; documents go by the default."""
    encoder = transformer()
    width = encoder.get_embedding_dimension()
    mappings = {("query", "text"): "table", (None, "text"): "net"}
    return [Router({"net": [encoder, Pooling(width, pooling_mode="cls")], "table": [static(width)]}, route_mappings=mappings)]


def router_splade():
    encoder = transformer("bert-splade", transformer_task="fill-mask")
    words = encoder.model.config.vocab_size
    return [Router.for_query_document([sparse_static(words)], [encoder, SpladePooling("max", "log1p_relu")])]


def sparse_alone():
    return [sparse_static(len(golden.VOCABULARY))]


def layers(name, first, **pooling):
    """Layers from one on; the transformer has to give them."""
    encoder = transformer(name, config_kwargs={"output_hidden_states": True})
    width, count = encoder.get_embedding_dimension(), encoder.model.config.num_hidden_layers
    weights = torch.nn.Parameter(torch.arange(1, count + 2 - first).float() ** 2 - 0.5)
    return [encoder, WeightedLayerPooling(width, num_hidden_layers=count, layer_start=first, layer_weights=weights),
            Pooling(width, **pooling)]


# Words with another form in lower case, with punctuation that is theirs, in other scripts, and one that is a stop word.
WORDS = ["PADDING_TOKEN", "cat", "Cat", "mat", "the", "The", "sat", "U.S.", "u.s", "don't", "a-b", "σας", "σοφοσ", "İs", "i̇s", "naïve",
         "-", "'", "猫", "dog", "Dog", "dogs", "well", "straße", "x" * 40]
WORD_TEXTS = ["the cat sat on the mat", "The Cat, (the DOG) and DOGS!", "U.S. u.s. U.S U.S.!", "don't DON'T 'don't' dont", "a-b -a-b- A-B - --",
              "ΣΑΣ σας ΣΟΦΟΣ. ΣΟΦΟΣ'Σ σοφοσ", "İS i̇s İs", "NAÏVE naïve Naïve", "猫 猫。 dog猫", "cat\x1cmat\x1fsat dog\u00a0cat\u2003mat\u0085sat",
              "well... Well, WELL well-well", "STRASSE straße STRAßE", "cat " * 40, "\tcat\n\r\n mat ", "' cat '", "X" * 40 + " dog"]


def word_embeddings(more=0, **tokenizer):
    table = random(len(WORDS), 11, more=more)
    table[0] = 0
    return WordEmbeddings(WhitespaceTokenizer(WORDS, **tokenizer), table)


def words_alone():
    """As the library makes it of a file of word vectors."""
    return [word_embeddings(), Pooling(11)]


def words_lower():
    words = word_embeddings(1, stop_words=["the", "sat", "", "i̇s"], do_lower_case=True)
    words.max_seq_length = 30
    return [words, Pooling(11, pooling_mode="mean_sqrt_len_tokens"), Normalize()]


def words_weighted():
    """Every pooling that the library has for words, and weights by lower case, by default, and of both signs."""
    weights = {"cat": 0.25, "u.s": 1.5, "dog": -0.5, "The": 3, "well": 0, "unknown": 7}
    modes = ["mean", "max", "mean_sqrt_len_tokens", "weightedmean", "lasttoken"]
    return [word_embeddings(2), WordWeights(WORDS, weights, unknown_word_weight=0.75), Pooling(11, pooling_mode=modes), dense(9, 55)]


def words_placed():
    return [word_embeddings(3, stop_words=[]), Pooling(11, pooling_mode=["weightedmean", "max", "lasttoken"])]


def bag():
    return [BoW(WORDS, {"cat": 2.5, "dog": -1}, unknown_word_weight=0.5)]


def bag_once():
    return [BoW(WORDS, {"the": 2.5}, cumulative_term_frequency=False), dense(7, len(WORDS)), Normalize()]


def as_before_5(folder):
    """The folders and class paths of version 2."""
    first = os.path.join(folder, "0_WordEmbeddings")
    os.makedirs(first)
    for name in ("wordembedding_config.json", "whitespacetokenizer_config.json"):
        os.rename(os.path.join(folder, name), os.path.join(first, name))
    os.rename(os.path.join(folder, "model.safetensors"), os.path.join(first, "model.safetensors"))
    path = os.path.join(folder, "modules.json")
    with open(path, encoding="utf-8") as file:
        modules = json.load(file)
    modules[0].update(path="0_WordEmbeddings", type="sentence_transformers.models.WordEmbeddings")
    golden.write_json(path, modules)
    path = os.path.join(first, "wordembedding_config.json")
    with open(path, encoding="utf-8") as file:
        config = json.load(file)
    config["tokenizer_class"] = "sentence_transformers.models.tokenizer.WhitespaceTokenizer.WhitespaceTokenizer"
    golden.write_json(path, config)


def as_asym(folder):
    """The names of version 4 and before."""
    os.rename(os.path.join(folder, "router_config.json"), os.path.join(folder, "config.json"))
    for name in ("config.json", "modules.json"):
        path = os.path.join(folder, name)
        with open(path, encoding="utf-8") as file:
            content = json.load(file)
        if name == "modules.json":
            content[0]["type"] = "sentence_transformers.models.Asym"
        else:
            content["parameters"] = {"allow_empty_key": True}
        golden.write_json(path, content)


PROMPTS = {"query": "query: ", "document": "the "}

# Modules, prompts, and what the library is asked for: "texts" without a side, "sides" with one, "sparse" vectors.
FOLDERS = {
    "router-static": dict(modules=router_static, prompts=PROMPTS, sections=("texts", "sides")),
    "router-asym": dict(modules=router_static, after=as_asym, sections=("texts", "sides")),
    "router-shared": dict(modules=router_shared, sections=("sides",)),
    "router-mapped": dict(modules=router_mapped, sections=("texts", "sides")),
    "router-layers": dict(modules=router_layers, sections=("texts", "sides")),
    "router-splade": dict(modules=router_splade, sparse=True, sections=("sparse",)),
    "static-dense": dict(modules=static_dense, sections=("texts",)),
    "bert-layers": dict(modules=lambda: layers("bert-sides", 0), sections=("texts",)),
    "modernbert-layers": dict(modules=lambda: layers("modernbert", 1, pooling_mode="cls"), sections=("texts",)),
    "words": dict(modules=words_alone, sections=("texts",), texts=WORD_TEXTS, after=as_before_5),
    "words-lower": dict(modules=words_lower, sections=("texts",), texts=WORD_TEXTS, prompts={"query": "cat "}),
    "words-weighted": dict(modules=words_weighted, sections=("texts",), texts=WORD_TEXTS),
    "words-placed": dict(modules=words_placed, sections=("texts",), texts=WORD_TEXTS),
    "words-bag": dict(modules=bag, sections=("texts",), texts=WORD_TEXTS),
    "words-bag-once": dict(modules=bag_once, single=True, sections=("texts",), texts=WORD_TEXTS),
    "sparse-static": dict(modules=sparse_alone, sparse=True, sections=("sparse",)),
}

# Texts without a token have no vector here.
SKIPPED = {""}


def encode(model, text, **options):
    return model.encode(text, show_progress_bar=False, **options)


def has_tokens(model, text):
    """The library's vector of no word is 0, or not finite."""
    words = isinstance(model[0], (BoW, WordEmbeddings))
    return bool(model[0].tokenizer.tokenize(text)) if words else text not in SKIPPED


def make_texts(folder, spec):
    model = sentence_transformers.SentenceTransformer(folder, device="cpu")
    model = model if spec.get("single") else model.double()
    return {"noise": 0, "cases": [{"text": text, **({"prompt_name": name} if name else {}),
                                   "embedding": golden.shorten(torch.from_numpy(encode(model, text, prompt_name=name)))}
                                  for text in spec.get("texts", golden.TEXTS) if has_tokens(model, text)
                                  for name in [None, *spec.get("prompts", {})]]}


def make_sides(folder, spec):
    model = sentence_transformers.SentenceTransformer(folder, device="cpu").double()
    sides = {"query": model.encode_query, "document": model.encode_document}
    return {"noise": 0, "cases": [{"text": text, **{side: golden.shorten(torch.from_numpy(of(text)))
                                                    for side, of in sides.items()}}
                                  for text in golden.TEXTS if text not in SKIPPED]}


def make_sparse(folder, spec):
    model = sentence_transformers.SparseEncoder(folder, device="cpu").double()
    cases = []
    for text in golden.TEXTS:
        vectors = [encode(text, convert_to_sparse_tensor=False).double()
                   for encode in (model.encode_query, model.encode_document)]
        cases.append({"text": text, **{side: [[i, float(f"{w:.9g}")] for i, w in enumerate(vector.tolist()) if w != 0]
                                       for side, vector in zip(("query", "document"), vectors)},
                      "similarity": float(f"{float(vectors[0] @ vectors[1]):.9g}")})
    return {"noise": 0, "words": len(vectors[0]), "cases": cases}


SECTIONS = {"texts": make_texts, "sides": make_sides, "sparse": make_sparse}


def make(name, spec):
    folder = tiny(name)
    shutil.rmtree(folder, ignore_errors=True)
    kind = sentence_transformers.SparseEncoder if spec.get("sparse") else sentence_transformers.SentenceTransformer
    model = kind(modules=spec["modules"](), prompts=spec.get("prompts"), device="cpu")
    model.save(folder, create_model_card=False)
    if "after" in spec:
        spec["after"](folder)
    for base, _, files in os.walk(folder):
        for file in files:
            os.chmod(os.path.join(base, file), 0o644)
    found = {"reference": {m.__name__: v for m, v in golden.PINNED.items()},
             **{section: SECTIONS[section](folder, spec) for section in spec["sections"]}}
    with open(os.path.join(folder, "golden.json"), "w", encoding="utf-8", newline="\n") as out:
        json.dump(found, out, separators=(",", ":"))
        out.write("\n")
    size = sum(os.path.getsize(os.path.join(base, file)) for base, _, files in os.walk(folder) for file in files)
    print(name, size, "bytes")
    assert size <= 200_000, name


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", metavar="NAME", nargs="+", default=[""], help="beginnings of the names to make")
    arguments = parser.parse_args()
    golden.check_versions()
    torch.set_num_threads(1)
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    for name, spec in FOLDERS.items():
        if name.startswith(tuple(arguments.only)):
            make(name, spec)


if __name__ == "__main__":
    main()
