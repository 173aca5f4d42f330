"""The keys of the configuration file by the names that `pki` and `iotprov` have for their settings.

Their messages name a setting in the words of the operator who has to change it, and neither of them
reads the file. These names reach them as ``PKISettings.names`` and ``IoTSettings.names``.
"""

from collections.abc import Mapping
from types import MappingProxyType

PKI_SETTING_NAMES: Mapping[str, str] = MappingProxyType(
    {
        "aws_region": "Properties.awsRegion",
        "client_ca.signer": "Properties.clientCaSigner",
        "client_ca.truststore_path": "DeploymentOptions.mTlsTruststoreCertificatesChainFile",
        "database_url": "Properties.databaseUrl",
        "device_ca.certificate_path": "DeploymentOptions.iotCoreCaCertificatePath",
        "device_ca.generate_certificate": "DeploymentOptions.generateIotCaCertificate",
        "device_ca.key_secret_name": "Properties.iotCoreEstCaKeySecretName",
        "device_ca.signer": "Properties.deviceCaSigner",
        "external_signer_class": "Properties.externalSignerClass",
        "profile.can_adopt_names": "Properties.adoptUnknownNames",
        "signers": "Properties.signers",
    }
)
"""The settings of `pki.conf` that a message names."""

IOT_SETTING_NAMES: Mapping[str, str] = MappingProxyType(
    {
        "ca_certificate_mode": "Properties.iotCaCertificateMode",
        "policy_name": "Properties.iotPolicyName",
        "provisioning_role_name": "Properties.iotProvisioningRoleName",
        "targets": "Properties.iotTargets",
        "template_name": "Properties.iotTemplateName",
    }
)
"""The settings of `iotprov.conf` that a message names."""
