"""`stagectl secrets`: stores, shows, rotates and rolls back a stage's secrets in Parameter Store."""

import click

from stagectl import project, rollout, secrets_store
from stagectl.aws.secret import SecretValue
from stagectl.context import Context, Names, json_option, stage_command
from stagectl.operator_error import OperatorError
from stagectl.prompt import SecretInput
from stagectl.target import Target


def _secret_names() -> list[str]:
    return [row.name for row in project.current().config.SECRETS]


# Without KIND a command works on the first secret.
_secret_argument = click.argument("kind", type=Names(_secret_names), default=lambda: _secret_names()[0])
_no_verify_option = click.option("--no-verify", is_flag=True, help="Don't verify the value with its issuer.")
_wait_option = click.option(
    "--wait",
    type=click.FloatRange(min=0),
    default=60.0,
    show_default=True,
    metavar="SECONDS",
    help="Longest wait for each function to use the new version.",
)


@click.group("secrets")
def group() -> None:
    """Store, show, rotate or roll back a stage's secrets."""


@stage_command(
    group,
    "put",
    "stagectl secrets put --stage prod",
    "pass stripe | stagectl secrets put --stage prod",
    entry=True,
)
@_secret_argument
@click.option("--kms-key", metavar="KEY", help="Customer-managed KMS key (id, ARN or alias) to encrypt with.")
@_no_verify_option
def put(context: Context, target: Target, entry: SecretInput, kind: str, kms_key: str | None, no_verify: bool) -> None:
    """Store a secret, from a hidden prompt or a pipe.

    A value that has the wrong form for the stage, or that its issuer does not accept, is not stored.
    """
    context.ensure_named(target)
    value = entry.read(f"{project.current().secret(kind).label} for {_place(target)}")
    _prepare(context, target, kind, value, verify=not no_verify)
    ssm, name = target.client("ssm"), target.config.parameter(kind)
    with context.output.working("Storing it"):
        stored = secrets_store.store(ssm, name, value, kms_key, "Stored with secrets put")
    if stored.is_changed and stored.before and rollout.has_probe(kind):
        remedy = "Running containers read it when the old value is refused. To replace the containers now:"
        context.output.mark("ok", stored.message, remedy, f"stagectl secrets rotate --stage {target.stage}")
    else:
        context.output.mark("ok", stored.message)


@stage_command(group, "list", "stagectl secrets list --stage prod")
@json_option
def list_secrets(context: Context, target: Target, as_json: bool) -> None:
    """Show a stage's secrets: parameter, version, age, author.

    Of a value, at most the last four characters are shown.
    """
    parameters = {name: target.config.parameter(name) for name in _secret_names()}
    with context.output.working("Reading Parameter Store"):
        rows = [(name, path, secrets_store.current(target.client("ssm"), path)) for name, path in parameters.items()]
    if as_json:
        context.output.json(
            [
                {"secret": name, "parameter": path, **(version.as_json() if version else {})}
                for name, path, version in rows
            ]
        )
        return
    context.output.table(
        ("SECRET", "PARAMETER", "VERSION", "VALUE", "AGE", "BY"),
        [
            (name, path, *((it.number, it.last4, it.age, it.who) if it else (None, None, "not stored", None)))
            for name, path, it in rows
        ],
    )


@stage_command(group, "history", "stagectl secrets history --stage prod")
@_secret_argument
@json_option
def history(context: Context, target: Target, kind: str, as_json: bool) -> None:
    """Show a secret's versions: author, time, last four characters."""
    name = target.config.parameter(kind)
    with context.output.working("Reading Parameter Store"):
        versions = secrets_store.history(target.client("ssm"), name)
    if not versions:
        command = f"stagectl secrets put --stage {target.stage} {kind}"
        raise OperatorError(f"{name} is not stored.", "Store it:", command)
    if as_json:
        context.output.json([version.as_json() for version in versions])
        return
    context.output.table(
        ("VERSION", "VALUE", "WHEN", "BY", "HOW"),
        [(it.number, it.last4, f"{it.modified:%Y-%m-%d %H:%M:%S %Z}", it.who, it.description) for it in versions],
    )


