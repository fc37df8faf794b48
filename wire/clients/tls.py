"""Encryption, for every client that takes an SSL context: its configuration, and the context made of it."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Annotated, Final, Literal

from wire.core.config import Config, MisfitError, Secret, doc
from wire.core.errors import UnavailableError
from wire.core.permissions import LOCAL_PATH

_REASONS: Final = {
    "": "there is no certificate or no private key in them that can be read",
    "KEY_VALUES_MISMATCH": "the private key does not belong to the certificate",
    "NO_CERTIFICATE_OR_CRL_FOUND": "there is no certificate in the authority's file",
}


class Tls(Config, frozen=True, kw_only=True):
    """Encryption. All files are PEM."""

    ca: Annotated[str | None, doc("File of the authorities to trust; the system's own unless given."), LOCAL_PATH] = (
        None
    )
    cert: Annotated[str | None, doc("File of the client's certificate, where the server asks for one."), LOCAL_PATH] = (
        None
    )
    key: Annotated[str | None, doc("File of the client's private key, if it is not in `cert`."), LOCAL_PATH] = None
    key_password: Annotated[Secret | None, doc("Opens an encrypted `key`.")] = None
    verify: Annotated[
        Literal["full", "chain", "none"],
        doc("`full` checks the server's certificate and its name, `chain` the certificate only, `none` nothing."),
    ] = "full"

    def __post_init__(self) -> None:
        if self.key is not None and self.cert is None:
            raise MisfitError("`key` needs the certificate it belongs to", "set `cert` too")


def tls_context(tls: Tls, code: str, field: str = "tls") -> ssl.SSLContext:
    """Return the settings as the ssl module takes them. Blocking: reads files.

    Raises UnavailableError with `code` for a file that can't be used; `field` is where the configuration has `tls`.
    """
    for name, path in (("ca", tls.ca), ("cert", tls.cert), ("key", tls.key)):
        if path is not None and not Path(path).is_file():
            raise UnavailableError(code, f"`{field}.{name}`: there is no file {path}", hint="check the path")
    try:
        context = ssl.create_default_context(cafile=tls.ca)
        if tls.cert is not None:
            # an encrypted key without a password must fail here, not prompt on the terminal
            context.load_cert_chain(tls.cert, tls.key, tls.key_password.reveal() if tls.key_password else "")
    except (ssl.SSLError, OSError) as exc:
        hint = "the files must be PEM, and an encrypted key needs `key_password`"
        raise UnavailableError(code, f"the files of `{field}` can't be used: {reason(exc)}", hint=hint) from None
    context.check_hostname = tls.verify == "full"
    if tls.verify == "none":
        context.verify_mode = ssl.CERT_NONE
    return context


def reason(exc: OSError) -> str:
    """Say in plain words why the ssl module does not take files."""
    if isinstance(exc, ssl.SSLError) and (exc.reason or "") in _REASONS:
        return _REASONS[exc.reason or ""]
    return exc.strerror or str(exc)
