"""An OAuth server: gives signed tokens to clients it knows, as managed clusters have one."""

from __future__ import annotations

import base64
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256

KEY_ID = "test"


@dataclass(slots=True)
class OAuthServer:
    """Tokens for `client_id` with its secret (RFC 6749, section 4.4), signed by RS256."""

    url: str
    client_id: str
    client_secret: str
    lifetime: float = 300.0
    given: int = 0
    """How many tokens it has given."""
    _key: rsa.RSAPrivateKey = field(default_factory=lambda: rsa.generate_private_key(65537, 2048))

    def write_keys(self, file: Path) -> None:
        """Write its public key as a broker reads it (JWKS)."""
        public = self._key.public_key().public_numbers()
        key = {"kty": "RSA", "kid": KEY_ID, "alg": "RS256", "use": "sig"}
        numbers = {"n": _base64(_bytes(public.n)), "e": _base64(_bytes(public.e))}
        file.write_text(json.dumps({"keys": [key | numbers]}))

    def token(self) -> str:
        now = time.time()
        claims = {"sub": self.client_id, "iat": int(now), "exp": int(now + self.lifetime)}
        head = {"alg": "RS256", "typ": "JWT", "kid": KEY_ID}
        signed = ".".join(_base64(json.dumps(it).encode()) for it in (head, claims))
        signature = self._key.sign(signed.encode(), padding.PKCS1v15(), SHA256())
        self.given += 1
        return f"{signed}.{_base64(signature)}"

    def knows(self, authorization: str | None) -> bool:
        pair = f"{self.client_id}:{self.client_secret}".encode()
        return authorization == f"Basic {base64.b64encode(pair).decode()}"


@contextmanager
def oauth_server(client_id: str, client_secret: str) -> Iterator[OAuthServer]:
    """Serve on a free port of the loopback."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("content-length", 0)))
            known = it.knows(self.headers.get("authorization"))
            answer: dict[str, Any] = {"error": "invalid_client"}
            if known:
                answer = {
                    "access_token": it.token(),
                    "token_type": "Bearer",
                    "expires_in": it.lifetime,
                }
            body = json.dumps(answer).encode()
            self.send_response(200 if known else 401)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    it = OAuthServer(f"http://127.0.0.1:{server.server_port}/token", client_id, client_secret)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield it
    finally:
        server.shutdown()
        server.server_close()


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _bytes(number: int) -> bytes:
    return number.to_bytes((number.bit_length() + 7) // 8)
