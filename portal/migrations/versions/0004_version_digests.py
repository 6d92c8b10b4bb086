"""version digests: the SHA-384 of each version

Revision: 0004_version_digests, after 0003_circumstances
"""

import sqlalchemy as sa
from alembic import op

revision = "0004_version_digests"
down_revision = "0003_circumstances"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "version_digests",
        sa.Column("document_id", sa.String(length=36), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("sha384", sa.LargeBinary(length=48), nullable=False),
        sa.Column("log_entry", sa.BigInteger(), nullable=False),
        sa.Column("row_version", sa.Integer(), nullable=False),
        sa.Column("seal", sa.LargeBinary(length=64), nullable=False),
        sa.ForeignKeyConstraint(
            ["document_id", "number"],
            ["versions.document_id", "versions.number"],
            name=op.f("fk_version_digests_document_id"),
        ),
        sa.PrimaryKeyConstraint("document_id", "number", name=op.f("pk_version_digests")),
    )
    with op.batch_alter_table("version_digests", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_version_digests_log_entry"), ["log_entry"], unique=False)


def downgrade() -> None:
    """Undo."""
    op.drop_table("version_digests")
