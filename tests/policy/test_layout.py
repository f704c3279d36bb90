import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from firsthand.policy.layout import Layout, TokenGroup

groups = st.lists(st.integers(1, 3), min_size=1, max_size=3)


def build(observed: list[int], queries: list[int], within: str) -> Layout:
    return Layout(
        tuple(TokenGroup(f"o{i}", n) for i, n in enumerate(observed)),
        tuple(TokenGroup(f"q{i}", n) for i, n in enumerate(queries)),
        within,
    )


def tokens(layout: Layout, steps: int, asked: int) -> list[tuple[str, int, int]]:
    """Kind, step and number within the kind of every token, in the order the trunk sees them."""
    every = [("observed", t, i) for t in range(steps) for i in range(layout.observed_size)]
    first = steps - asked
    return every + [("query", t, i) for t in range(first, steps) for i in range(layout.query_size)]


@given(
    groups,
    groups,
    st.integers(1, 6),
    st.none() | st.integers(1, 7),
    st.none() | st.integers(1, 6),
    st.sampled_from(["full", "causal"]),
)
def test_mask_equals_a_brute_force_oracle(observed, queries, steps, window, asked, within):
    layout = build(observed, queries, within)
    asked = asked and min(asked, steps)
    rows = tokens(layout, steps, steps if asked is None else asked)

    def may_look(row: tuple[str, int, int], key: tuple[str, int, int]) -> bool:
        (kind, step, place), (_, key_step, key_place) = row, key
        if key_step != step:
            return key_step < step and (window is None or key_step > step - window)
        return kind == "query" or within == "full" or key_place <= place

    keys = [token for token in rows if token[0] == "observed"]
    expected = [[may_look(row, key) for key in keys] for row in rows]
    assert layout.mask(steps, window, asked).tolist() == expected
    assert layout.frames(steps, asked).tolist() == [step for _, step, _ in rows]


@given(st.data(), groups, groups, st.integers(1, 4))
def test_a_place_is_the_index_in_the_interleaved_sequence(data, observed, queries, steps):
    whole = build(observed, queries, "causal")
    chosen = data.draw(st.sets(st.sampled_from(whole.observed + whole.queries), min_size=1))
    some = Layout(
        tuple(g for g in whole.observed if g in chosen),
        tuple(g for g in whole.queries if g in chosen),
        "causal",
    )
    asked = data.draw(st.none() | st.integers(1, steps))
    interleaved = [
        (t, group.name, i)
        for t in range(steps)
        for group in whole.observed + whole.queries
        for i in range(group.size)
    ]
    mine = [(t, g.name, i) for t in range(steps) for g in some.observed for i in range(g.size)]
    mine += [
        (t, g.name, i)
        for t in range(steps - (asked or steps), steps)
        for g in some.queries
        for i in range(g.size)
    ]
    expected = [interleaved.index(token) for token in mine]
    assert some.position_ids(steps, whole, asked).tolist() == expected


def test_a_group_without_a_place_is_named():
    with pytest.raises(ValueError, match=r"has no q1; it has \['o0', 'q0'\]"):
        build([2], [1, 1], "full").position_ids(2, build([2], [1], "full"))


@given(groups, groups, st.integers(1, 3))
def test_split_gives_every_query_its_own_rows(observed, queries, steps):
    layout = build(observed, queries, "full")
    rows = steps * sum(queries)
    outputs = torch.arange(rows, dtype=torch.float32).expand(1, 1, -1).transpose(1, 2)
    parts = layout.split(outputs, steps)
    first = 0
    for step in range(steps):
        for group in layout.queries:
            for place in range(group.size):
                assert parts[group.name][0, step, place, 0] == first
                first += 1
