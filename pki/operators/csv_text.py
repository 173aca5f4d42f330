"""Text for spreadsheets, which run what begins as a formula."""

_FORMULA_SIGNS = ("=", "+", "-", "@", "\t", "\r")


def csv_cell(text: str) -> str:
    """Return ``text`` so that no spreadsheet takes it for a formula.

    A client may choose a common name that is one: ``=cmd|...`` runs when the export is opened.
    """
    return f"'{text}" if text.startswith(_FORMULA_SIGNS) else text


class Lines:
    """A file for ``csv.writer`` that returns each line at once, so that exports can stream."""

    def write(self, line: str) -> str:
        """Return the line, which ``writerow`` then returns."""
        return line
