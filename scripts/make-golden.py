#!/usr/bin/env python3
"""Make the golden models: models/tiny/* and, with --minilm FOLDER, test/golden/minilm.

Every model in models/tiny has random weights, drawn so that each of them shows in the results
(the reference library's own initialisation is nearly blind: zero biases, unit gains). The reference
runs in float64; `noise` is how far its own float32 run is away. Running this again with the pinned
versions gives the same files.

    python3 scripts/make-golden.py [--only NAME …]       models/tiny
    python3 scripts/make-golden.py --minilm FOLDER       test/golden/minilm, from the real model
"""

import argparse
import collections
import json
import os
import shutil
import sys
import tempfile

import numpy
import safetensors.torch
import sentence_transformers
import tokenizers
import torch
import transformers

import gte_new  # beside this file
import nomic_bert
import xlm_roberta_flash
import jina_bert

PINNED = {
    sentence_transformers: "6.2.0",
    tokenizers: "0.23.3",
    transformers: "5.23.0",
    torch: "2.13.0",
}

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")
TINY = os.path.join(ROOT, "models", "tiny")
MINILM = os.path.join(ROOT, "test", "golden", "minilm")

# Special tokens: how BERT has them, and how RoBERTa does; then the same by their names.
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
NAMES = {
    "bert": dict(pad="[PAD]", unk="[UNK]", cls="[CLS]", sep="[SEP]", mask="[MASK]"),
    "roberta": dict(cls="<s>", pad="<pad>", sep="</s>", unk="<unk>", mask="<mask>"),
    "mpnet": dict(cls="<s>", pad="<pad>", sep="</s>", unk="[UNK]", mask="<mask>"),
}
LETTERS = "abcdefghijklmnopqrstuvwxyz"
WORDS = ["the", "query", "cat", "sat", "on", "mat", "data", "base", "##base", "##s", "##ing"]
ORDINARY = list(LETTERS) + ["##" + c for c in LETTERS] + list("0123456789.,:!?-") + WORDS
VOCABULARY = list(dict.fromkeys(SPECIAL + ORDINARY))

TEXTS = [
    "",
    "cat",
    "The cat sat on the mat.",
    "Databases, 42 queries: indexing?",
    "the quick brown fox jumps over the lazy dog and runs on and on until the window is full",
    "\u00c9t\u00e9 na\u00efve \u65e5\u672c",
]

# Where tokens stand: marks that are taken away, characters outside the BMP, unknown words.
TAG_TEXTS = TEXTS + [
    "the database\u2019s \u03b1\u03b2\u03b3 query \U0001f642 a\u0301b\u0301 42",
    "  [SEP] \t databases,\u3000\u6771\u4eac! ",
]

# Masks alone, beside each other, within a word, and twice in a text.
MASK_TEXTS = [
    "[MASK]",
    "the [MASK] sat on the mat.",
    "the [MASK] [MASK] query, 42 [MASK]",
    "Databases[MASK]: the\u00e9 indexing [SEP] [MASK]?",
]
MASK_FILLS = 7

