"""How a MongoDB deployment is reached: what the source, the sink and look-ups share. Needs no client library."""

from __future__ import annotations

from typing import Annotated, Literal

from wire.core.config import Config, MisfitError, Secret, doc
from wire.core.permissions import LOCAL_PATH, LOCAL_URI_FILES

_SCHEMES = ("mongodb://", "mongodb+srv://")


class MongoTls(Config, frozen=True, kw_only=True):
    """Encryption. All files are PEM. `{}` for TLS with the system's authorities."""

    ca: Annotated[str | None, doc("File of the authorities to trust; the system's own unless given."), LOCAL_PATH] = (
        None
    )
    cert: Annotated[
        str | None,
        doc("File with the client's certificate and its private key, where the servers ask for one."),
        LOCAL_PATH,
    ] = None
    key_password: Annotated[Secret | None, doc("Opens an encrypted private key in `cert`.")] = None
    verify: Annotated[
        Literal["full", "chain", "none"],
        doc("`full` checks the server's certificate and its name, `chain` the certificate only, `none` nothing."),
    ] = "full"

    def __post_init__(self) -> None:
        if self.key_password is not None and self.cert is None:
            raise MisfitError("`key_password` needs the key it opens", "set `cert` too")


class MongoAuth(Config, frozen=True, kw_only=True):
    """Who logs in. What stands here goes before what the URI says."""

    mechanism: Annotated[
        Literal["SCRAM-SHA-256", "SCRAM-SHA-1", "X509", "PLAIN"] | None,
        doc("How to log in; agreed on with the server unless given. `X509` takes `tls.cert`, `PLAIN` is LDAP."),
    ] = None
    username: Annotated[str | None, doc("The user; for `X509` the certificate's subject unless given.")] = None
    password: Annotated[Secret | None, doc("The user's password; best given as `${env:NAME}` or `${file:PATH}`.")] = (
        None
    )
    database: Annotated[str | None, doc("The database that holds the user, `admin` unless given.")] = None

    def __post_init__(self) -> None:
        if self.mechanism == "X509":
            if self.password is not None:
                raise MisfitError("`password` does not go with `mechanism: X509`", "the certificate takes its place")
        elif self.username is None:
            raise MisfitError(
                "`username` is required", "as in auth: {username: wire, password: '${env:MONGO_PASSWORD}'}"
            )
        elif self.password is None:
            raise MisfitError("`password` is required", "as in password: ${env:MONGO_PASSWORD}")


class MongoConnection(Config, frozen=True, kw_only=True):
    """The part of a configuration that says which deployment, and as whom."""

    uri: Annotated[
        Secret,
        doc(
            "Connection string, `mongodb://host:port,…/?replicaSet=name` or `mongodb+srv://…` (Atlas). It may hold a "
            "password and is never shown; best given as `${env:NAME}` or `${file:PATH}`."
        ),
        LOCAL_URI_FILES,
    ]
    tls: Annotated[MongoTls | None, doc("Encrypts the connection; `{}` for TLS with the system's authorities.")] = None
    auth: Annotated[MongoAuth | None, doc("Logs in, where the URI doesn't say as whom.")] = None
    app_name: Annotated[str, doc("The name under which the servers' logs know this client.")] = "wire"

    def __post_init__(self) -> None:
        if not self.uri.reveal().startswith(_SCHEMES):
            raise MisfitError("`uri` is no connection string", "it begins with mongodb:// or mongodb+srv://")
        if self.auth is not None and self.auth.mechanism == "X509" and (self.tls is None or self.tls.cert is None):
            raise MisfitError("`auth`: mechanism X509 needs a certificate", "set `tls.cert`")
