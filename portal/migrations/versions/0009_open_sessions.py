"""sessions: those still open, by when they were last used

Revision: 0009_open_sessions, after 0008_quotas
"""

from alembic import op

revision = "0009_open_sessions"
down_revision = "0008_quotas"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_index("ix_sessions_ended_seen", "sessions", ["ended", "seen"])


def downgrade() -> None:
    """Undo."""
    op.drop_index("ix_sessions_ended_seen", "sessions")
