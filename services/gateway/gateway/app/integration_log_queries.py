"""The call that lists the integration log: what is wrong with the data, the newest first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from gateway.adapters.read_store import ReadStore
from gateway.domain.answer_models import log_entry_of
from gateway.domain.pagination import Page, PageRequest, page_request
from gateway.domain.query_params import choice_in, time_in
from gateway.domain.urls import Urls
from gateway.http.admission import Admission
from gateway.http.responses import json_response
from order_contracts.answers import IntegrationLog
from order_contracts.integration_log import SEVERITIES
from order_runtime.mongo.client import INTEGRATION_LOG
from order_runtime.mongo.log_filter import LogFilter
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
        asked = page_request(query, "at")
        where = LogFilter(
            code=query.get("code"),
            severity=choice_in(query, "severity", SEVERITIES),
            order_id=query.get("orderId"),
            job_id=query.get("jobId"),
            since=time_in(query, "since"),
        )
        page = await self._page(where, asked)
        entries = tuple(all_readable(INTEGRATION_LOG, page.rows, log_entry_of))
        return json_response(IntegrationLog(items=entries, links=page.links))

    async def _page(self, where: LogFilter, asked: PageRequest) -> Page:
        name, hint = INTEGRATION_LOG, where.index.name
        indexed, others = where.indexed(), where.others()
        end = await self.reads.scan_end(name, indexed, asked, hint) if others else None
        bound = [asked.up_to(end)] if end else []
        found = await self.reads.find_page(name, [*indexed, *others, *bound], asked, hint)
        return asked.page(found, self.urls.integration_log, end)
