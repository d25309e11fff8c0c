"""What this server sends out by itself: webhooks and e-mail.

A webhook's address was typed by a person and is called from inside the operator's network,
so it must not reach what only the inside can: its name is resolved once, every address
must be a public one, and the connection goes to the address that was checked. Nothing is
followed: a redirect is a refusal. All of it ends in bounded time.
"""

from __future__ import annotations

import hashlib
import hmac
import http.client
import ipaddress
import smtplib
import socket
import ssl
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from email.message import EmailMessage
from email.utils import format_datetime, make_msgid
from http import HTTPStatus
from urllib.parse import SplitResult, urlsplit

from content_api import __version__
from content_api.database import utc_now
from content_api.problems import ContentError, Refused
from content_api.settings import Settings

TIMEOUT = 10.0
"""Seconds for one step of a connection."""

WHOLE = 20.0
"""Seconds for a whole webhook, however slowly the other side talks."""

SIGNATURE_HEADER = "Lampisterie-Signature"

Addresses = Callable[[str, int], list[str]]


class AddressRefused(Refused):
    """A webhook's address is not one that this server calls."""

    code = "address-refused"


class SendingFailed(ContentError):
    """The other side did not take a message; the text says why, without secrets."""

    code = "sending-failed"
    status = HTTPStatus.CONFLICT


def check_hook_address(url: str) -> SplitResult:
    """The parts of a webhook's address.

    Raises:
        AddressRefused: not http or https with a host, or it carries a name and password.
    """
    try:
        parts = urlsplit(url)
        port_is_right = parts.port is None or parts.port > 0
    except ValueError:
        parts, port_is_right = urlsplit(""), False
    if not url.isascii() or any(sign.isspace() for sign in url) or not url.isprintable():
        parts = urlsplit("")
    if parts.scheme not in ("http", "https") or not parts.hostname or not port_is_right:
        raise AddressRefused(f"Expected an address such as https://host/path, got {url[:80]!r}.")
    if "@" in parts.netloc:
        raise AddressRefused("Expected an address without a name and password in it.")
    return parts


def is_public(address: str) -> bool:
    """Whether an IP address is one of the open Internet, also when one is wrapped in another."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(found, ipaddress.IPv6Address):
        inner = found.ipv4_mapped or found.sixtofour
        if inner is None and found in ipaddress.ip_network("64:ff9b::/96"):
            inner = ipaddress.IPv4Address(int(found) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(str(inner))
        if found.teredo is not None or found.is_site_local:
            return False
    return found.is_global and not found.is_multicast


def resolve(host: str, port: int) -> list[str]:
    """The IP addresses of a host, in the resolver's order.

    Raises:
        SendingFailed: it has none.
    """
    try:
        rows = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise SendingFailed(f"{host} has no address.") from error
    return list(dict.fromkeys(str(row[4][0]) for row in rows))


def choose_address(
    host: str, port: int, *, allow_private: bool, addresses: Addresses = resolve
) -> str:
    """The one IP address that a call to `host` goes to.

    Raises:
        AddressRefused: any of the host's addresses is not public.
        SendingFailed: it has none.
    """
    found = addresses(host, port)
    if not found:
        raise SendingFailed(f"{host} has no address.")
    private = [address for address in found if not is_public(address)]
    if private and not allow_private:
        raise AddressRefused(
            f"{host} is at {private[0]}, which is not a public address: expected one, "
            "or CONTENT_API_ALLOW_PRIVATE_HOOKS=yes on the server."
        )
    return found[0]


def sign(secret: str, body: bytes, at: int) -> str:
    """The signature header's value: the time (Unix seconds), and HMAC-SHA256 of `time.body`."""
    digest = hmac.new(secret.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={at},v1={digest}"


def post_json(
    url: str,
    body: bytes,
    headers: Mapping[str, str],
    *,
    allow_private: bool = False,
    addresses: Addresses = resolve,
    whole: float = WHOLE,
) -> int:
    """Send JSON to a webhook; the status of the answer, always 2xx.

    Raises:
        AddressRefused: it must not be called.
        SendingFailed: it did not answer 2xx, redirected, or took more than `whole` seconds.
    """
    parts = check_hook_address(url)
    host = str(parts.hostname)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    address = choose_address(host, port, allow_private=allow_private, addresses=addresses)
    connection = _Pinned(host, port, address, tls=parts.scheme == "https")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    watch = threading.Timer(whole, connection.cut)
    watch.daemon = True
    watch.start()
    try:
        connection.request(
            "POST",
            path,
            body=body,
            headers={
                **headers,
                "Content-Type": "application/json",
                "User-Agent": f"lampisterie/{__version__}",
            },
        )
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException, ValueError) as error:
        reason = type(error).__name__ if isinstance(error, ValueError) else str(error)
        said = "it took too long" if connection.was_cut else reason[:120] or type(error).__name__
        raise SendingFailed(f"{host} could not be reached: {said}.") from error
    finally:
        watch.cancel()
        connection.close()
    if 300 <= status < 400:
        raise SendingFailed(f"{host} answered {status}: a webhook's redirect is not followed.")
    if not 200 <= status < 300:
        raise SendingFailed(f"{host} answered {status}, expected 200 to 299.")
    return status


