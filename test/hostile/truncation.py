"""Row 7: files that end early, at many places."""
from folder import BAD_JSON, BAD_MODEL, CONFIG, INDEX, TOKENIZER, TOKENIZER_CONFIG, WEIGHTS, Case


def cuts(size, count):
    """Places over the whole file, and its last bytes."""
    return sorted({size * n // count for n in range(count)} | {size - 1, size - 2, size - 4})


def cases(models, effort):
    count = {"quick": 40, "all": 200, "long": 2000}[effort]
    bert, sharded = models["bert"], models["bert-sharded"]
    for at in cuts(len(bert.files[WEIGHTS]), count):
        yield Case(f"cut-weights-{at}", BAD_MODEL, {WEIGHTS: bert.files[WEIGHTS][:at]}, (WEIGHTS,))
    for file, model in ((CONFIG, bert), (TOKENIZER, bert), (TOKENIZER_CONFIG, bert), (INDEX, sharded)):
        text = model.files[file].rstrip()
        for at in cuts(len(text), count // 4):
            yield Case(f"cut-{file.replace('.', '-')}-{at}", BAD_JSON, {file: text[:at]}, (file,), model.name)
