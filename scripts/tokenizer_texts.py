"""Texts that are hard to tokenize: used by compare-tokenizers.py and make-golden-tokenizer.py."""

SCALARS = [c for c in range(0x110000) if not 0xD800 <= c < 0xE000]

# Everything that some stage treats in its own way.
MARKS = "\u0301\u0300\u0308\u0323\u0327\u0338\u0345\u05b0\u064b\u093c\u094d\u0e38\u0f71\u0f72\u0f73" \
        "\u0f74\u1dce\u1dfa\u1abf\u302a\u302e\u3099\u20dd\u20e0\ufe0f\u200d\u0903\u0b3e\u1cd0\u08d4" \
        "\U0001d165\U0001d16e\U0001e8d0\U00016af0\u0344\u0340\u0958\U00011347\U0001145e"
SPACES = " \t\n\r\x0b\x0c\x1c\x85\xa0\u1680\u180e\u2000\u2003\u2007\u2009\u200a\u200b\u2028\u2029" \
         "\u202f\u205f\u2060\u3000\ufeff"
CONTROLS = "\x00\x01\x07\x1b\x7f\x80\x9f\xad\u061c\u200e\u200f\u202a\u202e\ue000\ufffd\uffff\ufff9" \
           "\U000e0001\U000f0000\U0010ffff\u0378"
LETTERS = "aAbBzZ09äÄéÉñÇßẞøØłŁİIıſKÅΣσςΩώΆЙйЁёІїאבةيकक्षกำ각가힣각ㄱㅏ中文字漢々〇ひガ豈㐀" \
          "\U00020000\U0002b820\U0002b91f\U0002b920\U0002ceaf\U0002f800\U00010400\U0001f600ﬁﷺ²½①™㎏ǅ"
POINTS = ".,;:!?'\"-_()[]{}<>#$%&*+/=@\\^`|~¡¿«»„“”‘’–—…·、。「」！？％€£¥©®°±×÷→∑≠≤½`´¨"
EMOJI = ["👩‍👩‍👧‍👦", "🏳️‍🌈", "👍🏽", "🇩🇪", "1️⃣", "❤️", "🤷🏻‍♀️"]
SPECIALS = ["[CLS]", "[SEP]", "[PAD]", "[UNK]", "[MASK]", "[mask]", "[ SEP ]", "[SEP", "SEP]", "[[SEP]]",
            "[sep]", "<ent>", "<ENT>", "<left>", "<right>", "<both>", "<word>", "new york", "New York",
            "café", "CAFE\u0301", "<extra>", "ab", "##", "##ing", "abb", "abba",
            "abbc", "xaby", "xabz", "xb.cz", "xb.cy", "ab.c", "<right> raw", "<both> lead", "<both>  lead", "<right>  raw"]
WORDS = ["hello", "world", "unaffable", "Tokenization", "naïve", "PostgreSQL", "Straße", "İstanbul",
         "ΟΔΥΣΣΕΥΣ", "Привет", "мир", "שלום", "مرحبا", "नमस्ते", "สวัสดี", "안녕하세요", "こんにちは",
         "世界", "cafe\u0301", "e\u0301\u0323x", "x86_64", "3.14", "C++", "don't", "o'clock", "e-mail"]

PARAGRAPHS = [
    "Die Bibliothek öffnet um 9 Uhr; Fußgänger müssen warten — sagt „Müller“.",
    "L'été dernier, j'ai mangé une crème brûlée à Besançon, n'est-ce pas ?",
    "El niño comió ñoquis; ¿dónde está la biblioteca? ¡Ay, corazón!",
    "В чащах юга жил бы цитрус? Да, но фальшивый экземпляр! Ёжик и йод.",
    "Ξεσκεπάζω τὴν ψυχοφθόρα βδελυγμία. ΟΔΥΣΣΕΥΣ, Ὀδυσσεύς, ᾳ ᾼ ΐ.",
    "日本語の文章を分割します。カタカナ、ひらがな、漢字ｶﾞｷﾞ。２０２４年",
    "我们在数据库里运行模型。繁體中文也可以，㐀𠀀𫠠𫡰𫢄丽。",
    "데이터베이스 안에서 모델을 실행합니다. 각 낱말은 자모로 풀립니다.",
    "يتم تشغيل النموذج داخل قاعدة البيانات. الْعَرَبِيَّةُ",
    "המודל פועל בתוך מסד הנתונים. שָׁלוֹם עוֹלָם",
    "डेटाबेस के अंदर मॉडल चलता है। क्षत्रिय ज़िन्दगी ড় ড়",
    "แบบจำลองทำงานภายในฐานข้อมูล น้ำ ก็",
    "Việt Nam: tiếng Việt có dấu. Tiê\u0301ng Viê\u0323t viê\u0301t rời.",
    "İstanbul'da ılık bir gün; IŞIK ışık. Dž Lj ß ẞ ﬁ ﬂ ﬃ Ⅷ ⅷ ㎏ ½ ² ①",
    "The quick brown fox — \"jumps\" over 13 lazy dogs' backs: #hashtag @user https://example.org/a?b=c&d=%20",
]


