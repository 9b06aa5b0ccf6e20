#!/usr/bin/env python3
"""Compare what the engine makes of a tokenizer's files with what transformers makes of them.

Folders are derived from models/tiny/bert by changes drawn at random: settings of tokenizer_config.json, tokens that are
named only in one file, classes, stages of tokenizer.json. Where ids or type ids differ, the engine must refuse the folder
or warn. Where nothing is refused and nothing is warned of, both must agree on every text. Also: every key that
transformers reads of these files must be in the engine's tables.

usage: compare-tokenizer-files.py --program build/unit/tools/tokenize_lines [--seed N] [--count N] [--only NUMBER]
"""
import argparse
import collections
import copy
import importlib.util
import inspect
import json
import os
import random
import re
import subprocess
import sys
import tempfile

os.environ["TOKENIZERS_PARALLELISM"] = "false"
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TRANSFORMERS_VERBOSITY"] = "error"
import transformers  # noqa: E402
from transformers import AutoTokenizer, BertTokenizer  # noqa: E402
from transformers.models.auto import tokenization_auto  # noqa: E402
from transformers.tokenization_utils_base import PreTrainedTokenizerBase  # noqa: E402
from transformers.tokenization_utils_tokenizers import TokenizersBackend  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))
spec = importlib.util.spec_from_file_location("random_tokenizers", os.path.join(HERE, "compare-random-tokenizers.py"))
random_tokenizers = importlib.util.module_from_spec(spec)
spec.loader.exec_module(random_tokenizers)

