"""Rich text: CommonMark without HTML, and `{base|reading}` ruby, as a small tree. Pure.

The tree is the one of docs/package-format.md section 3. What it cannot hold falls
back to its text: a picture to its alternative text, code blocks to paragraphs. A
player builds elements from the tree, so nothing in a text can ever run.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.rules_inline import StateInline
from markdown_it.token import Token

from content_api.content.links import safe_href

Node = dict[str, Any]
Inline = str | Node

MAX_SOURCE = 200_000
"""Characters of a text that are read; a field's own limit is far lower."""

MAX_SPANS = 12
"""How deep emphasis and links nest; deeper ones are plain text."""

_HEADINGS = {"h1": "h2", "h2": "h2", "h3": "h3", "h4": "h4", "h5": "h4", "h6": "h4"}
_CONTAINERS = {
    "blockquote_open": "quote",
    "bullet_list_open": "ul",
    "ordered_list_open": "ol",
    "list_item_open": "li",
}
_SPANS = {"em_open": "em", "strong_open": "strong"}


def to_nodes(markdown: str) -> list[Node]:
    """Block nodes of a `markdown` value. Any text gives a tree; none raises."""
    tokens = _parser().parse(_clean(markdown))
    nodes, _ = _blocks(tokens, 0)
    return nodes


def inline_nodes(text: str) -> list[Inline]:
    """Inline nodes of an `inline` value: one line, no blocks."""
    tokens = _parser().parseInline(_clean(text).replace("\n", " "))
    return _inline(tokens[0].children or []) if tokens else []


def to_html(nodes: Sequence[Inline]) -> str:
    """Nodes, block or inline, as HTML: every text escaped, every address checked."""
    return "".join(_html(node) for node in nodes)


def to_text(nodes: Sequence[Inline], *, readings: bool = False) -> str:
    """Nodes as plain text, blocks apart by a line end. `readings`: ruby as its reading."""
    return _text(nodes, readings).strip("\n")


def search_words(nodes: Sequence[Inline]) -> str:
    """Nodes as words to search: ruby as base and reading, so that either finds it."""
    return (
        f"{to_text(nodes)}\n{to_text(nodes, readings=True)}" if _has_ruby(nodes) else to_text(nodes)
    )


def _ruby(state: StateInline, silent: bool) -> bool:
    """`{base|reading}`: both without braces, bars and line ends, and not empty."""
    source, start = state.src, state.pos
    if source[start] != "{":
        return False
    end = source.find("}", start + 1, start + 202)
    if end < 0 or end >= state.posMax:
        return False
    written = source[start + 1 : end]
    base, bar, reading = (part.strip() for part in written.partition("|"))
    if not bar or not base or not reading or "|" in reading or any(c in written for c in "{\n"):
        return False
    if not silent:
        token = state.push("ruby", "", 0)
        token.meta = {"base": base, "reading": reading}
    state.pos = end + 1
    return True


def _make_parser() -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"html": False, "maxNesting": 40})
    parser.disable(["html_block", "html_inline", "reference", "code"], ignoreInvalid=True)
    parser.inline.ruler.before("emphasis", "ruby", _ruby)
    # Links are judged here and not by the parser's own, looser list.
    parser.validateLink = lambda _address: True  # type: ignore[method-assign,assignment]
    parser.normalizeLink = lambda address: address  # type: ignore[method-assign,assignment]
    # The text rule swallows characters that no rule starts with; "{" starts one now.
    parser.inline.add_terminator_char("{")
    return parser


_PARSER = _make_parser()


def _parser() -> MarkdownIt:
    return _PARSER


def _clean(text: str) -> str:
    return text[:MAX_SOURCE].encode("utf-8", "replace").decode("utf-8")


def _blocks(tokens: Sequence[Token], index: int) -> tuple[list[Node], int]:
    nodes: list[Node] = []
    while index < len(tokens):
        token = tokens[index]
        if token.nesting < 0:
            return nodes, index + 1
        index += 1
        if token.type == "inline":
            # A tight list's paragraphs are hidden: their text is an item's own.
            nodes.extend(_paragraph(_inline(token.children or [])))
        elif token.type == "hr":
            nodes.append({"t": "hr"})
        elif token.type in ("fence", "code_block"):
            nodes.extend(_paragraph([token.content.rstrip("\n")]))
        elif token.nesting > 0:
            inner, index = _blocks(tokens, index)
            nodes.extend(_opened(token, inner))
    return nodes, index


