"""The document of this process in `instances`: written beside its work, and never waited for."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

from pymongo.database import Database
from pymongo.write_concern import WriteConcern

from order_runtime.documents.instances import (
    Identity,
    ReportedState,
    end_update,
    heartbeat_update,
)
from order_runtime.mongo.client import INSTANCES, Document
from order_runtime.observability.certificates import expiries
from order_runtime.observability.conditions import CONDITIONS
from order_runtime.observability.dependencies import DEPENDENCIES
from order_runtime.observability.secret_ages import unchanged_since
from order_runtime.process.health import Probes
from order_runtime.process.log_events import HEARTBEAT_NOT_STORED
from order_runtime.process.logs import error_fields, log
from order_runtime.process.release import release
from order_runtime.process.settings import ServiceSettings

NOT_DURABLE: Final = WriteConcern(w=1, j=False)  # the next one comes in a few seconds


class Heartbeat:
    """Stores what this process is and meets; for one thread."""

    def __init__(self, settings: ServiceSettings, service: str, probes: Probes) -> None:
        self._probes = probes
        self._refused = False
        self.identity = Identity(
            service=service,
            instance=settings.instance,
            version=release(),
            host=socket.gethostname(),
            health=f"{settings.health_host}:{settings.health_port}",
            pid=os.getpid(),
            started_at=datetime.now(UTC),
        )

    def beat(self, database: Database[Document]) -> None:
        """Store it; where that fails, it is logged once and nothing else happens."""
        self._store(
            database,
            lambda: heartbeat_update(self.identity, reported_state(self._probes)),
            upsert=True,
        )

    def end(self, database: Database[Document], failure: str | None) -> None:
        """Store that the process ends, and why, where it wasn't asked to."""
        self._store(database, lambda: end_update(failure), upsert=False)

    def _store(
        self, database: Database[Document], update: Callable[[], list[Document]], *, upsert: bool
    ) -> None:
        instances = database.get_collection(INSTANCES, write_concern=NOT_DURABLE)
        try:
            instances.update_one({"_id": self.identity.id}, update(), upsert=upsert)
        except Exception as error:  # noqa: BLE001  no reason to stop the watch
            if not self._refused:
                log().warning(HEARTBEAT_NOT_STORED, **error_fields(error))
            self._refused = True
        else:
            self._refused = False


def reported_state(probes: Probes) -> ReportedState:
    """Return what this process is and meets now."""
    outages = {it.name: it.outage() for it in DEPENDENCIES}
    return ReportedState(
        clock=datetime.now(UTC),
        ready=probes.ready(),
        waits_for={name: it.since for name, it in outages.items() if it is not None},
        stalled=probes.stalled(),
        conditions=CONDITIONS.current(),
        certificates=expiries(),
        secrets=unchanged_since(),
    )
