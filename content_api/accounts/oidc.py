"""Signing in with an organisation's own accounts, by OpenID Connect. Optional.

The authorization code flow with PKCE (RFC 7636), a state and a nonce, against the one
provider the settings name, found by its discovery document. The ID token is verified:
signature by the provider's published keys, issuer, audience, time, nonce. What the flow
must remember lies for ten minutes in a cookie of the browser, authenticated with a key
made from the client's secret, so that several server processes need no shared memory.

A person is who the provider's (issuer, subject) was tied to. An identity that is not tied
yet is tied to a user only where an administrator invited or allowed that user's e-mail and
the provider says it verified it; see docs/decisions. Nobody is made a user here, and
nobody gets a role. No secret, code or token is logged.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import sha256
from secrets import compare_digest, token_urlsafe
from typing import Any
from urllib.parse import urlsplit

import requests
from authlib.integrations.base_client import OAuthError
from authlib.integrations.requests_client import OAuth2Session
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from sqlalchemy import Engine, delete, select
from sqlalchemy.orm import Session

from content_api.accounts.access import actor_of
from content_api.accounts.audit import record
from content_api.accounts.links import allowed_by_email
from content_api.accounts.models import ExternalIdentity, Token, User
from content_api.accounts.service import open_session
from content_api.database import write_session
from content_api.problems import Forbidden, NotReady, Unauthenticated
from content_api.settings import Settings

FLOW_LIFE = timedelta(minutes=10)
"""How long somebody may take at the provider."""

LEEWAY = 60
"""Seconds that the provider's clock may differ from ours."""

TIMEOUT = (5, 10)
"""Seconds to connect, and to wait for an answer."""

MAX_ANSWER = 1024 * 1024
"""Bytes of a provider's document."""

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA")
"""Signatures by a key the provider publishes. Never `none`, never a shared secret."""

SCOPE = "openid email profile"


class OpenIDRefused(Unauthenticated):
    """What came back is not the answer to what was asked, or cannot be believed."""

    code = "openid-refused"


class ProviderAway(NotReady):
    """The provider cannot be reached, or does not answer as one."""

    code = "openid-provider-away"


class PersonUnknown(Forbidden):
    """The provider knows the person; nobody here has allowed them in."""

    code = "openid-person-unknown"


class PersonDeactivated(Forbidden):
    """The person was deactivated here."""

    code = "openid-person-deactivated"


@dataclass(frozen=True, slots=True)
class Provider:
    """The organisation's accounts, and who we are to them."""

    issuer: str
    client_id: str
    client_secret: str = field(repr=False)
    name: str


@dataclass(frozen=True, slots=True)
class Started:
    """Where to send the browser, and what its cookie must remember."""

    address: str
    cookie: str


@dataclass(frozen=True, slots=True)
class Claims:
    """Whom the provider vouches for. `email` is set only where it says it verified it."""

    issuer: str
    subject: str
    email: str | None


@dataclass(frozen=True, slots=True)
class _Flow:
    state: str
    nonce: str
    verifier: str
    after: str | None


def provider_of(settings: Settings) -> Provider | None:
    """The provider that the settings name, or None."""
    if not settings.oidc_issuer:
        return None
    return Provider(
        settings.oidc_issuer,
        settings.oidc_client_id,
        settings.oidc_client_secret,
        settings.oidc_name or urlsplit(settings.oidc_issuer).netloc,
    )


def start(provider: Provider, redirect_uri: str, after: str | None, now: datetime) -> Started:
    """Begin to sign in.

    Raises:
        ProviderAway: the provider cannot be asked.
    """
    found = _discover(provider)
    flow = _Flow(token_urlsafe(32), token_urlsafe(32), token_urlsafe(48), after)
    with _client(provider, redirect_uri) as client:
        address, _state = client.create_authorization_url(
            found["authorization_endpoint"],
            state=flow.state,
            nonce=flow.nonce,
            code_verifier=flow.verifier,
        )
    return Started(address, _seal(provider, flow, now))


