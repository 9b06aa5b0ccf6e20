#!/usr/bin/env python3
"""Compare the measures of generated text with sacrebleu, jiwer, rouge-score, nltk and the rules of SQuAD 1.1, on texts that are drawn
at random: words in several scripts, numbers, punctuation, odd white space, entities, empty texts; hypotheses that are references with
words changed, moved and left out.

Prints "ok NAME" or "not ok NAME" for each measure and setting: the corpus' value and each row's must be within 1e-6 (METEOR: 1e-4) of
the reference's. Needs psql's environment (PGHOST ...), the extension and a venv with sacrebleu, rouge-score, nltk and jiwer.

usage: compare-text-measures.py [--count 400] [--seed 1]
"""
import argparse
import collections
import csv
import json
import math
import random
import re
import string
import subprocess
import sys
import tempfile

import jiwer
from nltk.translate import meteor_score
from rouge_score import rouge_scorer, tokenizers
from sacrebleu.metrics import BLEU, CHRF, TER

WORDS = """the a an cat cats sat on mat relational conditional happily flies dies died agreed running hopping falling The THE A Hopping sky skies
news dying generalization operator hopefulness logically analogously controlling proceed e-mail don't it's John's yyy toy syzygy is of in
und Straße Äpfel ÉCOLE naïve İstanbul ΟΔΟΣ ΣΑΣ σας приве́т МИР 你好 世界 漢字 カタカナ ひらがな 한국어 مرحبا नमस्ते ไทย 𝒳 😀 ß ﬁ ǅ K Å
1 2,000 3.14 1,234.5 10-12 5- -7 ½ ٣ 100% $5 x2 U.S. e.g. ... , . ; : ! ? ( ) [x] {y} "q" 'q' <tag> <skipped> &quot; &amp; &lt; &gt; &amp;lt;
— – “z” „w” … 。 、 ！ （全） ＡＢ ａ€ ± © a_b _ __ # @me /path \\\\ ` ~ ^ | * + = \u2001 \u2a00x \u2fa1 \uff01""".split(" ")
WORDS = [word for words in WORDS for word in words.split("\n") if word]
SPACES = [" "] * 24 + ["  ", "\t", "\n", " \n", "-\n", "\u3000", "\xa0", "\x1c", "\u2028", "\t\t", "\n-", "\r\n"]
FAMILIES = [family.split() for family in """cat cats feline|hop hops hopped hopping|relate related relational relation|happy happily happiness
glad|fly flies flying run|general generalize generalization generally|operate operator operating operates|hope hopeful hopefulness
hopefully|control controlled controlling controller|die dies died dying|agree agreed agreement agrees|mat mats|the der""".split("|")]
WORDS += [word for family in FAMILIES for word in family]
KIN = {word: family for family in FAMILIES for word in family}
SYNONYMS = ["cat feline mat", "run hop fli", "happi glad sat", "der the"]


def join(draw, words):
    text = "".join(word + draw.choice(SPACES) for word in words)
    return text if draw.random() < 0.2 else text.rstrip(" ")


def changed(draw, words):
    """Words with some left out, put in, changed, inflected, and a run moved."""
    words = list(words)
    for _ in range(draw.choice([0, 0, 1, 2, 4, 8])):
        place = draw.randrange(len(words) + 1)
        kind = draw.randrange(5)
        if kind == 0:
            words.insert(place, draw.choice(WORDS))
        elif kind == 1 and place < len(words):
            del words[place]
        elif kind == 4:
            words = [draw.choice(KIN.get(word, [word])) for word in words]
        elif kind == 2 and place < len(words):
            words[place] = draw.choice(WORDS)
        elif kind == 3 and len(words) > 2:
            run = words[place:place + draw.randrange(1, 6)]
            del words[place:place + len(run)]
            at = draw.randrange(len(words) + 1)
            words[at:at] = run
    return words


def hard_rows(draw):
    """Orders without a match; TER with a wide band, with more moves than are tried, and with one beyond the end."""
    few = [draw.choice("abcd") for _ in range(70)]
    return [("the cats hop over here now", ["the cat hops over there", "cats sat"]),
            ("hop mat", [" ".join(draw.choice(WORDS) for _ in range(130)).replace("\n", " ")]),
            (" ".join(few), [" ".join(draw.sample(few, len(few)))]),
            ("c d e f a b", ["a b c d e f", "x a b c d e f y"])]


