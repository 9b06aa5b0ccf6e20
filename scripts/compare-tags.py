#!/usr/bin/env python3
"""Compare lmtext.tag, entities and fill_mask with the pipelines "token-classification" and "fill-mask" of `transformers` on
texts of the Debian corpus.

The model is an encoder's folder with a head of random weights. Prints "ok NAME" or "not ok NAME" for each language: words,
labels and offsets must be equal, scores within 1e-5. Where two labels or words are as near as that, either is right. Needs
psql's environment (PGHOST …), the extension and a venv with torch and transformers.

usage: compare-tags.py --model DIR --corpus corpus.jsonl [--each 10] [--share K/N]
"""
import argparse
import csv
import json
import subprocess
import sys
import tempfile

import torch
import transformers

from corpus_texts import sample

BOUND = 1e-5
LABELS = ["O", "B-PER", "I-PER", "B-ORG", "I-ORG", "B-LOC", "I-LOC", "B-MISC", "I-MISC"]


def make_model(encoder, folder):
    """Weights as large as the hidden states' scale asks for, so that labels differ and scores are not all alike."""
    model = transformers.AutoModelForTokenClassification.from_pretrained(
        encoder, dtype=torch.float32, id2label=dict(enumerate(LABELS)), label2id={l: i for i, l in enumerate(LABELS)})
    generator = torch.Generator().manual_seed(7)
    with torch.no_grad():
        model.classifier.weight.copy_(torch.randn(model.classifier.weight.shape, generator=generator) * 0.3)
        model.classifier.bias.copy_(torch.randn(model.classifier.bias.shape, generator=generator))
    model.save_pretrained(folder)
    transformers.AutoTokenizer.from_pretrained(encoder).save_pretrained(folder)
    subprocess.run(["chmod", "-R", "a+rX", folder], check=True)


def make_masks(encoder, folder):
    """The head of pre-training, tied to the word table, with weights that make words differ."""
    model = transformers.AutoModelForMaskedLM.from_pretrained(encoder, dtype=torch.float32)
    generator = torch.Generator().manual_seed(8)
    with torch.no_grad():
        for name, weight in model.cls.named_parameters():
            if "decoder" not in name:
                weight.copy_(torch.randn(weight.shape, generator=generator) * (0.1 if weight.dim() > 1 else 1))
    model.save_pretrained(folder)
    transformers.AutoTokenizer.from_pretrained(encoder).save_pretrained(folder)
    subprocess.run(["chmod", "-R", "a+rX", folder], check=True)


def psql(script):
    run = subprocess.run(["psql", "-X", "-q", "-At", "-v", "ON_ERROR_STOP=1", "-d", "postgres"],
                         input=script, capture_output=True, text=True)
    if run.returncode != 0:
        sys.exit(run.stderr)
    return run.stdout


