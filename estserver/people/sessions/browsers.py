"""A browser in words, for people who look through their sessions."""

import re
from typing import Final

_BROWSERS: Final = (
    ("Edge", r"\bEdg[A]?/"),
    ("Opera", r"\bOPR/"),
    ("Chrome", r"Chrom(?:e|ium)/"),  # HeadlessChrome too
    ("Firefox", r"\bFirefox/"),
    ("Safari", r"\bSafari/"),
    ("curl", r"^curl/"),
)
"""Names by what stands in the header. The first that is found, since others name more than one."""
_SYSTEMS: Final = (
    ("Android", r"\bAndroid\b"),
    ("iOS", r"\b(?:iPhone|iPad)\b"),
    ("Windows", r"\bWindows\b"),
    ("macOS", r"\bMac OS X\b"),
    ("ChromeOS", r"\bCrOS\b"),
    ("Linux", r"\bLinux\b"),
)


def browser_in_words(user_agent: str) -> str:
    """Return words such as ``Firefox on Linux``. The header itself is kept nowhere."""
    browser = _first(_BROWSERS, user_agent) or "An unknown browser"
    system = _first(_SYSTEMS, user_agent)
    return f"{browser} on {system}" if system else browser


def _first(names: tuple[tuple[str, str], ...], text: str) -> str:
    return next((name for name, pattern in names if re.search(pattern, text[:400])), "")
