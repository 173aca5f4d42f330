"""Text of clients, so that pages and terminals show every character of it."""


def visible(text: str) -> str:
    r"""Return ``text`` with every invisible character written as its escape.

    A right-to-left override or a NUL in a client's text then shows as ``\u202e`` or ``\x00``,
    and cannot change how the words around it read. Letters of any script stay as they are.
    """
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode()
        for character in text
    )