# What each folder has that the others have not. `naming`, `dtype`, `shards` and `st` say how its
# files are written; the rest goes into config.json.
FOLDERS = {
    "bert": dict(hidden_size=36, num_attention_heads=3, num_hidden_layers=2, intermediate_size=7),
    "bert-head5": dict(hidden_size=20, num_attention_heads=4, num_hidden_layers=1,
                       intermediate_size=13, type_vocab_size=1, hidden_act="gelu_new",
                       layer_norm_eps=1e-5, embedding_scale=0.05),
    "bert-types3": dict(hidden_size=48, num_attention_heads=3, num_hidden_layers=1,
                        intermediate_size=33, type_vocab_size=3, hidden_act="relu", pooler=False),
    "bert-silu": dict(hidden_size=20, num_attention_heads=1, num_hidden_layers=2,
                      intermediate_size=20, hidden_act="silu", layer_norm_eps=1e-3),
    "bert-tanh": dict(hidden_size=20, num_attention_heads=5, num_hidden_layers=1,
                      intermediate_size=12, hidden_act="gelu_pytorch_tanh", spare_rows=9),
    "bert-gamma": dict(hidden_size=36, num_attention_heads=3, num_hidden_layers=1,
                       intermediate_size=7, naming="gamma", spare_rows=5),
    "bert-fused": dict(hidden_size=36, num_attention_heads=9, num_hidden_layers=1,
                       intermediate_size=7, naming="fused"),
    "bert-prefix": dict(hidden_size=20, num_attention_heads=2, num_hidden_layers=1,
                        intermediate_size=8, naming="auto_model"),
    "bert-f16": dict(hidden_size=36, num_attention_heads=3, num_hidden_layers=1,
                     intermediate_size=7, dtype=torch.float16),
    "bert-bf16": dict(hidden_size=36, num_attention_heads=3, num_hidden_layers=1,
                      intermediate_size=7, dtype=torch.bfloat16),
    "bert-sharded": dict(hidden_size=20, num_attention_heads=4, num_hidden_layers=2,
                         intermediate_size=9, shards=3),
    "bert-st5-cls": dict(hidden_size=20, num_attention_heads=4, num_hidden_layers=1,
                         intermediate_size=9, st=5, pooling="cls", normalize=True,
                         prompts={"query": "query: ", "passage": "the data "}),
    "bert-st5-prompt": dict(hidden_size=20, num_attention_heads=4, num_hidden_layers=1,
                            intermediate_size=9, st=5, pooling="mean", normalize=True,
                            include_prompt=False, default="query",
                            prompts={"query": "query: ", "none": ""}),
    "bert-st5-sqrt": dict(hidden_size=20, num_attention_heads=4, num_hidden_layers=1,
                          intermediate_size=9, st=5, pooling="mean_sqrt_len_tokens",
                          normalize=False),
    "bert-st6-max": dict(hidden_size=20, num_attention_heads=4, num_hidden_layers=1,
                         intermediate_size=9, st=6, pooling="max", normalize=False,
                         include_prompt=False, prompts={"query": "query: "}),
    "bert-st6-weighted": dict(hidden_size=20, num_attention_heads=4, num_hidden_layers=1,
                              intermediate_size=9, st=6, pooling="weightedmean", normalize=True,
                              include_prompt=False, prompts={"query": "query: "}),
    "bert-st6-last": dict(hidden_size=20, num_attention_heads=4, num_hidden_layers=1,
                          intermediate_size=9, st=6, pooling="lasttoken", normalize=True),
    "bert-st6-cls": dict(hidden_size=20, num_attention_heads=4, num_hidden_layers=1,
                         intermediate_size=9, st=6, pooling="cls", normalize=True,
                         include_prompt=False, prompts={"query": "query: "}),
    "distilbert": dict(family="DistilBert", dim=36, n_heads=3, n_layers=2, hidden_dim=7),
    "distilbert-st6": dict(family="DistilBert", dim=20, n_heads=4, n_layers=1, hidden_dim=9,
                           activation="relu", sinusoidal_pos_embds=True, st=6, pooling="mean",
                           normalize=True),
    # Heads; the seed is their own, so that rows may be added before them.
    "bert-sequence": dict(seed=100, head="SequenceClassification", hidden_size=36,
                          num_attention_heads=3, num_hidden_layers=2, intermediate_size=7,
                          id2label={0: "anger", 1: "joy", 2: "no feeling"}),
    "bert-multi-label": dict(seed=101, head="SequenceClassification", hidden_size=20,
                             num_attention_heads=4, num_hidden_layers=1, intermediate_size=9,
                             problem_type="multi_label_classification",
                             id2label={0: "news", 1: "sport", 2: "caf\u00e9", 3: "data"}),
    "bert-regression": dict(seed=102, head="SequenceClassification", hidden_size=20,
                            num_attention_heads=4, num_hidden_layers=1, intermediate_size=9,
                            problem_type="regression", num_labels=1),
    "distilbert-sequence": dict(seed=103, head="SequenceClassification", family="DistilBert",
                                dim=36, n_heads=3, n_layers=2, hidden_dim=7),
    "bert-token": dict(seed=104, head="TokenClassification", hidden_size=36, num_attention_heads=3,
                       num_hidden_layers=2, intermediate_size=7,
                       id2label={0: "O", 1: "B-PER", 2: "I-PER", 3: "B-LOC", 4: "I-LOC"}),
    "distilbert-token": dict(seed=105, head="TokenClassification", family="DistilBert", dim=20,
                             n_heads=4, n_layers=1, hidden_dim=9,
                             id2label={0: "O", 1: "Gr\u00f6\u00dfe"}),
    # BERT's kin.
    "roberta": dict(seed=300, family="Roberta", hidden_size=36, num_attention_heads=3,
                    num_hidden_layers=2, intermediate_size=7, type_vocab_size=1),
    "roberta-xlm-st6": dict(seed=301, family="XLMRoberta", hidden_size=20, num_attention_heads=4,
                            num_hidden_layers=1, intermediate_size=9, layer_norm_eps=1e-5, st=6,
                            pooling="mean", normalize=True,
                            prompts={"query": "query: ", "passage": "passage: "}),
    "roberta-camembert-token": dict(seed=302, head="TokenClassification", family="Camembert",
                                    hidden_size=20, num_attention_heads=5, num_hidden_layers=1,
                                    intermediate_size=9, id2label={0: "O", 1: "I-PER"}),
    "roberta-pad0": dict(seed=303, family="Roberta", tokens="bert", pad_token_id=0, hidden_size=20,
                         num_attention_heads=2, num_hidden_layers=1, intermediate_size=8,
                         hidden_act="relu", type_vocab_size=3),
    "roberta-sequence": dict(seed=304, head="SequenceClassification", family="Roberta",
                             hidden_size=36, num_attention_heads=3, num_hidden_layers=2,
                             intermediate_size=7, type_vocab_size=1,
                             id2label={0: "negative", 1: "neutral", 2: "positive"}),
    "electra": dict(seed=305, family="Electra", embedding_size=20, hidden_size=36,
                    num_attention_heads=3, num_hidden_layers=2, intermediate_size=7),
    "electra-sequence": dict(seed=306, head="SequenceClassification", family="Electra",
                             embedding_size=20, hidden_size=20, num_attention_heads=4,
                             num_hidden_layers=1, intermediate_size=9, hidden_act="relu"),
    "electra-token": dict(seed=307, head="TokenClassification", family="Electra",
                          embedding_size=40, hidden_size=20, num_attention_heads=4,
                          num_hidden_layers=1, intermediate_size=9,
                          id2label={0: "O", 1: "B-LOC", 2: "I-LOC"}),
    "ernie": dict(seed=308, family="Ernie", hidden_size=36, num_attention_heads=3,
                  num_hidden_layers=2, intermediate_size=7, use_task_id=True,
                  task_type_vocab_size=2),
    "ernie-sequence": dict(seed=309, head="SequenceClassification", family="Ernie", hidden_size=20,
                           num_attention_heads=4, num_hidden_layers=1, intermediate_size=9,
                           type_vocab_size=4),
    "albert": dict(seed=310, family="Albert", embedding_size=12, hidden_size=36,
                   num_attention_heads=3, num_hidden_layers=3, intermediate_size=7),
    "albert-sequence": dict(seed=311, head="SequenceClassification", family="Albert",
                            embedding_size=20, hidden_size=20, num_attention_heads=4,
                            num_hidden_layers=2, intermediate_size=9, hidden_act="gelu"),
    "albert-token": dict(seed=312, head="TokenClassification", family="Albert", embedding_size=28,
                         hidden_size=20, num_attention_heads=5, num_hidden_layers=1,
                         intermediate_size=9, id2label={0: "O", 1: "B-X", 2: "I-X"}),
    "mpnet": dict(seed=313, family="MPNet", hidden_size=36, num_attention_heads=3,
                  num_hidden_layers=2, intermediate_size=7),
    "mpnet-sequence": dict(seed=314, head="SequenceClassification", family="MPNet", hidden_size=20,
                           num_attention_heads=4, num_hidden_layers=1, intermediate_size=9,
                           relative_attention_num_buckets=40, hidden_act="gelu_new"),
    "mpnet-st6": dict(seed=315, family="MPNet", hidden_size=20, num_attention_heads=4,
                      num_hidden_layers=1, intermediate_size=9, st=6, pooling="mean",
                      normalize=True, tokenizer_class="PreTrainedTokenizerFast"),
    "roformer": dict(seed=316, family="RoFormer", embedding_size=20, hidden_size=36,
                     num_attention_heads=3, num_hidden_layers=2, intermediate_size=7),
    "roformer-sequence": dict(seed=317, head="SequenceClassification", family="RoFormer",
                              hidden_size=20, num_attention_heads=2, num_hidden_layers=1,
                              intermediate_size=9, hidden_act="silu"),
    "big_bird": dict(seed=318, family="BigBird", hidden_size=36, num_attention_heads=3,
                     num_hidden_layers=2, intermediate_size=7, block_size=16,
                     num_random_blocks=1),
    "big_bird-sequence": dict(seed=319, head="SequenceClassification", family="BigBird",
                              hidden_size=20, num_attention_heads=4, num_hidden_layers=1,
                              intermediate_size=9, attention_type="original_full",
                              hidden_act="relu"),
    "longformer": dict(seed=320, family="Longformer", hidden_size=36, num_attention_heads=3,
                       num_hidden_layers=2, intermediate_size=7, attention_window=[4, 4],
                       type_vocab_size=1),
    "longformer-token": dict(seed=321, head="TokenClassification", family="Longformer",
                             hidden_size=20, num_attention_heads=4, num_hidden_layers=1,
                             intermediate_size=9, attention_window=6,
                             id2label={0: "O", 1: "B-DATE", 2: "I-DATE"}),
    # Modules behind pooling, and several poolings.
    "bert-st6-labse": dict(seed=330, hidden_size=20, num_attention_heads=4, num_hidden_layers=1,
                           intermediate_size=9, st=6, pooling="cls", normalize=True,
                           steps=[("Dense", 20, 20, "Tanh", {})]),
    "distilbert-st6-distiluse": dict(seed=331, family="DistilBert", dim=20, n_heads=4, n_layers=1,
                                     hidden_dim=9, st=6, pooling="mean", normalize=False,
                                     steps=[("Dense", 20, 12, "Tanh", {})]),
    "bert-st6-steps": dict(seed=332, hidden_size=20, num_attention_heads=4, num_hidden_layers=1,
                           intermediate_size=9, st=6, normalize=True,
                           pooling=["max", "cls", "mean_sqrt_len_tokens"],
                           steps=[("Normalize",), ("Dense", 60, 14, "GELU", dict(bias=False)),
                                  ("LayerNorm", 14), ("Dropout",),
                                  ("Dense", 14, 14, "Sigmoid", dict(use_residual=True)),
                                  ("Dense", 14, 9, "Softsign", dict(use_residual=True))]),
    "bert-st5-flags": dict(seed=333, hidden_size=20, num_attention_heads=4, num_hidden_layers=1,
                           intermediate_size=9, st=5, pooling=["weightedmean", "mean", "cls"],
                           normalize=False),
    "bert-st6-lists": dict(seed=334, hidden_size=20, num_attention_heads=4, num_hidden_layers=1,
                           intermediate_size=9, st=6, pooling=["lasttoken", "cls", "lasttoken"],
                           normalize=True, include_prompt=False, prompts={"query": "query: "}),
    # Rotary and relative positions, gated nets, heads that share keys.
    "modernbert": dict(seed=350, family="ModernBert", hidden_size=24, num_attention_heads=3,
                       num_hidden_layers=4, intermediate_size=7, local_attention=6),
    "modernbert-old": dict(seed=351, family="ModernBert", old=True, hidden_size=20,
                           num_attention_heads=1, num_hidden_layers=3, intermediate_size=9,
                           local_attention=5, layers_apart=2, norm_bias=True, attention_bias=True,
                           mlp_bias=True, norm_eps=1e-3, hidden_activation="silu",
                           rope_parameters={"full_attention": {"rope_theta": 700.0},
                                            "sliding_attention": {"rope_theta": 50.0}}),
    "modernbert-sequence": dict(seed=352, family="ModernBert", head="SequenceClassification",
                                hidden_size=20, num_attention_heads=2, num_hidden_layers=2,
                                intermediate_size=9, local_attention=4, classifier_pooling="mean",
                                norm_bias=True, id2label={0: "no", 1: "yes", 2: "perhaps"}),
    "modernbert-token": dict(seed=353, family="ModernBert", head="TokenClassification",
                             hidden_size=20, num_attention_heads=5, num_hidden_layers=2,
                             intermediate_size=9, local_attention=4, classifier_bias=True,
                             id2label={0: "O", 1: "B-PER", 2: "I-PER"}),
    "t5": dict(seed=354, family="T5", d_model=20, d_kv=9, num_heads=3, d_ff=7, num_layers=2,
               relative_attention_num_buckets=10, relative_attention_max_distance=9),
    "t5-st6": dict(seed=355, family="T5", d_model=36, d_kv=4, num_heads=5, d_ff=9, num_layers=1,
                   relative_attention_num_buckets=8, relative_attention_max_distance=20,
                   feed_forward_proj="gated-gelu", st=6, pooling="mean", normalize=True),
    "mt5": dict(seed=356, family="MT5", naming="words", d_model=20, d_kv=6, num_heads=4, d_ff=7, num_layers=2,
                relative_attention_num_buckets=8, relative_attention_max_distance=12,
                layer_norm_epsilon=1e-3),
    "qwen3": dict(seed=357, family="Qwen3", hidden_size=36, num_attention_heads=6,
                  num_key_value_heads=2, head_dim=10, num_hidden_layers=2, intermediate_size=7),
    "qwen3-st6": dict(seed=358, family="Qwen3", old=True, hidden_size=20, num_attention_heads=3,
                      num_key_value_heads=3, head_dim=4, num_hidden_layers=1, intermediate_size=9,
                      rms_norm_eps=1e-3, rope_parameters={"rope_theta": 1000.0}, st=6,
                      pooling="lasttoken", normalize=True, prompts={"query": "query: "}),
    "qwen3-both-sides": dict(seed=359, family="Qwen3", hidden_size=20, num_attention_heads=4,
                             num_key_value_heads=1, head_dim=6, num_hidden_layers=1,
                             intermediate_size=9, attention_bias=True, is_causal=False),
    "qwen2": dict(seed=360, family="Qwen2", hidden_size=36, num_attention_heads=6,
                  num_key_value_heads=3, num_hidden_layers=2, intermediate_size=7),
    "llama": dict(seed=361, family="Llama", hidden_size=20, num_attention_heads=5,
                  num_hidden_layers=2, intermediate_size=9, attention_bias=True, mlp_bias=True,
                  hidden_act="gelu"),
    "mistral": dict(seed=362, family="Mistral", hidden_size=20, num_attention_heads=5,
                    num_key_value_heads=1, head_dim=6, num_hidden_layers=2, intermediate_size=7,
                    sliding_window=4),
    "mistral-both-sides": dict(seed=363, family="Mistral", hidden_size=20, num_attention_heads=2,
                               num_key_value_heads=2, num_hidden_layers=1, intermediate_size=7,
                               sliding_window=3, is_causal=False),
    "eurobert": dict(seed=364, family="EuroBert", hidden_size=36, num_attention_heads=3,
                     num_hidden_layers=2, intermediate_size=7),
    "eurobert-token": dict(seed=365, family="EuroBert", head="TokenClassification", hidden_size=20,
                           num_attention_heads=2, num_key_value_heads=1, num_hidden_layers=1,
                           intermediate_size=9, id2label={0: "O", 1: "B-LOC", 2: "I-LOC"}),
    "nomic_bert": dict(seed=366, family="NomicBert", hidden_size=36, num_attention_heads=3,
                       num_hidden_layers=2, intermediate_size=7, type_vocab_size=2),
    "nomic_bert-authors": dict(seed=367, family="NomicBert", naming="nomic", hidden_size=20,
                               num_attention_heads=2, num_hidden_layers=2, intermediate_size=9,
                               type_vocab_size=2, layer_norm_eps=1e-3),
    "nomic_bert-sequence": dict(seed=368, family="NomicBert", head="SequenceClassification",
                                hidden_size=20, num_attention_heads=2, num_hidden_layers=1,
                                intermediate_size=9, type_vocab_size=1,
                                id2label={0: "no", 1: "yes"}),
    "gte": dict(seed=369, family="Gte", hidden_size=36, num_attention_heads=3, num_hidden_layers=2,
                intermediate_size=7, type_vocab_size=0, st=6, pooling="cls", normalize=True),
    "gte-authors": dict(seed=370, family="Gte", naming="gte", hidden_size=20,
                        num_attention_heads=5, num_hidden_layers=2, intermediate_size=9,
                        type_vocab_size=2),
    "gemma3": dict(seed=375, family="Gemma3Text", hidden_size=20, num_attention_heads=4,
                   num_key_value_heads=2, head_dim=10, num_hidden_layers=3, intermediate_size=7,
                   layers_apart=2, sliding_window=5, query_pre_attn_scalar=9),
    "gemma3-both-sides": dict(seed=376, family="Gemma3Text", old=True, hidden_size=20,
                              num_attention_heads=5, num_key_value_heads=1, head_dim=6,
                              num_hidden_layers=2, intermediate_size=9, layers_apart=2,
                              sliding_window=6, query_pre_attn_scalar=6,
                              use_bidirectional_attention=True,
                              rope_parameters={"full_attention": {"rope_theta": 700.0},
                                               "sliding_attention": {"rope_theta": 50.0}},
                              st=6, pooling="mean", normalize=True),
    "deberta-v2": dict(seed=371, family="DebertaV2", hidden_size=36, num_attention_heads=3,
                       num_hidden_layers=2, intermediate_size=7, relative_attention=True,
                       position_buckets=8, max_relative_positions=-1, norm_rel_ebd="layer_norm",
                       pos_att_type=["p2c", "c2p"], share_att_key=True,
                       position_biased_input=False, type_vocab_size=0),
    "deberta-v2-one-way": dict(seed=372, family="DebertaV2", hidden_size=20,
                               num_attention_heads=2, num_hidden_layers=2, intermediate_size=9,
                               relative_attention=True, max_relative_positions=6,
                               pos_att_type="p2c", share_att_key=True, type_vocab_size=2,
                               layer_norm_eps=1e-3, st=6, pooling="mean", normalize=True),
    "deberta-v2-sequence": dict(seed=373, family="DebertaV2", head="SequenceClassification",
                                hidden_size=20, num_attention_heads=4, num_hidden_layers=1,
                                intermediate_size=9, relative_attention=True, position_buckets=6,
                                max_relative_positions=20, norm_rel_ebd="layer_norm",
                                pos_att_type="p2c|c2p", share_att_key=True,
                                position_biased_input=False, type_vocab_size=0,
                                id2label={0: "no", 1: "yes", 2: "perhaps"}),
    "deberta-v2-token": dict(seed=374, family="DebertaV2", head="TokenClassification",
                             hidden_size=20, num_attention_heads=5, num_hidden_layers=1,
                             intermediate_size=9, relative_attention=True, position_buckets=4,
                             max_relative_positions=9, pos_att_type=["c2p"], share_att_key=True,
                             position_biased_input=False, type_vocab_size=0,
                             id2label={0: "O", 1: "B-ORG", 2: "I-ORG"}),
    # Of pairs of texts.
    "bert-cross": dict(seed=400, head="SequenceClassification", pairs="cross", hidden_size=36,
                       num_attention_heads=3, num_hidden_layers=2, intermediate_size=7,
                       num_labels=1),
    "bert-cross-raw": dict(seed=401, head="SequenceClassification", pairs="cross", hidden_size=20,
                           num_attention_heads=4, num_hidden_layers=1, intermediate_size=9,
                           num_labels=1, sbert_ce_default_activation_function=
                           "torch.nn.modules.linear.Identity"),
    "distilbert-cross-st6": dict(seed=402, head="SequenceClassification", pairs="cross",
                                 family="DistilBert", dim=20, n_heads=4, n_layers=1, hidden_dim=9,
                                 num_labels=1, cross_st6=True),
    "bert-nli": dict(seed=403, head="SequenceClassification", pairs="nli", hidden_size=36,
                     num_attention_heads=3, num_hidden_layers=2, intermediate_size=7,
                     id2label={0: "contradiction", 1: "Entailment", 2: "neutral"},
                     label2id={"contradiction": 0, "Entailment": 1, "neutral": 2}),
    "bert-nli-last": dict(seed=404, head="SequenceClassification", pairs="nli", hidden_size=20,
                          num_attention_heads=4, num_hidden_layers=1, intermediate_size=9,
                          id2label={0: "entailment", 1: "neutral", 2: "contradiction"},
                          label2id={"entailment": 0, "neutral": 1, "contradiction": 2}),
    "bert-next": dict(seed=405, head="NextSentencePrediction", hidden_size=36,
                      num_attention_heads=3, num_hidden_layers=2, intermediate_size=7),
    "bert-pretraining": dict(seed=406, head="PreTraining", hidden_size=20, num_attention_heads=4,
                             num_hidden_layers=1, intermediate_size=9),
    "bert-answer": dict(seed=407, head="QuestionAnswering", hidden_size=36, num_attention_heads=3,
                        num_hidden_layers=2, intermediate_size=7),
    "distilbert-answer": dict(seed=408, head="QuestionAnswering", family="DistilBert", dim=20,
                              n_heads=4, n_layers=1, hidden_dim=9),
    # Labels of other schemes, and a tokenizer whose pieces bear no mark.
    "bert-token-bioes": dict(seed=420, head="TokenClassification", hidden_size=20, num_attention_heads=4,
                             num_hidden_layers=1, intermediate_size=9,
                             id2label=dict(enumerate(["O", "B-A", "I-A", "E-A", "S-A", "B", "A", "X-A-B", "B-O"]))),
    "bert-token-words": dict(seed=426, head="TokenClassification", hidden_size=20, num_attention_heads=4,
                             num_hidden_layers=1, intermediate_size=9, words=True, tokenizer_class="PreTrainedTokenizerFast",
                             id2label={0: "O", 1: "B-PER", 2: "I-PER", 3: "LOC"}),
    "bert-mask": dict(seed=422, head="MaskedLM", hidden_size=36, num_attention_heads=3, num_hidden_layers=2,
                      intermediate_size=7),
    "bert-mask-untied": dict(seed=423, head="MaskedLM", hidden_size=20, num_attention_heads=4, num_hidden_layers=1,
                             intermediate_size=9, hidden_act="relu", layer_norm_eps=1e-3, spare_rows=5,
                             tie_word_embeddings=False),
    "distilbert-mask": dict(seed=424, head="MaskedLM", family="DistilBert", dim=36, n_heads=3, n_layers=1,
                            hidden_dim=7),
    # Sparse encoders: as the library wrote them first, and as it does today; and a folder that does not say it is one.
    "bert-splade": dict(seed=450, head="MaskedLM", hidden_size=36, num_attention_heads=3, num_hidden_layers=2,
                        intermediate_size=7, sparse=dict(module="MLMTransformer", pooling_strategy="max",
                                                         activation_function="relu",
                                                         prompts={"query": "query: ", "document": "on the "})),
    "distilbert-splade-sum": dict(seed=451, head="MaskedLM", family="DistilBert", dim=36, n_heads=3, n_layers=1,
                                  hidden_dim=7, sparse=dict(module="Transformer", pooling_strategy="sum",
                                                            activation_function="log1p_relu")),
    "bert-splade-plain": dict(seed=452, head="MaskedLM", hidden_size=20, num_attention_heads=4, num_hidden_layers=1,
                              intermediate_size=9, hidden_act="relu", layer_norm_eps=1e-3, spare_rows=5,
                              tie_word_embeddings=False, max_position_embeddings=260, sparse=None),
    "bert-sides": dict(seed=427, hidden_size=20, num_attention_heads=4, num_hidden_layers=1, intermediate_size=9, st=6,
                       pooling="mean", normalize=True,
                       prompts={"document": "on the ", "query": "query: ", "passage": "mat "}),
    # Heads of BERT's kin: words for masks.
    "roberta-mask": dict(seed=480, head="MaskedLM", family="Roberta", hidden_size=20, num_attention_heads=4,
                         num_hidden_layers=1, intermediate_size=9, type_vocab_size=1),
    "roberta-xlm-mask": dict(seed=481, head="MaskedLM", family="XLMRoberta", hidden_size=20, num_attention_heads=2,
                             num_hidden_layers=1, intermediate_size=7, hidden_act="relu", layer_norm_eps=1e-3,
                             type_vocab_size=1, tie_word_embeddings=False),
    "albert-mask": dict(seed=482, head="MaskedLM", family="Albert", embedding_size=12, hidden_size=20,
                        num_attention_heads=4, num_hidden_layers=2, intermediate_size=9),
    "electra-mask": dict(seed=483, head="MaskedLM", family="Electra", embedding_size=28, hidden_size=20,
                         num_attention_heads=4, num_hidden_layers=1, intermediate_size=9, hidden_act="relu"),
    "mpnet-mask": dict(seed=484, head="MaskedLM", family="MPNet", hidden_size=20, num_attention_heads=4,
                       num_hidden_layers=1, intermediate_size=9, hidden_act="silu"),
    "ernie-mask": dict(seed=485, head="MaskedLM", family="Ernie", hidden_size=20, num_attention_heads=4,
                       num_hidden_layers=1, intermediate_size=9),
    "roformer-mask": dict(seed=486, head="MaskedLM", family="RoFormer", embedding_size=12, hidden_size=20,
                          num_attention_heads=2, num_hidden_layers=1, intermediate_size=9, hidden_act="relu"),
    "big_bird-mask": dict(seed=487, head="MaskedLM", family="BigBird", hidden_size=20, num_attention_heads=4,
                          num_hidden_layers=1, intermediate_size=9, attention_type="original_full"),
    "deberta-v2-mask": dict(seed=488, head="MaskedLM", family="DebertaV2", hidden_size=20, num_attention_heads=4,
                            num_hidden_layers=1, intermediate_size=9, relative_attention=True, position_buckets=6,
                            max_relative_positions=20, pos_att_type="p2c|c2p", share_att_key=True,
                            position_biased_input=False, type_vocab_size=0),
    "deberta-v2-mask-own": dict(seed=489, head="MaskedLM", family="DebertaV2", legacy=False, hidden_size=20,
                                num_attention_heads=2, num_hidden_layers=1, intermediate_size=7,
                                relative_attention=True, position_buckets=4, max_relative_positions=9,
                                pos_att_type="c2p", share_att_key=True, position_biased_input=False,
                                type_vocab_size=0, hidden_act="relu"),
    "modernbert-mask": dict(seed=490, head="MaskedLM", family="ModernBert", hidden_size=20, num_attention_heads=2,
                            num_hidden_layers=2, intermediate_size=9, local_attention=4),
    "modernbert-mask-plain": dict(seed=491, head="MaskedLM", family="ModernBert", hidden_size=20,
                                  num_attention_heads=5, num_hidden_layers=1, intermediate_size=7,
                                  local_attention=4, norm_bias=True, classifier_bias=True, decoder_bias=False,
                                  tie_word_embeddings=False),
    "nomic_bert-mask": dict(seed=492, head="MaskedLM", family="NomicBert", hidden_size=20, num_attention_heads=2,
                            num_hidden_layers=1, intermediate_size=9),
    "gte-mask": dict(seed=493, head="MaskedLM", family="Gte", hidden_size=20, num_attention_heads=2,
                     num_hidden_layers=1, intermediate_size=9, type_vocab_size=1, hidden_act="relu"),
    "longformer-mask": dict(seed=494, head="MaskedLM", family="Longformer", hidden_size=20, num_attention_heads=4,
                            num_hidden_layers=1, intermediate_size=9, attention_window=6, type_vocab_size=1),
    "eurobert-mask": dict(seed=495, head="MaskedLM", family="EuroBert", hidden_size=20, num_attention_heads=2,
                          num_key_value_heads=1, num_hidden_layers=1, intermediate_size=9, mlp_bias=True),
    # Answers.
    "roberta-answer": dict(seed=500, head="QuestionAnswering", family="Roberta", hidden_size=20,
                           num_attention_heads=4, num_hidden_layers=2, intermediate_size=9, type_vocab_size=1),
    "electra-answer": dict(seed=501, head="QuestionAnswering", family="Electra", embedding_size=12, hidden_size=20,
                           num_attention_heads=4, num_hidden_layers=1, intermediate_size=9),
    "albert-answer": dict(seed=502, head="QuestionAnswering", family="Albert", embedding_size=12, hidden_size=20,
                          num_attention_heads=4, num_hidden_layers=2, intermediate_size=9),
    "mpnet-answer": dict(seed=503, head="QuestionAnswering", family="MPNet", hidden_size=20, num_attention_heads=4,
                         num_hidden_layers=1, intermediate_size=9),
    "ernie-answer": dict(seed=504, head="QuestionAnswering", family="Ernie", hidden_size=20, num_attention_heads=4,
                         num_hidden_layers=1, intermediate_size=9),
    "roformer-answer": dict(seed=505, head="QuestionAnswering", family="RoFormer", hidden_size=20,
                            num_attention_heads=2, num_hidden_layers=1, intermediate_size=9),
    "deberta-v2-answer": dict(seed=506, head="QuestionAnswering", family="DebertaV2", hidden_size=20,
                              num_attention_heads=4, num_hidden_layers=1, intermediate_size=9,
                              relative_attention=True, position_buckets=6, max_relative_positions=20,
                              norm_rel_ebd="layer_norm", pos_att_type="p2c|c2p", share_att_key=True,
                              position_biased_input=False, type_vocab_size=0),
    "modernbert-answer": dict(seed=507, head="QuestionAnswering", family="ModernBert", hidden_size=20,
                              num_attention_heads=2, num_hidden_layers=2, intermediate_size=9, local_attention=4,
                              classifier_bias=True),
    # Words of bytes.
    "roberta-mask-bytes": dict(seed=513, head="MaskedLM", family="Roberta", bytes=True, spare_rows=240, hidden_size=20,
                               num_attention_heads=4, num_hidden_layers=1, intermediate_size=9, type_vocab_size=1),
    "roberta-answer-bytes": dict(seed=514, head="QuestionAnswering", family="Roberta", bytes=True, spare_rows=240,
                                 hidden_size=20, num_attention_heads=4, num_hidden_layers=1, intermediate_size=9,
                                 type_vocab_size=1),
    # Pairs.
    "roberta-cross": dict(seed=508, head="SequenceClassification", pairs="cross", family="XLMRoberta",
                          hidden_size=20, num_attention_heads=4, num_hidden_layers=1, intermediate_size=9,
                          type_vocab_size=1, num_labels=1),
    "roberta-nli": dict(seed=509, head="SequenceClassification", pairs="nli", family="Roberta", hidden_size=20,
                        num_attention_heads=4, num_hidden_layers=1, intermediate_size=9, type_vocab_size=1,
                        id2label={0: "CONTRADICTION", 1: "NEUTRAL", 2: "ENTAILMENT"},
                        label2id={"CONTRADICTION": 0, "NEUTRAL": 1, "ENTAILMENT": 2}),
    "electra-cross": dict(seed=510, head="SequenceClassification", pairs="cross", family="Electra",
                          embedding_size=12, hidden_size=20, num_attention_heads=4, num_hidden_layers=1,
                          intermediate_size=9, num_labels=1),
    "deberta-v2-nli": dict(seed=511, head="SequenceClassification", pairs="nli", family="DebertaV2",
                           hidden_size=20, num_attention_heads=4, num_hidden_layers=1, intermediate_size=9,
                           relative_attention=True, position_buckets=6, max_relative_positions=20,
                           norm_rel_ebd="layer_norm", pos_att_type="p2c|c2p", share_att_key=True,
                           position_biased_input=False, type_vocab_size=0,
                           id2label={0: "entailment", 1: "neutral", 2: "contradiction"},
                           label2id={"entailment": 0, "neutral": 1, "contradiction": 2}),
    "modernbert-cross": dict(seed=512, head="SequenceClassification", pairs="cross", family="ModernBert",
                             hidden_size=20, num_attention_heads=2, num_hidden_layers=2, intermediate_size=9,
                             local_attention=4, classifier_pooling="mean", num_labels=1),
    # Weights as torch.save writes them.
    "bert-bin": dict(seed=470, bin=True, head="MaskedLM", hidden_size=20, num_attention_heads=4,
                     num_hidden_layers=2, intermediate_size=9),
    "bert-bin-sharded": dict(seed=471, bin=True, shards=2, hidden_size=36, num_attention_heads=3,
                             num_hidden_layers=1, intermediate_size=7, dtype=torch.float16),
    # Late interaction, as sentence-transformers 6 writes it and as pylate did.
    "bert-late": dict(seed=460, hidden_size=36, num_attention_heads=3, num_hidden_layers=2, intermediate_size=7,
                      spare_rows=2, markers=["[Q] ", "[D] "], document_length=14,
                      late=dict(query_expansion=dict(strategy="fixed", attend=False, length=12)),
                      skip=[".", ",", "nowhere", "[UNK]"], steps=[("Dense", 36, 9, "Identity", dict(bias=False))],
                      prompts={"query": "[Q] ", "document": "[D] "}),
    "bert-late-pylate": dict(seed=461, hidden_size=20, num_attention_heads=4, num_hidden_layers=2, intermediate_size=9,
                             spare_rows=2, markers=["[Q] ", "[D] "], prompts={"query": "the "},
                             pylate=dict(query_prefix="[Q] ", document_prefix="[D] ", query_length=11,
                                         document_length=15, attend_to_expansion_tokens=True),
                             steps=[("Dense", 20, 7, "Identity", dict(bias=False))]),
    # As ColBERT's authors wrote it: the projection among the weights, settings in artifact.metadata.
    "bert-late-authors": dict(seed=464, hidden_size=20, num_attention_heads=2, num_hidden_layers=2, intermediate_size=9,
                              max_position_embeddings=40, window=40, spare_rows=2, more_words=["[unused0]", "[unused1]"],
                              authors=dict(width=7, metadata=None)),
    "bert-late-authors-set": dict(seed=465, hidden_size=12, num_attention_heads=3, num_hidden_layers=1, intermediate_size=9,
                                  spare_rows=2, more_words=["[unused0]", "[unused1]"],
                                  authors=dict(width=5, metadata=dict(
                                      query_token_id="[unused1]", doc_token_id="[unused0]", query_maxlen=9, doc_maxlen=12,
                                      attend_to_mask_tokens=True, mask_punctuation=False, dim=5, similarity="cosine"))),
    "distilbert-late": dict(seed=462, family="DistilBert", dim=20, n_heads=4, n_layers=1, hidden_dim=9,
                            late=dict(query_length=7), skip=["the", "."], skip_tasks=["query", "document"],
                            steps=[("Dense", 20, 13, "Tanh", {}), ("Dense", 13, 5, "Identity", {})]),
    "modernbert-late": dict(seed=463, family="ModernBert", hidden_size=24, num_attention_heads=3,
                            num_hidden_layers=4, intermediate_size=7, local_attention=22, skip=[],
                            late=dict(query_expansion=dict(strategy="fixed", attend=False, length=13, token="cat")),
                            steps=[("Dense", 24, 8, "Identity", dict(bias=False))],
                            prompts={"query": "query: ", "document": ""}),
    "mpnet-late": dict(seed=464, family="MPNet", hidden_size=20, num_attention_heads=4, num_hidden_layers=2,
                       intermediate_size=9, skip=["!"],
                       late=dict(query_expansion=dict(strategy="fixed", attend=False, length=16)),
                       steps=[("Dense", 20, 6, "Identity", dict(bias=False))]),
    # Families of 0.4's second half.
    "umt5": dict(seed=520, family="UMT5", d_model=20, d_kv=6, num_heads=4, d_ff=7, num_layers=3,
                 relative_attention_num_buckets=8, relative_attention_max_distance=12),
    "jina_v3": dict(seed=521, family="JinaEmbeddingsV3", hidden_size=36, num_attention_heads=3,
                    num_hidden_layers=2, intermediate_size=7, st=6, pooling="mean", normalize=True),
    "jina_v3-authors": dict(seed=522, family="JinaEmbeddingsV3", naming="jina", hidden_size=20,
                            num_attention_heads=5, num_hidden_layers=2, intermediate_size=9,
                            type_vocab_size=2, layer_norm_eps=1e-3, hidden_act="gelu_new"),
    "jina_v3-sequence": dict(seed=523, family="JinaEmbeddingsV3", head="SequenceClassification", hidden_size=20,
                             num_attention_heads=2, num_hidden_layers=1, intermediate_size=9,
                             id2label={0: "no", 1: "yes", 2: "perhaps"}),
    "jina_v3-token": dict(seed=524, family="JinaEmbeddingsV3", head="TokenClassification", hidden_size=20,
                          num_attention_heads=2, num_hidden_layers=1, intermediate_size=9,
                          id2label={0: "O", 1: "B-LOC", 2: "I-LOC"}),
    "jina_v3-mask": dict(seed=525, family="JinaEmbeddingsV3", head="MaskedLM", hidden_size=20,
                         num_attention_heads=2, num_hidden_layers=1, intermediate_size=9),
    "jina_v3-answer": dict(seed=526, family="JinaEmbeddingsV3", head="QuestionAnswering", hidden_size=20,
                           num_attention_heads=2, num_hidden_layers=1, intermediate_size=9),
    # Classifiers by each kind of pooling.
    "eurobert-sequence": dict(seed=527, family="EuroBert", head="SequenceClassification", hidden_size=20,
                              num_attention_heads=2, num_hidden_layers=1, intermediate_size=9,
                              id2label={0: "no", 1: "yes", 2: "perhaps"}),
    "eurobert-sequence-mean": dict(seed=528, family="EuroBert", head="SequenceClassification", hidden_size=20,
                                   num_attention_heads=2, num_hidden_layers=1, intermediate_size=9,
                                   classifier_pooling="mean", id2label={0: "no", 1: "yes"}),
    "eurobert-sequence-bos": dict(seed=529, family="EuroBert", head="SequenceClassification", hidden_size=20,
                                  num_attention_heads=2, num_hidden_layers=1, intermediate_size=9,
                                  classifier_pooling="bos", id2label={0: "no", 1: "yes"}),
    # A bottleneck in each layer.
    "mobilebert": dict(seed=530, family="MobileBert", hidden_size=20, embedding_size=6, intra_bottleneck_size=12,
                       num_attention_heads=3, num_hidden_layers=2, intermediate_size=7),
    "mobilebert-st6": dict(seed=531, family="MobileBert", hidden_size=12, embedding_size=5, intra_bottleneck_size=18,
                           num_attention_heads=2, num_hidden_layers=1, intermediate_size=9,
                           num_feedforward_networks=1, hidden_act="gelu", st=6, pooling="mean", normalize=True),
    "mobilebert-sequence": dict(seed=532, family="MobileBert", head="SequenceClassification", hidden_size=20,
                                embedding_size=6, intra_bottleneck_size=8, num_attention_heads=2,
                                num_hidden_layers=1, intermediate_size=9, num_feedforward_networks=2,
                                id2label={0: "no", 1: "yes", 2: "perhaps"}),
    "mobilebert-sequence-plain": dict(seed=543, family="MobileBert", head="SequenceClassification", hidden_size=20,
                                      embedding_size=6, intra_bottleneck_size=8, num_attention_heads=2,
                                      num_hidden_layers=1, intermediate_size=9, num_feedforward_networks=3,
                                      classifier_activation=False, id2label={0: "no", 1: "yes"}),
    "mobilebert-token": dict(seed=534, family="MobileBert", head="TokenClassification", hidden_size=20,
                             embedding_size=6, intra_bottleneck_size=8, num_attention_heads=2,
                             num_hidden_layers=1, intermediate_size=9, num_feedforward_networks=2,
                             id2label={0: "O", 1: "B-LOC", 2: "I-LOC"}),
    "mobilebert-answer": dict(seed=535, family="MobileBert", head="QuestionAnswering", hidden_size=20,
                              embedding_size=6, intra_bottleneck_size=8, num_attention_heads=2,
                              num_hidden_layers=1, intermediate_size=9, num_feedforward_networks=2),
    "mobilebert-next": dict(seed=536, family="MobileBert", head="NextSentencePrediction", hidden_size=20,
                            embedding_size=6, intra_bottleneck_size=8, num_attention_heads=2,
                            num_hidden_layers=1, intermediate_size=9, num_feedforward_networks=2),
    # By a reference of our own (jina_bert.py): slopes of a power of two, and of another number of heads.
    "jina_bert": dict(seed=560, family="JinaBert", hidden_size=36, num_attention_heads=4, num_hidden_layers=2,
                      intermediate_size=7, st=6, pooling="mean", normalize=True),
    "jina_bert-heads3": dict(seed=561, family="JinaBert", hidden_size=24, num_attention_heads=3, num_hidden_layers=2,
                             intermediate_size=9, feed_forward_type="reglu", layer_norm_eps=1e-3),
    # GTE under its authors' names (gte_new.py), positions stretched or not.
    "gte_new": dict(seed=610, family="GteNew", naming="gte", hidden_size=36, num_attention_heads=3, num_hidden_layers=2,
                    intermediate_size=7, type_vocab_size=0, st=6, pooling="cls", normalize=True,
                    rope_parameters={"rope_type": "ntk", "rope_theta": 20000.0, "factor": 8.0}),
    "gte_new-mask": dict(seed=611, family="GteNew", naming="gte", head="MaskedLM", hidden_size=20,
                         num_attention_heads=5, num_hidden_layers=1, intermediate_size=9, type_vocab_size=1,
                         rope_parameters={"rope_type": "ntk", "rope_theta": 500.0, "factor": 2.0}),
    "gte_new-sequence": dict(seed=612, family="GteNew", naming="gte", head="SequenceClassification", hidden_size=20,
                             num_attention_heads=2, num_hidden_layers=1, intermediate_size=9, type_vocab_size=2,
                             id2label={0: "no", 1: "yes"},
                             rope_parameters={"rope_type": "default", "rope_theta": 10000.0}),
    # NomicBERT in its authors' words (nomic_bert.py): the net's width and the vocabulary are rounded up.
    "nomic_bert-published": dict(seed=620, family="NomicBertAuthors", naming="nomic_published", hidden_size=12,
                               num_attention_heads=3, num_hidden_layers=2, intermediate_size=256, type_vocab_size=2,
                               spare_rows=1, layer_norm_eps=1e-3, st=6, pooling="mean", normalize=True,
                               rope_parameters={"rope_type": "default", "rope_theta": 500.0}),
    "nomic_bert-published-mask": dict(seed=621, family="NomicBertAuthors", naming="nomic_published", head="MaskedLM",
                                    hidden_size=12, num_attention_heads=2, num_hidden_layers=1, intermediate_size=256,
                                    type_vocab_size=2, spare_rows=1),
    "nomic_bert-published-sequence": dict(seed=622, family="NomicBertAuthors", naming="nomic_published",
                                        head="SequenceClassification", hidden_size=12, num_attention_heads=1,
                                        num_hidden_layers=1, intermediate_size=256, type_vocab_size=1, spare_rows=1,
                                        id2label={0: "no", 1: "yes"}),
    # Jina's in their authors' words (xlm_roberta_flash.py), with adapters that are left out, and without.
    "jina_v3-published": dict(seed=623, family="JinaEmbeddingsV3Authors", naming="jina_adapters", hidden_size=20,
                            num_attention_heads=5, num_hidden_layers=2, intermediate_size=9, st=6, pooling="mean",
                            normalize=True, rope_parameters={"rope_type": "default", "rope_theta": 500.0}),
    "xlm_roberta_flash": dict(seed=624, family="XLMRobertaFlash", naming="flash", head="SequenceClassification",
                              hidden_size=20, num_attention_heads=5, num_hidden_layers=2, intermediate_size=9,
                              id2label={0: "LABEL_0"}, pairs="cross"),
    # BERT's kin with norms before, or other names.
    "roberta-data2vec": dict(seed=570, family="Data2VecText", head="SequenceClassification", hidden_size=20,
                             num_attention_heads=4, num_hidden_layers=1, intermediate_size=9,
                             id2label={0: "no", 1: "yes"}),
    "roberta-prelayernorm": dict(seed=571, family="RobertaPreLayerNorm", hidden_size=20, num_attention_heads=2,
                                 num_hidden_layers=2, intermediate_size=7),
    "roberta-prelayernorm-sequence": dict(seed=572, family="RobertaPreLayerNorm", head="SequenceClassification",
                                          hidden_size=20, num_attention_heads=4, num_hidden_layers=1,
                                          intermediate_size=9, id2label={0: "no", 1: "yes", 2: "perhaps"}),
    "xlm-roberta-xl": dict(seed=573, family="XLMRobertaXL", hidden_size=20, num_attention_heads=5, num_hidden_layers=2,
                           intermediate_size=7, layer_norm_eps=1e-3),
    "xlm-roberta-xl-mask": dict(seed=574, family="XLMRobertaXL", head="MaskedLM", hidden_size=20,
                                num_attention_heads=4, num_hidden_layers=1, intermediate_size=9),
    "megatron-bert": dict(seed=575, family="MegatronBert", hidden_size=20, num_attention_heads=5, num_hidden_layers=2,
                          intermediate_size=7, hidden_act="gelu_new"),
    "megatron-bert-sequence": dict(seed=576, family="MegatronBert", head="SequenceClassification", hidden_size=20,
                                   num_attention_heads=4, num_hidden_layers=1, intermediate_size=9,
                                   id2label={0: "no", 1: "yes", 2: "perhaps"}),
    "megatron-bert-next": dict(seed=577, family="MegatronBert", head="NextSentencePrediction", hidden_size=20,
                               num_attention_heads=4, num_hidden_layers=1, intermediate_size=9),
    "rembert": dict(seed=578, family="RemBert", input_embedding_size=12, output_embedding_size=8, hidden_size=20,
                    num_attention_heads=5, num_hidden_layers=2, intermediate_size=7),
    "rembert-token": dict(seed=579, family="RemBert", head="TokenClassification", input_embedding_size=20,
                          output_embedding_size=8, hidden_size=20, num_attention_heads=4, num_hidden_layers=1,
                          intermediate_size=9, id2label={0: "O", 1: "B-LOC", 2: "I-LOC"}),
    "big_bird-answer": dict(seed=590, head="QuestionAnswering", family="BigBird", hidden_size=20, num_attention_heads=4,
                            num_hidden_layers=2, intermediate_size=9, hidden_act="gelu_new", attention_type="original_full",
                            sep_token_id=3),
    "big_bird-answer-types": dict(seed=591, head="QuestionAnswering", family="BigBird", hidden_size=12,
                                  num_attention_heads=3, num_hidden_layers=2, intermediate_size=7, hidden_act="gelu",
                                  attention_type="original_full", sep_token_id=3,
                                  tokenizer_class="PreTrainedTokenizerFast",
                                  tokenizer=dict(model_input_names=["input_ids", "attention_mask"])),
    "longformer-answer": dict(seed=592, head="QuestionAnswering", family="Longformer", hidden_size=20,
                              num_attention_heads=4, num_hidden_layers=2, intermediate_size=9, attention_window=4,
                              sep_token_id=2),
    "longformer-sequence": dict(seed=593, head="SequenceClassification", family="Longformer", hidden_size=36,
                                num_attention_heads=3, num_hidden_layers=2, intermediate_size=7, attention_window=6,
                                num_labels=3),
    "rembert-sequence": dict(seed=580, family="RemBert", head="SequenceClassification", input_embedding_size=12,
                             output_embedding_size=8, hidden_size=20, num_attention_heads=4, num_hidden_layers=1,
                             intermediate_size=9, id2label={0: "no", 1: "yes"}),
}
OWN = {"tokenizer", "authors", "more_words", "window", "bytes", "late", "pylate", "markers", "skip", "skip_tasks", "document_length", "sparse", "bin", "words", "pairs", "cross_st6", "old", "layers_apart", "tokenizer_class", "steps", "tokens", "seed", "head", "family", "naming", "dtype", "shards", "st", "pooling",
       "normalize", "include_prompt",
       "default", "prompts", "pooler", "spare_rows", "embedding_scale"}

