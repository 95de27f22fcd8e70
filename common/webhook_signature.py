"""The signature of a webhook, by Standard Webhooks: https://github.com/standard-webhooks/standard-webhooks.

Three headers: `webhook-id`, the same at every attempt; `webhook-timestamp`, whole seconds; `webhook-signature`, `v1,`
and the base64 of HMAC-SHA256 over `id.timestamp.body`.
"""

import base64
import binascii
import hmac

from common.errors import ConfigurationError

SECRET_PREFIX = "whsec_"  # noqa: S105 - marks a secret, is none


def signing_key(secret: str) -> bytes:
    """Return the bytes that sign: what is in base64 after `whsec_`, else the text itself.

    Raises ConfigurationError for an empty secret and for one that is not base64 after `whsec_`.
    """
    try:
        encoded = secret.startswith(SECRET_PREFIX)
        key = base64.b64decode(secret.removeprefix(SECRET_PREFIX), validate=True) if encoded else secret.encode()
    except binascii.Error:
        key = b""
    if not key:
        raise ConfigurationError(
            "WEBHOOK_SECRET must be `whsec_` and base64, or any other text that is not empty", param="WEBHOOK_SECRET"
        )
    return key


def signature_headers(key: bytes, message_id: str, timestamp: int, payload: bytes) -> dict[str, str]:
    """Return the headers for `payload`, sent at `timestamp`, in seconds since 1970."""
    signed = f"{message_id}.{timestamp}.".encode() + payload
    digest = base64.b64encode(hmac.digest(key, signed, "sha256")).decode()
    return {"webhook-id": message_id, "webhook-timestamp": str(timestamp), "webhook-signature": f"v1,{digest}"}
