"""`orders logs` merges the logs of all parts by time, and selects what is asked for."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from order_stack.cli.main import app
from order_stack.cli.options import since_of
from order_stack.cli.printing import log_lines
from order_stack.problems import StackProblem
from order_stack.supervision.log_records import EARLIEST, LogRecord, LogSelection, head_of
from order_stack.supervision.logs import RECORD_LINES, PartLog, show

NOON = datetime(2025, 11, 28, 12, tzinfo=UTC)
EVERYTHING = LogSelection()
SERVICE = (
    '{"error": "X", "event": "waiting for Kafka", "service": "enricher", "instance": "enricher",'
    ' "level": "warning", "timestamp": "2025-11-28T12:00:02.500000Z"}'
)
MONGOD = (
    '{"t":{"$date":"2025-11-28T13:00:01.000+01:00"},"s":"E",  "c":"REPL", "id":1, "ctx":"main",'
    '"msg":"No primary","attr":{"members":3}}'
)
BROKER = "2025-11-28T12:00:03.000Z [main] WARN kafka.Server - [id=1] Late"


@pytest.mark.parametrize(
    ("line", "at", "level", "event"),
    [
        (SERVICE, NOON + timedelta(seconds=2.5), "warning", "waiting for Kafka"),
        (MONGOD, NOON + timedelta(seconds=1), "error", "REPL No primary"),
        (BROKER, NOON + timedelta(seconds=3), "warning", "kafka.Server - [id=1] Late [main]"),
    ],
)
def test_each_kind_of_line_says_when_and_how_grave(
    line: str, at: datetime, level: str, event: str
) -> None:
    head = head_of(line)
    assert head is not None
    assert (head.at, head.level, head.event) == (at, level, event)


@pytest.mark.parametrize(
    "line",
    [
        "",
        "java.io.IOException: closed",
        "\tat kafka.Kafka.main(Kafka.scala)",
        "{",
        "{}",
        "[1]",
        '{"timestamp": 1, "level": "info", "event": "x"}',
        "1812 [main] INFO kafka.Server - since the start of the process",
        "[" * 100_000,
        "{" + '"a":{' * 100_000,
    ],
)
def test_what_names_no_time_belongs_to_the_line_before(line: str) -> None:
    assert head_of(line) is None


@pytest.fixture
def logs(tmp_path: Path) -> list[PartLog]:
    (tmp_path / "enricher.log").write_text(f"first words\n{SERVICE}\n")
    (tmp_path / "mongod.log").write_text(f"{MONGOD}\n")
    (tmp_path / "broker.log").write_text(f"{BROKER}\n\tat a.b\n\tat c.d\nunfinished")
    return [PartLog(it, tmp_path / f"{it}.log") for it in ("broker", "enricher", "mongod")]


def shown(
    logs: Sequence[PartLog], wanted: LogSelection = EVERYTHING, tail: int | None = None
) -> list[LogRecord]:
    found: list[LogRecord] = []
    show(logs, wanted, found.append, tail=tail, goes_on=lambda: False)
    return found


def parts(records: Sequence[LogRecord]) -> list[str]:
    return [it.part for it in records]


def test_lines_are_merged_by_time_and_a_stack_trace_stays_whole(logs: list[PartLog]) -> None:
    found = shown(logs)
    assert parts(found) == ["enricher", "mongod", "enricher", "broker"]
    assert found[0].at == EARLIEST
    assert found[3].lines == (BROKER, "\tat a.b", "\tat c.d")


@pytest.mark.parametrize(
    ("wanted", "named"),
    [
        (LogSelection(since=NOON + timedelta(seconds=2)), ["enricher", "broker"]),
        (LogSelection(level="error"), ["mongod"]),
        (LogSelection(text="a.b"), ["broker"]),
    ],
)
def test_only_what_is_asked_for_is_shown(
    logs: list[PartLog], wanted: LogSelection, named: list[str]
) -> None:
    assert parts(shown(logs, wanted)) == named


def test_the_tail_is_the_last_of_what_is_asked_for(logs: list[PartLog]) -> None:
    assert parts(shown(logs, LogSelection(level="warning"), tail=2)) == ["enricher", "broker"]


def test_a_line_that_is_written_late_keeps_its_place_in_the_file(tmp_path: Path) -> None:
    """Threads of a process write out of order by moments: the lines of a file stay in its order."""
    file = tmp_path / "broker.log"
    file.write_text(f"{BROKER}\n{BROKER.replace('03.000', '02.999')}\n")
    assert [it.lines[0][20:23] for it in shown([PartLog("broker", file)])] == ["000", "999"]


def test_many_lines_without_a_time_are_several_records(tmp_path: Path) -> None:
    file = tmp_path / "broker.log"
    file.write_text(f"{BROKER}\n" + "\tat a.b\n" * (2 * RECORD_LINES))
    found = shown([PartLog("broker", file)])
    assert [len(it.lines) for it in found] == [RECORD_LINES, RECORD_LINES, 1]
    assert {(it.at, it.level) for it in found} == {(found[0].at, "warning")}


def test_what_is_written_while_it_follows_is_shown_too(logs: list[PartLog], tmp_path: Path) -> None:
    def grow() -> bool:
        looks.append(1)
        with (tmp_path / "broker.log").open("a") as file:
            file.write(f" no more\n{BROKER}\n")
        return len(looks) < 2

    looks: list[int] = []
    found: list[LogRecord] = []
    show(logs, EVERYTHING, found.append, tail=0, goes_on=grow)
    assert [it.lines[0] for it in found] == ["unfinished no more", BROKER, BROKER]
    assert found[1].lines == (BROKER, " no more")


def test_a_record_is_written_for_a_person_as_it_was_or_as_json(logs: list[PartLog]) -> None:
    _, mongod, service, broker = shown(logs)
    read: Callable[[LogRecord], str] = lambda it: log_lines.readable(it, 0)  # noqa: E731
    assert "11-28 12:00:02.500" in read(service)
    assert "waiting for Kafka error=X" in read(service)
    assert "REPL No primary members=3" in read(mongod)
    assert read(broker).endswith("\tat c.d")
    assert log_lines.as_written(service, 0) == SERVICE
    assert log_lines.as_written(broker, 8).splitlines()[2] == "broker   | \tat c.d"
    assert json.loads(log_lines.as_json(service)) == {"part": "enricher", **json.loads(SERVICE)}
    assert json.loads(log_lines.as_json(broker))["lines"] == ["\tat a.b", "\tat c.d"]


def test_a_log_cannot_steer_the_terminal() -> None:
    line = SERVICE.replace("waiting for Kafka", "\\u001b[2J\\r\\n")
    record = LogRecord("enricher", NOON, "warning", (line, "\x1b[2J"), head_of(line))
    assert "\x1b[2J" not in log_lines.readable(record, 8)


@pytest.mark.parametrize(
    ("text", "at"),
    [
        (None, None),
        ("90s", NOON - timedelta(seconds=90)),
        ("10m", NOON - timedelta(minutes=10)),
        ("2h", NOON - timedelta(hours=2)),
        ("1d", NOON - timedelta(days=1)),
        ("2025-11-28T12:00:00Z", NOON),
    ],
)
def test_since_is_a_time_or_how_long_ago(text: str | None, at: datetime | None) -> None:
    assert since_of(text, NOON) == at


def test_since_that_is_neither_is_a_sentence() -> None:
    with pytest.raises(StackProblem, match="is no time"):
        since_of("lately", NOON)


def test_the_logs_of_a_stack_that_is_down_are_those_of_its_last_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ORDERS_HOME", str(tmp_path))
    assert "No stack" in CliRunner().invoke(app, ["logs"]).stderr
    (tmp_path / "default" / "logs").mkdir(parents=True)
    (tmp_path / "default" / "logs" / "broker.log").write_text(f"{BROKER}\n")
    done = CliRunner().invoke(app, ["logs", "--level", "warning"])
    assert (done.exit_code, done.stdout) == (0, f"{BROKER}\n")
    assert "is down" in done.stderr
    assert "but of broker" in CliRunner().invoke(app, ["logs", "gateway"]).stderr
