"""What a provisioning template says, and AWS IoT's limits of it.

https://docs.aws.amazon.com/iot/latest/developerguide/provision-template.html
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from iotprov.json_text.located import Place

MAX_BODY = 10_240  # characters; model of iot:CreateProvisioningTemplate

THING_NAME = re.compile(r"[a-zA-Z0-9:_-]{1,128}")
"""Also the alphabet of the names of groups, types and billing groups."""
ATTRIBUTE_NAME = re.compile(r"[a-zA-Z0-9_.,@/:#-]{1,128}")
ATTRIBUTE_VALUE = re.compile(r"[a-zA-Z0-9_.,@/:#=\[\]-]{0,800}")
MAX_ATTRIBUTES = 50
MAX_ATTRIBUTES_WITHOUT_TYPE = 3


class Override(StrEnum):
    """What becomes of a thing's or certificate's property when it is there already."""

    DO_NOTHING = "DO_NOTHING"
    REPLACE = "REPLACE"
    FAIL = "FAIL"
    MERGE = "MERGE"


@dataclass(frozen=True, slots=True)
class Overrides:
    """A template's ``OverrideSettings``.

    AWS documents no default; ours is ``DO_NOTHING``: what exists already stays as it is.
    """

    attributes: Override = Override.DO_NOTHING
    thing_type: Override = Override.DO_NOTHING
    groups: Override = Override.DO_NOTHING
    certificate_status: Override = Override.DO_NOTHING


@dataclass(frozen=True, slots=True)
class Ref:
    """A parameter's value; ``parameter`` is its name without the common prefix."""

    parameter: str


@dataclass(frozen=True, slots=True)
class Join:
    """``Fn::Join``: values with ``delimiter`` between them."""

    delimiter: str
    parts: tuple["Expression", ...]


Expression = str | Ref | Join


@dataclass(frozen=True, slots=True)
class Parameter:
    """A declared parameter. ``default`` is ``None`` when there is none."""

    name: str
    place: Place
    default: str | None = None


@dataclass(frozen=True, slots=True)
class PolicyReference:
    """The name of a policy that is attached; "" is the installation's."""

    name: str
    place: Place


@dataclass(frozen=True, slots=True)
class Template:
    """What the template says. Texts are ``Expression``; "" where it says nothing."""

    parameters: Mapping[str, Parameter] = field(default_factory=dict)
    thing_name: Expression = ""
    attributes: Mapping[str, Expression] = field(default_factory=dict)
    thing_type: Expression = ""
    groups: tuple[Expression, ...] = ()
    billing_group: Expression = ""
    policies: tuple[PolicyReference, ...] = ()
    certificate_status: str = "ACTIVE"
    principal_type: str = ""
    overrides: Overrides = Overrides()
