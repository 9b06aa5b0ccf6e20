#!/usr/bin/env python3
"""Compare lmtext's tables of the keys of settings files with the keys that sentence-transformers and transformers read
and write, so that a setting of a new version is not passed over.

Prints "ok FILE" or "not ok FILE: the keys that no table has". Needs a venv with both libraries.

usage: compare-keys.py --program test/tools/list_keys --model DIR
"""
import argparse
import ast
import collections
import inspect
import json
import pathlib
import subprocess
import sys
import tempfile
import textwrap

import transformers
from sentence_transformers import SentenceTransformer
from sentence_transformers.base.model import BaseModel
from sentence_transformers.base.modules import Normalize, Transformer
from sentence_transformers.sentence_transformer.modules import Pooling
from sentence_transformers.sentence_transformer.modules import pooling as pooling_source
from transformers import masking_utils
from transformers.configuration_utils import PreTrainedConfig
from transformers.models.bert import modeling_bert

# What the libraries read and no file of a model holds: places, revisions and credentials of a download.
ARGUMENTS = {"self", "model_name_or_path", "backend", "args", "kwargs"}

# Read for families with rotary positions; in BERT's file they are unknown, which is a warning.
ROTARY = {"rope_scaling", "rope_theta"}


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


def arguments(function):
    """Names of the arguments that a function under decorators takes."""
    return set(inspect.signature(inspect.unwrap(function)).parameters) - ARGUMENTS


def written(model):
    """Keys of the files that the library writes, by name of the file."""
    keys = collections.defaultdict(set)
    transformer = Transformer(model)
    modules = [transformer, Pooling(transformer.get_embedding_dimension()), Normalize()]
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
        | keys_read(SentenceTransformer, "model_config") | keys_read(BaseModel._get_model_type, "config")
    keys["sentence_bert_config.json"] |= set(Transformer.config_keys) | arguments(Transformer.__init__) \
        | {key for node in parts_of(Transformer._load_init_kwargs) if isinstance(node, ast.Dict)
           for key in map(constant, node.keys) if key and key.endswith("_args")}
    keys["1_Pooling/config.json"] |= set(Pooling.config_keys) | set(Pooling.config_key_renames) \
        | arguments(Pooling.__init__) | set(pooling_source._LEGACY_POOLING_MODE_KWARGS)
    keys["2_Normalize/config.json"] |= set(Normalize.config_keys)
    keys["bert"] = keys.pop("config.json") | set(transformers.BertConfig().to_dict()) \
        | keys_read(PreTrainedConfig.__post_init__, "kwargs") - ROTARY \
        | {name for name in attributes_read(modeling_bert, "config") if name in vars(transformers.BertConfig())} \
        | attributes_read(masking_utils.create_bidirectional_mask, "config")
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