# Pooling modes as sentence-transformers before 6 wrote them.
OLD_FLAGS = {
    "cls": "pooling_mode_cls_token",
    "mean": "pooling_mode_mean_tokens",
    "max": "pooling_mode_max_tokens",
    "mean_sqrt_len_tokens": "pooling_mode_mean_sqrt_len_tokens",
    "weightedmean": "pooling_mode_weightedmean_tokens",
    "lasttoken": "pooling_mode_lasttoken",
}

WINDOW = 24


def check_versions():
    for module, wanted in PINNED.items():
        found = module.__version__.split("+")[0]
        if found != wanted:
            sys.exit(f"make-golden: {module.__name__} is {found}, wanted {wanted}")


def write_json(path, value):
    with open(path, "w", encoding="utf-8", newline="\n") as out:
        json.dump(value, out, indent=1, ensure_ascii=True)
        out.write("\n")


def make_tokenizer(folder, spec):
    """A WordPiece with BERT's special tokens, or with another family's, which have other ids."""
    family = FAMILIES[spec.get("family", "Bert")]
    kind = spec.get("tokens", family.get("tokens", "bert"))
    names = NAMES[kind]
    special = SPECIAL if kind == "bert" else list(names.values())
    vocabulary = {token: i for i, token in enumerate(dict.fromkeys(special + ORDINARY + spec.get("more_words", [])))}
    if spec.get("bytes"):
        return make_byte_tokenizer(folder, spec, names)
    if spec.get("words"):
        model = tokenizers.models.WordLevel(vocabulary, unk_token="[UNK]")
    else:
        model = tokenizers.models.WordPiece(vocabulary, unk_token=names["unk"],
                                            max_input_chars_per_word=100)
    tokenizer = tokenizers.Tokenizer(model)
    tokenizer.normalizer = tokenizers.normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = tokenizers.decoders.WordPiece()
    tokenizer.add_special_tokens([
        tokenizers.AddedToken(token, special=True, lstrip=token == "<mask>") for token in special])
    cls, sep = names["cls"], names["sep"]
    pair = f"{cls} $A {sep} $B:1 {sep}:1" if kind == "bert" else f"{cls} $A {sep} {sep} $B {sep}"
    single, pair = family.get("templates", (f"{cls} $A {sep}", pair))
    tokenizer.post_processor = tokenizers.processors.TemplateProcessing(
        single=single, pair=pair,
        special_tokens=[(cls, vocabulary[cls]), (sep, vocabulary[sep])])
    tokenizer.add_tokens(spec.get("markers", []))
    tokenizer.save(os.path.join(folder, "tokenizer.json"))
    write_json(os.path.join(folder, "tokenizer_config.json"), {
        "cls_token": cls, "do_lower_case": True, "mask_token": names["mask"],
        "model_max_length": spec.get("window", WINDOW), "pad_token": names["pad"], "sep_token": sep,
        "strip_accents": None, "tokenize_chinese_chars": True,
        "tokenizer_class": spec.get("tokenizer_class", TOKENIZER_CLASSES[kind]), "unk_token": names["unk"],
        **family.get("tokenizer", {}), **spec.get("tokenizer", {})})


