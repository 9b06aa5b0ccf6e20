"""One short query (10 tokens): through SQL in a warm backend, and by the peers."""
import common
import peers

QUERY = "how do I resize an image in place"
REPEAT = 50


def main():
    torch_peer, onnx_peer = peers.Torch(), peers.OnnxRuntime()
    tokens = onnx_peer.tokens([QUERY])
    with common.prepare() as connection:
        cursor = connection.cursor()

        def by_sql():
            for i in range(REPEAT):
                cursor.execute("SELECT lmtext.embed(%s, 'minilm')", (f"{QUERY} {i % 10}",), prepare=True)
                cursor.fetchone()

        def empty():
            for i in range(REPEAT):
                cursor.execute("SELECT ARRAY(SELECT 0.5::real FROM generate_series(1, 384)), %s",
                               (f"{QUERY} {i % 10}",), prepare=True)
                cursor.fetchone()

        times = common.interleaved({
            "lmtext, SELECT lmtext.embed(…)": by_sql,
            "a SELECT of 384 numbers (round trip alone)": empty,
            onnx_peer.name: lambda: [onnx_peer.embed([f"{QUERY} {i % 10}"]) for i in range(REPEAT)],
            torch_peer.name: lambda: [torch_peer.embed([f"{QUERY} {i % 10}"]) for i in range(REPEAT)],
        })
    common.table(f"One query of {tokens + 1} tokens, warm, one core", ("", "ms"),
                 [(name, f"{taken / REPEAT * 1000:.2f}") for name, taken in times.items()])


if __name__ == "__main__":
    main()
