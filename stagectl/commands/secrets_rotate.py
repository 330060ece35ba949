"""`stagectl secrets rotate`: replaces the first secret of SECRETS while the stage serves requests."""

import click

from stagectl import project, prompt, rollout, secrets_store
from stagectl.context import Context, example, stage_option, wait_option
from stagectl.operator_error import OperatorError


@click.command("rotate", epilog=example("stagectl secrets rotate --stage prod"))
@stage_option
@wait_option
@click.pass_obj
def command(context: Context, stage: str, wait: float) -> None:
    """Replace a stage's key, and show when to revoke the old one.

    Create the new key at its issuer first. Keep the old one until this command shows that it is safe to revoke.
    """
    target = context.target(stage)
    output, config, ssm = context.output, target.config, target.client("ssm")
    secret = project.current().config.SECRETS[0]
    kind, name = secret.name, config.parameter(secret.name)
    if not rollout.has_probe(kind):
        raise OperatorError(f"No probe shows which version of {kind} a function uses.", "Add one to operations.PROBES.")
    if secrets_store.current(ssm, name) is None:
        raise OperatorError(
            f"{name} is not stored, so there is no key to rotate.",
            "Store one:",
            f"stagectl secrets put --stage {stage}",
        )
    value = prompt.secret(f"New {secret.label} for {stage} (account {target.account_region.account}, {target.region})")
    secrets_store.validate(config, kind, value)
    context.verify(config, kind, value)
    context.ensure_pinned(stage)
    stored = secrets_store.store(ssm, name, value, None, "Stored with secrets rotate")
    output.mark("ok", stored.message)
    try:
        rollout.roll_out(context, target, kind, stored.now.number, wait)
    except BaseException:
        output.note("The old key may still be in use: don't revoke it yet.", "")
        raise
    old = secrets_store.replaced(secrets_store.history(ssm, name))
    if old:
        page = project.hook("ISSUER_PAGES").get(secret.verify)
        text = f"The old key ({old.last4}, version {old.number}) is safe to revoke."
        output.mark("ok", text, page(config) if page else "")
    else:
        output.line("  No other key was stored before, so none needs to be revoked.")
