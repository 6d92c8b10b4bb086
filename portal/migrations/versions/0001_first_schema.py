"""first schema

Revision: 0001, after 
"""

import sqlalchemy as sa
from alembic import op

revision = '0001'
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_table('counters',
    sa.Column('programme_id', sa.String(length=36), nullable=False),
    sa.Column('label_id', sa.Integer(), nullable=False),
    sa.Column('originator_id', sa.String(length=36), nullable=False),
    sa.Column('addressee_id', sa.String(length=36), nullable=False),
    sa.Column('state', sa.String(length=20), nullable=False),
    sa.Column('number', sa.Integer(), nullable=False),
    sa.PrimaryKeyConstraint('programme_id', 'label_id', 'originator_id', 'addressee_id', 'state', name=op.f('pk_counters'))
    )
    op.create_table('keys',
    sa.Column('id', sa.String(length=64), nullable=False),
    sa.Column('kind', sa.String(length=20), nullable=False),
    sa.Column('domain', sa.String(length=200), nullable=False),
    sa.Column('version', sa.Integer(), nullable=False),
    sa.Column('state', sa.String(length=20), nullable=False),
    sa.Column('created', sa.BigInteger(), nullable=False),
    sa.Column('wrapped', sa.LargeBinary(), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_keys'))
    )
    with op.batch_alter_table('keys', schema=None) as batch_op:
        batch_op.create_index('uq_keys_place', ['kind', 'domain', 'version'], unique=True)

    op.create_table('labels',
    sa.Column('id', sa.Integer(), autoincrement=False, nullable=False),
    sa.Column('digest', sa.LargeBinary(length=32), nullable=False),
    sa.Column('canonical', sa.LargeBinary(), nullable=False),
    sa.Column('log_entry', sa.BigInteger(), nullable=False),
    sa.Column('row_version', sa.Integer(), nullable=False),
    sa.Column('seal', sa.LargeBinary(length=64), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_labels')),
    sa.UniqueConstraint('digest', name=op.f('uq_labels_digest'))
    )
    with op.batch_alter_table('labels', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_labels_log_entry'), ['log_entry'], unique=False)

    op.create_table('organisations',
    sa.Column('id', sa.String(length=36), nullable=False),
    sa.Column('name_sealed', sa.LargeBinary(), nullable=False),
    sa.Column('nation', sa.String(length=3), nullable=False),
    sa.Column('active', sa.Boolean(), nullable=False),
    sa.Column('created', sa.BigInteger(), nullable=False),
    sa.Column('log_entry', sa.BigInteger(), nullable=False),
    sa.Column('row_version', sa.Integer(), nullable=False),
    sa.Column('seal', sa.LargeBinary(length=64), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_organisations'))
    )
    with op.batch_alter_table('organisations', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_organisations_log_entry'), ['log_entry'], unique=False)

    op.create_table('policies',
    sa.Column('digest', sa.String(length=64), nullable=False),
    sa.Column('spif', sa.LargeBinary(), nullable=False),
    sa.Column('active', sa.Boolean(), nullable=False),
    sa.Column('activated', sa.BigInteger(), nullable=False),
    sa.Column('log_entry', sa.BigInteger(), nullable=False),
    sa.Column('row_version', sa.Integer(), nullable=False),
    sa.Column('seal', sa.LargeBinary(length=64), nullable=False),
    sa.PrimaryKeyConstraint('digest', name=op.f('pk_policies'))
    )
    with op.batch_alter_table('policies', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_policies_log_entry'), ['log_entry'], unique=False)

    op.create_table('title_pieces',
    sa.Column('programme_id', sa.String(length=36), nullable=False),
    sa.Column('number', sa.Integer(), nullable=False),
    sa.Column('entries', sa.Integer(), nullable=False),
    sa.Column('piece', sa.LargeBinary(), nullable=False),
    sa.PrimaryKeyConstraint('programme_id', 'number', name=op.f('pk_title_pieces'))
    )
    op.create_table('uploads',
    sa.Column('id', sa.String(length=36), nullable=False),
    sa.Column('document_id', sa.String(length=36), nullable=False),
    sa.Column('number', sa.Integer(), nullable=False),
    sa.Column('blob', sa.String(length=200), nullable=False),
    sa.Column('person_id', sa.String(length=36), nullable=False),
    sa.Column('programme_id', sa.String(length=36), nullable=False),
    sa.Column('node', sa.String(length=100), nullable=False),
    sa.Column('started', sa.BigInteger(), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_uploads'))
    )
    op.create_table('people',
    sa.Column('id', sa.String(length=36), nullable=False),
    sa.Column('organisation_id', sa.String(length=36), nullable=False),
    sa.Column('name_sealed', sa.LargeBinary(), nullable=False),
    sa.Column('email_sealed', sa.LargeBinary(), nullable=False),
    sa.Column('email_index', sa.LargeBinary(length=64), nullable=False),
    sa.Column('nation', sa.String(length=3), nullable=False),
    sa.Column('active', sa.Boolean(), nullable=False),
    sa.Column('created', sa.BigInteger(), nullable=False),
    sa.Column('log_entry', sa.BigInteger(), nullable=False),
    sa.Column('row_version', sa.Integer(), nullable=False),
    sa.Column('seal', sa.LargeBinary(length=64), nullable=False),
    sa.ForeignKeyConstraint(['organisation_id'], ['organisations.id'], name=op.f('fk_people_organisation_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_people')),
    sa.UniqueConstraint('email_index', name=op.f('uq_people_email_index'))
    )
    with op.batch_alter_table('people', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_people_log_entry'), ['log_entry'], unique=False)
        batch_op.create_index(batch_op.f('ix_people_organisation_id'), ['organisation_id'], unique=False)

    op.create_table('programmes',
    sa.Column('id', sa.String(length=36), nullable=False),
    sa.Column('name_sealed', sa.LargeBinary(), nullable=False),
    sa.Column('lead_organisation_id', sa.String(length=36), nullable=False),
    sa.Column('active', sa.Boolean(), nullable=False),
    sa.Column('created', sa.BigInteger(), nullable=False),
    sa.Column('log_entry', sa.BigInteger(), nullable=False),
    sa.Column('row_version', sa.Integer(), nullable=False),
    sa.Column('seal', sa.LargeBinary(length=64), nullable=False),
    sa.ForeignKeyConstraint(['lead_organisation_id'], ['organisations.id'], name=op.f('fk_programmes_lead_organisation_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_programmes'))
    )
    with op.batch_alter_table('programmes', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_programmes_log_entry'), ['log_entry'], unique=False)

    op.create_table('api_tokens',
    sa.Column('id', sa.String(length=36), nullable=False),
    sa.Column('secret_hash', sa.LargeBinary(length=32), nullable=False),
    sa.Column('person_id', sa.String(length=36), nullable=False),
    sa.Column('name_sealed', sa.LargeBinary(), nullable=False),
    sa.Column('assurance', sa.Integer(), nullable=False),
    sa.Column('created', sa.BigInteger(), nullable=False),
    sa.Column('expires', sa.BigInteger(), nullable=False),
    sa.Column('revoked', sa.BigInteger(), nullable=True),
    sa.Column('log_entry', sa.BigInteger(), nullable=False),
    sa.Column('row_version', sa.Integer(), nullable=False),
    sa.Column('seal', sa.LargeBinary(length=64), nullable=False),
    sa.ForeignKeyConstraint(['person_id'], ['people.id'], name=op.f('fk_api_tokens_person_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_api_tokens')),
    sa.UniqueConstraint('secret_hash', name=op.f('uq_api_tokens_secret_hash'))
    )
    with op.batch_alter_table('api_tokens', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_api_tokens_log_entry'), ['log_entry'], unique=False)
        batch_op.create_index('ix_api_tokens_person', ['person_id'], unique=False)

    op.create_table('briefings',
    sa.Column('id', sa.String(length=36), nullable=False),
    sa.Column('person_id', sa.String(length=36), nullable=False),
    sa.Column('policy_id', sa.String(length=100), nullable=False),
    sa.Column('classifications', sa.Text(), nullable=False),
    sa.Column('categories', sa.Text(), nullable=False),
    sa.Column('valid_from', sa.BigInteger(), nullable=False),
    sa.Column('valid_until', sa.BigInteger(), nullable=True),
    sa.Column('granted_by', sa.String(length=36), nullable=True),
    sa.Column('log_entry', sa.BigInteger(), nullable=False),
    sa.Column('row_version', sa.Integer(), nullable=False),
    sa.Column('seal', sa.LargeBinary(length=64), nullable=False),
    sa.ForeignKeyConstraint(['person_id'], ['people.id'], name=op.f('fk_briefings_person_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_briefings'))
    )
    with op.batch_alter_table('briefings', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_briefings_log_entry'), ['log_entry'], unique=False)
        batch_op.create_index('ix_briefings_person', ['person_id'], unique=False)

    op.create_table('clearances',
    sa.Column('id', sa.String(length=36), nullable=False),
    sa.Column('person_id', sa.String(length=36), nullable=False),
    sa.Column('policy_id', sa.String(length=100), nullable=False),
    sa.Column('classifications', sa.Text(), nullable=False),
    sa.Column('categories', sa.Text(), nullable=False),
    sa.Column('authority_sealed', sa.LargeBinary(), nullable=False),
    sa.Column('valid_from', sa.BigInteger(), nullable=False),
    sa.Column('valid_until', sa.BigInteger(), nullable=True),
    sa.Column('granted_by', sa.String(length=36), nullable=True),
    sa.Column('log_entry', sa.BigInteger(), nullable=False),
    sa.Column('row_version', sa.Integer(), nullable=False),
    sa.Column('seal', sa.LargeBinary(length=64), nullable=False),
    sa.ForeignKeyConstraint(['person_id'], ['people.id'], name=op.f('fk_clearances_person_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_clearances'))
    )
    with op.batch_alter_table('clearances', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_clearances_log_entry'), ['log_entry'], unique=False)
        batch_op.create_index('ix_clearances_person', ['person_id'], unique=False)

    op.create_table('credentials',
    sa.Column('person_id', sa.String(length=36), nullable=False),
    sa.Column('password_hash', sa.String(length=200), nullable=False),
    sa.Column('totp_sealed', sa.LargeBinary(), nullable=False),
    sa.Column('totp_step', sa.Integer(), nullable=False),
    sa.Column('totp_active', sa.Boolean(), nullable=False),
    sa.Column('changed', sa.BigInteger(), nullable=False),
    sa.Column('log_entry', sa.BigInteger(), nullable=False),
    sa.Column('row_version', sa.Integer(), nullable=False),
    sa.Column('seal', sa.LargeBinary(length=64), nullable=False),
    sa.ForeignKeyConstraint(['person_id'], ['people.id'], name=op.f('fk_credentials_person_id')),
    sa.PrimaryKeyConstraint('person_id', name=op.f('pk_credentials'))
    )
    with op.batch_alter_table('credentials', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_credentials_log_entry'), ['log_entry'], unique=False)

    op.create_table('documents',
    sa.Column('id', sa.String(length=36), nullable=False),
    sa.Column('programme_id', sa.String(length=36), nullable=False),
    sa.Column('originator_id', sa.String(length=36), nullable=False),
    sa.Column('addressee_id', sa.String(length=36), nullable=False),
    sa.Column('uploaded_by', sa.String(length=36), nullable=False),
    sa.Column('label_id', sa.Integer(), nullable=False),
    sa.Column('label_digest', sa.LargeBinary(length=32), nullable=False),
    sa.Column('label_rank', sa.Integer(), nullable=False),
    sa.Column('state', sa.String(length=20), nullable=False),
    sa.Column('scan', sa.String(length=20), nullable=False),
    sa.Column('current_version', sa.Integer(), nullable=False),
    sa.Column('size', sa.BigInteger(), nullable=False),
    sa.Column('title_sealed', sa.LargeBinary(), nullable=False),
    sa.Column('created', sa.BigInteger(), nullable=False),
    sa.Column('changed', sa.BigInteger(), nullable=False),
    sa.Column('due', sa.BigInteger(), nullable=True),
    sa.Column('log_entry', sa.BigInteger(), nullable=False),
    sa.Column('row_version', sa.Integer(), nullable=False),
    sa.Column('seal', sa.LargeBinary(length=64), nullable=False),
    sa.ForeignKeyConstraint(['addressee_id'], ['organisations.id'], name=op.f('fk_documents_addressee_id')),
    sa.ForeignKeyConstraint(['label_id'], ['labels.id'], name=op.f('fk_documents_label_id')),
    sa.ForeignKeyConstraint(['originator_id'], ['organisations.id'], name=op.f('fk_documents_originator_id')),
    sa.ForeignKeyConstraint(['programme_id'], ['programmes.id'], name=op.f('fk_documents_programme_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_documents'))
    )
    with op.batch_alter_table('documents', schema=None) as batch_op:
        batch_op.create_index('ix_documents_created', ['created', 'id'], unique=False)
        batch_op.create_index('ix_documents_label_rank', ['label_rank', 'id'], unique=False)
        batch_op.create_index(batch_op.f('ix_documents_log_entry'), ['log_entry'], unique=False)
        batch_op.create_index('ix_documents_originator_created', ['originator_id', 'created', 'id'], unique=False)
        batch_op.create_index('ix_documents_programme_created', ['programme_id', 'created', 'id'], unique=False)
        batch_op.create_index('ix_documents_size', ['size', 'id'], unique=False)

    op.create_table('memberships',
    sa.Column('id', sa.String(length=36), nullable=False),
    sa.Column('person_id', sa.String(length=36), nullable=False),
    sa.Column('programme_id', sa.String(length=36), nullable=False),
    sa.Column('valid_from', sa.BigInteger(), nullable=False),
    sa.Column('valid_until', sa.BigInteger(), nullable=True),
    sa.Column('granted_by', sa.String(length=36), nullable=True),
    sa.Column('log_entry', sa.BigInteger(), nullable=False),
    sa.Column('row_version', sa.Integer(), nullable=False),
    sa.Column('seal', sa.LargeBinary(length=64), nullable=False),
    sa.ForeignKeyConstraint(['person_id'], ['people.id'], name=op.f('fk_memberships_person_id')),
    sa.ForeignKeyConstraint(['programme_id'], ['programmes.id'], name=op.f('fk_memberships_programme_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_memberships'))
    )
    with op.batch_alter_table('memberships', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_memberships_log_entry'), ['log_entry'], unique=False)
        batch_op.create_index('ix_memberships_person', ['person_id'], unique=False)
        batch_op.create_index('ix_memberships_programme', ['programme_id'], unique=False)

    op.create_table('one_time_links',
    sa.Column('id', sa.String(length=36), nullable=False),
    sa.Column('secret_hash', sa.LargeBinary(length=32), nullable=False),
    sa.Column('person_id', sa.String(length=36), nullable=False),
    sa.Column('created', sa.BigInteger(), nullable=False),
    sa.Column('expires', sa.BigInteger(), nullable=False),
    sa.Column('used', sa.BigInteger(), nullable=True),
    sa.Column('log_entry', sa.BigInteger(), nullable=False),
    sa.Column('row_version', sa.Integer(), nullable=False),
    sa.Column('seal', sa.LargeBinary(length=64), nullable=False),
    sa.ForeignKeyConstraint(['person_id'], ['people.id'], name=op.f('fk_one_time_links_person_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_one_time_links')),
    sa.UniqueConstraint('secret_hash', name=op.f('uq_one_time_links_secret_hash'))
    )
    with op.batch_alter_table('one_time_links', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_one_time_links_log_entry'), ['log_entry'], unique=False)

    op.create_table('role_grants',
    sa.Column('id', sa.String(length=36), nullable=False),
    sa.Column('person_id', sa.String(length=36), nullable=False),
    sa.Column('role', sa.String(length=20), nullable=False),
    sa.Column('valid_from', sa.BigInteger(), nullable=False),
    sa.Column('valid_until', sa.BigInteger(), nullable=True),
    sa.Column('granted_by', sa.String(length=36), nullable=True),
    sa.Column('log_entry', sa.BigInteger(), nullable=False),
    sa.Column('row_version', sa.Integer(), nullable=False),
    sa.Column('seal', sa.LargeBinary(length=64), nullable=False),
    sa.ForeignKeyConstraint(['person_id'], ['people.id'], name=op.f('fk_role_grants_person_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_role_grants'))
    )
    with op.batch_alter_table('role_grants', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_role_grants_log_entry'), ['log_entry'], unique=False)
        batch_op.create_index('ix_role_grants_person', ['person_id'], unique=False)

    op.create_table('sessions',
    sa.Column('id', sa.String(length=36), nullable=False),
    sa.Column('secret_hash', sa.LargeBinary(length=32), nullable=False),
    sa.Column('person_id', sa.String(length=36), nullable=False),
    sa.Column('assurance', sa.Integer(), nullable=False),
    sa.Column('role', sa.String(length=20), nullable=False),
    sa.Column('address_sealed', sa.LargeBinary(), nullable=False),
    sa.Column('created', sa.BigInteger(), nullable=False),
    sa.Column('seen', sa.BigInteger(), nullable=False),
    sa.Column('expires', sa.BigInteger(), nullable=False),
    sa.Column('ended', sa.BigInteger(), nullable=True),
    sa.Column('log_entry', sa.BigInteger(), nullable=False),
    sa.Column('row_version', sa.Integer(), nullable=False),
    sa.Column('seal', sa.LargeBinary(length=64), nullable=False),
    sa.ForeignKeyConstraint(['person_id'], ['people.id'], name=op.f('fk_sessions_person_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_sessions')),
    sa.UniqueConstraint('secret_hash', name=op.f('uq_sessions_secret_hash'))
    )
    with op.batch_alter_table('sessions', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_sessions_log_entry'), ['log_entry'], unique=False)
        batch_op.create_index('ix_sessions_person', ['person_id'], unique=False)

    op.create_table('versions',
    sa.Column('document_id', sa.String(length=36), nullable=False),
    sa.Column('number', sa.Integer(), nullable=False),
    sa.Column('blob', sa.String(length=200), nullable=False),
    sa.Column('file_name_sealed', sa.LargeBinary(), nullable=False),
    sa.Column('media_type', sa.String(length=120), nullable=False),
    sa.Column('notices', sa.Text(), nullable=False),
    sa.Column('size', sa.BigInteger(), nullable=False),
    sa.Column('sha256', sa.LargeBinary(length=32), nullable=False),
    sa.Column('parts', sa.Text(), nullable=False),
    sa.Column('wrapped_dek', sa.LargeBinary(), nullable=False),
    sa.Column('uploaded_by', sa.String(length=36), nullable=False),
    sa.Column('created', sa.BigInteger(), nullable=False),
    sa.Column('log_entry', sa.BigInteger(), nullable=False),
    sa.Column('row_version', sa.Integer(), nullable=False),
    sa.Column('seal', sa.LargeBinary(length=64), nullable=False),
    sa.ForeignKeyConstraint(['document_id'], ['documents.id'], name=op.f('fk_versions_document_id')),
    sa.PrimaryKeyConstraint('document_id', 'number', name=op.f('pk_versions'))
    )
    with op.batch_alter_table('versions', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_versions_log_entry'), ['log_entry'], unique=False)

    op.create_index(
        'ix_documents_due', 'documents', [sa.text('coalesce(due, 253402300799000000)'), 'id']
    )


def downgrade() -> None:
    """Undo."""
    with op.batch_alter_table('versions', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_versions_log_entry'))

    op.drop_table('versions')
    with op.batch_alter_table('sessions', schema=None) as batch_op:
        batch_op.drop_index('ix_sessions_person')
        batch_op.drop_index(batch_op.f('ix_sessions_log_entry'))

    op.drop_table('sessions')
    with op.batch_alter_table('role_grants', schema=None) as batch_op:
        batch_op.drop_index('ix_role_grants_person')
        batch_op.drop_index(batch_op.f('ix_role_grants_log_entry'))

    op.drop_table('role_grants')
    with op.batch_alter_table('one_time_links', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_one_time_links_log_entry'))

    op.drop_table('one_time_links')
    with op.batch_alter_table('memberships', schema=None) as batch_op:
        batch_op.drop_index('ix_memberships_programme')
        batch_op.drop_index('ix_memberships_person')
        batch_op.drop_index(batch_op.f('ix_memberships_log_entry'))

    op.drop_table('memberships')
    with op.batch_alter_table('documents', schema=None) as batch_op:
        batch_op.drop_index('ix_documents_size')
        batch_op.drop_index('ix_documents_programme_created')
        batch_op.drop_index('ix_documents_originator_created')
        batch_op.drop_index(batch_op.f('ix_documents_log_entry'))
        batch_op.drop_index('ix_documents_label_rank')
        batch_op.drop_index('ix_documents_created')

    op.drop_table('documents')
    with op.batch_alter_table('credentials', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_credentials_log_entry'))

    op.drop_table('credentials')
    with op.batch_alter_table('clearances', schema=None) as batch_op:
        batch_op.drop_index('ix_clearances_person')
        batch_op.drop_index(batch_op.f('ix_clearances_log_entry'))

    op.drop_table('clearances')
    with op.batch_alter_table('briefings', schema=None) as batch_op:
        batch_op.drop_index('ix_briefings_person')
        batch_op.drop_index(batch_op.f('ix_briefings_log_entry'))

    op.drop_table('briefings')
    with op.batch_alter_table('api_tokens', schema=None) as batch_op:
        batch_op.drop_index('ix_api_tokens_person')
        batch_op.drop_index(batch_op.f('ix_api_tokens_log_entry'))

    op.drop_table('api_tokens')
    with op.batch_alter_table('programmes', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_programmes_log_entry'))

    op.drop_table('programmes')
    with op.batch_alter_table('people', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_people_organisation_id'))
        batch_op.drop_index(batch_op.f('ix_people_log_entry'))

    op.drop_table('people')
    op.drop_table('uploads')
    op.drop_table('title_pieces')
    with op.batch_alter_table('policies', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_policies_log_entry'))

    op.drop_table('policies')
    with op.batch_alter_table('organisations', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_organisations_log_entry'))

    op.drop_table('organisations')
    with op.batch_alter_table('labels', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_labels_log_entry'))

    op.drop_table('labels')
    with op.batch_alter_table('keys', schema=None) as batch_op:
        batch_op.drop_index('uq_keys_place')

    op.drop_table('keys')
    op.drop_table('counters')
