"""Ages of secrets: of those that are in files, and of API keys; of others nothing is said."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from action_trigger.adapters.endpoint_config import WEBHOOKS_FILE, read_config
from gateway.settings import Settings
from order_contracts.topics import ENRICHER, GATEWAY, WRITER
from order_operations.connections.profile import changed_at
from order_operations.diagnosis.diagnosis import diagnose
from order_operations.diagnosis.facts import Facts, Key, Login
from order_operations.diagnosis.finding import Code
from order_runtime.auth.bearer_token import METRICS_TOKEN, BearerToken
from order_runtime.observability.secret_ages import note_secrets, unchanged_since
from support.builders.system_facts import NOW, ago, healthy, with_instances

DAY = 86_400.0
PASSWORD = "ORDERMILL_KAFKA_PASSWORD"


def sentences(facts: Facts) -> list[str]:
    seen = diagnose(facts)
    assert seen.problems == []
    return [it.sentence for it in seen.notices]


def written(file: Path, *, days_ago: float) -> Path:
    file.write_text("a secret of some length")
    at = (NOW - timedelta(days=days_ago)).timestamp()
    os.utime(file, (at, at))
    return file


def holding(service: str, secret: str, *days: float) -> Facts:
    """Return facts in which the processes of *service* hold *secret*, unchanged for so long."""
    since = {f"{service}-{number}": ago(it * DAY) for number, it in enumerate(days, 1)}
    return with_instances(
        lambda it: replace(it, secrets={secret: since[it.name]}) if it.name in since else it
    )


def test_a_secret_that_nobody_changed_for_a_year_is_a_notice_once_for_a_service() -> None:
    facts = holding(ENRICHER, PASSWORD, 400, 500)
    assert sentences(facts) == [
        f"The secret {PASSWORD} of the enricher is unchanged for 500 days at least."
    ]
    assert diagnose(facts).notices[0].code is Code.SECRET_OLD


def test_a_secret_that_is_younger_is_not_named() -> None:
    assert sentences(holding(ENRICHER, PASSWORD, 360, 3)) == []
    assert sentences(healthy()) == []


def test_what_is_old_is_the_operators_to_say() -> None:
    facts = replace(holding(WRITER, PASSWORD, 40), keys=[Key("k1", "shop", ago(31 * DAY))])
    assert sentences(facts) == []
    assert sentences(replace(facts, secret_age=timedelta(days=30))) == [
        "The API key k1 is 31 days old.",
        f"The secret {PASSWORD} of the order-writer is unchanged for 40 days at least.",
    ]


def test_a_process_that_is_gone_holds_no_secret() -> None:
    facts = holding(GATEWAY, PASSWORD, 400)
    gone = [
        replace(it, stopped_at=ago(9)) if it.name == "gateway-1" else it for it in facts.instances
    ]
    assert sentences(replace(facts, instances=gone)) == []


def test_a_login_of_this_machine_is_named_by_its_profile() -> None:
    assert sentences(healthy(logins=[Login("operator.env", ago(366 * DAY))])) == [
        "The login in operator.env is unchanged for 366 days at least."
    ]


def test_a_process_notes_the_files_of_its_secrets_but_of_the_one_that_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, days in (("KAFKA_PASSWORD", 30), ("JOB_SECRETS", 60), ("ERASURE_SECRET", 90)):
        file = written(tmp_path / name, days_ago=days)
        monkeypatch.setenv(f"ORDERMILL_{name}_FILE", str(file))
    monkeypatch.setenv("ORDERMILL_MONGO_FILE", str(tmp_path / "none"))

    note_secrets(Settings)

    found = unchanged_since()
    assert NOW - found[PASSWORD] == timedelta(days=30)
    assert NOW - found["ORDERMILL_JOB_SECRETS"] == timedelta(days=60)
    assert not found.keys() & {"ORDERMILL_ERASURE_SECRET", "ORDERMILL_MONGO"}


def test_what_is_read_again_is_as_old_as_what_was_read(tmp_path: Path) -> None:
    token = BearerToken("", written(tmp_path / "token", days_ago=30))
    webhooks = written(tmp_path / "webhooks.toml", days_ago=30)
    for days in (30, 2):
        written(tmp_path / "token", days_ago=days)
        written(webhooks, days_ago=days)
        token.admits("Bearer none")
        read_config(webhooks)
        found = unchanged_since()
        assert NOW - found[METRICS_TOKEN] == timedelta(days=days)
        assert NOW - found[WEBHOOKS_FILE] == timedelta(days=days)


def test_a_profile_is_as_young_as_the_youngest_file_of_it(tmp_path: Path) -> None:
    password = written(tmp_path / "password", days_ago=3)
    profile = tmp_path / "operator.env"
    profile.write_text(f"{PASSWORD}_FILE={password}\n")
    os.utime(profile, (0, 0))
    assert changed_at(profile) == NOW - timedelta(days=3)

    password.unlink()
    assert changed_at(profile) is None
