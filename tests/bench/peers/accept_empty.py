"""An endpoint that validates an order and does nothing with it."""

from __future__ import annotations

from fastapi import FastAPI

from bench.peers.order_model import Order

app = FastAPI()


@app.post("/orders", status_code=202)
async def register(order: Order) -> dict[str, bool]:  # noqa: ARG001  validated, and that is all
    return {"ok": True}
