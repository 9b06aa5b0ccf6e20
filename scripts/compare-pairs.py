#!/usr/bin/env python3
"""Compare functions of pairs of texts with the reference libraries on texts of the Debian corpus.

rerank with sentence-transformers' CrossEncoder, zero_shot and entails with transformers' pipelines, next_sentence with
BertForNextSentencePrediction, answer with the pipeline of transformers 4.57.6 (--old PYTHON: an interpreter that has it)
or with its definition. The models are an encoder's folder with heads of random weights. Prints "ok NAME" or "not ok NAME": scores
must be equal within 1e-4 and spans where scores are not as near as that. Needs psql's environment (PGHOST …), the
extension and a venv with torch, transformers and sentence-transformers.

usage: compare-pairs.py --model DIR --corpus corpus.jsonl [--each 3] [--share K/N] [--old PYTHON]
"""
import argparse
import collections
import csv
import json
import os
import subprocess
import sys
import tempfile

import sentence_transformers
import torch
import transformers

from corpus_texts import by_language

BOUND = 1e-4
LABELS = ["contradiction", "entailment", "neutral"]
TOPICS = ["programs", "fonts and languages", "games", "the kernel"]
WINDOW = 512


def sample(path, each, share):
    """Pairs of a short and a long text of every language, evenly spread; of these each N-th from number K on."""
    first, step = map(int, share.split("/"))
    pairs = []
    for texts in by_language(path).values():
        some = texts[::max(1, len(texts) // (2 * each))][:2 * each]
        pairs += [(a[:80], b) for a, b in zip(some[::2], some[1::2])]
    long = " ".join(b for _, b in pairs)[:5000]
    return pairs[first::step] + [("What does the program do?", long), (long[:3000], "a library")]


def make_model(kind, encoder, folder, **labels):
    """Weights as large as the hidden states' scale asks for, so that scores are not all alike."""
    model = kind.from_pretrained(encoder, dtype=torch.float32, **labels)
    generator = torch.Generator().manual_seed(7)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if "embeddings" not in name and "encoder" not in name and "pooler" not in name:
                weight.copy_(torch.randn(weight.shape, generator=generator) * 0.5)
    model.save_pretrained(folder)
    tokenizer = transformers.AutoTokenizer.from_pretrained(encoder)
    tokenizer.model_max_length = WINDOW
    tokenizer.save_pretrained(folder)
    subprocess.run(["chmod", "-R", "a+rX", folder], check=True)


def psql(script):
    run = subprocess.run(["psql", "-X", "-q", "-At", "-v", "ON_ERROR_STOP=1", "-d", "postgres"],
                         input=script, capture_output=True, text=True)
    if run.returncode != 0:
        sys.exit(run.stderr)
    return run.stdout


def by_lmtext(pairs, query):
    """Rows of a query over pair (id, a, b), each as JSON."""
    with tempfile.NamedTemporaryFile("w", suffix=".csv", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows((i, a, b) for i, (a, b) in enumerate(pairs))
        file.flush()
        out = psql(f"""
            CREATE TEMP TABLE pair (id int, a text, b text);
            \\copy pair FROM '{file.name}' WITH (FORMAT csv, ENCODING 'utf8')
            {query}
            """)
    return [json.loads(line) for line in out.splitlines()]


def report(name, errors):
    wrong = [error for error in errors if isinstance(error, str) or not error <= BOUND]
    print(f"not ok pairs {name}: {len(wrong)} of {len(errors)}: {wrong[0]}" if wrong else
          f"ok pairs {name}: {len(errors)} scores, largest difference {max(errors):.1e}", flush=True)
    return bool(wrong)


def compare_rerank(folder, pairs):
    model = sentence_transformers.CrossEncoder(folder, device="cpu")
    wanted = model.predict(pairs, show_progress_bar=False)
    got = by_lmtext(pairs, "SELECT lmtext.rerank(a, b, 'live_rerank') FROM pair ORDER BY id;")
    return [abs(a - float(b)) for a, b in zip(got, wanted, strict=True)]


def logits_of(folder, kind, pairs):
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    model = kind.from_pretrained(folder)
    for a, b in pairs:
        inputs = tokenizer([a], [b], truncation=True, max_length=WINDOW, return_tensors="pt")
        with torch.no_grad():
            yield model(**inputs).logits[0].softmax(0).tolist()


def compare_next(folder, pairs):
    wanted = [scores[0] for scores in logits_of(folder, transformers.BertForNextSentencePrediction, pairs)]
    got = by_lmtext(pairs, "SELECT lmtext.next_sentence(a, b, 'live_next') FROM pair ORDER BY id;")
    return [abs(a - b) for a, b in zip(got, wanted, strict=True)]


def compare_entails(folder, pairs):
    wanted = [dict(zip(LABELS, scores)) for scores in
              logits_of(folder, transformers.AutoModelForSequenceClassification, pairs)]
    got = by_lmtext(pairs, "SELECT json_build_array(id, label, score) FROM pair, LATERAL lmtext.entails(a, b, 'live_nli');")
    return [abs(score - wanted[i][label]) for i, label, score in got]


def compare_zero_shot(folder, pairs):
    pipe = transformers.pipeline("zero-shot-classification", model=folder, device="cpu")
    errors = []
    for multi in (False, True):
        wanted = [pipe(b, TOPICS, multi_label=multi) for _, b in pairs]
        wanted = [dict(zip(each["labels"], each["scores"])) for each in wanted]
        got = by_lmtext(pairs, f"""SELECT json_build_array(id, label, score) FROM pair,
            LATERAL lmtext.zero_shot(b, ARRAY{TOPICS}, 'live_nli', multi_label => {multi});""")
        errors += [abs(score - wanted[i][label]) for i, label, score in got]
    return errors


OLD = """
import json, sys
import transformers
transformers.logging.set_verbosity_error()

class Plain(transformers.QuestionAnsweringPipeline):
    def get_answer(self, answers, target):
        return None   # no sums

folder, pairs = sys.argv[1], json.load(sys.stdin)
tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
model = transformers.AutoModelForQuestionAnswering.from_pretrained(folder)
pipe = Plain(model=model, tokenizer=tokenizer, device="cpu")
for a, b in pairs:
    found = pipe(question=a, context=b, top_k=2000, handle_impossible_answer=True)
    none = [each["score"] for each in found if each["answer"] == "" and each["end"] == 0]
    none = none[-1] if none else None
    spans = {}
    for each in found:
        span = each["start"], each["end"]
        if each["answer"]:
            spans[span] = max(each["score"], spans.get(span, 0))
    print(json.dumps([sorted(([*span, score] for span, score in spans.items()), key=lambda s: -s[2])[:3], none]))
"""


def compare_answers(folder, pairs, old):
    """Spans and scores in order; where scores are nearly equal, spans may change places."""
    pairs = [(a, b) for a, b in pairs if a.strip() and b.strip() and len(a) <= 80]
    env = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    run = subprocess.run([old, "-c", OLD, folder], input=json.dumps(pairs), capture_output=True, text=True, env=env)
    if run.returncode != 0:
        return [run.stderr[-500:]]
    wanted = [json.loads(line) for line in run.stdout.splitlines()]
    got = collections.defaultdict(list)
    for i, *row in by_lmtext(pairs, """SELECT json_build_array(id, start, stop, score) FROM pair,
            LATERAL lmtext.answer(a, b, 'live_qa', 6) WITH ORDINALITY x ORDER BY id, ordinality;"""):
        got[i].append(row)
    nones = dict(by_lmtext(pairs, """SELECT json_build_array(id, score) FROM pair,
        LATERAL lmtext.answer(a, b, 'live_qa', 100, true) WHERE answer IS NULL;"""))
    errors = []
    for i, (spans, none) in enumerate(wanted):
        ours = {(start, stop): score for start, stop, score in got[i]}
        for start, stop, score in spans:
            errors.append(abs(ours[start, stop] - score) if (start, stop) in ours else
                          f"{pairs[i][0]!r}: {(start, stop, score)} is not among {got[i]}")
        if i in nones and none is not None:
            errors.append(abs(nones[i] - none))
    return errors


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", required=True)
    parser.add_argument("--corpus", required=True)
    parser.add_argument("--each", type=int, default=3)
    parser.add_argument("--share", default="0/1")
    parser.add_argument("--old")
    args = parser.parse_args()
    torch.set_num_threads(1)
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    pairs = sample(args.corpus, args.each, args.share)
    sequence = transformers.AutoModelForSequenceClassification
    kinds = {"rerank": (sequence, dict(num_labels=1), compare_rerank),
             "nli": (sequence, dict(id2label=dict(enumerate(LABELS)), label2id={l: i for i, l in enumerate(LABELS)}), compare_entails),
             "next": (transformers.BertForNextSentencePrediction, {}, compare_next),
             "qa": (transformers.AutoModelForQuestionAnswering, {}, None)}
    failures = 0
    with tempfile.TemporaryDirectory(dir="/var/tmp") as root:
        os.chmod(root, 0o755)
        psql("CREATE EXTENSION IF NOT EXISTS lmtext;")
        for name, (kind, labels, compare) in kinds.items():
            folder = os.path.join(root, name)
            make_model(kind, args.model, folder, **labels)
            psql(f"""SET client_min_messages = error;
                SELECT lmtext.import_model('live_{name}', '{folder}', '{{"max_tokens": {WINDOW}}}');""")
            if compare:
                failures += report(name, compare(folder, pairs))
            if name == "nli":
                failures += report("zero_shot", compare_zero_shot(folder, pairs))
            if name == "qa" and args.old:
                failures += report("answer", compare_answers(folder, pairs, args.old))
            psql(f"SELECT lmtext.drop_model('live_{name}')")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
