"""A process of its own that appends to a log until it has done so many times, or for ever: FOLDER NAME COUNT."""

from __future__ import annotations

import sys
import threading
from pathlib import Path

from portal.clock import system_clock
from tests.portal.audit.support import place, read


def main(folder: str, name: str, count: str) -> None:
    log = place(Path(folder), system_clock).open(wait=30)

    def work(worker: int) -> None:
        done = 0
        while done < int(count) or not int(count):
            receipt = log.append(read(f"{name}-{worker}", f"d{done % 7}"))
            done += 1
            sys.stdout.write(f"{receipt.seq}\n")
            sys.stdout.flush()

    workers = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    log.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
