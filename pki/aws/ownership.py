"""Which installation a resource in AWS belongs to: the one rule, for the server and its deployment.

Every resource that is made here carries the tag `MADE_BY` with the project's name. Two projects may
share an account. What carries another project's name is never used, because it would be shared:
one installation would sign with the other's CA key, or change its policy (threat T60). What carries
no such tag was made by a person or by the CDK sample, and may be used.
"""

from collections.abc import Iterable, Mapping

from pki.operators.errors import OperatorError

MADE_BY = "est-server:made-by"
"""The tag of every AWS resource that this server made. Its value is the project's name."""


def tags_of(listed: Iterable[Mapping[str, str]]) -> dict[str, str]:
    """Return tags, in the shape in which most services answer them, as a mapping."""
    return {tag["Key"]: tag["Value"] for tag in listed}


def other_project(tags: Mapping[str, str], project: str) -> str:
    """Return the name of the other project that a resource with these tags belongs to, or ""."""
    owner = tags.get(MADE_BY, "")
    return "" if owner == project else owner


def refuse_of_another(what: str, tags: Mapping[str, str], project: str, remedy: str) -> None:
    """Raise ``OperatorError`` if a resource belongs to another project than ``project``.

    ``what`` begins the sentence (``The secret estMtlsCaSecrets``), ``remedy`` is a sentence that
    says what to do. An empty ``project`` is a process that knows none, and refuses nothing.
    """
    owner = other_project(tags, project)
    if project and owner:
        raise OperatorError(
            f"{what} belongs to the project {owner} (its tag {MADE_BY}), and this is the project "
            f"{project}, which must not share it. {remedy}"
        )
