"""Content types: what YAML is taken, and what a mistake in it says."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from content_api.content.types import TypesRefused, load_types
from content_api.content.yaml_files import MAX_BYTES, YamlRefused, dump_yaml, parse_yaml

from .conftest import PLACE, write_types


def refusal(folder: Path, name: str, text: str) -> str:
    write_types(folder)
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(text, encoding="utf-8")
    with pytest.raises(TypesRefused) as caught:
        load_types(folder)
    assert "\n" not in caught.value.message
    return caught.value.message


def test_a_type_keeps_the_order_of_its_fields_and_knows_its_blocks(types):
    place = types.type("place")
    assert [field.id for field in place.fields][:3] == ["title", "lead", "coords"]
    assert place.field("title").required == "publish"
    assert place.field("story").of == ("paragraph", "figure")
    assert types.block("figure").field("caption").localized


def test_the_types_of_the_sample_collection_load():
    types = load_types(Path(__file__).parents[2] / "media" / "types")
    assert {"place", "story", "tour", "asset", "glossary_term", "scene"} <= set(types.types)


def test_an_unknown_kind_is_refused_naming_file_field_and_what_was_expected(tmp_path):
    message = refusal(tmp_path, "place.yml", PLACE.replace("kind: geopoint", "kind: point"))
    assert message.startswith("types/place.yml: fields.2.kind: expected one of text, inline,")
    assert message.endswith("got 'point'")


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (("id: place", "id: house"), "types/place.yml: id: expected place, the file's name"),
        (
            ("of: [place]", "of: [palace]"),
            "types/place.yml: fields.near.of: expected a content type",
        ),
        (
            ("[paragraph, figure]", "[film]"),
            "types/place.yml: fields.story.of: expected a block type",
        ),
        (("kind: number", "kind: number, max: 5"), "types/place.yml: fields.3.max: has no meaning"),
        (("id: height", "id: title"), "types/place.yml: fields: title stands twice"),
        (
            ("{fr: Lieu, en: Place}", "{FR: Lieu}"),
            "types/place.yml: label.FR.key: expected a language",
        ),
        (
            ("required: publish", "required: yes"),
            "types/place.yml: fields.0.required: expected never",
        ),
        (("max: 120", "max: many"), "types/place.yml: fields.0.max:"),
        (("localized: true", "localised: true"), "types/place.yml: fields.0.localised: Unknown"),
    ],
)
def test_a_mistake_in_a_type_is_one_line_that_says_where(tmp_path, change, expected):
    assert refusal(tmp_path, "place.yml", PLACE.replace(*change, 1)).startswith(expected)


def test_a_block_that_holds_blocks_is_refused(tmp_path):
    text = "id: nest\nlabel: {fr: Nid}\nfields:\n  - {id: x, kind: blocks, of: [paragraph]}\n"
    message = refusal(tmp_path, "blocks/nest.yml", text)
    assert message == "types/blocks/nest.yml: fields.x.kind: a block holds no blocks"


def test_a_yaml_bomb_is_refused_before_it_grows():
    bomb = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
        f"{name}: &{name} [{','.join(['*' + before] * 9)}]\n"
        for before, name in zip("abcdefghijk", "bcdefghijkl", strict=True)
    )
    with pytest.raises(YamlRefused, match="line 1, column 4: anchors"):
        parse_yaml(bomb)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: *x", "aliases"),
        ("a: !!python/object/apply:os.system [id]", "tags"),
        ("a: 1\na: 2", "line 2, column 1: key 'a' stands twice"),
        ("[" * 100, "nests deeper than 32"),
        ("a: [1", "line"),
        ("a: " + "9" * 100, "at most 40 digits"),
        ("--- 1\n--- 2", "document"),
    ],
)
def test_yaml_beyond_plain_values_is_refused_in_one_line(text, said):
    with pytest.raises(YamlRefused) as caught:
        parse_yaml(text)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_words_that_yaml_readers_disagree_on_are_text():
    text = "no: no\nd: 2012-06-30\ne: 012\nf: 1e5\ng: 1:30\nh: true\ni: -3\nj: 1.50"
    assert parse_yaml(text) == {
        "no": "no", "d": "2012-06-30", "e": "012", "f": "1e5", "g": "1:30", "h": True, "i": -3,
        "j": 1.5,
    }  # fmt: skip


def test_a_file_larger_than_any_type_is_refused(tmp_path):
    write_types(tmp_path)
    (tmp_path / "big.yml").write_bytes(b"#" * (MAX_BYTES + 1))
    with pytest.raises(TypesRefused, match=r"types/big\.yml: expected at most"):
        load_types(tmp_path)


def test_a_link_is_not_followed_to_a_type(tmp_path):
    write_types(tmp_path)
    (tmp_path / "secret.yml").symlink_to("/etc/passwd")
    with pytest.raises(TypesRefused, match=r"types/secret\.yml: expected a plain file"):
        load_types(tmp_path)


plain = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**15), 10**15)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs", "Cc"])),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.text(st.characters(categories=["L", "N"]), min_size=1), inner, max_size=4
        )
    ),
    max_leaves=12,
)


@given(plain)
def test_what_is_written_as_yaml_is_read_as_the_same_value(value):
    assert parse_yaml(dump_yaml(value)) == value


@given(st.text())
def test_any_text_is_yaml_or_refused(text):
    said = ""
    try:
        parse_yaml(text)
    except YamlRefused as error:
        said = str(error)
    assert "\n" not in said
