"""Questions that a table cannot answer: what cutoff => 'auto' refuses on CLINC150, and what it loses.

LMTEXT_DATA names a folder with clinc150/data_full.json. The table has the in-scope training texts; asked are the in-scope and the
out-of-scope test questions. An in-scope question is lost when it is refused and its first hit would have had the right intent.
"""
import json
import os
import pathlib

import common

SIZES = (("all 15,000 rows", 1), ("each tenth row of an intent", 10))


def load(connection, rows):
    common.load_texts(connection, "bench_cutoff", [text for text, _ in rows])
    connection.execute("SELECT set_config('lmtext.embedding_model', 'minilm', false)")
    connection.execute("UPDATE bench_cutoff SET e = lmtext.embed(body)")
    connection.execute("VACUUM ANALYZE bench_cutoff")


def first_hits(connection, questions, **options):
    """{number of the question: number of its first row}"""
    arguments = "".join(f", {name} => %({name})s" for name in options)
    found = connection.execute(f"SELECT query, key::int FROM lmtext.search('bench_cutoff', 'e', %(questions)s::text[], 1{arguments})",
                               {"questions": questions, **options}).fetchall()
    return {query - 1: key for query, key in found}


def measure(connection, name, rows, inside, outside):
    load(connection, rows)
    threshold = connection.execute("SELECT lmtext.calibrate_search('bench_cutoff', 'e')").fetchone()[0]
    questions = [text for text, _ in inside]
    plain, cut = first_hits(connection, questions), first_hits(connection, questions, cutoff="auto")
    right = [i for i, (_, intent) in enumerate(inside) if rows[plain[i]][1] == intent]
    lost = sum(i not in cut for i in right) / len(inside)
    refused = 1 - len(first_hits(connection, [text for text, _ in outside], cutoff="auto")) / len(outside)
    common.goal(f"CLINC150, {name}: out-of-scope questions refused", refused, least=.8 if len(rows) == 15000 else None)
    common.goal(f"CLINC150, {name}: in-scope questions that lose a right first hit", lost, most=.05, digits=3)
    return name, f"{threshold:.3f}", f"{len(right) / len(inside):.3f}", f"{refused:.3f}", f"{lost:.3f}", f"{1 - len(cut) / len(inside):.3f}"


def main():
    data = json.loads((pathlib.Path(os.environ["LMTEXT_DATA"]) / "clinc150" / "data_full.json").read_text(encoding="utf-8"))
    connection = common.prepare()
    lines = [measure(connection, name, data["train"][::step], data["test"], data["oos_test"]) for name, step in SIZES]
    common.table("cutoff => 'auto' on CLINC150", ("table", "least mean cosine", "right first hits", "out of scope refused",
                                                  "right first hits lost", "in scope refused"), lines)


if __name__ == "__main__":
    main()
