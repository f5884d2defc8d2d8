"""Patches are pure functions that follow their RFCs."""

from __future__ import annotations

import copy
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.kubernetes_api.patch import MalformedPatch, PatchFailed, json_equal, json_patch, merge_patch

KEYS = st.sampled_from(["a", "b", "c", "a/b", "m~n", "", "0", "-"])
SCALARS = st.none() | st.booleans() | st.integers(-2, 2) | st.sampled_from([0.0, 1.0, 1.5, "", "x"])
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=8,
)
PLACES = st.sampled_from(["", "/a", "/b", "/a/0", "/a/-", "/a/b", "/a~1b", "no pointer"])
OPERATIONS = st.fixed_dictionaries(
    {},
    optional={
        "op": st.sampled_from(["add", "remove", "replace", "move", "copy", "test"]) | JSON,
        "path": PLACES | JSON,
        "from": PLACES | JSON,
        "value": JSON,
    },
)
OBJECTS = st.dictionaries(KEYS, JSON, max_size=4)

# RFC 7386, appendix A: original, patch, result.
RFC_7386 = [
    ({"a": "b"}, {"a": "c"}, {"a": "c"}),
    ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
    ({"a": "b"}, {"a": None}, {}),
    ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
    ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
    ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
    ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
    ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
    (["a", "b"], ["c", "d"], ["c", "d"]),
    ({"a": "b"}, ["c"], ["c"]),
    ({"a": "foo"}, None, None),
    ({"a": "foo"}, "bar", "bar"),
    ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
    ([1, 2], {"a": "b", "c": None}, {"a": "b"}),
    ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
]

# RFC 6902, appendix A: document, operations, result.
RFC_6902 = [
    ({"foo": "bar"}, [{"op": "add", "path": "/baz", "value": "qux"}], {"baz": "qux", "foo": "bar"}),
    (
        {"foo": ["bar", "baz"]},
        [{"op": "add", "path": "/foo/1", "value": "qux"}],
        {"foo": ["bar", "qux", "baz"]},
    ),
    ({"baz": "qux", "foo": "bar"}, [{"op": "remove", "path": "/baz"}], {"foo": "bar"}),
    ({"foo": ["bar", "qux", "baz"]}, [{"op": "remove", "path": "/foo/1"}], {"foo": ["bar", "baz"]}),
    (
        {"baz": "qux", "foo": "bar"},
        [{"op": "replace", "path": "/baz", "value": "boo"}],
        {"baz": "boo", "foo": "bar"},
    ),
    (
        {"foo": {"bar": "baz", "waldo": "fred"}, "qux": {"corge": "grault"}},
        [{"op": "move", "from": "/foo/waldo", "path": "/qux/thud"}],
        {"foo": {"bar": "baz"}, "qux": {"corge": "grault", "thud": "fred"}},
    ),
    (
        {"foo": ["all", "grass", "cows", "eat"]},
        [{"op": "move", "from": "/foo/1", "path": "/foo/3"}],
        {"foo": ["all", "cows", "eat", "grass"]},
    ),
    (
        {"baz": "qux", "foo": ["a", 2, "c"]},
        [
            {"op": "test", "path": "/baz", "value": "qux"},
            {"op": "test", "path": "/foo/1", "value": 2},
        ],
        {"baz": "qux", "foo": ["a", 2, "c"]},
    ),
    (
        {"foo": "bar"},
        [{"op": "add", "path": "/child", "value": {"grandchild": {}}}],
        {"foo": "bar", "child": {"grandchild": {}}},
    ),
    (
        {"/": 9, "~1": 10},
        [{"op": "test", "path": "/~01", "value": 10}],
        {"/": 9, "~1": 10},
    ),
    (
        {"foo": ["bar"]},
        [{"op": "add", "path": "/foo/-", "value": ["abc", "def"]}],
        {"foo": ["bar", ["abc", "def"]]},
    ),
    ({"foo": "bar"}, [{"op": "add", "path": "", "value": {"a": 1}}], {"a": 1}),
]


@pytest.mark.parametrize(("original", "patch", "result"), RFC_7386)
def test_merge_follows_the_table_of_rfc_7386(original: Any, patch: Any, result: Any) -> None:
    assert merge_patch(original, patch) == result