def _paragraph(content: list[Inline]) -> list[Node]:
    return [{"t": "p", "c": content}] if content and content != [""] else []


def _opened(token: Token, inner: list[Node]) -> list[Node]:
    if token.type == "heading_open":
        content = [part for node in inner for part in node["c"]]
        return [{"t": _HEADINGS[token.tag], "c": content}] if content else []
    name = _CONTAINERS.get(token.type)
    if name is None:
        return inner
    if name == "li" and len(inner) == 1 and inner[0]["t"] == "p":
        return [{"t": "li", "c": inner[0]["c"]}]
    return [{"t": name, "c": inner}] if inner else []


def _inline(tokens: Sequence[Token]) -> list[Inline]:
    nodes, _ = _inline_from(tokens, 0, 0)
    return nodes


def _inline_from(tokens: Sequence[Token], index: int, depth: int) -> tuple[list[Inline], int]:
    nodes: list[Inline] = []
    ignored = 0
    while index < len(tokens):
        token = tokens[index]
        index += 1
        if token.nesting < 0:
            if not ignored:
                return nodes, index
            ignored -= 1
        elif token.nesting > 0 and depth >= MAX_SPANS:
            # Thousands of stars nest thousands deep: keep their text, forget their emphasis.
            ignored += 1
        elif token.nesting > 0:
            inner, index = _inline_from(tokens, index, depth + 1)
            _extend(nodes, _span(token, inner))
        else:
            _extend(nodes, _leaf(token))
    return nodes, index


def _span(token: Token, inner: list[Inline]) -> list[Inline]:
    if not inner:
        return []
    if token.type == "link_open":
        href = safe_href(str(token.attrGet("href") or ""))
        return [{"t": "a", "href": href, "c": inner}] if href else inner
    name = _SPANS.get(token.type)
    return [{"t": name, "c": inner}] if name else inner


def _leaf(token: Token) -> list[Inline]:
    if token.type == "softbreak":
        return [" "]
    if token.type == "hardbreak":
        return [{"t": "br"}]
    if token.type == "ruby":
        return [{"t": "ruby", **token.meta}]
    if token.type == "code_inline":
        return [{"t": "code", "c": [token.content]}] if token.content else []
    if token.type == "image":
        return [to_text(_inline(token.children or []))]
    return [token.content]


def _extend(nodes: list[Inline], more: Iterable[Inline]) -> None:
    for node in more:
        if node == "":
            continue
        if nodes and isinstance(node, str) and isinstance(nodes[-1], str):
            nodes[-1] += node
        else:
            nodes.append(node)


def _html(node: Inline) -> str:
    if isinstance(node, str):
        return escape(node)
    name = node["t"]
    if name in ("br", "hr"):
        return f"<{name}>"
    if name == "ruby":
        return (
            f"<ruby>{escape(node['base'])}<rp>(</rp><rt>{escape(node['reading'])}</rt>"
            "<rp>)</rp></ruby>"
        )
    inner = to_html(node["c"])
    if name == "a":
        href = safe_href(node["href"])
        return f'<a href="{escape(href)}" rel="noopener">{inner}</a>' if href else inner
    tag = {"quote": "blockquote"}.get(name, name)
    return f"<{tag}>{inner}</{tag}>"


_BLOCKS = frozenset({"p", "h2", "h3", "h4", "quote", "ul", "ol", "li", "hr"})


def _text(nodes: Sequence[Inline], readings: bool) -> str:
    parts: list[str] = []
    for node in nodes:
        if isinstance(node, str):
            parts.append(node)
        elif node["t"] == "ruby":
            parts.append(node["reading" if readings else "base"])
        elif node["t"] == "br":
            parts.append("\n")
        else:
            inner = _text(node.get("c", ()), readings)
            parts.append(f"{inner.rstrip(chr(10))}\n" if node["t"] in _BLOCKS else inner)
    return "".join(parts)


def _has_ruby(nodes: Sequence[Inline]) -> bool:
    return any(
        node["t"] == "ruby" or _has_ruby(node.get("c", ()))
        for node in nodes
        if not isinstance(node, str)
    )
