"""The contents of secrets in the memory of a process, refreshed when a secret has a new version."""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Generic, TypeVar

from pki.aws.clients import DEFAULT_LOCATION, READ_TIMEOUT, AWSLocation
from pki.aws.secrets import SecretValue, use_secret, version_in_use
from pki.operators.errors import OperatorError, RemoteFailure

logger = logging.getLogger(__name__)

REFRESH_SECONDS = 300
"""How long a secret is used before its version is looked up again."""

_LOOK_UP_SECONDS = 2
"""How long a request waits for the look-up. Without an answer it uses the version in memory."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _CachedSecret(Generic[T]):
    """What a secret was parsed to, and when its version was last looked up."""

    content: T = field(repr=False)
    version_id: str
    looked_up_at: float


class SecretCache(Generic[T]):
    """The contents of secrets, parsed once per process, and again when a secret's version changes.

    Threads may share it. After ``refresh_seconds`` one of them looks up the version, while the
    others use the version in memory.
    """

    def __init__(
        self,
        parse: Callable[[str, SecretValue | None, bool], T],
        place: AWSLocation = DEFAULT_LOCATION,
        refresh_seconds: float = REFRESH_SECONDS,
    ) -> None:
        """``parse`` takes the name, the value, and whether it is the first of this process."""
        self._parse = parse
        self._place = place
        self._refresh_seconds = refresh_seconds
        self._cached: dict[str, _CachedSecret[T]] = {}
        self._failed: dict[str, tuple[float, OperatorError]] = {}
        self._fetching = threading.Lock()
        self._looking_up = threading.Lock()

    def get(self, name: str) -> T:
        """Return what the secret holds.

        Raises what ``read_secret`` and the parser raise. While AWS cannot be reached, the version
        in memory is used. If AWS answers that the secret is gone, it is not.
        """
        cached = self._cached.get(name)
        if cached is None:
            return self._fetch_first(name).content
        if time.monotonic() - cached.looked_up_at >= self._refresh_seconds:
            return self._look_up_again(name, cached).content
        return cached.content

    def _fetch_first(self, name: str) -> _CachedSecret[T]:
        asked_at = time.monotonic()
        with self._fetching:
            if name in self._cached:
                return self._cached[name]
            failed_at, failure = self._failed.get(name, (asked_at, None))
            if failure is not None and failed_at >= asked_at:
                raise failure  # this thread waited for the attempt of another, which failed
            try:
                cached = self._fetch(name, is_first=True, read_timeout=READ_TIMEOUT)
            except OperatorError as error:
                self._failed[name] = time.monotonic(), error
                raise
            self._cached[name] = cached
            return cached

    def _look_up_again(self, name: str, cached: _CachedSecret[T]) -> _CachedSecret[T]:
        if not self._looking_up.acquire(blocking=False):
            return cached
        try:
            if self._cached.get(name) is not cached:  # another thread has fetched it meanwhile
                return self._cached.get(name, cached)
            try:
                version_id = version_in_use(name, self._place, read_timeout=_LOOK_UP_SECONDS)
                if version_id != cached.version_id:
                    cached = self._fetch(name, is_first=False, read_timeout=_LOOK_UP_SECONDS)
                    logger.info("the secret %s has a new version, which is used from now on", name)
            except RemoteFailure as error:
                logger.warning("the secret %s is used as it was: %s", name, error)
            except OperatorError:
                del self._cached[name]
                raise
            self._cached[name] = replace(cached, looked_up_at=time.monotonic())
            return self._cached[name]
        finally:
            self._looking_up.release()

    def _fetch(self, name: str, *, is_first: bool, read_timeout: int) -> _CachedSecret[T]:
        value = use_secret(name, self._place, read_timeout=read_timeout)
        version_id = value.version_id if value else ""
        return _CachedSecret(self._parse(name, value, is_first), version_id, time.monotonic())
