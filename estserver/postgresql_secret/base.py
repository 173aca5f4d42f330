"""The backend's connections. Each reads the secret again, so a rotated password is found."""

from typing import Any

from django.db import DEFAULT_DB_ALIAS, OperationalError
from django.views.decorators.debug import sensitive_variables

from estserver.config import ConfigError
from estserver.config.database import SECRET_NAME
from estserver.postgresql import base as postgresql
from estserver.postgresql_secret.content import with_secret
from pki.aws.secrets import use_secret
from pki.operators.errors import OperatorError


class DatabaseWrapper(postgresql.DatabaseWrapper):
    """PostgreSQL, whose server is verified, with the secret's host, database, user, password."""

    def __init__(self, settings_dict: dict[str, Any], alias: str = DEFAULT_DB_ALIAS) -> None:
        super().__init__(settings_dict, alias)
        self._configured = settings_dict

    @sensitive_variables()
    def get_connection_params(self) -> dict[str, Any]:
        """Return the parameters that psycopg connects with.

        Raises ``OperationalError``, as for a database that is out of reach: devices are asked to
        come again, and the log has the sentence.
        """
        name = self._configured[SECRET_NAME]
        try:
            self.settings_dict = with_secret(self._configured, name, _content(name))
        except (OperatorError, ConfigError) as error:
            raise OperationalError(str(error)) from error
        params: dict[str, Any] = super().get_connection_params()
        return params


@sensitive_variables()
def _content(name: str) -> bytes:
    value = use_secret(name)
    if value is None:
        raise OperatorError(
            f"There is no secret {name}, or it is empty. Correct databaseSecretName, or create "
            "the secret in the functions' region."
        )
    return value.content
