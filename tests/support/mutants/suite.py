"""The fast tests, run in forks of a process that has imported all but what a mutant may change."""

from __future__ import annotations

import builtins
import importlib
import importlib.abc
import importlib.util
import sys
from collections import defaultdict
from collections.abc import Generator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from importlib.machinery import ModuleSpec, SourceFileLoader
from pathlib import Path
from types import CodeType
from typing import Any, Final

import pytest
from hypothesis import Phase, settings

from support.mutants.forks import Job, in_forks
from support.mutants.modules import ROOT, TELL, Module, Mutant, telling

FAST: Final = (ROOT / "tests/unit", ROOT / "tests/contract")
SHARED: Final = ("order_contracts", "order_runtime")  # import no service
Statement = tuple[str, int]
"""A module, and the line at which a statement in a function of it begins."""


@dataclass(frozen=True, slots=True)
class RecordedTest:
    """A test, how long it took, and the statements of domain packages that it reached."""

    file: str
    name: str
    seconds: float
    reached: frozenset[Statement]


@dataclass(frozen=True, slots=True)
class RecordedFile:
    """A file of tests as it runs without a mutant."""

    path: str
    failed: tuple[str, ...]
    """The tests that can notice nothing, since they fail; the path, if it can't be run at all."""
    imported: frozenset[str] = frozenset()
    """The modules of domain packages that it needs."""
    tests: tuple[RecordedTest, ...] = ()
    """Those that pass."""
    collected: frozenset[Statement] = frozenset()
    """What importing it reached already, for all tests."""


class Recorder:
    """A pytest plugin that notes which statements each test reaches, of modules that tell it."""

    def __init__(self) -> None:
        self.collected: set[Statement] = set()
        self.reached: dict[str, set[Statement]] = {}
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self.failed: dict[str, None] = {}
        self._now = self.collected

    def statement(self, module: str, line: int) -> None:
        self._now.add((module, line))

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, bool, bool]:
        self._now = self.reached.setdefault(item.nodeid, set())
        return (yield)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self.seconds[report.nodeid] += report.duration
        if report.failed:
            self.failed[report.nodeid] = None


@dataclass(frozen=True, slots=True)
class Selection:
    """A pytest plugin that runs only these tests, in this order."""

    ranks: Mapping[str, int]

    def pytest_sessionstart(self) -> None:
        """A failure is not shrunk to its smallest example: nobody reads it."""
        phases = (Phase.explicit, Phase.generate)
        settings.register_profile("mutants", settings(), phases=phases, database=None)
        settings.load_profile("mutants")

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        items[:] = sorted(
            (it for it in items if it.nodeid in self.ranks), key=lambda it: self.ranks[it.nodeid]
        )


@dataclass(frozen=True, slots=True)
class _Finder(importlib.abc.MetaPathFinder):
    """A finder of modules whose code is other than their file's, by name."""

    codes: Mapping[str, CodeType]

    def find_spec(self, fullname: str, *_: Any) -> ModuleSpec | None:
        if (code := self.codes.get(fullname)) is None:
            return None
        loader = _Loader(fullname, code)
        return importlib.util.spec_from_file_location(fullname, code.co_filename, loader=loader)


class _Loader(SourceFileLoader):
    def __init__(self, name: str, code: CodeType) -> None:
        super().__init__(name, code.co_filename)
        self._code = code

    def get_code(self, fullname: str) -> CodeType:  # noqa: ARG002
        return self._code


def preload(services: frozenset[str]) -> None:
    """Import what the fast tests import, but for what may depend on one of *services*."""
    scouted = Job(partial(_imported, FAST), seconds=300)
    for _, names in in_forks([scouted], workers=1):
        for name in names or ():
            if name.partition(".")[0] not in services:
                with suppress(ImportError):
                    importlib.import_module(name)


def _imported(paths: Sequence[Path]) -> list[str]:
    """Return the modules that collecting the tests imports, without those of tests and stack."""
    _pytest(["--collect-only", *map(str, paths)])
    return [name for name, module in sys.modules.items() if _is_independent(name, module)]


def _is_independent(name: str, module: Any) -> bool:
    """Return whether it is a library's, or a package of ours that no service is below."""
    file = getattr(module, "__file__", None) or ""
    ours = Path(file).is_relative_to(ROOT) and "site-packages" not in file
    return bool(file) and (not ours or name.partition(".")[0] in SHARED)


def recorded(files: Sequence[Path], found: Sequence[Module], workers: int) -> list[RecordedFile]:
    """Run each file of tests in a fork of its own, with all modules as they are."""
    codes = {it.name: compile(telling(it), str(it.path), "exec") for it in found}
    jobs = [Job(partial(_recorded, path, codes), seconds=600) for path in files]
    return [
        ran or RecordedFile(str(files[at]), (str(files[at]),))
        for at, ran in in_forks(jobs, workers)
    ]


def _recorded(path: Path, codes: Mapping[str, CodeType]) -> RecordedFile:
    recorder = Recorder()
    setattr(builtins, TELL, recorder.statement)
    sys.meta_path.insert(0, _Finder(codes))
    status = _pytest(["-o", "timeout=600", str(path)], recorder)
    unexplained = status != pytest.ExitCode.OK and not recorder.failed
    return RecordedFile(
        str(path),
        failed=(str(path),) if unexplained else tuple(recorder.failed),
        imported=frozenset(name for name in codes if name in sys.modules),
        tests=tuple(
            RecordedTest(str(path), name, recorder.seconds[name], frozenset(reached))
            for name, reached in recorder.reached.items()
            if name not in recorder.failed
        ),
        collected=frozenset(recorder.collected),
    )


def trial(mutant: Mutant, tests: Sequence[RecordedTest]) -> Job[bool]:
    """Return the work of finding out whether one of *tests* fails."""
    seconds = 20 + 5 * round(sum(test.seconds for test in tests))
    return Job(partial(_fails, mutant, tests), seconds)


def _fails(mutant: Mutant, tests: Sequence[RecordedTest]) -> bool:
    sys.meta_path.insert(0, _Finder({mutant.module.name: mutant.code()}))
    selection = Selection({test.name: rank for rank, test in enumerate(tests)})
    files = dict.fromkeys(test.file for test in tests)
    return _pytest(["-x", "-o", "timeout=60", *files], selection) != pytest.ExitCode.OK


def _pytest(arguments: Sequence[str], *plugins: object) -> int:
    fixed = ["-q", "-p", "no:cacheprovider", "-p", "no:xdist", "--rootdir", str(ROOT)]
    return pytest.main([*fixed, *arguments], plugins=list(plugins))
