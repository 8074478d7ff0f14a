"""How `orders doctor` prints what it found, and what changes while it watches."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from order_operations.diagnosis.diagnosis import diagnose
from order_operations.diagnosis.facts import Access, Backend, Key, Lag
from order_stack.cli.doctor import print_changes, print_diagnosis
from support.builders.system_facts import ago, cluster, healthy

LATE = Lag("enricher", "orders.events", 9, 120.0)
WELL = healthy()
ILL = healthy(cluster=cluster((1, 3)), lags=[LATE])


def printed(capsys: pytest.CaptureFixture[str]) -> list[str]:
    return capsys.readouterr().out.splitlines()


def test_a_finding_is_a_sentence_why_it_matters_what_helps_and_what_follows(
    capsys: pytest.CaptureFixture[str],
) -> None:
    gone = Backend(Access.AWAY, "mongo-1:27017")
    away = replace(ILL, mongodb=gone, members=[], instances=[])
    print_diagnosis(diagnose(away), as_json=False)
    lines = printed(capsys)
    assert lines[0] == "MongoDB doesn't answer at mongo-1:27017."
    assert lines[2].startswith("  What helps: Start its servers again")
    assert lines[3].startswith("  Follows from it: The enricher is 2 minutes behind")
    assert lines[4] == ""
    assert lines[5].startswith("Kafka's broker 2 is away")


def test_all_clear_is_followed_by_notices_alone(capsys: pytest.CaptureFixture[str]) -> None:
    print_diagnosis(diagnose(WELL), as_json=False)
    assert len(printed(capsys)) == 1
    print_diagnosis(diagnose(replace(WELL, keys=[Key("a1", "shop", ago(4e7))])), as_json=False)
    clear, empty, notice, *_ = printed(capsys)
    assert clear.startswith("All clear")
    assert (empty, notice) == ("", "The API key a1 is 462 days old.")


def test_a_watch_says_what_begins_and_what_is_over(capsys: pytest.CaptureFixture[str]) -> None:
    looks = [diagnose(it) for it in (WELL, WELL, ILL, ILL, WELL)]
    print_changes(iter(looks), as_json=False)
    lines = printed(capsys)
    assert [line.split("  ", 1)[1][:22] for line in lines if line[2] == ":"] == [
        "All clear: 8 processes",
        "Kafka's broker 2 is aw",
        "over: Kafka's broker 2",
        "All clear: 8 processes",
    ]


def test_a_watch_as_data_is_a_line_for_each_change(capsys: pytest.CaptureFixture[str]) -> None:
    print_changes(iter([diagnose(it) for it in (ILL, WELL)]), as_json=True)
    found = [json.loads(line) for line in printed(capsys)]
    assert [(it["what"], it["code"]) for it in found] == [
        ("begun", "BrokerAway"),
        ("over", "BrokerAway"),
    ]
    assert found[0]["follows"][0]["code"] == "ConsumerLate"
