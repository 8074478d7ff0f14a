"""Small changes to a module's source, each of which some test should notice. Pure."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, Final

Edit = tuple[ast.AST, str]
"""A node, and the source that takes its place."""

_COMPARED: Final[dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]]] = {
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
}
_CALCULATED: Final[dict[type[ast.operator], type[ast.operator]]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.FloorDiv,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Mult,
    ast.BitOr: ast.BitAnd,
    ast.BitAnd: ast.BitOr,
}
_SWAPPED: Final = {"min": "max", "max": "min", "any": "all", "all": "any"}
_DECLARED: Final = {"TypeVar", "NewType", "TypeAdapter"}  # calls that only say what a type is
_NEGATED_OTHERWISE: Final = (ast.Compare, ast.UnaryOp)


@dataclass(frozen=True, slots=True)
class Change:
    """The bytes of a source from *start* to *end*, and what takes their place."""

    start: int
    end: int
    text: str
    line: int

    def applied_to(self, source: str) -> str:
        raw = source.encode()
        return (raw[: self.start] + self.text.encode() + raw[self.end :]).decode()

    def shown_in(self, source: str) -> tuple[str, str]:
        """Return the changed lines before and after."""
        raw = source.encode()
        start = raw.rfind(b"\n", 0, self.start) + 1
        end = (raw.find(b"\n", self.end) + len(raw) + 1) % (len(raw) + 1)
        after = raw[start : self.start] + self.text.encode() + raw[self.end : end]
        return _joined(raw[start:end]), _joined(after)


def _joined(lines: bytes) -> str:
    return " ".join(lines.decode().split())


def changes(source: str) -> list[Change]:
    """Return every change, in order; a few may not compile."""
    starts = [0, *accumulate(len(line) for line in source.encode().splitlines(keepends=True))]
    found = {
        Change(
            starts[node.lineno - 1] + node.col_offset,
            starts[node.end_lineno - 1] + node.end_col_offset,
            text,
            node.lineno,
        )
        for node, text in _edits(ast.parse(source))
    }
    return sorted(found, key=lambda it: (it.start, it.end, it.text))


def _edits(tree: ast.AST) -> Iterator[tuple[Any, str]]:
    for node in _executed(tree):
        yield from _of_constants(node)
        yield from _of_operators(node)
        yield from _of_comparisons(node)
        yield from _of_conditions(node)
        yield from _of_calls(node)
        yield from _of_statements(node)


def _executed(node: ast.AST) -> Iterator[ast.AST]:
    """Yield the nodes that mean something at run time: no annotation, docstring or decorator."""
    yield node
    for child in _children(node):
        yield from _executed(child)


def _children(node: ast.AST) -> Iterator[ast.AST]:
    match node:
        case _ if _is_left_alone(node):
            return
        case ast.FunctionDef() | ast.AsyncFunctionDef():
            yield from (it for it in (*node.args.defaults, *node.args.kw_defaults) if it)
            yield from node.body
        case ast.ClassDef() | ast.ExceptHandler():
            yield from node.body
        case ast.AnnAssign(value=ast.expr() as value):
            yield value
        case ast.If(test=ast.Name("TYPE_CHECKING")):
            yield from node.orelse
        case _:
            yield from ast.iter_child_nodes(node)


def _is_left_alone(node: ast.AST) -> bool:
    """Return whether nothing inside of it is changed."""
    match node:
        case ast.Call(func=ast.Name(name)):
            return name in _DECLARED
        case ast.AnnAssign(target=ast.Name("__slots__")) | ast.AnnAssign(value=None):
            return True
        case ast.Assign(targets=[ast.Name("__slots__")]) | ast.Expr(value=ast.Constant()):
            return True
        # The text is for ourselves; the positions inside of an f-string are wrong before 3.12.
        case ast.Raise(exc=ast.Call(func=ast.Name("TypeError"))) | ast.JoinedStr():
            return True
    return isinstance(node, ast.keyword) and _is_strict(node)


def _is_strict(keyword: ast.keyword) -> bool:
    """Return whether it is that of a zip, which only asserts what holds."""
    return keyword.arg == "strict"


def _of_constants(node: ast.AST) -> Iterator[Edit]:
    match node:
        case ast.Constant(value=bool() as value):
            yield node, repr(not value)
        case ast.Constant(value=int() | float() as number):
            yield from ((node, f"({number + step!r})") for step in (1, -1))
        case ast.Constant(value=str() as text):
            yield node, repr(f"XX{text}")
        case ast.Constant(value=bytes() as raw):
            yield node, repr(b"XX" + raw)
        case ast.JoinedStr():
            yield node, ast.unparse(ast.JoinedStr([ast.Constant("XX"), *node.values]))


def _of_operators(node: ast.AST) -> Iterator[Edit]:
    """Yield calculations with another operator, signs and negations left out, open slices."""
    match node:
        case ast.BinOp() if type(node.op) in _CALCULATED:
            other = ast.BinOp(node.left, _CALCULATED[type(node.op)](), node.right)
            yield node, f"({ast.unparse(other)})"
        case ast.UnaryOp(op=ast.USub() | ast.Not()):
            yield node, f"({ast.unparse(node.operand)})"
        case ast.Slice():
            for bound in ("lower", "upper", "step"):
                if getattr(node, bound) is not None:
                    yield node, ast.unparse(ast.Slice(**{**_bounds(node), bound: None}))


def _bounds(of: ast.Slice) -> dict[str, Any]:
    return {"lower": of.lower, "upper": of.upper, "step": of.step}


def _of_comparisons(node: ast.AST) -> Iterator[Edit]:
    """Yield comparisons with other operators, and alternatives that lack a part."""
    match node:
        case ast.Compare():
            for at, op in enumerate(node.ops):
                for other in _COMPARED[type(op)]:
                    ops = [*node.ops[:at], other(), *node.ops[at + 1 :]]
                    yield node, f"({ast.unparse(ast.Compare(node.left, ops, node.comparators))})"
        case ast.BoolOp():
            swapped = ast.Or() if isinstance(node.op, ast.And) else ast.And()
            yield node, f"({ast.unparse(ast.BoolOp(swapped, node.values))})"
            for left in _without_one(node.values):
                yield node, f"({ast.unparse(ast.BoolOp(node.op, left))})"
        case ast.MatchOr():
            for patterns in _without_one(node.patterns):
                yield node, ast.unparse(ast.MatchOr(patterns))


def _of_conditions(node: ast.AST) -> Iterator[Edit]:
    match node:
        case ast.If(test=ast.Name("TYPE_CHECKING")):
            return
        case ast.If(test=test) | ast.While(test=test) | ast.IfExp(test=test):
            yield from _negated(test)
        case ast.match_case(guard=ast.expr() as guard):
            yield from _negated(guard)
        case ast.comprehension():
            for test in node.ifs:
                yield from _negated(test)


def _negated(test: ast.expr) -> Iterator[Edit]:
    if not isinstance(test, _NEGATED_OTHERWISE):
        yield test, f"(not ({ast.unparse(test)}))"


def _of_calls(node: ast.AST) -> Iterator[Edit]:
    """Yield calls without a keyword, and of the opposite function."""
    match node:
        case ast.Call(func=ast.Name(name)) if name in _SWAPPED:
            yield node.func, _SWAPPED[name]
    if isinstance(node, ast.Call):
        for left in _without_one(node.keywords):
            if all(it in left or not _is_strict(it) for it in node.keywords):
                yield node, ast.unparse(ast.Call(node.func, node.args, left))


def _of_statements(node: ast.AST) -> Iterator[Edit]:
    """Yield `None` for what is returned, and nothing for what is done."""
    match node:
        case ast.Return(value=ast.Constant(value=None | False)):  # None means as much as False
            return
        case ast.Return(value=ast.expr()):
            yield node, "return None"
        case ast.Yield(value=ast.expr()):
            yield node, "(yield None)"
        case ast.AugAssign():
            if type(node.op) in _CALCULATED:
                other = _CALCULATED[type(node.op)]()
                yield node, ast.unparse(ast.AugAssign(node.target, other, node.value))
            yield node, "pass"
        case ast.Assign(targets=[ast.Attribute() | ast.Subscript(), *_]):
            yield node, "pass"
        case ast.Expr(value=ast.Call() | ast.Yield() | ast.YieldFrom()):
            yield node, "pass"
        case ast.Raise() | ast.Continue() | ast.Break() | ast.Delete():
            yield node, "pass"


def _without_one(items: list[Any]) -> Iterator[list[Any]]:
    """Yield the list without each of its items in turn."""
    for at in range(len(items)):
        yield [*items[:at], *items[at + 1 :]]
