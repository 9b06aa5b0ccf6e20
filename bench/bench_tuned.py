"""MiniLM fine-tuned on Banking77 for three epochs, beside torch with the same settings, and with n-grams beside its embedding.

LMTEXT_DATA names a folder with banking77/train.csv and test.csv; without it the part is left out. LMTEXT_TUNED says how many of RUNS there
are (all), LMTEXT_TORCH how many of them torch repeats (1; each takes half an hour of a core), LMTEXT_WORKERS how many processes help lmtext (1). Both take all
training rows and hold none out.
"""
import json
import os
import pathlib
import sys
import time

import torch

import bench_train
import common
import peer_tuned

SETTINGS = {"epochs": 3, "batch_size": 16, "learning_rate": 3e-4, "schedule": "linear", "warmup": 0.1, "weight_decay": 0.01, "clip_norm": 1, "seed": 42}
RUNS = ({}, {"learning_rate": 2e-4, "seed": 43})
HELPERS = int(os.environ.get("LMTEXT_WORKERS", 1))
WORKERS = {"memory": 1000, **({"workers": HELPERS} if HELPERS else {})}
COMBINED = {"method": "combined", "weight": 2}


def interval(share, count):
    """Wilson's of 95 %."""
    z = 1.96
    middle, half = share + z * z / (2 * count), z * (share * (1 - share) / count + z * z / (4 * count * count)) ** 0.5
    return f"{share:.4f} ({(middle - half) / (1 + z * z / count):.3f} to {(middle + half) / (1 + z * z / count):.3f})"


def data():
    folder = pathlib.Path(os.environ["LMTEXT_DATA"]) / "banking77"
    return bench_train.banking(folder / "train.csv"), bench_train.banking(folder / "test.csv")


def load_data(connection):
    """Once: another part may train on it."""
    train, test = data()
    for table, rows in (("tuned_train", train), ("tuned_test", test)):
        if connection.execute("SELECT to_regclass(%s)", (table,)).fetchone()[0] is None:
            bench_train.load(connection, table, rows)
    return train, test


def accuracy(connection, model, table="tuned_test"):
    return connection.execute(f"SELECT lmtext.accuracy(label, lmtext.classify(body, %s)) FROM {table}", (model,)).fetchone()[0]


def metrics(connection, model):
    return connection.execute("SELECT metrics FROM lmtext.models WHERE name = %s ORDER BY version DESC LIMIT 1", (model,)).fetchone()[0]


def exists(connection, model):
    return connection.execute("SELECT count(*) FROM lmtext.models WHERE name = %s", (model,)).fetchone()[0] > 0


def note(*words):
    print(time.strftime("%H:%M:%S"), *words, file=sys.stderr, flush=True)


def finetune(connection, name, run):
    """Test accuracy of the classifier `name`, which is trained if it is not there; and the seconds that took."""
    if not exists(connection, name):
        options = {"base": "minilm", "method": "finetune", "hold_out": 0, **SETTINGS, **WORKERS, **run}
        connection.execute("CALL lmtext.train(%s, 'SELECT body, label FROM tuned_train', %s)", (name, json.dumps(options)))
    return accuracy(connection, name), metrics(connection, name)["train_seconds"]


def with_ngrams(connection, name):
    """Test accuracy of n-grams and the fine-tuned encoder's embedding in one classifier, and of the embedding alone."""
    encoder, folder = f"{name}_encoder", common.MODEL.parent / f"{name}_exported"
    if not exists(connection, encoder):
        if not folder.exists():
            connection.execute("SELECT lmtext.export_model(%s, %s)", (name, str(folder)))
        connection.execute("""SELECT lmtext.import_model(%s, %s, '{"task": "embedding"}')""", (encoder, str(folder)))
    found = []
    for options in (COMBINED, {"method": "linear"}):
        connection.execute("CALL lmtext.train(%s, 'SELECT body, label FROM tuned_train', %s)",
                           (f"{name}_{options['method']}", json.dumps({**options, "base": encoder})))
        found.append(accuracy(connection, f"{name}_{options['method']}"))
    return found


TOGETHER = """WITH scored AS (
    SELECT t.ctid, t.label AS actual, s.label, sum(ln(greatest(s.score, 1e-9))) AS score
    FROM tuned_test t, unnest(%s::text[]) m (model), lmtext.class_scores(t.body, m.model) s GROUP BY 1, 2, 3),
best AS (SELECT DISTINCT ON (ctid) actual, label FROM scored ORDER BY ctid, score DESC)
SELECT lmtext.accuracy(actual, label) FROM best"""


def together(connection, name):
    """Test accuracy of the label with the greatest sum of logarithms of scores: the fine-tuned model's, and those of n-grams and the frozen
    embedding. Both weigh the same, so nothing is chosen; `combined` on the fine-tuned embedding itself has seen its rows' labels twice."""
    if not exists(connection, "tuned_frozen"):
        connection.execute("CALL lmtext.train('tuned_frozen', 'SELECT body, label FROM tuned_train', %s)", (json.dumps({**COMBINED, "base": "minilm"}),))
    return connection.execute(TOGETHER, ([name, "tuned_frozen"],)).fetchone()[0]


def torch_accuracy(rows, run):
    train, test = rows
    found = peer_tuned.classify(common.MODEL, train, test, {**SETTINGS, **run})
    return sum(guess == label for guess, (_, label) in zip(found, test)) / len(test)


def main():
    if "LMTEXT_DATA" not in os.environ:
        print("\nfine-tuning: LMTEXT_DATA is not set, left out", file=sys.stderr)
        return
    torch.set_num_threads(int(os.environ.get("LMTEXT_THREADS", 1)))
    runs, torchs = int(os.environ.get("LMTEXT_TUNED", len(RUNS))), int(os.environ.get("LMTEXT_TORCH", 1))
    table = []
    with common.prepare() as connection:
        rows = load_data(connection)
        for number, run in enumerate(RUNS[:runs]):
            ours, seconds = finetune(connection, f"tuned_{number}", run)
            note(run, ours, seconds)
            combined, linear = with_ngrams(connection, f"tuned_{number}")
            both = together(connection, f"tuned_{number}")
            note(run, "combined", combined, "linear", linear, "together", both)
            theirs = torch_accuracy(rows, run) if number < torchs else None
            note(run, "torch", theirs)
            settings = {**SETTINGS, **run}
            table.append((f"{settings['learning_rate']:g}, seed {settings['seed']}", *(
                interval(share, len(rows[1])) if share else "" for share in (ours, theirs, linear, combined, both)), f"{seconds:.0f} s"))
            if theirs:
                common.goal("Banking77, fine-tuned: torch's accuracy − lmtext's", theirs - ours, most=0.005, digits=4)
            common.goal(f"Banking77, fine-tuned ({settings['learning_rate']:g}) and n-grams", both, least=0.94, digits=4)
    common.table("Banking77, MiniLM fine-tuned, 3 epochs: test accuracy (95 %)",
                 ("rate", "lmtext", "torch", "a linear head on the fine-tuned embedding", "that embedding and n-grams", "the fine-tuned scores beside those of n-grams and the frozen embedding", "lmtext's training"), table)


if __name__ == "__main__":
    main()
