"""Nodes that share a token: siblings, and which node a boot belongs to."""

STATEMENTS = (
    # sibling_of: the node whose token this one pushes with, where that is another.
    "ALTER TABLE nodes ADD COLUMN sibling_of TEXT",
    "CREATE INDEX nodes_by_sibling_of ON nodes (sibling_of) WHERE sibling_of IS NOT NULL",
    # pushed_as: the node that a boot is pushed to, where it belongs to a sibling of that.
    "ALTER TABLE boots ADD COLUMN pushed_as TEXT",
    """
    CREATE INDEX boots_by_pushed_as ON boots (pushed_as, boot_id) WHERE pushed_as IS NOT NULL
    """,
    # late_since_ms: when a boot pushed live although another had followed it, by the listening
    # clock. has_returned: 1 when such a boot became the live one again. host: what it told, JSON.
    "ALTER TABLE boots ADD COLUMN late_since_ms BIGINT",
    "ALTER TABLE boots ADD COLUMN has_returned BIGINT",
    "ALTER TABLE boots ADD COLUMN host TEXT",
)
