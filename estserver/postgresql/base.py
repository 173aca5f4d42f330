"""The backend's connections: the server is verified, and IAM's token is the password if asked."""

from typing import Any

from django.db import OperationalError
from django.db.backends.postgresql import base as postgresql
from django.views.decorators.debug import sensitive_variables

from estserver.config.database import IAM_LOGIN
from estserver.postgresql.iam_login import login_token
from estserver.postgresql.tls import explained, tls_options
from pki.operators.errors import OperatorError


class DatabaseWrapper(postgresql.DatabaseWrapper):
    """Django's PostgreSQL, with TLS that verifies the server, and with IAM's logins."""

    @sensitive_variables()
    def get_connection_params(self) -> dict[str, Any]:
        """Return the parameters that psycopg connects with.

        Raises ``OperationalError`` when there are no credentials to make a token with. Devices are
        then asked to come again, as for a database that is out of reach.
        """
        params: dict[str, Any] = super().get_connection_params()
        params |= tls_options(params.get("host", ""), params)
        if self.settings_dict.get(IAM_LOGIN):
            try:
                params["password"] = login_token(
                    params["host"], int(params.get("port") or 5432), params["user"]
                )
            except OperatorError as error:
                raise OperationalError(str(error)) from error
        return params

    @sensitive_variables()
    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        """Connect. Raises ``OperationalError``, with what to do when the server is not trusted."""
        try:
            return super().get_new_connection(conn_params)
        except self.Database.OperationalError as error:
            if sentence := explained(conn_params.get("host", ""), str(error)):
                raise OperationalError(sentence) from error
            raise
