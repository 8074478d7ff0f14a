"""The usual way to accept an order: a model, a look-up, a record that is acknowledged."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

from aiokafka import AIOKafkaProducer
from fastapi import FastAPI, HTTPException, Request
from pymongo import AsyncMongoClient

from bench.peers.order_model import Order


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    producer = AIOKafkaProducer(
        bootstrap_servers=os.environ["BENCH_KAFKA"], enable_idempotence=True
    )
    async with producer, AsyncMongoClient[dict[str, Any]](os.environ["BENCH_MONGO"]) as client:
        app.state.producer, app.state.orders = producer, client["peer"]["orders"]
        yield


app = FastAPI(lifespan=lifespan)


@app.post("/orders", status_code=202)
async def register(order: Order, request: Request) -> dict[str, str]:
    state = request.app.state
    if await state.orders.find_one({"_id": order.order_id}):
        raise HTTPException(409, "An order with this orderId exists")
    value = order.model_dump_json(by_alias=True, exclude_none=True).encode()
    await state.producer.send_and_wait("peer.accept", value, key=order.order_id.encode())
    return {"jobId": str(uuid4()), "orderId": order.order_id, "status": "Accepted"}
