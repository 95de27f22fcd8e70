"""Signatures of webhooks, read by the scheme's own package and by the definition of HMAC."""

import base64
import hashlib
import json
import time
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook, WebhookVerificationError

from common.errors import ConfigurationError
from common.webhook_signature import signature_headers, signing_key

# The example of the package's own documentation.
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
BODY = b'{"test": 2432232314}'


def signed(secret, body, *, at=None):
    return signature_headers(signing_key(secret), "msg-1", int(time.time()) if at is None else at, body)


def test_the_example_of_the_scheme_is_signed_as_its_package_signs_it():
    at = datetime.fromtimestamp(1614265330, UTC)
    expected = Webhook(SECRET).sign("msg_p5jXN8AQM9LWM0D4loKWxJek", at, BODY.decode())
    headers = signature_headers(signing_key(SECRET), "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, BODY)
    assert headers == {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": expected,
    }
    assert expected == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@given(key=st.binary(min_size=1, max_size=80), value=st.text(max_size=40))
def test_the_package_accepts_what_is_signed_here(key, value):
    secret = "whsec_" + base64.b64encode(key).decode()
    body = json.dumps({"text": value}, ensure_ascii=True).encode()
    assert Webhook(secret).verify(body, signed(secret, body)) == {"text": value}


def test_the_package_refuses_another_body_another_secret_and_an_old_message():
    with pytest.raises(WebhookVerificationError):
        Webhook(SECRET).verify(BODY + b" ", signed(SECRET, BODY))
    with pytest.raises(WebhookVerificationError):
        Webhook(SECRET).verify(BODY, signed("another", BODY))
    with pytest.raises(WebhookVerificationError):
        Webhook(SECRET).verify(BODY, signed(SECRET, BODY, at=int(time.time()) - 3600))


def test_any_text_can_be_a_secret_and_is_used_as_it_is():
    headers = signed("Jefe", BODY, at=1614265330)
    inner, outer = (bytes(byte ^ pad for byte in b"Jefe".ljust(64, b"\0")) for pad in (0x36, 0x5C))  # RFC 2104
    digest = hashlib.sha256(outer + hashlib.sha256(inner + b"msg-1.1614265330." + BODY).digest()).digest()
    assert headers["webhook-signature"] == f"v1,{base64.b64encode(digest).decode()}"


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_not base64!", "whsec_abc"])
def test_a_secret_that_cannot_sign_is_a_mistake_in_the_configuration(secret):
    with pytest.raises(ConfigurationError, match="WEBHOOK_SECRET") as caught:
        signing_key(secret)
    assert caught.value.param == "WEBHOOK_SECRET"
