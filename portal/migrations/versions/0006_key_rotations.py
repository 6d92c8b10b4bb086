"""keys: rotations, when a key's state changed, and versions by the key that wrapped theirs

Revision: 0006_key_rotations, after 0005_releases
"""

import sqlalchemy as sa
from alembic import op

revision = "0006_key_rotations"
down_revision = "0005_releases"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "key_rotations",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("domain", sa.String(200), nullable=False),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("place", sa.String(200), nullable=False),
        sa.Column("total", sa.Integer(), nullable=False),
        sa.Column("done", sa.Integer(), nullable=False),
        sa.Column("failed", sa.Integer(), nullable=False),
        sa.Column("ordered_by", sa.String(36), nullable=True),
        sa.Column("node", sa.String(100), nullable=False),
        sa.Column("claimed_until", sa.BigInteger(), nullable=False),
        sa.Column("started", sa.BigInteger(), nullable=False),
        sa.Column("finished", sa.BigInteger(), nullable=True),
    )
    op.create_index("ix_key_rotations_state", "key_rotations", ["state"])
    op.add_column("keys", sa.Column("changed", sa.BigInteger(), nullable=True))
    op.create_index(
        "ix_versions_kek", "versions", [sa.text("substr(wrapped_dek, 1, 9)"), "document_id", "number"]
    )


def downgrade() -> None:
    """Undo."""
    op.drop_index("ix_versions_kek", "versions")
    with op.batch_alter_table("keys", schema=None) as batch_op:
        batch_op.drop_column("changed")
    op.drop_table("key_rotations")