def draw_rows(count, seed):
    draw = random.Random(seed)
    rows = hard_rows(draw)
    for _ in range(count - len(rows)):
        few = draw.random() < 0.4
        pool = draw.sample(WORDS, 8) if few else WORDS
        reference = [draw.choice(pool) for _ in range(draw.choice([0, 1, 2, 3, 5, 8, 13, 21, 40, 90, 160]))]
        hypothesis = changed(draw, reference) if draw.random() < 0.9 else [draw.choice(pool) for _ in range(draw.randrange(30))]
        others = [changed(draw, reference) for _ in range(draw.randrange(3))]
        rows.append((join(draw, hypothesis), [join(draw, words) for words in [reference] + others]))
    return rows


# ---- The references ----

def sacre(metric):
    """Of rows (hypothesis, references): the corpus' value, and each row's."""
    def of(rows):
        most = max(len(refs) for _, refs in rows)
        streams = [[refs[i] if i < len(refs) else None for _, refs in rows] for i in range(most)]
        return metric.corpus_score([hyp for hyp, _ in rows], streams).score
    return of


def mean_of(score, factor=1):
    return lambda rows: factor * sum(score(hyp, refs) for hyp, refs in rows) / len(rows)


def rouge(variant, stem, tokenizer=None):
    scorer = rouge_scorer.RougeScorer([variant], use_stemmer=stem, tokenizer=tokenizer)
    return mean_of(lambda hyp, refs: scorer.score_multi(refs, hyp)[variant].fmeasure)


class Synsets:
    """Lines of words in the place of WordNet."""

    def __init__(self, lines):
        self.lines = [line.split() for line in lines]

    def synsets(self, word):
        return [Synset(line) for line in self.lines if word in line]


class Synset:
    def __init__(self, words):
        self.words = words

    def lemmas(self):
        return [Lemma(word) for word in self.words]


class Lemma:
    def __init__(self, word):
        self.word = word

    def name(self):
        return self.word


def meteor(lines):
    return mean_of(lambda hyp, refs: meteor_score.meteor_score(
        [ref.split() for ref in refs], hyp.split(), wordnet=Synsets(lines)))


def normal_answer(text):
    """As the script of SQuAD 1.1 has it."""
    text = "".join(c for c in text.lower() if c not in set(string.punctuation))
    return " ".join(re.sub(r"\b(a|an|the)\b", " ", text).split())


def answer_f1(hyp, refs):
    def of(ref):
        ours, theirs = normal_answer(hyp).split(), normal_answer(ref).split()
        same = sum((collections.Counter(ours) & collections.Counter(theirs)).values())
        return 2 * same / (len(ours) + len(theirs)) if same else 0.0
    return max(of(ref) for ref in refs)


def answer_match(hyp, refs):
    return float(any(normal_answer(hyp) == normal_answer(ref) for ref in refs))


def rate(of):
    return lambda rows: of([refs[0] for _, refs in rows], [hyp for hyp, _ in rows])


def distinct(n):
    def of(rows):
        grams = [tuple(words[i:i + n]) for hyp, _ in rows for words in [hyp.split()] for i in range(len(words) - n + 1)]
        return len(set(grams)) / len(grams) if grams else math.nan
    return of


