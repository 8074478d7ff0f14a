"""The nemesis' order of faults and its report, without a cluster."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from random import Random

from support.builders.raw_records import COMMANDS_TOPIC
from support.faults.fault_report import PROMISES, fault_lines, promise_lines
from support.faults.forged_records import FORGERY_FAULTS
from support.faults.matrix import MATRIX
from support.faults.nemesis import FaultResult, fault_order
from support.faults.publisher_faults import PUBLISHER_FAULTS
from support.faults.restore_fault import RESTORE_FAULTS
from support.faults.unreadable_records import UNREADABLE_FAULTS
from support.history.history import History
from support.laws.all_laws import LAWS
from support.laws.evidence import Evidence, Violation

FAULTS_PAGE = Path(__file__).parents[2] / "docs" / "faults.md"


def test_every_fault_comes_before_any_comes_again() -> None:
    first = list(islice(fault_order(MATRIX, Random(1)), len(MATRIX)))
    assert {it.name for it in first} == {it.name for it in MATRIX}
    assert len({it.name for it in MATRIX}) == len(MATRIX)


def test_what_leaves_much_behind_comes_once() -> None:
    names = [it.name for it in islice(fault_order(MATRIX, Random(1)), 3 * len(MATRIX))]
    assert {names.count(it.name) for it in MATRIX if it.once} == {1}


def test_a_seed_gives_the_same_order_again() -> None:
    once, again, other = (
        [it.name for it in islice(fault_order(MATRIX, Random(seed)), 100)] for seed in (1, 1, 2)
    )
    assert once == again != other


def test_the_table_tells_how_often_and_how_long_and_what_was_left_out() -> None:
    results = [FaultResult("reset", 1.0, seconds) for seconds in (9.0, 1.0, 2.0)]
    shown = list(fault_lines(results, {"disk": "mounting isn't permitted here"}))
    assert shown[1].split() == ["reset", "3", "2.0", "9.0"]
    assert shown[2].split(maxsplit=1) == ["disk", "not injected: mounting isn't permitted here"]


def test_each_broken_law_is_counted_under_its_promise() -> None:
    laws = ["every_command_has_one_job", "every_command_has_one_job", "versions_only_grow", "news"]
    evidence = Evidence(History(topic_id="", partitions=12, records={COMMANDS_TOPIC: []}))
    broken = [Violation(law, "it is so") for law in laws]
    shown = [line.rsplit(maxsplit=1) for line in promise_lines(evidence, broken)][:-1]
    counts = {name: int(count) for name, count in shown}
    assert counts["lost"] == 2
    assert counts["out of order"] == counts["other laws broken"] == 1
    assert counts["doubled"] == 0


def test_the_documentation_names_the_faults_of_publishers_and_every_promise() -> None:
    rows = FAULTS_PAGE.read_text()
    faults = (*PUBLISHER_FAULTS, *FORGERY_FAULTS, *UNREADABLE_FAULTS, *RESTORE_FAULTS)
    for name in (*(it.name for it in faults), *PROMISES):
        assert f"| {name} |" in rows


def test_promises_are_made_of_laws_that_there_are() -> None:
    assert {law for laws in PROMISES.values() for law in laws} <= {law.__name__ for law in LAWS}
