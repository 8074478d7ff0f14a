"""`make mutants`: which changes are made, and which of them count as noticed."""

from __future__ import annotations

import os
import time
from pathlib import Path
from textwrap import dedent

import pytest

from support.mutants.forks import Job, in_forks
from support.mutants.modules import TELL, Module, domain_modules, sample, telling
from support.mutants.operators import changes
from support.mutants.suite import recorded
from support.mutants.trials import survivors


def made(source: str) -> set[str]:
    return {it.applied_to(source) for it in changes(source)}


@pytest.mark.parametrize(
    ("source", "mutant"),
    [
        ("a < b", "(a <= b)"),
        ("a < b", "(a >= b)"),
        ("a is None", "(a is not None)"),
        ("1 <= a <= 9", "(1 <= a < 9)"),
        ("a and b", "(a or b)"),
        ("a and b", "(b)"),
        ("not a", "(a)"),
        ("-a", "(a)"),
        ("a + b", "(a - b)"),
        ("a += b", "a -= b"),
        ("a += b", "pass"),
        ("a = 7", "a = (8)"),
        ("a = 7", "a = (6)"),
        ("a = True", "a = False"),
        ("a = 'é'", "a = 'XXé'"),
        ("f'{a}b'", "f'XX{a}b'"),
        ("a[:b]", "a[:]"),
        ("min(a)", "max(a)"),
        ("any(a)", "all(a)"),
        ("f(a, b=c)", "f(a)"),
        ("f(a)", "pass"),
        ("a.b = c", "pass"),
        ("raise a", "pass"),
        ("if a: b = c", "if (not (a)): b = c"),
        ("a if b else c", "a if (not (b)) else c"),
        ("[a for a in b if c]", "[a for a in b if (not (c))]"),
        ("def f(a=1): return a", "def f(a=(2)): return a"),
        ("def f(): return a", "def f(): return None"),
        ("def f(): yield a", "def f(): (yield None)"),
        ("match a:\n  case b.c | b.d: e = f", "match a:\n  case b.c: e = f"),
        ("match a:\n  case b if c: e = f", "match a:\n  case b if (not (c)): e = f"),
    ],
)
def test_a_change_is_made_of_every_kind(source: str, mutant: str) -> None:
    assert mutant in made(source)


@pytest.mark.parametrize(
    "source",
    [
        '"""What it is."""',
        'def f(a: "int") -> "int | None":\n    """What it does."""',
        'a: int\n"""What it holds."""',
        "from a import b",
        "@a(b=True)\nclass C(D, e=1):\n    __slots__ = ('f',)",
        "a = TypeVar('a')",
        "if TYPE_CHECKING:\n    a = 1",
        "a = zip(strict=True)",
    ],
)
def test_what_means_nothing_at_run_time_is_left_alone(source: str) -> None:
    assert made(source) == set()


def test_what_a_slip_of_our_own_is_told_is_left_alone() -> None:
    assert made("raise TypeError('a')") == {"pass"}


def test_none_is_as_good_as_false() -> None:
    assert made("def f(): return False") == {"def f(): return True"}


def test_a_seed_draws_the_same_mutants_again() -> None:
    modules = domain_modules()[:4]
    drawn, again, others = (sample(modules, seed, 20) for seed in (8, 8, 9))
    assert drawn == again
    assert drawn != others


def test_every_domain_package_is_changed() -> None:
    packages = {module.name.rpartition(".")[0] for module in domain_modules()}
    services = ("action_trigger", "enricher", "gateway", "order_writer")
    assert packages == {f"{service}.domain" for service in services}


def test_a_telling_module_says_which_statements_are_reached(tmp_path: Path) -> None:
    path = tmp_path / "told.py"
    path.write_text("def f(a):\n    if a:\n        return 1\n    return 2\n")
    reached: list[tuple[str, int]] = []
    names = {TELL: lambda *place: reached.append(place)}
    exec(compile(telling(Module("told", path)), str(path), "exec"), names)  # noqa: S102
    assert reached == []
    names["f"](0)
    assert reached == [("told", 2), ("told", 4)]


def test_a_fork_that_dies_or_hangs_has_no_result() -> None:
    def hang() -> str:
        time.sleep(60)
        return "late"

    def die() -> str:
        os._exit(3)

    jobs: list[Job[str]] = [Job(lambda: "done", 10), Job(die, 10), Job(hang, 0)]
    ended = in_forks(jobs, workers=2)
    assert sorted(ended) == [(0, "done"), (1, None), (2, None)]


def test_only_a_change_that_no_test_notices_survives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = tmp_path / "shipping_cost.py"
    module.write_text("FREE = 100\n\n\ndef cost(price):\n    return price if price < FREE else 0\n")
    tests = tmp_path / "test_shipping.py"
    tests.write_text(
        dedent("""
            from shipping_cost import cost

            def test_small(): assert cost(99) == 99

            def test_large(): assert cost(500) == 0
            """)
    )
    monkeypatch.syspath_prepend(tmp_path)
    found = Module("shipping_cost", module)
    files = recorded([tests], [found], workers=2)
    mutants = sample([found], seed=1, count=100)
    *_, alive = survivors(mutants, files, workers=2)
    assert [file.failed for file in files] == [()]
    assert len(mutants) > 6
    assert {it.change.shown_in(it.module.source)[1] for it in alive} == {
        "FREE = (101)",
        "return price if (price <= FREE) else 0",
    }
