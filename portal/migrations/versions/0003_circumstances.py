"""circumstances: premises, instructions, settings by level, proposals

Revision: 0003_circumstances, after 0002_lists
"""

import sqlalchemy as sa
from alembic import op

revision = '0003_circumstances'
down_revision = '0002_lists'
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_table('instructions',
    sa.Column('id', sa.String(length=36), nullable=False),
    sa.Column('policy_id', sa.String(length=100), nullable=False),
    sa.Column('classifications', sa.Text(), nullable=False),
    sa.Column('title_sealed', sa.LargeBinary(), nullable=False),
    sa.Column('text_sealed', sa.LargeBinary(), nullable=False),
    sa.Column('valid_from', sa.BigInteger(), nullable=False),
    sa.Column('valid_until', sa.BigInteger(), nullable=True),
    sa.Column('granted_by', sa.String(length=36), nullable=True),
    sa.Column('log_entry', sa.BigInteger(), nullable=False),
    sa.Column('row_version', sa.Integer(), nullable=False),
    sa.Column('seal', sa.LargeBinary(length=64), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_instructions'))
    )
    with op.batch_alter_table('instructions', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_instructions_log_entry'), ['log_entry'], unique=False)

    op.create_table('level_settings',
    sa.Column('id', sa.String(length=36), nullable=False),
    sa.Column('policy_id', sa.String(length=100), nullable=False),
    sa.Column('classification', sa.String(length=256), nullable=False),
    sa.Column('kind', sa.String(length=20), nullable=False),
    sa.Column('value', sa.Text(), nullable=False),
    sa.Column('valid_from', sa.BigInteger(), nullable=False),
    sa.Column('valid_until', sa.BigInteger(), nullable=True),
    sa.Column('granted_by', sa.String(length=36), nullable=True),
    sa.Column('log_entry', sa.BigInteger(), nullable=False),
    sa.Column('row_version', sa.Integer(), nullable=False),
    sa.Column('seal', sa.LargeBinary(length=64), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_level_settings'))
    )
    with op.batch_alter_table('level_settings', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_level_settings_log_entry'), ['log_entry'], unique=False)

    op.create_table('proposals',
    sa.Column('id', sa.String(length=36), nullable=False),
    sa.Column('act', sa.String(length=20), nullable=False),
    sa.Column('content', sa.Text(), nullable=False),
    sa.Column('digest', sa.String(length=64), nullable=False),
    sa.Column('payload', sa.LargeBinary(), nullable=False),
    sa.Column('reason_sealed', sa.LargeBinary(), nullable=False),
    sa.Column('proposed_by', sa.String(length=36), nullable=False),
    sa.Column('created', sa.BigInteger(), nullable=False),
    sa.Column('valid_until', sa.BigInteger(), nullable=False),
    sa.Column('closed', sa.BigInteger(), nullable=True),
    sa.Column('outcome', sa.String(length=20), nullable=True),
    sa.Column('log_entry', sa.BigInteger(), nullable=False),
    sa.Column('row_version', sa.Integer(), nullable=False),
    sa.Column('seal', sa.LargeBinary(length=64), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_proposals'))
    )
    with op.batch_alter_table('proposals', schema=None) as batch_op:
        batch_op.create_index('ix_proposals_created', ['created', 'id'], unique=False)
        batch_op.create_index(batch_op.f('ix_proposals_log_entry'), ['log_entry'], unique=False)

    op.create_table('facility_clearances',
    sa.Column('id', sa.String(length=36), nullable=False),
    sa.Column('organisation_id', sa.String(length=36), nullable=False),
    sa.Column('policy_id', sa.String(length=100), nullable=False),
    sa.Column('classifications', sa.Text(), nullable=False),
    sa.Column('authority_sealed', sa.LargeBinary(), nullable=False),
    sa.Column('valid_from', sa.BigInteger(), nullable=False),
    sa.Column('valid_until', sa.BigInteger(), nullable=True),
    sa.Column('granted_by', sa.String(length=36), nullable=True),
    sa.Column('log_entry', sa.BigInteger(), nullable=False),
    sa.Column('row_version', sa.Integer(), nullable=False),
    sa.Column('seal', sa.LargeBinary(length=64), nullable=False),
    sa.ForeignKeyConstraint(['organisation_id'], ['organisations.id'], name=op.f('fk_facility_clearances_organisation_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_facility_clearances'))
    )
    with op.batch_alter_table('facility_clearances', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_facility_clearances_log_entry'), ['log_entry'], unique=False)
        batch_op.create_index('ix_facility_clearances_organisation', ['organisation_id'], unique=False)

    op.create_table('acknowledgements',
    sa.Column('id', sa.String(length=36), nullable=False),
    sa.Column('person_id', sa.String(length=36), nullable=False),
    sa.Column('instruction_id', sa.String(length=36), nullable=False),
    sa.Column('valid_from', sa.BigInteger(), nullable=False),
    sa.Column('valid_until', sa.BigInteger(), nullable=True),
    sa.Column('granted_by', sa.String(length=36), nullable=True),
    sa.Column('log_entry', sa.BigInteger(), nullable=False),
    sa.Column('row_version', sa.Integer(), nullable=False),
    sa.Column('seal', sa.LargeBinary(length=64), nullable=False),
    sa.ForeignKeyConstraint(['instruction_id'], ['instructions.id'], name=op.f('fk_acknowledgements_instruction_id')),
    sa.ForeignKeyConstraint(['person_id'], ['people.id'], name=op.f('fk_acknowledgements_person_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_acknowledgements'))
    )
    with op.batch_alter_table('acknowledgements', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_acknowledgements_log_entry'), ['log_entry'], unique=False)
        batch_op.create_index('ix_acknowledgements_person', ['person_id'], unique=False)

    op.create_table('approvals',
    sa.Column('id', sa.String(length=36), nullable=False),
    sa.Column('proposal_id', sa.String(length=36), nullable=False),
    sa.Column('act', sa.String(length=20), nullable=False),
    sa.Column('digest', sa.String(length=64), nullable=False),
    sa.Column('approver_id', sa.String(length=36), nullable=False),
    sa.Column('valid_from', sa.BigInteger(), nullable=False),
    sa.Column('valid_until', sa.BigInteger(), nullable=False),
    sa.Column('log_entry', sa.BigInteger(), nullable=False),
    sa.Column('row_version', sa.Integer(), nullable=False),
    sa.Column('seal', sa.LargeBinary(length=64), nullable=False),
    sa.ForeignKeyConstraint(['approver_id'], ['people.id'], name=op.f('fk_approvals_approver_id')),
    sa.ForeignKeyConstraint(['proposal_id'], ['proposals.id'], name=op.f('fk_approvals_proposal_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_approvals'))
    )
    with op.batch_alter_table('approvals', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_approvals_log_entry'), ['log_entry'], unique=False)
        batch_op.create_index('ix_approvals_proposal', ['proposal_id'], unique=False)


def downgrade() -> None:
    """Undo."""
    with op.batch_alter_table('approvals', schema=None) as batch_op:
        batch_op.drop_index('ix_approvals_proposal')
        batch_op.drop_index(batch_op.f('ix_approvals_log_entry'))

    op.drop_table('approvals')
    with op.batch_alter_table('acknowledgements', schema=None) as batch_op:
        batch_op.drop_index('ix_acknowledgements_person')
        batch_op.drop_index(batch_op.f('ix_acknowledgements_log_entry'))

    op.drop_table('acknowledgements')
    with op.batch_alter_table('facility_clearances', schema=None) as batch_op:
        batch_op.drop_index('ix_facility_clearances_organisation')
        batch_op.drop_index(batch_op.f('ix_facility_clearances_log_entry'))

    op.drop_table('facility_clearances')
    with op.batch_alter_table('proposals', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_proposals_log_entry'))
        batch_op.drop_index('ix_proposals_created')

    op.drop_table('proposals')
    with op.batch_alter_table('level_settings', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_level_settings_log_entry'))

    op.drop_table('level_settings')
    with op.batch_alter_table('instructions', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_instructions_log_entry'))

    op.drop_table('instructions')
