//! The client's leg: accepted, told whose it is, secured.
//!
//! | file | holds |
//! |---|---|
//! | `socket.rs`, `unix.rs` | what clients connect to |
//! | `proxy_header.rs` | what a proxy before pubshim says first: whose connection it is |
//! | `stream.rs` | TCP or a Unix socket, as it is or with TLS |
//! | `tls.rs`, `hello.rs` | secures it, and which name the client asks for |
//! | `certificate/` | the certificates clients are shown, and `pubshim cert` |

pub(super) mod certificate;
mod hello;
pub(super) mod proxy_header;
pub(super) mod socket;
pub(super) mod stream;
pub(super) mod tls;
mod unix;