def finish(
    provider: Provider,
    redirect_uri: str,
    cookie: str,
    arguments: Mapping[str, str],
    now: datetime,
) -> tuple[Claims, str | None]:
    """Whom the provider vouches for, and where they wanted to go.

    Raises:
        OpenIDRefused: the answer does not belong to a flow of this browser, the person
            declined, or the ID token is not one for us now.
        ProviderAway: the provider cannot be asked.
    """
    flow = _unseal(provider, cookie, now)
    if flow is None:
        raise OpenIDRefused("This browser did not begin to sign in, or took too long.")
    if not compare_digest(arguments.get("state", "").encode(), flow.state.encode()):
        raise OpenIDRefused("The answer belongs to another attempt to sign in.")
    if arguments.get("iss", provider.issuer) != provider.issuer:
        # RFC 9207: an answer of another provider.
        raise OpenIDRefused("The answer comes from another provider.")
    if "code" not in arguments:
        raise OpenIDRefused("The provider did not let the person in.")
    found = _discover(provider)
    token = _fetch_token(provider, redirect_uri, found["token_endpoint"], arguments["code"], flow)
    claims = _verify(provider, found, token.get("id_token"), flow.nonce, now)
    if "email" not in claims and found.get("userinfo_endpoint") and token.get("access_token"):
        claims = {**_userinfo(found, token["access_token"], claims["sub"]), **claims}
    verified = claims.get("email_verified") is True and isinstance(claims.get("email"), str)
    email = claims["email"] if verified else None
    return Claims(provider.issuer, claims["sub"], email), flow.after


def sign_in(engine: Engine, claims: Claims, now: datetime) -> tuple[Token, str]:
    """A session for whom the provider vouches for; the token's secret is told this once.

    Raises:
        PersonUnknown: the identity is tied to nobody, and nobody allowed it.
        PersonDeactivated: its user was deactivated.
    """
    with write_session(engine) as session:
        user = _tied(session, claims) or _tie(session, claims, now)
        if user.deactivated_at is not None:
            raise PersonDeactivated("This person was deactivated here.")
        return open_session(session, user, now, by="openid")


def is_tied(session: Session, user_id: str, issuer: str) -> bool:
    """Whether a user has signed in with an account of this provider."""
    query = select(ExternalIdentity.id).where(
        ExternalIdentity.user_id == user_id, ExternalIdentity.issuer == issuer
    )
    return session.scalar(query.limit(1)) is not None


def _tied(session: Session, claims: Claims) -> User | None:
    identity = session.scalar(
        select(ExternalIdentity).where(
            ExternalIdentity.issuer == claims.issuer, ExternalIdentity.subject == claims.subject
        )
    )
    return identity.user if identity is not None else None


def _tie(session: Session, claims: Claims, now: datetime) -> User:
    allowed = allowed_by_email(session, claims.email, now) if claims.email else None
    if allowed is None:
        raise PersonUnknown("Nobody here has allowed this account in.")
    user = allowed.user
    allowed.used_at = now
    # One account of a provider a person: an administrator who allows again means another one.
    session.execute(
        delete(ExternalIdentity).where(
            ExternalIdentity.user_id == user.id, ExternalIdentity.issuer == claims.issuer
        )
    )
    session.add(ExternalIdentity(issuer=claims.issuer, subject=claims.subject, user_id=user.id))
    session.flush()
    details = {"openid": urlsplit(claims.issuer).netloc}
    record(session, actor_of(user), "user.change", f"user/{user.id}", details=details)
    return user


# -- The provider ----------------------------------------------------------------------------


def _client(provider: Provider, redirect_uri: str) -> OAuth2Session:
    return OAuth2Session(
        provider.client_id,
        provider.client_secret,
        scope=SCOPE,
        redirect_uri=redirect_uri,
        code_challenge_method="S256",
        default_timeout=TIMEOUT,
    )


def _discover(provider: Provider) -> dict[str, Any]:
    found = _get_json(f"{provider.issuer.rstrip('/')}/.well-known/openid-configuration")
    if found.get("issuer") != provider.issuer:
        raise ProviderAway("The provider's document names another issuer than the settings.")
    for name in ("authorization_endpoint", "token_endpoint", "jwks_uri"):
        if not is_safe_address(str(found.get(name, ""))):
            raise ProviderAway(f"The provider's document has no usable {name}.")
    return found


def is_safe_address(address: str) -> bool:
    """Whether secrets may travel there: https, or this machine."""
    parts = urlsplit(address)
    return bool(parts.hostname) and (
        parts.scheme == "https"
        or (parts.scheme == "http" and parts.hostname in ("127.0.0.1", "::1", "localhost"))
    )


