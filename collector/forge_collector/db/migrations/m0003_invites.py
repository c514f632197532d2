"""Invites, and the machines that joined with them."""

STATEMENTS = (
    # id: of the code's hash, by which it is found; the code itself is not kept. node_id: whom it
    # makes of a machine. used_up_at: when its last use was claimed.
    """
    CREATE TABLE invites (
        id TEXT NOT NULL PRIMARY KEY,
        code_hash BLOB NOT NULL,
        node_id TEXT,
        uses BIGINT NOT NULL,
        used BIGINT NOT NULL,
        created_at BIGINT NOT NULL,
        expires_at BIGINT NOT NULL,
        used_up_at BIGINT,
        revoked_at BIGINT
    )
    """,
    # A token that came in by an invite. It stays here when the token is revoked, so that the same
    # claim does not bring it back.
    """
    CREATE TABLE invite_claims (
        token_id TEXT NOT NULL PRIMARY KEY,
        secret_hash BLOB NOT NULL,
        invite_id TEXT NOT NULL,
        node_id TEXT NOT NULL,
        claimed_at BIGINT NOT NULL
    )
    """,
    "CREATE INDEX invite_claims_by_invite ON invite_claims (invite_id, claimed_at)",
    # Which ids are taken is asked once a machine that joins, and more often where many share a
    # host name.
    "CREATE INDEX credentials_by_node ON credentials (node_id)",
)
