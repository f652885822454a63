"""${message}.

Additive for one release: a column or table that the release before does not know must not break
it, so that a rollback on a match night works. Raise `readable_from` only where that is impossible.

Revision: ${up_revision}
Revises: ${down_revision}
"""

import sqlalchemy as sa
from alembic import op

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}
branch_labels = None
depends_on = None


def upgrade() -> None:
    ${upgrades if upgrades else "pass"}


def downgrade() -> None:
    ${downgrades if downgrades else "pass"}
