"""The device side's entry point on Lambda.

A lean one in place of Zappa's own, whose handler also runs any code that a holder of
InvokeFunction sends it (``raw_command``). Zappa still packages and deploys.

Everything that a request needs is loaded here, in the init phase, in which Lambda grants a whole
processor whatever the function's memory.
"""

import gc

# Imports make objects that stay, tens of thousands; collecting among them takes a seventh of a
# cold start and finds nothing. Frozen, they aren't looked at again by later collections either.
gc.disable()

from apig_wsgi import make_lambda_handler  # noqa: E402
from django.urls import get_resolver  # noqa: E402

from estserver.checks import refuse_unsafe_settings  # noqa: E402
from estserver.wsgi_est import application  # noqa: E402

refuse_unsafe_settings()
_ = get_resolver().url_patterns

# Bodies are base64 in real events, and whatever isn't text goes back as base64 (binary support);
# API Gateway undoes both.
handler = make_lambda_handler(application, binary_support=True)

gc.freeze()
gc.enable()
