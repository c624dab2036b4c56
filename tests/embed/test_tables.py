"""Names in a store's sorted table of ids."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from embed.tables import encode_text, find_id, find_ids


@given(st.lists(st.text("ab/é\udcff", min_size=1, max_size=4), unique=True), st.text("ab/é\udcff", max_size=5))
def test_one_name_is_found_as_many_are(names: list[str], wanted: str) -> None:
    ids = np.sort(np.array([encode_text(name) for name in names], dtype=np.bytes_))

    for name in (*names, wanted):
        assert find_id(ids, name) == find_ids(ids, [name])[0]
