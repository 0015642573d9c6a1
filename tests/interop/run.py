#!/usr/bin/env python3
"""Runs every test vector of `tests/vectors/` through this implementation, and its own tests.

python tests/interop/run.py [FAMILY…]
"""

from __future__ import annotations

import argparse
from pathlib import Path
import sys
import traceback

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

from vectors import Family, run_case  # noqa: E402


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("families", nargs="*", help="only these families")
    parser.add_argument("--vectors", type=Path, default=HERE.parent / "vectors")
    parser.add_argument("--trace", action="store_true", help="show where unexpected errors arose")
    parser.add_argument("--only-vectors", action="store_true", help="leave the other tests out")
    options = parser.parse_args()

    passed = failed = skipped = 0
    lines: list[str] = []
    table: list[tuple[str, int, int, int, int]] = []
    files = sorted(options.vectors.glob("*.json"))
    for path in files:
        family = Family.load(path)
        if options.families and family.name not in options.families:
            continue
        agree = left_out = 0
        for case in family.cases:
            outcome = run_case(family, case)
            if outcome.differences:
                lines.append(f"{family.name}/{case['name']}")
                lines += [f"    {difference}" for difference in outcome.differences]
                if options.trace and outcome.error is not None:
                    lines += traceback.format_exception(outcome.error)
            elif outcome.left_out:
                left_out += 1
            else:
                agree += 1
        cases = len(family.cases)
        table.append((family.name, cases, agree, cases - agree - left_out, left_out))
    if not table:
        print(f"no vectors in {options.vectors.name}/", file=sys.stderr)
        return 1

    if not options.families and not options.only_vectors:
        import checks
        import cose

        for name, run in (("cose", cose.run), ("self", checks.run)):
            agreed, found = run(options.vectors)
            table.append((name, agreed + len(found), agreed, len(found), 0))
            lines += [f"{name}: {text}" for text in found]

    width = max(len(row[0]) for row in table)
    print(f"{'family':{width}}  cases  agree  disagree")
    for name, cases, agree, disagree, left_out in table:
        note = f"  ({left_out} left out)" if left_out else ""
        print(f"{name:{width}}  {cases:5}  {agree:5}  {disagree:8}{note}")
        passed += agree
        failed += disagree
        skipped += left_out
    if lines:
        print("\ndisagreements:")
        print("\n".join(lines))
    if skipped:
        print(f"left out: {skipped} cases of local families, of what SPEC.md leaves open")
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
