"""The command `stagectl`: its groups, the options that all commands share, and how errors are shown."""

import sys
import traceback
from functools import cache

import click

from stagectl import project, prompt
from stagectl.aws_errors import explain
from stagectl.aws_sessions import AwsSessions
from stagectl.commands import deploy, doctor, resources_group, secrets_group, stages_group
from stagectl.context import Context
from stagectl.operator_error import OperatorError
from stagectl.output import Output, redacted

_USED_WRONGLY = 2
_INTERRUPTED = 130  # a shell's exit code for a program that Ctrl-C ended


@click.group(
    commands=[stages_group.group, secrets_group.group, resources_group.group, doctor.command, deploy.command],
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)
@click.option("--profile", metavar="NAME", help="Profile of the AWS configuration.")
@click.option("--region", metavar="REGION", help="AWS region, such as us-east-1.")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
@click.pass_context
def cli(context: click.Context, profile: str | None, region: str | None, debug: bool) -> None:
    """\b
    Operate the stages of a Chalice app. From nothing to production:
      stagectl --profile prod stages pin --stage prod --account 111122223333
      stagectl --profile prod secrets put --stage prod
      stagectl --profile prod deploy --stage prod

    \b
    Shell completion for bash; zsh and fish are similar:
      eval "$(_STAGECTL_COMPLETE=bash_source stagectl)"
    """
    output = Output()

    def ask(text: str) -> str:
        with output.paused():
            return prompt.mfa_code(text)

    context.obj = Context(AwsSessions(profile, region, ask), debug, output)


@cache
def with_commands_of_project() -> click.Group:
    """Add the project's own commands and version, and return the whole command line.

    :raises OperatorError: there is no project.
    """
    for name, commands in project.hook("COMMANDS").items():
        group = cli.commands[name] if name else cli
        assert isinstance(group, click.Group)
        for command in commands:
            group.add_command(command)
    version = getattr(sys.modules["chalicelib"], "__version__", "unknown")
    return click.version_option(version, prog_name="stagectl")(cli)


def main() -> None:
    """Run the command line and exit: 0 done, 1 failed, 2 used wrongly, 130 interrupted."""
    output = Output()
    if any(argument != redacted(argument) for argument in sys.argv[1:]):
        output.error(
            "An argument contains a secret: the shell's history and the process list may have recorded it.",
            "Revoke it at its issuer. Enter the new one at the prompt, or pipe it in.",
        )
        sys.exit(_USED_WRONGLY)
    try:
        code = with_commands_of_project().main(prog_name="stagectl", standalone_mode=False)
    except click.Abort:
        output.note("\nInterrupted. Repeat the command to continue.", "")
        sys.exit(_INTERRUPTED)
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        sys.exit(_USED_WRONGLY)
    except click.UsageError as error:
        path = error.ctx.command_path if error.ctx else "stagectl"
        output.error(error.format_message(), "To see all options:", f"{path} --help")
        sys.exit(_USED_WRONGLY)
    except Exception as error:  # noqa: BLE001 - the last place where it can be shown
        if "--debug" in sys.argv:
            sys.stderr.write(redacted(traceback.format_exc()))
        explained = explain(error) or OperatorError(
            f"An unexpected error occurred: {type(error).__name__}.",
            "Repeat the command with --debug after stagectl, and report the output.",
        )
        output.error(explained.what, explained.remedy, explained.command)
        sys.exit(1)
    sys.exit(code if isinstance(code, int) else 0)
