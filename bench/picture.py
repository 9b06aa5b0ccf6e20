#!/usr/bin/env python3
"""Draw the main table of RESULTS.md as an SVG: picture.py writes docs/images/embedding.svg;
picture.py --check only tells (by its exit status) whether the file is what would be written.

The main table is the first one under a heading "### Embedding …, mixed …": tokens per second on one
core, a row for each program and precision. Rows "the engine alone" are left out: a picture for
users shows what a statement reaches. Standard library only.
"""
import pathlib
import re
import sys
from html import escape

ROOT = pathlib.Path(__file__).resolve().parent.parent
RESULTS = ROOT / "bench" / "RESULTS.md"
PICTURE = ROOT / "docs" / "images" / "embedding.svg"

PRECISIONS = ("fp32", "bf16", "int8")
LABEL_WIDTH, BAR_WIDTH, BAR_HEIGHT, GAP, GROUP_GAP, TOP = 230, 430, 18, 6, 22, 62
OURS, THEIRS = "#0969da", "#8c959f"


def main_table(text):
    """(heading, run, [(label, tokens per second)]) of the newest run, which comes first."""
    found = re.search(r"^### (Embedding [^\n]*, mixed[^\n]*)\n\n((?:\|[^\n]*\n)+)", text, re.M)
    if not found:
        raise SystemExit(f"{RESULTS}: no table of mixed texts")
    run = re.findall(r"^## (.*)$", text[:found.start()], re.M)[-1]
    rows = []
    for line in found.group(2).splitlines()[2:]:
        label, rate = [cell.strip() for cell in line.strip("|").split("|")[:2]]
        if "the engine alone" not in label:
            rows.append((label, int(rate.replace(",", ""))))
    return found.group(1), run, rows


def groups(rows):
    """The rows of each precision, fastest first."""
    for precision in PRECISIONS:
        members = [row for row in rows if precision in row[0].replace(",", " ").split()]
        yield sorted(members, key=lambda row: -row[1])


def bar(label, rate, y, scale):
    ours = label.startswith("lmtext")
    middle = y + BAR_HEIGHT - 5
    return [
        f'<text x="{LABEL_WIDTH - 8}" y="{middle}" text-anchor="end"'
        f'{" font-weight=" + chr(34) + "bold" + chr(34) if ours else ""}>{escape(label)}</text>',
        f'<rect x="{LABEL_WIDTH}" y="{y}" width="{rate * scale:.1f}" height="{BAR_HEIGHT}" '
        f'fill="{OURS if ours else THEIRS}"/>',
        f'<text x="{LABEL_WIDTH + rate * scale + 6:.1f}" y="{middle}">{rate:,}</text>',
    ]


def picture(heading, run, rows):
    scale = BAR_WIDTH / max(rate for _, rate in rows)
    lines, y = [], TOP
    for members in groups(rows):
        for label, rate in members:
            lines += bar(label, rate, y, scale)
            y += BAR_HEIGHT + GAP
        y += GROUP_GAP - GAP
    width, height = LABEL_WIDTH + BAR_WIDTH + 80, y - 8
    texts = heading.removeprefix("Embedding ").split(";")[0]
    machine = run.split(": ", 1)[-1].split(" (")[0]
    return "\n".join([
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}" role="img" '
        'font-family="Helvetica, Arial, sans-serif" font-size="12" fill="#1f2328">',
        "<title>Tokens per second on one core</title>",
        f'<rect x="0.5" y="0.5" width="{width - 1}" height="{height - 1}" rx="10" '
        'fill="#f6f8fa" stroke="#8c959f"/>',
        '<text x="16" y="26" font-size="15" font-weight="bold">'
        "Tokens per second on one core, from text to vector</text>",
        f'<text x="16" y="46">{escape(texts)}; {escape(machine)}</text>',
        *lines,
        "</svg>",
    ]) + "\n"


def main():
    drawn = picture(*main_table(RESULTS.read_text()))
    if sys.argv[1:] == ["--check"]:
        same = PICTURE.exists() and PICTURE.read_text() == drawn
        print(f"{'ok' if same else 'run bench/picture.py again'}: {PICTURE.relative_to(ROOT)}")
        sys.exit(0 if same else 1)
    PICTURE.write_text(drawn)


if __name__ == "__main__":
    main()
