//! Frames of a stream that comes in pieces.

use pubshim::xml::{Frame, FrameKind, Framer, Limits, XmlError};

/// The frames of a stream, each run of white space as one.
pub type Frames = Vec<(FrameKind, Vec<u8>)>;

/// Feeds a strict framer its input in these pieces; the frames that came out and how it ended.
pub fn frames<'a>(
    pieces: impl IntoIterator<Item = &'a [u8]>,
    limits: Limits,
) -> (Frames, Result<(), XmlError>) {
    let mut framer = Framer::new(limits);
    let mut buf = Vec::new();
    let mut out: Frames = Vec::new();
    for piece in pieces {
        buf.extend_from_slice(piece);
        loop {
            match framer.next(&buf) {
                Ok(Some(Frame {
                    kind,
                    len,
                    is_opaque,
                })) => {
                    assert!(!is_opaque, "a strict framer gives no opaque frame");
                    assert!(len > 0 && len <= buf.len(), "a frame of {len} bytes");
                    let rest = buf.split_off(len);
                    let frame = std::mem::replace(&mut buf, rest);
                    match (kind, out.last_mut()) {
                        // How far a run of white space has come is no difference.
                        (FrameKind::Whitespace, Some((FrameKind::Whitespace, run))) => {
                            run.extend_from_slice(&frame);
                        }
                        _ => out.push((kind, frame)),
                    }
                }
                Ok(None) => break,
                Err(error) => return (out, Err(error)),
            }
        }
    }
    (out, Ok(()))
}
