"""Regular expressions of published tokenizers, as their tokenizer.json has them: used by compare-regex.py, make-golden-tokenizer.py
and test/fuzz/make-seeds.py."""

CONTRACTIONS = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)"
UPPER, LOWER = r"\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}", r"\p{Ll}\p{Lm}\p{Lo}\p{M}"
TAIL = r"\s*[\r\n]+|\s+(?!\S)|\s+"
CASED = (rf"[^\r\n\p{{L}}\p{{N}}]?[{UPPER}]*[{LOWER}]+%s|[^\r\n\p{{L}}\p{{N}}]?[{UPPER}]+[{LOWER}]*%s|%s"
         rf"| ?[^\s\p{{L}}\p{{N}}]+[\r\n/]*|{TAIL}")

PATTERNS = {
    "gpt2": r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+",
    "llama3": CONTRACTIONS + r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|" + TAIL,
    "qwen2": CONTRACTIONS + r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|" + TAIL,
    "qwen35": CONTRACTIONS + r"|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|" + TAIL,
    "cl100k": r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+",
    "cl100k-possessive": r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+| ?[^\s\p{L}\p{N}]++[\r\n]*+|\s++$|"
                         r"\s*[\r\n]|\s+(?!\S)|\s",
    "dbrx": r"(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
            r"| ?[^\s\p{L}\p{N}]+[\r\n]*|" + TAIL,
    "o200k": CASED % (CONTRACTIONS + "?", CONTRACTIONS + "?", r"\p{N}{1,3}"),
    "tekken": CASED % ("", "", r"\p{N}"),
    "kimi": r"[\p{Han}]+|" + (CASED.replace("]*[", "&&[^\\p{Han}]]*[").replace(f"{LOWER}]+", f"{LOWER}&&[^\\p{{Han}}]]+")
                              .replace(f"{UPPER}]+", f"{UPPER}&&[^\\p{{Han}}]]+").replace(f"{LOWER}]*", f"{LOWER}&&[^\\p{{Han}}]]*")
                              .replace("[\\r\\n/]*", "[\\r\\n]*")) % (CONTRACTIONS + "?", CONTRACTIONS + "?", r"\p{N}{1,3}"),
    "deepseek3-words": r"""[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|"""
                       + TAIL,
    "deepseek3-cjk": "[一-龥\u3040-ゟ゠-ヿ]+",
    "deepseek3-numbers": r"\p{N}{1,3}",
    "deepseek-lines": "[\r\n]",
    "deepseek-letters": r"\s?\p{L}+",
    "deepseek-cased": "\\s?[A-Za-zµÀ-ÖØ-öø-ƺƼ-ƿǄ-ʓʕ-ʯͰ-ͳͶͷͻ-ͽͿΆΈ-ΊΌΎ-ΡΣ-ϵϷ-ҁҊ-ԯԱ-Ֆﬀ-ﬆﬓ-ﬗＡ-Ｚａ-ｚ𐐀-𐑏]+",
    "deepseek-points": r"\s?\p{P}+",
    "deepseek-marks": r"\s?[!-/:-~！-／：-～‘-‟\u3000-。]+".replace("\\u3000", "\u3000"),
    "deepseek-end": r"\s+$",
    "deepseek-cjk": "[一-龥ࠀ-一가-\ud7ff]+",
    "bloom": r" ?[^(\s|[.,!?…。，、।۔،])]+",
    "clip": r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+",
    "clip-markers": r"<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+",
    "falcon-digits": "[0-9][0-9][0-9]",
    "falcon-points": r"[\p{P}\$\+<=>\^~\|`]+",
    "words": r"\w+|[^\w\s]+",
    "digits": r"\d+",
    "spaces": r"\s+",
    "lines": r"^.*$",
    "behind": "(?<=.)",
    "molecules": r"(\[[^\]]+]|Br?|Cl?|N|O|S|P|F|I|b|c|n|o|s|p|\(|\)|\.|=|#|-|\+|\\|\/|:|~|@|\?|>>?|\*|\$|\%[0-9]{2}|[0-9])",
    "camel": r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=\d)|[^\w\s]",
}

# Refused: these need backtracking, or a look beyond one character.
UNSUPPORTED = [r"(a)\1", r"(?<=ab)c", r"\d{1,3}(?=(?:\d{3})*\b)", r"(?>ab|a)c", r"a(?=bc)", r"\R", r"\X", r"\Ga", r"(?i:é)", r"(?i:ss)",
               r"(?<name>a)\k<name>", r"(?m:.)", r"(?x: a)", r"(a*)*", r"\p{L}{1,5000}", r"[]a]", r"\pL", r"(?:ab)++"]