def send_mail(settings: Settings, to: str, subject: str, text: str) -> None:
    """Send a plain e-mail by the operator's server.

    Raises:
        SendingFailed: none is set up, or it did not take the message.
    """
    if not settings.smtp_host:
        raise SendingFailed("This server has no mail server: set CONTENT_API_SMTP_HOST.")
    message = EmailMessage()
    message["From"] = settings.smtp_from
    message["To"] = to
    message["Subject"] = " ".join(subject.split())[:200]
    message["Date"] = format_datetime(utc_now())
    message["Message-ID"] = make_msgid(domain=settings.smtp_from.rpartition("@")[2])
    # Out-of-office answers to alerts help nobody (RFC 3834).
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(text)
    try:
        with _mail_server(settings) as server:
            if settings.smtp_user:
                server.login(settings.smtp_user, settings.smtp_password)
            server.send_message(message)
    except smtplib.SMTPAuthenticationError as error:
        # The answer to a login may repeat what was sent.
        raise SendingFailed(
            f"{settings.smtp_host} did not accept the name and password of CONTENT_API_SMTP_USER."
        ) from error
    except (OSError, smtplib.SMTPException, ValueError) as error:
        said = _mail_words(error)
        raise SendingFailed(f"{settings.smtp_host} did not take the message: {said}.") from error


def _mail_words(error: Exception) -> str:
    found: object = error
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        found = next(iter(error.recipients.values()), error)
    elif isinstance(error, smtplib.SMTPResponseException):
        found = (error.smtp_code, error.smtp_error)
    if isinstance(found, tuple):
        found = " ".join(
            part.decode("utf-8", "replace") if isinstance(part, bytes) else str(part)
            for part in found
        )
    return " ".join(str(found).split())[:160] or type(error).__name__


def _mail_server(settings: Settings) -> smtplib.SMTP:
    where = (settings.smtp_host, settings.smtp_port)
    if settings.smtp_security == "tls":
        return smtplib.SMTP_SSL(*where, timeout=TIMEOUT, context=ssl.create_default_context())
    server = smtplib.SMTP(*where, timeout=TIMEOUT)
    if settings.smtp_security == "starttls":
        try:
            server.starttls(context=ssl.create_default_context())
        except BaseException:
            server.close()
            raise
    return server


class _Pinned(http.client.HTTPConnection):
    """A connection to one checked address, that speaks of the host by its name."""

    def __init__(self, host: str, port: int, address: str, *, tls: bool) -> None:
        super().__init__(host, port, timeout=TIMEOUT)
        self._address = address
        self._tls = ssl.create_default_context() if tls else None
        self.default_port = 443 if tls else 80
        self.was_cut = False

    def connect(self) -> None:
        """Connect to the address that was checked, never to what the name means by now."""
        plain = socket.create_connection((self._address, self.port), self.timeout)
        self.sock = plain
        if self._tls is not None:
            try:
                self.sock = self._tls.wrap_socket(plain, server_hostname=self.host)
            except BaseException:
                plain.close()
                raise
        if self.was_cut:
            raise TimeoutError("it took too long")

    def cut(self) -> None:
        """End it from another thread: whatever waits on the connection fails at once."""
        self.was_cut = True
        if self.sock is not None:
            with suppress(OSError):
                self.sock.shutdown(socket.SHUT_RDWR)
