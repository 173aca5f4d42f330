"""Schemathesis in process: calls that the OpenAPI file allows and forbids, and what they get."""

import random
from contextlib import contextmanager, suppress

import schemathesis
from django.core.handlers.wsgi import WSGIHandler
from django.core.signals import request_finished, request_started
from django.db import close_old_connections
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.errors import Unsatisfiable
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.estserver.api import openapi

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
MODES = (schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE)


@contextmanager
def application():
    """The admin's WSGI application, which leaves the test's connection open."""
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    try:
        yield WSGIHandler()
    finally:
        for signal in (request_started, request_finished):
            signal.connect(close_old_connections)


def ask_all(headers, *, examples, number=0, values=None):
    """Ask each operation, with so many examples of each mode; return statuses and failures.

    ``values`` are path parameters that lead to rows on record, by name. Half of the examples that
    the file allows have them.
    """
    statuses, failures = {}, []
    with application() as app:
        api = schemathesis.openapi.from_dict(openapi._plain(openapi.schema()))
        api.app = app
        for result in api.get_all_operations():
            operation = result.ok()
            for mode in MODES:
                ask(operation, mode, headers, examples, number, values or {}, statuses, failures)
    return statuses, failures


def ask(operation, mode, headers, examples, number, values, statuses, failures):
    """Ask one operation."""

    @seed(number)
    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def one(case):
        known = {name: values[name] for name in case.path_parameters or {} if name in values}
        if known and random.Random(repr(case.body)).random() < 0.5:
            case.path_parameters = {**case.path_parameters, **known}
        answer = case.call(headers=headers)
        key = f"{operation.method.upper()} {operation.path}"
        statuses.setdefault(key, set()).add(answer.status_code)
        try:
            case.validate_response(answer, checks=CHECKS)
        except FailureGroup as found:
            said = "; ".join(str(each) for each in found.exceptions)
            failures.append(
                f"{key} {mode} {answer.status_code}: {said[:600]}\n{case.as_curl_command()[:400]}"
            )
        except AssertionError as found:
            failures.append(f"{key} {answer.status_code}: {found}")

    with suppress(Unsatisfiable):  # no request of this kind fits the file
        one()
