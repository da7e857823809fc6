"""What a registry holds, by name: what counts, what was submitted, what is to be signed. Pure."""

from collections.abc import MutableMapping
from contextlib import suppress

from tuf.api.metadata import Root, Targets

from ei.errors import ConflictError, NotFoundError
from ei.registry.drafts import Draft, read_draft
from ei.registry.following import verified
from ei.registry.ledger import Ledger
from ei.registry.metadata import ROLLOUT, Signing, signing_of
from ei.registry.numbers import check_number, numbers
from ei.registry.publishing import current_root, current_targets
from ei.registry.releases import Approval, Release, Submission, parse_custom, target_path
from ei.registry.submitting import read_submission, submission_place


class Holdings:
    """What a registry holds.

    Args:
        files: Of its public folder; `ei.registry.repository` draws it.
        log: Of its folder `log`.
    """

    def __init__(self, files: MutableMapping[str, bytes], log: MutableMapping[str, bytes]) -> None:
        self._files = files
        self._log = log

    def __repr__(self) -> str:
        return f"<Holdings {len(self._files)}>"

    def root(self) -> Root | None:
        """Return the root that counts; none before the first has enough signatures."""
        return current_root(self._files)

    def signing(self) -> Signing:
        """Return who signs what.

        Raises:
            ConflictError: The registry has not begun.
        """
        if (root := self.root()) is None:
            raise ConflictError(
                "the registry has not begun: its first root is not signed by enough keys",
                remedy="ei registry approve --key FILE, by each of them",
            )
        return signing_of(root)

    def targets(self) -> Targets:
        """Return the releases that governance has approved."""
        return current_targets(self._files)

    def rollout(self) -> Targets:
        """Return how far releases are rolled out."""
        return current_targets(self._files, ROLLOUT)

    def ledger(self) -> Ledger:
        """Return the log."""
        return Ledger(self._log, self.signing().log)

    def submission(self, name: str, version: str) -> tuple[Release, bytes]:
        """Return a release that was submitted, and the key of its author.

        Raises:
            NotFoundError: It was not.
        """
        data = self._files.get(submission_place(name))
        submission = None if data is None else read_submission(data)
        path = target_path(name, version)
        if submission is None or path not in submission.targets.targets:
            raise NotFoundError(
                f"{name}@{version} was not submitted", remedy="ei module publish submits a release."
            )
        target = submission.targets.targets[path]
        said = parse_custom(target.custom, Submission)
        release = Release(
            name=name,
            version=version,
            number=said.number,
            digest=f"sha256:{target.hashes['sha256']}",
            size_bytes=target.length,
            kind=said.kind,
            certificate=said.certificate,
        )
        return release, submission.key

    def draft(self) -> Draft | None:
        """Return what governance is asked to sign."""
        data = self._files.get("drafts/targets.json")
        if data is None:
            return None
        root = self.root()
        return read_draft(
            data, self._files.get("drafts/root.json"), None if root is None else signing_of(root)
        )

    def discard(self) -> None:
        """Forget the draft."""
        for name in ("root", "targets"):
            with suppress(KeyError, FileNotFoundError):
                del self._files[f"drafts/{name}.json"]

    def _keep_draft(self, draft: Draft) -> None:
        self._files["drafts/targets.json"] = draft.targets.to_bytes()
        if draft.root is not None:
            self._files["drafts/root.json"] = draft.root.to_bytes()

    def _check_follows(self, draft: Draft) -> None:
        """Check a draft's signatures and versions."""
        after = draft.after.governance
        targets = verified(draft.targets.to_bytes(), Targets, "the draft of targets", after)
        root = self.root()
        versions = [(targets.version, self.targets().version if root is not None else 0)]
        if draft.root is not None:
            data = draft.root.to_bytes()
            for who in (after, *([] if draft.before is None else [draft.before.governance])):
                _ = verified(data, Root, "the draft of root", who)
            versions.append((draft.root.signed.version, 0 if root is None else root.version))
        for new, now in versions:
            if new != now + 1:
                raise ConflictError(
                    f"the draft has version {new}, and would have to have {now + 1}",
                    remedy="ei registry approve --discard forgets it; draft it again.",
                )

    def _check_number(self, release: Release) -> None:
        taken = {
            path.partition("/")[0]: parse_custom(target.custom, Approval).number
            for path, target in self.targets().targets.items()
        }
        check_number(release.name, release.number, given=numbers(), taken=taken)

    def _state(self) -> tuple[Root, Targets]:
        _ = self.signing()
        root = self.root()
        assert root is not None  # noqa: S101 signing() would have said so
        return root, self.targets()
