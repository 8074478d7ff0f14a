"""Generated input is the same in every run."""

from hypothesis import settings

import support.builders.order_strategies  # noqa: F401  registers the profile

settings.load_profile("ordermill")
