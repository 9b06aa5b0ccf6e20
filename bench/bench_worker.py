"""A table embedded in place beside a Python worker that reads rows, embeds by ONNX Runtime int8 and writes back."""
import common
import peers
from common import Work

ROWS = 1000
BATCH = 256


def worker(reader, writer, peer, table="bench_text", rows_of_it="true"):
    """As such workers are written: a server-side cursor, batches, COPY into a temporary table, one UPDATE."""
    with reader.transaction(), reader.cursor("rows") as rows, writer.transaction():
        writer.execute("CREATE TEMP TABLE made (id int, e real[]) ON COMMIT DROP")
        rows.itersize = BATCH
        rows.execute(f"SELECT id, body FROM {table} WHERE {rows_of_it}")
        while batch := rows.fetchmany(BATCH):
            vectors = peer.embed([body for _, body in batch])
            with writer.cursor().copy("COPY made FROM STDIN (FORMAT binary)") as copy:
                copy.set_types(["int4", "float4[]"])
                for (key, _), vector in zip(batch, vectors):
                    copy.write_row((key, vector.tolist()))
        writer.execute(f"UPDATE {table} t SET e = made.e FROM made WHERE made.id = t.id")


def main():
    peer = peers.OnnxRuntime("int8")
    rows = []
    with common.prepare(("fp32", "int8")) as connection, common.connect() as reader, common.connect() as writer:
        connection.execute("SET max_parallel_workers_per_gather = 0")
        for name, texts in (("descriptions", common.corpus(ROWS // 2)),
                            ("first lines", [t.split("\n")[0] for t in common.corpus(ROWS, step=6)])):
            common.load_texts(connection, "bench_text", texts)
            times = common.interleaved({
                "fp32": Work(lambda: common.update_table(connection, "bench_text", "minilm"), connection),
                "int8": Work(lambda: common.update_table(connection, "bench_text", "minilm_int8"), connection),
                "worker": Work(lambda: worker(reader, writer, peer))}, rounds=3, warm=1)
            common.goal(f"a table in place, int8 ÷ Python worker, {name}", times["worker"].wall / times["int8"].wall,
                        least=2.5)
            rows.append((name, len(texts), *(f"{times[key].wall:.2f}" for key in ("fp32", "int8", "worker")),
                         f"{times['worker'].wall / times['fp32'].wall:.2f}",
                         f"{times['worker'].wall / times['int8'].wall:.2f}"))
    common.table("A table embedded in place, seconds of one process",
                 ("texts", "rows", "UPDATE, lmtext fp32", "UPDATE, lmtext int8", "Python worker, ONNX Runtime int8",
                  "worker ÷ fp32", "worker ÷ int8"), rows)


if __name__ == "__main__":
    main()
