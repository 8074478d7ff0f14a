"""
Whether the messages may still change as they did: compared with the schemas as last released.

    python -m order_contracts.specs.compatibility schemas [--release]

What we read must take all that it took; what we write must hold nothing that it never held, and
all that it always did. A change that breaks this is a new message, `.v2`, beside the old one.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Final

from order_contracts.specs.export import messages
from order_contracts.specs.subsumption import Schema, gaps, lost_fields

READ: Final = "what was accepted would be refused or mean something else"
WRITTEN: Final = "its readers would meet what they never met, or miss what they rely on"


@dataclass(frozen=True, slots=True)
class Breach:
    """One change that breaks a message for those who send it, or for those who read it."""

    message: str
    pointer: str
    """Into the message; `*` stands for any item or member."""
    change: str
    harm: str

    def __str__(self) -> str:
        return f"{self.message} {self.pointer or '/'}: {self.change}: {self.harm}"


def breaches(message: str, old: Schema, new: Schema, *, read: bool) -> list[Breach]:
    """Return how a message that we read, or else write, broke between two of its schemas."""
    wide, narrow, harm = (new, old, READ) if read else (old, new, WRITTEN)
    found = [*lost_fields(old, new), *gaps(wide, narrow, wide_is_old=not read)]
    return [Breach(message, pointer, change, harm) for pointer, change in dict.fromkeys(found)]


def broken(folder: Path) -> list[Breach]:
    """Return the breaches between `released/` and `json/` in *folder*."""
    modes = {str(name): mode for name, (_, mode) in messages().items()}
    found: list[Breach] = []
    for path in sorted((folder / "released").glob("*.schema.json")):
        name = path.name.removesuffix(".schema.json")
        current = folder / "json" / path.name
        if not current.exists():
            found.append(Breach(name, "", "the message is gone", READ))
            continue
        old, new = json.loads(path.read_text()), json.loads(current.read_text())
        found += breaches(name, old, new, read=modes.get(name) == "validation")
    return found


def changed_examples(folder: Path) -> list[str]:
    """Return the released examples that are no longer what they were: they are only ever added."""
    now = dict(_examples(folder))
    return [name for name, digest in _released_examples(folder) if now.get(name) != digest]


def release(folder: Path) -> None:
    """Take the schemas and the accepted examples as they are for what must stay true from now."""
    (folder / "released").mkdir(exist_ok=True)
    for path in sorted((folder / "json").glob("*.schema.json")):
        shutil.copy(path, folder / "released" / path.name)
    lines = [f"{digest}  {name}\n" for name, digest in _examples(folder)]
    (folder / "released" / "examples.sha256").write_text("".join(lines))


def _examples(folder: Path) -> Iterator[tuple[str, str]]:
    for path in sorted(folder.glob("examples/*/accepted/*.json")):
        yield path.relative_to(folder).as_posix(), sha256(path.read_bytes()).hexdigest()


def _released_examples(folder: Path) -> Iterator[tuple[str, str]]:
    listed = folder / "released" / "examples.sha256"
    for line in listed.read_text().splitlines() if listed.exists() else ():
        digest, name = line.split(maxsplit=1)
        yield name, digest


def main(folder: Path, *, releasing: bool) -> int:
    told = list(map(str, broken(folder)))
    told += [f"{name}: a released example was changed" for name in changed_examples(folder)]
    for line in told:
        sys.stderr.write(f"Breaks what was released: {line}\n")
    if releasing and not told:
        release(folder)
    return 1 if told else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), releasing="--release" in sys.argv))
