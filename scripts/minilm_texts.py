"""The recorded texts, vectors and hidden states of the real model: test/golden/minilm.

texts.jsonl   one object a line: the text and its token ids, special tokens included, window 256
vectors.f32   (texts, 384) little-endian float32: normalised embeddings, computed in float64
hidden.f32    for each text of meta.json's "hidden": (7, tokens, 384), embeddings then each layer
meta.json     versions, precision, counts
"""

import json
import os
import random

import numpy
import sentence_transformers
import tokenizers
import torch
import transformers

TEXTS = 320
WINDOW = 256

SENTENCES = [
    "A database is an organised collection of data that many people use at once.",
    "The quick brown fox jumps over the lazy dog.",
    "How do I resize a hundred pictures without opening each of them?",
    "My card was charged twice for the same coffee, please help.",
    "Please tell me when the next train to the airport leaves.",
    "Tools for drawing, scanning and printing; see also the manual pages.",
    "He didn't say \u201cno\u201d \u2014 he said \u2018maybe later\u2019\u2026",
    "Rain is expected in the north, with strong winds along the coast after midnight.",
    "Antidisestablishmentarianism and pneumonoultramicroscopicsilicovolcanoconiosis are long words.",
    "Die Bibliothek \u00f6ffnet gro\u00dfe Dateien schnell und \u00fcberpr\u00fcft ihre Gr\u00f6\u00dfe.",
    "Le gar\u00e7on mange une p\u00eache \u00e0 la fen\u00eatre; \u00e7a va \u00eatre d\u00e9licieux.",
    "El ni\u00f1o prob\u00f3 la sopa, \u00bfno te parece que est\u00e1 fr\u00eda?",
    "A na\u00e7\u00e3o inteira acompanhou a elei\u00e7\u00e3o at\u00e9 o amanhecer.",
    "Perch\u00e9 non andiamo pi\u00f9 al mare? La citt\u00e0 \u00e8 troppo calda.",
    "Za\u017c\u00f3\u0142\u0107 g\u0119\u015bl\u0105 ja\u017a\u0144 w \u0142\u00f3dzkim ogrodzie.",
    "P\u0159\u00edli\u0161 \u017elu\u0165ou\u010dk\u00fd k\u016f\u0148 \u00fap\u011bl \u010f\u00e1belsk\u00e9 \u00f3dy.",
    "\u0130stanbul'da \u0131l\u0131k bir g\u00fcn, \u00e7ocuklar sokakta oynuyor.",
    "Tr\u1eddi h\u00f4m nay \u0111\u1eb9p qu\u00e1, ch\u00fang ta \u0111i d\u1ea1o ph\u1ed1 nh\u00e9.",
    "Hyv\u00e4\u00e4 y\u00f6t\u00e4, n\u00e4kemiin ja kiitos kahvista.",
    "\u00c1rv\u00edzt\u0171r\u0151 t\u00fck\u00f6rf\u00far\u00f3g\u00e9p, k\u00f6sz\u00f6n\u00f6m sz\u00e9pen.",
    "\u039f \u03ae\u03bb\u03b9\u03bf\u03c2 \u03bb\u03ac\u03bc\u03c0\u03b5\u03b9 \u03c0\u03ac\u03bd\u03c9 \u03b1\u03c0\u03cc \u03c4\u03b7 \u03b8\u03ac\u03bb\u03b1\u03c3\u03c3\u03b1.",
    "\u0421\u044a\u0435\u0448\u044c \u0435\u0449\u0451 \u044d\u0442\u0438\u0445 \u043c\u044f\u0433\u043a\u0438\u0445 \u0444\u0440\u0430\u043d\u0446\u0443\u0437\u0441\u043a\u0438\u0445 \u0431\u0443\u043b\u043e\u043a, \u0434\u0430 \u0432\u044b\u043f\u0435\u0439 \u0447\u0430\u044e.",
    "\u0404 \u0432 \u043c\u0435\u043d\u0435 \u0442\u0430\u0457\u0441\u0442\u0432\u0430 \u0457\u0436\u0430\u0447\u043a\u0430 \u0456 \u0491\u0430\u0432\u0438.",
    "\u05e9\u05dc\u05d5\u05dd \u05e2\u05d5\u05dc\u05dd, \u05de\u05d4 \u05e9\u05dc\u05d5\u05de\u05da \u05d4\u05d9\u05d5\u05dd?",
    "\u0628\u0650\u0633\u0652\u0645\u0650 \u0627\u0644\u0643\u062a\u0627\u0628 \u0627\u0644\u062c\u062f\u064a\u062f \u0639\u0644\u0649 \u0627\u0644\u0637\u0627\u0648\u0644\u0629.",
    "\u0627\u0645\u0631\u0648\u0632 \u0647\u0648\u0627 \u0633\u0631\u062f \u0627\u0633\u062a \u0648 \u0628\u0627\u0631\u0627\u0646 \u0645\u06cc\u200c\u0628\u0627\u0631\u062f.",
    "\u0622\u067e \u06a9\u06cc\u0633\u06d2 \u06c1\u06cc\u06ba\u061f \u0645\u06cc\u06ba \u0679\u06be\u06cc\u06a9 \u06c1\u0648\u06ba\u06d4",
    "\u092f\u0939 \u090f\u0915 \u0938\u0941\u0928\u094d\u0926\u0930 \u0926\u093f\u0928 \u0939\u0948, \u0939\u092e \u092c\u093e\u091c\u093c\u093e\u0930 \u091c\u093e\u092f\u0947\u0902\u0917\u0947\u0964",
    "\u0986\u09ae\u09bf \u09ac\u09be\u0982\u09b2\u09be\u09af\u09bc \u0997\u09be\u09a8 \u0997\u09be\u0987\u0964",
    "\u0ba4\u0bae\u0bbf\u0bb4\u0bcd \u0bae\u0bca\u0bb4\u0bbf \u0bae\u0bbf\u0b95\u0bb5\u0bc1\u0bae\u0bcd \u0baa\u0bb4\u0bae\u0bc8\u0baf\u0bbe\u0ba9\u0ba4\u0bc1.",
    "\u0c24\u0c46\u0c32\u0c41\u0c17\u0c41 \u0c2a\u0c41\u0c38\u0c4d\u0c24\u0c15\u0c02 \u0c1a\u0c26\u0c41\u0c35\u0c41\u0c24\u0c41\u0c28\u0c4d\u0c28\u0c3e\u0c28\u0c41.",
    "\u0e27\u0e31\u0e19\u0e19\u0e35\u0e49\u0e2d\u0e32\u0e01\u0e32\u0e28\u0e14\u0e35\u0e21\u0e32\u0e01 \u0e44\u0e1b\u0e40\u0e17\u0e35\u0e48\u0e22\u0e27\u0e01\u0e31\u0e19\u0e40\u0e16\u0e2d\u0e30",
    "\u10d3\u10d8\u10da\u10d0 \u10db\u10e8\u10d5\u10d8\u10d3\u10dd\u10d1\u10d8\u10e1\u10d0, \u10e0\u10dd\u10d2\u10dd\u10e0 \u10ee\u10d0\u10e0?",
    "\u0532\u0561\u0580\u0587 \u0571\u0565\u0566, \u056b\u0576\u0579\u057a\u0565\u055e\u057d \u0565\u0584\u0589",
    "\u1230\u120b\u121d \u12cd\u12f5 \u1353\u12f0\u129b\u12ec\u1362",
    "\u4eca\u5929\u5929\u6c14\u5f88\u597d\uff0c\u6211\u4eec\u53bb\u516c\u56ed\u6563\u6b65\u3002",
    "\u7e41\u9ad4\u4e2d\u6587\u7684\u6e2c\u8a66\uff1a\u8cc7\u6599\u5eab\u8207\u6a5f\u5668\u5b78\u7fd2\u3002",
    "\u5bff\u53f8\u3092\u98df\u3079\u306b\u884c\u304d\u307e\u305b\u3093\u304b\uff1f\u30d1\u30bd\u30b3\u30f3\u3068\u304c\u304e\u3050\u3052\u3054\u3002",
    "\uff8a\uff9d\uff76\uff78\u306e\u30ab\u30bf\u30ab\u30ca \uff26\uff55\uff4c\uff4c\uff57\uff49\uff44\uff54\uff48 \uff11\uff12\uff13",
    "\uc548\ub155\ud558\uc138\uc694, \uc624\ub298 \ub0a0\uc528\uac00 \uc815\ub9d0 \uc88b\ub124\uc694.",
    "\u1112\u1161\u11ab\u1100\u1173\u11af \u1107\u116e\u11ab\u1112\u1162",
    "I \u2764\ufe0f SQL \U0001f680\U0001f469\u200d\U0001f4bb and \U0001f1e9\U0001f1ea flags \U0001f44d\U0001f3fd!",
    "SELECT name, count(*) FROM doc WHERE body LIKE '%foo_bar%' GROUP BY 1 ORDER BY 2 DESC;",
    "for (int i = 0; i < n; i++) { sum += a[i] * b[i]; } /* dot product */",
    "Write to user.name+tag@example.org or see https://example.org/a/b?c=d&e=%20f#g.",
    "E = mc\u00b2, \u222b\u2080\u00b9 x\u00b2 dx = \u2153, \u03c0 \u2248 3.14159, \u221e \u2260 \u2205, \u00bd + \u00bc = \u00be",
    "Price: \u20ac 1.234,56 / $1,234.56 / \u00a512\u4e07 / \u20b91,23,456 (10 % off)",
    "cafe\u0301 na\u0131\u0308ve a\u030a\u0323 Z\u0351\u036b\u0343\u036aa\u0300\u0301\u0302l\u0334g\u0335o\u0336",
    "tabs\tand\nnew lines\r\nand\u00a0spaces\u2003of\u200bmany\ufeffkinds\u2028here",
    "[CLS] written out [SEP] and [MASK] and [UNK] and [PAD] [sep]",
    "soft\u00adhyphens, \u0007 bells \u001b[31mred\u001b[0m, \ufffd replacement, \u0080 control",
    "1234567890 3.14 1e-5 0x7fff 2026-11-23T08:43:09Z 192.168.0.1 v1.2.3-rc4",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    "THE WHOLE LINE IN CAPITALS, \u0130 AND \u1e9e AND \u03a3\u0391\u03a3 TOO",
    "!!! ??? ... --- *** ((([[[{{{<<<>>>}}}]]]))) ~~~ ``` ||| \\\\\\ /// ^^^",
]
EXTREMES = ["", " ", "a", "\u4e2d", "\U0001f600", "\u0301", ".", "[SEP]", "\n\n\n", "word"]


