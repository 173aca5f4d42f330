"""Fixtures of all tests: an installation with its CAs, and EST clients that talk to it."""

import gc
import os
from dataclasses import replace

import pytest

from estserver.enrollment import refusals
from estserver.operations import health
from pki.models import CertificateAuthority, CertificateProfile
from pki.record import audit_trail, snapshot, transactions, write_probe
from pki.record.audit_trail import Actor
from pki.record.profile_lockouts import EVERY_SETTING
from pki.record.profile_versions import change_profile
from pki.record.transactions import in_write_transaction
from pki.revocation import crl
from pki.signers import get_signer
from tests.support.aws import aws_cloud, moto_server
from tests.support.chromium import chromium_process
from tests.support.est_client import ESTClient
from tests.support.installed import install
from tests.support.slow import is_slow
from tests.support.undoing import undo_as_migrate_left_it

__all__ = ["aws_cloud", "chromium_process", "moto_server"]

TESTER = Actor("test")
DEPLOY_SECONDS = 900


@pytest.hookimpl(tryfirst=True)  # before pytest selects by marker
def pytest_collection_modifyitems(items):
    """Mark what is slow, and give tests that make packages the time that a loaded machine needs."""
    for item in items:
        if is_slow(item.nodeid):
            item.add_marker("slow")
        if item.get_closest_marker("deploy") and not item.get_closest_marker("timeout"):
            item.add_marker(pytest.mark.timeout(DEPLOY_SECONDS))


def pytest_ignore_collect(collection_path, config):
    """Leave slow files unread under `-m "not slow ..."`: reading them takes a third of that run."""
    if config.option.markexpr.startswith("not slow"):
        relative = collection_path.relative_to(config.rootpath).as_posix()
        if is_slow(relative if collection_path.is_file() else f"{relative}/"):
            return True
    return None


@pytest.hookimpl(optionalhook=True)  # pytest-xdist's
def pytest_xdist_make_scheduler(config, log):
    """Return the scheduler of `pytest -n`, unless the command line names another with --dist."""
    from tests.support.distribution import SlowFirst  # without -n, xdist need not be installed

    return SlowFirst(config, log) if config.option.dist == "load" else None


@pytest.hookimpl(optionalhook=True)  # pytest-xdist's
def pytest_xdist_auto_num_workers(config):
    """Return the number of workers of `pytest -n auto`."""
    from tests.support.distribution import workers_for

    return workers_for(len(os.sched_getaffinity(0)))


def pytest_collection_finish(session):
    """Leave what was imported and collected out of each later garbage collection."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup, django_db_blocker):
    """Make the database as pytest-django does, and remember what is in it from the beginning."""
    with django_db_blocker.unblock():
        undo_as_migrate_left_it()


@pytest.fixture(autouse=True)
def _fresh_process_state():
    """Empty the caches of the process, because they outlive the database that filled them."""
    yield
    snapshot.forget()
    audit_trail.start_new_chain()
    get_signer.cache_clear()
    health.forget()
    transactions.forget()
    write_probe.forget()
    refusals.forget()
    crl.forget()


@pytest.fixture
def data_dir(tmp_path, settings):
    """Return a data directory of this test alone, which the settings name."""
    settings.PKI = replace(settings.PKI, data_dir=tmp_path)
    settings.EST_DATA_DIR = tmp_path
    return tmp_path


@pytest.fixture
def installation(db, data_dir, tmp_path_factory):
    """Make CAs, default profile and test client with `bootstrap_cas`; return the data directory."""
    install(TESTER, tmp_path_factory.getbasetemp())
    return data_dir


@pytest.fixture
def device_ca(installation):
    """Return the device CA's row."""
    return CertificateAuthority.objects.device().get()


@pytest.fixture
def client_ca(installation):
    """Return the client CA's row."""
    return CertificateAuthority.objects.client().get()


@pytest.fixture
def change_default_profile(installation):
    """Return a function that puts a new version of the default profile in force.

    Its keyword arguments are the settings that change.
    """

    def change(**changes):
        profile = CertificateProfile.objects.get(active_label="")
        return in_write_transaction(
            lambda: change_profile(
                profile, changes, actor=TESTER, reason="test", confirmed=EVERY_SETTING
            )
        )

    return change


@pytest.fixture
def est_client(installation):
    """Return an EST client behind API Gateway that presents the test client's certificate."""
    return ESTClient.from_files(installation / "test-client.pem")


@pytest.fixture
def stranger(installation):
    """Return an EST client behind API Gateway that presents no certificate."""
    return ESTClient()
