"""Show the certificate profiles in force."""

import json
from typing import Any

from django.core.management.base import CommandParser

from pki.models import CertificateProfile
from pki.operators.command import OperatorCommand
from pki.record.find import find_profile
from pki.record.profile_versions import settings_of


class Command(OperatorCommand):
    """See ``help``."""

    help = "List the certificate profiles in force, or show the settings of one."

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the profile."""
        parser.add_argument(
            "profile", nargs="?", metavar="PROFILE", help="name or label; without it, a list"
        )

    def handle(self, *args: Any, profile: str | None, **options: Any) -> None:
        """Print each profile, or each setting of one in the form that `profile_set` takes."""
        if profile is not None:
            settings = settings_of(find_profile(profile))
            if self.is_json:
                self.print_facts(settings)
                return
            for key, value in settings.items():
                said = value if isinstance(value, str) else json.dumps(value)
                self.stdout.write(f"{key}={said}")
            return
        for row in CertificateProfile.objects.exclude(active_label=None).select_related("ca"):
            where = f"label {row.label}" if row.label else "no label"
            self.say(f"{row}: {where}, {row.validity_days} days, from {row.ca}", **settings_of(row))
