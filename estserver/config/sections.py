"""From a section of the file to its dataclass, with every refusal in words.

Pydantic finds what is wrong. The words come from the field's own type, so a refusal and the
settings reference say the same.
"""

import dataclasses
import difflib
import json
import re
import types
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Generic, Literal, TypeVar, get_args, get_origin, get_type_hints

from pydantic import TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from estserver.config.deployment_keys import DeploymentOptions
from estserver.config.keys import Properties
from estserver.config.types import Expectation
from estserver.config.yaml import KeyPath, Problem, YamlDocument, dotted

SECTIONS: Mapping[str, type] = types.MappingProxyType(
    {"Properties": Properties, "DeploymentOptions": DeploymentOptions}
)

# The samples' own words: "YOUR API DOMAIN NAME HERE", "LOCAL PATH TO TRUST CHAIN PEM FILE".
_PLACEHOLDER = re.compile(r"(YOUR|LOCAL PATH) [A-Z][A-Za-z ]+")

S = TypeVar("S", Properties, DeploymentOptions)

_validators: dict[type, TypeAdapter[Any]] = {}


@dataclasses.dataclass(frozen=True)
class Section(Generic[S]):
    """A section of the file. Where a value is wrong, ``values`` has its default."""

    name: str
    values: S
    given: frozenset[str]
    """The keys that the file sets to something usable."""
    refused: frozenset[str]
    """The keys whose value is wrong; nothing can be concluded from their default."""
    placeholders: frozenset[str]
    """The keys that hold the sample's placeholder; the operator still has to decide on them."""
    problems: tuple[Problem, ...]
    warnings: tuple[Problem, ...]


def keys_of(cls: type) -> dict[str, dataclasses.Field[Any]]:
    """Return the fields of one of the configuration's classes, by their key in the file."""
    key_name = cls.__pydantic_config__["alias_generator"]  # type: ignore[attr-defined]
    return {key_name(field.name): field for field in dataclasses.fields(cls)}


def annotation_of(cls: type, key: str) -> Any:
    """Return the full type, constraints included, of the value that ``key`` takes."""
    return get_type_hints(cls, include_extras=True)[keys_of(cls)[key].name]


def wanted(annotation: Any) -> str:
    """Return what a value of this type has to be, to complete the sentence "wanted ..."."""
    arguments = get_args(annotation)
    if get_origin(annotation) is Annotated:
        words = [each.text for each in arguments if isinstance(each, Expectation)]
        return words[0] if words else wanted(arguments[0])
    if get_origin(annotation) is Literal:
        return f"one of {', '.join(arguments)}"
    if get_origin(annotation) is tuple:
        return f"a list, each item {wanted(arguments[0])}"
    if dataclasses.is_dataclass(annotation) and isinstance(annotation, type):
        return f"a mapping with the keys {' and '.join(keys_of(annotation))}"
    if get_origin(annotation) is Mapping and arguments[1] is not Any:
        return f"a mapping, each value {wanted(arguments[1])}"
    if get_origin(annotation) is Mapping:
        return "a mapping"
    return {bool: "true or false", int: "a whole number"}.get(annotation, "text")


def check_top_level(document: YamlDocument) -> Iterator[Problem]:
    """Yield the problems outside of the sections."""
    if document.content is None:
        return
    if not isinstance(document.content, dict):
        sections = " and ".join(SECTIONS)
        text = f"Found {_found(document.content)}, wanted a mapping with the sections {sections}."
        yield Problem(document.lines[()], "", text)
        return
    for key in document.content:
        if key not in SECTIONS:
            yield Problem(document.lines[key,], key, _unknown_key(key, "", list(SECTIONS)))


