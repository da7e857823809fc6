"""`ei dev`: a module while it is written: on a node of its own, anew with every save."""

import argparse
import os
import time

from ei.cli.exits import Exit
from ei.cli.module import folder_of, takes_folder
from ei.cli.output import Output
from ei.cli.parser import Verbs

LOOK_S = 0.05
"""Between two looks at the files and at what the node tells."""

EXAMPLES = """\
example:
  ei module new hello
  ei dev hello
  ei invoke hello ping           in another terminal; then change hello/service.py, and again
"""


def add_parser(verbs: Verbs) -> None:
    """Add `ei dev`, which is `ei module dev` too."""
    verb = verbs.add(
        "dev",
        summary="run a module on a node of its own while you write it, anew with every save",
        details="The node is as any other: the module runs in its jail, within its limits. What "
        "it has stored is kept from save to save, and ends with Ctrl-C.",
        execute=execute,
    )
    takes_folder(verb)
    verb.takes("--fresh", action="store_true", help="with every save without what it has stored")
    verb.ends(EXAMPLES)


def execute(arguments: argparse.Namespace, output: Output) -> Exit:
    """Run until Ctrl-C."""
    from ei.cli.dev_desk import Desk
    from ei.lab.saves import Saves
    from ei.lab.workshop import Workshop, lab_name_of

    folder = folder_of(arguments)
    name = lab_name_of(folder.name)
    with Workshop(folder, name=name, environ=os.environ) as shop:
        desk = Desk(folder, shop, output, is_fresh=arguments.fresh)
        saves = Saves(folder)
        try:
            desk.load(time.monotonic())
            while True:
                desk.look(saves.poll(time.monotonic()))
                time.sleep(LOOK_S)
        except KeyboardInterrupt:
            ended = shop.close()
    left = 0 if ended is None else ended.left.count
    output.talk(f"ended; {left} processes, sockets and files left")
    return Exit.OK
