"""Embedding in every precision: lmtext through SQL and bare, beside the peers; short, mixed and long texts."""
import os

import numpy

import common
import peers
from common import Work

PRECISIONS = ("fp32", "bf16", "int8")

# Words of which texts are cut or joined to the lengths of a set, in tokens.
SETS = {
    "short (titles)": lambda texts: [text.split("\n")[0][:60] for text in texts[:800]],
    "mixed": lambda texts: texts[:200],
    "long": lambda texts: ["\n".join(texts[i:i + 8]) for i in range(0, 320, 8)],
}


def sql_embed(connection, model):
    rows = connection.execute("SELECT lmtext.embed(body, %s) FROM bench_text ORDER BY id", (model,)).fetchall()
    return numpy.array([row[0] for row in rows], numpy.float32)


def contenders(connection, texts, file, others):
    """{name: (precision, Work, embed)}; embed gives the vectors."""
    works = {}
    for precision in PRECISIONS:
        model = common.model_name(precision)
        works[f"lmtext {precision}, CREATE TABLE AS"] = (
            precision, Work(lambda m=model: common.create_table(connection, "bench_text", m), connection),
            lambda m=model: sql_embed(connection, m))
        works[f"lmtext {precision}, the engine alone"] = (
            precision, Work(lambda p=precision: common.engine_seconds(p, file)), None)
    for peer in others:
        works[peer.name] = (peer.precision, Work(lambda p=peer: p.embed(texts)), lambda p=peer: p.embed(texts))
    return works


def name_goals(name, speeds, cosines):
    """Speeds beside the peers and cosines are of mixed texts, SQL's share is of those of 32 tokens and more."""
    engine = {precision: speeds[f"lmtext {precision}, the engine alone"] for precision in PRECISIONS}
    table = {precision: f"lmtext {precision}, CREATE TABLE AS" for precision in PRECISIONS}
    level, mixed = os.environ.get("LMTEXT_LEVEL"), name == "mixed"
    at = f"level {level}, {name}" if level else name
    if level == "avx2":
        common.goal(f"{at}: int8 ÷ fp32, the engine", engine["int8"] / engine["fp32"], least=1.7)
        if mixed:
            common.goal(f"{at}: fp32 ÷ ONNX Runtime fp32, not capped", engine["fp32"] / speeds["ONNX Runtime fp32"],
                        least=1.25)
    elif mixed:
        for precision, peer, least in (("fp32", "OpenVINO", 1.15), ("bf16", "OpenVINO", 1.35), ("int8", "ONNX Runtime", 2.15)):
            common.goal(f"{at}: {precision} ÷ {peer} {precision}, the engine",
                        engine[precision] / speeds[f"{peer} {precision}"], least=least)
    for precision in PRECISIONS if not name.startswith("short") else ():
        common.goal(f"{at}: CREATE TABLE AS ÷ the engine, {precision}", speeds[table[precision]] / engine[precision], least=.96)
    if mixed:
        common.goal(f"{at}: least cosine of int8", cosines[table["int8"]].min(), least=.999, digits=5)
        common.goal(f"{at}: mean cosine of int8", cosines[table["int8"]].mean(), least=.9995, digits=5)


def measure(connection, name, texts, reference, others):
    tokens = reference.tokens(texts)
    common.load_texts(connection, "bench_text", texts)
    with common.texts_file(texts) as file:
        speeds, cosines = common.compare(
            f"Embedding {len(texts)} texts, {name}: {tokens} tokens, {tokens / len(texts):.0f} a text; one core",
            tokens, reference.embed(texts), contenders(connection, texts, file, [reference] + others), rounds=5)
    name_goals(name, speeds, cosines)


def main():
    texts = common.corpus(1500)
    reference, others = peers.Torch(), peers.all_but_torch()
    with common.prepare(PRECISIONS) as connection:
        connection.execute("SET max_parallel_workers_per_gather = 0")
        for name, choose in SETS.items():
            measure(connection, name, choose(texts), reference, others)
    print("\nFrom text to vector, tokenizing included. Peers: sorted by length, batches of 32; "
          "lmtext: rows in table order.")


if __name__ == "__main__":
    main()