def measures():
    """Name, arguments of the aggregate, arguments of the row's function or None, the reference for both, tolerance."""
    found = []

    def add(name, call, of, sentence=None, of_row=None, bound=1e-6):
        found.append((name, call, of, sentence, of_row or of, bound))

    for tokenizer in ("13a", "zh", "char", "intl", "none"):
        add(f"bleu {tokenizer}", f"bleu(hyp, refs, '{tokenizer}')", sacre(BLEU(tokenize=tokenizer)),
            f"sentence_bleu(hyp, refs, '{tokenizer}')", sacre(BLEU(tokenize=tokenizer, effective_order=True)))
    for smooth in ("exp", "floor", "add-k", "none"):
        settings = {"smooth_method": smooth, "lowercase": True}
        add(f"bleu {smooth}, lower case", f"bleu(hyp, refs, '13a', '{smooth}', true)", sacre(BLEU(**settings)),
            f"sentence_bleu(hyp, refs, '13a', '{smooth}', true)", sacre(BLEU(effective_order=True, **settings)))
    add("bleu, one reference", "bleu(hyp, ref)", lambda rows: sacre(BLEU())([(h, r[:1]) for h, r in rows]))
    for order in (0, 1, 2):
        add(f"chrf {order}", f"chrf(hyp, refs, {order})", sacre(CHRF(word_order=order)), f"sentence_chrf(hyp, refs, {order})")
    for flags in ((False, False, False), (True, False, True), (False, True, False), (True, True, False)):
        call = "(hyp, refs, {}, {}, {})".format(*flags)
        add("ter " + call[12:-1], "ter" + call, sacre(TER(*flags[:2], case_sensitive=flags[2])), "sentence_ter" + call)
    add("wer", "wer(ref, hyp)", rate(jiwer.wer), "sentence_wer(ref, hyp)")
    add("cer", "cer(ref, hyp)", rate(jiwer.cer), "sentence_cer(ref, hyp)")
    for variant in ("rouge1", "rouge2", "rouge3", "rougeL", "rougeLsum"):
        for stem in (False, True):
            add(f"{variant} {stem}", f"rouge(hyp, refs, '{variant}', {stem})", rouge(variant, stem),
                f"sentence_rouge(hyp, refs, '{variant}', {stem})")
    add("meteor", "meteor(hyp, refs)", meteor([]), "sentence_meteor(hyp, refs)", bound=1e-4)
    lines = "E'" + "\\n".join(SYNONYMS) + "'"
    add("meteor, synonyms", f"meteor(hyp, refs, {lines})", meteor(SYNONYMS), f"sentence_meteor(hyp, refs, {lines})", bound=1e-4)
    add("exact_match", "exact_match(hyp, refs)", mean_of(answer_match, 100))
    add("squad_f1", "squad_f1(hyp, refs)", mean_of(answer_f1, 100))
    for n in (1, 2, 3):
        add(f"distinct_n {n}", f"distinct_n(hyp, {n})", distinct(n))
    return found


# ---- The comparison ----

def psql(script):
    run = subprocess.run(["psql", "-X", "-q", "-At", "-v", "ON_ERROR_STOP=1", "-d", "postgres"],
                         input=script, capture_output=True, text=True)
    if run.returncode != 0:
        sys.exit(run.stderr)
    return run.stdout


def ours_of(rows, calls):
    """For each pair of calls the corpus' value and the list of the rows'; in groups, which parallel plans merge."""
    with tempfile.NamedTemporaryFile("w", suffix=".csv", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows((i, json.dumps([hyp] + refs)) for i, (hyp, refs) in enumerate(rows))
        file.flush()
        script = f"""
            CREATE EXTENSION IF NOT EXISTS lmtext;
            CREATE TEMP TABLE loaded (id int, texts jsonb);
            \\copy loaded FROM '{file.name}' WITH (FORMAT csv, ENCODING 'utf8')
            CREATE TEMP TABLE pair AS SELECT id, texts ->> 0 AS hyp, texts ->> 1 AS ref,
                ARRAY(SELECT jsonb_array_elements_text(texts - 0)) AS refs FROM loaded;
            """
        for corpus, sentence in calls:
            each = f"lmtext.{sentence}" if sentence else "NULL::float8"
            script += f"SELECT json_build_array(lmtext.{corpus}, json_agg({each} ORDER BY id)) FROM pair;\n"
        return [json.loads(line) for line in psql(script).splitlines()]


def show(pair):
    return json.dumps(pair, ensure_ascii=True)[:2000]


def compare(measure, ours, rows):
    """What is wrong, or None."""
    name, _, of, sentence, of_row, bound = measure
    theirs = of(rows)
    if abs(ours[0] - theirs) > bound:
        return f"{ours[0]} and not {theirs}"
    for row, value in zip(rows, ours[1] if sentence else []):
        theirs = of_row([row])
        if abs(value - theirs) > bound:
            return f"{value} and not {theirs} for {show(row)}"
    return None


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=400)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    rows = draw_rows(options.count, options.seed)
    found = measures()
    failed = False
    for measure, ours in zip(found, ours_of(rows, [(m[1], m[3]) for m in found])):
        wrong = compare(measure, ours, rows)
        failed = failed or wrong is not None
        print(f"ok {measure[0]}" if wrong is None else f"not ok {measure[0]}: {wrong}", flush=True)
    sys.exit(failed)


if __name__ == "__main__":
    main()
