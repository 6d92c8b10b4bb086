"""resumable_uploads: uploads that come in pieces, and who writes to them

Revision: 0007_resumable_uploads, after 0006_key_rotations
"""

import sqlalchemy as sa
from alembic import op

revision = "0007_resumable_uploads"
down_revision = "0006_key_rotations"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "resumable_uploads",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("person_id", sa.String(length=36), nullable=False),
        sa.Column("organisation_id", sa.String(length=36), nullable=False),
        sa.Column("document_id", sa.String(length=36), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("blob", sa.String(length=200), nullable=False),
        sa.Column("length", sa.BigInteger(), nullable=False),
        sa.Column("stored", sa.BigInteger(), nullable=False),
        sa.Column("parts", sa.Text(), nullable=False),
        sa.Column("wrapped_dek", sa.LargeBinary(), nullable=False),
        sa.Column("details_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("started", sa.BigInteger(), nullable=False),
        sa.Column("expires", sa.BigInteger(), nullable=False),
        sa.Column("log_entry", sa.BigInteger(), nullable=False),
        sa.Column("row_version", sa.Integer(), nullable=False),
        sa.Column("seal", sa.LargeBinary(length=64), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_resumable_uploads")),
    )
    with op.batch_alter_table("resumable_uploads", schema=None) as batch_op:
        batch_op.create_index("ix_resumable_uploads_person", ["person_id"], unique=False)
        batch_op.create_index("ix_resumable_uploads_organisation", ["organisation_id"], unique=False)
        batch_op.create_index("ix_resumable_uploads_expires", ["expires"], unique=False)
        batch_op.create_index(batch_op.f("ix_resumable_uploads_log_entry"), ["log_entry"], unique=False)
    op.create_table(
        "upload_leases",
        sa.Column("upload_id", sa.String(length=36), nullable=False),
        sa.Column("holder", sa.String(length=36), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("upload_id", name=op.f("pk_upload_leases")),
    )


def downgrade() -> None:
    """Undo."""
    op.drop_table("upload_leases")
    op.drop_table("resumable_uploads")
