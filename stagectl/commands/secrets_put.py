"""`stagectl secrets put`: stores a secret in Parameter Store."""

import click

from stagectl import project, prompt, rollout, secrets_store
from stagectl.context import Context, example, no_verify_option, secret_argument, stage_option


@click.command(
    "put",
    epilog=example("stagectl secrets put --stage prod", "pass stripe | stagectl secrets put --stage prod"),
)
@stage_option
@secret_argument
@click.option("--kms-key", metavar="KEY", help="Customer-managed KMS key (id, ARN or alias) to encrypt with.")
@no_verify_option
@click.pass_obj
def command(context: Context, stage: str, kind: str, kms_key: str | None, no_verify: bool) -> None:
    """Store a secret, from a hidden prompt or a pipe.

    A value that has the wrong form for the stage, or that its issuer does not accept, is not stored.
    """
    target = context.target(stage)
    output, config = context.output, target.config
    where = f"{stage} (account {target.account_region.account}, {target.region})"
    value = prompt.secret(f"{project.current().secret(kind).label} for {where}")
    secrets_store.validate(config, kind, value)
    if not no_verify:
        context.verify(config, kind, value)
    context.ensure_pinned(stage)
    with output.working("Storing it"):
        stored = secrets_store.store(
            target.client("ssm"), config.parameter(kind), value, kms_key, "Stored with secrets put"
        )
    if stored.is_changed and stored.before and rollout.has_probe(kind):
        remedy = "Running containers read it when the old value is refused. To replace the containers now:"
        output.mark("ok", stored.message, remedy, f"stagectl secrets rotate --stage {stage}")
    else:
        output.mark("ok", stored.message)
