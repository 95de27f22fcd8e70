"""API keys of the web server: made, known by their digest, revoked. The key itself is shown once and kept nowhere."""

import hashlib
import hmac
import re
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import Engine, insert, or_, select, update

from common.errors import InvalidInputError
from orchestrator.server.store.database import reading, writing
from orchestrator.server.store.tables import KEYS

ID_BYTES, SECRET_BYTES = 4, 32
FORM = re.compile(r"parley_([0-9a-f]{8})_([A-Za-z0-9_-]{43})")
NO_DIGEST = "0" * 64  # of no secret that anybody knows
NAME_CHARS = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRecord:
    """An API key without its secret; times are seconds since 1970."""

    id: str
    name: str
    created_at: float
    revoked_at: float | None = None


RECORD = select(KEYS.c.id, KEYS.c.name, KEYS.c.created_at, KEYS.c.revoked_at)


class KeyStore:
    """The API keys in one database; its methods block and are thread-safe."""

    def __init__(self, engine: Engine, *, clock: Callable[[], float] = time.time) -> None:
        self._engine = engine
        self._clock = clock

    def add(self, name: str) -> tuple[KeyRecord, str]:
        """Make a key and return it with its plain text, which nobody can find out later.

        Raises InvalidInputError for an empty or long name, or one that a key in use has.
        """
        if not name.strip() or len(name) > NAME_CHARS:
            raise InvalidInputError(f"name a key by 1 to {NAME_CHARS} characters", param="name")
        record = KeyRecord(id=secrets.token_hex(ID_BYTES), name=name, created_at=self._clock())
        secret = secrets.token_urlsafe(SECRET_BYTES)
        with writing(self._engine, alone=True) as connection:
            if connection.scalar(select(KEYS.c.id).where(KEYS.c.name == name, KEYS.c.revoked_at.is_(None)).limit(1)):
                raise InvalidInputError("a key in use has this name; choose another or revoke that", param="name")
            connection.execute(
                insert(KEYS).values(id=record.id, name=name, digest=_digest(secret), created_at=record.created_at)
            )
        return record, f"parley_{record.id}_{secret}"

    def find(self, plain: str) -> KeyRecord | None:
        """Return the key of that plain text, None if it is unknown or revoked.

        How long that takes tells nothing about a secret: one comparison, in constant time, for every text of a key's
        form. A secret of 256 random bits needs no slow hash.
        """
        form = FORM.fullmatch(plain)
        if form is None:
            return None
        key_id, secret = form.groups()
        with reading(self._engine) as connection:
            row = connection.execute(RECORD.add_columns(KEYS.c.digest).where(KEYS.c.id == key_id)).one_or_none()
        known = hmac.compare_digest(_digest(secret), NO_DIGEST if row is None else row.digest)
        if row is None or not known or row.revoked_at is not None:
            return None
        return KeyRecord(id=row.id, name=row.name, created_at=row.created_at)

    def get(self, key_id: str) -> KeyRecord | None:
        """Return the key with this id, None if it is unknown or revoked."""
        with reading(self._engine) as connection:
            row = connection.execute(RECORD.where(KEYS.c.id == key_id, KEYS.c.revoked_at.is_(None))).mappings().first()
        return None if row is None else KeyRecord(**row)

    def all(self) -> list[KeyRecord]:
        """Return all keys, revoked ones too, the oldest first."""
        with reading(self._engine) as connection:
            rows = connection.execute(RECORD.order_by(KEYS.c.created_at, KEYS.c.id)).mappings()
            return [KeyRecord(**row) for row in rows]

    def revoke(self, name_or_id: str) -> bool:
        """Refuse a key from now on; False where no key in use has this name or id."""
        named = (or_(KEYS.c.id == name_or_id, KEYS.c.name == name_or_id), KEYS.c.revoked_at.is_(None))
        with writing(self._engine) as connection:
            return connection.execute(update(KEYS).where(*named).values(revoked_at=self._clock())).rowcount > 0

    def any(self) -> bool:
        """Tell whether a key was ever made: revoking the last one must not open a server to everybody."""
        with reading(self._engine) as connection:
            return connection.scalar(select(KEYS.c.id).limit(1)) is not None


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
