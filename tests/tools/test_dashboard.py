"""`orders dashboard`: kaskade from its locked packages, in the browser's protocol."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import aiohttp
import psutil
import pytest

from order_operations.workloads.table import DASHBOARD
from order_stack.dashboard.environment import python_of_environment
from support.stack.running_stack import RunningStack, running_stack
from support.stack.wait import until

pytestmark = [pytest.mark.tools, pytest.mark.timeout(600)]

FORMATTING = re.compile(rb"\x1b\[[0-9;?]*[A-Za-z]")
SECONDS = 60


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install what the dashboard needs, once for all tests; return its folder."""
    home = tmp_path_factory.mktemp("dashboard")
    return python_of_environment(home, print).parents[2]


@contextmanager
def dashboard(stack: RunningStack, installed: Path, log: Path) -> Iterator[str]:
    """Serve the dashboard of a stack; yield its address."""
    home = stack.command.home / installed.name
    if not home.exists():
        home.symlink_to(installed)
    argv = stack.command.argv("dashboard", "--no-browser")
    with log.open("wb") as out:
        process = subprocess.Popen(argv, env=stack.command.environ(), stderr=out)
    try:
        found = until(lambda: address_in(log, process), seconds=300, of="the dashboard's address")
        yield found
    finally:
        process.terminate()
        assert process.wait(30) == 0


def address_in(log: Path, process: subprocess.Popen[bytes]) -> str | None:
    assert process.poll() is None, log.read_text()
    found = re.search(r"http://\S+", log.read_text())
    return found[0] if found else None


async def screen_until(url: str, *texts: str) -> str:
    """Return what a browser of 160 columns is shown, once it holds all *texts*."""
    shown = b""
    socket = f"{url.replace('http', 'ws')}/ws?width=160&height=60"
    async with aiohttp.ClientSession() as session, session.ws_connect(socket) as browser:
        async with asyncio.timeout(SECONDS):
            async for message in browser:
                if message.type is aiohttp.WSMsgType.BINARY:
                    shown += message.data
                text = FORMATTING.sub(b"", shown).decode(errors="replace")
                if all(it in text for it in texts):
                    return text
    raise AssertionError(f"closed before it showed {texts}")


async def test_it_shows_the_topics_and_leaves_nothing_behind(
    stack: RunningStack, installed: Path, tmp_path: Path
) -> None:
    log = tmp_path / "dashboard.log"
    with dashboard(stack, installed, log) as url:
        await screen_until(url, "orders.commands", "reference.contacts")
        kaskades = [it.pid for it in psutil.process_iter(["cmdline"]) if is_ours(it, url)]
        assert kaskades
    assert "what the dashboard offers to change is really changed" in log.read_text()
    assert until(lambda: not any(map(psutil.pid_exists, kaskades)), of="the end of kaskade")


def is_ours(process: psutil.Process, url: str) -> bool:
    argv = process.info["cmdline"] or []
    return url.rpartition(":")[2] in argv or any("orders-dashboard-" in it for it in argv)


async def test_pages_of_others_are_refused(
    stack: RunningStack, installed: Path, tmp_path: Path
) -> None:
    """A browser sends them here all the same: another site's scripts must not drive it."""
    with dashboard(stack, installed, tmp_path / "dashboard.log") as url:
        async with aiohttp.ClientSession() as session:
            for host, status in ((url.removeprefix("http://"), 200), ("evil.example", 403)):
                async with session.get(url, headers={"host": host}) as page:
                    assert page.status == status
            with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
                await session.ws_connect(
                    f"{url.replace('http', 'ws')}/ws", origin="http://evil.example"
                )
        assert refused.value.status == 403


async def test_on_a_secure_stack_it_only_looks(
    tmp_path_factory: pytest.TempPathFactory, installed: Path, tmp_path: Path
) -> None:
    """It has the rights of the workload `dashboard`; the password is in no argument."""
    with running_stack(tmp_path_factory.mktemp("secure"), "--secure") as stack:
        log = tmp_path / "dashboard.log"
        with dashboard(stack, installed, log) as url:
            await screen_until(url, "orders.commands")
            password = stack.profile(DASHBOARD).kafka_password
            said = json.dumps([it.info["cmdline"] for it in psutil.process_iter(["cmdline"])])
            assert password
            assert password not in said
        assert "is really changed" not in log.read_text()


def test_what_cannot_be_installed_is_said_in_a_sentence(
    stack: RunningStack, tmp_path: Path
) -> None:
    nowhere = {"PIP_INDEX_URL": "http://127.0.0.1:9/simple", "PIP_RETRIES": "0"}
    home = {"ORDERS_HOME": str(tmp_path), "ORDERS_KAFKA": str(stack.kafka)}
    argv = [str(stack.command.program), "dashboard", "--no-browser"]
    environ = stack.command.environ(nowhere | home)
    done = subprocess.run(argv, env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    said = done.stderr.splitlines()
    assert said[-1].startswith("The dashboard can't be installed from the Python Package Index")
