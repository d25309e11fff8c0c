"""What stands between a device and its server: proxies, TLS, and servers of raw bytes."""

from __future__ import annotations

import base64
import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


@contextlib.contextmanager
def listening(handle: Callable[[socket.socket], None]) -> Iterator[int]:
    """A port of this machine whose connections `handle` serves, a thread each."""
    server = socket.create_server(("127.0.0.1", 0))
    server.settimeout(0.1)
    ended = threading.Event()
    open_ones: list[socket.socket] = []

    def serve(connection: socket.socket) -> None:
        with contextlib.suppress(OSError), connection:
            handle(connection)

    def accept() -> None:
        while not ended.is_set():
            with contextlib.suppress(TimeoutError):
                connection, _ = server.accept()
                connection.settimeout(10)
                open_ones.append(connection)
                threading.Thread(target=serve, args=(connection,), daemon=True).start()

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    try:
        yield server.getsockname()[1]
    finally:
        ended.set()
        thread.join()
        server.close()
        for connection in open_ones:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            connection.close()


def pass_on(left: socket.socket, right: socket.socket) -> None:
    """Carry bytes both ways until one side ends."""

    def carry(source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while raw := source.recv(65536):
                target.sendall(raw)
        for end in (source, target):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    other = threading.Thread(target=carry, args=(right, left), daemon=True)
    other.start()
    carry(left, right)
    other.join()


def read_head(connection: socket.socket) -> bytes:
    """A request's head, with its end."""
    raw = b""
    while b"\r\n\r\n" not in raw:
        more = connection.recv(1)
        if not more:
            raise ConnectionError
        raw += more
    return raw


@dataclass
class ForwardProxy:
    """A proxy that may want a name and a password; `asked` are the first lines it got."""

    credentials: str = ""
    asked: list[str] = field(default_factory=list)
    port: int = 0

    def __call__(self, connection: socket.socket) -> None:
        while True:
            head = read_head(connection).decode("latin-1")
            first, *fields = head.split("\r\n")
            self.asked.append(first)
            if self.credentials:
                wanted = base64.b64encode(self.credentials.encode()).decode()
                if f"Proxy-Authorization: Basic {wanted}" not in fields:
                    connection.sendall(
                        b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n"
                    )
                    continue
            method, target, _ = first.split(" ")
            if method == "CONNECT":
                host, _, port = target.rpartition(":")
                with socket.create_connection((host, int(port)), timeout=10) as far:
                    connection.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
                    pass_on(connection, far)
                return
            parts = urlsplit(target)
            kept = [one for one in fields if not one.lower().startswith("proxy-")]
            path = f"{parts.path}?{parts.query}" if parts.query else parts.path
            address = (parts.hostname or "", parts.port or 80)
            with socket.create_connection(address, timeout=10) as far:
                # One exchange a connection to the far side keeps this short.
                kept.insert(0, "Connection: close")
                far.sendall("\r\n".join([f"{method} {path} HTTP/1.1", *kept]).encode("latin-1"))
                pass_on(connection, far)
            return


@contextlib.contextmanager
def proxy(credentials: str = "") -> Iterator[ForwardProxy]:
    """A running proxy."""
    found = ForwardProxy(credentials)
    with listening(found) as port:
        found.port = port
        yield found


@contextlib.contextmanager
def tls_in_front(url: str, folder: Path) -> Iterator[tuple[str, Path]]:
    """An https address of the server at `url`, and the file that makes it trusted."""
    ca_file, chain = make_certificates(folder)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain)
    behind = urlsplit(url)
    address = (behind.hostname or "", behind.port or 80)

    def handle(connection: socket.socket) -> None:
        with (
            context.wrap_socket(connection, server_side=True) as inside,
            socket.create_connection(address, timeout=10) as far,
        ):
            pass_on(inside, far)

    with listening(handle) as port:
        yield f"https://127.0.0.1:{port}/", ca_file


def make_certificates(folder: Path) -> tuple[Path, Path]:
    """A certificate authority's file, and the chain and key of 127.0.0.1 by it."""
    folder.mkdir(exist_ok=True)
    now = datetime.now(UTC)

    def name(text: str) -> x509.Name:
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])

    def build(subject: str, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(name(subject))
            .issuer_name(name("Venue CA"))
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=1))
        )

    authority = ec.generate_private_key(ec.SECP256R1())
    usage = x509.KeyUsage(True, False, False, False, False, True, True, False, False)
    identifier = x509.SubjectKeyIdentifier.from_public_key(authority.public_key())
    root = (
        build("Venue CA", authority.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(identifier, critical=False)
        .sign(authority, hashes.SHA256())
    )
    mine = ec.generate_private_key(ec.SECP256R1())
    leaf = (
        build("127.0.0.1", mine.public_key())
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False
        )
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.public_key()),
            critical=False,
        )
        .sign(authority, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    ca_file, chain = folder / "venue-ca.pem", folder / "server.pem"
    ca_file.write_bytes(root.public_bytes(pem))
    chain.write_bytes(
        mine.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + leaf.public_bytes(pem)
    )
    return ca_file, chain
