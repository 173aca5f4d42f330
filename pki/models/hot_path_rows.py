"""Rows of the hot path, made and copied without what a model's own methods cost.

``Model.__init__`` sends two signals and sets each column through its descriptor, for 40 columns of
a certificate. Nothing here listens to these signals, and a row that was made a moment ago has no
related rows that a new value would make stale.
"""

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, TypeVar

from django.db import DEFAULT_DB_ALIAS, models
from django.db.models.base import ModelState

ModelT = TypeVar("ModelT", bound=models.Model)


def new_row(model: type[ModelT], values: Mapping[str, Any]) -> ModelT:
    """Return a row, not saved yet, from values by attribute name. Other columns get their defaults.

    It is what ``model(**values)`` returns.
    """
    constants, factories = _defaults(model)
    columns = {**constants, **values}
    for name, make in factories:
        if name not in values:
            columns[name] = make()
    return _row(model, columns, ModelState())


def loaded_row(model: type[ModelT], columns: Mapping[str, Any]) -> ModelT:
    """Return a row that is in the database, as ``Model.from_db`` does.

    Columns that are not given are read when they are asked for.
    """
    state = ModelState()
    state.adding, state.db = False, DEFAULT_DB_ALIAS
    return _row(model, columns, state)


def copy_of(row: ModelT) -> ModelT:
    """Return a copy of ``row`` for other values of its columns. Related rows are shared.

    ``copy.copy`` takes the way over what a model is pickled as, which takes many times as long.
    """
    state = ModelState()
    state.adding, state.db = row._state.adding, row._state.db
    state.fields_cache = row._state.fields_cache.copy()
    return _row(type(row), vars(row), state)


def _row(model: type[ModelT], columns: Mapping[str, Any], state: ModelState) -> ModelT:
    row = model.__new__(model)
    vars(row).update(columns, _state=state)
    return row


@cache
def _defaults(
    model: type[models.Model],
) -> tuple[dict[str, Any], tuple[tuple[str, Callable[[], Any]], ...]]:
    """Return the defaults that are values, and what makes each of the others, by attribute name."""
    constants, factories = {}, []
    for field in model._meta.concrete_fields:
        if field.has_default() and callable(field.default):
            factories.append((field.attname, field.default))
        else:
            constants[field.attname] = field.get_default()
    return constants, tuple(factories)