def make_byte_tokenizer(folder, spec, names):
    """RoBERTa's: BPE over bytes, trained on the texts themselves, whose words begin with their space."""
    tokenizer = tokenizers.Tokenizer(tokenizers.models.BPE())
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = tokenizers.decoders.ByteLevel()
    tokenizer.train_from_iterator(TEXTS, tokenizers.trainers.BpeTrainer(
        vocab_size=len(VOCABULARY) + spec["spare_rows"], special_tokens=list(names.values()),
        initial_alphabet=tokenizers.pre_tokenizers.ByteLevel.alphabet(), show_progress=False))
    cls, sep = names["cls"], names["sep"]
    tokenizer.add_special_tokens([tokenizers.AddedToken("<mask>", special=True, lstrip=True)])
    tokenizer.post_processor = tokenizers.processors.RobertaProcessing(
        (sep, tokenizer.token_to_id(sep)), (cls, tokenizer.token_to_id(cls)), trim_offsets=True,
        add_prefix_space=False)
    tokenizer.save(os.path.join(folder, "tokenizer.json"))
    write_json(os.path.join(folder, "tokenizer_config.json"), {
        "add_prefix_space": False, "bos_token": cls, "cls_token": cls, "eos_token": sep, "mask_token": names["mask"],
        "model_max_length": spec.get("window", WINDOW), "pad_token": names["pad"], "sep_token": sep,
        "tokenizer_class": "PreTrainedTokenizerFast", "unk_token": names["unk"]})


