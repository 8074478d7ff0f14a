"""A broker as managed clusters have them: TLS, client certificates, and every mechanism of SASL."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from confluent_kafka import KafkaException

from order_operations.connections.kafka_client import admin_client
from order_runtime.kafka.address import KafkaAddress, Login, Mechanism, Security
from order_stack.cluster.certificates import Authority, Certificate
from order_stack.cluster.jars import classpath
from order_stack.cluster.kafka_brokers import java, new_cluster_id
from order_stack.cluster.topology import Topology
from support.harness.free_ports import free_ports
from support.stack.oauth_server import OAuthServer
from support.stack.wait import until

SETTINGS = """\
process.roles=broker,controller
node.id=1
listeners=SASL_SSL://127.0.0.1:{login},SSL://127.0.0.1:{tls},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=SASL_SSL://127.0.0.1:{login},SSL://127.0.0.1:{tls}
controller.listener.names=CONTROLLER
controller.quorum.voters=1@127.0.0.1:{controller}
listener.security.protocol.map=SASL_SSL:SASL_SSL,SSL:SSL,CONTROLLER:PLAINTEXT
inter.broker.listener.name=SSL
log.dirs={folder}/log
offsets.topic.replication.factor=1
offsets.topic.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
group.initial.rebalance.delay.ms=0
log.cleaner.dedupe.buffer.size=16777216
ssl.keystore.type=PEM
ssl.keystore.location={pem}
ssl.truststore.type=PEM
ssl.truststore.location={ca}
listener.name.ssl.ssl.client.auth=required
listener.name.sasl_ssl.sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512,OAUTHBEARER
listener.name.sasl_ssl.plain.sasl.jaas.config=\
org.apache.kafka.common.security.plain.PlainLoginModule required {users};
listener.name.sasl_ssl.scram-sha-256.sasl.jaas.config=\
org.apache.kafka.common.security.scram.ScramLoginModule required;
listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config=\
org.apache.kafka.common.security.scram.ScramLoginModule required;
listener.name.sasl_ssl.oauthbearer.sasl.jaas.config=\
org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required;
listener.name.sasl_ssl.oauthbearer.sasl.server.callback.handler.class=\
org.apache.kafka.common.security.oauthbearer.OAuthBearerValidatorCallbackHandler
listener.name.sasl_ssl.oauthbearer.connections.max.reauth.ms=10000
sasl.oauthbearer.jwks.endpoint.url={keys}
"""
USER, PASSWORD = "shop", "a password of shop's"


@dataclass(frozen=True, slots=True)
class SecureBroker:
    """A running broker, and how its users get in; all of them have the same password."""

    authority: Authority
    client: Certificate
    login_servers: str
    """The listener that asks for a login."""
    tls_servers: str
    """The listener that asks for a client's certificate."""
    oauth: OAuthServer

    def by_certificate(self) -> KafkaAddress:
        return KafkaAddress(
            self.tls_servers,
            Security.SSL,
            ca_file=self.authority.ca,
            cert_file=self.client.cert,
            key_file=self.client.key,
        )

    def by_login(self, mechanism: Mechanism, password: str = PASSWORD) -> KafkaAddress:
        if mechanism is Mechanism.OAUTHBEARER:
            login = Login(
                mechanism,
                token_url=self.oauth.url,
                client_id=self.oauth.client_id,
                client_secret=self.oauth.client_secret if password == PASSWORD else password,
            )
        else:
            login = Login(mechanism, username=USER, password=password)
        return KafkaAddress(self.login_servers, Security.SASL_SSL, login, ca_file=self.authority.ca)


@contextmanager
def secure_broker(folder: Path, oauth: OAuthServer) -> Iterator[SecureBroker]:
    """Start a broker in *folder*, with one user; stop it afterwards."""
    authority, keys = Authority(folder / "certificates"), folder / "keys.json"
    server, client = authority.issue("broker"), authority.issue("client")
    oauth.write_keys(keys)
    ports = dict(zip(("login", "tls", "controller"), free_ports(3), strict=True))
    settings = folder / "server.properties"
    settings.write_text(
        SETTINGS.format(
            folder=folder,
            pem=server.both,
            ca=authority.ca,
            keys=keys.as_uri(),
            users=f'user_{USER}="{PASSWORD}"',
            **ports,
        )
    )
    program, *options = java(classpath(print), Topology(secure=True))
    allowed = (
        f"-Dorg.apache.kafka.sasl.oauthbearer.allowed.urls={keys.as_uri()}",
        f"-Dorg.apache.kafka.sasl.oauthbearer.allowed.files={keys}",
    )
    jvm = (program, *allowed, *options)
    logins = [
        f"{mechanism}=[name={USER},password={PASSWORD}]"
        for mechanism in (Mechanism.SCRAM_SHA_256, Mechanism.SCRAM_SHA_512)
    ]
    scram = [part for login in logins for part in ("-S", login)]
    tool = (*jvm, "kafka.tools.StorageTool", "format", "-t", new_cluster_id(), *scram)
    done = subprocess.run((*tool, "-c", str(settings)), capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode() or done.stdout.decode()
    found = SecureBroker(
        authority,
        client,
        f"127.0.0.1:{ports['login']}",
        f"127.0.0.1:{ports['tls']}",
        oauth,
    )
    log = (folder / "kafka.log").open("wb")
    with log, subprocess.Popen((*jvm, "kafka.Kafka", str(settings)), stdout=log, stderr=log) as it:
        try:
            until(lambda: _serves(found), seconds=60, of="the secure broker")
            yield found
        finally:
            it.kill()


def login_variables(address: KafkaAddress) -> Mapping[str, str]:
    """Return the address as the settings of a service."""
    login = address.login
    found = {
        "SECURITY": str(address.security),
        "MECHANISM": login and str(login.mechanism),
        "USERNAME": login and login.username,
        "PASSWORD": login and login.password,
        "TOKEN_URL": login and login.token_url,
        "CLIENT_ID": login and login.client_id,
        "CLIENT_SECRET": login and login.client_secret,
        "CA_FILE": address.ca_file and str(address.ca_file),
        "CERT_FILE": address.cert_file and str(address.cert_file),
        "KEY_FILE": address.key_file and str(address.key_file),
    }
    return {f"ORDERMILL_KAFKA_{name}": value for name, value in found.items() if value}


def _serves(broker: SecureBroker) -> bool:
    try:
        return bool(admin_client(broker.by_certificate()).list_topics(timeout=5).brokers)
    except KafkaException:
        return False
