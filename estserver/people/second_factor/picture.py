"""The QR code that an authenticator app scans, as SVG in the page."""

from django.utils.safestring import SafeString, mark_safe

_POINTS = 5
"""Pixels for each point of the code."""


def qr_code(text: str) -> SafeString:
    """Return the QR code of ``text`` as an SVG element, black on white also in a dark page.

    It has no style and no script, so the Content-Security-Policy needs no exception.
    """
    import segno  # only this page needs it

    picture = segno.make(text, error="m", micro=False).svg_inline(
        scale=_POINTS, dark="#000", light="#fff", border=4, title="QR code for an authenticator app"
    )
    return mark_safe(picture)  # noqa: S308  # a path and numbers; the text is not in it
