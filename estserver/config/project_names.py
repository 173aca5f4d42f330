"""The names of resources in AWS that follow from the project's name.

The default project has the CDK sample's names, so that what the sample made is found again. Every
other project has names of its own, because two installations in one account must not share a CA's
key, a policy or a template (threat T60). A name that the file gives is kept in every project.
"""

from collections.abc import Mapping

DEFAULT_PROJECT = "est-server"
"""The project whose names are the CDK sample's."""

_SECRETS = (
    "secret_key_secret_name",
    "est_mtls_ca_secrets_name",
    "est_mtls_client_secrets_name",
    "est_mtls_client_pfx_secret_name",
    "iot_core_est_ca_cert_secret_name",
    "iot_core_est_ca_key_secret_name",
    "custom_secret_name",
)
"""Fields of ``Properties`` that name a secret which belongs to one installation."""

_IN_IOT_AND_IAM = {
    # A template's name has 36 characters at most, and a project's has 30.
    "iot_template_name": "{project}-jitp",
    "iot_policy_name": "{project}-device",
    "iot_provisioning_role_name": "{project}-device-provisioning",
}

NAMED_BY_PROJECT = (*_SECRETS, *_IN_IOT_AND_IAM)
"""Fields of ``Properties`` whose default depends on ``projectName``."""


def default_names(project: str, sample: Mapping[str, str]) -> dict[str, str]:
    """Return the default of each of ``NAMED_BY_PROJECT`` for a project.

    ``sample`` holds the CDK sample's names, by field. No name of one project can be that of
    another, because a project's name holds no slash, and it is in front of the sample's.
    """
    if project == DEFAULT_PROJECT:
        return {name: sample[name] for name in NAMED_BY_PROJECT}
    return {
        **{name: f"{project}/{sample[name]}" for name in _SECRETS},
        **{name: form.format(project=project) for name, form in _IN_IOT_AND_IAM.items()},
    }
