"""What a process shows of itself: dependencies, loops, many values at once, certificates."""

from __future__ import annotations

import json
import socket
import struct
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from prometheus_client import REGISTRY, CollectorRegistry, Counter, generate_latest

from gateway.http.outage_log import OutageLog
from order_runtime.observability.batch_histogram import BatchHistogram
from order_runtime.observability.certificates import show_expiry
from order_runtime.observability.dependencies import Dependency
from order_runtime.observability.metrics import begin_at_zero
from order_runtime.observability.progress import STALLED_SECONDS, Loop
from order_runtime.process.health import Probes, serving
from order_runtime.process.log_events import KAFKA_IS_BACK, WAITING_FOR_KAFKA
from order_stack.cluster.certificates import AUTHORITY_LIFETIME, Authority
from support.harness.free_ports import free_port

NAME = "tested"


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def dependency(clock: Clock) -> Dependency:
    return Dependency(NAME, WAITING_FOR_KAFKA, KAFKA_IS_BACK, clock)


def logged(capsys: pytest.CaptureFixture[str]) -> list[str]:
    return [line for line in capsys.readouterr().out.splitlines() if line.strip()]


def is_up() -> float | None:
    return REGISTRY.get_sample_value("ordermill_dependency_up", {"dependency": NAME})


def test_an_outage_is_logged_when_it_begins_each_minute_and_when_it_is_over(
    dependency: Dependency, clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    dependency.answered()
    assert (is_up(), dependency.outage()) == (1.0, None)
    for _ in range(13):  # in all 65 s
        dependency.failed("Timeout")
        clock.now += 5
    outage = dependency.outage()
    assert outage is not None
    assert (is_up(), outage.seconds) == (0.0, 65)
    clock.now += 5
    dependency.answered()
    dependency.answered()

    begins, again, over = logged(capsys)
    assert "waiting for Kafka" in begins
    assert "waiting for Kafka" in again
    assert "away_seconds=60" in again
    assert "Kafka is back" in over
    assert "after_seconds=70" in over
    assert (is_up(), dependency.outage()) == (1.0, None)


def test_an_answer_between_two_failures_is_no_end_of_an_outage(
    dependency: Dependency, clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    """A broker answers while the leader that is needed doesn't: one line, not one each time."""
    for _ in range(20):
        dependency.failed("Timeout")
        clock.now += 1
        dependency.answered()
    assert is_up() == 0.0
    assert len(logged(capsys)) == 1


def test_a_loop_stands_still_only_while_its_dependencies_answer(
    dependency: Dependency, clock: Clock
) -> None:
    loop = Loop("batches", [dependency], clock)
    dependency.answered()
    loop.turn()
    clock.now += STALLED_SECONDS - 1
    assert not loop.stalled
    clock.now += 1
    assert loop.stalled

    dependency.failed("Timeout")
    assert not loop.stalled, "it waits"
    clock.now += 10
    dependency.answered()
    assert not loop.stalled, "it has not had the time to go on"
    clock.now += STALLED_SECONDS
    assert loop.stalled
    loop.turn()
    assert not loop.stalled
    loop.rest()
    clock.now += 2 * STALLED_SECONDS
    assert not loop.stalled, "there is nothing to do"


def test_a_process_with_a_loop_that_stands_still_is_not_live(
    dependency: Dependency, clock: Clock
) -> None:
    loop, port = Loop("batches", [dependency], clock), free_port()
    dependency.answered()
    loop.turn()
    with serving("127.0.0.1", port, Probes(ready=lambda: True, loops=[loop])):
        before = httpx.get(f"http://127.0.0.1:{port}/livez")
        clock.now += STALLED_SECONDS
        answers = [httpx.get(f"http://127.0.0.1:{port}/{it}") for it in ("livez", "readyz")]
        shown = httpx.get(f"http://127.0.0.1:{port}/metrics").text

    assert before.status_code == 200
    assert [it.status_code for it in answers] == [503, 200]
    assert answers[0].json()["stalled"] == ["batches"]
    assert "ordermill_live 0.0" in shown
    assert "ordermill_ready 1.0" in shown


def test_a_client_that_hangs_up_leaves_no_line(capfd: pytest.CaptureFixture[str]) -> None:
    """Python's server would print a traceback of the broken pipe, which is no JSON."""
    port = free_port()
    with serving("127.0.0.1", port, Probes()):
        for _ in range(20):
            rude = socket.create_connection(("127.0.0.1", port))
            rude.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            rude.sendall(b"GET /metrics HTTP/1.1\r\n\r\n" * 3)
            rude.close()
        assert httpx.get(f"http://127.0.0.1:{port}/livez").status_code == 200
    out, err = capfd.readouterr()
    assert (out, err) == ("", "")


def test_many_values_are_counted_as_one_by_one() -> None:
    registry = CollectorRegistry()
    batches = BatchHistogram("ages_seconds", "Ages.", (0.1, 1, 10), registry)
    assert registry.get_sample_value("ages_seconds_count") == 0

    batches.observe([0.05, 0.1, 0.2, 5, 50])
    batches.observe([])

    found = [registry.get_sample_value("ages_seconds_bucket", {"le": it}) for it in BOUNDS]
    assert found == [2, 3, 4, 5]
    assert registry.get_sample_value("ages_seconds_count") == 5
    assert registry.get_sample_value("ages_seconds_sum") == pytest.approx(55.35)


BOUNDS = ("0.1", "1.0", "10.0", "+Inf")


def test_counters_are_there_before_their_first_event() -> None:
    registry = CollectorRegistry()
    counter = Counter("tested", "Tested.", ["one", "two"], registry=registry)
    begin_at_zero(counter, ["a", "b"], ["c"])

    text = generate_latest(registry).decode()

    assert 'tested_total{one="a",two="c"} 0.0' in text
    assert 'tested_total{one="b",two="c"} 0.0' in text


def test_the_end_of_the_first_certificate_of_a_file_is_shown(tmp_path: Path) -> None:
    authority = Authority(tmp_path)

    show_expiry(NAME, authority.ca)
    show_expiry("none", tmp_path / "missing.pem")

    def expiry(name: str) -> float | None:
        metric = "ordermill_tls_certificate_expiry_timestamp_seconds"
        return REGISTRY.get_sample_value(metric, {"certificate": name})

    ends = expiry(NAME)
    assert ends is not None
    left = datetime.fromtimestamp(ends, UTC) - datetime.now(UTC)
    assert AUTHORITY_LIFETIME - timedelta(minutes=1) < left <= AUTHORITY_LIFETIME
    assert expiry("none") is None


@pytest.fixture
def outages(clock: Clock) -> OutageLog:
    return OutageLog(clock)


def test_requests_that_fail_in_an_outage_leave_a_line_now_and_then(
    outages: OutageLog, clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    for code in ["OutcomeUnknown"] * 50 + ["ValidationFailed", "DatabaseUnavailable"]:
        outages(code)
    clock.now += 11
    outages("OutcomeUnknown")

    lines = [line for line in logged(capsys) if "requests not served" in line]
    assert [("OutcomeUnknown" in it, "DatabaseUnavailable" in it) for it in lines] == [
        (True, False),
        (False, True),
        (True, False),
    ]
    assert "count=50" in lines[2]


def test_a_body_names_what_is_away() -> None:
    port = free_port()
    with serving("127.0.0.1", port, Probes()):
        body = httpx.get(f"http://127.0.0.1:{port}/readyz").text
    assert set(json.loads(body)) == {"ok", "away", "stalled"}
