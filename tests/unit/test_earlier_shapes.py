"""Documents of an earlier shape: who searches a collection in vain does it once in a run."""

from __future__ import annotations

from typing import Any, cast

import pytest
from pymongo.database import Database
from pymongo.errors import ExecutionTimeout

from order_operations.diagnosis.earlier_shapes import EarlierShapes
from order_operations.diagnosis.facts import SchemaStep
from order_operations.migrations.index_plan import StepKind
from order_runtime.mongo.client import Document
from order_runtime.mongo.collections import Migration

ONE = Migration("split names", "contacts", {"name": {"$exists": True}}, ())
OTHER = Migration("round prices", "articles", {"price": {"$exists": True}}, ())


class Searched:
    """Collections that notes each search; *left* are those with documents of an earlier shape."""

    def __init__(self, *left: str, error: Exception | None = None) -> None:
        self.left, self.error = set(left), error
        self.searches: list[str] = []

    def __getitem__(self, name: str) -> Any:
        return _Collection(self, name)

    def database(self) -> Database[Document]:
        return cast("Database[Document]", self)


class _Collection:
    def __init__(self, searched: Searched, name: str) -> None:
        self._searched, self._name = searched, name

    def find_one(self, *_: object, **__: object) -> Document | None:
        self._searched.searches.append(self._name)
        if self._searched.error:
            raise self._searched.error
        return {"_id": 1} if self._name in self._searched.left else None


def test_a_collection_without_any_is_not_searched_again() -> None:
    searched, shapes = Searched("articles"), EarlierShapes([ONE, OTHER])
    left = [SchemaStep(StepKind.CHANGE_DOCUMENTS, "articles: round prices")]

    assert [shapes.steps(searched.database()) for _ in range(3)] == [left] * 3
    assert searched.searches == ["contacts", "articles", "articles", "articles"]

    searched.left.clear()
    assert [shapes.steps(searched.database()) for _ in range(3)] == [[]] * 3
    assert len(searched.searches) == 5


def test_a_search_that_took_too_long_is_not_made_again() -> None:
    searched = Searched(error=ExecutionTimeout("operation exceeded time limit", 50))
    shapes = EarlierShapes([ONE])
    for _ in range(3):
        with pytest.raises(ExecutionTimeout):
            shapes.steps(searched.database())
    assert searched.searches == ["contacts"]
