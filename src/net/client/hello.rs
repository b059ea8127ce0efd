//! The first message of a client's TLS, read before the handshake for the name it asks for (SNI).

use std::io::{self, Read, Write};
use std::sync::LazyLock;

use openssl::error::ErrorStack;
use openssl::ssl::{NameType, Ssl, SslContext, SslMethod, SslStream};
use tokio::io::{AsyncRead, AsyncReadExt as _};

/// A record's type, version and length (RFC 8446 §5.1).
const HEADER: usize = 5;
/// The longest record.
const LONGEST: usize = 1 << 14;

/// OpenSSL context that parses first messages; made once, as making it takes longer than parsing.
static READER: LazyLock<Option<SslContext>> = LazyLock::new(|| {
    let builder = SslContext::builder(SslMethod::tls_server());
    builder.ok().map(|builder| builder.build())
});

/// Reads until `read` holds the first record of TLS, and not a byte further. On entry `read` holds its beginning, or
/// more than the record.
pub(super) async fn read_record(
    stream: &mut (impl AsyncRead + Unpin),
    read: &mut Vec<u8>,
) -> io::Result<()> {
    loop {
        let whole = match read.get(..HEADER) {
            None => HEADER,
            Some(header) => {
                let length = usize::from(u16::from_be_bytes([header[3], header[4]]));
                // A longer record is no TLS: the handshake will fail on what was read so far.
                if length > LONGEST || read.len() >= HEADER + length {
                    return Ok(());
                }
                HEADER + length
            }
        };
        let missing = u64::try_from(whole - read.len()).unwrap_or_default();
        if (&mut *stream).take(missing).read_buf(read).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
}

/// The name that the client asks for (RFC 6066 §3), if it asks for one.
pub(super) fn asked_name(record: &[u8]) -> Option<String> {
    name_of(record).ok().flatten()
}

/// Lets OpenSSL parse the message; its answer goes nowhere.
fn name_of(record: &[u8]) -> Result<Option<String>, ErrorStack> {
    let Some(context) = &*READER else {
        return Ok(None);
    };
    let mut stream = SslStream::new(Ssl::new(context)?, Message(record))?;
    // Always fails, for want of a certificate and of further messages; the name is known by then.
    let _ = stream.accept();
    let name = stream.ssl().servername(NameType::HOST_NAME);
    Ok(name.map(str::to_owned))
}

/// A stream that gives this message, and discards writes.
struct Message<'a>(&'a [u8]);

impl Read for Message<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        match Read::read(&mut self.0, buf)? {
            0 => Err(io::ErrorKind::WouldBlock.into()),
            count => Ok(count),
        }
    }
}

impl Write for Message<'_> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        Ok(buf.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
