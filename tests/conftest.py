"""Hypothesis profiles: `regrow` is loaded; `quick` is for a suite that is repeated.

Where the variable CI is set, both are derandomized, as Hypothesis has it.
"""

from hypothesis import settings

# A deadline in real time would fail on a busy machine and says nothing about regrow.
settings.register_profile("regrow", deadline=None)
settings.register_profile("quick", deadline=None, max_examples=15)
settings.load_profile("regrow")
