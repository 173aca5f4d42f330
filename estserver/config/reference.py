"""The settings reference, written from the configuration's own classes."""

import ast
import dataclasses
import inspect
import json
from itertools import pairwise
from typing import Any

from estserver.config.entries import SignerConfig
from estserver.config.project_names import DEFAULT_PROJECT, NAMED_BY_PROJECT, default_names
from estserver.config.sections import SECTIONS, annotation_of, keys_of, wanted
from estserver.config.values import PROJECT_ROOT

REFERENCE_FILE = PROJECT_ROOT / "docs" / "configuration.md"

_INTRODUCTION = """\
# Configuration

<!-- Written by: manage.py config_reference --write -->

Everything an operator chooses stands in one YAML file: `config/config.yaml`, or the file that the
environment variable `EST_CONFIG` names. Every key is optional, and so is the file. A key without a
value counts as not set. The files of the CDK sample load unchanged. A placeholder such as
`YOUR API DOMAIN NAME HERE` counts as not set too, with a warning.

When something is wrong, nothing starts, and each problem has its line:

    config.yaml:14 Properties.lambdaTimeoutSeconds: Found "ten", wanted a whole number of seconds
    from 1 to 900.
    config.yaml:21 Properties.iotTemplatName: Unknown key. Did you mean iotTemplateName?
    config.yaml:25 Properties.signers.kms.BACKEND: Found "pki.signer.kms.KMSSigner", and there is no
    such class. Did you mean pki.signers.kms.KMSSigner?

Relative paths start at the directory that holds `manage.py`. Times are UTC.

## Environment

| Variable | Meaning |
|---|---|
| `EST_CONFIG` | The file to read instead of `config/config.yaml`. |
| `EST_DATA_DIR` | The directory of all local state. By default, `var`. |
| `DATABASE_URL` | The database. It wins over `databaseUrl` and `databaseSecretName`. |

## The database

| URL | Database |
|---|---|
| not set | SQLite: `est.sqlite3` in the data directory |
| `sqlite:///name.sqlite3` | SQLite: a file in the data directory |
| `sqlite:////srv/est/name.sqlite3` | SQLite: a file anywhere |
| `postgresql://user:password@host:5432/name?sslrootcert=/path/to/ca.pem` | PostgreSQL |
| `postgresql://user@host:5432/name?iam=true` | PostgreSQL of RDS or Aurora, with a token of IAM's as the password |
| `postgresql://...?idle_seconds=60` | PostgreSQL that closes idle connections, as one that pauses needs |
| `postgresql://host:5432/name?secret=NAME` | PostgreSQL. The secret holds the rest, as with `databaseSecretName` |
| not set, or `postgresql://host:5432/name`, with `databaseSecretName` | PostgreSQL. The secret holds the rest, and each new connection reads it |
| `dsql://user@host/postgres` | Aurora DSQL, with a token of IAM's as the password |

Lambda takes every database but SQLite, whose file would be lost. A package holds no password. So a deployment writes a URL
with a password into the function's environment.

A PostgreSQL server proves its name by TLS (`sslmode=verify-full`). Hosts under `rds.amazonaws.com` do so by RDS's own
CAs, which the package has. Another host needs `sslrootcert` with the file of its CA, unless its certificate is of a
public CA. `sslmode=require` encrypts without a proof, and has no effect for RDS. Loopback and Unix sockets need no TLS.

With the AWS Parameters and Secrets Lambda extension (a layer), functions read secrets without boto3, at a shorter cold
start. A rotated password is then found after five minutes at the latest (`SECRETS_MANAGER_TTL`).

Percent-encode special characters of user and password: `%40` for `@`, `%2F` for `/`.
"""


def configuration_reference() -> str:
    """Return the settings reference, in Markdown."""
    parts = [_INTRODUCTION]
    for section, cls in SECTIONS.items():
        parts.append(f"\n## {section}\n\n{inspect.cleandoc(cls.__doc__ or '')}\n")
        meanings = field_docstrings(cls)
        for key, field in keys_of(cls).items():
            parts.append(
                f"\n### {key}\n\n{meanings[field.name]}\n\n"
                f"Wanted: {wanted(annotation_of(cls, key))}. Default: {_default(field)}.\n"
            )
    return "".join(parts)


def field_docstrings(cls: type) -> dict[str, str]:
    """Return the docstring below each field of a class, on one line.

    They are read from the source, because Python does not store them.
    """
    definition = ast.parse(inspect.cleandoc(inspect.getsource(cls))).body[0]
    body = definition.body if isinstance(definition, ast.ClassDef) else []
    return {
        field.target.id: " ".join(below.value.value.split())
        for field, below in pairwise(body)
        if isinstance(field, ast.AnnAssign)
        and isinstance(field.target, ast.Name)
        and isinstance(below, ast.Expr)
        and isinstance(below.value, ast.Constant)
        and isinstance(below.value.value, str)
    }


def _default(field: dataclasses.Field[Any]) -> str:
    value = field.default
    if field.default_factory is not dataclasses.MISSING:
        value = field.default_factory()
    if value in ("", ()):
        return "not set"
    shown = f"`{json.dumps(value, default=_plain)}`"
    if field.name in NAMED_BY_PROJECT:
        named = default_names("PROJECT", {name: str(value) for name in NAMED_BY_PROJECT})
        return f"{shown}; with another `projectName` than `{DEFAULT_PROJECT}`, " + (
            f"`{json.dumps(named[field.name])}`"
        )
    return shown


def _plain(value: SignerConfig) -> dict[str, Any]:
    return {"BACKEND": value.backend, "OPTIONS": dict(value.options)}
