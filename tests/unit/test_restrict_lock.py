"""What an image installs is cut out of the lock, with its hashes, and nothing is left out."""

from __future__ import annotations

import importlib.util
from types import ModuleType
from typing import Any

import pytest

from support.manifests.pods import ROOT

LOCK = """\
one==1.0 \\
    --hash=sha256:aa \\
    --hash=sha256:ab
Two.Words==2.0 ; python_full_version < '3.12' \\
    --hash=sha256:ba
two-words==3.0 ; python_full_version >= '3.12' \\
    --hash=sha256:bb
unused==1 \\
    --hash=sha256:ca
"""


@pytest.fixture(scope="module")
def script() -> ModuleType:
    file = ROOT / "deploy" / "images" / "restrict_lock.py"
    spec = importlib.util.spec_from_file_location("restrict_lock", file)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def installed(name: str, **source: Any) -> dict[str, Any]:
    return {"metadata": {"name": name}, "download_info": source}


def test_the_packages_of_a_report_are_cut_out_with_their_hashes(script: ModuleType) -> None:
    report = {
        "install": [
            installed("one", archive_info={}),
            installed("two_words", archive_info={}),
            installed("order-runtime", dir_info={}),
        ]
    }
    found = script.restricted(LOCK, script.resolved(report))
    assert found == LOCK[: LOCK.index("unused")]


def test_a_package_that_the_lock_lacks_is_a_sentence(script: ModuleType) -> None:
    with pytest.raises(SystemExit, match="The lock has no three"):
        script.restricted(LOCK, {"one", "three"})


def test_the_lock_of_the_project_is_read_whole(script: ModuleType) -> None:
    lock = (ROOT / "requirements.lock").read_text()
    names = {name for name, _ in script.entries(lock)}
    assert {"pymongo", "confluent-kafka", "pytest"} <= names
    assert len(script.restricted(lock, names)) == len(lock)
