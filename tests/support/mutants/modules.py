"""The modules of the domain packages, and what is made of them."""

from __future__ import annotations

import ast
import random
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path
from types import CodeType
from typing import Any, Final

from support.mutants.operators import Change, changes

ROOT: Final = Path(__file__).parents[3]
SERVICES: Final = ROOT / "services"
_FUNCTIONS: Final = (ast.FunctionDef, ast.AsyncFunctionDef)
TELL: Final = "__reached__"
"""The built-in function that a telling module calls before each statement of its functions."""


@dataclass(frozen=True)
class Module:
    name: str
    path: Path

    @cached_property
    def source(self) -> str:
        return self.path.read_text()

    @cached_property
    def statements(self) -> list[ast.stmt]:
        """All statements inside of functions."""
        functions = [it for it in ast.walk(ast.parse(self.source)) if isinstance(it, _FUNCTIONS)]
        inner = [it for function in functions for body in function.body for it in ast.walk(body)]
        return [it for it in inner if isinstance(it, ast.stmt)]


@dataclass(frozen=True)
class Mutant:
    """A module with one change."""

    module: Module
    change: Change

    @property
    def place(self) -> str:
        return f"{self.module.path.relative_to(ROOT)}:{self.change.line}"

    @property
    def compiles(self) -> bool:
        try:
            self.code()
        except SyntaxError:
            return False
        return True

    def code(self) -> CodeType:
        source = self.change.applied_to(self.module.source)
        return compile(source, str(self.module.path), "exec", dont_inherit=True)

    @property
    def statement(self) -> int | None:
        """The line at which the changed statement begins; None outside of functions."""
        line = self.change.line
        around = (it for it in self.module.statements if it.lineno <= line <= (it.end_lineno or 0))
        return max((it.lineno for it in around), default=None)


def domain_modules() -> list[Module]:
    found = sorted(SERVICES.glob("*/*/domain/**/*.py"))
    return [Module(_name(path), path) for path in found if path.name != "__init__.py"]


def _name(path: Path) -> str:
    return ".".join(path.relative_to(SERVICES).with_suffix("").parts[1:])


def sample(found: Iterable[Module], seed: int, count: int) -> list[Mutant]:
    """Return *count* mutants, drawn from all that there are; all, if there are fewer."""
    mutants = [Mutant(module, change) for module in found for change in changes(module.source)]
    random.Random(seed).shuffle(mutants)
    return list(islice((it for it in mutants if it.compiles), count))


def telling(module: Module) -> ast.Module:
    """Return a module that calls `__reached__` with its name and a line before each statement."""
    tree = ast.parse(module.source)
    _Telling(module.name).visit(tree)
    return ast.fix_missing_locations(tree)


class _Telling(ast.NodeTransformer):
    def __init__(self, name: str) -> None:
        self._name = name
        self._inside = False

    def generic_visit(self, node: ast.AST) -> Any:
        outside, self._inside = not self._inside, self._inside or isinstance(node, _FUNCTIONS)
        super().generic_visit(node)
        self._inside = not outside
        if outside or not isinstance(node, ast.stmt):
            return node
        arguments: list[ast.expr] = [ast.Constant(self._name), ast.Constant(node.lineno)]
        return [ast.Expr(ast.Call(ast.Name(TELL, ast.Load()), arguments, [])), node]
