"""`traceparent`: what is understood, what is passed on, what is left."""

from __future__ import annotations

import pytest

from order_contracts.trace_context import TraceContext, trace_id_of, traceparent_in, well_formed

TRACE = "0af7651916cd43dd8448eb211c80319c"
SPAN = "b7ad6b7169203331"
HEADER = f"00-{TRACE}-{SPAN}-01"
NO_TRACE = f"00-{'0' * 32}-{SPAN}-01"
NO_SPAN = f"00-{TRACE}-{'0' * 16}-01"


def test_a_context_is_read_and_written() -> None:
    context = TraceContext.parsed(HEADER)

    assert context == TraceContext(int(TRACE, 16), int(SPAN, 16), sampled=True)
    assert context.header() == HEADER
    assert context.not_sampled().header() == f"00-{TRACE}-{SPAN}-00"


@pytest.mark.parametrize(("flags", "sampled"), [("00", False), ("01", True), ("02", False)])
def test_of_the_flags_the_lowest_says_whether_it_is_sampled(flags: str, sampled: bool) -> None:
    context = TraceContext.parsed(f"00-{TRACE}-{SPAN}-{flags}")

    assert context is not None
    assert context.sampled is sampled


def test_a_later_version_is_understood_and_answered_in_ours() -> None:
    context = TraceContext.parsed(f"cc-{TRACE}-{SPAN}-03")

    assert context is not None
    assert context.header() == HEADER


@pytest.mark.parametrize(
    "header",
    [None, "", "00", HEADER.upper(), f"ff{HEADER[2:]}", NO_TRACE, NO_SPAN, f"{HEADER}\r\nx: y"],
)
def test_what_names_no_span_is_no_context(header: str | None) -> None:
    assert TraceContext.parsed(header) is None


def test_only_what_has_the_form_is_passed_on() -> None:
    assert well_formed(HEADER) == HEADER
    assert trace_id_of(HEADER) == TRACE
    for header in (None, "", f"{HEADER}\r\nx: y", HEADER[:-1], "x" * 55):
        assert well_formed(header) is None
        assert trace_id_of(header) is None


@pytest.mark.parametrize("value", [None, b"", b"\xff" * 55, HEADER.encode() + b"\n"])
def test_a_record_whose_trace_cant_be_read_has_none(value: bytes | None) -> None:
    assert traceparent_in((("TraceParent", value),)) is None


def test_a_record_names_its_trace() -> None:
    headers = (("x", None), ("TraceParent", HEADER.encode()))

    assert traceparent_in(headers) == HEADER
    assert traceparent_in(()) is None