@stage_command(group, "rotate", "stagectl secrets rotate --stage prod", entry=True)
@_wait_option
def rotate(context: Context, target: Target, entry: SecretInput, wait: float) -> None:
    """Replace a stage's key without downtime.

    Create the new key in its issuer's dashboard first. Keep the old one until this command shows that it is safe to
    revoke.
    """
    output, config, ssm = context.output, target.config, target.client("ssm")
    secret = project.current().config.SECRETS[0]
    kind, name = secret.name, config.parameter(secret.name)
    if not rollout.has_probe(kind):
        raise OperatorError(
            f"stagectl cannot find out which version of {kind} the functions use.", "Add it to PROBES in operations."
        )
    if secrets_store.current(ssm, name) is None:
        raise OperatorError(
            f"{name} is not stored, so there is no key to rotate.",
            "Store one:",
            f"stagectl secrets put --stage {target.stage}",
        )
    context.ensure_named(target)
    value = entry.read(f"New {secret.label} for {_place(target)}")
    _prepare(context, target, kind, value)
    stored = secrets_store.store(ssm, name, value, None, "Stored with secrets rotate")
    output.mark("ok", stored.message)
    try:
        rollout.roll_out(context, target, kind, stored.now.number, wait)
    except BaseException:
        output.note(
            "The old key may still be in use: don't revoke it yet. Repeat this command with the same new key.", ""
        )
        raise
    old = secrets_store.replaced(secrets_store.history(ssm, name))
    if old:
        page = project.hook("ISSUER_PAGES").get(secret.verify)
        text = f"The old key ({old.last4}, version {old.number}) is safe to revoke."
        output.mark("ok", text, page(config) if page else "")
    else:
        output.line("  There is no older key to revoke.")


@stage_command(group, "rollback", "stagectl secrets rollback --stage prod")
@_secret_argument
@click.option(
    "--to",
    "number",
    type=click.IntRange(min=1),
    metavar="VERSION",
    help="By default the last version with another value, or the current one if a rollback made it.",
)
@_no_verify_option
@_wait_option
def rollback(context: Context, target: Target, kind: str, number: int | None, no_verify: bool, wait: float) -> None:
    """Store an earlier version again, and have functions use it."""
    ssm, name = target.client("ssm"), target.config.parameter(kind)
    earlier = _earlier(secrets_store.history(ssm, name), number)
    if earlier is None or earlier.secret is None:
        raise OperatorError(
            f"{name} has no version {number}." if number else f"{name} has no earlier value.",
            "To see its versions:",
            f"stagectl secrets history --stage {target.stage} {kind}",
        )
    _prepare(context, target, kind, earlier.secret, verify=not no_verify)
    stored = secrets_store.store(ssm, name, earlier.secret, None, secrets_store.ROLLED_BACK + str(earlier.number))
    context.output.mark("ok", stored.message)
    if rollout.has_probe(kind):
        rollout.roll_out(context, target, kind, stored.now.number, wait)


def _earlier(versions: list[secrets_store.Version], number: int | None) -> secrets_store.Version | None:
    """Return the version to roll back to.

    A rollback that is repeated, for example after an interruption, keeps its version: the version before it is the bad
    one.
    """
    if number is not None:
        return next((version for version in versions if version.number == number), None)
    if versions and versions[0].description.startswith(secrets_store.ROLLED_BACK):
        return versions[0]
    return secrets_store.replaced(versions)


def _place(target: Target) -> str:
    return f"{target.stage} (account {target.account_region.account}, {target.region})"


def _prepare(context: Context, target: Target, kind: str, value: SecretValue, *, verify: bool = True) -> None:
    """Check a value before it is stored, and pin the stage.

    :param verify: have the issuer verify it too, if the app has a check for it (VERIFY in operations).
    :raises OperatorError: the form is wrong for the stage, or the issuer does not accept it.
    """
    secrets_store.validate(target.config, kind, value)
    row = project.current().secret(kind)
    check = project.hook("VERIFY").get(row.verify)
    if verify and check:
        with context.output.working(f"Verifying the {row.label} with its issuer"):
            check(target.config, value)
    context.ensure_pinned(target)
