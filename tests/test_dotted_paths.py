"""Paths that customers' files, deployed schedules and gunicorn command lines name still import."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.dotted_paths import is_module_path, named_in

ROOT = Path(__file__).parents[1]
PUBLISHED = Path(__file__).with_name("dotted_paths.txt").read_text().split()

LOOK = """
import sys
from pkgutil import resolve_name

import django

django.setup()
for path in sys.argv[1:]:
    try:
        resolve_name(path)
    except (AttributeError, ImportError) as error:
        print(f"{path}: {error}")
"""

DEVICE_SIDE = (
    "estserver.lambda_est",
    "estserver.serving.gunicorn_est",
    "estserver.settings.est",
    "estserver.wsgi_est",
)
"""Modules that need the settings of the device side."""


def missing(paths, settings, data_dir):
    """Those of ``paths`` that a process with these settings cannot import, with the reason."""
    done = subprocess.run(
        [sys.executable, "-c", LOOK, *paths],
        cwd=ROOT,
        env={"DJANGO_SETTINGS_MODULE": settings, "EST_DATA_DIR": str(data_dir)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_device_side_paths_import(tmp_path):
    paths = [path for path in PUBLISHED if path.startswith(DEVICE_SIDE)]

    assert len(paths) >= len(DEVICE_SIDE)
    assert missing(paths, "estserver.settings.est", tmp_path) == ""


def test_all_other_paths_import(tmp_path):
    paths = [path for path in PUBLISHED if not path.startswith(DEVICE_SIDE)]

    assert len(paths) > 20
    assert missing(paths, "estserver.settings.admin", tmp_path) == ""


def test_a_path_that_does_not_import_is_named(tmp_path):
    found = missing(["pki.signers.kms.Nothing", "pki.gone.x"], "estserver.settings.admin", tmp_path)

    assert [line.partition(":")[0] for line in found.splitlines()] == [
        "pki.signers.kms.Nothing",
        "pki.gone.x",
    ]


@pytest.mark.parametrize(
    ("text", "paths"),
    [
        ('BACKEND: "pki.signers.kms.KMSSigner"', ["pki.signers.kms.KMSSigner"]),
        ("gunicorn estserver.wsgi_est:application", ["estserver.wsgi_est.application"]),
        ("    from estserver.hooks import A, B", ["estserver.hooks.A", "estserver.hooks.B"]),
        ("manage.py of estserver, and estserver/est/caller.py", []),
    ],
)
def test_paths_are_read_from_text(text, paths):
    found = [path for path in named_in(text) if path != "estserver.hooks"]

    assert found == paths


def test_a_models_label_is_no_path():
    files = ["pki/models/fields.py", "pki/reasons.py"]

    assert not is_module_path("pki.issuedcertificate", files)
    assert is_module_path("pki.models.fields", files)
    assert is_module_path("pki.reasons", files)
