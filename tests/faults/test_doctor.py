"""Fourteen failures, one by one: `orders doctor` names each cause in its first sentence."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator

import pytest

from support.builders.bodies import Json
from support.faults.fault import NotInjected
from support.faults.planted_failures import (
    FAILURES,
    Patient,
    PlantedFailure,
    patient_cluster,
)
from support.stack.wait import until

pytestmark = [pytest.mark.faults, pytest.mark.timeout(600)]

NAMED_SECONDS = 30.0
CLEAR_SECONDS = 300.0  # a broker that was away catches up, and what happened has to be past
LOOKS_BACK = "30"  # seconds


@pytest.fixture(scope="module")
def patient(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Patient]:
    with patient_cluster(tmp_path_factory.mktemp("doctor")) as started:
        yield started


def diagnosis(patient: Patient) -> Json:
    """Return what the operator is told."""
    done = patient.stack.orders("doctor", "--json", "--looks-back", LOOKS_BACK, check=False)
    assert done.stdout, done.stderr
    found: Json = json.loads(done.stdout)
    assert done.returncode == (0 if found["ok"] else 1), done.stderr
    return found


def wait_until_clear(patient: Patient) -> None:
    said: list[str] = []

    def is_clear() -> bool:
        found = diagnosis(patient)
        said[:] = [it["sentence"] for it in found["findings"]]
        return bool(found["ok"])

    try:
        until(is_clear, seconds=CLEAR_SECONDS, of="all clear")
    except AssertionError as error:
        raise AssertionError(f"{error}: {said}") from error


@pytest.mark.parametrize("failure", FAILURES, ids=lambda it: it.name)
def test_the_first_sentence_names_the_cause_and_afterwards_all_is_clear(
    patient: Patient, failure: PlantedFailure
) -> None:
    wait_until_clear(patient)
    seen: list[Json] = []

    def is_named() -> bool:
        seen.append(diagnosis(patient))
        findings = seen[-1]["findings"]
        return bool(findings) and findings[0]["code"] == failure.code

    began = time.monotonic()
    try:
        with failure.plant(patient):
            planted = time.monotonic()
            until(is_named, seconds=NAMED_SECONDS, of=f"the sentence {failure.code}")
            named = time.monotonic() - planted
    except NotInjected as reason:
        print(f"\n{failure.name}: not injected, {reason}")
        return
    finally:
        print(f"\n{failure.name}, {time.monotonic() - began:.0f} s: {sentences(seen)}")
    print(f"named after {named:.0f} s")
    wait_until_clear(patient)


def sentences(seen: list[Json]) -> list[str]:
    return [it["sentence"] for it in seen[-1]["findings"]] if seen else []


def test_the_operators_login_suffices_for_everything(patient: Patient) -> None:
    wait_until_clear(patient)
    assert diagnosis(patient)["notices"] == []
