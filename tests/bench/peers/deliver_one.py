"""The usual way to send webhooks: one at a time, signed, posted, committed."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime

import httpx
from confluent_kafka import Consumer, Message
from standardwebhooks import Webhook

URL = os.environ["BENCH_URL"]
WEBHOOK = Webhook("whsec_" + "b" * 32)


def webhook(message: Message) -> tuple[str, dict[str, str]]:
    """Return the body and the headers of an action's webhook."""
    action, now = json.loads(message.value() or b"{}"), datetime.now(UTC)
    body = json.dumps({"type": "order.action", "timestamp": now.isoformat(), "data": action})
    headers = {
        "content-type": "application/json",
        "webhook-id": action["actionId"],
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": WEBHOOK.sign(action["actionId"], now, body),
    }
    return body, headers


def consumer() -> Consumer:
    found = Consumer(
        {
            "bootstrap.servers": os.environ["BENCH_KAFKA"],
            "group.id": os.environ["BENCH_TOPIC"],
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
        }
    )
    found.subscribe([os.environ["BENCH_TOPIC"]])
    return found


def main() -> None:
    source = consumer()
    with httpx.Client() as client:
        while True:
            message = source.poll(1.0)
            if message is None or message.error():
                continue
            body, headers = webhook(message)
            client.post(URL, content=body, headers=headers).raise_for_status()
            source.commit(message, asynchronous=False)


if __name__ == "__main__":
    main()
