#!/usr/bin/env python3
"""The descriptions of all Debian packages, with their translations, as JSON lines.

Every machine with apt can fetch them from the sources that it is set up with; nothing is changed on
the system and root is not needed. Each line of OUT_DIR/corpus.jsonl is one text:
{"name", "section", "lang", "md5", "body"}; packages without an English text are left out.

usage: debian-corpus.py --out-dir DIR [--langs en,de,…] [--cache DIR]
"""
import argparse
import json
import os
import re
import subprocess
import sys

APT_HELPER = "/usr/lib/apt/apt-helper"  # reads lists however they are compressed
LANGUAGES = "en,de,fr,ja,it,es,zh_CN,ru,pl,pt_BR,ko,uk,zh_TW,da,cs,nl,sv,fi,hu,tr,el,vi,ca,eo,sk"


def options(cache, languages):
    """apt's options for lists in a folder of our own."""
    lists, archives = os.path.join(cache, "lists"), os.path.join(cache, "cache")
    os.makedirs(os.path.join(lists, "partial"), exist_ok=True)
    os.makedirs(os.path.join(archives, "archives", "partial"), exist_ok=True)
    settings = {"Dir::State::lists": lists, "Dir::Cache": archives,
                "Acquire::Languages": ",".join(languages), "APT::Sandbox::User": ""}
    return [part for key, value in settings.items() for part in ("-o", f"{key}={value}")]


def run(command):
    return subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout


def fetch(cache, languages):
    """Names of the index files: {"Packages": […], "Translation-de": […]}."""
    opts = options(cache, languages)
    subprocess.run(["apt-get", *opts, "-qq", "update"], check=True, stdout=sys.stderr)
    lines = run(["apt-get", *opts, "indextargets", "--format",
                 "$(CREATED_BY) $(SUITE) $(COMPONENT) $(LANGUAGE) $(FILENAME)"]).decode()
    found = {}
    for line in lines.splitlines():
        kind, suite, component, rest = line.split(" ", 3)
        language, filename = rest.split(" ", 1)
        if component != "main" or not re.fullmatch(r"[a-z]+|stable", suite):
            continue
        if kind in ("Packages", "Translations"):
            key = "Packages" if kind == "Packages" else language
            found.setdefault(key, []).append(filename)
    return opts, found


def paragraphs(opts, filename):
    """The paragraphs of an index file, each a dictionary of its fields."""
    text = run([APT_HELPER, *opts, "cat-file", filename]).decode("utf-8", "strict")
    for paragraph in text.split("\n\n"):
        fields, key = {}, None
        for line in paragraph.split("\n"):
            if line[:1] in (" ", "\t"):
                fields[key].append(line[1:])
            elif line:
                key, value = line.split(":", 1)
                fields[key] = [value.strip()]
        if fields:
            yield fields


def body(lines):
    """A description's text: a line with a point alone is an empty line."""
    return "\n".join([lines[0]] + ["" if line == "." else line for line in lines[1:]]).strip()


def translations(opts, files, language):
    """{md5: text} of one language."""
    texts = {}
    for filename in files:
        for fields in paragraphs(opts, filename):
            lines = fields.get(f"Description-{language}")
            if lines and "Description-md5" in fields:
                texts.setdefault(fields["Description-md5"][0], body(lines))
    return texts


def packages(opts, files):
    """(name, section, md5) of each package, once."""
    seen = set()
    for filename in files:
        for fields in paragraphs(opts, filename):
            name, md5 = fields["Package"][0], fields.get("Description-md5", [None])[0]
            if md5 and name not in seen:
                seen.add(name)
                yield name, fields.get("Section", [""])[0], md5


def write(out, opts, found, languages):
    """All texts, packages in order of name, English first."""
    texts = {lang: translations(opts, found.get(lang, []), lang) for lang in languages}
    counts = dict.fromkeys(languages, 0)
    for name, section, md5 in sorted(packages(opts, found.get("Packages", []))):
        if md5 not in texts["en"]:
            continue
        for lang in languages:
            if md5 in texts[lang]:
                counts[lang] += 1
                out.write(json.dumps({"name": name, "section": section, "lang": lang, "md5": md5,
                                      "body": texts[lang][md5]}, ensure_ascii=False) + "\n")
    return counts


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out-dir", required=True, help="where corpus.jsonl is written")
    parser.add_argument("--langs", default=LANGUAGES, help="languages, separated by commas")
    parser.add_argument("--cache", help="folder for apt's lists (default: OUT_DIR/apt)")
    args = parser.parse_args()
    languages = list(dict.fromkeys(["en", *args.langs.split(",")]))
    os.makedirs(args.out_dir, exist_ok=True)
    opts, found = fetch(args.cache or os.path.join(args.out_dir, "apt"), languages)
    target = os.path.join(args.out_dir, "corpus.jsonl")
    with open(target + ".part", "w", encoding="utf-8") as out:
        counts = write(out, opts, found, languages)
    os.replace(target + ".part", target)
    if not counts["en"]:
        sys.exit("no package descriptions: is apt set up with a Debian archive?")
    print(f"{target}: {sum(counts.values())} texts;",
          ", ".join(f"{lang} {n}" for lang, n in counts.items() if n), file=sys.stderr)


if __name__ == "__main__":
    try:
        main()
    except subprocess.CalledProcessError as failure:
        sys.exit(f"debian-corpus: {failure.cmd[0]} failed with status {failure.returncode}; "
                 "does `apt-get update` work?")