@pytest.mark.parametrize(("document", "operations", "result"), RFC_6902)
def test_json_patch_follows_the_examples_of_rfc_6902(document: Any, operations: Any, result: Any) -> None:
    assert json_patch(document, operations) == result


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "test", "path": "/a", "value": "no"},
        {"op": "test", "path": "/n", "value": True},
        {"op": "add", "path": "/missing/child", "value": 1},
        {"op": "add", "path": "/l/3", "value": 1},
        {"op": "add", "path": "/l/01", "value": 1},
        {"op": "add", "path": "/a/child", "value": 1},
        {"op": "replace", "path": "/missing", "value": 1},
        {"op": "replace", "path": "/l/-", "value": 1},
        {"op": "remove", "path": "/l/2"},
        {"op": "move", "from": "/o", "path": "/o/inner"},
        {"op": "copy", "from": "/missing", "path": "/b"},
    ],
)
def test_an_operation_that_does_not_fit_fails(operation: Any) -> None:
    with pytest.raises(PatchFailed):
        json_patch({"a": "b", "n": 1, "l": [1, 2], "o": {}}, [operation])


@pytest.mark.parametrize(
    "patch",
    [
        {"op": "add"},
        ["add"],
        [{"op": "merge", "path": "/a"}],
        [{"op": "add", "path": "/a"}],
        [{"op": "move", "path": "/a"}],
        [{"op": "remove"}],
        [{"op": "remove", "path": "a"}],
        [{"op": "remove", "path": "/a~2"}],
        [{"op": "remove", "path": 1}],
        [{"op": ["add"], "path": "/a", "value": 1}],
    ],
)
def test_what_is_no_patch_is_called_malformed(patch: Any) -> None:
    with pytest.raises(MalformedPatch):
        json_patch({"a": 1}, patch)


def difference(before: Any, after: Any) -> Any:
    """The merge patch from one object to another, where the second holds no null."""
    if not (isinstance(before, dict) and isinstance(after, dict)):
        return after
    removed = {key: None for key in before if key not in after}
    return removed | {
        key: difference(before[key], value) if key in before else value for key, value in after.items()
    }


def without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: without_nulls(inner) for key, inner in value.items() if inner is not None}
    return value


@given(OBJECTS, OBJECTS.map(without_nulls))
def test_a_merge_of_the_difference_makes_the_other(before: Any, after: Any) -> None:
    assert json_equal(merge_patch(before, difference(before, after)), after)


@given(JSON, JSON)
def test_a_merge_twice_is_a_merge_once_and_touches_neither_argument(target: Any, patch: Any) -> None:
    kept = copy.deepcopy((target, patch))
    once = merge_patch(target, patch)
    assert json_equal(merge_patch(once, patch), once)
    assert json_equal(list(kept), [target, patch])


def pointers(value: Any, here: str = "") -> list[str]:
    """The pointer of every value in a document."""
    if isinstance(value, dict):
        parts = [(key.replace("~", "~0").replace("/", "~1"), inner) for key, inner in value.items()]
    else:
        parts = [(str(n), inner) for n, inner in enumerate(value)] if isinstance(value, list) else []
    return [here, *(found for part, inner in parts for found in pointers(inner, f"{here}/{part}"))]


@given(st.data(), OBJECTS, JSON)
def test_replacing_and_putting_back_changes_nothing(data: Any, document: Any, value: Any) -> None:
    kept, pointer = copy.deepcopy(document), data.draw(st.sampled_from(pointers(document)))
    copied = json_patch(document, [{"op": "copy", "from": pointer, "path": ""}])
    there = [
        {"op": "replace", "path": pointer, "value": value},
        {"op": "test", "path": pointer, "value": value},
    ]
    back = [{"op": "replace", "path": pointer, "value": copied}]
    assert json_equal(json_patch(document, there + back), document)
    assert json_equal(document, kept), "the argument is never changed"


@given(st.data(), OBJECTS)
def test_removing_and_adding_again_changes_nothing(data: Any, document: Any) -> None:
    pointer = data.draw(st.sampled_from(pointers(document)))
    value = json_patch(document, [{"op": "copy", "from": pointer, "path": ""}])
    operations = [{"op": "remove", "path": pointer}, {"op": "add", "path": pointer, "value": value}]
    assert json_equal(json_patch(document, operations), document)


@given(OBJECTS, st.lists(OPERATIONS, max_size=3))
def test_any_patch_gives_a_document_or_one_of_two_errors(document: Any, operations: Any) -> None:
    kept = copy.deepcopy(document)
    with suppress(MalformedPatch, PatchFailed):
        json_patch(document, operations)
    assert json_equal(document, kept)


@given(JSON)
def test_equality_knows_a_copy_and_tells_true_from_one(value: Any) -> None:
    assert json_equal(value, copy.deepcopy(value))
    assert not json_equal([value, 1], [value, True])
