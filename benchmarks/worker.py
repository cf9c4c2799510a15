"""A client in a process of its own: `python -m benchmarks.worker MODULE:MAKER NUMBER [ARGUMENT…]`.

MAKER is called with the number and the arguments. It returns a function that does one piece of work and returns how
many units that was. The process prints `ready`. Then it reads lines from stdin: the seconds to repeat the work for, or
`1x` to do it once. For each line it prints the result.
"""

import importlib
import json
import sys
import time

import django


def main() -> None:
    django.setup()
    module, _, maker = sys.argv[1].partition(":")
    once = getattr(importlib.import_module(module), maker)(int(sys.argv[2]), *sys.argv[3:])
    _say("ready")
    for line in sys.stdin:
        seconds = 0.0 if line.strip() == "1x" else float(line)
        start, cpu = time.perf_counter(), time.process_time()
        count = once()
        while time.perf_counter() - start < seconds:
            count += once()
        took = time.perf_counter() - start
        _say(json.dumps({"count": count, "seconds": took, "cpu": time.process_time() - cpu}))


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
