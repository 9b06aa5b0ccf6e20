"""WordPiece, byte-level BPE and Unigram over package descriptions: lmtext's engine beside the Rust core of `tokenizers`."""
import pathlib
import sys

import tokenizers
from tokenizers import decoders, models, normalizers, pre_tokenizers, processors, trainers

import common
from common import Work

ENGINE = "lmtext, one text after the other"
REFERENCE = "`tokenizers`, encode_batch, one thread"
BPE_SIZE = 30000
UNIGRAM_SIZE = 30000


def byte_level():
    """A byte-level BPE as GPT-2's, trained once on descriptions that are not the ones measured."""
    path = common.BUILD / "bench-bpe.json"
    if not path.exists():
        model = tokenizers.Tokenizer(models.BPE())
        model.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        model.decoder = decoders.ByteLevel()
        model.post_processor = processors.ByteLevel(trim_offsets=False)
        model.train_from_iterator(common.corpus(30000, step=7), trainers.BpeTrainer(
            vocab_size=BPE_SIZE, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False))
        model.save(str(path))
    return path


def unigram():
    """A Unigram with the stages of XLM-R, trained likewise. Its map of characters is of NFKC for what descriptions have."""
    path = common.BUILD / "bench-unigram.json"
    if not path.exists():
        sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "scripts"))
        import charsmap
        compatible = normalizers.NFKC().normalize_str
        changed = {chr(c): compatible(chr(c)) for c in range(0xA0, 0x3400) if compatible(chr(c)) != chr(c)}
        model = tokenizers.Tokenizer(models.Unigram())
        model.normalizer = normalizers.Precompiled(charsmap.build({**changed, "\t": " ", "\n": " ", "\r": " "}))
        model.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace()])
        model.decoder = decoders.Metaspace()
        model.train_from_iterator(common.corpus(30000, step=7), trainers.UnigramTrainer(
            vocab_size=UNIGRAM_SIZE, unk_token="<unk>", special_tokens=["<s>", "<pad>", "</s>", "<unk>"], show_progress=False))
        model.post_processor = processors.TemplateProcessing(single="<s> $A </s>", pair="<s> $A </s> </s> $B </s>",
                                                             special_tokens=[("<s>", 0), ("</s>", 2)])
        model.save(str(path))
    return path


def measure(what, path, texts, file):
    bytes_in = sum(len(text.encode()) for text in texts)
    reference = tokenizers.Tokenizer.from_file(str(path))
    reference.no_truncation()
    reference.no_padding()

    def engine():
        # The program times the tokenizing alone, without start and reading.
        return float(common.engine("engine_tokenize", path, file)[0])

    times = common.interleaved({
        ENGINE: Work(engine),
        REFERENCE: Work(lambda: reference.encode_batch(texts)),
        "`tokenizers`, encode_batch_fast, one thread": Work(lambda: reference.encode_batch_fast(texts)),
    })
    base = times[REFERENCE].cpu
    common.goal(f"{what} ÷ `tokenizers`, encode_batch, one thread", base / times[ENGINE].cpu, least=10, digits=1)
    common.table(f"{what}: tokenizing {len(texts)} texts ({bytes_in / 1e6:.1f} MB), no truncation",
                 ("", "MB/s", "÷ encode_batch"),
                 [(name, f"{bytes_in / taken.cpu / 1e6:.1f}", f"{base / taken.cpu:.1f}")
                  for name, taken in times.items()])


def main():
    texts = common.corpus(20000, step=3)
    with common.texts_file(texts) as file:
        measure("WordPiece", common.MODEL / "tokenizer.json", texts, file)
        measure(f"byte-level BPE, {BPE_SIZE} tokens", byte_level(), texts, file)
        measure(f"Unigram, {UNIGRAM_SIZE} tokens", unigram(), texts, file)


if __name__ == "__main__":
    main()
