"""Which mutants the fast tests notice."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from support.mutants.forks import in_forks
from support.mutants.modules import Module, Mutant
from support.mutants.suite import FAST, RecordedFile, RecordedTest, preload, recorded, trial


def rehearsed(found: Sequence[Module], workers: int) -> list[RecordedFile]:
    """Run the fast tests without a mutant."""
    preload(frozenset(module.name.partition(".")[0] for module in found))
    files = [path for folder in FAST for path in sorted(folder.glob("test_*.py"))]
    return recorded(files, found, workers)


def survivors(
    mutants: Sequence[Mutant], files: Sequence[RecordedFile], workers: int
) -> Iterator[Sequence[Mutant]]:
    """
    Yield the mutants that no test notices, after each of two rounds.

    First those tests run that reach the changed statement, the quick ones first; then the others
    of their files, where what a module keeps may have been computed by an earlier test. A change
    outside of functions concerns all files that import the module.
    """
    alive = list(mutants)
    for likely in (True, False):
        chosen = [(it, tests_for(it, files, likely=likely)) for it in alive]
        tried = [(it, trial(it, tests)) for it, tests in chosen if tests]
        ended = in_forks((job for _, job in tried), workers)
        noticed = {id(tried[at][0]) for at, fails in ended if fails is not False}
        alive = [it for it in alive if id(it) not in noticed]
        yield alive


def tests_for(
    mutant: Mutant, files: Sequence[RecordedFile], *, likely: bool
) -> Sequence[RecordedTest]:
    """Return the tests of one round, the quick ones first."""
    name, line = mutant.module.name, mutant.statement
    chosen: list[RecordedTest] = []
    for file in files:
        if name not in file.imported:
            continue
        reaching = [it for it in file.tests if _reaches(it, name, line)]
        if (name, line) in file.collected:
            reaching = list(file.tests)
        if likely:
            chosen += reaching
        elif reaching or line is None:
            chosen += [it for it in file.tests if it not in reaching]
    return sorted(chosen, key=lambda it: it.seconds)


def _reaches(test: RecordedTest, name: str, line: int | None) -> bool:
    """Return whether a test reaches the statement; any of the module's, if *line* is None."""
    if line is not None:
        return (name, line) in test.reached
    return any(module == name for module, _ in test.reached)
