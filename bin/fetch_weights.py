#!/usr/bin/env python3
"""Fetch a file of a web server, whole or not at all. Standard library only."""

import argparse
import hashlib
import http.client
import re
import time
import urllib.error
import urllib.request
from pathlib import Path

from idrstream.base import files, head
from idrstream.base.tables import Problems

PAUSES = (1, 5, 30)  # seconds before another try
TIMEOUT = 60  # seconds without a byte
PIECE = 1 << 20  # bytes
REMEDY = "name one, such as CELLPOSE_MODELS=https://example.org/models, or give a file by --model"
MAY_HEAL = (408, 425, 429, 500, 502, 503, 504)  # answers of a server that another try may better


class Refused(Exception):
    """Another try would bring nothing else."""


def main():
    """Fetch ADDRESS to TARGET and print its size and sha256. Ends with 64, and no TARGET, where it cannot be had."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("address", help="of the file, by http or https")
    parser.add_argument("target", type=Path, help="file to write")
    parser.add_argument("--sha256", help="checksum that the file must have")
    options = parser.parse_args()
    if not re.match(r"https?://[^/]", options.address):
        raise Problems([f"CELLPOSE_MODELS: {options.address} is no address of a web server; {REMEDY}"])
    try:
        with files.whole(options.target) as part:
            size, checksum = persist(options.address, part)
            if options.sha256 not in (None, checksum):
                raise Refused(f"its sha256 is {checksum}, expected was {options.sha256}")
    except (Refused, OSError, http.client.HTTPException) as reason:
        raise Problems([f"the model's weights could not be fetched from {options.address} ({reason})"]) from reason
    print(f"model {options.target.name}: {size} bytes, sha256 {checksum}, from {options.address}", end="")


def persist(address, part):
    """Fetch ADDRESS to PART, again where that may help; returns (bytes, sha256 as hexadecimal digits)."""
    for pause in PAUSES:
        try:
            return fetch(address, part)
        except (OSError, http.client.HTTPException) as reason:
            if isinstance(reason, urllib.error.HTTPError) and reason.code not in MAY_HEAL:
                raise
            time.sleep(pause)
    return fetch(address, part)


def fetch(address, part):
    """One try. Raises OSError or HTTPException where the server does not give the file, or not all of it."""
    digest, size = hashlib.sha256(), 0
    with urllib.request.urlopen(address, timeout=TIMEOUT) as answer, open(part, "wb") as file:
        for piece in iter(lambda: answer.read(PIECE), b""):
            file.write(piece)
            digest.update(piece)
            size += len(piece)
        whole = answer.headers["Content-Length"]
    if whole is not None and size != int(whole):
        raise OSError(f"{size} of {whole} bytes arrived")
    return size, digest.hexdigest()


if __name__ == "__main__":
    head.run(main)
