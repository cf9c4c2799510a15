"""A client in a process of its own: `python -m benchmarks.worker MODULE:MAKER NUMBER [ARGUMENT…]`.

The maker gets the number and the arguments, and returns a function that does one thing and says how many units that
was. The process says `ready`; then each line that it reads is for how many seconds to repeat it, or `1x` for just
once, and each line that it writes is what came of it.
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