def read_section(name: str, cls: type[S], document: YamlDocument) -> Section[S]:
    """Read one section, even a missing or an empty one, and note every problem with it."""
    content = document.content.get(name) if isinstance(document.content, dict) else None
    problems: list[Problem] = []
    warnings: list[Problem] = []
    if content is not None and not isinstance(content, dict):
        text = f"Found {_found(content)}, wanted a mapping of keys to values."
        problems.append(Problem(document.lines[name,], name, text))
        content = None

    given: dict[str, Any] = {}
    refused: set[str] = set()
    placeholders: set[str] = set()
    for key, value in (content or {}).items():
        line, where = document.lines[name, key], dotted((name, key))
        if key not in keys_of(cls):
            problems.append(Problem(line, where, _unknown_key(key, name, list(keys_of(cls)))))
        elif isinstance(value, str) and _PLACEHOLDER.fullmatch(value):
            text = f"This is still the sample's placeholder {_found(value)}. It counts as not set."
            warnings.append(Problem(line, where, text))
            placeholders.add(key)
        elif value is not None:  # a key without a value is not set
            given[key] = value

    try:
        values = _validate(cls, given)
    except ValidationError as error:
        for details in error.errors(include_url=False):
            problems.append(_refusal(details, name, cls, given, document))
            refused.add(str(details["loc"][0]))
        given = {key: value for key, value in given.items() if key not in refused}
        values = _validate(cls, given)
    return Section(
        name=name,
        values=values,
        given=frozenset(given),
        refused=frozenset(refused),
        placeholders=frozenset(placeholders),
        problems=tuple(problems),
        warnings=tuple(warnings),
    )


def _validate(cls: type[S], content: dict[str, Any]) -> S:
    # As JSON, because pydantic is then as strict as a person expects: a list may become a tuple
    # and a mapping a dataclass, but "10" is not 10 and 1 is not true.
    if cls not in _validators:
        _validators[cls] = TypeAdapter(cls)
    values: S = _validators[cls].validate_json(json.dumps(content))
    return values


def _refusal(
    error: ErrorDetails, name: str, cls: type, content: dict[str, Any], document: YamlDocument
) -> Problem:
    """Return one error of pydantic's, with its line in the file and the words of the type."""
    location = error["loc"]
    path: KeyPath = (name, *location)
    line = next(
        document.lines[path[:end]]
        for end in range(len(path), 0, -1)
        if path[:end] in document.lines
    )
    if error["type"] == "unexpected_keyword_argument":
        parent = _annotation_at(cls, location[:-1])
        return Problem(
            line, dotted(path), _unknown_key(str(location[-1]), "", list(keys_of(parent)))
        )
    annotation = _annotation_at(cls, location)
    if error["type"] == "missing":
        return Problem(line, dotted(path), f"Missing, wanted {wanted(annotation)}.")
    if not keys_of(cls)[str(location[0])].repr:  # a secret
        return Problem(line, dotted(path), f"Wanted {wanted(annotation)}.")
    value: Any = content
    for part in location:
        value = value[part]
    text = f"Found {_found(value)}, wanted {wanted(annotation)}."
    return Problem(line, dotted(path), text + _quoting_advice(value, annotation))


def _annotation_at(cls: type, location: tuple[str | int, ...]) -> Any:
    """Return the type of the value at a place within a section."""
    annotation: Any = cls
    for part in location:
        if get_origin(annotation) is Annotated:
            annotation = get_args(annotation)[0]
        if dataclasses.is_dataclass(annotation) and isinstance(annotation, type):
            annotation = annotation_of(annotation, str(part))
        elif get_origin(annotation) is tuple:
            annotation = get_args(annotation)[0]
        else:
            annotation = get_args(annotation)[1]
    return annotation


def _found(value: Any) -> str:
    """Return a value as a person would name it. A long one is cut."""
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    if value is None:
        return "nothing"
    text = json.dumps(value, ensure_ascii=not (isinstance(value, str) and value.isprintable()))
    return text if len(text) <= 60 else f"{text[:57]}..."


def _quoting_advice(value: Any, annotation: Any) -> str:
    base = get_args(annotation)[0] if get_origin(annotation) is Annotated else annotation
    if isinstance(value, bool | int | float) and (base is str or get_origin(base) is Literal):
        return " Put text in quotes."
    if isinstance(value, str) and (
        (base is int and value.isdecimal())
        or (base is float and value.replace(".", "", 1).isdecimal())
        or (base is bool and value.lower() in {"true", "false"})
    ):
        return " Leave out the quotes."
    return ""


def _unknown_key(key: str, section: str, known: list[str]) -> str:
    """Return why ``key`` is not known here, and which one was probably meant."""
    for other, cls in SECTIONS.items():
        if other != section and key in keys_of(cls):
            return f"It belongs in the section {other}."
    by_lower_case = {each.lower(): each for each in known}
    close = difflib.get_close_matches(key.lower(), by_lower_case, n=1)
    if close:
        return f"Unknown key. Did you mean {by_lower_case[close[0]]}?"
    if len(known) < 5:
        return f"Unknown key, wanted one of {', '.join(known)}."
    return "Unknown key. docs/configuration.md lists every key."
