//! Messages between a parent and its child: JSON, and bytes that follow it. Both have their length before them, and the
//! reader decides how long they may be.

use std::io::{self, Read, Write};

use serde::{Serialize, de::DeserializeOwned};

use super::LARGEST_HEAD;

/// Writes a message whose body is read from `body` and has `length` bytes.
pub(crate) fn write(to: &mut impl Write, head: &impl Serialize, body: &mut impl Read, length: u64) -> io::Result<()> {
    let head = serde_json::to_vec(head)?;
    if head.len() > LARGEST_HEAD {
        return Err(io::Error::other("the message is too long"));
    }
    to.write_all(&(head.len() as u32).to_le_bytes())?;
    to.write_all(&head)?;
    to.write_all(&length.to_le_bytes())?;
    io::copy(&mut body.take(length), to)?;
    to.flush()
}

/// Reads a message whose body has at most `most` bytes.
pub(crate) fn read<T: DeserializeOwned>(from: &mut impl Read, most: u64) -> io::Result<(T, Vec<u8>)> {
    let mut length = [0; 4];
    from.read_exact(&mut length)?;
    let head = exactly(from, u64::from(u32::from_le_bytes(length)), LARGEST_HEAD as u64)?;
    let mut length = [0; 8];
    from.read_exact(&mut length)?;
    let body = exactly(from, u64::from_le_bytes(length), most)?;
    Ok((serde_json::from_slice(&head).map_err(io::Error::other)?, body))
}

/// Reads `length` bytes, and allocates as they arrive: a length is only a claim.
fn exactly(from: &mut impl Read, length: u64, most: u64) -> io::Result<Vec<u8>> {
    if length > most {
        return Err(io::Error::other(format!("the message has {length} bytes, and {most} are allowed")));
    }
    let mut bytes = Vec::new();
    from.take(length).read_to_end(&mut bytes)?;
    if bytes.len() as u64 == length { Ok(bytes) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_comes_back_and_one_that_is_cut_or_too_long_does_not() {
        let mut sent = Vec::new();
        write(&mut sent, &("a head", 7), &mut &b"a body"[..], 6).unwrap();
        let back: ((String, u32), Vec<u8>) = read(&mut sent.as_slice(), 6).unwrap();
        assert_eq!(back, (("a head".to_owned(), 7), b"a body".to_vec()));
        for end in 0..sent.len() {
            assert!(read::<(String, u32)>(&mut &sent[..end], 6).is_err(), "{end}");
        }
        assert!(read::<(String, u32)>(&mut sent.as_slice(), 5).unwrap_err().to_string().contains("5 are allowed"));
        assert!(read::<(String, u32)>(&mut [0xff; 20].as_slice(), 6).is_err());
        assert!(write(&mut Vec::new(), &"x".repeat(LARGEST_HEAD), &mut io::empty(), 0).is_err());
    }
}