# Of families whose class takes what tokenizer.json says, and whose models take no types.
OBEYED = {"tokenizer_class": "PreTrainedTokenizerFast",
          "model_input_names": ["input_ids", "attention_mask"]}
ENDED = ("$A [SEP]", "$A [SEP] $B [SEP]")
SPECIAL_IDS = dict(pad_token_id=0, bos_token_id=2, eos_token_id=3)


def old_rope(config):
    """As version 4 writes rotary positions."""
    config.update(rope_theta=config.pop("rope_parameters")["rope_theta"], rope_scaling=None)


def old_modernbert(config):
    rope = config.pop("rope_parameters")
    config.update(global_rope_theta=rope["full_attention"]["rope_theta"],
                  local_rope_theta=rope["sliding_attention"]["rope_theta"],
                  global_attn_every_n_layers=2)
    del config["layer_types"]


def old_gemma3(config):
    rope = config.pop("rope_parameters")
    config.update(rope_theta=rope["full_attention"]["rope_theta"],
                  rope_local_base_freq=rope["sliding_attention"]["rope_theta"],
                  sliding_window_pattern=2)
    del config["layer_types"], config["_sliding_window_pattern"]


def decoder():
    return dict(config=SPECIAL_IDS, tokenizer=OBEYED, templates=ENDED, old=old_rope)


TOKENIZER_CLASSES = {"bert": "BertTokenizer", "roberta": "PreTrainedTokenizerFast",
                     "mpnet": "MPNetTokenizer"}

# Positions of these begin behind the id of padding.
PADDED = dict(tokens="roberta", config=dict(pad_token_id=1, max_position_embeddings=WINDOW + 2))

# What the classes of a family are called, and what they take beside the spec.
FAMILIES = {
    "ModernBert": dict(config=dict(cls_token_id=2, sep_token_id=3, **SPECIAL_IDS),
                       tokenizer=OBEYED, old=old_modernbert,
                       apart="global_attn_every_n_layers"),
    "Gemma3Text": dict(config=SPECIAL_IDS, tokenizer=OBEYED, old=old_gemma3,
                       apart="sliding_window_pattern"),
    "T5": dict(config={}, window={}, model="T5EncoderModel", tokenizer=OBEYED, templates=ENDED),
    "MT5": dict(config={}, window={}, model="MT5EncoderModel", tokenizer=OBEYED, templates=ENDED),
    "UMT5": dict(config={}, window={}, model="UMT5EncoderModel", tokenizer=OBEYED, templates=ENDED),
    "Qwen3": decoder(), "Qwen2": dict(own_tokenizer=True, **decoder()), "Llama": decoder(), "Mistral": decoder(),
    "EuroBert": dict(config=dict(mask_token_id=4, **SPECIAL_IDS), tokenizer=OBEYED),
    "JinaEmbeddingsV3": dict(tokens="roberta", config=dict(pad_token_id=1)),
    "JinaEmbeddingsV3Authors": dict(tokens="roberta", config=dict(pad_token_id=1), classes=xlm_roberta_flash,
                                    published=xlm_roberta_flash.as_published),
    "XLMRobertaFlash": dict(tokens="roberta", config=dict(pad_token_id=1, max_position_embeddings=WINDOW + 2),
                            classes=xlm_roberta_flash, published=xlm_roberta_flash.as_published),
    "NomicBert": dict(config={}),
    "NomicBertAuthors": dict(config={}, classes=nomic_bert, published=nomic_bert.as_published), "Gte": dict(config={}), "GteNew": dict(classes=gte_new, published=gte_new.as_published), "DebertaV2": dict(config={}),
    "Bert": dict(config=dict(type_vocab_size=2),
                 arguments=lambda spec: dict(add_pooling_layer=spec.get("pooler", True))),
    "JinaBert": dict(classes=jina_bert, published=jina_bert.as_published),
    "DistilBert": {}, "MobileBert": {}, "Electra": {}, "Ernie": {}, "Albert": {}, "RoFormer": {}, "BigBird": {},
    "Roberta": PADDED, "XLMRoberta": PADDED, "Camembert": PADDED, "Longformer": PADDED,
    "RobertaPreLayerNorm": PADDED, "XLMRobertaXL": PADDED, "Data2VecText": PADDED, "MegatronBert": {}, "RemBert": {},
    "MPNet": dict(PADDED, tokens="mpnet"),
}


