"""The rows that a list's filters and search leave, for a page and for a command."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from django.contrib import admin
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import SEARCH_VAR
from django.contrib.auth.models import User
from django.db.models import Model, QuerySet
from django.http import HttpRequest, QueryDict

from pki.operators.errors import OperatorError


def rows_of_list(model_admin: Any, request: HttpRequest) -> QuerySet[Any]:
    """Return all rows of the list that ``request`` filters, not those of one page alone.

    Raises ``OperatorError`` for a filter that the list does not have, and for a value that the
    filter does not take.
    """
    try:
        changelist = model_admin.get_changelist_instance(request)
    except IncorrectLookupParameters as error:
        raise OperatorError("The list has no such filter. Copy the list's address.") from error
    problems = [getattr(one, "problem", "") for one in changelist.filter_specs]
    if any(problems):
        raise OperatorError(" ".join(filter(None, problems)))
    rows: QuerySet[Any] = changelist.queryset
    return rows


def rows_of_address(model: type[Model], address: str) -> QuerySet[Any]:
    """Return all rows of the list with this address, or what stands in it after the ``?``.

    A command calls it, whose person has every right. So both ask the same filters. Raises
    ``OperatorError`` for an address without a filter, or with one that the list does not have.
    """
    query = QueryDict(urlsplit(address).query if "?" in address else address)
    if not is_filtered(_request(query)):
        raise OperatorError(
            f"{address!r} has no filter. Filter the list in the web admin, and copy its address."
        )
    return rows_of_query(model, query.urlencode(), {})


def rows_of_query(model: type[Model], query: str, more: Mapping[str, str]) -> QuerySet[Any]:
    """Return the rows of the list with this query and ``more`` parameters, or all without any.

    Raises ``OperatorError`` as ``rows_of_address`` does.
    """
    asked = QueryDict(query.rpartition("?")[2], mutable=True)
    asked.update(more)
    request = _request(asked)
    model_admin = admin.site._registry[model]
    known = {*_parameters(model_admin, request), SEARCH_VAR}
    unknown = sorted({*request.GET} - known)
    if unknown:
        raise OperatorError(
            f"{unknown[0]!r} is not a filter of the list. Use: {', '.join(sorted(known))}."
        )
    return rows_of_list(model_admin, request)


def _request(query: QueryDict) -> HttpRequest:
    """Return a GET of the list by a person who may see everything."""
    request = HttpRequest()
    request.method = "GET"
    request.GET = query  # type: ignore[assignment]  # it may be one that can be changed
    request.user = User(username="command", is_superuser=True, is_active=True)
    return request


def is_filtered(request: HttpRequest) -> bool:
    """Return whether ``request`` filters or searches the list at all."""
    return any(value for values in request.GET.lists() for value in values[1])


def _parameters(model_admin: Any, request: HttpRequest) -> set[str]:
    """Return the parameters of the list's filters."""
    changelist = model_admin.get_changelist_instance(_without_filter(request))
    return {
        name for each in changelist.get_filters(request)[0] for name in each.expected_parameters()
    }


def _without_filter(request: HttpRequest) -> HttpRequest:
    bare = HttpRequest()
    bare.method, bare.user = "GET", request.user
    return bare
