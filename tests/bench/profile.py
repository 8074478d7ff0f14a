"""
Show where the CPU of a stage goes: `make profile STAGE=store`.

    python -m bench.profile STAGE

Samples the stage's services under the load of its rounds, by py-spy, which must be allowed to look
into other processes: as root, or after `sysctl kernel.yama.ptrace_scope=0`.
"""

from __future__ import annotations

import argparse
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from operator import attrgetter
from pathlib import Path
from typing import Final

from bench.__main__ import STAGES
from bench.environment import Environment, environment
from bench.peers.process import python
from bench.stacks import Share, shares

ROUNDS: Final = 3
SHOWN: Final = 25
END_SECONDS: Final = 60.0


def main() -> None:
    parser = argparse.ArgumentParser(prog="make profile", description=__doc__)
    parser.add_argument("stage", choices=STAGES)
    parser.add_argument("--scale", type=float, default=1.0, help="of all counts")
    asked = parser.parse_args()
    stage = STAGES[asked.stage]
    with environment(peers=False, scale=asked.scale) as started:
        started.stop_all_but(stage.services)
        with stage.contenders(started) as contenders, sampled(started, stage.services) as files:
            for _ in range(ROUNDS):
                for contender in contenders:
                    contender.measure()
        for service, file in files.items():
            show(service, shares(file.read_text().splitlines()))


@contextmanager
def sampled(environment: Environment, services: Sequence[str]) -> Iterator[Mapping[str, Path]]:
    """Sample the stacks of *services* until the end of the body, each into a file."""
    files = {name: environment.home / f"{name}.stacks" for name in services}
    spies = [_spy(environment.processes[name].pid, file) for name, file in files.items()]
    try:
        yield files
    finally:
        for spy in spies:
            spy.send_signal(signal.SIGINT)  # it writes what it has
            spy.wait(END_SECONDS)


def _spy(pid: int, file: Path) -> subprocess.Popen[bytes]:
    """Start sampling the threads of a process that run."""
    program = Path(python()).with_name("py-spy")
    argv = [str(program), "record", "--pid", str(pid), "--output", str(file)]
    argv += ["--format", "raw", "--function", "--rate", "100"]
    return subprocess.Popen(argv, stdout=subprocess.DEVNULL)


def show(service: str, found: Sequence[Share]) -> None:
    """Print the dearest functions, by what they cost themselves and by what is below them."""
    for title, figure in (("by itself", "own"), ("with what it calls", "total")):
        print(f"\n{service}, {title}")
        for it in sorted(found, key=attrgetter(figure), reverse=True)[:SHOWN]:
            print(f"{getattr(it, figure):7.1%}  {it.function}")


if __name__ == "__main__":
    main()
