"""A process gives back what it took for a large batch, whatever was allocated after it."""

from __future__ import annotations

import subprocess
import sys
import textwrap

MIB = 1024 * 1024
# A block of 30 MiB teaches glibc to keep blocks up to that size; the small ones pin what is kept.
PROGRAM = textwrap.dedent("""
    from pathlib import Path
    from order_runtime.process.memory import give_back_large_blocks

    def resident():
        return int(Path("/proc/self/statm").read_text().split()[1]) * 4096

    give_back_large_blocks()
    large = bytearray(b"x") * (30 << 20)
    del large
    before = resident()
    blocks, pins = [], []
    for _ in range(4):
        blocks.append(bytearray(b"x") * (20 << 20))
        pins.append(bytearray(b"x") * (100 << 10))
    blocks.clear()
    print(resident() - before)
""")


def test_freed_blocks_are_given_back() -> None:
    command = [sys.executable, "-c", PROGRAM]
    kept = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert int(kept) < 2 * MIB
