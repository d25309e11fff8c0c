"""Rich text: any text becomes a harmless tree."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from content_api.content.links import safe_href
from content_api.content.richtext import inline_nodes, search_words, to_html, to_nodes, to_text

BLOCKS = {"p", "h2", "h3", "h4", "quote", "ul", "ol", "li", "hr"}
INLINE = {"em", "strong", "code", "a", "br", "ruby"}


def check(nodes, *, allowed=BLOCKS | INLINE):
    for node in nodes:
        if isinstance(node, str):
            continue
        assert node["t"] in allowed
        if node["t"] == "a":
            assert node["href"].split(":")[0] in ("http", "https", "mailto")
        if node["t"] == "ruby":
            assert set(node) == {"t", "base", "reading"}
            assert node["base"]
            assert node["reading"]
        check(node.get("c", ()), allowed=allowed)


class Elements(HTMLParser):
    def __init__(self):
        super().__init__()
        self.found = []

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))


def elements(html):
    parser = Elements()
    parser.feed(html)
    return parser.found


def test_markdown_becomes_the_tree_of_the_package_format():
    nodes = to_nodes(
        "## Le *port*\n\nUn **grand** port  \nde [mer](https://x.org/).\n\n"
        "- un\n- deux\n\n> mot\n\n---"
    )
    assert nodes == [
        {"t": "h2", "c": ["Le ", {"t": "em", "c": ["port"]}]},
        {"t": "p", "c": ["Un ", {"t": "strong", "c": ["grand"]}, " port", {"t": "br"}, "de ",
                         {"t": "a", "href": "https://x.org/", "c": ["mer"]}, "."]},
        {"t": "ul", "c": [{"t": "li", "c": ["un"]}, {"t": "li", "c": ["deux"]}]},
        {"t": "quote", "c": [{"t": "p", "c": ["mot"]}]},
        {"t": "hr"},
    ]  # fmt: skip


def test_ruby_has_a_base_and_a_reading():
    assert inline_nodes("{竪坑|たてこう}の上") == [
        {"t": "ruby", "base": "竪坑", "reading": "たてこう"},
        "の上",
    ]
    assert to_html(inline_nodes("{竪坑|たてこう}")) == (
        "<ruby>竪坑<rp>(</rp><rt>たてこう</rt><rp>)</rp></ruby>"
    )


@pytest.mark.parametrize("text", ["{a}", "{a|b|c}", "{|b}", "{a|}", "{a|b", "{{a|b}", "{a\n|b}"])
def test_what_only_looks_like_ruby_stays_text(text):
    assert "<ruby>" not in to_html(to_nodes(text)) or text == "{{a|b}"
    assert to_text(to_nodes(text)).replace(" ", "") in (text.replace("\n", ""), "{a")


def test_text_is_without_readings_and_search_knows_both():
    nodes = to_nodes("{竪坑|たてこう}を降りる")
    assert to_text(nodes) == "竪坑を降りる"
    assert to_text(nodes, readings=True) == "たてこうを降りる"
    assert search_words(nodes) == "竪坑を降りる\nたてこうを降りる"


def test_a_picture_in_markdown_is_its_alternative_text():
    assert to_nodes("![une *grue*](https://x.org/a.png)") == [{"t": "p", "c": ["une grue"]}]


def test_html_in_a_text_is_text():
    html = to_html(to_nodes("<script>alert(1)</script> <b onclick=x>y</b>"))
    assert [tag for tag, _ in elements(html)] == ["p"]
    assert "&lt;script&gt;" in html


BAD_LINKS = [
    "javascript:alert(1)", "JaVaScRiPt:alert(1)", "jav\tascript:alert(1)", "jav\nascript:alert(1)",
    "java\x00script:alert(1)", " javascript:alert(1)", "\x01javascript:alert(1)",
    "data:text/html,<script>alert(1)</script>", "vbscript:x", "file:///etc/passwd", "//evil.org",
    "/relative", "relative", "#x", "http:evil", "https:///x", "http://", "https://user@evil.org/",
    "https://good.org@evil.org/", "https://x.org:99999/", "https://[::1", "https:\\\\evil.org",
    "mailto:", "mailto:a@b.c?bcc=all@x.org", "javascript&colon;alert(1)", "feed:javascript:1",
    "https://x.org/\u202egnp.exe", "blob:https://x.org/1", "about:blank", "ftp://x.org/",
]  # fmt: skip


@pytest.mark.parametrize("address", BAD_LINKS)
def test_an_address_beyond_http_https_and_mailto_is_no_link(address):
    assert safe_href(address) is None
    for text in (f"[x](<{address}>)", f"[x]({address})", f"<{address}>", f"[x]: {address}\n\n[x]"):
        for tag, attributes in elements(to_html(to_nodes(text))):
            href = attributes.get("href")
            assert tag != "a" or safe_href(href) == href


@pytest.mark.parametrize(
    ("address", "href"),
    [
        ("https://Exemple.fr/é?q=a b".replace(" ", "%20"), "https://Exemple.fr/%C3%A9?q=a%20b"),
        ("HTTP://x.org", "http://x.org"),
        ("mailto:a.b+c@x.org", "mailto:a.b+c@x.org"),
        ("https://ja.wikipedia.org/wiki/炭鉱", "https://ja.wikipedia.org/wiki/%E7%82%AD%E9%89%B1"),
    ],
)
def test_an_honest_address_is_a_link_in_ascii(address, href):
    assert safe_href(address) == href


XSS = [
    "<img src=x onerror=alert(1)>", "<svg/onload=alert(1)>", "[x](javascript:alert`1`)",
    "![x](x\" onerror=alert(1))", "<a href='javascript:1'>x</a>",
    "[x](https://x.org \"t\" onclick=1)",
    "**<iframe src=//x>**", "`</code><script>1</script>`", "<!-- --!><img src=x onerror=1>",
    "[a](https://x.org/\"onmouseover=alert(1)//)", "{<script>|</script>}", "&lt;script&gt;",
    "<https://x.org/<script>>", "# <b>\n\n> <i>", "]]><script>", "<style>@import 'x'</style>",
]  # fmt: skip


@pytest.mark.parametrize("text", XSS)
def test_the_usual_attacks_make_no_element_and_no_attribute_of_theirs(text):
    allowed = {"p", "h2", "h3", "h4", "blockquote", "ul", "ol", "li", "hr", "em", "strong", "code",
               "a", "br", "ruby", "rp", "rt"}  # fmt: skip
    for tag, attributes in elements(to_html(to_nodes(text)) + to_html(inline_nodes(text))):
        assert tag in allowed
        assert set(attributes) <= {"href", "rel"}


pieces = st.sampled_from(
    ["*", "**", "_", "`", "[", "](", ")", "<", ">", "{", "|", "}", "\n", "\n\n", "- ", "1. ", "# ",
     "> ", "---", "&amp;", "\\", "javascript:", "https://x.org", "a", "漢", " ", "\t", "\x00",
     "\ud800", "```", "    ", "![", "\r", "\u202e"]
)  # fmt: skip


@given(st.lists(pieces, max_size=60).map("".join) | st.text())
def test_no_text_raises_and_no_node_is_unknown(text):
    nodes = to_nodes(text)
    check(nodes)
    assert all(isinstance(node, dict) and node["t"] in BLOCKS for node in nodes)
    check(inline_nodes(text), allowed=INLINE)
    to_html(nodes).encode()
    to_text(nodes).encode()


@pytest.mark.parametrize(
    "text", ["*" * 9000, "[" * 9000, "> " * 3000, "{" * 9000, "`" * 9000, "*a _" * 3000]
)
def test_a_text_made_to_nest_deep_is_read_all_the_same(text):
    check(to_nodes(text))
