"""Newer versions: fetched, checked, tried, and given up again when they do not work.

``command`` is ``forge-agent update``, ``launcher`` what the service starts; ``auto`` is the part of
``run``. What is installed stands in ``installed``.
"""
