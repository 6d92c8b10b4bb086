"""releases: to whom documents are released, originators' control and consents

Revision: 0005_releases, after 0004_version_digests
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0005_releases"
down_revision = "0004_version_digests"
branch_labels = None
depends_on = None


def _dated(name: str, *columns: sa.Column[Any] | sa.ForeignKeyConstraint) -> None:
    """Make a table of grants upon documents."""
    op.create_table(
        name,
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("document_id", sa.String(length=36), nullable=False),
        *columns,
        sa.Column("valid_from", sa.BigInteger(), nullable=False),
        sa.Column("valid_until", sa.BigInteger(), nullable=True),
        sa.Column("granted_by", sa.String(length=36), nullable=True),
        sa.Column("log_entry", sa.BigInteger(), nullable=False),
        sa.Column("row_version", sa.Integer(), nullable=False),
        sa.Column("seal", sa.LargeBinary(length=64), nullable=False),
        sa.ForeignKeyConstraint(["document_id"], ["documents.id"], name=op.f(f"fk_{name}_document_id")),
        sa.PrimaryKeyConstraint("id", name=op.f(f"pk_{name}")),
    )
    with op.batch_alter_table(name, schema=None) as batch_op:
        batch_op.create_index(f"ix_{name}_document", ["document_id"], unique=False)
        batch_op.create_index(batch_op.f(f"ix_{name}_log_entry"), ["log_entry"], unique=False)


def upgrade() -> None:
    """Apply."""
    _dated("originator_controls", sa.Column("reason_sealed", sa.LargeBinary(), nullable=False))
    _dated(
        "originator_consents",
        sa.Column("organisation_id", sa.String(length=36), nullable=False),
        sa.Column("act", sa.String(length=20), nullable=False),
        sa.Column("reference_sealed", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisations.id"], name=op.f("fk_originator_consents_organisation_id")
        ),
    )
    _dated(
        "releases",
        sa.Column("to_kind", sa.String(length=20), nullable=False),
        sa.Column("to_id", sa.String(length=36), nullable=False),
        sa.Column("made_by", sa.String(length=36), nullable=False),
        sa.Column("consent_id", sa.String(length=36), nullable=True),
        sa.Column("reason_sealed", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["made_by"], ["organisations.id"], name=op.f("fk_releases_made_by")),
        sa.ForeignKeyConstraint(
            ["consent_id"], ["originator_consents.id"], name=op.f("fk_releases_consent_id")
        ),
    )
    with op.batch_alter_table("releases", schema=None) as batch_op:
        batch_op.create_index("ix_releases_to", ["to_id"], unique=False)


def downgrade() -> None:
    """Undo."""
    for name in ("releases", "originator_consents", "originator_controls"):
        op.drop_table(name)
