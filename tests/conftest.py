"""The session's real stack, started on first use and always torn down; options of the nemesis."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest

from support.harness.enricher_harness import EnricherHarness, MakeHarness, enricher_harnesses
from support.stack.backends import STACKS, Backends
from support.stack.running_stack import RunningStack, running_stack

SUMMARY = pytest.StashKey[list[str]]()
MINUTES_BESIDES = 45  # to start the cluster, and to finish all open work at the end


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--minutes", type=float, help="how long the nemesis breaks things")
    parser.addoption("--seed", type=int, help="the nemesis' seed, to break the same things again")
    parser.addoption("--secure", action="store_true", help="break a stack of `orders up --secure`")
    parser.addoption(
        "--fault", default="", help="break only what has one of these, comma-separated, in its name"
    )
    parser.addoption(
        "--stack",
        choices=tuple(STACKS),
        default="embedded",
        help="whose Kafka and MongoDB the session's stack uses",
    )


def pytest_configure(config: pytest.Config) -> None:
    """End at once with a sentence where containers are wanted and can't be had."""
    if config.getoption("stack") == "containers":
        from support.stack.containers import refusal  # noqa: PLC0415  as in `in_containers`

        if reason := refusal():
            pytest.exit(reason, returncode=2)


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Print the summary of the nemesis, also when the test passed."""
    if lines := config.stash.get(SUMMARY, []):
        terminalreporter.section("the nemesis")
        terminalreporter.write("\n".join([*lines, ""]))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark tests that use the stack, and give the nemesis a timeout that fits `--minutes`."""
    for item in items:
        if item.get_closest_marker("nemesis"):
            minutes = (config.getoption("minutes") or 0) + MINUTES_BESIDES
            item.add_marker(pytest.mark.timeout(60 * minutes))
        if "stack" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.stack)


@pytest.fixture(scope="session")
def backends(
    tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config
) -> Iterator[Backends]:
    """Whose Kafka and MongoDB the session's stack uses."""
    chosen = STACKS[pytestconfig.getoption("stack")]
    with chosen(tmp_path_factory.mktemp("backends-home")) as found:
        yield found


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory, backends: Backends) -> Iterator[RunningStack]:
    with running_stack(tmp_path_factory.mktemp("orders-home"), *backends.options) as started:
        yield started


@pytest.fixture
async def make_harness(stack: RunningStack) -> AsyncIterator[MakeHarness]:
    """Return a factory of harnesses; their databases are dropped after the test."""
    async with enricher_harnesses(stack.mongo) as made:
        yield made


@pytest.fixture
async def harness(make_harness: MakeHarness) -> EnricherHarness:
    return await make_harness()


@pytest.fixture
def summary(request: pytest.FixtureRequest) -> list[str]:
    """Lines that are printed at the end of the run, whether the test passes or fails."""
    return request.config.stash.setdefault(SUMMARY, [])
