"""The figures of this run that have a goal, beside it: what the parts noted by common.goal."""
import json

import common


def main():
    with open(common.GOALS, encoding="utf-8") as file:
        notes = [json.loads(line) for line in file]
    rows = []
    for note in notes:
        measured, digits = round(note["measured"], note["digits"]), note["digits"]
        least, most = note["least"], note["most"]
        reached = measured >= least if least is not None else measured <= most
        rows.append((note["claim"], f"≥ {least}" if least is not None else f"≤ {most}", f"{measured:.{digits}f}",
                     "" if reached else "**missed**"))
    missed = sum(1 for row in rows if row[-1])
    common.table(f"Goals: {len(rows) - missed} reached, {missed} missed", ("", "goal", "measured", ""), rows)


if __name__ == "__main__":
    main()
