"""JITP is configured, unless a test says otherwise."""

from dataclasses import replace

import pytest

from tests.iotprov.authorities.registering import TEMPLATE


@pytest.fixture(autouse=True)
def _jitp(settings):
    settings.IOT = replace(settings.IOT, configure_jitp=True, template_name=TEMPLATE)


@pytest.fixture
def without_jitp(settings, _jitp):
    settings.IOT = replace(settings.IOT, configure_jitp=False, tags=())


@pytest.fixture
def mode_default(settings, _jitp):
    settings.IOT = replace(settings.IOT, ca_certificate_mode="DEFAULT")
