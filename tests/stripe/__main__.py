"""Run the stand-in. It prints its address once it listens, and ends with its parent's pipe."""

import argparse

from tests.stripe.server import Server


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.stripe", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    server = Server(parser.parse_args().port)
    print(server.state.address, flush=True)  # noqa: T201
    server.serve_forever()


if __name__ == "__main__":
    main()
