"""YAML with the line of every key, and without what PyYAML would silently accept.

PyYAML takes the last of two equal keys, and turns dates into objects. Both hide an operator's slip.
The document is therefore built here from PyYAML's nodes, which know their lines.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from estserver.config.errors import ConfigError

KeyPath = tuple[str | int, ...]

_TIMESTAMP = "tag:yaml.org,2002:timestamp"
_PLAIN_TAGS = frozenset(f"tag:yaml.org,2002:{kind}" for kind in ("null", "bool", "int", "float"))
_PLAIN_TAGS |= {"tag:yaml.org,2002:str", "tag:yaml.org,2002:seq", "tag:yaml.org,2002:map"}

# What PyYAML says, and what most often helps.
_ADVICE = (
    (
        "mapping values are not allowed",
        "Check indentation and colon of the line above, or put the value in quotes.",
    ),
    ("could not find expected ':'", "Write a colon and a space after the key."),
    ("unexpected end of stream", "Close the quote."),
    ("unknown escape character", "Use single quotes for text with backslashes."),
    ("expected <block end>", "Check the indentation."),
    ("cannot start any token", "Put the value in quotes."),
    ("another document", "Keep one document in the file."),
)


@dataclass(frozen=True, order=True)
class Problem:
    """One problem of a file. Problems sort by line; ``line`` is 0 where it is no line's."""

    line: int
    where: str
    text: str

    def render(self, file_name: str) -> str:
        """Return the line that a person reads: ``config.yaml:14 Properties.tags: Found ...``."""
        place = f"{file_name}:{self.line}" if self.line else file_name
        return f"{place} {self.where}: {self.text}" if self.where else f"{place}: {self.text}"


@dataclass(frozen=True)
class YamlDocument:
    """A file's content as plain values, the line of every key and item, and the problems."""

    content: Any
    lines: Mapping[KeyPath, int]
    problems: tuple[Problem, ...]


def dotted(path: KeyPath) -> str:
    """Return a path as people write it: ``DeploymentOptions.tags[1].key``."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return text.removeprefix(".")


def read_yaml(path: Path) -> YamlDocument:
    """Read one YAML document.

    Raises ConfigError when the file cannot be read at all or is not YAML. Lesser problems, such as
    a key given twice, are in the document, beside the values.
    """
    text = _read_text(path)
    try:
        loader = _Loader(text)
        return _Builder(loader).document(loader.get_single_node())
    except yaml.YAMLError as error:
        problem = _syntax_problem(error, text)
    # Raised out here, without PyYAML's error as its cause, because that one quotes the line, which
    # may hold the database's password.
    raise ConfigError(problem.render(path.name))


def _read_text(path: Path) -> str:
    try:
        raw = path.read_bytes()
    except FileNotFoundError as error:
        advice = "Correct its name, or the variable EST_CONFIG if that names it."
        raise ConfigError(f"{path}: There is no such file. {advice}") from error
    except OSError as error:
        reason = (error.strerror or "unknown error").lower()
        raise ConfigError(f"{path}: The file cannot be read ({reason}).") from error
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        text = f"Byte 0x{raw[error.start]:02x} is not UTF-8. Save the file in that encoding."
        raise ConfigError(Problem(line, "", text).render(path.name)) from error


def _syntax_problem(error: yaml.YAMLError, text: str) -> Problem:
    """Return a syntax error in words, without the text of the file."""
    if isinstance(error, yaml.reader.ReaderError):
        line = text.count("\n", 0, error.position) + 1
        code = ord(text[error.position])
        return Problem(line, "", f"Character U+{code:04X} is not allowed in YAML. Remove it.")
    if not isinstance(error, yaml.MarkedYAMLError) or error.problem_mark is None:
        return Problem(0, "", "The file is not valid YAML.")
    what = error.problem or "it is not understood"
    mark = error.problem_mark
    if "end of stream" in what and error.context_mark is not None:
        mark = error.context_mark  # the quote that is open, not the end of the file
    line_text = text.splitlines()[mark.line] if mark.line < len(text.splitlines()) else ""
    indentation = line_text[: len(line_text) - len(line_text.lstrip())]
    if "\t" in indentation:
        return Problem(mark.line + 1, "", "It is indented with a tab. YAML indents with spaces.")
    advice = next((advice for problem, advice in _ADVICE if problem in what), "")
    sentence = f"Column {mark.column + 1} is not valid YAML ({what})."
    return Problem(mark.line + 1, "", f"{sentence} {advice}".rstrip())


class _Loader(yaml.SafeLoader):
    """PyYAML's safe loader, which leaves a date the text that it is in the file."""

    yaml_implicit_resolvers = {
        first: [(tag, pattern) for tag, pattern in resolvers if tag != _TIMESTAMP]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


class _Builder:
    """Turns nodes into values, and notes lines and problems on the way."""

    def __init__(self, loader: _Loader) -> None:
        self.loader = loader
        self.lines: dict[KeyPath, int] = {}
        self.problems: list[Problem] = []
        self.open_nodes: list[yaml.Node] = []

    def document(self, root: yaml.Node | None) -> YamlDocument:
        content = None if root is None else self.value(root, ())
        return YamlDocument(content, self.lines, tuple(self.problems))

    def value(self, node: yaml.Node, path: KeyPath) -> Any:
        self.lines.setdefault(path, _line(node))
        if node.tag not in _PLAIN_TAGS:
            self.refuse(
                node, path, f"The YAML tag {node.tag!r} is not used here. Write plain values."
            )
            return None
        if any(node is parent for parent in self.open_nodes):
            self.refuse(node, path, "This alias contains itself. Write the value out.")
            return None
        self.open_nodes.append(node)
        try:
            if isinstance(node, yaml.MappingNode):
                return dict(self.entries(node, path))
            if isinstance(node, yaml.SequenceNode):
                return [self.value(item, (*path, i)) for i, item in enumerate(node.value)]
            return self.loader.construct_object(node)
        except ValueError:  # such as "0b_", which PyYAML takes for a number
            self.refuse(node, path, "It cannot be read as a number. Put it in quotes.")
            return None
        finally:
            self.open_nodes.pop()

    def entries(self, node: yaml.MappingNode, path: KeyPath) -> Iterator[tuple[str, Any]]:
        seen: dict[str, int] = {}
        for key_node, value_node in node.value:
            if key_node.tag != "tag:yaml.org,2002:str":
                self.refuse(key_node, path, "A key is not text. Put it in quotes.")
                continue
            key = key_node.value
            if key in seen:
                text = f"It is given twice, first in line {seen[key]}. Keep one of the two."
                self.refuse(key_node, (*path, key), text)
                continue
            seen[key] = self.lines[(*path, key)] = _line(key_node)
            yield key, self.value(value_node, (*path, key))

    def refuse(self, node: yaml.Node, path: KeyPath, text: str) -> None:
        self.problems.append(Problem(_line(node), dotted(path), text))


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1
