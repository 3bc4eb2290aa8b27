"""Keys from one secret: what is sealed for one purpose opens nothing of another."""

from __future__ import annotations

import hashlib
import hmac
import secrets

from pydantic import SecretStr


def secret_bytes(configured: SecretStr | None) -> bytes:
    """The secret that was chosen, else one of this process."""
    return configured.get_secret_value().encode() if configured else secrets.token_bytes(32)


def derived(secret: bytes, purpose: str) -> bytes:
    """32 bytes that tell nothing about those of other purposes."""
    return hmac.new(secret, purpose.encode(), hashlib.sha256).digest()
