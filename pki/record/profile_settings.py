"""A profile's settings as an operator types them: ``validity_days=90``."""

import difflib
import json
from collections.abc import Iterable
from typing import Any

from django.db import models
from django.db.models import Q

from pki.authorities.lifecycle import find_authority
from pki.models import CertificateProfile
from pki.operators.errors import OperatorError

_FIXED = frozenset({"id", "name", "version", "active_label", "created_at"})

_TRUTH = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}


def find_profile(name: str) -> CertificateProfile:
    """The profile in force with that name or label; raises ``OperatorError`` if there is none."""
    in_force = CertificateProfile.objects.exclude(active_label=None).select_related("ca")
    # A label says more: it is what devices use.
    found = list(in_force.filter(Q(label=name) | Q(name=name)))
    found.sort(key=lambda profile: profile.label != name)
    if not found:
        known = ", ".join(in_force.values_list("name", flat=True)) or "none yet"
        raise OperatorError(f"there is no profile {name!r}; there are: {known}")
    return found[0]


def parse_settings(assignments: Iterable[str]) -> dict[str, Any]:
    """The changes that ``key=value`` texts ask for, by field name.

    Raises ``OperatorError`` for what isn't a setting or a value of its type; whether the settings
    fit each other is ``pki.record.profile_versions``' to say.
    """
    changes: dict[str, Any] = {}
    for assignment in assignments:
        key, separator, text = assignment.partition("=")
        if not separator:
            raise OperatorError(f"{assignment!r} isn't key=value")
        if key in changes:
            raise OperatorError(f"{key} is there twice")
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
        advice = f"did you mean {near[0]}?" if near else f"known: {', '.join(fields)}"
        raise OperatorError(f"a profile has no setting {key!r}; {advice}")
    return fields[key]


def _value(field: "models.Field[Any, Any]", text: str) -> Any:
    """``text`` as a value of the field's type."""
    if field.name == "ca":
        return find_authority(text)
    if isinstance(field, models.BooleanField):
        if text.lower() not in _TRUTH:
            raise OperatorError(f"{field.name}: found {text!r}, wanted true or false")
        return _TRUTH[text.lower()]
    if isinstance(field, models.PositiveIntegerField):
        if not (text.isascii() and text.isdecimal()):
            raise OperatorError(f"{field.name}: found {text!r}, wanted a whole number")
        return int(text)
    if isinstance(field, models.JSONField):
        return _list(field.name, text)
    known = [str(value) for value, _ in field.flatchoices]
    if known and text not in known:
        raise OperatorError(f"{field.name}: found {text!r}, wanted one of {', '.join(known)}")
    return text


def _list(name: str, text: str) -> list[Any]:
    if not text.lstrip().startswith(("[", "{", '"')):
        return [word.strip() for word in text.split(",") if word.strip()]
    try:
        value = json.loads(text)
    except ValueError as error:
        raise OperatorError(f"{name}: found {text!r}, which isn't JSON: {error}") from error
    if not isinstance(value, list):
        raise OperatorError(f"{name}: found {text!r}, wanted a list")
    return value
