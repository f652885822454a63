"""`keda`: the ScaledObject to paste."""

from typing import Annotated

import typer
import yaml

from prescaler.apps.cli.options import Config, Debug, Json, config_path, print_json
from prescaler.config import load_settings
from prescaler.core.errors import UnknownWorkload
from prescaler.core.scaledobject import (
    Variant,
    default_variant,
    remarks,
    scaled_object,
    trigger_authentications,
)
from prescaler.wiring import reactive_sources

_HEAD = """\
# {workload}: variant {variant}. Needs {needs}; docs/operations.md says what it does when
# prescaler, Prometheus or both are dead. The Secret prescaler-keda holds the key as `api-key`.
"""
_NEEDS = {
    Variant.FORMULA: "KEDA 2.20 or newer",
    Variant.GROWTH: "KEDA 2.20 or newer",
    Variant.CARRY_ON: "KEDA 2.20 or newer",
    Variant.TWO_TRIGGERS: "any KEDA",
}


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(keda)


def keda(
    workload: Annotated[str, typer.Argument(help="Name of the workload.")],
    variant: Annotated[
        Variant | None,
        typer.Option(
            help="Default: formula, or growth by policy.acts_as; two-triggers for one that sleeps."
        ),
    ] = None,
    fallback_pods: Annotated[
        int | None, typer.Option(min=0, help="carry-on: pods when nothing is known.")
    ] = None,
    config: Config = None,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Print the ScaledObject and TriggerAuthentication of a workload, to paste."""
    settings = load_settings(config_path(config))
    found = settings.workload(workload)
    if found is None:
        names = ", ".join(sorted(w.name for w in settings.workloads)[:20])
        raise UnknownWorkload(f"no workload {workload!r} is configured; there are: {names}")
    chosen = variant or default_variant(found)
    sources = reactive_sources(settings, found)
    scaled = scaled_object(
        found,
        chosen,
        public_url=settings.server.public_url,
        sources=sources,
        fallback_pods=fallback_pods,
    )
    documents = [scaled, *trigger_authentications(found, sources)]
    if as_json:
        print_json(documents)
        return
    typer.echo(
        _HEAD.format(workload=workload, variant=chosen.value, needs=_NEEDS[chosen]), nl=False
    )
    for remark in remarks(found, sources):
        typer.echo(f"# {remark}.")
    typer.echo(yaml.safe_dump_all(documents, sort_keys=False, width=1000), nl=False)
