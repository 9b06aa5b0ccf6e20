"""Embedding 1,000 mixed package descriptions: lmtext through SQL and bare, beside the peers."""
import numpy

import common
import peers


def sql_embed(connection):
    rows = connection.execute("SELECT lmtext.embed(body, 'minilm') FROM bench_text ORDER BY id").fetchall()
    return numpy.array([row[0] for row in rows], numpy.float32)


def sql_seconds(connection):
    """The whole table embedded in one backend; nothing but a count comes back."""
    connection.execute("SELECT count(lmtext.embed(body, 'minilm')) FROM bench_text")


def main():
    texts = common.corpus(1000)
    torch_peer, onnx_peer = peers.Torch(), peers.OnnxRuntime()
    tokens = onnx_peer.tokens(texts)
    with common.prepare() as connection:
        connection.execute("SET max_parallel_workers_per_gather = 0")
        common.load_texts(connection, "bench_text", texts)
        connection.execute("SELECT lmtext.load_model('minilm')")
        times = common.interleaved({
            "lmtext, SELECT over the table": lambda: sql_seconds(connection),
            onnx_peer.name: lambda: onnx_peer.embed(texts),
            torch_peer.name: lambda: torch_peer.embed(texts),
        }, rounds=3)
        reference = torch_peer.embed(texts)
        cosines = {"lmtext, SELECT over the table": (sql_embed(connection) * reference).sum(1),
                   onnx_peer.name: (onnx_peer.embed(texts) * reference).sum(1),
                   torch_peer.name: (reference * reference).sum(1)}
    base = times[onnx_peer.name]
    common.table(
        f"Embedding {len(texts)} mixed package descriptions ({tokens} tokens), fp32, one core",
        ("", "tokens/s", "÷ ONNX Runtime", "cosine to torch min / mean"),
        [(name, f"{tokens / taken:,.0f}", f"{base / taken:.2f}",
          f"{cosines[name].min():.7f} / {cosines[name].mean():.7f}") for name, taken in times.items()])
    print("\nPeers: sorted by length, batches of 32; lmtext: rows in table order.")


if __name__ == "__main__":
    main()
