"""What statements are like at a cluster."""

from aurora_dsql_django import operations


class DatabaseOperations(operations.DatabaseOperations):
    """The adapter's, with numbers as keys of Django's own tables."""

    def __init__(self, connection: object) -> None:
        super().__init__(connection)  # type: ignore[no-untyped-call]  # the adapter has no types
        self.cast_data_types = {
            "AutoField": "bigint",
            "BigAutoField": "bigint",
            "SmallAutoField": "smallint",
        }

    def set_time_zone_sql(self) -> str:
        """Return the statement that sets a session's time zone; ``set_config`` is not taken."""
        return "SET TIME ZONE %s"

    def adapt_ipaddressfield_value(self, value: str | None) -> str | None:
        """Return an address as the text that it is in the table."""
        return value or None

    def lookup_cast(self, lookup_type: str, internal_type: str | None = None) -> str:
        """Return how a column is compared; an address is text already, and needs no ``HOST()``."""
        is_address = internal_type == "GenericIPAddressField"
        cast: str = super().lookup_cast(lookup_type, None if is_address else internal_type)
        return cast
