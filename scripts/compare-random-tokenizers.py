#!/usr/bin/env python3
"""Compare the engine with `tokenizers` on tokenizers drawn at random: stages, options, vocabularies, added tokens.

Every tokenizer is drawn from the seed and its number, and so are its texts. Ids, offsets and type ids must be equal, of
single texts and of pairs, with and without special tokens, cut on either side and whole. Where the engine refuses a tokenizer the reason
must be one of REFUSALS. Prints "ok NAME" or "not ok NAME", and the first differences with the tokenizer's number.

usage: compare-random-tokenizers.py --program build/unit/tools/tokenize_lines [--seed N] [--count N] [--only NUMBER]
"""
import argparse
import array
import base64
import collections
import json
import multiprocessing
import os
import random
import struct
import subprocess
import sys

os.environ["RAYON_NUM_THREADS"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"
import tokenizers  # noqa: E402
from tokenizers import Tokenizer  # noqa: E402

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import charsmap  # noqa: E402
from bpe_tokenizers import draw_bpe, draw_bytes  # noqa: E402
from tokenizer_patterns import PATTERNS as PUBLISHED  # noqa: E402
from tokenizer_texts import LETTERS, MARKS, PARAGRAPHS, POINTS, SPACES, SPECIALS, WORDS, fuzz, torture  # noqa: E402

ADD_SPECIAL, PARSE_SPECIAL, OFFSETS, PAIR, DECODE = 1, 2, 4, 8, 16
JOBS_PER_RUN = 10

# What may be refused: the key, and a word of what was found or is allowed. A refusal is right where it says why.
REFUSALS = [
    ("normalizer.type", ""), ("pre_tokenizer.type", ""), ("post_processor.type", ""),
    *((stage + ".pattern", "no backtracking") for stage in ("normalizer", "normalizer.normalizers", "pre_tokenizer",
                                                            "pre_tokenizer.pretokenizers")),
    ("normalizer", "16"), ("pre_tokenizer", "16"), ("post_processor.processors.type", "ByteLevel, and behind it"),
    ("post_processor.single", "1 time A"), ("post_processor.pair", "1 time A"),
    ("added_tokens.*.content", "a text that is not empty after the normalizer"),
    ("model.unk_token", "a token of model.vocab"), ("model.unk_id", "the id of a piece"),
    ("post_processor.trim_offsets", "false"),
]

# Stages that the engine has not, drawn now and then: they must be refused, never passed over.
BACK_REFERENCE = {"Regex": r"(a|b)\1"}
FOREIGN_NORMALIZERS = [{"type": "Replace", "pattern": BACK_REFERENCE, "content": "b"}]
FOREIGN_PRETOKENIZERS = [{"type": "Split", "pattern": BACK_REFERENCE, "behavior": "Isolated", "invert": False}]
BEHAVIORS = ["Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous"]

PATTERNS = ["a", " ", "  ", "ab", "é", "e\u0301", "▁", "'", "中文", "xx", "\u0301", "İ", ".."]
CONTENTS = ["", " ", "▁", "b", "xyz", "é中", "\u0301", "aa"]


def flags(rng, *names):
    return {name: rng.random() < 0.5 for name in names}


def draw_replace(rng):
    return {"type": "Replace", "pattern": {"String": rng.choice(PATTERNS)}, "content": rng.choice(CONTENTS)}


def draw_replace_regex(rng):
    return {"type": "Replace", "pattern": {"Regex": rng.choice(["a+|b", r"\s+", r"\p{M}", "(?i:ab?)", "^ |x$"])},
            "content": rng.choice(CONTENTS)}


def draw_cut(rng):
    """A pre-tokenizer that cuts by a pattern, or by what each character is."""
    pattern = {"Regex": rng.choice(list(PUBLISHED.values()))} if rng.random() < 0.7 else {"String": rng.choice(PATTERNS)}
    return rng.choice([
        {"type": "Split", "pattern": pattern, "behavior": rng.choice(BEHAVIORS), "invert": rng.random() < 0.2},
        {"type": "Split", "pattern": pattern, "behavior": "Isolated", "invert": False},
        {"type": "Digits", "individual_digits": rng.random() < 0.5}, {"type": "Punctuation", "behavior": rng.choice(BEHAVIORS)},
        {"type": "CharDelimiterSplit", "delimiter": rng.choice("ae é")}, {"type": "UnicodeScripts"},
        {"type": "FixedLength", "length": rng.randrange(1, 9)}])


def draw_byte_level(rng):
    return {"type": "ByteLevel", **flags(rng, "add_prefix_space", "trim_offsets", "use_regex")}


def draw_metaspace(rng):
    """All forms that the library reads, the older ones too."""
    drawn = {"type": "Metaspace", "replacement": rng.choice("▁▁▁_ é")}
    scheme = rng.choice([None, "always", "first", "never"])
    if scheme:
        drawn["prepend_scheme"] = scheme
    if rng.random() < 0.5:
        drawn["split"] = rng.random() < 0.5
    if rng.random() < 0.3:
        drawn["add_prefix_space"] = scheme != "never" or rng.random() < 0.5
    return drawn


def draw_edit(rng):
    """A normalizer that puts other text into a text."""
    return rng.choice([draw_replace, draw_replace_regex,
                       lambda rng: {"type": "Prepend", "prepend": rng.choice(["▁", " ", "xy", "é"])},
                       lambda rng: {"type": "Strip", **flags(rng, "strip_left", "strip_right")},
                       lambda rng: {"type": "Nmt"}, lambda rng: {"type": "ByteLevel"}])(rng)


def draw_charsmap(rng):
    """Keys of characters, of clusters, and of parts of them; some become nothing, some several characters."""
    letters = list(LETTERS) + list(POINTS) + list(MARKS) + list("abcdeABC ") + ["\r", "\n", "\t", "\u200d", "\u0600", "\u00a9"]
    heads = "aeb\u00a9\u0600\u1100 \r"
    keys = [rng.choice(letters) for _ in range(rng.randrange(1, 30))]
    keys += [rng.choice(heads) + rng.choice(list(MARKS) + ["\n", "a"]) for _ in range(rng.randrange(0, 8))]
    keys += [rng.choice(letters).encode()[:-1] for _ in range(rng.randrange(0, 3))]
    texts = ["", "x", "ab", "\u00e9", "\u4e2d\u6587c", " ", "a\u0301", "A"]
    return base64.b64encode(charsmap.build({key: rng.choice(texts) for key in keys if key})).decode()


def draw_normalizer(rng, depth=0):
    if rng.random() < 0.01:
        return rng.choice(FOREIGN_NORMALIZERS)
    if rng.random() < 0.15:
        return {"type": "Precompiled", "precompiled_charsmap": draw_charsmap(rng)}
    choice = rng.random()
    if choice < 0.2 and depth < 3:
        return {"type": "Sequence",
                "normalizers": [draw_normalizer(rng, depth + 1) for _ in range(rng.randrange(0, 4))]}
    if choice < 0.4:
        return draw_edit(rng)
    if choice < 0.7:
        return {"type": "BertNormalizer", "clean_text": rng.random() < 0.6, "handle_chinese_chars": rng.random() < 0.7,
                "strip_accents": rng.choice([None, True, False]), "lowercase": rng.random() < 0.5}
    return {"type": rng.choice(["Lowercase", "StripAccents", "NFD", "NFKD", "NFC", "NFKC"])}


def draw_pretokenizer(rng, depth=0):
    if rng.random() < 0.02:
        return rng.choice(FOREIGN_PRETOKENIZERS)
    choice = rng.random()
    if choice < 0.2 and depth < 3:
        return {"type": "Sequence",
                "pretokenizers": [draw_pretokenizer(rng, depth + 1) for _ in range(rng.randrange(0, 4))]}
    if choice < 0.5:
        return rng.choice([draw_byte_level, draw_metaspace])(rng)
    if choice < 0.65:
        return draw_cut(rng)
    if choice < 0.75:
        return {"type": "Punctuation", "behavior": "Isolated"}
    return {"type": rng.choice(["BertPreTokenizer", "WhitespaceSplit", "Whitespace"])}


def draw_decoder(rng, depth=0):
    if rng.random() < 0.3 and depth < 2:
        return {"type": "Sequence", "decoders": [draw_decoder(rng, depth + 1) for _ in range(rng.randrange(0, 4))]}
    return rng.choice([
        draw_byte_level, draw_metaspace, draw_replace, lambda rng: {"type": "ByteFallback"}, lambda rng: {"type": "Fuse"},
        # The library fails where `stop` is more than a token has.
        lambda rng: {"type": "Strip", "content": rng.choice(" ▁aé"), "start": rng.randrange(3), "stop": 0},
        lambda rng: {"type": "BPEDecoder", "suffix": rng.choice(["</w>", "a", "▁"])},
        lambda rng: {"type": "WordPiece", "prefix": rng.choice(["##", "", "▁"]), "cleanup": rng.random() < 0.5},
        lambda rng: {"type": "CTC", "pad_token": rng.choice(["a", "[UNK]", "▁"]),
                     "word_delimiter_token": rng.choice(["|", "Ġ", "é"]), "cleanup": rng.random() < 0.5}])(rng)


def draw_unigram(rng, vocab):
    """Pieces with scores of which many are equal; bytes among them now and then."""
    scores = rng.choice([[-1, -2, -3], [-0.5, -1.5, -2.25, -7], [0], [1, 2, -1], [-10 * rng.random() for _ in range(50)]])
    pieces = [[token, rng.choice(scores)] for token in vocab]
    return {"type": "Unigram", "unk_id": rng.choice([0, 0, 0, 0, 0, 1, len(pieces) - 1, None]), "vocab": pieces,
            "byte_fallback": rng.random() < 0.4}


def draw_model(rng, prefix, vocab, pieces):
    if rng.random() < 0.3:
        return draw_unigram(rng, vocab)
    limit = rng.choice([0, 1, 2, 5, 20, 100, 100, 100, 1000])
    if rng.random() < 0.3:
        return draw_bpe(rng, pieces)
    if rng.random() < 0.3:
        return {"type": "WordLevel", "unk_token": "[UNK]", "vocab": vocab}
    return {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": prefix,
            "max_input_chars_per_word": limit, "vocab": vocab}


# What the words of ByteLevel and Metaspace end at.
ENGLISH = ["'s", "'t", "'re", "'ve", "'m", "'ll", "'d", "'S", "'r", "'l", "'", "he", "it", "7", "½", "x2", " ", " ", "  ",
           "\n", " \n ", "\u3000", "▁", ".", "!?", "é", "中"]


def draw_texts(rng):
    """Texts that stages treat in their own ways; ideographs of one block, syllables and marks among them."""
    texts = rng.sample(TORTURE, 25) + fuzz(rng, 25) + rng.sample(PARAGRAPHS, 3)
    ideographs = [chr(0x4E00 + rng.randrange(0x200)) for _ in range(8)]
    syllables = [chr(0xAC00 + rng.randrange(11172)) for _ in range(5)]
    pieces = ideographs + syllables + list(rng.sample(LETTERS, 12)) + [rng.choice(MARKS), rng.choice(SPACES), " ",
                                                                     rng.choice(POINTS), rng.choice(SPECIALS), "ab"]
    texts += ["".join(rng.choice(pieces) for _ in range(rng.randrange(1, 12))) for _ in range(20)]
    texts += ["".join(rng.choice(ENGLISH) for _ in range(rng.randrange(1, 9))) for _ in range(8)]
    rng.shuffle(texts)
    return texts


def probe(normalizer):
    """What a normalizer makes of a text, as a function."""
    library = Tokenizer.from_str(json.dumps(dict(SKELETON, normalizer=normalizer, model=EMPTY)))
    return library.normalizer.normalize_str if normalizer else str


def words_of(pre_tokenizer):
    """The words into which a pre-tokenizer splits a text, as a function."""
    library = Tokenizer.from_str(json.dumps(dict(SKELETON, pre_tokenizer=pre_tokenizer, model=EMPTY)))
    if not pre_tokenizer:
        return lambda text: [text]
    return lambda text: [word for word, _ in library.pre_tokenizer.pre_tokenize_str(text)]


def draw_pieces(rng, normalizer, pre_tokenizer, texts):
    """Pieces of what the stages make of the texts, so that words are found."""
    pieces, normalize, split = [], probe(normalizer), words_of(pre_tokenizer)
    for text in texts:
        normalized, taken = normalize(text), 0
        for word in split(normalized) if rng.random() < 0.7 else [normalized]:
            at = 0
            while at < len(word) and taken < 60:
                size = rng.choice([1, 1, 1, 2, 2, 3, 4, 8])
                pieces.append(word[at:at + size])
                at += size
                taken += size
    return pieces


def draw_vocabulary(rng, pieces, prefix, specials):
    items = dict.fromkeys(specials)
    for piece in rng.sample(pieces, int(len(pieces) * rng.choice([0.3, 0.8, 1]))):
        for form in rng.choice([(piece,), (prefix + piece,), (piece, prefix + piece)]):
            items[form] = None
    if rng.random() < 0.2:
        items[prefix] = None
    if rng.random() < 0.2:
        items.update(dict.fromkeys(f"<0x{byte:02X}>" for byte in range(rng.choice([100, 256]))))
    tokens = list(items)
    if rng.random() < 0.3:
        rng.shuffle(tokens)
    return {token: i for i, token in enumerate(tokens)}


def draw_added(rng, vocab, pieces, normalizer):
    """Tokens with flags; ids as the library counts them. No two are alike when they are normalized: which one the
    library then finds differs from run to run."""
    added, next_id, normalize = [], len(vocab), probe(normalizer)
    chosen = dict.fromkeys(rng.sample(SPECIALS, rng.randrange(0, 6)) + rng.sample(pieces, rng.randrange(0, 4)))
    for text in chosen:
        if not text or normalize(text) in [normalize(other["content"]) for other in added]:
            continue
        known = vocab.get(text)
        added.append({"id": next_id if known is None else known, "content": text, "special": rng.random() < 0.5,
                      **{flag: rng.random() < 0.3 for flag in ("single_word", "lstrip", "rstrip", "normalized")}})
        next_id += known is None
    return added


def draw_template(rng, names, texts):
    template = [{"Sequence": {"id": text, "type_id": rng.choice([0, 0, 1])}} for text in texts]
    for _ in range(rng.choice([0, 1, 2, 2, 3])):
        template.insert(rng.randrange(len(template) + 1),
                        {"SpecialToken": {"id": rng.choice(names), "type_id": rng.choice([0, 0, 1])}})
    return template


def draw_postprocessor(rng, specials, vocab, depth=0):
    choice = rng.random()
    if choice < 0.25:
        return None
    if choice < 0.5:
        return {"type": "BertProcessing", **{key: (lambda t: [t, vocab[t]])(rng.choice(specials)) for key in ("sep", "cls")}}
    if choice < 0.65:
        return {"type": "RobertaProcessing", **{key: (lambda t: [t, vocab[t]])(rng.choice(specials)) for key in ("sep", "cls")},
                **flags(rng, "trim_offsets", "add_prefix_space")}
    if choice < 0.72:
        return draw_byte_level(rng)
    if choice < 0.8 and depth < 2:
        # Mostly in the order that published files have.
        members = [draw_byte_level(rng) for _ in range(rng.randrange(3))]
        members += [draw_postprocessor(rng, specials, vocab, depth + 1)] if rng.random() < 0.9 else []
        members += [draw_byte_level(rng)] if rng.random() < 0.1 else []
        return {"type": "Sequence", "processors": [member for member in members if member]}
    texts = rng.choice([["A", "B"]] * 8 + [["B", "A"], ["A"]])
    ids = {name: {"id": name, "ids": [vocab[t] for t in chosen], "tokens": chosen}
           for name in specials for chosen in [[rng.choice(specials) for _ in range(rng.choice([1, 1, 1, 2]))]]}
    return {"type": "TemplateProcessing", "single": draw_template(rng, specials, ["A"]),
            "pair": draw_template(rng, specials, texts), "special_tokens": ids}


def forget_types(rng, drawn):
    """Files of old versions have no type where members tell it; the model's is left out most often."""
    for key, chance in (("model", 0.2), ("normalizer", 0.1), ("post_processor", 0.1)):
        named = drawn[key]
        if named and rng.random() < chance and named["type"] in ("WordPiece", "WordLevel", "BPE", "BertNormalizer", "BertProcessing",
                                                                 "TemplateProcessing"):
            del named["type"]


def draw(seed, number):
    """(tokenizer.json, texts) number so-and-so of a seed."""
    rng = random.Random(f"{seed}/{number}")
    texts = draw_texts(rng)
    normalizer = draw_normalizer(rng) if rng.random() < 0.9 else None
    pre_tokenizer = draw_pretokenizer(rng) if rng.random() < 0.75 else None
    over_bytes = draw_bytes(rng) if rng.random() < 0.2 else None
    if over_bytes:
        normalizer, pre_tokenizer = over_bytes["normalizer"], over_bytes["pre_tokenizer"]
    pieces = draw_pieces(rng, normalizer, pre_tokenizer, texts)
    specials = ["[UNK]", "[CLS]", "[SEP]"]
    prefix = rng.choice(["##", "##", "##", "", "#", "▁", "é"])
    vocab = draw_vocabulary(rng, pieces, prefix, specials)
    model = over_bytes["model"] if over_bytes else draw_model(rng, prefix, vocab, pieces)
    vocab = model["vocab"]
    if isinstance(vocab, list):
        vocab = {token: i for i, (token, _) in enumerate(vocab)}
    drawn = dict(SKELETON, model=model, normalizer=normalizer,
                 pre_tokenizer=pre_tokenizer, decoder=draw_decoder(rng) if rng.random() < 0.8 else None,
                 added_tokens=draw_added(rng, vocab, pieces, normalizer) if rng.random() < 0.6 else [],
                 post_processor=draw_postprocessor(rng, specials, vocab))
    forget_types(rng, drawn)
    return drawn, texts


def size_of(drawn):
    """Ids of the model and of the added tokens."""
    vocab = drawn["model"]["vocab"]
    ids = range(len(vocab)) if isinstance(vocab, list) else vocab.values()
    return 1 + max([*ids, *(token["id"] for token in drawn["added_tokens"])])


def calls_of(rng, texts, size):
    """(bits, limit, texts) of the ways in which one tokenizer of so many tokens is asked; lists of ids are to be decoded."""
    half = texts[:len(texts) // 2 * 2]
    yield ADD_SPECIAL | PARSE_SPECIAL | OFFSETS, 0, texts
    yield ADD_SPECIAL | PARSE_SPECIAL, 0, texts
    yield OFFSETS, 0, texts
    yield ADD_SPECIAL | PARSE_SPECIAL | OFFSETS | PAIR, 0, half
    yield rng.choice([0, ADD_SPECIAL]) | PARSE_SPECIAL | OFFSETS | rng.choice([0, PAIR]), rng.randrange(12, 30), half
    yield DECODE, 0, [tuple(rng.randrange(size) for _ in range(rng.randrange(12))) for _ in range(40)]
    yield DECODE | ADD_SPECIAL, 0, [tuple(rng.randrange(size) for _ in range(rng.randrange(12))) for _ in range(20)]


def reference(library, side, bits, limit, texts):
    """What the library says, as arrays of 32-bit numbers; of ids, a text."""
    if bits & DECODE:
        yield from (library.decode(list(ids), skip_special_tokens=not bits & ADD_SPECIAL) for ids in texts)
        return
    library.no_truncation()
    if limit:
        library.enable_truncation(limit, direction=side)
    library.encode_special_tokens = not bits & PARSE_SPECIAL
    given = list(zip(texts[::2], texts[1::2])) if bits & PAIR else texts
    for encoding in library.encode_batch(given, add_special_tokens=bool(bits & ADD_SPECIAL)):
        offsets = [[o[0] for o in encoding.offsets], [o[1] for o in encoding.offsets]] if bits & OFFSETS else []
        yield encoding.ids, *offsets, encoding.type_ids


def frame(data):
    return struct.pack("<I", len(data)) + data


def packed(text):
    """A text, or ids that are to be decoded."""
    return frame(struct.pack(f"<{len(text)}i", *text) if isinstance(text, tuple) else text.encode())


def job(drawn, bits, limit, texts):
    head = frame(json.dumps(drawn, ensure_ascii=False).encode()) + struct.pack("<IIII", 0, 0, 0, 0)
    count = len(texts) // 2 if bits & PAIR else len(texts)
    return head + struct.pack("<III", bits, limit, count) + b"".join(map(packed, texts))


class Answers:
    """What the program wrote."""

    def __init__(self, data):
        self.data, self.at = data, 0

    def number(self):
        self.at += 4
        return struct.unpack_from("<I", self.data, self.at - 4)[0]

    def take(self, size):
        self.at += size
        return self.data[self.at - size:self.at]

    def refusal(self):
        """None, or (status, key, found, allowed, message)."""
        length = self.number()
        return self.take(length).decode().split("\t") if length else None

    def notes(self):
        return [self.take(self.number()).decode() for _ in range(self.number())]

    def encoding(self, bits):
        """As `reference` yields it."""
        if bits & DECODE:
            return self.take(self.number()).decode()
        columns, count = 4 if bits & OFFSETS else 2, self.number()
        return tuple(list(array.array("i", self.take(4 * count))) for _ in range(columns))


def is_listed(refusal):
    key = ".".join("*" if part.isdigit() else part for part in refusal[1].split("."))
    return any(key == known and word in refusal[3] for known, word in REFUSALS)


def compare_group(arguments):
    """(texts compared, refusals, differences) of some numbers."""
    program, seed, numbers = arguments
    jobs = []
    for number in numbers:
        drawn, texts = draw(seed, number)
        rng = random.Random(number)
        drawn["truncation"] = {"direction": rng.choice(["Left", "Right"]), "max_length": 8, "strategy": "LongestFirst",
                               "stride": 0}
        jobs += [(number, drawn, *call) for call in calls_of(rng, texts, size_of(drawn))]
    data = b"".join(job(drawn, bits, limit, texts) for _, drawn, bits, limit, texts in jobs)
    run = subprocess.run([program, "--many"], input=data, stdout=subprocess.PIPE, check=True)
    answers, compared = Answers(run.stdout), 0
    refusals, differences = collections.Counter(), []
    for number, drawn, bits, limit, texts in jobs:
        refusal = answers.refusal()
        if refusal:
            refusals[refusal[1]] += 1
            if not is_listed(refusal):
                differences.append((number, f"refused: {refusal}"))
            continue
        answers.notes()
        library = Tokenizer.from_str(json.dumps(drawn))
        step = 2 if bits & PAIR else 1
        for i, wanted in enumerate(reference(library, drawn["truncation"]["direction"].lower(), bits, limit, texts)):
            got = answers.encoding(bits)
            compared += 1
            if got != wanted:
                differences.append((number, f"options {bits} limit {limit} {texts[i * step:(i + 1) * step]!r:.300}\n"
                                    f"    got    {got!s:.500}\n    wanted {wanted!s:.500}"))
    return compared, refusals, differences


EMPTY = {"type": "WordPiece", "unk_token": "u", "continuing_subword_prefix": "##", "max_input_chars_per_word": 100,
         "vocab": {"u": 0}}
SKELETON = {"version": "1.0", "truncation": None, "padding": None, "added_tokens": [], "normalizer": None,
            "pre_tokenizer": None, "post_processor": None, "decoder": None}
TORTURE = [text for text in torture() if len(text) < 400]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", required=True, help="test/tools/tokenize_lines, built")
    parser.add_argument("--seed", type=int, default=13)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--only", type=int, help="this number alone, and its tokenizer.json")
    args = parser.parse_args()
    assert tokenizers.__version__ == "0.23.3", "compare with tokenizers 0.23.3"
    numbers = list(range(args.count)) if args.only is None else [args.only]
    if args.only is not None:
        print(json.dumps(draw(args.seed, args.only)[0], ensure_ascii=False))
    groups = [(args.program, args.seed, numbers[i:i + JOBS_PER_RUN]) for i in range(0, len(numbers), JOBS_PER_RUN)]
    compared, refusals, wrong = 0, collections.Counter(), {}
    with multiprocessing.get_context("fork").Pool(os.cpu_count()) as pool:
        for count, refused, differences in pool.imap(compare_group, groups):
            compared += count
            refusals += refused
            for number, what in differences:
                wrong.setdefault(number, []).append(what)
    for number in list(wrong)[:10]:
        print(f"  tokenizer {number}: {len(wrong[number])} differences, the first: {wrong[number][0]}")
    print("  refused: " + ", ".join(f"{key} {count}" for key, count in sorted(refusals.items())))
    # Most that are drawn must be compared, or nothing is shown.
    good = not wrong and compared > len(numbers) * 100
    print(f"{'ok' if good else 'not ok'} random-tokenizers: {len(numbers)} of seed {args.seed}, {compared} texts, "
          f"{len(wrong)} with differences")
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
