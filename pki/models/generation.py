"""A counter by which processes notice that CAs or profiles have changed."""

from collections.abc import Sequence

from django.db import models
from django.db.models import F

from pki.models import hot_path_sql


class Generation(models.Model):
    """A counter, in one row, of changes to CAs and profiles.

    Parsing CAs' certificates and keys is slow (RSA 4096), so a process does it once and compares
    this number at each request: one look-up by primary key.
    """

    ROW = 1
    PROBE_ROW = 2
    """A second row, which counts nothing. It is changed to learn whether the database can be
    written (``pki.record.write_probe``)."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=ROW, editable=False)
    number = models.PositiveBigIntegerField(default=0)

    def __str__(self) -> str:
        return str(self.number)

    @classmethod
    def advance(cls) -> None:
        """Count a change, in the caller's transaction."""
        if not cls.objects.filter(pk=cls.ROW).update(number=F("number") + 1):
            cls.objects.create(pk=cls.ROW, number=1)

    @classmethod
    def touch(cls) -> None:
        """Change the row for probes, in the caller's transaction."""
        if not cls.objects.filter(pk=cls.PROBE_ROW).update(number=F("number") + 1):
            cls.objects.create(pk=cls.PROBE_ROW, number=1)

    @classmethod
    def current(cls) -> int:
        """Return the number, or 0 while there is neither CA nor profile."""
        (rows,) = hot_path_sql.fetch_together(cls.look())
        return cls.number_among(rows)

    @classmethod
    def look(cls) -> hot_path_sql.Look:
        """Return the look at the number."""
        return hot_path_sql.Look("SELECT number FROM pki_generation WHERE id = %s", [cls.ROW], list)

    @staticmethod
    def number_among(rows: Sequence[tuple[int]]) -> int:
        """Return the number that ``look`` found, or 0 while there is neither CA nor profile."""
        return rows[0][0] if rows else 0
