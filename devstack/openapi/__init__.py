"""The API's description, `openapi.json` (OpenAPI 3.1, https://spec.openapis.org/oas/v3.1.1).

`make openapi` generates it: routes, types, patterns, limits and problems are the app's; what people are told about them
is in :mod:`devstack.openapi.prose`; the examples are answers that were recorded.
"""
