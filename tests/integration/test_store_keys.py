import hmac
import re
from pathlib import Path

import pytest
from sqlalchemy import select

from common.errors import InvalidInputError
from orchestrator.server.store.keys import KeyStore
from orchestrator.server.store.tables import KEYS
from tests.support.job_stores import DATABASES, stage


@pytest.fixture(params=DATABASES)
def made(request, tmp_path):
    with stage(request.param, tmp_path) as made:
        yield made


@pytest.fixture
def keys(made):
    return KeyStore(made.engine, clock=made.clock)


def test_a_key_is_found_by_its_plain_text(keys, made):
    record, plain = keys.add("laptop")
    assert re.fullmatch(r"parley_[0-9a-f]{8}_[A-Za-z0-9_-]{43}", plain)
    assert plain.split("_")[1] == record.id
    assert keys.find(plain) == record
    assert (record.name, record.created_at, record.revoked_at) == ("laptop", made.clock.now, None)
    assert plain not in repr(record)


def test_no_secret_is_like_another(keys):
    plain = [keys.add(f"key {number}")[1] for number in range(20)]
    assert len({text[16:] for text in plain}) == len({text[:15] for text in plain}) == 20


def test_whatever_is_near_a_key_is_none(keys):
    _, plain = keys.add("laptop")
    other_id, other = keys.add("phone")
    swapped = f"parley_{other_id.id}_{plain.split('_', 2)[2]}"
    flipped = plain[:-1] + ("A" if plain[-1] != "A" else "B")
    near = [swapped, flipped, plain + "A", plain[:-1], plain + "\n", " " + plain, plain.upper(), plain[7:]]
    for text in [*near, "", "parley_", "\0", "parley_0123abcd_" + "ä" * 43, "parley_ffffffff_" + "A" * 43, "x" * 10**6]:
        assert keys.find(text) is None, text
    assert keys.find(plain).name == "laptop"
    assert keys.find(other).name == "phone"


def test_a_revoked_key_is_refused(keys, made):
    record, plain = keys.add("laptop")
    made.clock.now += 1
    kept, kept_plain = keys.add("phone")
    made.clock.now += 5
    assert keys.revoke("laptop")
    assert not keys.revoke("laptop")
    assert keys.find(plain) is None
    assert keys.find(kept_plain) == kept
    assert [(key.name, key.revoked_at) for key in keys.all()] == [("laptop", made.clock.now), ("phone", None)]
    assert keys.revoke(kept.id)
    assert keys.find(kept_plain) is None
    assert record.id != kept.id


def test_the_last_key_revoked_does_not_open_the_server(keys):
    assert not keys.any()
    keys.add("laptop")
    assert keys.any()
    keys.revoke("laptop")
    assert keys.any()


def test_a_name_is_of_one_key_in_use(keys):
    keys.add("laptop")
    with pytest.raises(InvalidInputError, match="a key in use has this name; choose another or revoke that"):
        keys.add("laptop")
    keys.revoke("laptop")
    keys.add("laptop")
    for name in ("", "  ", "x" * 101):
        with pytest.raises(InvalidInputError, match="name a key by 1 to 100 characters"):
            keys.add(name)
    assert len(keys.all()) == 2


def test_the_secret_is_kept_nowhere(keys, made):
    _, plain = keys.add("laptop")
    secret = plain.split("_", 2)[2]
    with made.engine.connect() as connection:
        rows = [str(row) for row in connection.execute(select(KEYS))]
    assert not any(secret in row or plain in row for row in rows)
    if made.engine.dialect.name == "sqlite":
        folder = made.engine.url.database.rpartition("/")[0]
        assert not any(secret.encode() in content for content in contents_of(folder))


def contents_of(folder):
    return [path.read_bytes() for path in Path(folder).iterdir() if path.is_file()]


def test_every_key_of_the_right_form_is_compared_once_in_constant_time(keys, monkeypatch):
    compared = []

    real = hmac.compare_digest

    def noted(first, second):
        compared.append((len(first), len(second)))
        return real(first, second)

    _, plain = keys.add("laptop")
    _, revoked = keys.add("phone")
    keys.revoke("phone")
    monkeypatch.setattr("orchestrator.server.store.keys.hmac.compare_digest", noted)
    for text in (plain, revoked, "parley_00000000_" + "A" * 43, plain[:16] + "A" * 43):
        keys.find(text)
    assert compared == [(64, 64)] * 4


def test_a_key_in_use_is_found_by_its_id(keys):
    laptop, phone = (keys.add(name)[0] for name in ("laptop", "phone"))
    assert (keys.get(laptop.id), keys.get(phone.id), keys.get("ffffffff")) == (laptop, phone, None)
    keys.revoke("laptop")
    assert (keys.get(laptop.id), keys.get(phone.id)) == (None, phone)
