#!/usr/bin/env python3
"""Compare lmtext with the reference library on small models and texts that are drawn by a seed, of one kind:

    static   StaticEmbedding, WordEmbeddings, BoW, with what may stand behind them: lmtext.embed
    sparse   a BERT and SpladePooling, or SparseStaticEmbedding: lmtext.sparse_vector
    late     a BERT, Dense, MultiVectorMask: lmtext.token_vectors of queries and documents
    explain  integrated gradients of a classifier by torch.autograd (make-explain.py): lmtext.explain

Prints "ok KIND" or "not ok KIND". Needs psql's environment (PGHOST ...), the extension and a venv with sentence-transformers.

usage: compare-drawn-models.py --kind KIND [--seed N] [--count N] [--only NUMBER]
"""
import argparse
import importlib
import json
import os
import random
import subprocess
import sys
import tempfile

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TRANSFORMERS_VERBOSITY"] = "error"
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
import numpy  # noqa: E402
import tokenizers  # noqa: E402
import torch  # noqa: E402
import transformers  # noqa: E402
from sentence_transformers import MultiVectorEncoder, SentenceTransformer, SparseEncoder  # noqa: E402
from sentence_transformers.base.modules import Dense, Normalize, Transformer  # noqa: E402
from sentence_transformers.multi_vector_encoder.modules import MultiVectorMask  # noqa: E402
from sentence_transformers.sentence_transformer.modules import (BoW, LayerNorm, Pooling, StaticEmbedding,  # noqa: E402
                                                               WordEmbeddings, WordWeights)
from sentence_transformers.sentence_transformer.modules.tokenizer import WhitespaceTokenizer  # noqa: E402
from sentence_transformers.sparse_encoder.modules import SparseStaticEmbedding, SpladePooling  # noqa: E402

TINY = os.path.join(HERE, "..", "models", "tiny", "bert")
# Of the length of a vector, or of the greatest number where that is more than 1.
BOUND = 2e-5
WORDS = ["the", "cat", "Cat", "sat", "mats", "mat", "U.S.", "don't", "databases", "query", "ΣΑΣ", "σας", "naïve", "猫", "a-b", "-", "well,",
         "(dog)", "DOG", "dog", "42", "42,", "!", "...", "İs", "\x1d", "\u00a0", "\t", "\n"]
POOLINGS = ["mean", "max", "mean_sqrt_len_tokens", "weightedmean", "lasttoken"]


def draw_texts(rng, count):
    """At least one with a token of every kind of model."""
    texts = ["".join(rng.choice(WORDS) + rng.choice([" ", " ", " ", ""]) for _ in range(rng.randrange(1, 20))) for _ in range(count)]
    return ["the cat sat"] + texts


def tensor(numbers, *shape, scale=0.5):
    return torch.from_numpy(numbers.normal(0, scale, shape)).float()


def dense(rng, numbers, width):
    module = Dense(width, rng.randrange(2, 12), bias=rng.random() < 0.5,
                   activation_function=rng.choice([torch.nn.Identity, torch.nn.Tanh, torch.nn.GELU, torch.nn.ReLU])())
    for weight in module.parameters():
        weight.data = tensor(numbers, *weight.shape)
    return module


def layer_norm(numbers, width):
    module = LayerNorm(width)
    module.norm.weight.data, module.norm.bias.data = 1 + tensor(numbers, width), tensor(numbers, width)
    return module


def behind(rng, numbers, width):
    """Modules that make a vector of a vector."""
    modules = []
    for _ in range(rng.randrange(3)):
        kind = rng.randrange(3)
        modules.append([lambda: dense(rng, numbers, width), lambda: layer_norm(numbers, width), Normalize][kind]())
        width = modules[-1].get_embedding_dimension() if kind == 0 else width
    return modules


def draw_bert(rng, numbers, folder, head="Model", **more):
    """A BERT with weights that show, and the tokenizer of the tiny one."""
    heads = rng.choice([1, 2, 3])
    config = transformers.BertConfig(
        vocab_size=transformers.BertConfig.from_pretrained(TINY).vocab_size, hidden_size=heads * rng.choice([4, 6, 8]),
        num_attention_heads=heads, num_hidden_layers=rng.randrange(1, 4), intermediate_size=rng.randrange(3, 20),
        hidden_act=rng.choice(["gelu", "relu", "silu", "gelu_new"]), max_position_embeddings=rng.choice([24, 64]), **more)
    model = getattr(transformers, "Bert" + head)(config)
    for name, weight in model.named_parameters():
        weight.data = tensor(numbers, *weight.shape, scale=0.2) + (1 if name.endswith("LayerNorm.weight") else 0)
    model.save_pretrained(folder)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        with open(os.path.join(TINY, name), "rb") as source, open(os.path.join(folder, name), "wb") as out:
            out.write(source.read())
    return folder


