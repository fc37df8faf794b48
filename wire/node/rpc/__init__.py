"""Calls between nodes: a request, an answer, a limit of time; many at once, on a connection that comes back by itself.

- `messages`: what is said, and who may say it. - `server`: answers calls. - `client`: makes them.

A method is declared once, with the type of its request and of its answer; both sides use that declaration:

    RENEW = Method("lease.renew", Renewal, Renewed)
    server.handle(RENEW, renew)                           # async def renew(request: Renewal, caller: Caller) -> Renewed
    renewed = await client.call(RENEW, Renewal(epoch=7), timeout_s=2.0)

A call whose connection breaks fails, and is not made a second time: only the caller knows whether that is safe. What
arrives is msgpack of declared types, or a fault that closes the connection (I10). What waits is bounded (I8).
"""
