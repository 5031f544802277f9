"""Files in public buckets, gs://bucket/key and s3://bucket/key, read as a web server's: by ranges over https.

The environment may name another server, such as one of the user's own, by the variables of the field's tools. No
credentials are sent.
"""

import os
import re
from urllib.parse import quote

from idrstream.base.failures import NotReadable
from idrstream.sources import https, scheme

GOOGLE, AMAZON = "https://storage.googleapis.com", "amazonaws.com"
ENDPOINTS = {"gs": ("STORAGE_EMULATOR_HOST",), "s3": ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")}


def address(location):
    """The https address of gs://bucket/key, or s3://bucket/key. Raises NotReadable for one without a key."""
    kind = scheme(location)
    match = re.fullmatch(r"[a-z0-9]+://([^/]+)/+(.+)", str(location), re.I | re.S)
    if not match:
        raise NotReadable(f"{location}: this names no object of a bucket; {kind}://bucket/key does.")
    bucket, key = match[1], quote(match[2])
    if endpoint := _endpoint(kind):
        return f"{endpoint}/{bucket}/{key}"
    if kind == "gs":
        return f"{GOOGLE}/{bucket}/{key}"
    if "." in bucket:  # which the certificate of *.s3.amazonaws.com does not cover
        return f"https://s3.{AMAZON}/{bucket}/{key}"
    return f"https://{bucket}.s3.{AMAZON}/{key}"


def open_location(location, root=None, cache=None):
    """Open the file of a bucket, see `idrstream.sources`."""
    return https.open_location(address(location), cache=cache)


def open_folder(location, root=None):
    """What lies below a key of a bucket, see `idrstream.sources`."""
    return https.open_folder(address(location))


def probe(location, root=None):
    """Raise Unreachable if the server of a bucket does not answer."""
    https.probe(address(location))


def check_parts(location):
    """Raise NotReadable unless parts of the file of a bucket can be had."""
    https.check_parts(address(location))


def _endpoint(kind):
    """The server that the environment names, without a slash at its end; None for the usual one."""
    named = next((os.environ[name] for name in ENDPOINTS[kind] if os.environ.get(name)), None)
    return named and (named if "://" in named else f"http://{named}").rstrip("/")
