"""Checks of the head's contract, for the tests of packages that bring a head. They need no test framework.

In: a `HeadBuilder`, usually a head's class.
Out: nothing, or HeadError with what is wrong and what to do.
Read first: `checks.py`; `rules.py` has what every head must do, `optional_rules.py` what the optional protocols add.

With pytest, each check becomes a test of its own:

    import pytest
    from classify.heads.testing import HEAD_CHECKS
    from my_heads import MyHead

    @pytest.mark.parametrize("check", HEAD_CHECKS, ids=str)
    def test_my_head_keeps_the_contract(check):
        check(MyHead)

`check_head(MyHead)` runs all of them. Options go through `functools.partial(MyHead, positions="timestamps")`.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
