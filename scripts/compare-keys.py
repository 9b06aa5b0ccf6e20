#!/usr/bin/env python3
"""Compare lmtext's tables of the keys of settings files with the keys that sentence-transformers and transformers read
and write, so that a setting of a new version is not passed over.

Prints "ok FILE" or "not ok FILE: the keys that no table has". Needs a venv with both libraries.

usage: compare-keys.py --program test/tools/list_keys --model DIR
"""
import argparse
import ast
import collections
import importlib
import inspect
import json
import pathlib
import subprocess
import sys
import tempfile
import textwrap

import transformers
from sentence_transformers import MultiVectorEncoder, SentenceTransformer, SparseEncoder
from sentence_transformers.base.model import BaseModel
from sentence_transformers.base.modules import Dense, Normalize, Router, Transformer
from sentence_transformers.base.modules import transformer as transformer_source
from sentence_transformers.multi_vector_encoder import model as late_source
from sentence_transformers.multi_vector_encoder.modules import MultiVectorMask
from sentence_transformers.sentence_transformer.modules import (BoW, Dropout, LayerNorm, Pooling, WeightedLayerPooling,
                                                               WordEmbeddings, WordWeights)
from sentence_transformers.sentence_transformer.modules import pooling as pooling_source
from sentence_transformers.sentence_transformer.modules.tokenizer import WhitespaceTokenizer
from sentence_transformers.sparse_encoder.modules import SparseStaticEmbedding, SpladePooling
from transformers import masking_utils
from transformers.configuration_utils import PreTrainedConfig

import gte_new  # beside this file
import jina_bert
import nomic_bert
import xlm_roberta_flash

# As the library numbers the folders that `written` makes it write.
MODULE_TABLES = ("2_Dense", "3_LayerNorm", "4_Dropout", "5_Normalize")

# Modules that `written` has not, and what each may have in its config.json.
OTHER_MODULES = (SpladePooling, MultiVectorMask, WeightedLayerPooling, SparseStaticEmbedding, WordEmbeddings, WordWeights, BoW)

# What the libraries read and no file of a model holds: places, revisions and credentials of a download.
ARGUMENTS = {"self", "model_name_or_path", "backend", "args", "kwargs"}

# Read for families with rotary positions; in BERT's file they are unknown, which is a warning.
ROTARY = {"rope_scaling", "rope_theta"}


# The library's folders, and the beginnings of their classes' names.
FAMILIES = {
    "bert": {"bert": "Bert"},
    "distilbert": {"distilbert": "DistilBert"},
    "ernie": {"ernie": "Ernie"},
    "roberta": {"roberta": "Roberta", "xlm_roberta": "XLMRoberta", "camembert": "Camembert",
                "data2vec": "Data2VecText"},
    "roberta-prelayernorm": {"roberta_prelayernorm": "RobertaPreLayerNorm"},
    "xlm-roberta-xl": {"xlm_roberta_xl": "XLMRobertaXL"},
    "megatron-bert": {"megatron_bert": "MegatronBert"},
    "rembert": {"rembert": "RemBert"},
    "electra": {"electra": "Electra"},
    "albert": {"albert": "Albert"},
    "mpnet": {"mpnet": "MPNet"},
    "mobilebert": {"mobilebert": "MobileBert"},
    "roformer": {"roformer": "RoFormer"},
    "big_bird": {"big_bird": "BigBird"},
    "longformer": {"longformer": "Longformer"},
    "deberta-v2": {"deberta_v2": "DebertaV2"},
    "eurobert": {"eurobert": "EuroBert"},
    "gte": {"gte": "Gte"},
    "jina_embeddings_v3": {"jina_embeddings_v3": "JinaEmbeddingsV3"},
    "llama": {"llama": "Llama"},
    "mistral": {"mistral": "Mistral"},
    "modernbert": {"modernbert": "ModernBert"},
    "mt5": {"mt5": "MT5"},
    "nomic_bert": {"nomic_bert": "NomicBert"},
    "qwen2": {"qwen2": "Qwen2"},
    "qwen3": {"qwen3": "Qwen3"},
    "t5": {"t5": "T5"},
    "umt5": {"umt5": "UMT5"},
    "gemma3": {"gemma3": "Gemma3Text"},
}


def constant(node):
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def name_of(node):
    """The variable or the attribute that an expression ends in: config of self.config."""
    return node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else None


def parts_of(source):
    return ast.walk(ast.parse(textwrap.dedent(inspect.getsource(source))))


def keys_read(source, variable):
    """Keys that code takes of a dictionary: variable["key"], variable.get("key"), variable.pop("key")."""
    found = set()
    for node in parts_of(source):
        if isinstance(node, ast.Subscript) and name_of(node.value) == variable:
            found.add(constant(node.slice))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args \
                and node.func.attr in ("get", "pop") and name_of(node.func.value) == variable:
            found.add(constant(node.args[0]))
    return found - {None}


def attributes_read(source, variable):
    """Attributes that code takes of an object: variable.name, getattr(variable, "name"), hasattr(variable, "name")."""
    found = set()
    for node in parts_of(source):
        if isinstance(node, ast.Attribute) and name_of(node.value) == variable:
            found.add(node.attr)
        if isinstance(node, ast.Call) and name_of(node.func) in ("getattr", "hasattr") \
                and name_of(node.args[0]) == variable:
            found.add(constant(node.args[1]))
    return found - {None}


