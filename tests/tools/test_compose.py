"""The compose file, read by a compose implementation, and what it mounts, by its readers."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from support.manifests.compose import COMPOSE, mounted_in

pytestmark = [pytest.mark.tools, pytest.mark.timeout(600)]

FILE = COMPOSE / "compose.yaml"
REFERENCE = "github.com/compose-spec/compose-go/v2/cmd@v2.16.2"
SECONDS = 540  # the reference implementation is compiled when it is first asked for


def config(file: Path) -> subprocess.CompletedProcess[str]:
    """Return what `docker compose config` says, or the reference implementation in its place."""
    has_compose = shutil.which("docker") and not _run(["docker", "compose", "version"]).returncode
    if has_compose:
        return _run(["docker", "compose", "--file", str(file), "config", "--quiet"])
    return _run(["go", "run", REFERENCE, str(file)])


def _run(argv: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(argv, capture_output=True, text=True, timeout=SECONDS, check=False)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "receiver.env").write_text("RECEIVER_SECRET=whsec_\n")
    return Path(shutil.copy(FILE, tmp_path))


def test_the_file_is_valid(copy: Path) -> None:
    done = config(copy)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    "planted", [("read_only: true", "read_onli: true"), ("tmpfs:", "tmpfs: 1")]
)
def test_a_planted_error_is_found(copy: Path, planted: tuple[str, str]) -> None:
    copy.write_text(copy.read_text().replace(*planted, 1))
    assert config(copy).returncode != 0


@pytest.fixture
def prometheus(tmp_path: Path) -> Path:
    """Return the configuration of Prometheus in a folder like its container's."""
    return mounted_in(tmp_path, "prometheus") / "etc" / "prometheus" / "prometheus.yaml"


def test_prometheus_takes_what_is_mounted(prometheus: Path) -> None:
    assert shutil.which("promtool"), "promtool is missing: apt-get install prometheus"
    done = _run(["promtool", "check", "config", str(prometheus)])
    assert done.returncode == 0, done.stderr
    assert "rules found" in done.stdout


def test_rules_that_are_not_mounted_are_found(prometheus: Path) -> None:
    prometheus.with_name("rules.yaml").unlink()
    assert _run(["promtool", "check", "config", str(prometheus)]).returncode != 0


def test_alertmanager_takes_what_is_mounted(tmp_path: Path) -> None:
    assert shutil.which("amtool"), "amtool is missing: apt-get install prometheus-alertmanager"
    folder = mounted_in(tmp_path, "alertmanager") / "etc" / "alertmanager"
    done = _run(["amtool", "check-config", str(folder / "alertmanager.yaml")])
    assert done.returncode == 0, done.stderr
