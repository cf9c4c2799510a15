"""Customers from another system: organizations, people, billing accounts, balances, keys and past usage, from a file.

Each row has an id of its own in the system that it comes from, and is committed with the note that it was imported. So
an import that was killed goes on where it stopped, and the same file changes nothing the second time.
"""
