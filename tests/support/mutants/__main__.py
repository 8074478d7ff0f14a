"""
Change the domain packages in small ways, one at a time, and see whether the fast tests notice.

    python -m support.mutants [--seed 8] [--count 300] [--only gateway/domain]

The same seed makes the same changes. Exits with 1 if fewer than 95 % are noticed.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
from collections import Counter
from collections.abc import Sequence
from typing import Final

from support.mutants.modules import Mutant, domain_modules, sample
from support.mutants.trials import rehearsed, survivors

ENOUGH: Final = 0.95


def main() -> int:
    parser = argparse.ArgumentParser(prog="make mutants", description=__doc__)
    parser.add_argument("--seed", type=int, default=random.randrange(10_000))
    parser.add_argument("--count", type=int, default=300)
    parser.add_argument("--only", default="", help="change only files with this in their path")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    options = parser.parse_args()
    found = domain_modules()
    chosen = [it for it in found if options.only in str(it.path)]
    mutants = sample(chosen, options.seed, options.count)
    print(f"{len(mutants)} mutants of seed {options.seed}; first the tests as they are", flush=True)
    files = rehearsed(found, options.workers)
    if failed := [test for file in files for test in file.failed]:
        print("These fail without a mutant and are left out:", *failed, sep="\n  ", flush=True)
    alive: Sequence[Mutant] = mutants
    for alive in survivors(mutants, files, options.workers):
        print(f"{len(alive)} not noticed yet", flush=True)
    return reported(mutants, alive)


def reported(mutants: Sequence[Mutant], alive: Sequence[Mutant]) -> int:
    """Print what was noticed and what wasn't; return the exit status."""
    for mutant in sorted(alive, key=lambda it: (it.place, it.change.start)):
        before, after = mutant.change.shown_in(mutant.module.source)
        print(f"\n{mutant.place}\n  - {before}\n  + {after}")
    lived = Counter(mutant.module.name for mutant in alive)
    print()
    for name, made in sorted(Counter(mutant.module.name for mutant in mutants).items()):
        print(f"{made - lived[name]:5} of {made:3}  {name}")
    share = 1 - len(alive) / len(mutants)
    print(f"\n{len(mutants) - len(alive)} of {len(mutants)} noticed, {share:.1%}")
    return 0 if share >= ENOUGH else 1


if __name__ == "__main__":
    sys.exit(main())