# ---- What is drawn: a folder, and what the library says of each text (None: it has no vector of it) ----

def words_of(rng):
    return rng.sample(["PADDING_TOKEN", *WORDS], rng.randrange(5, len(WORDS)))


def draw_weights(rng, vocabulary):
    return {word.lower() if rng.random() < 0.5 else word: rng.uniform(-0.2, 2) for word in rng.sample(vocabulary, 4)}


def static_modules(rng, numbers):
    """The first modules, and the width of what they give."""
    width, kind = rng.randrange(2, 12), rng.randrange(3)
    if kind == 0:
        tokenizer = tokenizers.Tokenizer.from_file(os.path.join(TINY, "tokenizer.json"))
        return [StaticEmbedding(tokenizer, embedding_weights=tensor(numbers, tokenizer.get_vocab_size(), width))], width
    vocabulary = words_of(rng) + ["sat"]
    vocabulary = list(dict.fromkeys(vocabulary))
    if kind == 1:
        return [BoW(vocabulary, draw_weights(rng, vocabulary), rng.choice([1, 0.5]), rng.random() < 0.5)], len(vocabulary)
    tokenizer = WhitespaceTokenizer(vocabulary, stop_words=rng.sample(["the", "cat", "!", "mats"], 2), do_lower_case=rng.random() < 0.4)
    modules = [WordEmbeddings(tokenizer, tensor(numbers, len(vocabulary), width), max_seq_length=rng.choice([5, 1000000]))]
    if rng.random() < 0.5:
        modules.append(WordWeights(vocabulary, draw_weights(rng, vocabulary), rng.choice([1, 0.5])))
    modes = rng.sample(POOLINGS, rng.choice([1, 1, 2]))
    return [*modules, Pooling(width, pooling_mode=modes)], width * len(modes)


def draw_static(rng, numbers, folder):
    modules, width = static_modules(rng, numbers)
    SentenceTransformer(modules=modules + behind(rng, numbers, width), device="cpu").save(folder, create_model_card=False)
    model = SentenceTransformer(folder, device="cpu")

    def answer(text):
        tokens = model[0].tokenizer.encode(text, add_special_tokens=False).ids if isinstance(model[0], StaticEmbedding) \
            else model[0].tokenizer.tokenize(text)
        return model.encode([text])[0].tolist() if tokens else None
    return answer, "to_json(lmtext.embed(body, 'drawn'))"


def draw_sparse(rng, numbers, folder):
    if rng.random() < 0.25:
        tokenizer = transformers.AutoTokenizer.from_pretrained(TINY, model_max_length=rng.choice([8, 512]))
        modules = [SparseStaticEmbedding(tokenizer, weight=tensor(numbers, len(tokenizer)))]
    else:
        draw_bert(rng, numbers, folder + "-bert", "ForMaskedLM")
        modules = [Transformer(folder + "-bert", transformer_task="fill-mask"),
                   SpladePooling(rng.choice(["max", "sum"]), rng.choice(["relu", "log1p_relu"]))]
    SparseEncoder(modules=modules, device="cpu").save(folder, create_model_card=False)
    model = SparseEncoder(folder, device="cpu")
    return (lambda text: model.encode(text, convert_to_sparse_tensor=False).tolist(),
            "to_json(lmtext.sparse_vector(body, 'drawn'))")


def draw_late(rng, numbers, folder):
    draw_bert(rng, numbers, folder + "-bert")
    expansion = rng.choice([None, dict(strategy="fixed", attend=rng.random() < 0.5, length=rng.randrange(4, 16))])
    more = {"query_expansion": expansion} if expansion else {"query_length": rng.randrange(4, 16)}
    encoder = Transformer(folder + "-bert", document_length=rng.choice([None, 9]), **more)
    layer = Dense(encoder.get_embedding_dimension(), rng.randrange(2, 9), bias=False, activation_function=torch.nn.Identity(),
                  module_input_name="token_embeddings", module_output_name="token_embeddings")
    layer.linear.weight.data = tensor(numbers, *layer.linear.weight.shape)
    skipped = rng.sample([".", ",", "!", "the", "cat"], rng.randrange(4))
    modules = [encoder, layer, MultiVectorMask(skipped, skiplist_tasks=rng.choice([None, ["query", "document"]])),
               Normalize(module_input_name="token_embeddings", module_output_name="token_embeddings")]
    prompts = rng.choice([None, {"query": "[unused0] ", "document": "cat "}])
    MultiVectorEncoder(modules=modules, device="cpu", prompts=prompts).save(folder, create_model_card=False)
    model = MultiVectorEncoder(folder, device="cpu")
    return (lambda text: [model.encode_query([text])[0].tolist(), model.encode_document([text])[0].tolist()],
            "json_build_array(lmtext.token_vectors(body, 'drawn', 'query'), lmtext.token_vectors(body, 'drawn', 'document'))")


