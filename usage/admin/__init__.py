"""What operators see of usage, and the pages that put all apps together: the home, the search, and a customer."""

from usage.admin import reports

__all__ = ["reports"]
