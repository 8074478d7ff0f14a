"""The call that lists the integration log: what is wrong with the data, the newest first."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from gateway.adapters.read_store import ReadStore
from gateway.domain.answer_models import log_entry_of
from gateway.domain.pagination import page_request
from gateway.domain.query_params import choice_in, time_in
from gateway.domain.urls import Urls
from gateway.http.admission import Admission
from gateway.http.responses import json_response
from order_contracts.answers import IntegrationLog
from order_contracts.integration_log import SEVERITIES
from order_runtime.mongo.client import INTEGRATION_LOG
from order_runtime.process.unreadable import all_readable

LIST_PARAMETERS: Final = (
    "severity",
    "code",
    "orderId",
    "jobId",
    "since",
    "count",
    "continuation",
)


@dataclass(frozen=True, slots=True)
class IntegrationLogQueries:
    admission: Admission
    reads: ReadStore
    urls: Urls

    async def list(self, request: Request) -> Response:
        self.admission.admit(request, "orders:read", LIST_PARAMETERS)
        query = request.query_params
        asked, since = page_request(query, "at"), time_in(query, "since")
        severity = choice_in(query, "severity", SEVERITIES)
        where: list[Mapping[str, Any]] = [
            {name: query[name]} for name in ("code", "orderId", "jobId") if name in query
        ]
        where += [{"severity": severity}] if severity else []
        where += [{"at": {"$gte": since}}] if since else []
        found = await self.reads.find_page(INTEGRATION_LOG, where, asked)
        page = asked.page(found, self.urls.integration_log)
        entries = tuple(all_readable(INTEGRATION_LOG, page.rows, log_entry_of))
        return json_response(IntegrationLog(items=entries, links=page.links))
