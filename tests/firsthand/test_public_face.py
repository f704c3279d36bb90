"""`import firsthand` names everything, and every name leads somewhere."""

import firsthand


def test_every_public_name_can_be_used() -> None:
    for name in firsthand.__all__:
        assert getattr(firsthand, name) is not None
        assert name in dir(firsthand)
        assert name in (firsthand.__doc__ or "")


def test_a_name_that_does_not_exist_is_an_attribute_error() -> None:
    assert not hasattr(firsthand, "Polici")