FILES = ["tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "config.json"]
WINDOW = 12

# Keys that the source has where it looks for others' files, at calls, or only of other kinds of tokenizers.
NOT_OF_FILES = {"token", "revision", "cache_dir", "subfolder", "proxies", "force_download", "_from_pipeline", "_from_auto",
                "user_agent", "mirror", "config", "code_revision", "mistral_format", "tokenizer", "resume_download",
                "use_auth_token", "_is_local", "default", "model", "name", "template", "__type", "type", "normalizer",
                "truncation", "padding", "special", "id", "content", "direction", "strategy", "pad_id", "pad_type_id", "length",
                "AutoTokenizer", "normalizers", "precompiled_charsmap", "general.architecture", "_spm_precompiled_charsmap",
                "_json_truncation", "_json_padding", "chat_template_file", "tokenizer_config_file", "added_tokens_file",
                "special_tokens_map_file", "local_files_only", "is_local"}


def read_base():
    folder = os.path.join(HERE, "../models/tiny/bert")
    files = {}
    for name in FILES:
        path = os.path.join(folder, name)
        if os.path.exists(path):
            with open(path, encoding="utf-8") as file:
                files[name] = json.load(file)
    return files


BASE = read_base()
WORDS = [token for token in BASE["tokenizer.json"]["model"]["vocab"] if not token.startswith(("##", "["))]


def words(rng):
    return rng.choice(WORDS)


def token(rng, text, **more):
    """A token as these files write it: a string, or an object that a marker tells in tokenizer_config.json."""
    return rng.choice([text, {"content": text, "lstrip": rng.random() < 0.3, "rstrip": False, "normalized": False,
                              "single_word": False, **more}])


# Each change takes the files and a source of chance; those of one folder are drawn together.
def change_class(files, rng):
    config = files["tokenizer_config.json"]
    choice = rng.choice([None, "BertTokenizerFast", "ElectraTokenizer", "DistilBertTokenizerFast", "PreTrainedTokenizerFast",
                         "TokenizersBackend", "PreTrainedTokenizer"])
    config.pop("tokenizer_class", None)
    if choice:
        (config if rng.random() < 0.8 else files["config.json"])["tokenizer_class"] = choice


def change_case(files, rng):
    config = files["tokenizer_config.json"]
    key = rng.choice(["do_lower_case", "tokenize_chinese_chars", "strip_accents"])
    config[key] = rng.random() < 0.5
    if rng.random() < 0.4:
        del config[key]


def change_side(files, rng):
    if rng.random() < 0.5:
        files["tokenizer_config.json"]["truncation_side"] = rng.choice(["left", "right"])
    if rng.random() < 0.5:
        files["tokenizer.json"]["truncation"] = {"direction": rng.choice(["Left", "Right"]), "max_length": 8,
                                                 "strategy": "LongestFirst", "stride": 0}


def change_harmless(files, rng):
    settings = {"padding_side": "left", "add_bos_token": True, "add_eos_token": True, "do_basic_tokenize": False,
                "never_split": ["x"], "max_len": 8, "pad_to_multiple_of": 8, "stride": 1, "add_prefix_space": True,
                "truncation_strategy": "only_first", "max_length": 4, "clean_up_tokenization_spaces": True,
                "pad_token_type_id": 1, "wordpieces_prefix": "@", "clean_text": False,
                "model_input_names": ["input_ids", "attention_mask"]}
    for key in rng.sample(list(settings), 3):
        files["tokenizer_config.json"][key] = settings[key]


def change_split(files, rng):
    files["tokenizer_config.json"]["split_special_tokens"] = rng.random() < 0.7


def change_extra(files, rng):
    key = rng.choice(["additional_special_tokens", "extra_special_tokens"])
    texts = [token(rng, rng.choice([words(rng), "[CLS]", "[MASK]", "<new>"])) for _ in range(rng.randrange(1, 3))]
    name = rng.choice(["tokenizer_config.json", "special_tokens_map.json"])
    if rng.random() < 0.2 and key == "extra_special_tokens":
        texts = {"image_token": words(rng)}
    files.setdefault(name, {})[key] = texts


def change_named(files, rng):
    key = rng.choice(["cls_token", "sep_token", "unk_token", "pad_token", "mask_token", "bos_token", "eos_token",
                      "image_token"])
    name = rng.choice(["tokenizer_config.json", "special_tokens_map.json"])
    files.setdefault(name, {})[key] = token(rng, rng.choice([words(rng), "[CLS]", "[SEP]", "[UNK]"]))


def change_added_file(files, rng):
    text = rng.choice([words(rng), "[CLS]", "<new>"])
    files["added_tokens.json"] = {text: BASE["tokenizer.json"]["model"]["vocab"].get(text, 999)}


def change_decoder(files, rng):
    tokens = copy.deepcopy(files["tokenizer.json"].get("added_tokens", []))
    decoder = {str(t.pop("id")): t for t in tokens if rng.random() < 0.9}
    if rng.random() < 0.3:
        text = words(rng)
        decoder[str(BASE["tokenizer.json"]["model"]["vocab"][text])] = {
            "content": text, "lstrip": False, "rstrip": False, "normalized": rng.random() < 0.5, "single_word": False,
            "special": rng.random() < 0.5}
    if decoder and rng.random() < 0.3:
        changed = rng.choice(list(decoder.values()))
        flag = rng.choice(["lstrip", "rstrip", "single_word", "normalized", "special"])
        changed[flag] = not changed[flag]
    files["tokenizer_config.json"]["added_tokens_decoder"] = decoder


def change_added(files, rng):
    added = files["tokenizer.json"]["added_tokens"]
    if rng.random() < 0.5:
        files["tokenizer.json"]["added_tokens"] = [t for t in added if rng.random() < rng.choice([0, 0.7])]
    else:
        text = words(rng)
        added.append({"id": BASE["tokenizer.json"]["model"]["vocab"][text], "content": text, "single_word": False,
                      "lstrip": False, "rstrip": False, "normalized": rng.random() < 0.5, "special": rng.random() < 0.5})


def change_normalizer(files, rng):
    files["tokenizer.json"]["normalizer"] = random_tokenizers.draw_normalizer(rng) if rng.random() < 0.8 else None


def change_pretokenizer(files, rng):
    files["tokenizer.json"]["pre_tokenizer"] = random_tokenizers.draw_pretokenizer(rng) if rng.random() < 0.8 else None


def change_postprocessor(files, rng):
    vocab = BASE["tokenizer.json"]["model"]["vocab"]
    specials = [t for t in ("[CLS]", "[SEP]", "[UNK]") if t in vocab]
    files["tokenizer.json"]["post_processor"] = random_tokenizers.draw_postprocessor(rng, specials, vocab)


def change_model(files, rng):
    model = files["tokenizer.json"]["model"]
    key, value = rng.choice([("continuing_subword_prefix", "@@"), ("max_input_chars_per_word", 3), ("unk_token", words(rng)),
                             ("type", None)])
    model[key] = value
    if value is None:
        del model[key]


CHANGES = [change_class, change_case, change_side, change_harmless, change_split, change_extra, change_named,
           change_added_file, change_decoder, change_added, change_normalizer, change_pretokenizer, change_postprocessor,
           change_model]


def draw(seed, number):
    rng = random.Random(f"{seed}/{number}")
    files = copy.deepcopy(BASE)
    chosen = rng.sample(CHANGES, rng.choice([1, 1, 1, 2, 3]))
    if change_class not in chosen and rng.random() < 0.3:
        chosen.append(change_class)
    if rng.random() < 0.05:
        del files["tokenizer_config.json"]
        chosen = [c for c in chosen if c in (change_added, change_normalizer, change_pretokenizer, change_postprocessor,
                                             change_model)]
    for change in chosen:
        change(files, rng)
    for value in files.get("tokenizer_config.json", {}).values():
        for item in [value] + (value if isinstance(value, list) else []):
            if isinstance(item, dict) and "content" in item:
                item["__type"] = "AddedToken"
    names = WORDS + [t["content"] for t in BASE["tokenizer.json"]["added_tokens"]] * 4
    texts = [" ".join(rng.choice(names) for _ in range(rng.randrange(1, 20))) for _ in range(30)]
    texts += [text.upper() for text in texts[:5]] + ["Ünïcode ÀÉ 中文 naïve, don't [CLS] x[MASK]y <new>", "", "[SEP]",
                                                    "abcdefgh " * 9, "qz" * 60]
    texts += [words(rng) + words(rng) + "." + words(rng) for _ in range(10)] + [w + "!" for w in WORDS[:20]]
    return [c.__name__ for c in chosen], files, texts


def reference(files, texts):
    """(ids, types) of each text, or the failure."""
    with tempfile.TemporaryDirectory() as folder:
        for name, json_value in files.items():
            with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
                json.dump(json_value, file)
        try:
            library = AutoTokenizer.from_pretrained(folder)
            given = [library(text, truncation=True, max_length=WINDOW) for text in texts]
        except BaseException as error:  # also panics of the library beneath
            return f"{type(error).__name__}: {error}"
    # What is not given to the model is 0 there.
    return [(one["input_ids"], list(one.get("token_type_ids", [0] * len(one["input_ids"])))) for one in given]


def ask(program, drawn):
    """What the program says of each folder: (refusal, notes, encodings)."""
    data = b""
    for _, files, texts in drawn:
        for name in FILES:
            data += random_tokenizers.frame(json.dumps(files[name]).encode() if name in files else b"")
        bits = random_tokenizers.ADD_SPECIAL | random_tokenizers.PARSE_SPECIAL
        data += random_tokenizers.struct.pack("<III", bits, WINDOW, len(texts))
        data += b"".join(random_tokenizers.frame(text.encode()) for text in texts)
    run = subprocess.run([program, "--many"], input=data, stdout=subprocess.PIPE, check=True)
    answers = random_tokenizers.Answers(run.stdout)
    for _, _, texts in drawn:
        refusal = answers.refusal()
        yield refusal, refusal or answers.notes(), [] if refusal else [answers.encoding(bits) for _ in texts]


def compare(program, seed, numbers):
    drawn = [draw(seed, number) for number in numbers]
    said = list(ask(program, drawn))
    found, good = collections.Counter(), True
    for number, (changes, files, texts), (refusal, notes, got) in zip(numbers, drawn, said):
        wanted = reference(files, texts)
        if isinstance(wanted, str):
            found["the library fails"] += 1
            continue
        if refusal:
            found["refused"] += 1
            continue
        different = [i for i in range(len(texts)) if (list(got[i][0]), list(got[i][1])) != wanted[i]]
        found["differ, warned" if different and notes else "differ" if different else "equal, warned" if notes else "equal"] += 1
        if different and not notes:
            good = False
            i = different[0]
            print(f"  folder {number} ({', '.join(changes)}): {texts[i]!r:.200}\n    got    {got[i]}\n    wanted {wanted[i]}")
    print("  " + ", ".join(f"{count} {what}" for what, count in sorted(found.items())))
    good &= found["equal"] > len(numbers) / 10
    print(f"{'ok' if good else 'not ok'} tokenizer-files: {len(numbers)} folders of seed {seed}")
    return good


def keys_in_source():
    """Keys that the source of transformers takes of tokenizer_config.json."""
    source = "".join(inspect.getsource(part) for part in
                     (PreTrainedTokenizerBase.__init__, PreTrainedTokenizerBase._from_pretrained,
                      PreTrainedTokenizerBase.from_pretrained, TokenizersBackend.__init__,
                      TokenizersBackend.convert_to_native_format, tokenization_auto.AutoTokenizer.from_pretrained))
    names = r"(?:init_kwargs|kwargs|local_kwargs|tokenizer_config|config_dict)"
    keys = set(re.findall(names + r"\.(?:pop|get|setdefault)\(\s*\"(\w+)\"", source))
    keys |= set(re.findall(names + r"\[\"(\w+)\"\]", source))
    keys |= set(re.findall(r"\"(\w+)\" (?:not )?in " + names, source))
    keys |= set(PreTrainedTokenizerBase.SPECIAL_TOKENS_ATTRIBUTES)
    return keys | {name for name in inspect.signature(BertTokenizer.__init__).parameters if name not in ("self", "kwargs")}


def compare_keys(program):
    """Every key that the library reads has a row; no row is of a file that it does not read."""
    said = subprocess.run([program, "--keys"], stdout=subprocess.PIPE, check=True, text=True).stdout
    known = {line.split("\t")[1] for line in said.splitlines() if line.startswith("tokenizer_config.json\t")}
    missing = sorted(keys_in_source() - known - NOT_OF_FILES)
    good = not missing and len(keys_in_source()) > 30
    print(f"{'ok' if good else 'not ok'} tokenizer-keys: {len(keys_in_source())} keys in the library's source, "
          f"{len(known)} in the table, missing: {', '.join(missing) or 'none'}")
    return good


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", required=True, help="test/tools/tokenize_lines, built")
    parser.add_argument("--seed", type=int, default=13)
    parser.add_argument("--count", type=int, default=400)
    parser.add_argument("--only", type=int, help="this number alone, with its files")
    args = parser.parse_args()
    assert transformers.__version__ == "5.23.0", "compare with transformers 5.23.0"
    numbers = list(range(args.count)) if args.only is None else [args.only]
    if args.only is not None:
        changes, files, _ = draw(args.seed, args.only)
        shown = copy.deepcopy(files)
        shown["tokenizer.json"]["model"]["vocab"] = "..."
        print(changes, json.dumps(shown, indent=1))
        print(list(ask(args.program, [draw(args.seed, args.only)]))[0][:2])
    good = compare(args.program, args.seed, numbers)
    sys.exit(0 if compare_keys(args.program) and good else 1)


if __name__ == "__main__":
    main()
