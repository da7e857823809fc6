"""`ei governance`: the list of all domains, which several keys sign together."""

import argparse
import time
from pathlib import Path
from typing import TYPE_CHECKING

from ei.cli.domain_file import DAY_S, parse_days
from ei.cli.exits import Exit
from ei.cli.output import Output
from ei.cli.parser import Verb, Verbs
from ei.cli.quantities import lifetime, parse_count

if TYPE_CHECKING:
    from ei.records.lists import DomainList, SignedList

LIST_DAYS = 90
EXAMPLES = """\
example, two of three keys, each on a machine of its own:
  ei governance init --threshold 2 KEY KEY KEY
  ei governance draft isp-a.eir isp-b.eir
  ei governance sign --key anne.key
  ei governance sign --key bert.key
  ei governance publish --records records.eir
"""


def add_parser(commands: Verbs) -> None:
    """Add `ei governance` and its verbs."""
    verbs = commands.add_noun(
        "governance",
        summary="the list of all domains, which several keys sign together",
        details="Only for those who hold the keys: who reads the list names it in node.toml.",
    )
    init = verbs.add("init", summary="write governance.toml: whose keys sign", execute=make)
    init.takes("keys", nargs="+", metavar="KEY", help="public keys, 64 digits; see ei key show")
    init.takes(
        "--threshold", type=parse_count, metavar="K", required=True, help="how many must sign"
    )
    draft = verbs.add(
        "draft", summary="write the next list, for the others to sign", execute=draft_list
    )
    draft.takes(
        "files", nargs="*", type=Path, metavar="FILE", help="record files of domains to list"
    )
    draft.takes(
        "--remove", action="append", default=[], metavar="NAME", help="a domain to list no more"
    )
    draft.takes(
        "--operator",
        action="append",
        default=[],
        type=_parse_operator,
        metavar="DOMAIN=NAME",
        help="who runs a domain, if they run others too; once for each (default: as before)",
    )
    draft.takes(
        "--next-key",
        action="append",
        default=[],
        metavar="KEY",
        help="who signs from the list after this one on; once for each key (default: as before)",
    )
    draft.takes("--next-threshold", type=parse_count, metavar="K", help="how many of them")
    draft.takes(
        "--days",
        type=parse_days,
        metavar="N",
        default=LIST_DAYS * DAY_S,
        help=f"how long the list lasts (default: {LIST_DAYS})",
    )
    sign = verbs.add("sign", summary="show the draft and sign it", execute=sign_draft)
    sign.takes("--key", type=Path, metavar="FILE", required=True, help="key file of one signer")
    publish = verbs.add(
        "publish", summary="put the signed list into a record file", execute=publish_list
    )
    show = verbs.add("list", summary="show the list in a record file", execute=show_list)
    for verb in (init, draft, sign, publish, show):
        _takes_file(verb, "--governance", "governance.toml", "who governs")
    for verb in (draft, sign, publish):
        _takes_file(verb, "--draft", "domains.eir", "the list that is not signed by all yet")
    for verb in (draft, publish, show):
        _takes_file(verb, "--records", "records.eir", "record file with the list that counts")
    init.ends(EXAMPLES)


def _takes_file(verb: Verb, flag: str, default: str, text: str) -> None:
    verb.takes(
        flag, type=Path, metavar="FILE", default=Path(default), help=f"{text} (default: {default})"
    )


def _parse_operator(text: str) -> tuple[str, str]:
    domain, sign, operator = text.partition("=")
    if not (domain and sign and operator):
        raise argparse.ArgumentTypeError(f"{text!r} is not DOMAIN=NAME, as isp-b=example-net")
    return domain, operator


def make(arguments: argparse.Namespace, output: Output) -> Exit:
    """Write a new `governance.toml`."""
    from ei.daemons.governance_file import write_governance
    from ei.records.trust import parse_key

    keys = tuple(parse_key(text, where="KEY") for text in arguments.keys)
    write_governance(arguments.governance, keys, arguments.threshold)
    output.data(f"wrote {arguments.governance}: {arguments.threshold} of {len(keys)} keys govern")
    output.document(
        "ei.governance-init/1",
        {"threshold": arguments.threshold, "keys": [key.hex() for key in keys]},
    )
    output.next("ei governance draft FILE ...")
    return Exit.OK


