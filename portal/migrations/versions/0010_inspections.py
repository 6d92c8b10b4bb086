"""inspections: what looking into versions found, and scans to be made

Revision: 0010_inspections, after 0009_open_sessions
"""

import sqlalchemy as sa
from alembic import op

revision = "0010_inspections"
down_revision = "0009_open_sessions"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "inspections",
        sa.Column("document_id", sa.String(length=36), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("scan", sa.String(length=20), nullable=False),
        sa.Column("signatures", sa.BigInteger(), nullable=True),
        sa.Column("standing", sa.String(length=20), nullable=False),
        sa.Column("reasons", sa.Text(), nullable=False),
        sa.Column("finding_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("changed", sa.BigInteger(), nullable=False),
        sa.Column("log_entry", sa.BigInteger(), nullable=False),
        sa.Column("row_version", sa.Integer(), nullable=False),
        sa.Column("seal", sa.LargeBinary(length=64), nullable=False),
        sa.ForeignKeyConstraint(
            ["document_id", "number"],
            ["versions.document_id", "versions.number"],
            name=op.f("fk_inspections_document_id"),
        ),
        sa.PrimaryKeyConstraint("document_id", "number", name=op.f("pk_inspections")),
    )
    with op.batch_alter_table("inspections", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_inspections_log_entry"), ["log_entry"], unique=False)
        batch_op.create_index(
            "ix_inspections_standing", ["standing", "created", "document_id", "number"], unique=False
        )

    op.create_table(
        "scan_jobs",
        sa.Column("document_id", sa.String(length=36), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("due", sa.BigInteger(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("document_id", "number", name=op.f("pk_scan_jobs")),
    )
    with op.batch_alter_table("scan_jobs", schema=None) as batch_op:
        batch_op.create_index("ix_scan_jobs_due", ["due"], unique=False)


def downgrade() -> None:
    """Undo."""
    op.drop_table("scan_jobs")
    op.drop_table("inspections")
