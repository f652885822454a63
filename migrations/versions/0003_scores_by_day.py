"""Scores of forecasts by day, and how far each run has been scored.

Revision: 0003
Revises: 0002
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_INSTANT = sa.BigInteger()  # whole seconds since 1970
_RUNS = "forecast_run"
_INDEX = "ix_forecast_run_unscored"


def upgrade() -> None:
    left = "null: nothing is left to score"
    op.add_column(_RUNS, sa.Column("unscored_from", _INSTANT, nullable=True, comment=left))
    op.create_index(_INDEX, _RUNS, ["version_id", "origin", "unscored_from"])
    # Runs of the release before are scored too; those that thinning will drop are not.
    op.execute(sa.text("UPDATE forecast_run SET unscored_from = cutoff WHERE grain > 0"))
    op.create_table(
        "score_day",
        sa.Column("version_id", _ID, sa.ForeignKey("history_version.id"), primary_key=True),
        sa.Column("day", sa.Integer, primary_key=True, comment="days since 1970, UTC"),
        sa.Column("origin", sa.String(10), primary_key=True),
        sa.Column("bucket", sa.String(4), primary_key=True),
        sa.Column("payload", sa.LargeBinary, nullable=False),
        comment="Sums over pairs of forecast and actual; ratios are taken when somebody looks.",
    )


def downgrade() -> None:
    op.drop_table("score_day")
    op.drop_index(_INDEX, _RUNS)
    op.drop_column(_RUNS, "unscored_from")
