from apikeys.admin import keys, people

__all__ = ["keys", "people"]
