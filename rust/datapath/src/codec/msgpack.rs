//! The part of msgpack that batches use: unsigned integers, floats, nil, booleans, strings, bytes,
//! arrays and maps. Written in the shortest form, read in any.
//!
//! Source: the msgpack specification, <https://github.com/msgpack/msgpack/blob/master/spec.md>.

use super::CodecError;

/// Reads values off the front of a slice.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// What is not read yet.
    pub(super) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// Make sure that all was read.
    pub(super) fn finish(&self) -> Result<(), CodecError> {
        if self.rest.is_empty() {
            Ok(())
        } else {
            Err(CodecError::TrailingBytes)
        }
    }

    /// Length of an array.
    pub(super) fn array(&mut self, field: &'static str) -> Result<u32, CodecError> {
        let first = self.byte(field)?;
        match first {
            0x90..=0x9f => Ok(u32::from(first & 0x0f)),
            0xdc => Ok(u32::from(u16::from_be_bytes(self.fixed(field)?))),
            0xdd => Ok(u32::from_be_bytes(self.fixed(field)?)),
            found => Err(CodecError::WrongType { field, found }),
        }
    }

    /// An array of exactly `length`.
    pub(super) fn array_of(&mut self, length: u32, field: &'static str) -> Result<(), CodecError> {
        match self.array(field)? {
            found if found == length => Ok(()),
            found => Err(CodecError::WrongLength { field, found }),
        }
    }

    /// Length of a map.
    pub(super) fn map(&mut self, field: &'static str) -> Result<u32, CodecError> {
        let first = self.byte(field)?;
        match first {
            0x80..=0x8f => Ok(u32::from(first & 0x0f)),
            0xde => Ok(u32::from(u16::from_be_bytes(self.fixed(field)?))),
            0xdf => Ok(u32::from_be_bytes(self.fixed(field)?)),
            found => Err(CodecError::WrongType { field, found }),
        }
    }

    /// An integer from 0 to 2^64 - 1.
    pub(super) fn integer(&mut self, field: &'static str) -> Result<u64, CodecError> {
        let first = self.byte(field)?;
        let signed = match first {
            0x00..=0x7f => return Ok(u64::from(first)),
            0xcc => return Ok(u64::from(self.byte(field)?)),
            0xcd => return Ok(u64::from(u16::from_be_bytes(self.fixed(field)?))),
            0xce => return Ok(u64::from(u32::from_be_bytes(self.fixed(field)?))),
            0xcf => return Ok(u64::from_be_bytes(self.fixed(field)?)),
            0xd0 => i64::from(i8::from_be_bytes(self.fixed(field)?)),
            0xd1 => i64::from(i16::from_be_bytes(self.fixed(field)?)),
            0xd2 => i64::from(i32::from_be_bytes(self.fixed(field)?)),
            0xd3 => i64::from_be_bytes(self.fixed(field)?),
            0xe0..=0xff => -1,
            found => return Err(CodecError::WrongType { field, found }),
        };
        u64::try_from(signed).map_err(|_| CodecError::OutOfRange { field })
    }

    /// A float, or an integer where Python code wrote one for a float.
    pub(super) fn float(&mut self, field: &'static str) -> Result<f64, CodecError> {
        match self.peek() {
            Some(0xca) => {
                self.byte(field)?;
                Ok(f64::from(f32::from_be_bytes(self.fixed(field)?)))
            }
            Some(0xcb) => {
                self.byte(field)?;
                Ok(f64::from_be_bytes(self.fixed(field)?))
            }
            _ => self.integer(field).map(|integer| integer as f64),
        }
    }

    /// `true` or `false`.
    pub(super) fn boolean(&mut self, field: &'static str) -> Result<bool, CodecError> {
        match self.byte(field)? {
            0xc2 => Ok(false),
            0xc3 => Ok(true),
            found => Err(CodecError::WrongType { field, found }),
        }
    }

    /// Bytes, borrowed from the input.
    pub(super) fn bytes(&mut self, field: &'static str) -> Result<&'a [u8], CodecError> {
        let length = match self.byte(field)? {
            0xc4 => usize::from(self.byte(field)?),
            0xc5 => usize::from(u16::from_be_bytes(self.fixed(field)?)),
            0xc6 => u32::from_be_bytes(self.fixed(field)?) as usize,
            found => return Err(CodecError::WrongType { field, found }),
        };
        self.take(length, field)
    }

    /// A string, borrowed from the input.
    pub(super) fn string(&mut self, field: &'static str) -> Result<&'a str, CodecError> {
        let first = self.byte(field)?;
        let length = match first {
            0xa0..=0xbf => usize::from(first & 0x1f),
            0xd9 => usize::from(self.byte(field)?),
            0xda => usize::from(u16::from_be_bytes(self.fixed(field)?)),
            0xdb => u32::from_be_bytes(self.fixed(field)?) as usize,
            found => return Err(CodecError::WrongType { field, found }),
        };
        std::str::from_utf8(self.take(length, field)?).map_err(|_| CodecError::WrongType {
            field,
            found: first,
        })
    }

    /// Whether nil stands here; it is read if so.
    pub(super) fn nil(&mut self) -> bool {
        match self.rest.split_first() {
            Some((0xc0, rest)) => {
                self.rest = rest;
                true
            }
            _ => false,
        }
    }

    fn peek(&self) -> Option<u8> {
        self.rest.first().copied()
    }

    fn byte(&mut self, field: &'static str) -> Result<u8, CodecError> {
        let (first, rest) = self
            .rest
            .split_first()
            .ok_or(CodecError::Truncated { field })?;
        self.rest = rest;
        Ok(*first)
    }

    fn fixed<const N: usize>(&mut self, field: &'static str) -> Result<[u8; N], CodecError> {
        let (first, rest) = self
            .rest
            .split_first_chunk()
            .ok_or(CodecError::Truncated { field })?;
        self.rest = rest;
        Ok(*first)
    }

    fn take(&mut self, length: usize, field: &'static str) -> Result<&'a [u8], CodecError> {
        let (taken, rest) = self
            .rest
            .split_at_checked(length)
            .ok_or(CodecError::Truncated { field })?;
        self.rest = rest;
        Ok(taken)
    }
}

/// Appends values to a vector, each in its shortest form.
pub(super) struct Writer<'a> {
    out: &'a mut Vec<u8>,
}

impl<'a> Writer<'a> {
    pub(super) fn new(out: &'a mut Vec<u8>) -> Self {
        Self { out }
    }

    pub(super) fn array(&mut self, length: usize) {
        self.head(length, 0x90, 15, [None, Some(0xdc), Some(0xdd)]);
    }

    pub(super) fn map(&mut self, length: usize) {
        self.head(length, 0x80, 15, [None, Some(0xde), Some(0xdf)]);
    }

    pub(super) fn bytes(&mut self, bytes: &[u8]) {
        self.head(bytes.len(), 0, -1, [Some(0xc4), Some(0xc5), Some(0xc6)]);
        self.out.extend_from_slice(bytes);
    }

    pub(super) fn integer(&mut self, value: u64) {
        match value {
            0..=0x7f => self.out.push(value as u8),
            0x80..=0xff => self.out.extend_from_slice(&[0xcc, value as u8]),
            0x100..=0xffff => self.tagged(0xcd, &(value as u16).to_be_bytes()),
            0x1_0000..=0xffff_ffff => self.tagged(0xce, &(value as u32).to_be_bytes()),
            _ => self.tagged(0xcf, &value.to_be_bytes()),
        }
    }

    pub(super) fn float(&mut self, value: f64) {
        self.tagged(0xcb, &value.to_be_bytes());
    }

    pub(super) fn boolean(&mut self, value: bool) {
        self.out.push(if value { 0xc3 } else { 0xc2 });
    }

    pub(super) fn nil(&mut self) {
        self.out.push(0xc0);
    }

    pub(super) fn string(&mut self, text: &str) {
        self.head(text.len(), 0xa0, 31, [Some(0xd9), Some(0xda), Some(0xdb)]);
        self.out.extend_from_slice(text.as_bytes());
    }

    /// A length: inside the first byte up to `most`, else in 8, 16 or 32 bits after a marker.
    fn head(&mut self, length: usize, first: u8, most: i64, markers: [Option<u8>; 3]) {
        let [one, two, four] = markers;
        if i64::try_from(length).is_ok_and(|length| length <= most) {
            self.out.push(first | length as u8);
        } else if let (Some(marker), Ok(length)) = (one, u8::try_from(length)) {
            self.tagged(marker, &[length]);
        } else if let (Some(marker), Ok(length)) = (two, u16::try_from(length)) {
            self.tagged(marker, &length.to_be_bytes());
        } else if let Some(marker) = four {
            self.tagged(marker, &(length as u32).to_be_bytes());
        }
    }

    fn tagged(&mut self, marker: u8, bytes: &[u8]) {
        self.out.push(marker);
        self.out.extend_from_slice(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn integers_survive(value: u64) {
            let mut out = Vec::new();
            Writer::new(&mut out).integer(value);

            let mut reader = Reader::new(&out);

            prop_assert_eq!(reader.integer("x"), Ok(value));
            prop_assert_eq!(reader.finish(), Ok(()));
        }

        #[test]
        fn bytes_and_arrays_survive(length in 0usize..70_000) {
            let bytes = vec![7; length];
            let mut out = Vec::new();
            let mut writer = Writer::new(&mut out);
            writer.array(length);
            writer.bytes(&bytes);
            writer.float(0.5);

            let mut reader = Reader::new(&out);

            prop_assert_eq!(reader.array("x"), Ok(length as u32));
            prop_assert_eq!(reader.bytes("x"), Ok(&bytes[..]));
            prop_assert_eq!(reader.float("x"), Ok(0.5));
        }
    }

    #[test]
    fn a_python_int_serves_as_a_float_but_never_the_reverse() {
        assert_eq!(Reader::new(&[0x0a]).float("ttl_s"), Ok(10.0));
        assert_eq!(
            Reader::new(&[0xcb, 0, 0, 0, 0, 0, 0, 0, 0]).integer("amount"),
            Err(CodecError::WrongType {
                field: "amount",
                found: 0xcb
            })
        );
    }

    #[test]
    fn a_negative_number_is_out_of_range() {
        for bytes in [&[0xff][..], &[0xd0, 0x80], &[0xd1, 0xff, 0xff]] {
            assert_eq!(
                Reader::new(bytes).integer("amount"),
                Err(CodecError::OutOfRange { field: "amount" })
            );
        }
    }
}