def compose():
    """Extremes, each sentence alone, then mixtures whose lengths go from a few to 600 tokens."""
    source = random.Random(20)
    texts = EXTREMES + SENTENCES
    while len(texts) < TEXTS:
        texts.append(" ".join(source.choice(SENTENCES) for _ in range(source.choice(
            (1, 2, 2, 3, 4, 5, 7, 14, 28)))))
        if len(texts) % 3 == 0:  # cut, so that lengths are mixed and words end in the middle
            cut = source.randrange(1, min(len(texts[-1]), 400) + 1)
            texts[-1] = texts[-1][:cut]
    return texts


def write_texts(folder, texts, ids):
    with open(os.path.join(folder, "texts.jsonl"), "w", encoding="utf-8", newline="\n") as out:
        for text, tokens in zip(texts, ids):
            json.dump({"text": text, "ids": tokens}, out, separators=(",", ":"))
            out.write("\n")


def hidden_of(model, ids):
    with torch.no_grad():
        out = model(input_ids=torch.tensor([ids]), output_hidden_states=True)
    return torch.stack([layer[0] for layer in out.hidden_states]).double().numpy()


def encode_all(model, texts):
    """One by one: a batch's padding would change the reference's last bits."""
    return numpy.stack([model.encode([text], show_progress_bar=False)[0] for text in texts])


