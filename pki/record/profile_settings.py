"""Read a profile's settings as an operator types them: ``validity_days=90``."""

import difflib
import json
from collections.abc import Iterable
from typing import Any

from django.db import models

from pki.models import CertificateProfile
from pki.operators.errors import OperatorError
from pki.record.find import find_authority

_FIXED = frozenset({"id", "name", "version", "active_label", "created_at"})

_TRUTH = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}

_NO_VALUE = frozenset({"", "none", "null"})


def parse_settings(assignments: Iterable[str]) -> dict[str, Any]:
    """Return the changes that ``key=value`` texts ask for, by field name.

    Raises ``OperatorError`` for an unknown setting, or a value of another type. Whether settings
    fit each other, ``pki.record.profile_versions`` checks.
    """
    changes: dict[str, Any] = {}
    for assignment in assignments:
        key, separator, text = assignment.partition("=")
        if not separator:
            raise OperatorError(f"{assignment!r} is not of the form key=value.")
        if key in changes:
            raise OperatorError(f"{key} is given twice. Give it once.")
        changes[key] = _value(_field(key), text)
    return changes


def _field(key: str) -> "models.Field[Any, Any]":
    fields = {
        field.name: field
        for field in CertificateProfile._meta.concrete_fields
        if field.name not in _FIXED
    }
    if key not in fields:
        near = difflib.get_close_matches(key, fields, n=1)
        advice = f"Did you mean {near[0]}?" if near else f"Known settings: {', '.join(fields)}."
        raise OperatorError(f"A profile has no setting {key!r}. {advice}")
    return fields[key]


def _value(field: "models.Field[Any, Any]", text: str) -> Any:
    """Return ``text`` as a value of the field's type. Raises ``OperatorError``."""
    if field.name == "ca":
        return find_authority(text)
    if isinstance(field, models.BooleanField):
        if text.lower() not in _TRUTH:
            raise OperatorError(f"{field.name}: found {text!r}, wanted true or false.")
        return _TRUTH[text.lower()]
    if field.null and text.lower() in _NO_VALUE:
        return None
    if isinstance(field, models.PositiveIntegerField):
        if not (text.isascii() and text.isdecimal()):
            raise OperatorError(f"{field.name}: found {text!r}, wanted a whole number.")
        return int(text)
    if isinstance(field, models.JSONField):
        return _list(field.name, text)
    known = [str(value) for value, _ in field.flatchoices]
    if known and text not in known:
        raise OperatorError(f"{field.name}: found {text!r}, wanted one of {', '.join(known)}.")
    return text


def _list(name: str, text: str) -> list[Any]:
    if not text.lstrip().startswith(("[", "{", '"')):
        return [word.strip() for word in text.split(",") if word.strip()]
    try:
        value = json.loads(text)
    except ValueError as error:
        raise OperatorError(f"{name}: found {text!r}, which is not JSON: {error}.") from error
    if not isinstance(value, list):
        raise OperatorError(f"{name}: found {text!r}, wanted a list.")
    return value