def make_model(spec, seed):
    """A model whose weights are N(0, .2), gains 1 + N(0, .2), as rounded by its dtype."""
    name = spec.get("family", "Bert")
    config = dict(vocab_size=len(VOCABULARY) + spec.get("spare_rows", 0),
                  attn_implementation="eager",
                  **FAMILIES[name].get("window", dict(max_position_embeddings=WINDOW)))
    config.update(FAMILIES[name].get("config", {}))
    if "layers_apart" in spec:
        config[FAMILIES[name]["apart"]] = spec["layers_apart"]
    config.update({key: value for key, value in spec.items() if key not in OWN})
    classes = FAMILIES[name].get("classes", transformers)
    config = getattr(classes, name + "Config")(**config)
    if "head" in spec:
        model = getattr(classes, name + "For" + spec["head"])(config)
    else:
        model = getattr(classes, FAMILIES[name].get("model", name + "Model"))(
            config, **FAMILIES[name].get("arguments", lambda spec: {})(spec))
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if not weight.requires_grad:  # sines and cosines
                continue
            value = torch.randn(weight.shape, generator=generator) * 0.2
            if name.lower().endswith(("norm.weight", ".ln.weight")) and spec.get("family") != "Gemma3Text":
                value += 1
            if name.startswith("embeddings.") and name.endswith("embeddings.weight"):
                value *= spec.get("embedding_scale", 1)
            weight.copy_(value.to(spec.get("dtype", torch.float32)))
    return model.eval()


# Names of this library and of the files that a family's authors published.
AUTHORS = {
    "words": (("shared.weight", "encoder.embed_tokens.weight"),),
    "nomic": (("embeddings.LayerNorm", "emb_ln"), ("layers.", "encoder.layers."),
              ("self_attn.o_proj", "attn.out_proj"), ("self_attn", "attn"), ("up_proj", "fc11"),
              ("gate_proj", "fc12"), ("down_proj", "fc2"), ("post_attention_layernorm", "norm1"),
              ("post_mlp_layernorm", "norm2")),
    "jina": (("embeddings.LayerNorm", "emb_ln"), ("layers.", "encoder.layers."),
             ("self_attn.o_proj", "mixer.out_proj"), ("self_attn", "mixer"),
             ("post_attention_layernorm", "norm1"), ("post_mlp_layernorm", "norm2")),
    "nomic_published": (("nomic_bert.", "bert."), ("embeddings.LayerNorm", "emb_ln"), ("layers.", "encoder.layers."),
                        ("self_attn.o_proj", "attn.out_proj"), ("self_attn", "attn"), ("up_proj", "fc11"),
                        ("gate_proj", "fc12"), ("down_proj", "fc2"), ("post_attention_layernorm", "norm1"),
                        ("post_mlp_layernorm", "norm2")),
    "flash": xlm_roberta_flash.NAMES,
    "gte": (("layers.", "encoder.layer."), ("self_attn", "attention"),
            ("post_attention_layernorm", "attn_ln"), ("post_mlp_layernorm", "mlp_ln")),
}


def rename_tensors(state, naming):
    """The names that older files and other trainers use."""
    if naming == "gamma":
        return {"bert." + name.replace("LayerNorm.weight", "LayerNorm.gamma")
                .replace("LayerNorm.bias", "LayerNorm.beta"): value
                for name, value in state.items()}
    if naming == "auto_model":
        return {"0.auto_model." + name: value for name, value in state.items()}
    if naming == "fused":
        fused = {}
        for name, value in state.items():
            if ".self.query." in name:
                parts = [state[name.replace("query", part)] for part in ("query", "key", "value")]
                fused[name.replace("query", "qkv")] = torch.cat(parts)
            elif ".self." not in name:
                fused[name] = value
        return fused
    if naming == "jina_adapters":
        return xlm_roberta_flash.with_adapters(rename_tensors(state, "jina"))
    if naming == "nomic_published":
        state = {name: value for name, value in state.items() if name not in nomic_bert.NOT_THEIRS}
    if naming in AUTHORS:
        return fuse_parts({rename(AUTHORS[naming], name): value for name, value in state.items()},
                          naming)
    return state


def rename(pairs, name):
    for ours, theirs in pairs:
        name = name.replace(ours, theirs)
    return name


def fuse_parts(state, naming):
    """Query, key and value as one matrix; GTE's gate behind what it lets through."""
    fused = {}
    for name, value in state.items():
        if "q_proj" in name:
            parts = [state[name.replace("q_proj", part)] for part in ("q_proj", "k_proj", "v_proj")]
            fused[name.replace("q_proj", "qkv_proj" if naming == "gte" else "Wqkv")] = \
                torch.cat(parts)
        elif naming == "gte" and "mlp.up_proj" in name:
            fused[name.replace("up_proj", "up_gate_proj")] = \
                torch.cat([value, state[name.replace("up_proj", "gate_proj")]])
        elif not any(part in name for part in ("k_proj", "v_proj")) \
                and not (naming == "gte" and "gate_proj" in name):
            fused[name] = value
    return fused


def save_tensors(state, path):
    safetensors.torch.save_file(state, path)
    os.chmod(path, 0o644)  # it is written for the owner alone


def save_pickle(state, path):
    """With what such files hold beside plain tensors: a parameter, and the versions of modules."""
    first = next(iter(state))
    state = collections.OrderedDict(state, **{first: torch.nn.Parameter(state[first], requires_grad=False)})
    state._metadata = collections.OrderedDict({"": {"version": 1}})
    torch.save(state, path)


def write_weights(model, spec, folder):
    stem, end, save = ("pytorch_model", "bin", save_pickle) if spec.get("bin") else ("model", "safetensors", save_tensors)
    state = {name: value.to(spec.get("dtype", torch.float32)).contiguous()
             for name, value in model.state_dict().items()
             if "position_ids" not in name and "encoder.embed_tokens" not in name
             and (spec.get("bin") or name not in getattr(model, "all_tied_weights_keys", {}))}
    state = rename_tensors(state, spec.get("naming"))
    if spec.get("naming") == "gamma" or spec.get("bin"):  # a buffer that older files hold, to be ignored
        state[next(name for name in state if "embeddings." in name).split("embeddings.")[0] + "embeddings.position_ids"] = torch.arange(WINDOW).unsqueeze(0)
    count = spec.get("shards", 1)
    if count == 1:
        save(state, os.path.join(folder, f"{stem}.{end}"))
        return
    index = {}
    names = sorted(state)
    for shard in range(count):
        file = f"{stem}-{shard + 1:05}-of-{count:05}.{end}"
        part = {name: state[name] for name in names[shard::count]}
        save(part, os.path.join(folder, file))
        index.update({name: file for name in part})
    write_json(os.path.join(folder, f"{stem}.{end}.index.json"), {
        "metadata": {"total_size": sum(v.numel() * v.element_size() for v in state.values())},
        "weight_map": dict(sorted(index.items()))})


def write_config(model, spec, folder):
    config = model.config.to_dict()
    if "family" not in spec and (spec.get("naming") or spec.get("st") == 5):  # as transformers 4 writes it
        config = {key: config[key] for key in
                  ("hidden_act", "hidden_size", "initializer_range", "intermediate_size",
                   "layer_norm_eps", "max_position_embeddings", "model_type",
                   "num_attention_heads", "num_hidden_layers", "pad_token_id",
                   "type_vocab_size", "vocab_size")}
        config.update(architectures=["BertModel"], position_embedding_type="absolute",
                      torch_dtype="float32", transformers_version="4.41.0")
    else:
        config = json.loads(model.config.to_json_string())
        config["architectures"] = [type(model).__name__]
    write_json(os.path.join(folder, "config.json"), config)


def write_old(spec, folder):
    """config.json in the words of version 4, which the reference reads too."""
    path = os.path.join(folder, "config.json")
    with open(path, encoding="utf-8") as file:
        config = json.load(file)
    FAMILIES[spec["family"]]["old"](config)
    write_json(path, config)


def write_published(spec, folder):
    """config.json as the authors of a model have it, which the reference here does not read."""
    path = os.path.join(folder, "config.json")
    with open(path, encoding="utf-8") as file:
        config = json.load(file)
    FAMILIES[spec["family"]]["published"](config)
    write_json(path, config)


def width_of(spec):
    return spec.get("hidden_size", spec.get("dim", spec.get("d_model")))


def write_st5(spec, folder):
    """What sentence-transformers 5 and older wrote, by hand: the installed one writes the other."""
    prefix = "sentence_transformers.models."
    modules = [{"idx": 0, "name": "0", "path": "", "type": prefix + "Transformer"},
               {"idx": 1, "name": "1", "path": "1_Pooling", "type": prefix + "Pooling"}]
    if spec["normalize"]:
        modules.append({"idx": 2, "name": "2", "path": "2_Normalize",
                        "type": prefix + "Normalize"})
    write_json(os.path.join(folder, "modules.json"), modules)
    write_json(os.path.join(folder, "sentence_bert_config.json"),
               {"max_seq_length": 16, "do_lower_case": False})
    pooling = {"word_embedding_dimension": width_of(spec),
               "include_prompt": spec.get("include_prompt", True)}
    wanted = spec["pooling"] if isinstance(spec["pooling"], list) else [spec["pooling"]]
    pooling.update({flag: mode in wanted for mode, flag in OLD_FLAGS.items()})
    os.makedirs(os.path.join(folder, "1_Pooling"))
    write_json(os.path.join(folder, "1_Pooling", "config.json"), pooling)
    write_json(os.path.join(folder, "config_sentence_transformers.json"), {
        "__version__": {"sentence_transformers": "5.0.0", "transformers": "4.41.0",
                        "pytorch": "2.3.0"},
        "prompts": spec.get("prompts", {}), "default_prompt_name": spec.get("default"),
        "similarity_fn_name": "cosine"})


def make_step(kind, *arguments):
    """A module behind pooling: its class, and what the class takes."""
    from sentence_transformers.base.modules.dense import Dense
    from sentence_transformers.base.modules.normalize import Normalize
    from sentence_transformers.sentence_transformer import modules as st
    if kind == "Dense":
        width, out, act, more = arguments
        return Dense(width, out, activation_function=getattr(torch.nn, act)(), **more)
    return {"LayerNorm": st.LayerNorm, "Dropout": st.Dropout, "Normalize": Normalize}[kind](*arguments)


def write_st6(spec, folder, seed):
    """What the installed sentence-transformers writes, by itself."""
    from sentence_transformers.sentence_transformer import modules as st
    from sentence_transformers.base.modules.normalize import Normalize
    torch.manual_seed(seed + 2000)  # of the steps
    transformer = st.Transformer(folder)
    transformer.max_seq_length = 16
    modules = [transformer, st.Pooling(width_of(spec), spec["pooling"],
                                       include_prompt=spec.get("include_prompt", True))]
    steps = [make_step(*step) for step in spec.get("steps", [])]
    with torch.no_grad():
        for weight in [weight for step in steps for weight in step.parameters()]:
            weight += torch.randn(weight.shape) * 0.3
    modules += steps
    if spec["normalize"]:
        modules.append(Normalize())
    model = sentence_transformers.SentenceTransformer(modules=modules, device="cpu",
                                                      prompts=spec.get("prompts"))
    save_alone(model, folder, modules)


def save_alone(model, folder, modules):
    """Saves a model into its transformer's folder, and takes away what is of no use there."""
    model.save(folder, create_model_card=False)
    folders = {f"{i}_{type(module).__name__}" for i, module in enumerate(modules)}
    for name in os.listdir(folder):
        if name not in folders | {
                "config.json", "tokenizer.json", "tokenizer_config.json", "modules.json",
                "model.safetensors", "sentence_bert_config.json",
                "config_sentence_transformers.json"}:
            path = os.path.join(folder, name)
            shutil.rmtree(path) if os.path.isdir(path) else os.remove(path)
    for base, _, files in os.walk(folder):
        for file in files:
            os.chmod(os.path.join(base, file), 0o644)


