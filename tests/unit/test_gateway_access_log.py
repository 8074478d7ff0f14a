"""The access log: whole lines, in time and to the last one; who reads them blocks no request."""

from __future__ import annotations

import io
import json
import logging
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
import structlog
from prometheus_client import REGISTRY

from gateway.http import access_log
from gateway.http.access_log import AccessLog

PROCESS = {"service": "gateway", "instance": "gateway-1"}
SECONDS = 5.0


class Output(io.BytesIO):
    """Is written to only while it `flows`."""

    def __init__(self) -> None:
        super().__init__()
        self.flows = threading.Event()
        self.flows.set()
        self.broken = False

    def write(self, data: Any) -> int:
        assert self.flows.wait(SECONDS)
        if self.broken:
            raise BrokenPipeError
        return super().write(data)

    @property
    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.getvalue().splitlines()]


@pytest.fixture
def out() -> Output:
    return Output()


@pytest.fixture(autouse=True)
def level() -> Iterator[None]:
    yield
    structlog.reset_defaults()


def only(level: int) -> None:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(level))


def lost() -> float:
    return REGISTRY.get_sample_value("ordermill_gateway_log_lines_lost_total") or 0.0


def test_a_line_has_the_facts_of_its_request_and_of_its_process(out: Output) -> None:
    with AccessLog(out, PROCESS) as it:
        it.add({"method": "GET", "route": None, "status": 200})
    (line,) = out.lines
    timestamp = line.pop("timestamp")
    assert line == {
        "method": "GET",
        "route": None,
        "status": 200,
        "event": "request",
        "service": "gateway",
        "instance": "gateway-1",
        "level": "info",
    }
    assert timestamp.endswith("Z")


def test_a_line_is_written_within_a_second(out: Output) -> None:
    with AccessLog(out, PROCESS) as it:
        it.add({"status": 200})
        began = time.monotonic()
        while not out.getvalue() and time.monotonic() - began < SECONDS:
            time.sleep(0.01)
        assert time.monotonic() - began < 1


def test_every_line_is_written_in_order_before_the_process_ends(out: Output) -> None:
    with AccessLog(out, PROCESS) as it:
        for n in range(10_000):
            it.add({"n": n})
    assert [line["n"] for line in out.lines] == list(range(10_000))


def test_lines_that_are_added_while_others_are_written_are_written_too(out: Output) -> None:
    with AccessLog(out, PROCESS) as it:
        out.flows.clear()
        it.add({"n": 0})
        time.sleep(access_log.WRITE_SECONDS * 1.5)
        it.add({"n": 1})
        out.flows.set()
    assert [line["n"] for line in out.lines] == [0, 1]


def test_nobody_waits_for_who_reads_the_lines_and_those_too_many_are_counted(
    out: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(access_log, "MAX_LINES", 10)
    monkeypatch.setattr(access_log, "WRITE_SECONDS", SECONDS)
    before = lost()
    out.flows.clear()
    with AccessLog(out, PROCESS) as it:
        for n in range(15):
            it.add({"n": n})
        assert lost() == before + 5
        out.flows.set()
    assert [line["n"] for line in out.lines] == list(range(10))


def test_an_output_that_breaks_costs_its_lines_alone(
    out: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(access_log, "WRITE_SECONDS", 0.01)
    before = lost()
    out.broken = True
    with AccessLog(out, PROCESS) as it:
        it.add({"n": 0})
        began = time.monotonic()
        while lost() == before and time.monotonic() - began < SECONDS:
            time.sleep(0.01)
        out.broken = False
        it.add({"n": 1})
    assert [line["n"] for line in out.lines] == [1]
    assert lost() == before + 1


@pytest.mark.parametrize(("level", "written"), [(logging.INFO, 1), (logging.WARNING, 0)])
def test_the_level_of_the_logs_holds_for_it(out: Output, level: int, written: int) -> None:
    only(level)
    with AccessLog(out, PROCESS) as it:
        it.add({"status": 200})
    assert len(out.lines) == written
