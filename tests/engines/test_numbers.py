"""Numbers are found by numbers, however these lie."""

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdp_toolkit.engines.numbers import Known

HASHES = st.integers(0, 2**63 - 1)
CLOSE = st.integers(2**62, 2**62 + 50)  # so many that begin with the same bits are searched for
SIGNED = st.integers(-(2**63), 2**63 - 1)


@pytest.mark.parametrize("numbers", [HASHES, CLOSE, SIGNED])
def test_known_keys_give_their_number_and_others_null(numbers):
    @given(known=st.dictionaries(numbers, HASHES), asked=st.lists(st.none() | numbers))
    def check(known, asked):
        asked += known
        table = pl.DataFrame({"key": list(known), "id": known.values()}, schema={"key": pl.Int64, "id": pl.Int64})

        found = Known(table).find(pl.Series("key", asked, pl.Int64))

        assert found.to_list() == [known.get(key) for key in asked]

    check()
