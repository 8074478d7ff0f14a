"""The compose file, read by a compose implementation."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from support.manifests.pods import ROOT

pytestmark = [pytest.mark.tools, pytest.mark.timeout(600)]

FILE = ROOT / "deploy" / "compose" / "compose.yaml"
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
