"""Installations with a fleet on record, each made once and kept if a directory is given for it."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.installation import MeasuredInstallation, installation_in
from tests.interop.server import ROOT
from tests.support.postgresql import server_in

FILLED = "filled"
"""The file that says that a kept database is complete."""

_SETTINGS = {"DJANGO_SETTINGS_MODULE": "estserver.settings.admin", "EST_ADMIN_PLAIN_HTTP": "1"}


@contextmanager
def filled(
    certificates: int, *, on_postgresql: bool, kept_in: Path | None = None
) -> Iterator[MeasuredInstallation]:
    """Make an installation with a fleet on record, or take the one that ``kept_in`` has.

    A PostgreSQL server runs for the block. One that was kept is brought up to the present schema.
    """
    database = "postgresql" if on_postgresql else "sqlite"
    with ExitStack() as stack:
        if kept_in is None:  # on a disk: a fleet is too large for memory
            temporary = TemporaryDirectory(prefix="est-bench-", dir="/var/tmp")
            kept_in = Path(stack.enter_context(temporary))
            kept_in.chmod(0o755)  # PostgreSQL's user is another one
        directory = kept_in.resolve() / f"{database}-{certificates}"
        is_filled = (directory / FILLED).exists()
        if not is_filled:  # what is there is half a database
            shutil.rmtree(directory, ignore_errors=True)
        server = directory / "server"
        server.mkdir(parents=True, exist_ok=True)
        url = stack.enter_context(server_in(server)).url() if on_postgresql else ""
        made = installation_in(directory, url)
        if is_filled:
            made.manage("migrate", "--no-input", "--verbosity=0")
        else:
            made.make()
            _fill(made, certificates)
            (directory / FILLED).touch()
        yield made


def _fill(made: MeasuredInstallation, certificates: int) -> None:
    in_installation(made, "--prepare")
    made.fill(certificates)


def in_installation(made: MeasuredInstallation, *arguments: str) -> str:
    """Run `bench.pages` in the installation; return what it prints."""
    done = subprocess.run(
        [sys.executable, "-m", "bench.pages", *arguments],
        cwd=ROOT,
        env=made.environment | _SETTINGS,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return done.stdout


def prepare() -> None:
    """Give this process's installation a second device CA and more profiles, as fleets have."""
    from pki.authorities.succeed import make_successor
    from pki.models import CertificateAuthority, CertificateProfile
    from pki.record.audit_trail import Actor
    from pki.record.profile_versions import add_profile
    from pki.record.transactions import in_write_transaction

    actor = Actor("command:bench")
    make_successor(CertificateAuthority.objects.device().get(), actor=actor, reason="fleet")
    profile = CertificateProfile.objects.get(active_label="")
    known = {one.attname: getattr(profile, one.attname) for one in profile._meta.concrete_fields}
    for name in ("cameras", "gateways"):
        own = {"name": name, "label": name, "version": 1, "active_label": None}
        copy = CertificateProfile(**{**known, "id": None, **own})
        in_write_transaction(lambda copy=copy: add_profile(copy, actor=actor))
