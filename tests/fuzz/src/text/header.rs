//! Stream headers, good ones and odd ones.

use pubshim::ns;

/// A stream header.
pub struct Header {
    /// The bytes of the header.
    pub text: String,
    /// The prefix of the stream's elements.
    pub stream: &'static str,
    /// A prefix that it declares besides.
    pub prefix: Option<&'static str>,
}

/// A client's header; most styles are good ones.
pub fn client_header(style: u8) -> Header {
    let to = match style % 16 {
        15 => "to='b&#111;gus lit'",
        14 => "",
        13 => "to='CAPULET.lit'",
        _ => "to='capulet.lit'",
    };
    header(style, to)
}

/// A server's header.
pub fn server_header(style: u8) -> Header {
    header(style, "from='capulet.lit' id='s1'")
}

fn header(style: u8, address: &str) -> Header {
    let good = Header {
        text: String::new(),
        stream: "stream",
        prefix: None,
    };
    let streams = ns::STREAM;
    let (text, header) = match style % 16 {
        1 => (
            format!(
                "<?xml version='1.0' encoding='utf-8'?>\n<stream:stream {address} version='1.0' \
                 xmlns='jabber:client' xmlns:stream='{streams}' xml:lang='en'>"
            ),
            good,
        ),
        2 => (
            format!(
                "<s:stream xmlns=\"jabber:client\"\n xmlns:s=\"{streams}\" {address} version='1.0' >"
            ),
            Header {
                stream: "s",
                ..good
            },
        ),
        3 | 4 => {
            let xmlns = if style % 16 == 3 {
                "urn:pubshim:0"
            } else {
                "urn:x&amp;'&#39;"
            };
            let xmlns = xmlns.replace('\'', "&apos;");
            (
                format!(
                    "<stream:stream xmlns='jabber:client' xmlns:stream='{streams}' \
                     xmlns:x='{xmlns}' {address} version='1.0'>"
                ),
                Header {
                    prefix: Some("x"),
                    ..good
                },
            )
        }
        12 => (
            format!("<stream:stream xmlns='jabber:client' xmlns:stream='{streams}' {address}>"),
            good,
        ),
        11 => (
            format!(
                "<stream:stream xmlns='jabber:server' xmlns:stream='{streams}' {address} version='1.0'>"
            ),
            good,
        ),
        _ => (
            format!(
                "<?xml version='1.0'?><stream:stream xmlns='jabber:client' \
                 xmlns:stream='{streams}' {address} version='1.0'>"
            ),
            good,
        ),
    };
    Header { text, ..header }
}
