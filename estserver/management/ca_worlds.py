"""``cas worlds``: who issues which certificates here, and what they are for."""

from collections.abc import Iterable, Iterator
from typing import Any

from pki.management.certificate_facts import moment
from pki.operators.command import OperatorCommand


class ShowWorlds(OperatorCommand):
    """See ``help``."""

    help = (
        "Show the three worlds of certificates: the server's own, clients' and devices', each from "
        "its issuer to what it leads to. The console draws the same. AWS is not asked."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        """Print a row for each certificate and for what it leads to."""
        # Imported here, because it loads the console.
        from estserver.console.authorities.worlds import Node, read_worlds

        def rows(world: str, nodes: Iterable[Node], above: str = "") -> Iterator[dict[str, Any]]:
            for node in nodes:
                yield {
                    "world": world,
                    "what": node.what,
                    "name": node.name,
                    "state": node.state.lower(),
                    "until": moment(node.until),
                    "below": above,
                }
                yield from rows(world, node.leads_to, node.name)

        self.print_rows(
            ("world", "what", "name", "state", "until", "below"),
            (row for world in read_worlds() for row in rows(world.title.lower(), world.nodes)),
            empty="No certificate is known here. Run manage.py bootstrap_cas.",
        )
