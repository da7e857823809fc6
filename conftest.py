"""What every test run shares: how many examples the property tests try."""

from hypothesis import settings

# `ci` is hypothesis's own: the same examples each time. The nightly run looks further.
settings.register_profile("nightly", max_examples=5_000, deadline=None)
