"""What holds of a file wherever it lies: its bytes are those on disk."""

import random
from concurrent.futures import ThreadPoolExecutor

from idrstream.sources import open_location
from support import CONTENT


def assert_any_walk_gives_the_bytes_on_disk(file, steps):
    """Read an open FILE, whose bytes are CONTENT, here and there."""
    walk = random.Random(1)
    assert file.size == len(CONTENT)
    for step in range(steps):
        start, count = walk.randrange(len(CONTENT) + 10), walk.choice([0, 1, 7, 500, 9_000, 70_000])
        if step % 20 == 0:
            file.prefetch([(start, start + 5_000), (start + 3_000, start + 90_000)])
        assert file.seek(start) == start
        assert file.read(count) == CONTENT[start : start + count]


def assert_threads_do_not_mix_up_files(archive, server, threads, size=100_000):
    """Read eight files of SIZE bytes of a SERVER of the folder ARCHIVE, by several THREADS."""
    contents = [random.Random(number).randbytes(size) for number in range(8)]
    for number, content in enumerate(contents):
        (archive / f"{number}.bin").write_bytes(content)

    def whole(number):
        with open_location(f"{server.url}/{number}.bin") as file:
            return file.read()

    with ThreadPoolExecutor(threads) as pool:
        assert list(pool.map(whole, range(8))) == contents
