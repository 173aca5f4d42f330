"""The EST door for many threads at once: what ESTClient does, set up once and not per request."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Barrier

from apig_wsgi import make_lambda_handler
from django.core.handlers.wsgi import WSGIHandler
from django.db import connection, connections
from django.test import override_settings

from estserver.est.chunked import accept_chunked_bodies
from estserver.settings import est
from tests.support.est_client import ESTClient
from tests.support.transports import response_of

IS_POSTGRESQL = connection.vendor == "postgresql"


@dataclass(frozen=True)
class Device(ESTClient):
    """An EST client that threads may share, while `est_side` holds."""

    def request(self, method, url, body=b"", headers=None, *, is_base64=True):
        """Send one request through a handler of its own, with Django's care for connections."""
        handler = make_lambda_handler(accept_chunked_bodies(WSGIHandler()), binary_support=True)
        event = self.event(method, url, body, headers, is_base64=is_base64)
        return response_of(handler(event, None))


@contextmanager
def est_side():
    """The settings of the device side: one for the process, threads can't each set them."""
    with override_settings(
        ROOT_URLCONF=est.ROOT_URLCONF,
        MIDDLEWARE=est.MIDDLEWARE,
        APPEND_SLASH=est.APPEND_SLASH,
        DATA_UPLOAD_MAX_MEMORY_SIZE=est.DATA_UPLOAD_MAX_MEMORY_SIZE,
    ):
        yield


class Crew:
    """Threads that stay, each with its database connection, to do things at the same moment."""

    def __init__(self, size):
        self._barrier = Barrier(size)
        self._pool = ThreadPoolExecutor(size)

    def __enter__(self):
        return self

    def __exit__(self, *_error):
        # The barrier lets no thread take two of these.
        self.at_once(*[connections.close_all] * self._barrier.parties)
        self._pool.shutdown()

    def at_once(self, *tasks):
        """Run each task in a thread of its own, all from the same moment; returns their results."""

        def run(task):
            self._barrier.wait(timeout=30)
            return task()

        return [future.result(timeout=120) for future in [self._pool.submit(run, t) for t in tasks]]


def at_once(*tasks):
    """Run each task in a new thread, all from the same moment; returns their results."""
    with Crew(len(tasks)) as crew:
        return crew.at_once(*tasks)


def until_answered(send, *, tries=10):
    """What a device does with 503: ask again. Returns the first other answer."""
    for _ in range(tries):
        response = send()
        if response.status_code != 503:
            return response
    raise AssertionError(f"still 503 after {tries} tries: {response.text}")
