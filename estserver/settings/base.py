"""What both sides share: the database, the CA's settings, logging. See ``est`` and ``admin``."""

import os
from pathlib import Path
from typing import Any

from estserver.config import load_config
from estserver.config.database import database_settings
from estserver.config.packaged import packaged_config
from estserver.config.setting_names import IOT_SETTING_NAMES, PKI_SETTING_NAMES
from iotprov.conf import DEFAULT_TARGETS, IoTSettings, IoTTarget
from pki.conf import ClientCASettings, DeviceCASettings, PKISettings, ProfileSettings

BASE_DIR = Path(__file__).resolve().parent.parent.parent

CONFIG = packaged_config() or load_config()
_properties, _deployment = CONFIG.properties, CONFIG.deployment

EST_DATA_DIR = CONFIG.data_dir
IS_LAMBDA = "AWS_LAMBDA_FUNCTION_NAME" in os.environ

DEBUG = False
ALLOWED_HOSTS = [*_properties.allowed_hosts]

# The device side answers on these domains only (requestContext.domainName). Mutual TLS takes place
# on the first. A caller of the second is not authenticated.
EST_BOOTSTRAP_DOMAIN_NAME = _properties.bootstrap_domain_name
EST_DOMAIN_NAMES = frozenset(
    filter(None, [_properties.api_custom_domain_name, EST_BOOTSTRAP_DOMAIN_NAME])
)
EST_ADDRESS = "" if IS_LAMBDA else _properties.est_address
EST_API_STRICT_HEADERS_CHECK = _properties.api_strict_headers_check
EST_CONTENT_TRANSFER_ENCODING_HEADER = _properties.content_transfer_encoding_header
EST_ENROLLMENT_HOOK_CLASS = _properties.enrollment_hook_class

DATABASES: dict[str, dict[str, Any]] = {
    "default": database_settings(
        _properties.database_url,
        data_dir=EST_DATA_DIR,
        secret_name=_properties.database_secret_name,
    )
}
DEFAULT_AUTO_FIELD = (
    "django.db.models.BigAutoField"  # for Django's own tables; this project's name their keys
)

USE_TZ = True
TIME_ZONE = "UTC"
USE_I18N = False
APPEND_SLASH = False  # an EST client need not follow redirects (RFC 7030 3.2.1)
DATA_UPLOAD_MAX_MEMORY_SIZE = 64 * 1024


def _path(text: str) -> Path | None:
    return CONFIG.resolve(text) if text else None


_tags = CONFIG.resource_tags

PKI = PKISettings(
    data_dir=EST_DATA_DIR,
    signers=CONFIG.signer_settings(),
    device_ca=DeviceCASettings(
        subject=_properties.device_ca_subject,
        key_algorithm=_properties.device_ca_key_algorithm,
        validity_years=_properties.iot_core_est_ca_validity_years,
        certificate_path=_path(_deployment.iot_core_ca_certificate_path),
        private_key_path=_path(_deployment.iot_core_ca_private_key_path),
        generate_certificate=_deployment.generate_iot_ca_certificate,
        signer=_properties.device_ca_signer,
        certificate_secret_name=_properties.iot_core_est_ca_cert_secret_name,
        key_secret_name=_properties.iot_core_est_ca_key_secret_name,
    ),
    client_ca=ClientCASettings(
        subject=_properties.client_ca_subject,
        key_algorithm=_properties.client_ca_key_algorithm,
        validity_years=_properties.est_mtls_ca_cert_validity,
        client_validity_years=_properties.est_mtls_client_cert_validity,
        truststore_path=_path(_deployment.m_tls_truststore_certificates_chain_file),
        signer=_properties.client_ca_signer,
        secret_name=_properties.est_mtls_ca_secrets_name,
        client_secret_name=_properties.est_mtls_client_secrets_name,
        client_pfx_secret_name=_properties.est_mtls_client_pfx_secret_name,
    ),
    profile=ProfileSettings(
        validity_days=int(365 * _properties.iot_device_cert_validity_years),
        identity_rule=_properties.identity_rule,
        identity_pattern=_properties.identity_pattern,
        is_serial_number_required=_properties.serial_number_required,
        can_adopt_names=_properties.adopt_unknown_names,
        pop_linking=_properties.pop_linking,
        iot_provisioning=CONFIG.iot_provisioning,
    ),
    server_names=tuple(sorted(EST_DOMAIN_NAMES)),
    aws_region=_properties.aws_region,
    custom_secret_name=_properties.custom_secret_name,
    tags=_tags,
    project_name=_deployment.project_name,
    can_make_keys=not IS_LAMBDA,
    has_lasting_disk=not IS_LAMBDA,
    names=PKI_SETTING_NAMES,
)

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"json": {"()": "estserver.operations.logs.JSONFormatter"}},
    "handlers": {
        "stdout": {
            "class": "logging.StreamHandler",
            "formatter": "json",
            "stream": "ext://sys.stdout",
        }
    },
    "root": {"handlers": ["stdout"], "level": _properties.lambda_logger_level},
    "loggers": {
        # Each request has one line, with its reason code. Django's would be a second, without it.
        "django.request": {"level": "CRITICAL"},
        "django.security.DisallowedHost": {"level": "CRITICAL"},
        # At DEBUG it writes whole requests and answers: what is signed, credentials, secrets.
        "botocore": {"level": "WARNING"},
        "urllib3": {"level": "WARNING"},
    },
}

IOT = IoTSettings(
    template_path=CONFIG.resolve(_properties.iot_template_path),
    template_name=_properties.iot_template_name,
    policy_path=CONFIG.resolve(_properties.iot_policy_path),
    policy_name=_properties.iot_policy_name,
    provisioning_role_name=_properties.iot_provisioning_role_name,
    ca_certificate_mode=_properties.iot_ca_certificate_mode,
    configure_jitp=_deployment.configure_jitp,
    targets=tuple(
        IoTTarget(target.name, target.region, target.role_arn) for target in _properties.iot_targets
    )
    or DEFAULT_TARGETS,
    request_seconds=_properties.iot_request_seconds,
    tags=_tags,
    names=IOT_SETTING_NAMES,
)
