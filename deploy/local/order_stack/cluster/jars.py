"""Jars fetched once from Maven Central, each checked against a locked hash; those of Kafka."""

from __future__ import annotations

import hashlib
import logging
import tempfile
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from importlib import resources
from pathlib import Path

import jgo
import requests
from jgo.config import GlobalSettings
from jgo.constants import MAVEN_CENTRAL_URL
from jgo.maven import MavenContext

from order_stack.problems import StackProblem

ENDPOINT = "org.apache.kafka:kafka_2.13:4.3.1+org.slf4j:slf4j-simple:1.7.36"
LOCK = "kafka-jars.lock"
PARALLEL = 8
SECONDS = 60  # a single jar may be 10 MB on a slow line


def locked(text: str) -> dict[str, str]:
    """Return SHA-256 by Maven coordinate, in the order of the class path."""
    lines = (
        line.split(maxsplit=1) for line in text.splitlines() if line and not line.startswith("#")
    )
    return dict(lines)


def classpath(say: Callable[[str], None]) -> tuple[Path, ...]:
    """Return the broker's jars; downloads those that the local Maven repository lacks."""
    return kept(locked(resources.files("order_stack.cluster").joinpath(LOCK).read_text()), say)


def kept(
    wanted: Mapping[str, str],
    say: Callable[[str], None],
    *,
    of: str = "Apache Kafka",
    instead: str = "pass --kafka BOOTSTRAP to use a broker of yours",
) -> tuple[Path, ...]:
    """
    Return the jars of these coordinates; downloads those whose SHA-256 isn't the wanted one.

    Whose they are, *of*, and what to do *instead*, is said where that fails.
    """
    paths = {coordinate: _home(coordinate) for coordinate in wanted}
    missing = [it for it, path in paths.items() if _digest(path) != wanted[it]]
    if missing:
        say(f"Fetching {len(missing)} jars from Maven Central")
        try:
            _fetch(missing, wanted)
        except (OSError, RuntimeError, requests.RequestException) as error:
            raise StackProblem(
                f"The jars of {of} can't be downloaded from Maven Central; check the network "
                f"(HTTPS_PROXY, or a mirror in jgo's configuration), or {instead} "
                f"({type(error).__name__})."
            ) from error
    return tuple(paths.values())


def _context(repository: Path) -> MavenContext:
    mirrors = GlobalSettings.load().repositories
    return MavenContext(
        repo_cache=repository,
        remote_repos={"central": MAVEN_CENTRAL_URL, **mirrors},
        timeout=SECONDS,
    )


def _relative(coordinate: str) -> Path:
    group, artifact, version, *classifier = coordinate.split(":")
    name = "-".join([artifact, version, *classifier])
    return Path(*group.split("."), artifact, version, f"{name}.jar")


def _home(coordinate: str) -> Path:
    return Path(GlobalSettings.load().repo_cache) / _relative(coordinate)


def _digest(path: Path) -> str | None:
    if not path.is_file():
        return None
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _fetch(coordinates: Iterable[str], wanted: Mapping[str, str]) -> None:
    """Download into a folder beside, then move whole files: nobody sees half a jar."""
    repository = Path(GlobalSettings.load().repo_cache)
    repository.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory(dir=repository, prefix=".ordermill-") as draft,
        ThreadPoolExecutor(PARALLEL) as pool,
    ):
        context = _context(Path(draft))
        for coordinate, path in pool.map(lambda it: (it, _download(it, context)), coordinates):
            _keep(coordinate, path, wanted[coordinate])


def _download(coordinate: str, context: MavenContext) -> Path:
    group, artifact, version, *classifier = coordinate.split(":")
    component = context.project(group, artifact).at_version(version)
    return Path(component.artifact(*classifier).resolve())


def _keep(coordinate: str, path: Path, digest: str) -> None:
    if _digest(path) != digest:
        raise StackProblem(
            f"{coordinate} from Maven Central isn't the file this project was tested with; "
            "a mirror in between may be at fault."
        )
    home = _home(coordinate)
    home.parent.mkdir(parents=True, exist_ok=True)
    path.replace(home)


def lock(endpoint: str, module: str) -> str:
    """Resolve the dependencies and return the new content of the lock file that *module* writes."""
    logging.getLogger("jgo").setLevel(logging.ERROR)
    artifacts = jgo.resolve(endpoint)
    lines = [
        f"{it.groupId}:{it.artifactId}:{it.version} {_digest(it.resolve())}" for it in artifacts
    ]
    return "\n".join([f"# {endpoint}, by `python -m {module}`", *lines, ""])


if __name__ == "__main__":
    Path(__file__).with_name(LOCK).write_text(lock(ENDPOINT, "order_stack.cluster.jars"))
