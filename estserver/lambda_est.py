"""The device side's entry point on Lambda.

A lean one in place of Zappa's own, whose handler also runs any code that a holder of InvokeFunction
sends it (``raw_command``). Zappa still packages and deploys.
"""

import gc
import os

# Imports make objects that stay, tens of thousands; collecting among them takes a seventh of a
# cold start and finds nothing. Frozen, they aren't looked at again by later collections either.
gc.disable()

from apig_wsgi import make_lambda_handler  # noqa: E402
from django.db import connection  # noqa: E402
from django.urls import get_resolver  # noqa: E402

from estserver.checks import refuse_unsafe_settings  # noqa: E402
from estserver.est.application import make_application  # noqa: E402
from estserver.est.lazy_view import find_view  # noqa: E402

application = make_application()
refuse_unsafe_settings()
_ = get_resolver().url_patterns, connection.vendor  # the views, and the database's driver

if os.environ.get("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand") != "on-demand":
    # Nobody is waiting (provisioned concurrency, SnapStart): load what signs as well.
    # https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html
    find_view("estserver.est.enrollment_views.SimpleEnrollView")

# Bodies are base64 in real events, and whatever isn't text goes back as base64 (binary support);
# API Gateway undoes both.
handler = make_lambda_handler(application, binary_support=True)

gc.freeze()
gc.enable()
