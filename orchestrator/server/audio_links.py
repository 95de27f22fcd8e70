"""Addresses under which workers get a recording: signed, for one file."""

from itsdangerous import BadData, URLSafeSerializer

from common.errors import JobNotFoundError

SALT = "parley audio"


class AudioLinks:
    """Makes and reads the addresses of files in the storage, by a secret that all instances share.

    `base_url` is where the workers reach this server; a server that has chosen its port itself sets it then.
    """

    def __init__(self, secret: bytes, *, base_url: str) -> None:
        self._signed = URLSafeSerializer(secret, salt=SALT)
        self.base_url = base_url

    def url(self, name: str) -> str:
        """Return the address of the stored file `name`, the same each time: a job begun again asks for the same."""
        return f"{self.base_url.rstrip('/')}/internal/audio/{self._signed.dumps(name)}"

    def name(self, token: str) -> str:
        """Return the file that a token stands for; raises JobNotFoundError for one that is forged."""
        try:
            return str(self._signed.loads(token))
        except BadData:
            raise JobNotFoundError("there is no such recording") from None
