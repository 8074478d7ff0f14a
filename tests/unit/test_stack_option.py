"""`make test STACK=containers` ends with a sentence where there is no Docker."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from support.stack.containers import refusal
from support.stack.doc_examples import ROOT


def docker_that(does: str, folder: Path) -> None:
    (folder / "docker").write_text(f"#!/bin/sh\n{does}\n")
    (folder / "docker").chmod(0o755)


def test_without_a_daemon_it_is_one_sentence_and_exit_code_two(tmp_path: Path) -> None:
    docker_that("exit 1", tmp_path)
    asked = ("--stack", "containers", "--collect-only", "tests/unit/test_settings.py")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *asked],
        cwd=ROOT,
        env={"PATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (2, "")
    [sentence] = done.stderr.splitlines()
    assert "`docker info` fails here" in sentence


def test_a_machine_without_docker_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert refusal()


def test_a_machine_whose_daemon_answers_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    docker_that('[ "$*" = info ]', tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert refusal() is None
