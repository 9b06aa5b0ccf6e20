"""WordPiece over package descriptions: lmtext's engine beside the Rust core of `tokenizers`."""
import struct
import tempfile

import tokenizers

import common


def main():
    texts = common.corpus(20000, step=3)
    bytes_in = sum(len(text.encode()) for text in texts)
    reference = tokenizers.Tokenizer.from_file(str(common.MODEL / "tokenizer.json"))
    reference.no_truncation()
    reference.no_padding()
    with tempfile.NamedTemporaryFile(suffix=".bin") as file:
        for text in texts:
            data = text.encode()
            file.write(struct.pack("<I", len(data)) + data)
        file.flush()
        ours = []

        def engine():
            # The program times the tokenizing alone, without start and reading.
            out = common.run(common.PROGRAMS / "bench" / "engine_tokenize",
                             common.MODEL / "tokenizer.json", file.name, text=True).stdout
            ours.append(float(out.split()[0]))

        times = common.interleaved({
            "engine": engine,
            "`tokenizers`, encode_batch, one thread": lambda: reference.encode_batch(texts),
            "`tokenizers`, encode_batch_fast, one thread": lambda: reference.encode_batch_fast(texts),
        })
    times["engine"] = sorted(ours)[len(ours) // 2]
    times = {("lmtext, one text after the other" if name == "engine" else name): value
             for name, value in times.items()}
    base = times["`tokenizers`, encode_batch, one thread"]
    common.table(f"Tokenizing {len(texts)} texts ({bytes_in / 1e6:.1f} MB), no truncation",
                 ("", "MB/s", "÷ encode_batch"),
                 [(name, f"{bytes_in / taken / 1e6:.1f}", f"{base / taken:.1f}")
                  for name, taken in times.items()])


if __name__ == "__main__":
    main()
