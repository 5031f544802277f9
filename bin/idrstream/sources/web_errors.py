"""Errors on the way to a web server as sentences, and whether another try may help."""

import os
import re
import ssl
import time
from email.utils import mktime_tz, parsedate_tz
from urllib.parse import urlsplit

from requests.exceptions import (
    ConnectTimeout,
    InvalidProxyURL,
    InvalidSchema,
    InvalidURL,
    MissingSchema,
    ProxyError,
    ReadTimeout,
    SSLError,
    TooManyRedirects,
)
from requests.utils import get_environ_proxies, select_proxy
from urllib3.exceptions import ReadTimeoutError

from idrstream.base.failures import Unreachable
from idrstream.sources.retry import TemporaryFailure

CONNECT_S = 10
READ_S = 60  # without a byte, after which a connection is given up
LONGEST_WAIT_S = 30  # at most, of what a busy server asks clients to wait
NEXT = "The next run tries again."

# OpenSSL's number of the reason for which a certificate is refused -> what to do.
CERTIFICATES = {
    9: "is this machine's clock right?",  # not yet valid
    10: "is this machine's clock right? If it is, the server's owner must renew it",
    62: "check the address: it may be another server's",
    64: "check the address: it may be another server's",
}
UNTRUSTED = (
    "if your institution or its proxy signs its own certificates, name the file that holds them in the environment "
    "variable REQUESTS_CA_BUNDLE"
)
# OpenSSL's names of disagreements between the two sides. Any other TLS error may be the network's.
NO_TLS = "WRONG_VERSION_NUMBER", "HTTP_REQUEST", "PACKET_LENGTH_TOO_LONG", "RECORD_LAYER_FAILURE"
DISAGREED = "PROTOCOL|HANDSHAKE_FAILURE|NO_CIPHERS|NO_SHARED_CIPHER|TOO_SMALL|TOO_WEAK|LEGACY_RENEGOTIATION|REQUIRED"


def failure_of(error, url):
    """TemporaryFailure where another try may help; Unreachable, with what to do, where it cannot.

    error  what requests or urllib3 raised for the URL
    """
    proxy = _proxy(url)
    if isinstance(error, ProxyError | InvalidProxyURL) or (proxy and isinstance(error, ConnectTimeout | InvalidSchema)):
        return _proxy_failure(error, url, proxy)
    if isinstance(error, SSLError) and (refusal := _tls_refusal(error)):
        return Unreachable(f"{url}: {refusal}. {NEXT}")
    if isinstance(error, TooManyRedirects):
        return Unreachable(
            f"{url}: the server redirects this address in circles; open it in a browser: it may need a login. {NEXT}"
        )
    if isinstance(error, InvalidURL | InvalidSchema | MissingSchema):
        return Unreachable(f"{url}: this is no web address, or the server redirects it to one that is none. {NEXT}")
    return TemporaryFailure(_reason(error))


def login_at_proxy(url):
    """The failure of a URL for which a proxy requires a login."""
    return Unreachable(
        f"{url}: {_named(url, _proxy(url))} requires a login: put it into {_variable(url)}, as "
        f"http://user:password@server:port. {NEXT}"
    )


def retry_after(headers):
    """Seconds that a response asks clients to wait, in `Retry-After`; 0 if it does not.

    It may be a date, which is compared with the server's own clock where the response has it.
    """
    after = headers.get("Retry-After", "").strip()
    if after.isdecimal():
        return min(int(after), LONGEST_WAIT_S)
    then, now = (parsedate_tz(text) for text in (after, headers.get("Date", "")))
    if then is None:
        return 0
    return min(max(mktime_tz(then) - (mktime_tz(now) if now else time.time()), 0), LONGEST_WAIT_S)


def check_certificates():
    """Raise Unreachable if the user names a file of certificates that does not exist."""
    for name in "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE":
        place = os.environ.get(name)
        if place and not os.path.exists(place):
            raise Unreachable(f"{place}: this file of certificates ({name}) does not exist, or not in this container.")
        if place:
            return


def _proxy(url):
    """Address of the proxy that requests for a URL go through, without its password; None if there is none."""
    address = select_proxy(url, get_environ_proxies(url))
    return address and re.sub("//[^/@]*@", "//", address)


def _variable(url):
    name = f"{urlsplit(url).scheme}_proxy"
    return next((variable for variable in (name.upper(), name) if os.environ.get(variable)), "ALL_PROXY")


def _named(url, proxy):
    return f"the proxy {proxy} ({_variable(url)})"


def _proxy_failure(error, url, proxy):
    proxy = _named(url, proxy)
    remedy = f"check {_variable(url)}, or except {urlsplit(url).hostname} from it in NO_PROXY"
    refusal = re.search(r"Tunnel connection failed: (\d+)([^'\")]*)", str(error))
    if refusal and refusal[1] == "407":
        return login_at_proxy(url)
    if refusal and refusal[1] < "500":
        message = (refusal[1] + refusal[2]).strip()
        return Unreachable(
            f"{url}: {proxy} refuses to forward this ({message}); ask its administrator, or {remedy}. {NEXT}"
        )
    if "SOCKS" in str(error):
        return Unreachable(f"{url}: {proxy} is a SOCKS proxy, which needs the Python package PySocks; {remedy}. {NEXT}")
    if isinstance(error, InvalidProxyURL | InvalidSchema):
        return Unreachable(f"{url}: {proxy} is no address of a proxy; {remedy}. {NEXT}")
    if refusal:
        return TemporaryFailure(f"{proxy} does not reach the server ({refusal[1]})")
    if isinstance(error, ConnectTimeout):
        return TemporaryFailure(f"{proxy} did not answer within {CONNECT_S} s; {remedy}")
    if "NameResolutionError" in repr(error):
        return TemporaryFailure(f"no server has the name of {proxy}; {remedy}")
    if "refused" in str(error):
        return TemporaryFailure(f"{proxy} refused the connection; {remedy}")
    return TemporaryFailure(f"the connection to {proxy} broke off; {remedy}")


def _tls_refusal(error):
    """Why no secure connection to this server is possible, however often tried; None if another try may help."""
    while not isinstance(error, ssl.SSLError):
        inner = [part for part in (getattr(error, "reason", None), *error.args) if isinstance(part, Exception)]
        if not inner:
            return None
        error = inner[0]
    if isinstance(error, ssl.SSLCertVerificationError):
        remedy = CERTIFICATES.get(error.verify_code, UNTRUSTED)
        return f"the server's certificate is not accepted ({error.verify_message.rstrip('.')}); {remedy}"
    reason = error.reason or ""
    if "NO_CERTIFICATE" in reason or reason == "NO_START_LINE":
        return "the file that REQUESTS_CA_BUNDLE names holds no certificates"
    if reason in NO_TLS:
        return "the server answers, but not by https; is its address http://?"
    if re.search(DISAGREED, reason):
        return (
            f"the server and this machine have no encryption in common ({reason}); ask the server's administrator "
            "to update it"
        )
    return None


def _reason(error):
    """What went wrong, as part of a sentence."""
    if isinstance(error, ConnectTimeout):
        return f"the server did not answer within {CONNECT_S} s"
    if isinstance(error, ReadTimeout | ReadTimeoutError):
        return f"the server sent nothing for {READ_S} s"
    if "NameResolutionError" in repr(error):
        return "no server has this name; check the address and this machine's network"
    if "refused" in str(error):
        return "the server refused the connection"
    return f"the connection broke off ({type(error).__name__})"
