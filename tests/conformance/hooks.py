"""Tells schemathesis to send a module's bytes as they are, and not to parse those that it receives."""

import schemathesis


@schemathesis.serializer("application/wasm")
def as_they_are(ctx, value):
    return value if isinstance(value, bytes) else str(value).encode()


@schemathesis.deserializer("application/wasm")
def unread(ctx, response):
    return response.content.decode("latin-1")
