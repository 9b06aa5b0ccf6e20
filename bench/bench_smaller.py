"""What is left of MiniLM, fine-tuned on Banking77, when it is made smaller: a student with three layers (with its teacher, and on the labels alone),
the model without half of its weights, some heads, half of its neurons, before and after an epoch, then coded; and one round of lmtext.harden.

LMTEXT_DATA names a folder with banking77/train.csv and test.csv; without it the part is left out. LMTEXT_SMALLER names the pieces (student, prune,
harden), LMTEXT_EIGHTHS how many eighths of the rows are trained on behind pruning and in harden (8), LMTEXT_STUDENTS how many
students there are (3). Trains the model of bench_tuned.py first if that has not run in the same server.
"""
import json
import os
import sys

import common
from bench_tuned import SETTINGS, WORKERS, accuracy, exists, finetune, interval, load_data, metrics, note

TRAINING = {key: value for key, value in SETTINGS.items() if key != "epochs"} | {"hold_out": 0}
STUDENT = {**TRAINING, **WORKERS, "layers": 3}
STUDENTS = (("with its teacher, 2 epochs", {"epochs": 2, "hard": 0.5}), ("the labels alone, 2 epochs", {"epochs": 2, "hard": 1}),
            ("with its teacher, 5 epochs", {"epochs": 5, "hard": 0.5}))
PRUNED = (("half of all weights, the smallest", {"share": 0.5}), ("a quarter of the heads", {"heads": 0.25}), ("half of the neurons", {"neurons": 0.5}))
RETRAIN = {**TRAINING, "epochs": 1, "learning_rate": 1e-4, "memory": 1000}
SOME = f"SELECT body, label FROM tuned_train WHERE hashtext(body) & 7 < {os.environ.get('LMTEXT_EIGHTHS', 8)}"
HARDEN = {"rounds": 1, "share": 0.5, "target": {"accuracy": 0.9, "accuracy_under_attack": 0.4, "ratio": 0.4},
          "train": {**RETRAIN, **WORKERS}, "prune": RETRAIN, "attack": {"budget": 1}, "test": "SELECT body, label FROM tuned_test ORDER BY md5(body) LIMIT 200"}
TEACHER = "tuned_0"
ROWS = "SELECT body, label FROM tuned_train"


def student(connection):
    rows = []
    for number, (title, options) in enumerate(STUDENTS[:int(os.environ.get("LMTEXT_STUDENTS", len(STUDENTS)))]):
        name = f"student_{number}"
        if not exists(connection, name):
            connection.execute("CALL lmtext.distill(%s, %s, %s, %s)", (name, TEACHER, ROWS, json.dumps({**STUDENT, **options})))
        share = accuracy(connection, name)
        note(title, share, metrics(connection, name))
        rows.append((title, interval(share, TEST), f"{metrics(connection, name)['train_seconds']:.0f} s"))
        if "teacher" in title:
            common.goal(f"Banking77, three layers {title}", share, least=0.915, digits=4)
    common.table("Banking77: a student of three layers, test accuracy (95 %)", ("", "accuracy", "training"), rows)


def coded(connection, name):
    """Bytes of the version's codes, and their share of float32's."""
    if not exists(connection, f"{name}_coded"):
        connection.execute("CALL lmtext.compress(%s, %s)", (f"{name}_coded", name))
    found = metrics(connection, f"{name}_coded")["compression"]
    return f"{found['bytes'] / 1e6:.1f} ({found['bytes'] / found['fp32_bytes']:.3f})", accuracy(connection, f"{name}_coded")


def prune(connection, number, epochs):
    name = f"pruned_{number}_{epochs}"
    if not exists(connection, name):
        options = {**RETRAIN, "epochs": epochs, **PRUNED[number][1]}
        connection.execute("CALL lmtext.prune(%s, %s, %s, %s)", (name, TEACHER, SOME, json.dumps(options)))
    share, found = accuracy(connection, name), metrics(connection, name)
    codes, share_coded = coded(connection, name) if epochs else ("", 0)
    note(name, share, found["zeros"], found["bytes"], codes, share_coded)
    return share, f"{found['bytes'] / 1e6:.1f}", codes, share_coded


def pruned(connection):
    codes, share_coded = coded(connection, TEACHER)
    rows = [("nothing", f"{accuracy(connection, TEACHER):.4f}", "", f"{metrics(connection, TEACHER + '_coded')['compression']['fp32_bytes'] / 1e6:.1f}", codes, f"{share_coded:.4f}")]
    for number, (title, _) in enumerate(PRUNED):
        before, after = prune(connection, number, 0), prune(connection, number, 1)
        rows.append((title, f"{before[0]:.4f}", f"{after[0]:.4f}", *after[1:3], f"{after[3]:.4f}"))
    common.table("Banking77: the fine-tuned model without some of its weights, test accuracy", (
        "taken away", "accuracy before it is trained on", "after an epoch", "MB in float32", "MB in codes (share of float32's)", "accuracy of these"), rows)


def harden(connection):
    connection.execute("DROP TABLE IF EXISTS hard_rounds")
    connection.execute("CALL lmtext.harden('hard', %s, %s, %s)", (TEACHER, SOME, json.dumps(HARDEN)))
    rows = []
    for name in (TEACHER, "hard"):
        found = dict(connection.execute("SELECT measure, value FROM lmtext.attack(%s, %s, %s)", (name, HARDEN["test"], json.dumps(HARDEN["attack"]))).fetchall())
        rows.append((name, f"{accuracy(connection, name):.4f}", f"{found['accuracy']:.4f}", f"{found['accuracy_under_attack']:.4f}"))
        note(name, rows[-1])
    common.table("lmtext.harden, a round: test accuracy, that of 200 rows, and with a word of each changed", ("", "all", "200 rows", "under attack"), rows)
    cursor = connection.execute("SELECT * FROM hard_rounds")
    common.table("hard_rounds", [column.name for column in cursor.description], cursor.fetchall())


def main():
    global TEST
    if "LMTEXT_DATA" not in os.environ:
        print("\nsmaller models: LMTEXT_DATA is not set, left out", file=sys.stderr)
        return
    pieces = os.environ.get("LMTEXT_SMALLER", "student prune harden").split()
    with common.prepare() as connection:
        TEST = len(load_data(connection)[1])
        finetune(connection, TEACHER, {})
        for piece in pieces:
            {"student": student, "prune": pruned, "harden": harden}[piece](connection)


if __name__ == "__main__":
    main()
