"""start_ranks.py N COMMAND…: starts it N times with PyTorch's variables of ranks, as torchrun does; but when one has failed it leaves the
others ten seconds to end by themselves. Its exit code is the greatest."""

import os
import socket
import subprocess
import sys
import time


def free_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


def variables(rank, ranks, port):
    return {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": ranks, "LOCAL_WORLD_SIZE": ranks, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}


def main(ranks, *command):
    port = free_port()
    started = [subprocess.Popen(command, env={**os.environ, **{name: str(value) for name, value in variables(rank, ranks, port).items()}})
               for rank in range(int(ranks))]
    failed = None
    while any(process.poll() is None for process in started):
        time.sleep(0.02)
        if failed is None and any(process.poll() for process in started):
            failed = time.monotonic()
        if failed is not None and time.monotonic() - failed > 10:
            for process in started:
                process.kill()
    return max(process.returncode for process in started)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