def make(model_folder, folder):
    texts = compose()
    os.makedirs(folder, exist_ok=True)
    tokenizer = tokenizers.Tokenizer.from_file(os.path.join(model_folder, "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(WINDOW)
    ids = [tokenizer.encode(text).ids for text in texts]
    model = sentence_transformers.SentenceTransformer(model_folder, device="cpu")
    single = encode_all(model.float(), texts)
    double = encode_all(model.double(), texts)
    assert double.dtype == numpy.float64
    encoder = model[0].model if hasattr(model[0], "model") else model[0].auto_model
    chosen = [texts.index(text) for text in ("", SENTENCES[2], SENTENCES[36], SENTENCES[41])]
    hidden = [hidden_of(encoder, ids[i]) for i in chosen]
    write_texts(folder, texts, ids)
    double.astype("<f4").tofile(os.path.join(folder, "vectors.f32"))
    numpy.concatenate([h.reshape(-1) for h in hidden]).astype("<f4").tofile(
        os.path.join(folder, "hidden.f32"))
    versions = {module.__name__: module.__version__
                for module in (sentence_transformers, tokenizers, torch, transformers)}
    meta = {"reference": versions, "precision": "float64", "window": WINDOW,
            "texts": len(texts), "width": double.shape[1],
            "noise": float(numpy.abs(single - double).max()),
            "hidden": [{"text": i, "tokens": len(ids[i])} for i in chosen]}
    with open(os.path.join(folder, "meta.json"), "w", encoding="utf-8", newline="\n") as out:
        json.dump(meta, out, indent=1)
        out.write("\n")
    lengths = [len(tokens) for tokens in ids]
    print(f"{len(texts)} texts, {sum(lengths)} tokens, {lengths.count(WINDOW)} at the window, "
          f"float32 noise {meta['noise']:.2e}")
