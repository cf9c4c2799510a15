"""Types of command line arguments."""

from argparse import ArgumentTypeError


def port_number(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) < 65536:
        raise ArgumentTypeError(f"{text} is not a port: give a number from 1 to 65535.")
    return int(text)
