"""What schemathesis has to be told: a module's bytes go into a request as they are, and nothing is read of them."""

import schemathesis


@schemathesis.serializer("application/wasm")
def as_they_are(ctx, value):
    return value if isinstance(value, bytes) else str(value).encode()


@schemathesis.deserializer("application/wasm")
def unread(ctx, response):
    return response.content.decode("latin-1")
