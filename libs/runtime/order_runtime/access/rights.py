"""Rights as values: on a resource of Kafka's, and on a collection of MongoDB's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, TypeVar

TOPIC: Final = "TOPIC"
GROUP: Final = "GROUP"
CLUSTER: Final = "BROKER"  # librdkafka's word for it; there is one, and all rights on it name it so
CLUSTER_NAME: Final = "kafka-cluster"
ANY_HOST: Final = "*"
WHOLE_DATABASE: Final = ""  # as MongoDB writes it; as a resource of `find`, it is each collection


@dataclass(frozen=True, slots=True, order=True)
class KafkaRight:
    """What an ACL allows; resources and operations are named as confluent_kafka names them."""

    resource: str
    name: str
    operation: str
    prefixed: bool = False
    """Whether it is on everything whose name begins with *name*."""
    host: str = ANY_HOST

    @property
    def on(self) -> str:
        where = "" if self.host == ANY_HOST else f" from {self.host}"
        if self.resource == CLUSTER:
            return f"the cluster{where}"
        return f"{self.resource.lower()} {self.name}{'…' if self.prefixed else ''}{where}"


@dataclass(frozen=True, slots=True, order=True)
class MongoRight:
    """An action that a role allows on a collection, or on the database as such."""

    collection: str
    operation: str

    @property
    def on(self) -> str:
        return f"collection {self.collection}" if self.collection else "database"


Right = KafkaRight | MongoRight
R = TypeVar("R", KafkaRight, MongoRight)