def write_late(spec, folder, seed):
    """A model for late interaction, as the installed sentence-transformers writes it."""
    from sentence_transformers.base.modules.normalize import Normalize
    from sentence_transformers.multi_vector_encoder.modules import MultiVectorMask
    from sentence_transformers.sentence_transformer import modules as st
    steps = late_steps(spec, seed)
    modules = [st.Transformer(folder, document_length=spec.get("document_length"), **spec["late"]), *steps,
               MultiVectorMask(spec["skip"], skiplist_tasks=spec.get("skip_tasks")),
               Normalize(module_input_name="token_embeddings")]
    model = sentence_transformers.MultiVectorEncoder(modules=modules, device="cpu", prompts=spec.get("prompts"))
    save_alone(model, folder, modules)


def late_steps(spec, seed):
    """Its modules that have weights."""
    torch.manual_seed(seed + 2000)
    return [make_step(kind, width, out, act, {**more, "module_input_name": "token_embeddings"})
            for kind, width, out, act, more in spec["steps"]]


def write_pylate(spec, folder, seed):
    """What pylate 1 wrote, by hand: it runs on no version of sentence-transformers that is installed here."""
    step, = late_steps(spec, seed)
    os.makedirs(os.path.join(folder, "1_Dense"))
    save_tensors({"linear.weight": step.linear.weight.detach()},
                 os.path.join(folder, "1_Dense", "model.safetensors"))
    write_json(os.path.join(folder, "1_Dense", "config.json"), {
        "in_features": spec["steps"][0][1], "out_features": spec["steps"][0][2], "bias": False,
        "activation_function": "torch.nn.modules.linear.Identity", "use_residual": False})
    write_json(os.path.join(folder, "modules.json"), [
        {"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"},
        {"idx": 1, "name": "1", "path": "1_Dense", "type": "pylate.models.Dense.Dense"}])
    write_json(os.path.join(folder, "sentence_bert_config.json"), {"max_seq_length": 14, "do_lower_case": False})
    write_json(os.path.join(folder, "config_sentence_transformers.json"), {
        "__version__": {"sentence_transformers": "5.1.1", "transformers": "4.56.2", "pytorch": "2.8.0"},
        "prompts": spec.get("prompts", {}), "default_prompt_name": None, "similarity_fn_name": "MaxSim",
        "model_type": "ColBERT", **spec["pylate"]})


def write_authors(spec, folder, seed):
    """What ColBERT's authors write: no modules; names of the weights begin with bert."""
    authors = spec["authors"]
    torch.manual_seed(seed + 2000)
    weights = os.path.join(folder, "model.safetensors")
    tensors = {f"bert.{name}": value for name, value in safetensors.torch.load_file(weights).items()}
    save_tensors({**tensors, "linear.weight": torch.randn(authors["width"], spec["hidden_size"])}, weights)
    with open(os.path.join(folder, "config.json"), encoding="utf-8") as file:
        config = json.load(file)
    write_json(os.path.join(folder, "config.json"), {**config, "architectures": ["HF_ColBERT"]})
    if authors["metadata"] is not None:
        write_json(os.path.join(folder, "artifact.metadata"), authors["metadata"])


def golden_late(folder):
    """Vectors of tokens of texts as queries and as documents, and the score of each pair."""
    model = sentence_transformers.MultiVectorEncoder(folder, device="cpu")
    sides = {"query": model.encode_query, "document": model.encode_document}
    single = {side: encode(TEXTS) for side, encode in sides.items()}
    model.double()
    double = {side: encode(TEXTS) for side, encode in sides.items()}
    noise = max((a - b).abs().max().item() for side in sides for a, b in zip(single[side], double[side]))
    return {"noise": noise, "cases": [
        {"text": text, **{side: {"tokens": len(double[side][i]), "vectors": shorten(double[side][i])} for side in sides},
         "scores": [float(f"{(double['query'][i] @ d.T).amax(1).sum().item():.9g}") for d in double["document"]]}
        for i, text in enumerate(TEXTS)]}


def layers_of(model, ids, types):
    inputs = {"input_ids": torch.tensor([ids])}
    if types is not None:
        inputs["token_type_ids"] = torch.tensor([types])
    with torch.no_grad():
        out = model.base_model(**inputs, output_hidden_states=True)
    return [layer[0].double() for layer in out.hidden_states]


def shorten(tensor):
    return [float(f"{value:.9g}") for value in tensor.flatten().tolist()]


def golden_hidden(model, spec, seed):
    """Hidden states of a few runs of ids; type ids as far as the model has them."""
    generator = torch.Generator().manual_seed(seed + 1000)
    cases, noise = [], 0.0
    types = getattr(model.config, "type_vocab_size", 0) or 1
    typed = getattr(model.config, "type_vocab_size", 0) > 0
    for length in (1, 2, 11):
        ids = torch.randint(0, len(VOCABULARY), (length,), generator=generator).tolist()
        type_ids = torch.randint(0, types, (length,), generator=generator).tolist()
        if length == 11:
            type_ids[:types] = range(types)
        single = layers_of(model.float(), ids, type_ids if typed else None)
        double = layers_of(model.double(), ids, type_ids if typed else None)
        noise = max([noise] + [(a - b).abs().max().item() for a, b in zip(single, double)])
        cases.append({"ids": ids, "type_ids": type_ids,
                      "layers": [shorten(layer) for layer in double]})
    return {"noise": noise, "cases": cases}


def encode_case(model, text, name):
    options = dict(convert_to_numpy=True, show_progress_bar=False)
    if name is not None:
        options["prompt_name"] = name
    single = model.float().encode([text], **options)[0]
    double = model.double().encode([text], **options)[0]
    assert double.dtype == numpy.float64
    return single.astype(numpy.float64), double


def golden_texts(folder, spec):
    """Embeddings by sentence-transformers, which takes the mean of a folder that is not its own."""
    model = sentence_transformers.SentenceTransformer(folder, device="cpu")
    if FAMILIES[spec.get("family", "Bert")].get("own_tokenizer"):
        # Whatever the files say, the library takes a class that has rules of its own.
        model[0].processor = transformers.PreTrainedTokenizerFast.from_pretrained(folder)
    cases, noise = [], 0.0
    # Padding that a text spells out.
    padding = model.tokenizer.pad_token
    texts = TEXTS + ([] if padding == "[PAD]" else [f"cat {padding} sat {padding}{padding} on"])
    for text in texts:
        for name in [None] + list(spec.get("prompts", {})):
            single, double = encode_case(model, text, name)
            noise = max(noise, numpy.abs(single - double).max())
            case = {"text": text, "embedding": shorten(torch.from_numpy(double))}
            if name is not None:
                case["prompt_name"] = name
            if name is None and not spec.get("default"):
                case["ids"] = model.preprocess([text])["input_ids"][0].tolist()
            cases.append(case)
    return {"noise": float(noise), "cases": cases}


def golden_sides(folder):
    """Embeddings of texts as queries and as documents."""
    model = sentence_transformers.SentenceTransformer(folder, device="cpu").double()
    return {"cases": [{"text": text, **{side: shorten(torch.from_numpy(encode(text))) for side, encode in
                                        (("query", model.encode_query), ("document", model.encode_document))}}
                      for text in TEXTS]}


def golden_scores(folder):
    """Scores of all labels by the pipeline, which rounds to float32: they are computed again."""
    from transformers.pipelines import text_classification as pipelines
    pipe = transformers.pipeline("text-classification", model=folder, device="cpu")
    config = pipe.model.config
    if config.problem_type == "regression":
        function = numpy.copy
    elif config.problem_type == "multi_label_classification" or config.num_labels == 1:
        function = pipelines.sigmoid
    else:
        function = pipelines.softmax
    cases, noise = [], 0.0
    for text in TEXTS:
        found = {each["label"]: each["score"]
                 for each in pipe(text, top_k=None, truncation=True)}
        inputs = pipe.tokenizer(text, truncation=True, return_tensors="pt")
        with torch.no_grad():
            logits = pipe.model.double()(**inputs).logits[0].numpy()
        pipe.model.float()
        scores = function(logits)
        assert scores.dtype == numpy.float64
        labels = [config.id2label[i] for i in range(len(scores))]
        noise = max([noise] + [abs(found[label] - score) for label, score in zip(labels, scores)])
        cases.append({"text": text, "label": max(found, key=found.get),
                      "scores": shorten(torch.from_numpy(scores))})
    return {"noise": float(noise), "labels": labels, "cases": cases}


def golden_tags(folder):
    """Every token as the pipeline has it, those with a label that means nothing too."""
    pipe = transformers.pipeline("token-classification", model=folder, device="cpu",
                                 aggregation_strategy="none", ignore_labels=[])
    cases, noise = [], 0.0
    for text in TAG_TEXTS:
        pipe.model.float()
        single = pipe(text)
        pipe.model.double()
        double = pipe(text)
        noise = max([noise] + [abs(float(a["score"]) - float(b["score"]))
                               for a, b in zip(single, double)])
        cases.append({"text": text, "tags": [
            [tag["word"], tag["entity"], tag["start"], tag["end"],
             float(f"{tag['score']:.9g}")] for tag in double]})
    return {"noise": noise, "cases": cases}


# Pairs: both within the window, the first beyond it, the second, both.
LONG = TEXTS[4]
PAIRS = [("the cat", "The cat sat on the mat."), ("", ""), ("cat", ""), ("", "data, base"),
         ("Databases, 42 queries: indexing?", "the query sat"),
         ("cat", LONG), (LONG, "cat"), (LONG, LONG[::-1]),
         ("  [SEP] \t the", "\u00c9t\u00e9 na\u00efve \u65e5\u672c")]


def logits_of_pairs(model, tokenizer, pairs, truncation):
    """In both precisions, and how far they are apart."""
    single, double = [], []
    for model_of, out in ((model.float(), single), (model.double(), double)):
        for a, b in pairs:
            inputs = tokenizer([a], [b], truncation=truncation, max_length=WINDOW,
                               return_tensors="pt")
            with torch.no_grad():
                out.append(model_of(**inputs).logits[0].double())
        model.float()
    return double, max((a - b).abs().max().item() for a, b in zip(single, double))


def golden_cross(folder):
    """Scores of sentence-transformers' CrossEncoder; in float64 the same of the logits."""
    model = sentence_transformers.CrossEncoder(folder, device="cpu")
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    logits, noise = logits_of_pairs(model.model, tokenizer, PAIRS, True)
    wanted = model.predict(PAIRS, show_progress_bar=False)
    cases = []
    for (a, b), logit, single in zip(PAIRS, logits, wanted):
        score = model.activation_fn(logit).item()
        assert abs(score - float(single)) < 1e-5
        cases.append({"texts": [a, b], "logit": float(f"{logit.item():.9g}"),
                      "score": float(f"{score:.9g}")})
    return {"noise": noise, "cases": cases}


LABELS = ["data", "the cat", "mat", "\u00e9t\u00e9"]
TEMPLATES = ["This example is {}.", "on {}: the {{query}}"]


def golden_nli(folder):
    """Scores of what follows, by the pipelines; in float64 the same of the logits."""
    pipe = transformers.pipeline("zero-shot-classification", model=folder, device="cpu")
    logits, noise = logits_of_pairs(pipe.model, pipe.tokenizer, PAIRS, True)
    cases = [{"texts": list(pair), "scores": shorten(logit.softmax(0))}
             for pair, logit in zip(PAIRS, logits)]
    entailment = pipe.entailment_id
    other = -1 if entailment == 0 else 0
    zero = []
    for text in ["cat", "The cat sat on the mat.", LONG]:
        for template in TEMPLATES:
            for multi in (False, True):
                for labels in (LABELS, LABELS[:1]):
                    pairs = [(text, template.format(label)) for label in labels]
                    logits, _ = logits_of_pairs(pipe.model, pipe.tokenizer, pairs, "only_first")
                    logits = torch.stack(logits)
                    if multi or len(labels) == 1:
                        scores = logits[:, [other, entailment]].softmax(1)[:, 1]
                    else:
                        scores = logits[:, entailment].softmax(0)
                    found = pipe(text, labels, hypothesis_template=template, multi_label=multi)
                    found = dict(zip(found["labels"], found["scores"]))
                    assert all(abs(found[label] - score.item()) < 1e-5
                               for label, score in zip(labels, scores))
                    zero.append({"text": text, "template": template, "multi_label": multi,
                                 "labels": labels, "scores": shorten(scores)})
    return {"noise": noise, "cases": cases, "zero_shot": zero}


