//! Counts bytes in and out: the price of elegance.

use std::fmt;
use std::ops::AddAssign;

use crate::session::Leg;

/// Bytes on both legs of a session, before TLS.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Total {
    received: [u64; 2],
    sent: [u64; 2],
}

impl Total {
    pub(super) fn receive(&mut self, leg: Leg, bytes: usize) {
        self.received[leg as usize] += bytes as u64;
    }

    pub(super) fn send(&mut self, leg: Leg, bytes: usize) {
        self.sent[leg as usize] += bytes as u64;
    }

    /// Bytes on a leg, both ways.
    fn on(&self, leg: Leg) -> u64 {
        self.received[leg as usize] + self.sent[leg as usize]
    }

    /// Bytes on the server's leg divided by those on the client's; `None` if a leg was idle.
    pub(super) fn factor(&self) -> Option<Factor> {
        let (client, server) = (self.on(Leg::Client), self.on(Leg::Server));
        (client > 0 && server > 0).then_some(Factor { client, server })
    }
}

impl AddAssign for Total {
    fn add_assign(&mut self, other: Self) {
        for (sum, bytes) in self.received.iter_mut().zip(other.received) {
            *sum += bytes;
        }
        for (sum, bytes) in self.sent.iter_mut().zip(other.sent) {
            *sum += bytes;
        }
    }
}

impl fmt::Display for Total {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (client, server) = (Leg::Client as usize, Leg::Server as usize);
        match self.factor() {
            Some(factor) => write!(f, "the price of elegance: {factor} (")?,
            None => f.write_str("nothing was translated (")?,
        }
        write!(
            f,
            "to the server {} → {}, to the client {} → {})",
            Size(self.received[client]),
            Size(self.sent[server]),
            Size(self.received[server]),
            Size(self.sent[client])
        )
    }
}

/// A ratio of bytes, server to client.
pub(super) struct Factor {
    client: u64,
    server: u64,
}

impl fmt::Display for Factor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tenths = self
            .server
            .saturating_mul(10)
            .saturating_add(self.client / 2)
            / self.client;
        write!(f, "×{}.{}", tenths / 10, tenths % 10)
    }
}

/// A number of bytes.
pub(super) struct Size(pub(super) u64);

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(bytes) = *self;
        let tenths_of = |unit: u64, name| {
            let tenths = bytes / (unit / 10);
            format!("{}.{} {name}", tenths / 10, tenths % 10)
        };
        f.pad(&match bytes {
            0..10_000 => format!("{bytes} B"),
            10_000..10_000_000 => tenths_of(1000, "kB"),
            _ => tenths_of(1_000_000, "MB"),
        })
    }
}

/// Folded requests of pubshim's own, and bytes of these and their answers.
#[derive(Default)]
pub(super) struct Burst {
    pub(super) requests: usize,
    pub(super) bytes: u64,
}

impl AddAssign for Burst {
    fn add_assign(&mut self, other: Self) {
        self.requests += other.requests;
        self.bytes += other.bytes;
    }
}

impl fmt::Display for Burst {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let s = if self.requests == 1 { "" } else { "s" };
        write!(f, "{} own request{s}, {}", self.requests, Size(self.bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_factors() {
        for (bytes, text) in [
            (0, "0 B"),
            (9999, "9999 B"),
            (12_345, "12.3 kB"),
            (12_345_678, "12.3 MB"),
        ] {
            assert_eq!(Size(bytes).to_string(), text);
        }
        let mut total = Total::default();
        assert!(total.factor().is_none());
        total.receive(Leg::Client, 100);
        total.send(Leg::Server, 340);
        assert_eq!(total.factor().expect("both").to_string(), "×3.4");
        total += total;
        assert_eq!(
            total.to_string(),
            "the price of elegance: ×3.4 (to the server 200 B → 680 B, to the client 0 B → 0 B)"
        );
    }
}