def draft_list(arguments: argparse.Namespace, output: Output) -> Exit:
    """Write the list that follows the one that counts."""
    from ei.daemons.governance_file import load_governance
    from ei.records.drafting import domains_in, next_domain_list, read_draft, read_followed
    from ei.records.lists import seal_list
    from ei.records.record_files import read_records, write_records
    from ei.records.trust import parse_key

    followed = read_followed(load_governance(arguments.governance), arguments.records)
    body = next_domain_list(
        followed,
        add=[each for path in arguments.files for each in domains_in(read_records(path))],
        remove=arguments.remove,
        operators=dict(arguments.operator),
        keys=tuple(parse_key(text, where="--next-key") for text in arguments.next_key),
        threshold=arguments.next_threshold,
        expires_unix_s=int(time.time()) + arguments.days,
    )
    write_records(arguments.draft, [seal_list(body, [])])
    _show(read_draft(arguments.draft), output)
    output.next(f"ei governance sign --draft {arguments.draft} --key FILE")
    return Exit.OK


def sign_draft(arguments: argparse.Namespace, output: Output) -> Exit:
    """Add a signature to the draft."""
    from ei.records.drafting import read_draft
    from ei.records.key_files import read_keys
    from ei.records.lists import sign_list
    from ei.records.record_files import write_records

    envelope = sign_list(read_draft(arguments.draft).envelope, read_keys(arguments.key))
    write_records(arguments.draft, [envelope])
    _show(read_draft(arguments.draft), output)
    output.next(
        f"ei governance sign --draft {arguments.draft} --key FILE",
        "ei governance publish --records FILE",
    )
    return Exit.OK


def publish_list(arguments: argparse.Namespace, output: Output) -> Exit:
    """Put the draft into a record file, if enough keys of the right set have signed it."""
    from ei.daemons.governance_file import load_governance
    from ei.records.drafting import publish, read_draft

    draft = read_draft(arguments.draft)
    publish(draft, load_governance(arguments.governance), arguments.records)
    _show(draft, output)
    output.next("ei node reload, at all nodes that have the file")
    return Exit.OK


def show_list(arguments: argparse.Namespace, output: Output) -> Exit:
    """Show the list that counts; exit 1 when there is none."""
    from ei.daemons.governance_file import load_governance
    from ei.records.drafting import read_followed

    followed = read_followed(load_governance(arguments.governance), arguments.records)
    for what, reason in followed.refused:
        output.talk(f"{output.mark('bad', is_talk=True)} {what}: {reason}")
    if followed.newest is None:
        output.data(f"{arguments.records} has no list of domains that counts")
        output.document("ei.governance-list/1", {"number": None, "domains": []})
        return Exit.NEGATIVE
    _show(followed.needed[-1], output)
    return Exit.OK


def _show(signed: "SignedList[DomainList]", output: Output) -> None:
    body = signed.body
    left = lifetime(body.expires_unix_s - time.time())
    output.data(f"list {body.number}, {len(signed.signers)} signatures, time left: {left}")
    output.fold(f"the next one takes {body.threshold} of {len(body.keys)} keys")
    output.table(
        ("domain", "number", "operator", "key"),
        [
            (domain.name, str(domain.number), domain.operator or domain.name, domain.key.hex())
            for domain in body.domains
        ],
    )
    output.document(
        "ei.governance-list/1",
        {
            "number": body.number,
            "expires_unix_s": body.expires_unix_s,
            "signers": sorted(key.hex() for key in signed.signers),
            "threshold": body.threshold,
            "keys": [key.hex() for key in body.keys],
            "domains": [
                {
                    "name": domain.name,
                    "number": domain.number,
                    "operator": domain.operator or domain.name,
                    "key": domain.key.hex(),
                }
                for domain in body.domains
            ],
        },
    )