def pylate_keys():
    """Keys of pylate's that a model for late interaction is known by."""
    found = set(late_source._LegacyStash._PYLATE_TRANSFORMER_KEYS)
    for node in parts_of(MultiVectorEncoder._parse_model_config):
        if isinstance(node, ast.Assign) and name_of(node.targets[0]) == "pylate_marker_keys":
            found |= {constant(each) for each in ast.walk(node.value)} - {None}
    return found


def arguments(function):
    """Names of the arguments that a function under decorators takes."""
    return set(inspect.signature(inspect.unwrap(function)).parameters) - ARGUMENTS


def written(model):
    """Keys of the files that the library writes, by name of the file."""
    keys = collections.defaultdict(set)
    transformer = Transformer(model)
    width = transformer.get_embedding_dimension()
    modules = [transformer, Pooling(width), Dense(width, 7), LayerNorm(7), Dropout(), Normalize()]
    sentence = SentenceTransformer(modules=modules, truncate_dim=4, prompts={"query": "q: "}, default_prompt_name="query")
    with tempfile.TemporaryDirectory() as folder:
        sentence.save(folder, create_model_card=False)
        for path in pathlib.Path(folder).rglob("*.json"):
            content = json.loads(path.read_text(encoding="utf-8"))
            for item in content if isinstance(content, list) else [content]:
                keys[str(path.relative_to(folder))] |= set(item)
    return keys


def library_keys(model):
    keys = written(model)
    keys["modules.json"] |= keys_read(BaseModel, "module_config")
    keys["config_sentence_transformers.json"] |= keys_read(BaseModel, "model_config") \
        | keys_read(SentenceTransformer, "model_config") | keys_read(SparseEncoder, "model_config") \
        | keys_read(MultiVectorEncoder, "model_config") | pylate_keys() | keys_read(BaseModel._get_model_type, "config")
    keys["sentence_bert_config.json"] |= set(Transformer.config_keys) | arguments(Transformer.__init__) \
        | {key for node in parts_of(Transformer._load_init_kwargs) if isinstance(node, ast.Dict)
           for key in map(constant, node.keys) if key and key.endswith("_args")}
    keys["1_Pooling/config.json"] |= set(Pooling.config_keys) | set(Pooling.config_key_renames) \
        | arguments(Pooling.__init__) | set(pooling_source._LEGACY_POOLING_MODE_KWARGS)
    for module in (Dense, LayerNorm, Dropout, Normalize):
        folder = next(name for name in MODULE_TABLES if name.split("_")[1] == module.__name__)
        keys[folder + "/config.json"] |= set(module.config_keys)
    for module in OTHER_MODULES:
        keys[module.__name__] |= set(module.config_keys) | set(getattr(module, "config_key_renames", ())) \
            | (arguments(module.__init__) & set(module.config_keys)) | keys_read(module.load, "config")
    keys["WhitespaceTokenizer"] |= arguments(WhitespaceTokenizer.__init__)
    keys["query_expansion"] |= set(transformer_source._VALID_QUERY_EXPANSION_KEYS)
    keys["router_config.json"] |= keys_read(Router.load, "config")
    keys["router_config.json parameters"] |= set(Router.config_keys)
    common = keys_read(PreTrainedConfig.__post_init__, "kwargs") - ROTARY \
        | attributes_read(masking_utils.create_bidirectional_mask, "config")
    for family, classes in FAMILIES.items():
        keys[family] = set(common)
        for name in classes.values():
            config = getattr(transformers, name + "Config")()
            source = importlib.import_module(getattr(transformers, name + "Model").__module__)
            keys[family] |= set(config.to_dict()) \
                | {each for each in attributes_read(source, "config") if each in vars(config)}
    # The library has no such classes; their authors' settings are those of the references for golden models.
    keys["jina_bert"] = common | set(jina_bert.JinaBertConfig().to_dict()) | {"auto_map"}
    published = gte_new.GteNewConfig().to_dict() | {"architectures": ["GteModel"]}
    gte_new.as_published(published)
    keys["gte_new"] = common | set(published)
    published = nomic_bert.NomicBertAuthorsConfig().to_dict() | {"architectures": ["NomicBertModel"]}
    nomic_bert.as_published(published)
    keys["nomic_bert_authors"] = common | set(published)
    for family, config in (("jina_embeddings_v3_authors", xlm_roberta_flash.JinaEmbeddingsV3AuthorsConfig()),
                           ("xlm_roberta_flash", xlm_roberta_flash.XLMRobertaFlashConfig())):
        published = config.to_dict() | {"architectures": ["XLMRobertaModel"]}
        xlm_roberta_flash.as_published(published)
        keys[family] = common | set(published)
    keys["bert"] |= keys.pop("config.json")
    return keys


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--program", required=True)
    parser.add_argument("--model", required=True)
    arguments_given = parser.parse_args()
    tables = collections.defaultdict(set)
    for line in subprocess.run([arguments_given.program], capture_output=True, text=True, check=True).stdout.splitlines():
        table, key, _ = line.split("\t")
        tables[table].add(key)
    found = library_keys(arguments_given.model)
    failed = 0
    for table in sorted(tables):
        missing = sorted(found[table] - tables[table])
        failed += bool(missing) or not found[table]
        print(f"not ok {table}: {', '.join(missing) or 'nothing was found in the library'}"
              if missing or not found[table] else f"ok {table} ({len(found[table])} keys of the library)")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
