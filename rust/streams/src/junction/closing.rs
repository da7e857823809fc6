//! Why a stream is closed: the words of `StreamClosed`, and the codes by which QUIC tells the other end.

/// Why a stream is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Closing {
    /// Both directions came to their end.
    Ended,
    /// By the service.
    Closed,
    /// The other end gave it up.
    Reset,
    /// The other end, or this one, does not want it.
    Refused,
    /// There is no way to the other end.
    Unreachable,
    /// The operator does not allow it.
    NotAllowed,
    /// It took too long.
    Deadline,
    /// The service wrote more than it was allowed to.
    StreamOverrun,
    /// Its connection, or the service's worker, is gone.
    Lost,
    /// As many as may be are open.
    TooManyStreams,
    /// What it was to begin with is not kept any more.
    TooLate,
    /// The other end broke the rules of TLS, or did not agree.
    BadTls,
}

impl Closing {
    /// Every reason, in the order of their codes.
    pub const ALL: [Self; 12] = [
        Self::Closed,
        Self::Reset,
        Self::Refused,
        Self::Unreachable,
        Self::NotAllowed,
        Self::Deadline,
        Self::StreamOverrun,
        Self::Lost,
        Self::TooManyStreams,
        Self::Ended,
        Self::TooLate,
        Self::BadTls,
    ];

    /// As `StreamClosed` says it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Ended => "ended",
            Self::Closed => "closed",
            Self::Reset => "reset",
            Self::Refused => "refused",
            Self::Unreachable => "unreachable",
            Self::NotAllowed => "not_allowed",
            Self::Deadline => "deadline",
            Self::StreamOverrun => "stream_overrun",
            Self::Lost => "lost",
            Self::TooManyStreams => "too_many_streams",
            Self::TooLate => "too_late",
            Self::BadTls => "bad_tls",
        }
    }

    /// As the other end of a QUIC stream is told.
    pub fn code(self) -> u64 {
        Self::ALL
            .iter()
            .position(|reason| *reason == self)
            .unwrap_or(0) as u64
    }

    /// What the code of an other end that gave a stream up means to whoever has this one: whether it wanted
    /// that, or lost something itself.
    pub(super) fn of_code(code: u64) -> Self {
        [Self::Lost, Self::TooLate]
            .into_iter()
            .find(|reason| reason.code() == code)
            .unwrap_or(Self::Reset)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_those_that_hosts_know() {
        let words: Vec<&str> = Closing::ALL.iter().map(|reason| reason.word()).collect();

        assert_eq!(
            words,
            [
                "closed",
                "reset",
                "refused",
                "unreachable",
                "not_allowed",
                "deadline",
                "stream_overrun",
                "lost",
                "too_many_streams",
                "ended",
                "too_late",
                "bad_tls"
            ]
        );
        assert_eq!(Closing::Lost.code(), 7);
        assert_eq!(Closing::TooLate.code(), 10);
    }

    #[test]
    fn what_the_other_end_lost_is_told_apart_from_what_it_gave_up() {
        assert_eq!(Closing::of_code(Closing::Lost.code()), Closing::Lost);
        assert_eq!(Closing::of_code(Closing::TooLate.code()), Closing::TooLate);
        for code in [0, 1, 2, 9, 11, u64::MAX] {
            assert_eq!(Closing::of_code(code), Closing::Reset);
        }
    }
}
