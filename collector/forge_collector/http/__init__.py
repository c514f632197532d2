"""HTTP machinery that knows no domain: routes, auth, problems, limits, streams, OpenAPI."""