def golden_next(folder):
    """The probability that the second text follows the first."""
    kind = json.load(open(os.path.join(folder, "config.json")))["architectures"][0]
    model = getattr(transformers, kind).from_pretrained(folder)
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    if kind.endswith("PreTraining"):
        inner = model

        class Relation(torch.nn.Module):
            def __init__(self):
                super().__init__()
                self.inner = inner

            def forward(self, **inputs):
                out = self.inner(**inputs)
                out.logits = out.seq_relationship_logits
                return out
        model = Relation()
    logits, noise = logits_of_pairs(model, tokenizer, PAIRS, True)
    return {"noise": noise,
            "cases": [{"texts": list(pair), "score": shorten(logit.softmax(0))[0]}
                      for pair, logit in zip(PAIRS, logits)]}


CONTEXTS = [
    ("cat?", "The cat sat on the mat."),
    ("the query", "Databases, 42 queries: indexing? \u00c9t\u00e9 na\u00efve \u65e5\u672c, mat"),
    ("on?", LONG + ". " + LONG[::-1] + ", the data base sat; cat"),
    ("sat on", "\u65e5\u672c"),
]


def answers_of_window(encoding, starts, ends, spans):
    """As transformers 4.57.6 has it, but for the sum of scores: a span keeps its highest."""
    words = [i for i, part in enumerate(encoding.sequence_ids) if part == 1]
    seen = [0] + words
    starts = starts[seen].softmax(0)
    ends = ends[seen].softmax(0)
    for i, first in enumerate(words):
        for k in range(i, min(i + 15, len(words))):
            score = (starts[i + 1] * ends[k + 1]).item()
            start = encoding.word_to_chars(encoding.token_to_word(first), 1)[0]
            stop = encoding.word_to_chars(encoding.token_to_word(words[k]), 1)[1]
            spans[start, stop] = max(score, spans.get((start, stop), 0))
    return (starts[0] * ends[0]).item()


def golden_answers(folder):
    """Spans by the definition of the pipeline of transformers 4.57.6, which 5 has no more."""
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    model = transformers.AutoModelForQuestionAnswering.from_pretrained(folder)
    stride = min(WINDOW // 2, 128)
    cases, noise = [], 0.0
    for question, context in CONTEXTS:
        encoded = tokenizer(question, context, truncation="only_second", max_length=WINDOW,
                            stride=stride, return_overflowing_tokens=True)
        spans, none = {}, 1.0
        for ids, encoding in zip(encoded["input_ids"], encoded.encodings):
            inputs = {"input_ids": torch.tensor([ids])}
            # Where they are not asked for, tokenizers leave a 1 for B in all windows but the first.
            if "token_type_ids" in encoded and hasattr(model.config, "type_vocab_size"):
                inputs["token_type_ids"] = torch.tensor([encoding.type_ids])
            with torch.no_grad():
                single = model.float()(**inputs)
                double = model.double()(**inputs)
            for a, b in ((single.start_logits, double.start_logits), (single.end_logits, double.end_logits)):
                seen = b > -1e5  # BigBird takes a million off what may not be an answer
                noise = max(noise, (a - b)[seen].abs().max().item())
            none = min(none, answers_of_window(encoding, double.start_logits[0],
                                               double.end_logits[0], spans))
        best = sorted(spans.items(), key=lambda span: -span[1])[:5]
        cases.append({"question": question, "context": context, "windows": len(encoded.encodings),
                      "none": float(f"{none:.9g}"),
                      "answers": [[context[start:stop], start, stop, float(f"{score:.9g}")]
                                  for (start, stop), score in best]})
    return {"noise": noise, "cases": cases}


def write_cross_st6(folder):
    """The file that sentence-transformers 6 writes beside a cross-encoder."""
    model = sentence_transformers.CrossEncoder(folder, device="cpu")
    model.activation_fn = torch.nn.Identity()
    model.save(os.path.join(folder, "saved"), create_model_card=False)
    for name in ("config_sentence_transformers.json", "modules.json",
                 "sentence_bert_config.json"):
        os.rename(os.path.join(folder, "saved", name), os.path.join(folder, name))
    shutil.rmtree(os.path.join(folder, "saved"))


def golden_entities(folder):
    """Entities by each aggregation, cut from the text."""
    pipe = transformers.pipeline("token-classification", model=folder, device="cpu")
    pipe.model.double()
    return {"cases": [
        {"aggregation": aggregation, "text": text, "entities": [
            [text[e["start"]:e["end"]], e["entity_group"], e["start"], e["end"], float(f"{e['score']:.9g}")]
            for e in pipe(text, aggregation_strategy=aggregation)]}
        for aggregation in ("simple", "first", "average", "max") for text in TAG_TEXTS]}


def golden_fills(folder):
    """Tokens for each mask, the most probable first."""
    pipe = transformers.pipeline("fill-mask", model=folder, device="cpu", top_k=MASK_FILLS)
    cases, noise = [], 0.0
    for text in MASK_TEXTS:
        text = text.replace("[MASK]", pipe.tokenizer.mask_token)
        found = []
        for convert in (pipe.model.float, pipe.model.double):
            convert()
            masks = pipe(text)
            found.append(masks if isinstance(masks[0], list) else [masks])
        for single, double in zip(*found):
            noise = max([noise] + [abs(a["score"] - b["score"]) for a, b in zip(single, double)])
        cases.append({"text": text, "masks": [
            [[fill["token"], fill["token_str"], float(f"{fill['score']:.9g}"), fill["sequence"]] for fill in mask]
            for mask in found[1]]})
    return {"noise": noise, "cases": cases}


def write_sparse(spec, folder):
    """The files of a sparse encoder, as the library writes them beside the model's."""
    modules = sentence_transformers.sparse_encoder.modules
    said = dict(spec)
    kind = said.pop("module")
    prompts = said.pop("prompts", None)
    if kind == "MLMTransformer":
        transformer = modules.MLMTransformer(folder)
    else:
        transformer = sentence_transformers.base.modules.Transformer(folder, transformer_task="fill-mask")
    model = sentence_transformers.SparseEncoder(modules=[transformer, modules.SpladePooling(**said)],
                                                prompts=prompts, device="cpu")
    with tempfile.TemporaryDirectory() as saved:
        model.save(saved)
        for name in ("modules.json", "config_sentence_transformers.json", "sentence_bert_config.json", "1_SpladePooling"):
            path = os.path.join(saved, name)
            if os.path.isdir(path):
                shutil.copytree(path, os.path.join(folder, name))
            else:
                shutil.copy(path, folder)


def golden_sparse(folder):
    """Weights above zero of queries and documents, [id, weight] in the order of ids."""
    model = sentence_transformers.SparseEncoder(folder, device="cpu")
    cases, noise = [], 0.0
    for text in TEXTS:
        found = []
        for convert in (model.float, model.double):
            convert()
            found.append([encode(text, convert_to_sparse_tensor=False).double()
                          for encode in (model.encode_query, model.encode_document)])
        noise = max([noise] + [float((a - b).abs().max()) for a, b in zip(*found)])
        case = {"text": text}
        for role, vector in zip(("query", "document"), found[1]):
            case[role] = [[i, float(f"{w:.9g}")] for i, w in enumerate(vector.tolist()) if w > 0]
        case["similarity"] = float(f"{float(found[1][0] @ found[1][1]):.9g}")
        cases.append(case)
    return {"noise": noise, "words": len(found[1][0]), "cases": cases}


# Of a head: sections of golden.json, and what makes each.
HEADS = {"SequenceClassification": [("scores", golden_scores)],
         "TokenClassification": [("tags", golden_tags), ("entities", golden_entities)],
         "MaskedLM": [("fills", golden_fills)], "NextSentencePrediction": [("next", golden_next)],
         "PreTraining": [("next", golden_next), ("fills", golden_fills)],
         "QuestionAnswering": [("answers", golden_answers)]}
# The same of what pairs are scored for.
PAIRS_OF = {"cross": ("pairs", golden_cross), "nli": ("nli", golden_nli)}


def make_tiny(name, spec, seed):
    folder = os.path.join(TINY, name)
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    model = make_model(spec, seed)
    make_tokenizer(folder, spec)
    write_config(model, spec, folder)
    # The reference reads today's names; files under other names are written once it is done.
    write_weights(model, {**spec, "naming": None, "shards": 1, "bin": False}, folder)
    if spec.get("st") == 5:
        write_st5(spec, folder)
    if spec.get("st") == 6:
        write_st6(spec, folder, seed)
    if spec.get("old"):
        write_old(spec, folder)
    if "late" in spec:
        write_late(spec, folder, seed)
    if "pylate" in spec:
        write_pylate(spec, folder, seed)
    if "authors" in spec:
        write_authors(spec, folder, seed)
    late = any(writer in spec for writer in ("late", "pylate", "authors"))
    golden = {"reference": {m.__name__: v for m, v in PINNED.items()},
              "hidden": golden_hidden(model, spec, seed)}
    golden["late" if late else "texts"] = golden_late(folder) if late else golden_texts(folder, spec)
    if not late and "document" in spec.get("prompts", {}):
        golden["sides"] = golden_sides(folder)
    for section, make in HEADS.get(spec.get("head"), []):
        golden[section] = make(folder)
    if spec.get("cross_st6"):
        write_cross_st6(folder)
    if "sparse" in spec:
        if spec["sparse"]:
            write_sparse(spec["sparse"], folder)
        golden["sparse"] = golden_sparse(folder)
    if "pairs" in spec:
        section, make = PAIRS_OF[spec["pairs"]]
        golden[section] = make(folder)
    if spec.get("naming") or spec.get("shards") or spec.get("bin"):
        os.remove(os.path.join(folder, "model.safetensors"))
        write_weights(model.float(), spec, folder)
    if "published" in FAMILIES[spec.get("family", "Bert")]:
        write_published(spec, folder)
    with open(os.path.join(folder, "golden.json"), "w", encoding="utf-8", newline="\n") as out:
        json.dump(golden, out, separators=(",", ":"))
        out.write("\n")
    size = sum(os.path.getsize(os.path.join(base, file))
               for base, _, files in os.walk(folder) for file in files)
    print(f"{name}: {size} bytes, noise {golden['hidden']['noise']:.2e} hidden, "
          f"{golden['late' if late else 'texts']['noise']:.2e} texts")
    assert size <= 200_000, name


# Activations that a Dense module may name.
POINTWISE = ("Identity", "Tanh", "ReLU", "GELU", "Sigmoid", "SiLU", "ELU", "CELU", "SELU", "ReLU6",
             "LeakyReLU", "RReLU", "Softplus", "Softsign", "Mish", "LogSigmoid", "Tanhshrink",
             "Hardtanh", "Hardsigmoid", "Hardswish", "Hardshrink", "Softshrink")


def make_pointwise():
    x = torch.tensor([-200.0, -25.5, -7.0, -3.0, -2.25, -1.0, -0.5, -0.25, -1e-3, 0.0, 1e-4, 0.25,
                      0.5, 0.75, 1.0, 2.5, 3.0, 5.5, 6.25, 19.5, 20.5, 300.0], dtype=torch.float64)
    values = {name: shorten(getattr(torch.nn, name)().eval()(x)) for name in POINTWISE}
    write_json(os.path.join(ROOT, "test", "golden", "pointwise.json"),
               {"reference": {torch.__name__: PINNED[torch]}, "x": x.tolist(), "values": values})


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minilm", metavar="FOLDER", help="folder of all-MiniLM-L6-v2")
    parser.add_argument("--pointwise", action="store_true",
                        help="make test/golden/pointwise.json: activations of torch.nn")
    parser.add_argument("--only", metavar="NAME", nargs="+",
                        help="beginnings of the names of models/tiny to make")
    arguments = parser.parse_args()
    check_versions()
    torch.set_num_threads(1)
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    if arguments.minilm:
        import minilm_texts  # beside this file
        minilm_texts.make(arguments.minilm, MINILM)
        return
    if arguments.pointwise:
        make_pointwise()
        return
    for seed, (name, spec) in enumerate(FOLDERS.items()):
        if name.startswith(tuple(arguments.only or [""])):
            make_tiny(name, spec, spec.get("seed", seed))


if __name__ == "__main__":
    main()