def _get_json(address: str, *, token: str = "") -> dict[str, Any]:
    headers = {"Accept": "application/json"}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    try:
        with requests.get(
            address, headers=headers, timeout=TIMEOUT, allow_redirects=False, stream=True
        ) as answer:
            body = answer.raw.read(MAX_ANSWER + 1, decode_content=True)
            status = answer.status_code
        found = json.loads(body) if status == 200 and len(body) <= MAX_ANSWER else None
    except (requests.RequestException, OSError, ValueError) as error:
        raise ProviderAway("The provider cannot be reached now.") from error
    if not isinstance(found, dict):
        raise ProviderAway("The provider does not answer as it should.")
    return found


def _fetch_token(
    provider: Provider, redirect_uri: str, endpoint: str, code: str, flow: _Flow
) -> dict[str, Any]:
    try:
        with _client(provider, redirect_uri) as client:
            token: dict[str, Any] = client.fetch_token(
                endpoint,
                grant_type="authorization_code",
                code=code,
                code_verifier=flow.verifier,
                allow_redirects=False,
                timeout=TIMEOUT,
            )
    except OAuthError as error:
        # Without its words: they may repeat what was sent.
        raise OpenIDRefused("The provider did not accept its own answer.") from error
    except (requests.RequestException, ValueError) as error:
        raise ProviderAway("The provider cannot be reached now.") from error
    return token


def _verify(
    provider: Provider, found: Mapping[str, Any], token: Any, nonce: str, now: datetime
) -> dict[str, Any]:
    if not isinstance(token, str):
        raise OpenIDRefused("The provider sent no ID token.")
    keys = [key for key in _get_json(found["jwks_uri"]).get("keys", []) if _signs(key)]
    registry = jwt.JWTClaimsRegistry(
        now=int(now.timestamp()),
        leeway=LEEWAY,
        iss={"essential": True, "value": provider.issuer},
        sub={"essential": True},
        aud={"essential": True, "value": provider.client_id},
        exp={"essential": True},
        iat={"essential": True},
        nonce={"essential": True, "value": nonce},
    )
    try:
        key_set = KeySet.import_key_set({"keys": keys})
        claims = jwt.decode(token, key_set, algorithms=list(ALGORITHMS)).claims
        registry.validate(claims)
    except (JoseError, ValueError, KeyError, TypeError) as error:
        raise OpenIDRefused("The ID token cannot be believed.") from error
    audience = claims["aud"]
    several = isinstance(audience, list) and len(audience) > 1
    if (several or "azp" in claims) and claims.get("azp") != provider.client_id:
        raise OpenIDRefused("The ID token is for another program.")
    subject = claims["sub"]
    if not isinstance(subject, str) or not 1 <= len(subject) <= 255:
        raise OpenIDRefused("The ID token names nobody.")
    return dict(claims)


def _signs(key: Any) -> bool:
    # Keys for encryption and kinds we do not know are none of our business.
    return (
        isinstance(key, dict)
        and key.get("kty") in ("RSA", "EC", "OKP")
        and key.get("use", "sig") == "sig"
    )


def _userinfo(found: Mapping[str, Any], token: str, subject: str) -> dict[str, Any]:
    address = str(found["userinfo_endpoint"])
    try:
        told = _get_json(address, token=token) if is_safe_address(address) else {}
    except ProviderAway:
        # Whoever is tied already needs no address.
        told = {}
    # OpenID Connect 5.3.2: an answer about somebody else must not be used.
    return told if told.get("sub") == subject else {}


# -- The cookie ------------------------------------------------------------------------------


def _seal(provider: Provider, flow: _Flow, now: datetime) -> str:
    said = [flow.state, flow.nonce, flow.verifier, flow.after, int(now.timestamp())]
    body = base64.urlsafe_b64encode(json.dumps(said).encode()).decode()
    return f"{body}.{_mac(provider, body)}"


def _unseal(provider: Provider, cookie: str, now: datetime) -> _Flow | None:
    body, _dot, mac = cookie.partition(".")
    if not compare_digest(mac.encode(), _mac(provider, body).encode()):
        return None
    try:
        state, nonce, verifier, after, at = json.loads(base64.urlsafe_b64decode(body))
    except (ValueError, binascii.Error):
        return None
    age = now.timestamp() - at
    return _Flow(state, nonce, verifier, after) if 0 <= age <= FLOW_LIFE.total_seconds() else None


def _mac(provider: Provider, body: str) -> str:
    key = sha256(f"studio openid\n{provider.issuer}\n{provider.client_secret}".encode()).digest()
    return hmac.new(key, body.encode(), sha256).hexdigest()
