"""Word vectors as text and in binary: files that are odd, and files that are wrong."""
import struct

from folder import ACCEPTED, BAD_MODEL, MISSING, TOO_LARGE, UNSUPPORTED, Case

BASE = "static-model2vec"
WORDS = ("the", "cat", "sat", "on", "a", "mat", ".", "mat?")
WIDTH = 5
MANY = 70000


def text(words=WORDS, header=True, end="\n", number="{:.5f}"):
    lines = [f"{len(words)} {WIDTH}"] if header else []
    lines += [" ".join([word, *(number.format((i + j) / 7) for j in range(WIDTH))]) for i, word in enumerate(words)]
    return (end.join(lines) + end).encode()


def binary(words=WORDS, end=b"\n"):
    return f"{len(words)} {WIDTH}\n".encode() + b"".join(
        word.encode() + b" " + struct.pack("<5f", *range(i, i + WIDTH)) + end for i, word in enumerate(words))


GLOVE, VEC, BINARY = text(header=False), text(), binary()

# name, SQLSTATE, file, bytes, what the message must name
ROWS = (
    ("odd-glove", ACCEPTED, "glove.txt", GLOVE),
    ("odd-vec", ACCEPTED, "words.vec", VEC),
    ("odd-binary", ACCEPTED, "words.bin", BINARY),
    ("odd-binary-by-gensim", ACCEPTED, "words.bin", binary(end=b"")),
    ("odd-crlf", ACCEPTED, "words.txt", text(end="\r\n")),
    ("odd-tabs", ACCEPTED, "words.txt", VEC.replace(b" ", b"\t")),
    ("odd-trailing-spaces", ACCEPTED, "words.vec", text(end=" \n")),
    ("odd-byte-order-mark", ACCEPTED, "words.txt", b"\xef\xbb\xbf" + VEC),
    ("odd-no-last-line-end", ACCEPTED, "words.txt", GLOVE[:-1]),
    ("odd-blank-lines", ACCEPTED, "words.txt", GLOVE + b"\n \n"),
    ("odd-many-digits", ACCEPTED, "words.txt", text(number="{:.60f}")),
    ("odd-exponents", ACCEPTED, "words.txt", text(number="{:e}")),
    ("odd-denormal", ACCEPTED, "words.txt", text(number="{:.3f}e-43")),
    ("odd-repeated-words", ACCEPTED, "words.txt", text(words=WORDS + WORDS)),
    ("odd-words-with-spaces", ACCEPTED, "words.txt", text(words=WORDS + (". . .", "at name@domain.com"))),
    ("odd-words-of-json", ACCEPTED, "words.txt", text(words=WORDS + ('"', "\\", "\x01", '":0,"', "[UNK]"))),
    ("odd-long-word", ACCEPTED, "words.txt", text(words=WORDS + ("x" * 65535,))),
    ("odd-many-columns", ACCEPTED, "words.txt", b"".join(w.encode() + b" 1" * 65536 + b"\n" for w in ("the", "cat", "mat", "a"))),
    ("words-empty", BAD_MODEL, "words.txt", b"", "empty"),
    ("words-blank", BAD_MODEL, "words.txt", b"\n\n", "line 1"),
    ("words-header-alone", BAD_MODEL, "words.vec", b"8 5\n", "fewer words"),
    ("words-no-words", BAD_MODEL, "words.vec", b"0 5\n", "no words"),
    ("words-no-dimensions", BAD_MODEL, "words.vec", b"8 0\n", "dimensions"),
    ("words-wide-header", TOO_LARGE, "words.vec", b"8 65537\n", "65536"),
    ("words-huge-header", TOO_LARGE, "words.vec", b"8 18446744073709551617\n", "65536"),
    ("words-wide", TOO_LARGE, "words.txt", b"the" + b" 1" * MANY, "65536"),
    ("words-fewer", BAD_MODEL, "words.vec", VEC.replace(b"8 5", b"9 5", 1), "9 words"),
    ("words-more", BAD_MODEL, "words.vec", VEC.replace(b"8 5", b"7 5", 1), "7 words"),
    ("words-huge-count", BAD_MODEL, "words.vec", VEC.replace(b"8 5", b"99999999999999999999 5", 1), "fewer words"),
    ("words-column-less", BAD_MODEL, "words.txt", GLOVE.replace(b" 1.00000\n", b"\n", 1), "columns"),
    ("words-column-more", BAD_MODEL, "words.txt", GLOVE + b"dog 1 2 3 4 5 6\n", "line 9"),
    ("words-no-word", BAD_MODEL, "words.txt", GLOVE + b" 1 2 3 4 5\n", "line 9"),
    ("words-other-width", BAD_MODEL, "words.vec", VEC.replace(b"8 5", b"8 6", 1), "6 numbers"),
    ("words-no-number", BAD_MODEL, "words.txt", GLOVE + b"dog 1 2 3 4 five\n", "five"),
    ("words-comma", BAD_MODEL, "words.txt", GLOVE + b"dog 1 2 3 4 0,5\n", "0,5"),
    ("words-hexadecimal", BAD_MODEL, "words.txt", GLOVE + b"dog 1 2 3 4 0x5\n", "0x5"),
    ("words-long-number", BAD_MODEL, "words.txt", GLOVE + b"dog 1 2 3 4 " + b"5" * 129 + b"\n", "line 9"),
    ("words-nan", BAD_MODEL, "words.txt", GLOVE + b"dog 1 2 3 4 nan\n", "nan"),
    ("words-infinity", BAD_MODEL, "words.txt", GLOVE + b"dog 1 2 3 4 -Infinity\n", "-Infinity"),
    ("words-beyond-float", BAD_MODEL, "words.txt", GLOVE + b"dog 1 2 3 4 3.5e38\n", "3.5e38"),
    ("words-latin1", BAD_MODEL, "words.txt", GLOVE + "größe 1 2 3 4 5\n".encode("latin-1"), "UTF-8"),
    ("words-utf16", BAD_MODEL, "words.txt", GLOVE.decode().encode("utf-16"), "words.txt"),
    ("words-nul", BAD_MODEL, "words.txt", GLOVE + b"d\0g 1 2 3 4 5\n", "U+0000"),
    ("words-long-word", TOO_LARGE, "words.txt", GLOVE + b"x" * 65536 + b" 1 2 3 4 5\n", "65535"),
    ("words-long-line", TOO_LARGE, "words.txt", GLOVE + b"x" * (5 << 20) + b" 1 2 3 4 5\n", "line 9"),
    ("words-gzip", UNSUPPORTED, "words.vec.gz", b"\x1f\x8b\x08\0" + bytes(30), "gzip"),
    ("words-zip", UNSUPPORTED, "words.txt", b"PK\3\4" + bytes(30), "zip"),
    ("words-fasttext", UNSUPPORTED, "words.bin", b"\xba\x16\x4f\x2f" + bytes(100), "fastText"),
    ("words-page", UNSUPPORTED, "words.txt", b"<!DOCTYPE html>\n<html></html>\n", "HTML"),
    ("words-binary-longer", BAD_MODEL, "words.bin", BINARY + b"x", "more bytes"),
    ("words-binary-more", BAD_MODEL, "words.bin", BINARY.replace(b"8 5", b"7 5", 1), "7 words"),
    ("words-binary-fewer", BAD_MODEL, "words.bin", BINARY.replace(b"8 5", b"9 5", 1), "truncated"),
    ("words-binary-huge-count", BAD_MODEL, "words.bin", BINARY.replace(b"8 5", b"18446744073709551615 5", 1), "truncated"),
    ("words-binary-other-width", BAD_MODEL, "words.bin", BINARY.replace(b"8 5", b"8 4", 1), "words.bin"),
    ("words-binary-nan", BAD_MODEL, "words.bin", BINARY.replace(struct.pack("<f", 1), struct.pack("<f", float("nan")), 1), "finite"),
    ("words-binary-infinity", BAD_MODEL, "words.bin", BINARY.replace(struct.pack("<f", 1), struct.pack("<f", float("inf")), 1), "finite"),
    ("words-binary-latin1", BAD_MODEL, "words.bin", BINARY.replace(b"sat", b"s\xe4t"), "UTF-8"),
    ("words-binary-no-word", BAD_MODEL, "words.bin", BINARY.replace(b"sat ", b" "), "no word"),
    ("words-binary-long-word", TOO_LARGE, "words.bin", BINARY.replace(b"sat ", b"s" * 65536 + b" "), "65535"),
)


def cases(models, effort):
    nothing = {name: MISSING for name in models[BASE].files}
    for name, state, file, data, *said in ROWS:
        yield Case(name, state, {**nothing, file: data}, (*said,), BASE)
    for size in range(20, len(BINARY), 7):
        yield Case(f"words-binary-cut-{size}", BAD_MODEL, {**nothing, "words.bin": BINARY[:size]}, ("words.bin",), BASE)
    yield Case("words-two-files", UNSUPPORTED, {**nothing, "a.txt": GLOVE, "b.txt": GLOVE}, ("a.txt, b.txt",), BASE)
    yield Case("odd-words-readme", ACCEPTED, {**nothing, "glove.txt": GLOVE, "README.txt": b"Read me.\n", "notes.md": b""}, (), BASE)
