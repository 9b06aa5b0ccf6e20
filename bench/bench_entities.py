"""A tagger of entities fine-tuned from MiniLM on synthetic sentences (entity_rows.py), with a linear head and with a CRF, beside torch with the
same settings on the same rows; scored by lmtext.entity_report, lmtext.token_report and, the same predictions, by seqeval.

LMTEXT_SEEDS says how many seeds the linear head has (2), LMTEXT_TORCH how many of them torch repeats (1).
"""
import json
import os
import statistics
import subprocess
import sys

import torch

import common
import entity_rows
import peer_tuned
from bench_tuned import WORKERS, exists, metrics, note

TRAIN, TEST = 2000, 1000
SETTINGS = {"epochs": 2, "batch_size": 16, "learning_rate": 1e-4, "schedule": "linear", "warmup": 0, "weight_decay": 0.01, "clip_norm": 1}
CRF = {"crf": True, "epochs": 5}
SEQEVAL = """import json, sys
from seqeval.metrics import f1_score, accuracy_score
actual, found = json.load(sys.stdin)
print(json.dumps([f1_score(actual, found), accuracy_score(actual, found)]))"""


def seqeval(actual, found):
    """Entity F1 and token accuracy of another library."""
    done = subprocess.run([common.BUILD / "scores" / "bin" / "python", "-c", SEQEVAL], input=json.dumps([actual, found]), text=True, check=True,
                          capture_output=True)
    return json.loads(done.stdout)


def load(connection, table, rows):
    connection.execute(f"DROP TABLE IF EXISTS {table}")
    connection.execute(f"CREATE TABLE {table} (i int, words text[], tags text[], found text[])")
    with connection.cursor().copy(f"COPY {table} FROM STDIN") as copy:
        for i, (words, tags) in enumerate(rows):
            copy.write_row((i, words, tags, None))


def report(connection, function):
    return connection.execute(f"""SELECT label, "precision", recall, f1, support
                                  FROM lmtext.{function}('SELECT tags, found FROM entity_test ORDER BY i')""").fetchall()


def score(connection, found):
    """Entity F1 (micro) and token accuracy with O of predictions, ours; they are seqeval's too, or that is an error."""
    connection.cursor().executemany("UPDATE entity_test SET found = %s WHERE i = %s", [(tags, i) for i, tags in enumerate(found)])
    f1 = {row[0]: row[3] for row in report(connection, "entity_report")}["micro avg"]
    accuracy = {row[0]: row[3] for row in report(connection, "token_report")}
    accuracy = accuracy.get("accuracy", accuracy.get("micro avg"))
    actual = [row[0] for row in connection.execute("SELECT tags FROM entity_test ORDER BY i")]
    theirs = seqeval(actual, found)
    assert abs(f1 - theirs[0]) < 1e-6 and abs(accuracy - theirs[1]) < 1e-6, (f1, accuracy, theirs)
    return f1, accuracy


def ours(connection, name, options):
    if not exists(connection, name):
        options = {"base": "minilm", "task": "tagging", "method": "finetune", "hold_out": 0, **WORKERS, **SETTINGS, **options}
        connection.execute("CALL lmtext.train(%s, 'SELECT words, tags FROM entity_train ORDER BY i', %s)", (name, json.dumps(options)))
    found = connection.execute("SELECT lmtext.tag_words(words, %s) FROM entity_test ORDER BY i", (name,)).fetchall()
    scores = score(connection, [row[0] for row in found])
    note(name, scores, metrics(connection, name)["train_seconds"])
    return scores


def spread(values):
    return f"{statistics.mean(values):.4f} ({', '.join(f'{value:.4f}' for value in values)})" if len(values) > 1 else f"{values[0]:.4f}"


def show(connection, title):
    for function, what in (("entity_report", "entities"), ("token_report", "tokens, O among them")):
        common.table(f"{title}: {what}", ("", "precision", "recall", "f1", "support"),
                     [(row[0], *(f"{value:.4f}" for value in row[1:4]), row[4]) for row in report(connection, function)])


def main():
    torch.set_num_threads(int(os.environ.get("LMTEXT_THREADS", 1)))
    seeds, torchs = int(os.environ.get("LMTEXT_SEEDS", 2)), int(os.environ.get("LMTEXT_TORCH", 1))
    train, test = entity_rows.rows(TRAIN, 1), entity_rows.rows(TEST, 2)
    with common.prepare() as connection:
        load(connection, "entity_train", train)
        load(connection, "entity_test", test)
        linear = [ours(connection, f"entity_{seed}", {"seed": seed}) for seed in range(1, seeds + 1)]
        theirs = []
        for seed in range(1, torchs + 1):
            theirs.append(score(connection, peer_tuned.tag(common.MODEL, train, test, {**SETTINGS, "seed": seed})))
            note("torch", seed, theirs[-1])
        crf = [ours(connection, "entity_crf", {"seed": 1, **CRF})]
        rows = [(name, spread([f1 for f1, _ in found]), spread([accuracy for _, accuracy in found]))
                for name, found in (("linear head, 2 epochs", linear), ("torch, linear head, 2 epochs", theirs), ("CRF, 5 epochs", crf)) if found]
        common.table(f"Entities: {TRAIN} sentences to train on, {TEST} to test", ("", "entity F1 (seeds)", "token accuracy with O"), rows)
        show(connection, "With the CRF")
        if theirs:
            common.goal("entities, linear head: torch's F1 − lmtext's", statistics.mean(f1 for f1, _ in theirs) - statistics.mean(f1 for f1, _ in linear),
                        most=0.005, digits=4)
        common.goal("entities: F1 of the CRF − that of the best linear head", crf[0][0] - max(f1 for f1, _ in linear + theirs), least=0, digits=4)


if __name__ == "__main__":
    main()
