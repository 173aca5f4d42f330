"""The way into a cluster: TLS, the token, the database role, PostgreSQL's side of the session."""

import socket
import ssl
import struct
from contextlib import suppress
from urllib.parse import unquote, urlsplit

import psycopg

from tests.support.dsql import wire
from tests.support.dsql.cluster_state import ClusterState
from tests.support.dsql.login import ADMIN, check_token, denied
from tests.support.dsql.refusals import ROLES, SQL_FEATURES, Refusal
from tests.support.dsql.session import SERVER_GONE, Session
from tests.support.dsql.session_rules import check_parameter
from tests.support.dsql.wire import Channel, Closed, Message
from tests.support.postgresql import PostgreSQLServer

LOCK_TIMEOUT = 50
"""Milliseconds that a statement waits for a row which another transaction has written."""

_ASK_PASSWORD = Message(b"R", struct.pack("!I", 3))
_LOGGED_IN = Message(b"R", struct.pack("!I", 0))
_NO_TLS = Refusal("SSL connection is required", SQL_FEATURES, "28000")
_OF_LIBPQ = {"user", "database", "options", "replication"}


class Door:
    """Lets clients in."""

    def __init__(
        self,
        server: PostgreSQLServer,
        state: ClusterState,
        context: ssl.SSLContext,
        host: str,
        region: str,
    ) -> None:
        """Stand before ``server``, as the endpoint ``host`` in ``region``."""
        self._server = server
        self._state = state
        self._context = context
        self._host = host
        self._region = region

    def let_in(self, connection: socket.socket) -> Session | None:
        """Return the session of a new connection, or None if it ended before it was one."""
        try:
            client = self._client(connection)
            if client is None:
                return None
        except (Closed, OSError):  # ssl.SSLError is an OSError
            connection.close()
            return None
        try:
            session = self._session(client)
        except (Closed, OSError, psycopg.Error):
            with suppress(Closed):
                client.send(wire.error(SERVER_GONE, severity="FATAL"))
            session = None
        if session is None:
            client.close()
        return session

    def _client(self, connection: socket.socket) -> Channel | None:
        """Return the client's side with TLS, or None if it asked for something else."""
        plain = Channel(connection)
        code, body = plain.receive_startup()
        while code == wire.GSS_REQUEST:
            plain.send_raw(b"N")
            code, body = plain.receive_startup()
        if code == wire.CANCEL_REQUEST:
            self._cancel(body)
            plain.close()
            return None
        if code != wire.SSL_REQUEST:
            plain.send(wire.error(_NO_TLS, severity="FATAL"))
            plain.close()
            return None
        plain.send_raw(b"S")
        return Channel(self._context.wrap_socket(connection, server_side=True))

    def _session(self, client: Channel) -> Session | None:
        """Return the session of a client that may log in, or None after a refusal."""
        # Step 1: who is it?
        code, body = client.receive_startup()
        if code == wire.CANCEL_REQUEST:
            self._cancel(body)
            client.say_goodbye()
            return None
        parameters = wire.startup_parameters(body)
        user = parameters.get("user", "")
        try:
            _check_startup(parameters)
            client.send(_ASK_PASSWORD)
            token = client.receive().strings(1)[0]
            self._check_login(user, token)
        except Refusal as refusal:
            self._state.note_refusal(f"login as {user}", refusal)
            client.send(wire.error(refusal, severity="FATAL"))
            return None

        # Step 2: PostgreSQL's side of it, as the database role.
        server, greetings = self._backend(parameters)
        client.send(_LOGGED_IN, *greetings)
        return Session(client, server, self._state, user)

    def _check_login(self, user: str, token: str) -> None:
        principal = check_token(
            token,
            user,
            host=self._host,
            region=self._region,
            principals=self._state.principals,
        )
        if not self._state.has_role(user):
            raise denied(f'the role "{user}" does not exist or may not log in', ROLES)
        if user != ADMIN and (user, principal.arn) not in self._state.grants:
            raise denied(f"AWS IAM GRANT {user} TO '{principal.arn}' was not run", ROLES)

    def _backend(self, parameters: dict[str, str]) -> tuple[Channel, list[Message]]:
        """Return PostgreSQL's side, and what it says to a client that has logged in."""
        address = urlsplit(self._server.url())
        connection = socket.create_connection(("127.0.0.1", self._server.port))
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        server = Channel(connection)
        options = (
            f"{parameters.get('options', '')} -c default_transaction_isolation=repeatable\\ read "
            f"-c lock_timeout={LOCK_TIMEOUT}ms -c timezone=UTC -c statement_timeout=60s"
        )
        rest = {name: value for name, value in parameters.items() if name not in _OF_LIBPQ}
        server.send_raw(
            wire.startup(
                **rest,
                user=address.username or "",
                database=parameters.get("database", ""),
                options=options.strip(),
            )
        )
        for message in server.until(b"R", b"E"):
            if message.type == b"E":
                raise Closed
        password = unquote(address.password or "").encode()
        server.send(Message(b"p", password + b"\0"))
        greetings = []
        for message in server.until(b"Z", b"E"):
            if message.type == b"E":
                raise Closed
            if message.type in {b"S", b"K"}:
                greetings.append(message)
        role = parameters["user"].replace('"', '""')
        server.send(wire.query(f'SET SESSION AUTHORIZATION "{role}"'))
        greetings += [message for message in server.until(b"Z") if message.type in {b"S", b"Z"}]
        return server, greetings

    def _cancel(self, body: bytes) -> None:
        """Hand a cancel request on to PostgreSQL, whose keys the client was given."""
        with suppress(OSError), socket.create_connection(("127.0.0.1", self._server.port)) as to:
            packet = struct.pack("!II", 8 + len(body), wire.CANCEL_REQUEST) + body
            to.sendall(packet)
            to.recv(1)  # PostgreSQL closes when it has done it


def _check_startup(parameters: dict[str, str]) -> None:
    """Raise Refusal for a database or a parameter that a cluster does not have."""
    if parameters.get("database", parameters.get("user", "")) != "postgres":
        raise Refusal(
            f'database "{parameters.get("database")}" does not exist', SQL_FEATURES, "3D000"
        )
    if "replication" in parameters:
        raise Refusal("replication is not supported", SQL_FEATURES)
    for name in parameters.keys() - _OF_LIBPQ:
        check_parameter(name)
    for name in _names_in_options(parameters.get("options", "")):
        check_parameter(name)


def _names_in_options(options: str) -> list[str]:
    """Return what ``options`` sets: ``-c name=value``, ``-cname=value``, ``--name=value``."""
    names, words = [], options.split()
    while words:
        word = words.pop(0)
        if word == "-c" and words:
            word = words.pop(0)
        name, has_value, _ = word.removeprefix("-c").removeprefix("--").partition("=")
        if has_value:
            names.append(name.replace("-", "_"))
    return names
