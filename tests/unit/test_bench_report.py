"""The table and the picture of a benchmark show each contender, and how ours compares."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree as ET

from bench.contender import OURS
from bench.measurements import CPU, MONGOD, RATE, SERVICE, Round
from bench.report.document import BEGIN, END, with_tables
from bench.report.picture import picture
from bench.report.results import Results, StageResult
from bench.report.table import table


def measured(name: str, rate: float, service: float, mongod: float) -> Round:
    cpu = {SERVICE: service, MONGOD: mongod, CPU: service + mongod}
    return Round(name, {RATE: rate, **cpu})


ROUNDS = [
    measured(OURS, 4_000, 150, 50),
    measured("a <peer>", 2_000, 300, 100),
    measured(OURS, 4_400, 160, 52),
    measured("a <peer>", 2_000, 300, 100),
]
RESULTS = {"store": StageResult("commands until stored", "2026-11-28", "abc", 1.5, ROUNDS)}


def test_the_table_has_medians_ranges_and_how_ours_compares() -> None:
    head, ours, peer = table("commands until stored", ROUNDS).splitlines()

    assert head.split()[3:-3] == ["items/s", *["service", "µs", "mongod", "µs", "both", "µs"]]
    assert ours.startswith("ordermill")
    assert "4,200 (4,000–4,400)" in ours
    assert "155 (150–160)" in ours
    assert "×" not in ours
    assert peer.endswith("rate 2.10×, CPU 0.52×")


def test_the_columns_of_the_table_are_aligned() -> None:
    lines = table("commands until stored", ROUNDS).splitlines()

    ends = {
        line.index(text) + len(text)
        for line, text in zip(lines[1:], ("155 (150–160)", "300"), strict=True)
    }
    assert len(ends) == 1


def test_the_documents_tables_are_replaced_and_its_words_are_kept() -> None:
    document = f"Before.\n\n{BEGIN}\n\nold\n\n{END}\n\nAfter.\n"

    written = with_tables(document, RESULTS)

    assert "| a <peer> | 2,000 | 300 | 100 | 400 | rate 2.10×, CPU 0.52× |\n" in written
    assert "store (commit abc, load average 1.5):" in written
    assert "old" not in written
    assert written.startswith("Before.")
    assert written.endswith("After.\n")
    assert with_tables(written, RESULTS) == written


def test_the_picture_is_a_document_that_names_all_contenders() -> None:
    root = ET.fromstring(picture(RESULTS))  # noqa: S314  it is ours

    texts = ["".join(it.itertext()) for it in root.iter("{http://www.w3.org/2000/svg}text")]
    assert {OURS, "a <peer>", "155 + 51", "300 + 100"} <= set(texts)


def test_the_longest_bar_is_the_dearest_contenders() -> None:
    root = ET.fromstring(picture(RESULTS))  # noqa: S314  it is ours

    bars = [it for it in root.iter("{http://www.w3.org/2000/svg}rect") if it.get("height") == "16"]
    ends = [float(it.get("x", 0)) + float(it.get("width", 0)) for it in bars]
    assert max(ends) == ends[-1]
    assert all(end < 800 for end in ends)


def test_results_are_read_as_they_were_written(tmp_path: Path) -> None:
    file = tmp_path / "results.json"

    Results(RESULTS).write(file)

    assert Results.read(file) == Results(RESULTS)


def test_without_a_file_there_are_no_results(tmp_path: Path) -> None:
    assert Results.read(tmp_path / "none.json") == Results()
