"""What browsers are told of every answer: run nothing that is not the server's own, guess no types, be in no frame."""

from collections.abc import Mapping
from types import MappingProxyType

CONTENT_POLICY: Mapping[str, str] = MappingProxyType({
    "default-src": "'self'",
    "img-src": "'self' data: blob:",
    "media-src": "'self' blob:",  # a recording from the microphone, before it is sent
    "object-src": "'none'",
    "base-uri": "'none'",
    "form-action": "'self'",
    "frame-ancestors": "'none'",
})  # fmt: skip

SECURITY_HEADERS: Mapping[str, str] = MappingProxyType({
    "Content-Security-Policy": "; ".join(f"{what} {sources}" for what, sources in CONTENT_POLICY.items()),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Permissions-Policy": "microphone=(self), camera=(), geolocation=(), display-capture=(), payment=(), usb=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
})  # fmt: skip
