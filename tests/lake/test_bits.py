"""What rows of bits say, however they keep it."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from cdp_toolkit.lake.bits import both, holds, joined, moved_bits, pack_numbers, set_bits, to_bits, without

SIZE = 400
NUMBERS = st.sets(st.integers(0, SIZE - 1)) | st.sets(st.integers(0, SIZE - 1), max_size=8)


def array(numbers):
    return np.array(sorted(numbers), np.int64)


@given(kept=NUMBERS, asked=NUMBERS)
def test_a_row_holds_the_numbers_that_it_was_made_of(kept, asked):
    found = holds(*pack_numbers(array(kept), SIZE), array(asked), SIZE)

    assert found.tolist() == [each in kept for each in sorted(asked)]


@given(kept=NUMBERS, gone=NUMBERS)
def test_a_row_without_some_numbers_is_as_if_it_never_had_them(kept, gone):
    found = without(*pack_numbers(array(kept), SIZE), array(kept & gone), SIZE)

    assert found == pack_numbers(array(kept - gone), SIZE)


@given(one=NUMBERS, other=NUMBERS)
def test_rows_together_keep_what_each_of_them_keeps(one, other):
    bits = joined([pack_numbers(array(one), SIZE), pack_numbers(array(other), SIZE)], SIZE)

    assert set_bits(bits).tolist() == sorted(one | other)


@given(one=NUMBERS, other=NUMBERS)
def test_two_rows_with_nothing_in_common_become_one(one, other):
    found = both(pack_numbers(array(one), SIZE), pack_numbers(array(other - one), SIZE), SIZE)

    assert found == pack_numbers(array(one | other), SIZE)


@given(numbers=NUMBERS, start=st.integers(0, SIZE), length=st.integers(0, SIZE), to=st.integers(0, 40))
def test_a_stretch_of_bits_is_moved_with_nothing_beside_it(numbers, start, length, to):
    stop = min(start + length, SIZE)

    found = moved_bits(to_bits(array(numbers), SIZE), start, stop, to=to, size=to + stop - start + 3)

    assert set_bits(found).tolist() == [each - start + to for each in sorted(numbers) if start <= each < stop]
