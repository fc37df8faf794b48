"""The REST API: routes over ports, errors as problem documents, the description in OpenAPI. No logic.

- `app`: everything joined into one ASGI application. - `ports`: what it needs of whoever does the work. - `views`: what
it answers. - `routes`: one module per noun. - `frame`: what holds for each request, whatever it asks for.
- `principals`: who asks. - `requests`, `parameters`, `answers`, `problems`: from HTTP to typed values and back.
- `openapi`, `examples`, `pages`: the description, for programs and for people.

What comes in is bounded and is never evaluated (I8, I10); what goes out holds no secret (I9).
"""