def rows_of(texts, call):
    """For each text the rows of a call on `body`, as arrays."""
    with tempfile.NamedTemporaryFile("w", suffix=".csv", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(enumerate(texts))
        file.flush()
        out = psql(f"""
            CREATE TEMP TABLE text (id int, body text);
            \\copy text FROM '{file.name}' WITH (FORMAT csv, ENCODING 'utf8')
            SELECT json_build_array(id, to_json(x)) FROM text, LATERAL {call} WITH ORDINALITY x ORDER BY id, ordinality;
            """)
    found = [[] for _ in texts]
    for line in out.splitlines():
        text, row = json.loads(line)
        row.pop("ordinality")
        found[text].append(list(row.values()))
    return found


def tags_of(pipe, text):
    return [[tag["word"], tag["entity"], tag["start"], tag["end"], float(tag["score"])]
            for tag in pipe(text, aggregation_strategy="none", ignore_labels=[])]


def entities_of(pipe, text, aggregation):
    return [[text[e["start"]:e["end"]], e["entity_group"], e["start"], e["end"], float(e["score"])]
            for e in pipe(text, aggregation_strategy=aggregation, ignore_labels=["O"])]


def difference(ours, theirs):
    """What is wrong with a text's tags or entities, or the largest difference of a score."""
    if len(ours) != len(theirs):
        return f"{len(ours)} tokens and not {len(theirs)}"
    worst = 0.0
    for a, b in zip(ours, theirs):
        worst = max(worst, abs(a[4] - b[4]))
        if a[0] != b[0] or a[2:4] != b[2:4] or (a[1] != b[1] and abs(a[4] - b[4]) > BOUND):
            return f"{a} and not {b}"
    return worst


def masked(texts):
    """Two words of each text as masks, where it has so many that are no part of others; short enough for the window."""
    found = []
    for text in texts:
        words = text.split()[:60]
        for place in (3, 17):
            if place < len(words):
                words[place] = "[MASK]"
        if "[MASK]" in words:
            found.append(" ".join(words))
    return found


def fill_difference(ours, theirs):
    """As difference, of the rows of fill_mask."""
    theirs = [(i + 1, fill["token_str"], fill["score"], fill["sequence"])
              for i, mask in enumerate(theirs if isinstance(theirs[0], list) else [theirs]) for fill in mask]
    if len(ours) != len(theirs):
        return f"{len(ours)} words and not {len(theirs)}"
    worst = 0.0
    for (mask, word, score, sequence), wanted in zip(ours, theirs):
        worst = max(worst, abs(score - wanted[2]))
        if (mask, word, sequence) != (wanted[0], wanted[1], wanted[3]) and abs(score - wanted[2]) > BOUND / 10:
            return f"{(mask, word, score, sequence)} and not {wanted}"
    return worst


def say(what, language, found):
    """Whether it was right."""
    wrong = [each for each in found if isinstance(each, str) or each > BOUND]
    print(f"not ok {what} {language}: {len(wrong)} of {len(found)} texts: {wrong[0]}" if wrong else
          f"ok {what} {language}: {len(found)} texts, largest difference {max(found, default=0):.1e}", flush=True)
    return not wrong


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", required=True)
    parser.add_argument("--corpus", required=True)
    parser.add_argument("--each", type=int, default=10)
    parser.add_argument("--share", default="0/1")
    args = parser.parse_args()
    torch.set_num_threads(1)
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    failures = 0
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        make_model(args.model, folder)
        psql(f"""
            CREATE EXTENSION IF NOT EXISTS lmtext;
            SELECT lmtext.import_model('live', '{folder}', '{{"max_tokens": 512}}');
            """)
        pipe = transformers.pipeline("token-classification", model=folder, device="cpu")
        pipe.tokenizer.model_max_length = 512
        samples = sample(args.corpus, args.each, args.share)
        for language, texts in samples.items():
            ours = rows_of(texts, "lmtext.tag(body, 'live')")
            failures += not say("tags", language, [difference(o, tags_of(pipe, text)) for o, text in zip(ours, texts)])
            for aggregation in ("simple", "first", "average", "max"):
                ours = rows_of(texts, f"lmtext.entities(body, 'live', '{aggregation}')")
                failures += not say(f"entities {aggregation}", language,
                                    [difference(o, entities_of(pipe, text, aggregation)) for o, text in zip(ours, texts)])
        psql("SELECT lmtext.drop_model('live')")
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        make_masks(args.model, folder)
        psql(f"""SELECT lmtext.import_model('live', '{folder}', '{{"task": "fill_mask", "max_tokens": 512}}')""")
        pipe = transformers.pipeline("fill-mask", model=folder, device="cpu", top_k=10)
        for language, texts in samples.items():
            texts = masked(texts)
            ours = rows_of(texts, "lmtext.fill_mask(body, 'live', 10)")
            failures += not say("masks", language, [fill_difference(o, pipe(text)) for o, text in zip(ours, texts)])
        psql("SELECT lmtext.drop_model('live')")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
