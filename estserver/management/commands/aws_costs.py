"""Print what the configuration costs on AWS."""

from typing import Any

from django.conf import settings

from estserver.deploy.command import DeployCommand
from estserver.deploy.costs.estimate import Item, idle_month, million_enrollments, total
from estserver.deploy.costs.prices import READ_IN
from estserver.deploy.deployment import Deployment
from estserver.deploy.lambda_signers import for_lambda


class Command(DeployCommand):
    """See ``help``."""

    help = (
        "Print what the configuration costs on AWS: a month without a request, and a million "
        "enrollments. In US dollars, by the prices in us-east-1. Asks AWS nothing."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        """Print both bills, and what is in neither."""
        # No account is asked for, because no price depends on it.
        deployment = Deployment(for_lambda(settings.CONFIG), "0" * 12, "us-east-1")
        self._print("A month without a request", idle_month(deployment))
        self.say("")
        self._print("A million enrollments, besides", million_enrollments(deployment))
        self.say("")
        self.say(
            f"Prices of us-east-1 as of {READ_IN} (docs/prices.md). Look up those of your region. "
            "Not counted: a database in a VPC and its network, Aurora DSQL's work and backups, the "
            "domain, AWS Private CA."
        )

    def _print(self, title: str, items: list[Item]) -> None:
        self.say(f"{title}: {total(items):.2f}")
        for item in items:
            # A bill of a million enrollments counts beyond what is free.
            why = f" ({item.why})" if item.why else ""
            self.say(f"  {item.dollars:6.2f}  {item.price.what}{why}")
