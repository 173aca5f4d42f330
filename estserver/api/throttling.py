"""How many requests a token may make. Each process counts for itself, so that no request writes."""

from typing import Any

from django.conf import settings
from rest_framework.throttling import SimpleRateThrottle


class TokenThrottle(SimpleRateThrottle):
    """At most ``API_REQUESTS_PER_MINUTE`` requests with a token, then 429 with Retry-After."""

    scope = "api-token"

    def get_rate(self) -> str:
        """Return the rate as REST framework reads it."""
        return f"{settings.API_REQUESTS_PER_MINUTE}/min"

    def get_cache_key(self, request: Any, view: Any) -> str:
        """Return the key under which the requests of the token are counted."""
        return f"api-token:{request.auth.pk}"
