"""torch's side of fine-tuning: BERT of transformers with its heads, trained over texts laid end to end, so that torch computes no
padding either. `check` compares that with what transformers itself computes."""
import numpy
import torch
import transformers
from torch import nn
from torch.nn.utils.rnn import pad_sequence


def states(bert, lists, attention_dropout=0.0):
    """Hidden states (tokens, width) of texts given as lists of ids."""
    lengths = [len(ids) for ids in lists]
    x = bert.embeddings.word_embeddings(torch.tensor([i for ids in lists for i in ids]))
    x = x + bert.embeddings.position_embeddings(torch.cat([torch.arange(n) for n in lengths])) + bert.embeddings.token_type_embeddings.weight[0]
    x = bert.embeddings.dropout(bert.embeddings.LayerNorm(x))
    real = torch.arange(max(lengths))[None] < torch.tensor(lengths)[:, None]
    for layer in bert.encoder.layer:
        own = layer.attention.self
        heads = [pad_sequence(part(x).split(lengths), batch_first=True).unflatten(2, (bert.config.num_attention_heads, -1)).transpose(1, 2)
                 for part in (own.query, own.key, own.value)]
        mixed = nn.functional.scaled_dot_product_attention(*heads, attn_mask=real[:, None, None], dropout_p=attention_dropout)
        x = layer.attention.output(mixed.transpose(1, 2).flatten(2)[real], x)
        x = layer.output(layer.intermediate(x), x)
    return x


def scores(model, lists):
    """A classifier's of each text, by the pooler on its first token; a tagger's of each token."""
    hidden = states(model.bert, lists, model.config.attention_probs_dropout_prob if model.training else 0.0)
    if model.bert.pooler is not None:
        first = numpy.cumsum([0] + [len(ids) for ids in lists[:-1]])
        hidden = model.bert.pooler.activation(model.bert.pooler.dense(hidden[first]))
    return model.classifier(model.dropout(hidden))


def check(model, tokenizer, lists):
    model.eval()
    with torch.inference_mode():
        batch = tokenizer.pad({"input_ids": lists}, return_tensors="pt")
        expected = model(**batch).logits
        if model.bert.pooler is None:
            expected = expected[batch["attention_mask"].bool()]
        assert (scores(model, lists) - expected).abs().max() < 1e-3


def tune(model, lists, targets, settings):
    """Steps as lmtext's: AdamW that decays matrices, a linear schedule with warm-up, clipping. `targets` are lists."""
    decayed = [p for p in model.parameters() if p.dim() > 1]
    others = [p for p in model.parameters() if p.dim() <= 1]
    optimizer = torch.optim.AdamW([{"params": decayed, "weight_decay": settings["weight_decay"]}, {"params": others, "weight_decay": 0.0}],
                                  lr=settings["learning_rate"])
    size, order = settings["batch_size"], numpy.random.default_rng(settings["seed"])
    steps = settings["epochs"] * -(-len(lists) // size)
    schedule = transformers.get_linear_schedule_with_warmup(optimizer, int(settings["warmup"] * steps), steps)
    model.train()
    for _ in range(settings["epochs"]):
        rows = order.permutation(len(lists))
        for at in range(0, len(rows), size):
            part = rows[at:at + size]
            loss = nn.functional.cross_entropy(scores(model, [lists[i] for i in part]), torch.tensor([y for i in part for y in targets[i]]))
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), settings["clip_norm"])
            optimizer.step()
            schedule.step()
    model.eval()


def load(kind, folder, labels, seed):
    torch.manual_seed(seed)
    model = getattr(transformers, kind).from_pretrained(folder, num_labels=labels)
    return model, transformers.AutoTokenizer.from_pretrained(folder)


def best(model, lists, size=64):
    """The best label's number of each row of scores."""
    with torch.inference_mode():
        return [int(i) for at in range(0, len(lists), size) for i in scores(model, lists[at:at + size]).argmax(1)]


def classify(folder, train, test, settings):
    """The labels that torch gives the test's texts."""
    names = sorted({label for _, label in train})
    model, tokenizer = load("AutoModelForSequenceClassification", folder, len(names), settings["seed"])
    ids = [tokenizer([text for text, _ in rows], truncation=True, max_length=256)["input_ids"] for rows in (train, test)]
    check(model, tokenizer, ids[0][:8])
    tune(model, ids[0], [[names.index(label)] for _, label in train], settings)
    return [names[i] for i in best(model, ids[1])]


def tag(folder, train, test, settings):
    """The tags that torch gives the test's words: of a word in several pieces the first one has the tag."""
    names = sorted({tag for _, tags in train for tag in tags})
    model, tokenizer = load("AutoModelForTokenClassification", folder, len(names), settings["seed"])
    encoded = [tokenizer([words for words, _ in rows], is_split_into_words=True) for rows in (train, test)]
    firsts = [[[i for i, word in enumerate(e.word_ids) if word is not None and e.word_ids[i - 1] != word] for e in set_.encodings] for set_ in encoded]
    targets = []
    for row, (words, tags) in enumerate(train):
        wanted = [-100] * len(encoded[0]["input_ids"][row])
        for place, name in zip(firsts[0][row], tags):
            wanted[place] = names.index(name)
        targets.append(wanted)
    check(model, tokenizer, encoded[0]["input_ids"][:8])
    tune(model, encoded[0]["input_ids"], targets, settings)
    found, at, out = best(model, encoded[1]["input_ids"]), 0, []
    for ids, places in zip(encoded[1]["input_ids"], firsts[1]):
        out.append([names[found[at + place]] for place in places])
        at += len(ids)
    return out
