"""The device side's entry point on Lambda, in place of Zappa's handler.

Zappa's handler would also run any code that a holder of InvokeFunction sends (``raw_command``).
Zappa still packages and deploys this function.
"""

import gc
import os

# Imports make tens of thousands of objects that stay. Collecting garbage among them would make the
# cold start longer and find none. gc.freeze() below spares later collections the same search.
gc.disable()

from estserver.functions.stubbed_imports import stub_imports  # noqa: E402

UNUSED = (
    "django.core.cache",
    "django.core.mail",
    "django.core.management",
    "django.core.serializers",
    "django.forms",
    "django.template",
    "django.templatetags",
    "django.views.debug",
    *(f"django.views.generic.{kind}" for kind in ("dates", "detail", "edit", "list")),
    "html.parser",
    "logging.config",
    "sqlparse",
)
"""Modules that Django imports and that no request of a device needs."""

with stub_imports(*UNUSED):
    from typing import Any
    from urllib.parse import quote

    from apig_wsgi import make_lambda_handler
    from django.db import connection
    from django.urls import get_resolver

    from estserver.checks import refuse_unsafe_settings
    from estserver.est.application import make_application
    from estserver.est.lazy_view import find_view

    application = make_application()
    refuse_unsafe_settings()
    _ = get_resolver().url_patterns, connection.vendor  # the views, and the database's driver

    if os.environ.get("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand") != "on-demand":
        # No client waits for this start (provisioned concurrency, SnapStart), so load the signing
        # code as well.
        # https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html
        find_view("estserver.est.enrollment_views.SimpleEnrollView")

# Real events have bodies in base64, and answers that are not text go back in base64 (binary
# support). API Gateway decodes both.
_answer = make_lambda_handler(application, binary_support=True)


def handler(event: dict[str, Any], context: Any) -> Any:
    """Answer one of API Gateway's events, REST or HTTP API."""
    # REST API events have "path", and HTTP API events have "rawPath".
    for name in ("path", "rawPath"):
        path = event.get(name) or ""
        if not path.isascii():
            # The path is decoded already, and WSGI needs bytes. Without this, a path that is not
            # ASCII would raise instead of answering 404.
            event = {**event, name: quote(path, safe="/%", errors="replace")}
    return _answer(event, context)


gc.freeze()
gc.enable()
