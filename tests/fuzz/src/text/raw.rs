//! Bytes that are no stanza.

use arbitrary::Arbitrary;

use super::MOST;

/// Bytes that make no sense, or some.
#[derive(Arbitrary, Clone, Debug)]
pub enum Piece {
    /// One of few words.
    Word(u8),
    /// Anything.
    Bytes(Vec<u8>),
}

const WORDS: [&[u8]; 32] = [
    b" ",
    b"\n",
    b"<",
    b">",
    b"/>",
    b"'",
    b"\"",
    b"&",
    b"&amp;",
    b"&#58;",
    b"<a>",
    b"</a>",
    b"<a b='",
    b"<presence>",
    b"</presence>",
    b"<iq type='get' id='",
    b"</iq>",
    b"<?xml version='1.0'?>",
    b"<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' to='capulet.lit' version='1.0'>",
    b"</stream:stream>",
    b"<stream:error>",
    b"<![CDATA[",
    b"]]>",
    b"<!--",
    b"<?",
    b"\0",
    b"\xff",
    b"\xef\xbf\xbf",
    b"xmlns:x='urn:pubshim:0'",
    b"xmlns='urn:pubshim:0'",
    b"\x16\x03\x01",
    b"x:",
];

/// The bytes of several pieces.
pub fn raw(pieces: &[Piece]) -> Vec<u8> {
    let mut out = Vec::new();
    for piece in pieces {
        match piece {
            Piece::Word(word) => out.extend_from_slice(WORDS[usize::from(*word) % WORDS.len()]),
            Piece::Bytes(bytes) => out.extend_from_slice(bytes),
        }
        if out.len() > MOST {
            break;
        }
    }
    out
}