def torture():
    """A few hundred texts, each with a reason."""
    texts = ["", " ", "\n\n", "a", "A", ".", "[SEP]", "[CLS] [SEP]", "\x00", "\ufffd", "\u0301", "\u0301a"]
    texts += PARAGRAPHS + WORDS + EMOJI + SPECIALS
    texts += [f"x {s} y" for s in SPECIALS] + [f"x{s}y" for s in SPECIALS]
    texts += [f"  {s}  {s}{s} " for s in SPECIALS] + [f"é{s}\u0301" for s in SPECIALS]
    texts += [f"a{s}b" for s in SPACES] + [f"{s}a{s}" for s in SPACES]
    texts += [f"a{c}b" for c in CONTROLS] + list(CONTROLS)
    texts += list(LETTERS) + [f"x{c}y" for c in LETTERS] + list(POINTS)
    texts += [f"a{m}" for m in MARKS] + [f"a{m}b{m}{m}c" for m in MARKS]
    texts += [f"a\u0301{m}\u0323b" for m in MARKS] + [f"중{m}文{m}." for m in MARKS]
    texts += [f"e{m}\u0301 e\u0305{m}\u0301" for m in MARKS]
    texts += [f",\u0301{m}\u302a x" for m in MARKS] + [f"\u200d{m}\xad\u302ax" for m in MARKS]
    texts += [w * n for n in (99, 100, 101, 102) for w in ("a", "é", "e\u0301", "İ", "각", "😀")]
    texts += ["a" * n + "\u0301" for n in (99, 100, 101)] + ["b" * 99 + "각", "b" * 98 + "각"]
    texts += ["unaffable" * 11 + "x", "unaffable" * 12, "中" * 300, "." * 300, "[SEP]" * 50]
    texts += ["".join(MARKS), "a" + "".join(MARKS) * 3 + "b", "".join(reversed(MARKS)),
              "".join(SPACES), "".join(CONTROLS), LETTERS, POINTS, " ".join(WORDS), "".join(EMOJI)]
    return texts


def fuzz(rng, count):
    """Random mixtures of all of these."""
    characters = MARKS * 2 + SPACES + CONTROLS + LETTERS * 2 + POINTS
    pieces = EMOJI + SPECIALS * 2 + WORDS * 3
    return ["".join(fuzz_piece(rng, characters, pieces) for _ in range(rng.randrange(1, 16)))
            for _ in range(count)]


def fuzz_piece(rng, characters, pieces):
    choice = rng.random()
    if choice < 0.5:
        return rng.choice(characters)
    if choice < 0.65:
        return rng.choice(pieces)
    if choice < 0.75:
        return " "
    if choice < 0.8:
        return rng.choice("aeiou") + rng.choice(MARKS) * rng.randrange(1, 40)
    if choice < 0.9:
        return chr(rng.choice(SCALARS))
    return "".join(rng.choice("abcdefghijklmnopqrstuvwxyz") for _ in range(rng.randrange(1, 20)))


def long_texts(size=1 << 20):
    """Texts of about a million characters that a tokenizer of quadratic cost would not survive."""
    units = ["a", "\u0301", "a\u0301", "\u0323\u0301", "\u200d", "\u302a\u0301", "\u302a\u3099\u093c", "中", "각",
             " ", "[", "[SEP]", "[SE", ".", "\x00", "hello ", "🤷🏻‍♀️", "İ", "e\u0301\u302a ", "\ufdfa"]
    return [unit * (size // len(unit)) for unit in units]
