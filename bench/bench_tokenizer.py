"""WordPiece over package descriptions: lmtext's engine beside the Rust core of `tokenizers`."""
import tokenizers

import common
from common import Work

ENGINE = "lmtext, one text after the other"
REFERENCE = "`tokenizers`, encode_batch, one thread"


def main():
    texts = common.corpus(20000, step=3)
    bytes_in = sum(len(text.encode()) for text in texts)
    reference = tokenizers.Tokenizer.from_file(str(common.MODEL / "tokenizer.json"))
    reference.no_truncation()
    reference.no_padding()
    with common.texts_file(texts) as file:
        def engine():
            # The program times the tokenizing alone, without start and reading.
            return float(common.engine("engine_tokenize", common.MODEL / "tokenizer.json", file)[0])

        times = common.interleaved({
            ENGINE: Work(engine),
            REFERENCE: Work(lambda: reference.encode_batch(texts)),
            "`tokenizers`, encode_batch_fast, one thread": Work(lambda: reference.encode_batch_fast(texts)),
        })
    base = times[REFERENCE].cpu
    common.goal("tokenizer ÷ `tokenizers`, encode_batch, one thread", base / times[ENGINE].cpu, least=10, digits=1)
    common.table(f"Tokenizing {len(texts)} texts ({bytes_in / 1e6:.1f} MB), no truncation",
                 ("", "MB/s", "÷ encode_batch"),
                 [(name, f"{bytes_in / taken.cpu / 1e6:.1f}", f"{base / taken.cpu:.1f}")
                  for name, taken in times.items()])


if __name__ == "__main__":
    main()
