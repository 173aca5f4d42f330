"""The contents of a provisioning template as values, and AWS IoT's limits on them.

https://docs.aws.amazon.com/iot/latest/developerguide/provision-template.html
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from iotprov.json_text.located import START, Place

MAX_BODY = 10_240  # characters; model of iot:CreateProvisioningTemplate

THING_NAME = re.compile(r"[a-zA-Z0-9:_-]{1,128}")
"""The names of groups, types and billing groups have the same alphabet."""
ATTRIBUTE_NAME = re.compile(r"[a-zA-Z0-9_.,@/:#-]{1,128}")
ATTRIBUTE_VALUE = re.compile(r"[a-zA-Z0-9_.,@/:#=\[\]-]{0,800}")
MAX_ATTRIBUTES = 50
MAX_ATTRIBUTES_WITHOUT_TYPE = 3


class Override(StrEnum):
    """What happens to a property of a thing or certificate that exists already."""

    DO_NOTHING = "DO_NOTHING"
    REPLACE = "REPLACE"
    FAIL = "FAIL"
    MERGE = "MERGE"


@dataclass(frozen=True, slots=True)
class Overrides:
    """A template's ``OverrideSettings``.

    AWS documents no default. This server's is ``DO_NOTHING``, which leaves a property as it is.
    """

    attributes: Override = Override.DO_NOTHING
    thing_type: Override = Override.DO_NOTHING
    groups: Override = Override.DO_NOTHING
    certificate_status: Override = Override.DO_NOTHING


@dataclass(frozen=True, slots=True)
class Ref:
    """The value of a parameter. ``parameter`` is its name without the common prefix."""

    parameter: str


@dataclass(frozen=True, slots=True)
class Join:
    """``Fn::Join``: values with ``delimiter`` between them."""

    delimiter: str
    parts: tuple["Expression", ...]


Expression = str | Ref | Join


@dataclass(frozen=True, slots=True)
class Parameter:
    """A declared parameter. ``default`` is ``None`` if there is none."""

    name: str
    place: Place
    default: str | None = None


@dataclass(frozen=True, slots=True)
class PolicyReference:
    """The name of a policy to attach. "" stands for the installation's policy."""

    name: str
    place: Place


@dataclass(frozen=True, slots=True)
class Template:
    """A template. A text is an ``Expression``, and "" where the template has none."""

    parameters: Mapping[str, Parameter] = field(default_factory=dict)
    thing_name: Expression = ""
    thing_name_place: Place = START
    attributes: Mapping[str, Expression] = field(default_factory=dict)
    thing_type: Expression = ""
    groups: tuple[Expression, ...] = ()
    billing_group: Expression = ""
    policies: tuple[PolicyReference, ...] = ()
    certificate_status: str = "ACTIVE"
    principal_type: str = ""
    overrides: Overrides = Overrides()
