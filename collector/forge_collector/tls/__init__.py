"""TLS: the collector's own authority, or a given certificate, renewed and reloaded as it runs."""
