"""Who follows the log: told at once while they keep up, else from the log when they can take more.

A follower that keeps up has no place of its own: it has had everything. One that has no credit, or
whose stream has no room, is behind from the first message on that it was not told, and reads on
from there. So a slow one costs others nothing, and no memory beside the log.
"""

from ei.sdk import SetTimer
from ei.services.pubsub.desk import WAKE, Desk, Follower, Session, member_of
from ei.services.pubsub.log import Place
from ei.services.pubsub.messages import Caught, Ended, Follow, Following, More, Record, Told, record
from ei.services.pubsub.subjects import does_match, is_filter

DROP_OLDEST, DROP_NEWEST, DISCONNECT = 0, 1, 2
RECORDS_AT_ONCE = 400
"""That a follower who is behind goes through in one event."""


def follow(desk: Desk, session: Session, asked: Follow) -> None:
    """Begin to follow."""
    before = desk.follower(member_of(session.stream, asked.id))
    if before is not None:
        desk.drop(before)
    if word := why_not(desk, session, asked):
        desk.tell(session, Ended(asked.id, word))
        return
    first, lost = start_of(desk, session, asked)
    follower = Follower(
        stream=session.stream,
        id=asked.id,
        filter=asked.filter,
        credit=asked.credit,
        name=asked.name,
        next=first,
        is_behind=True,
        queued=0,
        queue=asked.queue,
        policy=asked.policy,
        lost=lost,
        told=first - 1,
        retained="" if asked.is_retained else None,
    )
    desk.add(session, follower)
    desk.tell(session, Following(asked.id, first))
    read_on(desk, session, follower)


def why_not(desk: Desk, session: Session, asked: Follow) -> str:
    """Return the word why somebody may not follow; empty when he may."""
    if not is_filter(asked.filter):
        return "bad_filter"
    log, config = desk.log, desk.config
    has_place = not asked.name or log.place(session.host, asked.name) is not None
    is_full = (
        log.count_places(session.host) >= config.names_per_host or log.held.places >= config.names
    )
    is_many = desk.count_followers(session.host) >= config.followers_per_host
    return "too_many" if is_many or (is_full and not has_place) else ""


def start_of(desk: Desk, session: Session, asked: Follow) -> tuple[int, int]:
    """Return where to begin, and how many are lost before; a name gets its place."""
    log, span = desk.log, desk.log.span
    place = log.place(session.host, asked.name) if asked.name else None
    first = span.next
    if asked.first > span.next:
        first = span.first  # what it had was another log
    elif asked.first >= 0:
        first = asked.first
    elif place is not None and place.filter == asked.filter:
        first = min(place.next, span.next)
    elif asked.since_s:
        first = log.first_since(0.0 if asked.since_s < 0 else desk.ctx.unix_s - asked.since_s)
    if asked.name and (place is None or place.filter != asked.filter):
        log.set_place(session.host, asked.name, Place(asked.filter, max(first, span.first)))
    return max(first, span.first), max(0, span.first - first)


def give_more(desk: Desk, session: Session, follower: Follower, asked: More) -> None:
    """Note what a follower has dealt with, and tell it more."""
    follower.credit += asked.credit
    if follower.name and asked.done >= 0:
        reached = asked.done + 1
        if asked.done >= follower.told:
            # All that it was told is done, so all that was gone through is.
            reached = follower.next if follower.is_behind else desk.log.span.next
        place = desk.log.place(session.host, follower.name)
        if place is None or reached > place.next:
            desk.log.set_place(session.host, follower.name, Place(follower.filter, reached))
    if follower.is_behind:
        read_on(desk, session, follower)


def hand_out(desk: Desk, entry: Record, encoded: bytes, position: int) -> None:
    """Tell all who follow of a new record."""
    for member in desk.readers.meeting(entry.subject):
        desk.spent += 1
        follower = desk.follower(member)
        session = None if follower is None else desk.session(follower.stream)
        if follower is None or session is None or session.is_closed:
            continue
        if not follower.is_behind and follower.credit and session.has_room:
            tell(desk, session, follower, position, encoded)
        else:
            queue(desk, session, follower, position)


def queue(desk: Desk, session: Session, follower: Follower, position: int) -> None:
    """Let a record wait for a follower in the log, within what it declared."""
    if not follower.is_behind:
        follower.is_behind, follower.next, follower.queued = True, position, 0
        desk.wait(session, follower)
    follower.queued += 1
    if follower.queued <= follower.queue or follower.policy == DROP_OLDEST:
        return  # the oldest are passed over when it reads on
    if follower.policy == DROP_NEWEST:
        follower.queued -= 1
        follower.lost += 1
        follower.stop = position if follower.stop < 0 else follower.stop
        desk.count("dropped_newest")
    else:
        desk.count("slow_consumer")
        desk.drop(follower)
        desk.tell(session, Ended(follower.id, "slow_consumer"))


def read_on(desk: Desk, session: Session, follower: Follower) -> None:
    """Tell a follower that is behind what there is for it, as far as it can take it now."""
    if follower.retained is not None and not read_retained(desk, session, follower):
        desk.wait(session, follower)
        return
    left = RECORDS_AT_ONCE
    while left and follower.credit and session.has_room and has_more(desk, follower):
        position, left = follower.next, left - 1
        desk.spent += 1
        follower.next += 1
        encoded = desk.log.get(position)
        if encoded is None or not does_match(follower.filter, record.decode(encoded).subject):
            continue
        if not is_passed_over(desk, follower):
            tell(desk, session, follower, position, encoded)
    if not has_more(desk, follower):
        follower.is_behind, follower.stop, follower.queued = False, -1, 0
        return
    desk.wait(session, follower)
    if not left:
        desk.order(SetTimer(WAKE + session.stream.to_bytes(8, "big"), after_s=0.0))


def has_more(desk: Desk, follower: Follower) -> bool:
    """Whether there is something in the log that a follower was not told; what left it is lost."""
    span = desk.log.span
    if follower.next < span.first:
        follower.lost += span.first - follower.next
        follower.next = span.first
    return follower.next < span.next and follower.next != follower.stop


def is_passed_over(desk: Desk, follower: Follower) -> bool:
    """Whether the next one that is for a follower is dropped, as too many wait."""
    is_too_much = follower.policy == DROP_OLDEST and follower.queued > follower.queue
    follower.queued = max(0, follower.queued - 1)
    if is_too_much:
        follower.lost += 1
        desk.count("dropped_oldest")
    return is_too_much


def read_retained(desk: Desk, session: Session, follower: Follower) -> bool:
    """Tell what was retained, as far as there is room; return whether that was all."""
    for subject, position, encoded in desk.log.retained(follower.filter):
        desk.spent += 1
        if subject <= (follower.retained or "") or not does_match(follower.filter, subject):
            continue
        if not follower.credit or not session.has_room:
            return False
        follower.retained = subject
        follower.credit -= 1
        desk.tell(session, Told(follower.id, position, encoded, is_from_before=True))
    follower.retained = None
    desk.tell(session, Caught(follower.id))
    return True


def tell(desk: Desk, session: Session, follower: Follower, position: int, encoded: bytes) -> None:
    """Tell a follower of a record."""
    desk.tell(session, Told(follower.id, position, encoded, lost=follower.lost))
    follower.credit -= 1
    follower.lost = 0
    follower.told = position
    desk.count("told")
