"""YAML as this product reads and writes it: a small, exact subset.

Read: no aliases (they can make a few bytes stand for gigabytes), no tags, no
duplicate keys, and only the words that mean the same to everyone: `true`,
`false`, `null`, decimal numbers. `no` is Norwegian and `2012-06-30` is text.
Write: block style, one fixed order, never folded, so that what was read gives
the same bytes again.
"""

from __future__ import annotations

import math
import os
import re
import stat
from pathlib import Path
from typing import Any

import yaml
from yaml.composer import Composer, ComposerError
from yaml.constructor import ConstructorError, SafeConstructor
from yaml.parser import Parser
from yaml.reader import Reader
from yaml.resolver import Resolver
from yaml.scanner import Scanner

try:
    from yaml._yaml import CParser
except ImportError:
    CParser = None  # type: ignore[misc, assignment]

MAX_BYTES = 2 * 1024 * 1024
"""Largest YAML file that is read, in bytes."""

MAX_DEPTH = 32
"""Deepest nesting that is read."""


class YamlRefused(ValueError):
    """A YAML text cannot be taken; the message is one line that says what was expected."""


class _PythonParser(Reader, Scanner, Parser):
    """What reads events where there is no libyaml."""

    def __init__(self, text: str) -> None:
        Reader.__init__(self, text)
        Scanner.__init__(self)
        Parser.__init__(self)


# libyaml reads ten times faster where PyYAML was built with it, as its wheels are. Only its
# events are used: nodes are composed here, where aliases are refused.
_Parser: Any = _PythonParser if CParser is None else CParser


class _Loader(Composer, _Parser, SafeConstructor, Resolver):
    """A safe loader that refuses aliases, tags, duplicate keys and deep nesting."""

    depth = 0

    def __init__(self, text: str) -> None:
        _Parser.__init__(self, text)
        Composer.__init__(self)
        SafeConstructor.__init__(self)
        Resolver.__init__(self)

    # The C-style resolver table is shared by reference: give this class its own, small one.
    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012  the base class has it so

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            event = self.get_event()
            raise ComposerError(None, None, "aliases (*name) are not taken", event.start_mark)
        event = self.peek_event()
        if getattr(event, "anchor", None):
            raise ComposerError(None, None, "anchors (&name) are not taken", event.start_mark)
        if getattr(event, "tag", None):
            raise ComposerError(None, None, "tags (!name) are not taken", event.start_mark)
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise ComposerError(None, None, f"nests deeper than {MAX_DEPTH}", event.start_mark)
        try:
            return super().compose_node(parent, index)
        finally:
            self.depth -= 1

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        found: dict[Any, Any] = {}
        for key_node, value_node in node.value:
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, (str, int, bool)):
                raise ConstructorError(None, None, "expected a word as key", key_node.start_mark)
            if key in found:
                raise ConstructorError(None, None, f"key {key!r} stands twice", key_node.start_mark)
            found[key] = self.construct_object(value_node, deep=True)
        return found

    def construct_number(self, node: Any) -> int | float:
        text = node.value
        if len(text) > 40:
            raise ConstructorError(None, None, "expected at most 40 digits", node.start_mark)
        if re.fullmatch(r"[-+]?\d+", text):
            return int(text)
        number = float(text)
        if not math.isfinite(number):
            raise ConstructorError(None, None, "expected a finite number", node.start_mark)
        return number


_Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile(r"(?:true|false)\Z"), list("tf"))
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:null", re.compile(r"(?:null|~|)\Z"), ["n", "~", ""]
)
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"[-+]?(?:0|[1-9][0-9]*)(?:\.[0-9]+(?:[eE][-+][0-9]+)?)?\Z"),
    list("-+0123456789"),
)
_Loader.add_constructor("tag:yaml.org,2002:float", _Loader.construct_number)
_Loader.add_constructor(
    "tag:yaml.org,2002:map",
    lambda loader, node: loader.construct_mapping(node),  # type: ignore[arg-type]
)
_Loader.add_constructor(
    "tag:yaml.org,2002:seq",
    lambda loader, node: [loader.construct_object(child, deep=True) for child in node.value],
)


class _Dumper(yaml.SafeDumper):
    """Repeats a value instead of naming it: the reader refuses aliases."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def parse_yaml(text: str) -> Any:
    """The value in a YAML text.

    Raises:
        YamlRefused: not YAML, or YAML of a kind that is not taken; line and column are named.
    """
    loader = None
    try:
        loader = _Loader(text)
        return loader.get_single_data()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        raise YamlRefused(f"{where}{error.problem or error.context}") from error
    except (yaml.YAMLError, ValueError) as error:
        raise YamlRefused(str(error).splitlines()[0]) from error
    except RecursionError as error:
        raise YamlRefused(f"nests deeper than {MAX_DEPTH}") from error
    finally:
        if loader is not None:
            loader.dispose()


def read_yaml(path: Path, shown: str | None = None) -> Any:
    """The value in a YAML file of at most `MAX_BYTES`; `shown` is its name in messages.

    Raises:
        YamlRefused: the file is missing, no plain file, too large, not UTF-8, or refused YAML.
    """
    name = shown or path.name
    text = read_plain_file(path, MAX_BYTES, name)
    try:
        return parse_yaml(text.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise YamlRefused(f"{name}: expected UTF-8, byte {error.start} is none") from error
    except YamlRefused as error:
        raise YamlRefused(f"{name}: {error}") from error


def read_plain_file(path: Path, limit: int, shown: str) -> bytes:
    """The bytes of a plain file; a link, a device or more than `limit` bytes is refused.

    Raises:
        YamlRefused: in one line.
    """
    try:
        # O_NONBLOCK: opening a named pipe must not wait for a writer that never comes.
        number = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        raise YamlRefused(f"{shown}: expected a plain file ({error.strerror})") from error
    with os.fdopen(number, "rb") as file:
        facts = os.fstat(number)
        if not stat.S_ISREG(facts.st_mode):
            raise YamlRefused(f"{shown}: expected a plain file")
        if facts.st_size > limit:
            raise YamlRefused(f"{shown}: expected at most {limit} bytes, got {facts.st_size}")
        return file.read(limit + 1)


def dump_yaml(value: Any) -> str:
    """`value` as block-style YAML in the order it has; reading it gives the same value."""
    text: str = yaml.dump(
        value,
        Dumper=_Dumper,
        sort_keys=False,
        allow_unicode=True,
        width=1_000_000,
        default_flow_style=False,
    )
    return text
