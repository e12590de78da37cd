"""The JSON of requests, responses and events, field by field; ``/openapi.json`` is made from it."""
