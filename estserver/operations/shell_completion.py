"""A script that completes commands in bash and zsh, written from the commands' parsers.

The script has all words in it. So a TAB starts no Python, and works without a database.
"""

import argparse
from collections.abc import Iterator

from estserver.operations.command_list import CommandShape, command_shapes, option_names

SHELLS = ("bash", "zsh")

_ZSH = """\
# zsh runs what was written for bash: https://zsh.sourceforge.io/Doc/Release/Completion-System.html
autoload -U +X compinit && compinit
autoload -U +X bashcompinit && bashcompinit
"""

_HEAD = """\
# Completion for manage.py, written by: manage.py completion {shell}
_est_manage() {{
  local current=${{COMP_WORDS[COMP_CWORD]}} previous=${{COMP_WORDS[COMP_CWORD-1]}}
  local at=0 index command= sub=
  COMPREPLY=()
  # python manage.py COMMAND, or ./manage.py COMMAND
  for ((index = 0; index < COMP_CWORD; index++)); do
    [[ ${{COMP_WORDS[index]}} == manage.py || ${{COMP_WORDS[index]}} == */manage.py ]] && at=$index
  done
  [[ ${{COMP_WORDS[at]}} == manage.py || ${{COMP_WORDS[at]}} == */manage.py ]] || return 0
  ((COMP_CWORD > at)) || return 0
  if ((COMP_CWORD == at + 1)); then
    COMPREPLY=($(compgen -W "{commands}" -- "$current"))
    return 0
  fi
  command=${{COMP_WORDS[at+1]}}
  case $command in
    {groups})
      if ((COMP_CWORD == at + 2)); then sub=; else sub=${{COMP_WORDS[at+2]}}; fi ;;
    *) sub=- ;;
  esac
  local words=
  case "$command $sub $previous" in
"""

_MIDDLE = """\
    *) case "$command $sub" in
"""

_FOOT = """\
    esac ;;
  esac
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}}
# Without a word of ours, the shell completes as before: files, and other programs of python.
complete -o bashdefault -o default -F _est_manage manage.py python python3
"""


def completion_script(shell: str) -> str:
    """Return the script for ``bash`` or ``zsh``."""
    shapes = command_shapes()
    commands = [shape.name for shape in shapes if " " not in shape.name]
    groups = [shape.name for shape in shapes if shape.subcommands]
    parts = [
        _ZSH if shell == "zsh" else "",
        _HEAD.format(shell=shell, commands=" ".join(commands), groups="|".join(groups)),
        *(line for shape in shapes for line in _choice_lines(shape)),
        _MIDDLE,
        *(_word_line(shape) for shape in shapes),
        _FOOT.format(),
    ]
    return "".join(parts)


def _key(shape: CommandShape) -> str:
    command, _, sub = shape.name.partition(" ")
    return f"{command} {sub or ('' if shape.subcommands else '-')}"


def _choice_lines(shape: CommandShape) -> Iterator[str]:
    """Yield what follows an option that takes one of several words."""
    for action in shape.options():
        if action.choices and action.nargs != 0:
            for option in action.option_strings:
                words = " ".join(map(str, action.choices))
                yield f'    "{_key(shape)} {option}") words="{words}" ;;\n'


def _word_line(shape: CommandShape) -> str:
    words = [*shape.subcommands]
    for action in shape.positionals():
        if action.choices and not isinstance(action, argparse._SubParsersAction):
            words += map(str, action.choices)
    if not shape.subcommands:
        words += [*option_names(shape), "--help"]
    return f'    "{_key(shape)}") words="{" ".join(words)}" ;;\n'
