"""lists at scale: documents by label, counters by change

Revision: 0002_lists, after 0001
"""

import sqlalchemy as sa
from alembic import op

revision = '0002_lists'
down_revision = '0001'
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    # What was counted before is one change, which is read by whoever begins.
    op.add_column('counters', sa.Column('changed', sa.BigInteger(), nullable=False, server_default='1'))
    op.create_index('ix_counters_changed', 'counters', ['changed'])
    op.create_index('ix_documents_label_created', 'documents', ['label_id', 'created', 'id'])


def downgrade() -> None:
    """Undo."""
    op.drop_index('ix_documents_label_created', 'documents')
    op.drop_index('ix_counters_changed', 'counters')
    with op.batch_alter_table('counters', schema=None) as batch_op:
        batch_op.drop_column('changed')
