"""The device side's entry point on Lambda.

A lean one in place of Zappa's own, whose handler also runs any code that a holder of
InvokeFunction sends it (``raw_command``). Zappa still packages and deploys.
"""

from apig_wsgi import make_lambda_handler

from estserver.wsgi_est import application

# Bodies are base64 in real events, and whatever isn't text goes back as base64 (binary support);
# API Gateway undoes both.
handler = make_lambda_handler(application, binary_support=True)
