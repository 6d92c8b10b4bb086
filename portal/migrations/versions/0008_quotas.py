"""quotas: an index by which what a person sent is added up

Revision: 0008_quotas, after 0007_resumable_uploads
"""

from alembic import op

revision = "0008_quotas"
down_revision = "0007_resumable_uploads"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    with op.batch_alter_table("versions", schema=None) as batch_op:
        batch_op.create_index("ix_versions_uploaded_by", ["uploaded_by", "size"], unique=False)


def downgrade() -> None:
    """Undo."""
    with op.batch_alter_table("versions", schema=None) as batch_op:
        batch_op.drop_index("ix_versions_uploaded_by")
