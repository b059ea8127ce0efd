//! The first message of a client's TLS, looked at before it is answered: which name does it ask for?

use std::io::{self, Read, Write};
use std::sync::LazyLock;

use openssl::error::ErrorStack;
use openssl::ssl::{NameType, Ssl, SslContext, SslMethod, SslStream};
use tokio::io::{AsyncRead, AsyncReadExt as _};

/// A record's type, version and length (RFC 8446 §5.1).
const HEADER: usize = 5;
/// The longest record.
const LONGEST: usize = 1 << 14;

/// What reads first messages; to make it takes longer than to read.
static READER: LazyLock<Option<SslContext>> = LazyLock::new(|| {
    let builder = SslContext::builder(SslMethod::tls_server());
    builder.ok().map(|builder| builder.build())
});

/// Reads until the first record of TLS is whole. What was `read` is its beginning, and may be more.
pub(super) async fn read_record(
    stream: &mut (impl AsyncRead + Unpin),
    read: &mut Vec<u8>,
) -> io::Result<()> {
    loop {
        let whole = match read.get(..HEADER) {
            None => HEADER,
            Some(header) => {
                let length = usize::from(u16::from_be_bytes([header[3], header[4]]));
                // What is longer is no TLS, and is not needed to find that out.
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

/// Lets OpenSSL read the message: without a certificate it answers nothing that anybody sees.
fn name_of(record: &[u8]) -> Result<Option<String>, ErrorStack> {
    let Some(context) = &*READER else {
        return Ok(None);
    };
    let mut stream = SslStream::new(Ssl::new(context)?, Message(record))?;
    // It fails, as there is neither a certificate nor more to be read.
    let _ = stream.accept();
    let name = stream.ssl().servername(NameType::HOST_NAME);
    Ok(name.map(str::to_owned))
}

/// A connection on which this message has come, and nobody reads.
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
