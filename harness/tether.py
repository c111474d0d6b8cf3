"""Runs a command that must not outlive whoever started it: it is ended when this program's input ends.

A system closes the pipe of a process that is killed, which no handler of its own could be relied on for.
"""

import signal
import subprocess
import sys
import threading


def main(command: list[str]) -> int:
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    signal.signal(signal.SIGTERM, lambda *_: process.terminate())

    def end_with_input() -> None:
        sys.stdin.buffer.read()
        process.kill()

    threading.Thread(target=end_with_input, daemon=True).start()
    return process.wait()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
