"""Sentences with tags of entities (BIO: PER, LOC, ORG, MISC) by a seed, a few thousand of them: no licence, no download.

Names are made of syllables, so most of the test's were never seen, and say little of their kind: the words around them do. Of some words they do
not say all: who "beat" whom is a club, or a country by the name of a place, as in news of sports. So no tagger reaches 1.
"""
import random

ONSETS = "b br c ch d dr f fl g gr h j k kl l m n p pr qu r s st t tr v w z".split()
VOWELS = "a e i o u ai ea ie ou".split()
CODAS = ["", "", "n", "r", "l", "s", "nd", "rt", "ck", "m"]
FIRST = "Anna Peter Maria John Laura Ivan Aisha Kenji Olga Carlos Fatima David Ingrid Paul Chen".split()
ENDS = {"PER": ["", "", "son", "ez", "ova", "ini"], "LOC": ["", "", "ville", "burg", "stan", "ia"], "ORG": ["", "", "corp", "tech", "soft", "com"],
        "MISC": ["ese", "ian", "ish", "an"]}
TEMPLATES = [
    "{PER} said on Monday that {ORG} would open an office in {LOC} .",
    "The {MISC} government rejected a plan of {ORG} .",
    "{PER} , the chief executive of {ORG} , resigned after talks in {LOC} .",
    "Shares of {ORG} fell two percent in {LOC} trading .",
    "{MISC} police arrested {PER} near {LOC} on Tuesday .",
    "{PER} of {LOC} won the {MISC} Open on Sunday .",
    "{CLUB} beat {CLUB} 3 - 1 in the final .",
    "{CLUB} lost to {CLUB} after extra time .",
    "{PER} scored twice for {CLUB} against {CLUB} .",
    "{ACTOR} denied the report , officials said .",
    "{ACTOR} signed a contract with {ORG} last week .",
    "The minister met {ACTOR} and {PER} in {LOC} .",
    "Thousands fled from {LOC} to {LOC} as the river rose .",
    "{ACTOR} announced the results before the market opened .",
    "A spokesman for {ACTOR} declined to comment .",
    "{PER} was born in {LOC} and studied {MISC} history .",
    "The {MISC} champion {PER} flew to {LOC} for treatment .",
    "Analysts expect {ORG} to buy {ORG} by the end of the year .",
    "{LOC} , {LOC} , 12 August .",
    "There was no word from {ACTOR} about the talks with {ACTOR} .",
    "Weather in {LOC} will be dry , with light wind from the north .",
    "The committee will vote again next month .",
    "Prices rose faster than wages , figures showed .",
]
MIXED = {"CLUB": (("ORG", 0.75), ("LOC", 1)), "ACTOR": (("PER", 0.5), ("ORG", 0.85), ("LOC", 1))}


def word(draw, kind):
    text = "".join(draw.choice(ONSETS) + draw.choice(VOWELS) + draw.choice(CODAS) for _ in range(draw.choice((1, 2, 2)))) + draw.choice(ENDS[kind])
    return text.capitalize()


def name(draw, kind):
    """Words of a name."""
    if kind == "PER":
        return ([draw.choice(FIRST)] if draw.random() < 0.6 else []) + [word(draw, kind)]
    if kind == "ORG" and draw.random() < 0.3:
        return [word(draw, kind), draw.choice(["Group", "United", "Bank", "Motors"])]
    if kind == "LOC" and draw.random() < 0.15:
        return [draw.choice(["New", "North", "Port"]), word(draw, kind)]
    return [word(draw, kind)]


def sentence(draw):
    words, tags = [], []
    for piece in draw.choice(TEMPLATES).split():
        if not piece.startswith("{"):
            words.append(piece)
            tags.append("O")
            continue
        kind, chance = piece[1:-1], draw.random()
        kind = next((k for k, share in MIXED.get(kind, ()) if chance < share), kind)
        found = name(draw, kind)
        words += found
        tags += [f"B-{kind}"] + [f"I-{kind}"] * (len(found) - 1)
    return words, tags


def rows(count, seed):
    draw = random.Random(seed)
    return [sentence(draw) for _ in range(count)]
