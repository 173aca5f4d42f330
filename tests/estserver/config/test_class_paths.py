"""A class that the configuration names: old paths work, and a slip is answered with the nearest."""

import importlib
import inspect
import pkgutil

import pytest
from django.utils.module_loading import import_string

import pki.signers
from estserver.config.class_paths import HOOKS, SIGNERS
from pki.signers.base import Signer


@pytest.mark.parametrize("path", [*SIGNERS, *HOOKS])
def test_a_known_path_is_a_class(path):
    assert inspect.isclass(import_string(path))


def test_every_signer_of_this_project_is_known():
    for module in pkgutil.walk_packages(pki.signers.__path__, "pki.signers."):
        importlib.import_module(module.name)

    def subclasses(cls):
        return {cls}.union(*map(subclasses, cls.__subclasses__()))

    own = {cls for cls in subclasses(Signer) if cls.__module__.startswith("pki.signers.")}
    concrete = {cls for cls in own if not inspect.isabstract(cls)}
    assert concrete == {import_string(path) for path in SIGNERS}


@pytest.mark.parametrize(
    "path",
    [
        *SIGNERS,
        "pki.signers.kms.signer.KMSSigner",  # where the class is today
        "acme.pki.Signer",  # not installed where the configuration is read
        "tests.estserver.config.test_class_paths.Nothing",  # another package is not looked into
    ],
)
def test_a_path_that_may_be_one_is_taken_in_silence(load, path):
    config = load(f"Properties: {{signers: {{mine: {{BACKEND: {path}}}}}}}")

    assert config.properties.signers["mine"].backend == path
    assert config.warnings == ()


@pytest.mark.parametrize(
    ("path", "nearest"),
    [
        ("pki.signers.kms.KmsSigner", "pki.signers.kms.KMSSigner"),
        ("pki.signer.kms.KMSSigner", "pki.signers.kms.KMSSigner"),
        ("pki.signers.kms.signer.KeyFileSigner", "pki.signers.keyfile.KeyFileSigner"),
        ("pki.signers.SecretsManagerSigner", "pki.signers.secretsmanager.SecretsManagerSigner"),
        ("pki.signers.private_ca.PrivateCASigner", "pki.signers.privateca.PrivateCASigner"),
        ("pkis.signers.keyfile.KeyFileSigner", "pki.signers.keyfile.KeyFileSigner"),
    ],
)
def test_a_signer_that_never_existed_is_refused_with_the_nearest(refusal, path, nearest):
    text = f"Properties:\n  signers:\n    mine:\n      BACKEND: {path}\n"

    assert refusal(text) == [
        f'config.yaml:4 Properties.signers.mine.BACKEND: Found "{path}", and there is no such '
        f"class. Did you mean {nearest}?"
    ]


def test_a_hook_that_never_existed_is_refused_with_the_nearest(refusal):
    assert refusal("Properties:\n  enrollmentHookClass: estserver.hook.EnrolmentHook\n") == [
        'config.yaml:2 Properties.enrollmentHookClass: Found "estserver.hook.EnrolmentHook", and '
        "there is no such class. Did you mean estserver.hooks.EnrollmentHook?"
    ]


def test_an_external_signer_is_the_operators_own(refusal):
    assert refusal("Properties:\n  externalSignerClass: pki.external.Mine\n") == [
        'config.yaml:2 Properties.externalSignerClass: Found "pki.external.Mine", and there is no '
        "such class. Name a class of yours."
    ]
