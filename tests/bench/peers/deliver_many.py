"""Sending webhooks 32 at once, with a commit for each 32."""

from __future__ import annotations

import asyncio

import httpx
from confluent_kafka import Message

from bench.peers.deliver_one import URL, consumer, webhook

AT_ONCE = 32


async def main() -> None:
    source = consumer()
    async with httpx.AsyncClient() as client:
        while True:
            messages = [it for it in source.consume(AT_ONCE, 0.05) if not it.error()]
            if messages:
                await asyncio.gather(*[send(client, it) for it in messages])
                source.commit(asynchronous=False)


async def send(client: httpx.AsyncClient, message: Message) -> None:
    body, headers = webhook(message)
    (await client.post(URL, content=body, headers=headers)).raise_for_status()


if __name__ == "__main__":
    asyncio.run(main())
