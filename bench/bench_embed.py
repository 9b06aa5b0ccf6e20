"""Embedding 1,000 mixed package descriptions: lmtext through SQL and bare, beside the peers."""
import numpy

import common
import peers
from common import Work

SQL = "lmtext, SELECT over the table"
ENGINE = "lmtext, the engine alone"


def sql_embed(connection):
    rows = connection.execute("SELECT lmtext.embed(body, 'minilm') FROM bench_text ORDER BY id").fetchall()
    return numpy.array([row[0] for row in rows], numpy.float32)


def sql_count(connection):
    """The whole table embedded in one backend; nothing but a count comes back."""
    connection.execute("SELECT count(lmtext.embed(body, 'minilm')) FROM bench_text")


def measure(connection, texts, torch_peer, onnx_peer):
    with common.texts_file(texts) as file:
        return common.interleaved({
            SQL: Work(lambda: sql_count(connection), connection),
            ENGINE: Work(lambda: float(common.engine("engine_embed", common.MODEL, file)[2])),
            onnx_peer.name: Work(lambda: onnx_peer.embed(texts)),
            torch_peer.name: Work(lambda: torch_peer.embed(texts)),
        }, rounds=3, warm=0)


def main():
    texts = common.corpus(1000)
    torch_peer, onnx_peer = peers.Torch(), peers.OnnxRuntime()
    tokens = onnx_peer.tokens(texts)
    with common.prepare() as connection:
        connection.execute("SET max_parallel_workers_per_gather = 0")
        common.load_texts(connection, "bench_text", texts)
        # These warm up, too.
        ours, onnx, reference = sql_embed(connection), onnx_peer.embed(texts), torch_peer.embed(texts)
        times = measure(connection, texts, torch_peer, onnx_peer)
    cosines = {SQL: (ours * reference).sum(1), onnx_peer.name: (onnx * reference).sum(1)}
    base = times[onnx_peer.name].cpu
    common.table(
        f"Embedding {len(texts)} mixed package descriptions ({tokens} tokens), fp32, one core",
        ("", "tokens/s", "÷ ONNX Runtime", "cosine to torch, min / mean"),
        [(name, f"{tokens / taken.cpu:,.0f}", f"{base / taken.cpu:.2f}",
          f"{cosines[name].min():.7f} / {cosines[name].mean():.7f}" if name in cosines else "")
         for name, taken in times.items()])
    print("\nFrom text to vector, tokenizing included. Peers: sorted by length, batches of 32; "
          "lmtext: rows in table order.")


if __name__ == "__main__":
    main()
