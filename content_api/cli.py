"""The `content-api` command: wires the features' commands, and imports none before it is called."""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import click

from content_api import __version__
from content_api.command_line import CommandGroup, set_up_logging

COMMANDS: dict[str, tuple[str, str]] = {
    "demo": ("content_api.server_commands", "From nothing to an offline screen, in one command."),
    "init": ("content_api.server_commands", "Prepare or upgrade the data directory and database."),
    "serve": ("content_api.server_commands", "Run the server until Ctrl-C."),
    "doctor": ("content_api.server_commands", "Say what is not right, one line each."),
    "openapi": ("content_api.server_commands", "Print the OpenAPI document."),
    "user": ("content_api.accounts.commands", "People, their roles and passwords."),
    "token": ("content_api.accounts.commands", "Tokens for programs."),
    "collection": ("content_api.content.commands", "Files to database, and back."),
    "exchange": ("content_api.content.exchange.commands", "Texts to translators, and back."),
    "package": ("content_api.packages.commands", "What editors curate for displays."),
    "release": ("content_api.packages.commands", "Publish, compare, restore."),
    "venue": ("content_api.devices.commands", "Places with devices."),
    "device": ("content_api.devices.commands", "Displays: invite, list, revoke, give orders."),
    "rollout": ("content_api.devices.commands", "Releases that go to a share of displays first."),
    "keys": ("content_api.repository.commands", "Signing keys: init, refresh, rotate."),
    "repository": ("content_api.repository.commands", "The signed files: verify, gc."),
}
"""Where each command lives, and its line in `--help`: reading help must import no feature."""


class LazyCommands(CommandGroup):
    """A group that imports a command's module when the command is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The commands, in the order of the table."""
        return [name for name, (module, _) in COMMANDS.items() if _is_there(module)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of this name, or None."""
        if cmd_name not in COMMANDS or not _is_there(COMMANDS[cmd_name][0]):
            return None
        commands: list[click.Command] = import_module(COMMANDS[cmd_name][0]).commands
        return next(command for command in commands if command.name == cmd_name)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands with the lines of the table."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, COMMANDS[name][1]) for name in self.list_commands(ctx)])


def _is_there(module: str) -> bool:
    return find_spec(module) is not None


@click.group(cls=LazyCommands, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--data-dir",
    envvar="CONTENT_API_DATA",
    type=click.Path(path_type=Path),
    help="Where the server keeps its files (CONTENT_API_DATA, ./lampisterie-data).",
)
@click.option("--verbose", is_flag=True, help="Log more, to stderr.")
@click.version_option(__version__, prog_name="content-api")
def main(data_dir: Path | None, verbose: bool) -> None:
    """Lampisterie's server: editors' content, compiled into signed releases for displays."""
    set_up_logging(verbose=verbose)


if __name__ == "__main__":
    sys.exit(main(prog_name="content-api"))
