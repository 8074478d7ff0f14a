"""
The routes of the Orders API: the method and path of each call, by its operationId.

The gateway serves these and the OpenAPI document describes them. Parameters of a path are named
as in code, `order_id`; the document writes them in camel case, as it does the fields of messages.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

BASE_PATH: Final = "/api/v3"
ORDERS: Final = f"{BASE_PATH}/orders"
ORDER: Final = f"{ORDERS}/{{order_id}}"
JOBS: Final = f"{ORDERS}/jobs"
JOB: Final = f"{JOBS}/{{job_id}}"
INTEGRATION_LOG: Final = f"{BASE_PATH}/integration-log"


@dataclass(frozen=True, slots=True)
class Route:
    method: str
    path: str


ROUTES: Final[Mapping[str, Route]] = MappingProxyType(
    {
        "listOrders": Route("GET", ORDERS),
        "registerOrder": Route("POST", ORDERS),
        "getOrder": Route("GET", ORDER),
        "replaceOrder": Route("PUT", ORDER),
        "deleteOrder": Route("DELETE", ORDER),
        "triggerAction": Route("POST", f"{ORDER}/action"),
        "changeStatus": Route("POST", f"{ORDER}/change-status"),
        "changeDelivery": Route("POST", f"{ORDER}/change-delivery"),
        "getHistory": Route("GET", f"{ORDER}/history"),
        "registerOrders": Route("POST", f"{ORDERS}/bulk"),
        "checkOrders": Route("POST", f"{ORDERS}/check"),
        "listJobs": Route("GET", JOBS),
        "getJob": Route("GET", JOB),
        "listIntegrationLog": Route("GET", INTEGRATION_LOG),
    }
)