def draw_explain(rng, numbers, folder):
    reference = importlib.import_module("make-explain")
    labels = rng.randrange(2, 5)
    draw_bert(rng, numbers, folder, "ForSequenceClassification", num_labels=labels,
              problem_type=rng.choice(["single_label_classification", "multi_label_classification"]))
    each, label = reference.Headed(folder), rng.randrange(labels)

    def answer(text):
        tokens = reference.integrated(each, text, label)
        return [[*word, sum(value for start, stop, value in tokens if word[0] <= start and stop <= word[1])]
                for word in reference.words_of(each, text)]
    return (answer,
            f"(SELECT coalesce(json_agg(json_build_array(start, stop, attribution) ORDER BY start, stop), '[]') FROM lmtext.explain(body, "
            f"'drawn', 'LABEL_{label}', 'integrated_gradients', {reference.STEPS}))")


KINDS = {"static": draw_static, "sparse": draw_sparse, "late": draw_late, "explain": draw_explain}


# ---- Comparing ----

def by_lmtext(folder, question, texts):
    """What lmtext says of each text; the failure."""
    script = f"""
        BEGIN;
        CREATE EXTENSION IF NOT EXISTS lmtext;
        SET LOCAL client_min_messages = error;
        SET LOCAL lmtext.on_empty = 'null';
        SELECT lmtext.import_model('drawn', :'folder');
        SELECT coalesce({question}::text, 'null') FROM json_array_elements_text(:'texts') WITH ORDINALITY AS t(body, id) ORDER BY id;
        ROLLBACK;
        """
    run = subprocess.run(["psql", "-X", "-q", "-At", "-v", "ON_ERROR_STOP=1", "-d", "postgres", "-v", f"folder={folder}",
                          "-v", f"texts={json.dumps(texts)}"], input=script, capture_output=True, text=True)
    if run.returncode != 0:
        return None, run.stderr.strip().replace("\n", " ")
    return [json.loads(line) for line in run.stdout.splitlines()[1:]], ""


def plain(answer):
    """Numbers of an answer, those of pgvector's sparsevec too."""
    if isinstance(answer, str):
        weights, width = answer[1:].split("}/")
        numbers = [0.0] * int(width)
        for entry in filter(None, weights.split(",")):
            place, weight = entry.split(":")
            numbers[int(place) - 1] = float(weight)
        return [numbers]
    if answer and not isinstance(answer[0], list):
        return [answer]
    return [row for part in answer for row in (part if part and isinstance(part[0], list) else [part])]


def differ(ours, theirs):
    """What is wrong; "" where nothing is."""
    if ours is None or theirs is None:
        return "" if ours is None and theirs is None else "one of the two has no vector"
    ours, theirs = plain(ours), plain(theirs)
    if [len(row) for row in ours] != [len(row) for row in theirs]:
        return f"{len(ours)} rows of {[len(row) for row in ours][:3]} and not {len(theirs)} of {[len(row) for row in theirs][:3]}"
    for mine, other in zip(ours, theirs):
        bound = BOUND * max([1.0, *map(abs, other)])
        apart = max((abs(a - b) for a, b in zip(mine, other)), default=0)
        if not apart <= bound:
            return f"{apart:.2e} apart"
    return ""


def compare(kind, seed, number, base):
    rng, numbers = random.Random(f"{kind}/{seed}/{number}"), numpy.random.default_rng([seed, number])
    folder = os.path.join(base, str(number))
    texts = draw_texts(rng, 9)
    answer, question = KINDS[kind](rng, numbers, folder)
    subprocess.run(["chmod", "-R", "a+rX", base], check=True)
    ours, said = by_lmtext(folder, question, texts)
    if ours is None:
        return [said]
    wrong = [(text, differ(mine, answer(text))) for text, mine in zip(texts, ours)]
    return [f"{text!r:.100}: {what}" for text, what in wrong if what]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kind", required=True, choices=sorted(KINDS))
    parser.add_argument("--seed", type=int, default=13)
    parser.add_argument("--count", type=int, default=30)
    parser.add_argument("--only", type=int, help="this number alone")
    args = parser.parse_args()
    torch.set_num_threads(1)
    failed = 0
    with tempfile.TemporaryDirectory(dir="/var/tmp") as base:
        for number in range(args.count) if args.only is None else [args.only]:
            wrong = compare(args.kind, args.seed, number, base)
            failed += bool(wrong)
            if wrong:
                print(f"  {number}: {len(wrong)} differences, the first: {wrong[0]:.600}")
    print(f"{'not ok' if failed else 'ok'} {args.kind}: {args.count} models of seed {args.seed}, {failed} with differences")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
