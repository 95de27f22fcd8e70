"""Who calls: by API key, by the page's cookie, or this machine's user where no key is asked for."""

import asyncio
import time
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address, ip_network

from itsdangerous import BadData, URLSafeTimedSerializer
from starlette.requests import Request

from common.errors import ForbiddenError, UnauthorizedError
from orchestrator.server.context import ServerContext
from orchestrator.server.http.origins import SAFE_METHODS, host_is_loopback, is_allowed_page, is_own_page
from orchestrator.server.http.rate_limits import RateLimits
from orchestrator.server.jobs import LOCAL_OWNER
from orchestrator.server.store.keys import KeyRecord

COOKIE = "parley_session"
COOKIE_S = 30 * 24 * 3600
SALT = "parley session"
LOOK_S = 1.0  # between two looks for the first key
NO_KEY = "this server asks for an API key: send it as `Authorization: Bearer parley_…`, or sign in on the page"


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Whose jobs these are; `name` is that of the key, None where no key is asked for."""

    owner: str
    name: str | None = None


class Access:
    """Tells who calls, and refuses those who may not, or not so often. Blocks; thread-safe."""

    def __init__(self, context: ServerContext) -> None:
        self._keys = context.keys
        self._server = context.server
        self._limits = RateLimits(context.server)
        self._signed = URLSafeTimedSerializer(context.store.secret(), salt=SALT)
        self._open_until = 0.0

    def needs_key(self) -> bool:
        """Tell whether a key is asked for: there is one, or the server is reached from other machines.

        Without keys they are looked for every second.
        """
        if self._is_open():
            return False
        if self._server.reached_by_others or self._keys.any():
            return True
        self._open_until = time.monotonic() + LOOK_S
        return False

    def blocks(self) -> bool:
        """Tell whether `admit` has to ask the database or Redis."""
        return not self._is_open() or self._limits.block

    def _is_open(self) -> bool:
        return time.monotonic() < self._open_until

    def identify(self, request: Request) -> Caller | None:
        """Return who calls, None for nobody who is known.

        Raises ForbiddenError for what another site's page sends in its visitor's name, UnauthorizedError for a wrong
        key, RateLimitedError after many of them.
        """
        if not self.needs_key():
            self._check_site(request)
            return Caller(owner=LOCAL_OWNER)
        plain = _bearer(request)
        record = self._by_cookie(request) if plain is None else self.by_key(request, plain)
        return None if record is None else Caller(owner=record.id, name=record.name)

    def admit(self, request: Request, *, new_job: bool = False) -> Caller:
        """Return who calls, the request counted; raises UnauthorizedError for nobody, RateLimitedError for too many."""
        caller = self.identify(request)
        known = caller is not None and caller.owner != LOCAL_OWNER
        counted = f"key {caller.owner}" if caller is not None and known else f"address {address_of(request)}"
        headers = self._limits.count_request(counted)
        if caller is None:
            raise UnauthorizedError(NO_KEY)
        request.state.rate_headers = self._limits.count_new_job(counted) if new_job else headers
        return caller

    def by_key(self, request: Request, plain: str) -> KeyRecord:
        """Return the key that `plain` is; raises UnauthorizedError for none, RateLimitedError after many of those.

        Who has a right one is let in, however many wrong ones came from the same address, as a proxy's may be.
        """
        record = self._keys.find(plain)
        if record is None:
            self._limits.count_wrong_key(address_of(request))
            raise UnauthorizedError(
                "this API key is not known, or was revoked; `parley keys list` shows those that are"
            )
        return record

    def cookie_for(self, record: KeyRecord) -> str:
        """Return the value of a cookie that stands for a key as long as that is not revoked."""
        return str(self._signed.dumps(record.id))

    def check_site(self, request: Request) -> None:
        """Raise ForbiddenError where another site's page would sign its visitor in or out."""
        if not is_own_page(request):
            raise ForbiddenError("this was sent by another site's page; use this server's own")

    def _check_site(self, request: Request) -> None:
        if not host_is_loopback(request):
            raise ForbiddenError(
                "without API keys the server answers to localhost only, not to other names; make one with "
                "`parley keys add`"
            )
        if request.method not in SAFE_METHODS and not is_allowed_page(request, self._server.cors_origins):
            raise ForbiddenError("this was sent by another site's page; to let it, put its origin into CORS_ORIGINS")

    def _by_cookie(self, request: Request) -> KeyRecord | None:
        value = request.cookies.get(COOKIE)
        if not value or not is_own_page(request):
            return None
        try:
            key_id = self._signed.loads(value, max_age=COOKIE_S)
        except BadData:
            return None
        return self._keys.get(str(key_id))


async def owner_of(request: Request) -> str:
    """Return whose jobs the caller sees; a dependency of every route, raising as `Access.admit`."""
    return (await _admitted(request, new_job=False)).owner


async def new_job_owner_of(request: Request) -> str:
    """Return the same for a route that makes jobs, which may be called less often."""
    return (await _admitted(request, new_job=True)).owner


async def _admitted(request: Request, *, new_job: bool) -> Caller:
    access = access_of(request)
    if access.blocks():
        return await asyncio.to_thread(access.admit, request, new_job=new_job)
    return access.admit(request, new_job=new_job)


def access_of(request: Request) -> Access:
    """Return the server's access rules."""
    access: Access = request.app.state.access
    return access


def context_of(request: Request) -> ServerContext:
    """Return the server's parts; a dependency."""
    context: ServerContext = request.app.state.context
    return context


def address_of(request: Request) -> str:
    """Return from where the request comes; of IPv6 the /64 network, all of which one household has."""
    host = request.client.host if request.client is not None else ""
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        return "unknown"
    if isinstance(address, IPv6Address):
        return str(ip_network((address, 64), strict=False))
    return str(address)


def _bearer(request: Request) -> str | None:
    scheme, _, key = request.headers.get("authorization", "").partition(" ")
    return key.strip() if scheme.lower() == "bearer" else None
