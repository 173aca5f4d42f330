"""What the kernel is told of a connection to PostgreSQL."""

import socket
from pathlib import Path

import pytest
from django.db import ConnectionHandler

from estserver.config.database import database_settings

pytestmark = pytest.mark.postgresql

MILLISECONDS = 1000


def test_T29_a_database_that_is_gone_without_a_word_is_given_up(postgresql):
    """Its machine may have lost power, or a firewall may drop what it says."""
    settings = database_settings(postgresql.url(), data_dir=Path())
    backend = ConnectionHandler({"default": settings})["default"]
    connection = backend.get_new_connection(backend.get_connection_params())
    try:
        with socket.socket(fileno=connection.fileno()) as own:

            def option(name):
                return own.getsockopt(socket.IPPROTO_TCP, getattr(socket, name))

            asks = own.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
            silent = option("TCP_KEEPIDLE") + option("TCP_KEEPINTVL") * option("TCP_KEEPCNT")
            unacknowledged = option("TCP_USER_TIMEOUT")
            own.detach()
    finally:
        connection.close()

    assert asks
    assert silent <= 25
    assert 0 < unacknowledged <= 20 * MILLISECONDS
