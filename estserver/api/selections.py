"""The rows that the filters of a list leave: those of the console's lists, one by one.

The console's classes decide what a filter means, and how much of a fleet it looks at.
"""

from collections.abc import Mapping
from typing import Any

from django.contrib import admin
from django.core.exceptions import ValidationError as DjangoValidationError
from django.db.models import Model, Q, QuerySet
from django.http import HttpRequest
from rest_framework.exceptions import ValidationError

from estserver.api.keyset import NEWEST_FIRST, Order, Selection
from pki.admin import certificate_filters as of_certificates
from pki.admin.audit import ActorFilter, EventFilter, KindFilter
from pki.admin.denylist import InForceFilter
from pki.admin.filters import ChoiceFilter, TypedFilter, days
from pki.models import AuditEvent, DenylistEntry, IssuedCertificate
from pki.operators.errors import OperatorError
from pki.record.find import find_authority
from pki.search.terms import Term

Filters = Mapping[str, Any]

_CERTIFICATE_CHOICES: Mapping[str, type[ChoiceFilter]] = {
    "made": of_certificates.MadeFilter,  # first, as in the list
    "status": of_certificates.StatusFilter,
    "operation": of_certificates.OperationFilter,
    "ca": of_certificates.CAFilter,
    "profile": of_certificates.ProfileFilter,
    "label": of_certificates.LabelFilter,
}


def certificates(filters: Filters) -> Selection:
    """Return the certificates that the filters leave. Raises ``ValidationError``."""
    every: QuerySet[Any] = IssuedCertificate.objects.select_related("ca", "profile")
    rows = every.defer("der", "csr_der")
    order = NEWEST_FIRST
    asked = dict(filters)
    if asked.get("ca"):
        asked["ca"] = _key_of_ca(asked["ca"])
    for name, kind in _CERTIFICATE_CHOICES.items():
        if value := asked.get(name):
            rows, own = _chosen(kind, name, str(value), rows)
            order = own or order
    if asked.get("ends_from") or asked.get("ends_to"):
        rows = rows.filter(_ends(asked))
        order = Order("not_after", is_descending=False)
    rows = _typed(of_certificates.RequestFilter, asked, rows)
    rows, is_searched = _searched(IssuedCertificate, asked, rows)
    return Selection(rows, order, is_found_first=is_searched or bool(asked.get("client")))


def denylist_entries(filters: Filters) -> Selection:
    """Return the entries of the denylist that the filters leave. Raises ``ValidationError``."""
    rows: QuerySet[Any] = DenylistEntry.objects.on_list().select_related("batch")
    if filters.get("in_force") is not None:
        value = "yes" if filters["in_force"] else "no"
        rows, _ = _chosen(InForceFilter, "in_force", value, rows)
    if filters.get("kind"):
        rows = rows.filter(kind=filters["kind"])
    rows, is_searched = _searched(DenylistEntry, filters, rows)
    return Selection(rows, is_found_first=is_searched)


def audit_events(filters: Filters) -> Selection:
    """Return the events of the audit trail that the filters leave. Raises ``ValidationError``."""
    rows: QuerySet[Any] = AuditEvent.objects.all()
    for name, kind in (("kind", KindFilter), ("who", ActorFilter)):
        if value := filters.get(name):
            rows, _ = _chosen(kind, name, str(value), rows)
    typed = {name: str(value) for name, value in filters.items() if value}
    rows = _typed(EventFilter, typed, rows)
    rows, is_searched = _searched(AuditEvent, filters, rows)
    in_newest = any(filters.get(name) for name in ("reason", "address", "actor"))
    return Selection(rows, Order("at"), is_found_first=is_searched or in_newest)


def _chosen(
    kind: type[ChoiceFilter], name: str, value: str, rows: QuerySet[Any]
) -> tuple[QuerySet[Any], Order | None]:
    """Return the rows of a named condition, and the order in which an index finds them."""
    request, model_admin = HttpRequest(), admin.site._registry[rows.model]
    parameters: dict[str, Any] = {str(kind.parameter_name): [value]}
    one = kind(request, parameters, rows.model, model_admin)
    found = one.queryset(request, rows)
    if one.problem:
        raise ValidationError({name: one.problem.replace(str(kind.parameter_name), name)})
    return found, Order.of(one.order[0]) if one.order else None


def _typed(kind: type[TypedFilter], filters: Filters, rows: QuerySet[Any]) -> QuerySet[Any]:
    """Return the rows of a filter in which a person types values."""
    names = [name for name, _, _ in kind.inputs]
    given = {name: [str(filters[name])] for name in names if filters.get(name)}
    if not given:
        return rows
    one = kind(HttpRequest(), dict(given), rows.model, admin.site._registry[rows.model])
    try:
        return rows.filter(one.condition())
    except DjangoValidationError as error:
        raise ValidationError({next(iter(given)): error.messages}) from error


def _searched(
    model: type[Model], filters: Filters, rows: QuerySet[Any]
) -> tuple[QuerySet[Any], bool]:
    """Return the rows of the search term, and whether there is one."""
    term = Term.parse(str(filters.get("q") or ""))
    if not term.text:
        return rows, False
    model_admin: Any = admin.site._registry[model]
    return rows.filter(model_admin.search_condition(term)), True


def _ends(filters: Filters) -> Q:
    first, last = filters.get("ends_from"), filters.get("ends_to")
    try:
        return days("not_after", str(first or ""), str(last or ""))
    except DjangoValidationError as error:
        raise ValidationError({"ends_to": error.messages}) from error


def _key_of_ca(name: str) -> str:
    try:
        return str(find_authority(name).pk)
    except OperatorError as error:
        raise ValidationError({"ca": str(error)}) from error
