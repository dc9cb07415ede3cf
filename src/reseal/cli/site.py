"""`reseal site`: see a site, plan, regenerate, resume, roll back, prove, tell."""

from __future__ import annotations

import typer

from reseal.cli import siterun, sitesee

app = typer.Typer(
    no_args_is_help=True,
    help="Regenerate every certificate of a site: see first, then one command.",
)
for command in (
    sitesee.discover,
    sitesee.survey,
    sitesee.plan,
    siterun.regenerate,
    sitesee.status,
    siterun.resume,
    siterun.rollback,
    sitesee.verify,
    sitesee.report,
):
    app.command()(command)
