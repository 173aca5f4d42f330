"""The device side's entry point on Lambda.

A lean one in place of Zappa's own, whose handler also runs any code that a holder of InvokeFunction
sends it (``raw_command``). Zappa still packages and deploys.
"""

import gc
import os

# Imports make objects that stay, tens of thousands; collecting among them takes a seventh of a
# cold start and finds nothing. Frozen, they aren't looked at again by later collections either.
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
"""What a request of a device never needs, and Django imports."""

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
        # Nobody is waiting (provisioned concurrency, SnapStart): load what signs as well.
        # https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html
        find_view("estserver.est.enrollment_views.SimpleEnrollView")

# Bodies are base64 in real events, and whatever isn't text goes back as base64 (binary support);
# API Gateway undoes both.
_answer = make_lambda_handler(application, binary_support=True)


def handler(event: dict[str, Any], context: Any) -> Any:
    """Answer one of API Gateway's events, REST or HTTP API."""
    path = event.get("path", "")
    if not path.isascii():
        # Decoded already, while WSGI wants bytes: without this it is an exception, not a 404.
        event = {**event, "path": quote(path, safe="/%", errors="replace")}
    return _answer(event, context)


gc.freeze()
gc.enable()
