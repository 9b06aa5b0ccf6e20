"""A static model of potion-base-8M's size (29,528 words × 256, random vectors) beside model2vec; texts a second, one core."""
import shutil

import numpy
import tokenizers
from model2vec import StaticModel

import common
from common import Work

WIDTH = 256


def make(folder):
    """As model2vec saves it, with all-MiniLM-L6-v2's words."""
    tokenizer = tokenizers.Tokenizer.from_file(str(common.MODEL / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    random = numpy.random.default_rng(1)
    vectors = random.standard_normal((tokenizer.get_vocab_size(), WIDTH)).astype(numpy.float32)
    shutil.rmtree(folder, ignore_errors=True)
    StaticModel(vectors, tokenizer, normalize=True).save_pretrained(str(folder))


def main():
    folder = common.MODEL.parent / "random_static"
    make(folder)
    peer = StaticModel.from_pretrained(str(folder))
    rows = []
    for name, texts in (("titles", [t.split("\n")[0][:60] for t in common.corpus(4000)]), ("descriptions", common.corpus(4000))):
        with common.texts_file(texts) as file:
            times = common.interleaved({
                "lmtext": Work(lambda f=file: common.engine_seconds("fp32", f, model=folder)),
                "model2vec": Work(lambda t=texts: peer.encode(t, max_length=None, use_multiprocessing=False))})
        speeds = {who: len(texts) / time.cpu for who, time in times.items()}
        rows.append((name, f"{speeds['lmtext']:,.0f}", f"{speeds['model2vec']:,.0f}",
                     f"{speeds['lmtext'] / speeds['model2vec']:.1f}"))
        common.goal(f"static, {name}: ÷ model2vec", speeds["lmtext"] / speeds["model2vec"], least=5, digits=1)
    common.table("Static embedding, 4,000 texts, the engine alone; texts/s", ("", "lmtext", "model2vec", "÷"), rows)


if __name__ == "__main__":
    main()
