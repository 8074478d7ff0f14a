"""GET /integration-log: what is wrong with the data, the newest first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from gateway.adapters.read_store import ReadStore
from gateway.domain.pagination import Cursor, page_links, page_of, page_rows
from gateway.domain.query_params import choice_in, time_in
from gateway.domain.urls import BASE_PATH, Urls
from gateway.http.admission import Admission
from gateway.http.responses import json_response
from order_contracts.answers import IntegrationLog
from order_contracts.integration_log import LogEntry
from order_contracts.values import Choice
from order_runtime.mongo.client import INTEGRATION_LOG, Document

QUERY: Final = ("severity", "code", "orderId", "jobId", "since", "count", "continuation")


class _Severity(Choice):
    WARNING = "Warning"
    ERROR = "Error"


@dataclass(frozen=True, slots=True)
class IntegrationLogQueries:
    """The integration log."""

    admission: Admission
    reads: ReadStore
    urls: Urls

    async def list(self, request: Request) -> Response:
        self.admission.admit(request, "orders:read", QUERY)
        query = request.query_params
        page, since = page_of(query), time_in(query, "since")
        severity = choice_in(query, "severity", _Severity)
        where: list[dict[str, Any]] = [
            {name: query[name]} for name in ("code", "orderId", "jobId") if name in query
        ]
        where += [{"severity": str(severity)}] if severity else []
        where += [{"at": {"$gte": since}}] if since else []
        found = await self.reads.rows(
            INTEGRATION_LOG, [*where, page.where("at")], page.sort("at"), page.count + 1
        )
        rows = page_rows(found, page)
        ends = [Cursor(row["at"], row["_id"]) for row in rows.rows]
        first, last = (ends[0], ends[-1]) if ends else (page.cursor, page.cursor)
        url = f"{self.urls.public_url}{BASE_PATH}/integration-log"
        items = tuple(map(log_entry_of, rows.rows))
        return json_response(
            IntegrationLog(items=items, links=page_links(url, query, rows, first, last))
        )


def log_entry_of(document: Document) -> LogEntry:
    """Return an entry of the integration log from its document."""
    return LogEntry.model_validate({**document, "id": document["_id"]})
