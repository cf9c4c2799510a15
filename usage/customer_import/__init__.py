"""Customers from another system: organizations, people, billing accounts, balances, keys and past usage, from a file.

Each row has an id in the system that it comes from. It is committed together with a record that it was imported. So an
import that was killed continues where it stopped, and importing the same file again changes nothing.
"""
